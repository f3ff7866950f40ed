//! CIFAR-10 and CIFAR-100: which of the two official layouts is there.

use std::path::{Path, PathBuf};

use super::{
    DatasetKind, ImageSet, Split, cifar_binary,
    cifar_layout::{Layout, SIDE},
    cifar_python,
    packed::{Found, first_found, locate, missing_file, names},
};
use crate::DataError;

/// The classes of CIFAR-10, for copies without `batches.meta`.
const CIFAR10_CLASSES: [&str; 10] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

/// Reads the layout on the disk. If there is none, `unpack` looks for the archive of torchvision; then `fetch` downloads the binary one. Both
/// give the folder.
pub(super) fn open(
    kind: DatasetKind,
    data_dir: &Path,
    split: Split,
    unpack: impl FnOnce() -> Result<Option<PathBuf>, DataError>,
    fetch: impl FnOnce() -> Result<PathBuf, DataError>,
) -> Result<ImageSet, DataError> {
    let (binary, python) = (cifar_binary::layout(kind), cifar_python::layout(kind));
    let place = |layout: &Layout| locate(data_dir, layout.folder, layout.files(split));
    let contents = match place(binary) {
        Found::Complete(folder) => cifar_binary::read(kind, &folder, split)?,
        binary_place => match first_found([place(python), binary_place]) {
            Found::Complete(folder) => cifar_python::read(kind, &folder, split)?,
            Found::Partial(file) => {
                return Err(missing_file(&file));
            }
            Found::Absent => match unpack()? {
                Some(folder) => cifar_python::read(kind, &folder, split)?,
                None => cifar_binary::read(kind, &fetch()?, split)?,
            },
        },
    };
    let class_names =
        contents.class_names.or_else(|| (kind == DatasetKind::Cifar10).then(|| names(&CIFAR10_CLASSES)));
    let set = ImageSet::from_pixels(kind, split, (SIDE, SIDE), contents.pixels, Some(contents.labels))?;
    Ok(set.with_class_names(class_names))
}
