//! The one rule for everything that a command writes: nothing that is not `mrl`'s own is lost, and what cannot be written is found
//! before work begins.
//!
//! - A **file** that exists is replaced only if it is of the kind that the command writes ([`FileKind`]), or with `--force`.
//! - In a **folder** a file is replaced or removed only if the folder's marker lists it ([`OutputFolder`]); with `--force` also
//!   files that have the name of one to be written are replaced.
//! - No output is an input, lies among the images, or holds them ([`check_apart`]); `--force` changes nothing about that.

mod file;
mod folder;
mod kind;
mod marker;
mod place;

pub(crate) use file::OutputFile;
pub(crate) use folder::OutputFolder;
pub(crate) use kind::FileKind;
pub(crate) use place::{check_apart, check_folder};
