//! The commands that need no libtorch, a function each, and what all commands share.

mod eval;
mod index;
pub mod input;
mod thumbnails;

pub use eval::eval;
pub use index::index;

use std::{fmt::Display, path::Path};

use anyhow::Result;
use mrl_data::{DatasetKind, ImageSet, OpenOptions, Split};

use crate::progress::{DataProgress, note};

/// The side of `ImageNet`'s crops, for images that differ in size.
pub const IMAGENET: usize = 224;

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

/// Opens a data set, showing what goes on and what was skipped.
pub fn open_images(
    kind: DatasetKind,
    data_dir: &Path,
    split: Split,
    options: &OpenOptions,
) -> Result<ImageSet> {
    let progress = DataProgress::default();
    let images = mrl_data::open(kind, data_dir, split, options, &|event| progress.show(event))?;
    for skipped in images.skipped() {
        note(&format!("skipped {}: {}", skipped.path.display(), skipped.reason));
    }
    Ok(images)
}

/// The side of the images, or that of `ImageNet`'s crops where they differ.
pub fn native_size(images: &ImageSet) -> usize {
    images.native_size().unwrap_or_else(|| {
        note(&format!("the images differ in size; using {IMAGENET} pixels (--image-size says otherwise)"));
        IMAGENET
    })
}
