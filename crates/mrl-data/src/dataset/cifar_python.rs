//! CIFAR's Python layout, the one torchvision reads: pickled dicts of a uint8 array `data` `[n, 3072]` (three planes of
//! 32×32 a row) and lists of labels. The pickles are read without executing anything.

use std::path::Path;

use super::{
    DatasetKind, Split,
    cifar_layout::{Contents, IMAGE_BYTES, Layout},
    packed::{AGAIN, label_out_of_range, open_file, push_planar, read_up_to},
    pickle::Pickle,
};
use crate::DataError;

const CIFAR10: Layout = Layout {
    folder: "cifar-10-batches-py",
    train: &["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5"],
    test: &["test_batch"],
    class_names: "batches.meta",
};

const CIFAR100: Layout =
    Layout { folder: "cifar-100-python", train: &["train"], test: &["test"], class_names: "meta" };

/// The largest official file, CIFAR-100's `train`, has 155 MB.
const LARGEST_FILE: u64 = 1 << 29;

pub(super) fn layout(kind: DatasetKind) -> &'static Layout {
    if kind == DatasetKind::Cifar100 { &CIFAR100 } else { &CIFAR10 }
}

/// The keys of the labels and of their names in the dicts.
fn keys(kind: DatasetKind) -> (&'static str, &'static str) {
    if kind == DatasetKind::Cifar100 {
        ("fine_labels", "fine_label_names")
    } else {
        ("labels", "label_names")
    }
}

pub(super) fn read(kind: DatasetKind, folder: &Path, split: Split) -> Result<Contents, DataError> {
    let layout = layout(kind);
    let class_names = read_names(kind, &folder.join(layout.class_names))?;
    layout.read(folder, split, class_names, |path, contents| read_batch(kind, path, contents))
}

fn read_file(path: &Path) -> Result<Vec<u8>, DataError> {
    let (mut file, length) = open_file(path)?;
    if length > LARGEST_FILE {
        return Err(DataError::damaged(
            path,
            format!("has {length} bytes, more than any CIFAR file; it is another data set's: {AGAIN}"),
        ));
    }
    read_up_to(&mut file, length as usize).map_err(DataError::io(path))
}

/// Appends the images of one file and says how many there were.
fn read_batch(kind: DatasetKind, path: &Path, contents: &mut Contents) -> Result<usize, DataError> {
    let bytes = read_file(path)?;
    let damaged =
        |problem: String| DataError::damaged(path, format!("{problem}; it was cut or damaged: {AGAIN}"));
    let pickle = Pickle::parse(&bytes).map_err(damaged)?;
    let key = keys(kind).0;
    let labels = pickle.integers(key).map_err(damaged)?;
    let (rows, columns, data) = pickle.matrix_u8("data").map_err(damaged)?;
    if columns != IMAGE_BYTES || rows != labels.len() || rows == 0 {
        let count = labels.len();
        return Err(damaged(format!(
            "has `data` of shape [{rows}, {columns}] and {count} `{key}`, not [n, {IMAGE_BYTES}] and n"
        )));
    }
    let classes = kind.classes().unwrap_or(0) as i64;
    if let Some(image) = labels.iter().position(|label| !(0..classes).contains(label)) {
        return Err(label_out_of_range(path, image, "label", labels[image], &format!("0..{}", classes - 1)));
    }
    contents.pixels.reserve_exact(data.len());
    data.chunks_exact(IMAGE_BYTES).for_each(|planes| push_planar(planes, &mut contents.pixels));
    contents.labels.extend(labels);
    Ok(rows)
}

/// The class names of the meta file, where it is there.
fn read_names(kind: DatasetKind, path: &Path) -> Result<Option<Vec<String>>, DataError> {
    if !path.is_file() {
        return Ok(None);
    }
    let bytes = read_file(path)?;
    let damaged =
        |problem: String| DataError::damaged(path, format!("{problem}; it was cut or damaged: {AGAIN}"));
    let pickle = Pickle::parse(&bytes).map_err(damaged)?;
    let names = pickle.strings(keys(kind).1).map_err(damaged)?;
    let classes = kind.classes().unwrap_or(0);
    if names.len() != classes {
        return Err(damaged(format!("names {} classes, and there are {classes}", names.len())));
    }
    Ok(Some(names))
}
