//! One function a command.

mod adapt;
mod embed;
mod eval;
mod fold;
mod held_out;
mod index;
mod input;
mod thumbnails;
mod train;

pub(crate) use adapt::adapt;
pub(crate) use embed::embed;
pub(crate) use eval::eval;
pub(crate) use fold::fold;
pub(crate) use index::index;
pub(crate) use train::{run_config, train};

use std::{fmt::Display, path::Path};

use anyhow::{Result, anyhow};
use mrl_data::{DatasetKind, ImageSet, OpenOptions, Split};
use mrl_embedding::EmbeddingSet;

use self::input::has_extension;
use crate::{
    UsageError,
    progress::{DataProgress, note},
};

/// What files of embedding sets end in.
const SETS: [&str; 2] = ["safetensors", "npy"];

/// The side of `ImageNet`'s crops, for images that differ in size.
const IMAGENET: usize = 224;

/// Whether files can be written to `folder`, which may have to be made first; said before hours of work.
fn check_out(folder: &Path) -> Result<()> {
    mrl_embedding::check_writable(folder).map_err(|problem| {
        anyhow!("{}: cannot be written ({problem}); choose another --out", folder.display())
    })
}

/// Whether a file that ends in one of `extensions`, if there are any, can be written at `out`, as far as can be told, and is none of
/// `inputs`, which would be lost; said before hours of embedding.
fn check_file<P: AsRef<Path>>(
    option: &str,
    out: &Path,
    extensions: &[&str],
    inputs: impl IntoIterator<Item = P>,
) -> Result<()> {
    if !extensions.is_empty() && !has_extension(out, extensions) {
        let problem = format!("{option} {} must end in .{}", out.display(), extensions.join(" or ."));
        return Err(UsageError(problem).into());
    }
    if out.is_dir() {
        return Err(anyhow!("{}: is a folder; name a file", out.display()));
    }
    if let Ok(there) = out.canonicalize()
        && inputs.into_iter().any(|input| input.as_ref().canonicalize().is_ok_and(|input| input == there))
    {
        let problem = format!("{option} {} is an input of this command; name another file", out.display());
        return Err(UsageError(problem).into());
    }
    // A link to a file stays, and the file is replaced where it lies.
    let file = out.canonicalize().unwrap_or_else(|_| out.to_owned());
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.exists() {
        return Err(anyhow!("{}: the folder is not there; make it first", folder.display()));
    }
    check_out(folder)
}

/// As [`check_file`], for an embedding set: what is there and is none, such as an encoder, is not replaced.
fn check_set<P: AsRef<Path>>(out: &Path, inputs: impl IntoIterator<Item = P>) -> Result<()> {
    check_file("--out", out, &SETS, inputs)?;
    check_replaced(out, "embedding set", EmbeddingSet::read(out).is_ok())
}

/// Whether what is at `out`, if anything is, is what will be written: one more `kind`.
fn check_replaced(out: &Path, kind: &str, is_of_kind: bool) -> Result<()> {
    if is_of_kind || !out.exists() {
        return Ok(());
    }
    let problem =
        format!("is there and is no {kind}; it stays as it is: name another file, or delete it first");
    Err(anyhow!("{}: {problem}", out.display()))
}

/// Names `file` in an error that is of what it holds.
fn of_file<T, E: std::error::Error + Send + Sync + 'static>(
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
fn open_images(kind: DatasetKind, data_dir: &Path, split: Split, options: &OpenOptions) -> Result<ImageSet> {
    let progress = DataProgress::default();
    let images = mrl_data::open(kind, data_dir, split, options, &|event| progress.show(event))?;
    for skipped in images.skipped() {
        note(&format!("skipped {}: {}", skipped.path.display(), skipped.reason));
    }
    Ok(images)
}

/// The side of the images, or that of `ImageNet`'s crops where they differ.
fn native_size(images: &ImageSet) -> usize {
    images.native_size().unwrap_or_else(|| {
        note(&format!("the images differ in size; using {IMAGENET} pixels (--image-size says otherwise)"));
        IMAGENET
    })
}
