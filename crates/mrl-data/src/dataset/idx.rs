//! MNIST's IDX files (<http://yann.lecun.com/exdb/mnist/>), plain or gzipped: a big-endian header, then the bytes. Other sets in
//! this layout may name their classes in `classes.txt`.

use std::{
    fs,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use flate2::bufread::MultiGzDecoder;

use super::{
    DatasetKind, ImageSet, Split,
    packed::{AGAIN, label_out_of_range, names, open_file, read_up_to},
};
use crate::DataError;

/// `[n, rows, columns]` of unsigned bytes.
const IMAGES_MAGIC: u32 = 0x0803;
/// `[n]` of unsigned bytes.
const LABELS_MAGIC: u32 = 0x0801;
/// The largest side of an image that is believed.
const LARGEST_SIDE: u32 = 1024;
/// Deflate makes at most 1,032 bytes of one.
const LARGEST_RATIO: u64 = 1032;
/// A label is one byte.
const LARGEST_CLASSES: usize = 256;

const DIGITS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
const CLOTHES: [&str; 10] = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
];

pub(super) fn open(kind: DatasetKind, data_dir: &Path, split: Split) -> Result<ImageSet, DataError> {
    let prefix = if split == Split::Test { "t10k" } else { "train" };
    let image_path = find(kind, data_dir, &format!("{prefix}-images-idx3-ubyte"))?;
    let label_path = find(kind, data_dir, &format!("{prefix}-labels-idx1-ubyte"))?;
    let (dims, bytes) = read(&image_path, IMAGES_MAGIC)?;
    let &[n, rows, columns] = dims.as_slice() else { unreachable!("an image file has three dims") };
    let names = class_names(kind, &image_path)?;
    let labels = read_labels(&label_path, n, &image_path, names.as_ref().map_or(LARGEST_CLASSES, Vec::len))?;
    let names = names.unwrap_or_else(|| numbers(&labels));
    let mut pixels = Vec::with_capacity(bytes.len() * 3);
    pixels.extend(bytes.iter().flat_map(|&gray| [gray; 3]));
    let set = ImageSet::from_pixels(kind, split, (columns, rows), pixels, Some(labels))?;
    Ok(set.with_class_names(Some(names)))
}

/// The names of the classes, where they are known: those of the data set, or the lines of `classes.txt` beside `images`.
fn class_names(kind: DatasetKind, images: &Path) -> Result<Option<Vec<String>>, DataError> {
    match kind {
        DatasetKind::Mnist => return Ok(Some(names(&DIGITS))),
        DatasetKind::FashionMnist => return Ok(Some(names(&CLOTHES))),
        _ => {}
    }
    let path = images.with_file_name("classes.txt");
    let text = match fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            return Err(DataError::damaged(&path, "is not UTF-8 text; write one class name in each line"));
        }
        read => read.map_err(DataError::io(&path))?,
    };
    let names: Vec<String> = text.lines().map(|line| line.trim().to_owned()).collect();
    let problem = if let Some(line) = names.iter().position(String::is_empty) {
        format!("line {} is empty; write one class name in each line", line + 1)
    } else if names.is_empty() || names.len() > LARGEST_CLASSES {
        format!("has {} lines; write one class name in each, 1 to {LARGEST_CLASSES}", names.len())
    } else {
        return Ok(Some(names));
    };
    Err(DataError::damaged(&path, problem))
}

/// The file `name` or `name.gz`, in `data_dir` or where torchvision puts it.
fn find(kind: DatasetKind, data_dir: &Path, name: &str) -> Result<PathBuf, DataError> {
    let torchvision = if kind == DatasetKind::FashionMnist { "FashionMNIST" } else { "MNIST" };
    // torchvision knows no other set in this layout.
    let folders = match kind {
        DatasetKind::Idx => vec![data_dir.to_owned(), data_dir.join("raw")],
        _ => vec![data_dir.to_owned(), data_dir.join(torchvision).join("raw"), data_dir.join("raw")],
    };
    let mut candidates =
        folders.iter().flat_map(|folder| [folder.join(name), folder.join(format!("{name}.gz"))]);
    candidates.find(|path| path.is_file()).ok_or_else(|| {
        let source = match kind {
            DatasetKind::FashionMnist => "; Debian's package dataset-fashion-mnist has them",
            DatasetKind::Idx => "; class names may be in classes.txt, one in each line",
            _ => "",
        };
        DataError::missing(
            data_dir,
            format!(
                "has no {name} or {name}.gz, and {kind} is not downloaded; put the four files train-images-idx3-ubyte, \
                 train-labels-idx1-ubyte, t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte there, plain or as .gz{source}"
            ),
        )
    })
}

