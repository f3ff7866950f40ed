//! CIFAR-10 and CIFAR-100: which of the two official layouts is there.

use std::path::{Path, PathBuf};

use super::{
    DatasetKind, ImageSet, Split, cifar_binary, cifar_python,
    packed::{Found, first_found, locate, names},
};
use crate::DataError;

/// Bytes of an image: three planes of 32×32.
pub(super) const IMAGE_BYTES: usize = 3 * SIDE * SIDE;
const SIDE: usize = 32;

/// The classes of CIFAR-10, for copies without `batches.meta`.
const CIFAR10_CLASSES: [&str; 10] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

/// The files of one layout of one data set.
pub(super) struct Layout {
    pub(super) folder: &'static str,
    pub(super) train: &'static [&'static str],
    pub(super) test: &'static [&'static str],
    pub(super) class_names: &'static str,
}

impl Layout {
    pub(super) fn files(&self, split: Split) -> &'static [&'static str] {
        if split == Split::Test { self.test } else { self.train }
    }
}

/// What a layout's reader gives back.
pub(super) struct Contents {
    /// `[n, 32, 32, 3]`.
    pub(super) pixels: Vec<u8>,
    pub(super) labels: Vec<i64>,
    pub(super) class_names: Option<Vec<String>>,
}

/// Reads the layout that is there; where none is, `fetch` shall bring the binary one and say in which folder it is.
pub(super) fn open(
    kind: DatasetKind,
    data_dir: &Path,
    split: Split,
    fetch: impl FnOnce() -> Result<PathBuf, DataError>,
) -> Result<ImageSet, DataError> {
    let (binary, python) = (cifar_binary::layout(kind), cifar_python::layout(kind));
    let place = |layout: &Layout| locate(data_dir, layout.folder, layout.files(split));
    let contents = match place(binary) {
        Found::Complete(folder) => cifar_binary::read(kind, &folder, split)?,
        binary_place => match first_found([place(python), binary_place]) {
            Found::Complete(folder) => cifar_python::read(kind, &folder, split)?,
            Found::Partial(file) => {
                return Err(DataError::missing(
                    &file,
                    "is missing beside other files of the data set; put it there, or remove the folder to download the data set again",
                ));
            }
            Found::Absent => cifar_binary::read(kind, &fetch()?, split)?,
        },
    };
    let class_names =
        contents.class_names.or_else(|| (kind == DatasetKind::Cifar10).then(|| names(&CIFAR10_CLASSES)));
    let set = ImageSet::from_pixels(kind, split, (SIDE, SIDE), contents.pixels, Some(contents.labels))?;
    Ok(set.with_class_names(class_names))
}

/// Checks that every batch has as many images as the first: a batch cut between two images shows only so.
pub(super) fn check_batch_sizes(folder: &Path, files: &[&str], counts: &[usize]) -> Result<(), DataError> {
    let Some(odd) = counts.iter().position(|&count| count != counts[0]) else { return Ok(()) };
    Err(DataError::damaged(
        &folder.join(files[odd]),
        format!(
            "holds {} images and {} holds {}; all batches hold the same number, so one was cut: remove the folder and get it again",
            counts[odd], files[0], counts[0]
        ),
    ))
}
