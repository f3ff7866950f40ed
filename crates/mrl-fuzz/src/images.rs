//! Images and the files of data sets.

use std::path::Path;

use mrl_data::{DatasetKind, OpenOptions, Split, read_image};

use crate::SCRATCH;

/// Opens the training images in the scratch folder `data`, and reads the first.
fn open(kind: DatasetKind, files: &[(&str, &[u8])]) {
    SCRATCH.with(|scratch| {
        for (name, bytes) in files {
            scratch.file(&format!("{kind}/{name}"), bytes);
        }
        let folder = scratch.path().join(kind.to_string());
        let options = OpenOptions { download: false, ..OpenOptions::default() };
        if let Ok(images) = mrl_data::open(kind, Path::new(&folder), Split::Train, &options, &|_| {}) {
            assert!(images.labels().is_none_or(|labels| labels.len() == images.len()));
            if !images.is_empty() {
                let _ = images.image(images.len() - 1);
            }
        }
    });
}

/// Two files: the length of the first comes before it.
fn parts(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, bytes) = bytes.split_first_chunk()?;
    bytes.split_at_checked(usize::from(u16::from_le_bytes(*length)))
}

pub(crate) fn pickle(bytes: &[u8]) {
    if let Some((names, batch)) = parts(bytes) {
        open(DatasetKind::Cifar100, &[("cifar-100-python/meta", names), ("cifar-100-python/train", batch)]);
    }
}

pub(crate) fn idx(bytes: &[u8]) {
    if let Some((labels, images)) = parts(bytes) {
        open(DatasetKind::Idx, &[("train-labels-idx1-ubyte", labels), ("train-images-idx3-ubyte", images)]);
    }
}

/// The first byte chooses the set.
pub(crate) fn binary(bytes: &[u8]) {
    let Some((&choice, bytes)) = bytes.split_first() else { return };
    let Some((small, large)) = parts(bytes) else { return };
    if choice & 1 == 0 {
        open(DatasetKind::Stl10, &[("stl10_binary/train_y.bin", small), ("stl10_binary/train_X.bin", large)]);
    } else {
        open(
            DatasetKind::Cifar10,
            &[
                ("cifar-10-batches-bin/batches.meta.txt", small),
                ("cifar-10-batches-bin/data_batch_1.bin", large),
                ("cifar-10-batches-bin/data_batch_2.bin", large),
                ("cifar-10-batches-bin/data_batch_3.bin", large),
                ("cifar-10-batches-bin/data_batch_4.bin", large),
                ("cifar-10-batches-bin/data_batch_5.bin", large),
            ],
        );
    }
}

pub(crate) fn image(bytes: &[u8]) {
    crate::with_file("image", bytes, |path| {
        if let Ok(image) = read_image(path) {
            assert!(image.width() > 0 && image.height() > 0);
        }
    });
}
