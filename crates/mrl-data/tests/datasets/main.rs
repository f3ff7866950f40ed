//! The readers of data sets, on files as users have them.

mod damage;
mod digest;
mod files;
mod folder;
mod formats;
mod golden;
mod pixel_cache;