/// Numbers as class names, up to the largest of `labels`.
fn numbers(labels: &[i64]) -> Vec<String> {
    let largest = labels.iter().copied().max().unwrap_or_default();
    (0..=largest).map(|label| label.to_string()).collect()
}

fn read_labels(path: &Path, images: usize, image_path: &Path, classes: usize) -> Result<Vec<i64>, DataError> {
    let (dims, labels) = read(path, LABELS_MAGIC)?;
    if dims[0] != images {
        let problem =
            format!("holds {} labels and {} holds {images} images; {AGAIN}", dims[0], image_path.display());
        return Err(DataError::damaged(path, problem));
    }
    if let Some(image) = labels.iter().position(|&label| usize::from(label) >= classes) {
        let range = format!("0..{}", classes - 1);
        return Err(label_out_of_range(path, image, "label", labels[image].into(), &range));
    }
    Ok(labels.into_iter().map(i64::from).collect())
}

/// The dims and the bytes of an IDX file of the kind that `magic` says.
fn read(path: &Path, magic: u32) -> Result<(Vec<usize>, Vec<u8>), DataError> {
    let (mut file, length) = open_file(path)?;
    let start = file.fill_buf().map_err(DataError::io(path))?;
    // By its content, not its name: a browser may unpack a file and keep the name.
    if start.starts_with(&[0x1f, 0x8b]) {
        let reader = BufReader::new(MultiGzDecoder::new(file));
        parse(reader, path, magic, length.saturating_mul(LARGEST_RATIO))
    } else {
        parse(file, path, magic, length)
    }
}

/// Reads a header and as many bytes as it says, if it says no more than `limit`, the most that the file can hold.
fn parse(
    mut reader: impl Read,
    path: &Path,
    magic: u32,
    limit: u64,
) -> Result<(Vec<usize>, Vec<u8>), DataError> {
    let damaged = |problem: String| DataError::damaged(path, problem);
    let read_error = |error: io::Error| match error.kind() {
        io::ErrorKind::UnexpectedEof => damaged(format!("ends too early; it was cut: {AGAIN}")),
        // What flate2 says of damaged data.
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
            damaged(format!("is not whole gzip data ({error}): {AGAIN}"))
        }
        _ => DataError::io(path)(error),
    };
    let mut word = || {
        let mut bytes = [0; 4];
        reader.read_exact(&mut bytes).map(|()| u32::from_be_bytes(bytes)).map_err(read_error)
    };
    let found = word()?;
    if found != magic {
        return Err(damaged(format!(
            "starts with {found:#010x}, and an IDX file of this kind with {magic:#010x}; it is not the file its name says: {AGAIN}"
        )));
    }
    let dims = (0..magic & 0xff).map(|_| word()).collect::<Result<Vec<u32>, _>>()?;
    let size = plausible_size(&dims).filter(|&size| size <= limit);
    let Some(size) = size else {
        return Err(damaged(format!(
            "says its shape is {dims:?}, which it cannot hold; it was cut or damaged: {AGAIN}"
        )));
    };
    let bytes = read_up_to(&mut reader, size as usize).map_err(read_error)?;
    if (bytes.len() as u64) < size {
        return Err(damaged(format!(
            "says its shape is {dims:?} and holds {} bytes; it was cut: {AGAIN}",
            bytes.len()
        )));
    }
    // Reading to the end also checks the checksum of gzip data.
    if reader.read(&mut [0]).map_err(read_error)? != 0 {
        return Err(damaged(format!(
            "goes on after the {size} bytes of its shape {dims:?}; it is damaged: {AGAIN}"
        )));
    }
    Ok((dims.into_iter().map(|dim| dim as usize).collect(), bytes))
}

/// The bytes of an array of these dims, when none is 0 and the sides are those of an image.
fn plausible_size(dims: &[u32]) -> Option<u64> {
    let sides_fit = dims[1..].iter().all(|&side| side <= LARGEST_SIDE);
    let size = dims.iter().try_fold(1u64, |size, &dim| size.checked_mul(dim.into()))?;
    (sides_fit && size > 0).then_some(size)
}
