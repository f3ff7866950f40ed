//! The rule for all outputs: without `--force`, a command replaces or removes only files that `mrl` wrote. Before work begins, it checks
//! that it can write its outputs.
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

pub use file::OutputFile;
pub use folder::OutputFolder;
pub use kind::{CHART, FileKind, HITS, INDEX, SET};
pub use place::{check_apart, check_folder, check_outside};
