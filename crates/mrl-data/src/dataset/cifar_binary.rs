//! CIFAR's binary layout (<https://www.cs.toronto.edu/~kriz/cifar.html>): records of the label bytes (CIFAR-10: one;
//! CIFAR-100: coarse, then fine) and three planes of 32×32 bytes.

use std::path::Path;

use super::{
    DatasetKind, Split,
    cifar_layout::{Contents, IMAGE_BYTES, Layout},
    packed::{fill, label_out_of_range, open_records, push_planar, read_class_names},
};
use crate::DataError;

const CIFAR10: Layout = Layout {
    folder: "cifar-10-batches-bin",
    train: &[
        "data_batch_1.bin",
        "data_batch_2.bin",
        "data_batch_3.bin",
        "data_batch_4.bin",
        "data_batch_5.bin",
    ],
    test: &["test_batch.bin"],
    class_names: "batches.meta.txt",
};

const CIFAR100: Layout = Layout {
    folder: "cifar-100-binary",
    train: &["train.bin"],
    test: &["test.bin"],
    class_names: "fine_label_names.txt",
};

pub(super) fn layout(kind: DatasetKind) -> &'static Layout {
    if kind == DatasetKind::Cifar100 { &CIFAR100 } else { &CIFAR10 }
}

/// The label bytes before an image, each with its name and the number of its values; the last one is used.
fn label_bytes(kind: DatasetKind) -> &'static [(&'static str, u8)] {
    if kind == DatasetKind::Cifar100 { &[("coarse label", 20), ("label", 100)] } else { &[("label", 10)] }
}

pub(super) fn read(kind: DatasetKind, folder: &Path, split: Split) -> Result<Contents, DataError> {
    let layout = layout(kind);
    let classes = kind.classes().unwrap_or(0);
    let class_names = read_class_names(&folder.join(layout.class_names), classes)?;
    layout.read(folder, split, class_names, |path, contents| read_batch(kind, path, contents))
}

/// Appends the images of one file and says how many there were.
fn read_batch(kind: DatasetKind, path: &Path, contents: &mut Contents) -> Result<usize, DataError> {
    let labels = label_bytes(kind);
    let mut record = vec![0; labels.len() + IMAGE_BYTES];
    let (mut file, count) = open_records(path, record.len() as u64)?;
    contents.pixels.reserve_exact(count * IMAGE_BYTES);
    contents.labels.reserve_exact(count);
    for image in 0..count {
        fill(&mut file, path, &mut record)?;
        let (head, planes) = record.split_at(labels.len());
        for (&label, &(what, values)) in head.iter().zip(labels) {
            if label >= values {
                return Err(label_out_of_range(
                    path,
                    image,
                    what,
                    label.into(),
                    &format!("0..{}", values - 1),
                ));
            }
        }
        contents.labels.push(head[labels.len() - 1].into());
        push_planar(planes, &mut contents.pixels);
    }
    Ok(count)
}
