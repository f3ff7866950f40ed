//! What the formats of raw pixels share: finding their files, bounded reading, and the order of pixels.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::{Path, PathBuf},
};

use crate::DataError;

/// Where the files of a layout are.
pub(super) enum Found {
    /// All of them are in this folder.
    Complete(PathBuf),
    /// The folder has some; this file is missing.
    Partial(PathBuf),
    /// None are there.
    Absent,
}

/// Looks for `files` in `data_dir/folder` and in `data_dir` itself.
pub(super) fn locate(data_dir: &Path, folder: &str, files: &[&str]) -> Found {
    let mut partial = None;
    for root in [data_dir.join(folder), data_dir.to_owned()] {
        let missing = files.iter().find(|file| !root.join(file).is_file());
        match missing {
            None => return Found::Complete(root),
            Some(file) if files.iter().any(|file| root.join(file).is_file()) => {
                partial = partial.or(Some(root.join(file)));
            }
            Some(_) => {}
        }
    }
    partial.map_or(Found::Absent, Found::Partial)
}

/// The first complete place in the order given, else the first with a file missing.
pub(super) fn first_found(places: impl IntoIterator<Item = Found>) -> Found {
    let mut best = Found::Absent;
    for place in places {
        match (&best, &place) {
            (_, Found::Complete(_)) => return place,
            (Found::Absent, Found::Partial(_)) => best = place,
            _ => {}
        }
    }
    best
}

/// A file of a data set whose other files are there.
pub(super) fn missing_file(file: &Path) -> DataError {
    DataError::missing(
        file,
        "is missing beside other files of the data set; put it there, or remove the folder to download the data set again",
    )
}

/// Opens a file for reading and says how long it is.
pub(super) fn open_file(path: &Path) -> Result<(BufReader<File>, u64), DataError> {
    let file = File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => DataError::missing(path, "is missing; put it there"),
        _ => DataError::io(path)(error),
    })?;
    let length = file.metadata().map_err(DataError::io(path))?.len();
    Ok((BufReader::with_capacity(1 << 18, file), length))
}

/// Opens a file of records of `record` bytes and says how many there are.
pub(super) fn open_records(path: &Path, record: u64) -> Result<(BufReader<File>, usize), DataError> {
    let (file, length) = open_file(path)?;
    if length == 0 || !length.is_multiple_of(record) {
        return Err(DataError::damaged(
            path,
            format!(
                "has {length} bytes, not a whole number of images of {record} bytes; it was cut or damaged: {AGAIN}"
            ),
        ));
    }
    Ok((file, (length / record) as usize))
}

/// Reads at most `length` bytes. The buffer grows with what arrives, and never beyond `length`.
pub(super) fn read_up_to(reader: &mut impl Read, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while bytes.len() < length {
        let more = (length - bytes.len()).min(bytes.len().max(1 << 16));
        bytes.reserve_exact(more);
        let read = reader.by_ref().take(more as u64).read_to_end(&mut bytes)?;
        if read < more {
            break;
        }
    }
    Ok(bytes)
}

/// Fills `buffer`, or says that the file shrank while it was read.
pub(super) fn fill(file: &mut impl Read, path: &Path, buffer: &mut [u8]) -> Result<(), DataError> {
    file.read_exact(buffer).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            DataError::damaged(path, format!("ends too early; it was cut: {AGAIN}"))
        }
        _ => DataError::io(path)(error),
    })
}

/// The cure for a damaged file of an official archive.
pub(super) const AGAIN: &str = "remove it and get it again";

/// The smallest text of class names that no data set exceeds, in bytes.
const NAMES_LIMIT: u64 = 1 << 16;

/// Reads class names, one a line, where the file is there; `None` otherwise.
pub(super) fn read_class_names(path: &Path, classes: usize) -> Result<Option<Vec<String>>, DataError> {
    if !path.is_file() {
        return Ok(None);
    }
    let (file, _) = open_file(path)?;
    let mut text = String::new();
    file.take(NAMES_LIMIT).read_to_string(&mut text).map_err(|error| {
        DataError::damaged(path, format!("is not a list of class names ({error}): {AGAIN}"))
    })?;
    let names: Vec<String> =
        text.lines().map(str::trim).filter(|line| !line.is_empty()).map(Into::into).collect();
    if names.len() != classes {
        return Err(DataError::damaged(
            path,
            format!("names {} classes, and there are {classes}; it was cut or damaged: {AGAIN}", names.len()),
        ));
    }
    Ok(Some(names))
}

/// Turns built-in names into the owned ones of a set.
pub(super) fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

/// Appends `[3, height, width]` planes as `[height, width, 3]` pixels.
pub(super) fn push_planar(planes: &[u8], pixels: &mut Vec<u8>) {
    let (red, rest) = planes.split_at(planes.len() / 3);
    let (green, blue) = rest.split_at(rest.len() / 2);
    pixels.extend(red.iter().zip(green).zip(blue).flat_map(|((&r, &g), &b)| [r, g, b]));
}

/// Appends `[3, width, height]` planes (column-major) of a square image as `[height, width, 3]` pixels.
pub(super) fn push_column_major(planes: &[u8], side: usize, pixels: &mut Vec<u8>) {
    for row in 0..side {
        for column in 0..side {
            pixels.extend((0..3).map(|channel| planes[(channel * side + column) * side + row]));
        }
    }
}

/// The error of a label that the data set does not have.
pub(super) fn label_out_of_range(
    path: &Path,
    image: usize,
    what: &str,
    label: i64,
    range: &str,
) -> DataError {
    DataError::damaged(
        path,
        format!(
            "image {image} has {what} {label}, and there are only {range}; the file is damaged or of another data set: {AGAIN}"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_become_pixels() {
        let mut pixels = Vec::new();
        push_planar(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], &mut pixels);
        assert_eq!(pixels, [1, 5, 9, 2, 6, 10, 3, 7, 11, 4, 8, 12]);
        let mut pixels = Vec::new();
        push_column_major(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], 2, &mut pixels);
        assert_eq!(pixels, [1, 5, 9, 3, 7, 11, 2, 6, 10, 4, 8, 12]);
    }

    #[test]
    fn a_buffer_never_grows_beyond_what_was_asked() {
        let data = vec![7; 200_000];
        for length in [0, 1, 65_536, 65_537, 150_000, 200_000, 1 << 40] {
            let bytes = read_up_to(&mut data.as_slice(), length).unwrap();
            assert_eq!(bytes.len(), length.min(data.len()));
            assert!(bytes.capacity() <= length && bytes.capacity() <= 4 * data.len());
        }
    }
}
