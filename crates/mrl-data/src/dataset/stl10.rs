//! STL-10's binary layout (<https://cs.stanford.edu/~acoates/stl10/>): images of three planes of 96×96 bytes, each plane
//! column by column; labels 1 to 10, one byte each.

use std::path::{Path, PathBuf};

use super::{
    DatasetKind, ImageSet, Split,
    packed::{
        AGAIN, Found, fill, label_out_of_range, locate, missing_file, names, open_file, open_records,
        push_column_major, read_class_names, read_up_to,
    },
};
use crate::DataError;

pub(super) const FOLDER: &str = "stl10_binary";
const SIDE: usize = 96;
const IMAGE_BYTES: usize = 3 * SIDE * SIDE;
const CLASSES: [&str; 10] =
    ["airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck"];

/// A file of images and, where there are labels, that of its labels.
type Part = (&'static str, Option<&'static str>);
const TRAIN: Part = ("train_X.bin", Some("train_y.bin"));
const TEST: Part = ("test_X.bin", Some("test_y.bin"));
const UNLABELED: Part = ("unlabeled_X.bin", None);

fn parts(split: Split) -> &'static [Part] {
    match split {
        Split::Train => &[TRAIN],
        Split::Test => &[TEST],
        Split::Unlabeled => &[UNLABELED],
        Split::TrainUnlabeled => &[TRAIN, UNLABELED],
    }
}

/// Reads `split`; where the files are missing, `fetch` shall bring them and say in which folder they are.
pub(super) fn open(
    data_dir: &Path,
    split: Split,
    fetch: impl FnOnce() -> Result<PathBuf, DataError>,
) -> Result<ImageSet, DataError> {
    let files: Vec<&str> =
        parts(split).iter().flat_map(|&(images, labels)| [Some(images), labels]).flatten().collect();
    let folder = match locate(data_dir, FOLDER, &files) {
        Found::Complete(folder) => folder,
        // The folder of another split alone looks absent, yet must not be replaced by a download.
        Found::Absent if !has_any_file(data_dir) => fetch()?,
        Found::Absent => return Err(missing_file(&data_dir.join(files[0]))),
        Found::Partial(file) => return Err(missing_file(&file)),
    };
    let class_names = read_class_names(&folder.join("class_names.txt"), CLASSES.len())?;
    let mut pixels = Vec::new();
    let mut labels = Vec::new();
    for &(image_file, label_file) in parts(split) {
        let count = read_images(&folder.join(image_file), &mut pixels)?;
        match label_file {
            Some(file) => labels.extend(read_labels(&folder.join(file), count, image_file)?),
            None => labels.resize(labels.len() + count, -1),
        }
    }
    let labels = (split != Split::Unlabeled).then_some(labels);
    let set = ImageSet::from_pixels(DatasetKind::Stl10, split, (SIDE, SIDE), pixels, labels)?;
    Ok(set.with_class_names(class_names.or_else(|| Some(names(&CLASSES)))))
}

fn has_any_file(data_dir: &Path) -> bool {
    [TRAIN, TEST, UNLABELED]
        .iter()
        .any(|(images, _)| data_dir.join(images).is_file() || data_dir.join(FOLDER).join(images).is_file())
}

/// Appends the images of a file and says how many there were.
fn read_images(path: &Path, pixels: &mut Vec<u8>) -> Result<usize, DataError> {
    let (mut file, count) = open_records(path, IMAGE_BYTES as u64)?;
    pixels.reserve_exact(count * IMAGE_BYTES);
    let mut planes = vec![0; IMAGE_BYTES];
    for _ in 0..count {
        fill(&mut file, path, &mut planes)?;
        push_column_major(&planes, SIDE, pixels);
    }
    Ok(count)
}

/// The labels of `count` images, from 0.
fn read_labels(path: &Path, count: usize, image_file: &str) -> Result<Vec<i64>, DataError> {
    let (mut file, length) = open_file(path)?;
    if length != count as u64 {
        return Err(DataError::damaged(
            path,
            format!(
                "holds {length} labels and {image_file} holds {count} images; one of the two was cut: {AGAIN}"
            ),
        ));
    }
    let bytes = read_up_to(&mut file, count).map_err(DataError::io(path))?;
    if let Some(image) = bytes.iter().position(|label| !(1..=10).contains(label)) {
        return Err(label_out_of_range(path, image, "label", bytes[image].into(), "1..10"));
    }
    Ok(bytes.iter().map(|&label| i64::from(label) - 1).collect())
}
