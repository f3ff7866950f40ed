//! The commands that need no libtorch, a function each, and what all commands share.

mod data;
mod eval;
mod images;
mod index;
pub mod input;
mod thumbnails;

pub use data::data;
pub use eval::eval;
pub use images::{IMAGENET, native_size, of_run_elsewhere, open_images};
pub use index::index;

use std::{fmt::Display, path::Path};

use anyhow::Result;
use mrl_embedding::quoted;

/// The command that makes an index of an embedding set which was just written.
pub fn suggested_index(set: &Path) -> String {
    let [input, index] = [quoted(set), quoted(&set.with_extension("index"))];
    format!("search with: mrl index build --input {input} --out {index}")
}

/// Names `file` in an error that is of what it holds.
pub fn of_file<T, E: std::error::Error + Send + Sync + 'static>(
    file: impl Display,
    result: Result<T, E>,
    is_of_file: impl Fn(&E) -> bool,
) -> Result<T> {
    result.map_err(|error| {
        let is_of_file = is_of_file(&error);
        let error = anyhow::Error::new(error);
        if is_of_file { error.context(file.to_string()) } else { error }
    })
}
