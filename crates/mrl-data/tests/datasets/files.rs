//! Writes small data sets, and opens them.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use flate2::{Compression, write::GzEncoder};
use mrl_data::{DataError, DatasetKind, ImageSet, OpenOptions, Split, open};

/// Options that never reach for the network.
pub(crate) fn offline() -> OpenOptions {
    OpenOptions { download: false, ..OpenOptions::default() }
}

pub(crate) fn open_offline(kind: DatasetKind, folder: &Path, split: Split) -> Result<ImageSet, DataError> {
    open(kind, folder, split, &offline(), &|_| ())
}

/// The message of a set that cannot be opened, with `DIR` for its folder.
#[track_caller]
pub(crate) fn message(kind: DatasetKind, folder: &Path, split: Split) -> String {
    let error = open_offline(kind, folder, split).unwrap_err().to_string();
    error.replace(&folder.display().to_string(), "DIR")
}

/// Where the goldens of data sets are.
pub(crate) fn goldens() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../goldens/datasets")
}

/// Image `i` of `bytes` values; value `j` is `(31 i + 7 j) mod 251`, as in `goldens/datasets/make.py`.
pub(crate) fn image_bytes(i: usize, bytes: usize) -> Vec<u8> {
    (0..bytes).map(|j| ((31 * i + 7 * j) % 251) as u8).collect()
}

/// Records of CIFAR's binary layout.
pub(crate) fn cifar_records(first: usize, labels: &[&[u8]]) -> Vec<u8> {
    let record = |(i, labels): (usize, &&[u8])| [labels, image_bytes(first + i, 3072).as_slice()].concat();
    labels.iter().enumerate().flat_map(record).collect()
}

/// CIFAR-10's binary layout with two images a batch.
pub(crate) fn write_cifar10(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    for batch in 0..5u8 {
        let records = cifar_records(2 * usize::from(batch), &[&[2 * batch], &[2 * batch + 1]]);
        fs::write(folder.join(format!("data_batch_{}.bin", batch + 1)), records).unwrap();
    }
    fs::write(folder.join("test_batch.bin"), cifar_records(10, &[&[0], &[1]])).unwrap();
}

/// STL-10 with two labelled images a split and three without labels.
pub(crate) fn write_stl10(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    let images = |first: usize, count: usize| -> Vec<u8> {
        (first..first + count).flat_map(|i| image_bytes(i, 3 * 96 * 96)).collect()
    };
    fs::write(folder.join("train_X.bin"), images(0, 2)).unwrap();
    fs::write(folder.join("train_y.bin"), [1, 10]).unwrap();
    fs::write(folder.join("test_X.bin"), images(2, 2)).unwrap();
    fs::write(folder.join("test_y.bin"), [5, 6]).unwrap();
    fs::write(folder.join("unlabeled_X.bin"), images(4, 3)).unwrap();
}

/// An IDX file.
pub(crate) fn idx(dims: &[u32], bytes: &[u8]) -> Vec<u8> {
    let mut file = (0x0800 | dims.len() as u32).to_be_bytes().to_vec();
    file.extend(dims.iter().flat_map(|dim| dim.to_be_bytes()));
    file.extend(bytes);
    file
}

pub(crate) fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// MNIST's train split: three images of 4 columns and 5 rows.
pub(crate) fn write_mnist(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("train-images-idx3-ubyte"), idx(&[3, 5, 4], &image_bytes(0, 60))).unwrap();
    fs::write(folder.join("train-labels-idx1-ubyte"), idx(&[3], &[7, 0, 9])).unwrap();
}
