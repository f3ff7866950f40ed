//! Against what Python reads from the same files; `goldens/datasets/make.py` made them.

use std::{fs, path::Path};

use mrl_data::{DatasetKind::*, Split::*};

use crate::files::*;

/// A binary PPM: width, height, pixels.
fn read_ppm(path: &Path) -> (usize, usize, Vec<u8>) {
    let bytes = fs::read(path).unwrap();
    let mut fields = bytes.splitn(4, u8::is_ascii_whitespace);
    let mut field = || fields.next().unwrap();
    assert_eq!(field(), b"P6");
    let number = |text: &[u8]| std::str::from_utf8(text).unwrap().parse().unwrap();
    let (width, height) = (number(field()), number(field()));
    (width, height, field().strip_prefix(b"255\n").unwrap().to_vec())
}

/// The levels by which an image may differ: 2, as two JPEG decoders may round differently. Where colour has half the
/// resolution the interpolation rounds once more, and libjpeg repeats the last column where our decoder interpolates
/// towards the block's hidden continuation.
fn tolerance(id: &str, is_last_column: bool) -> u8 {
    let extension = Path::new(id).extension().and_then(|extension| extension.to_str());
    match (id, is_last_column) {
        ("rgb-420.jpg" | "rgb-progressive.jpg", true) => 10,
        ("rgb-420.jpg" | "rgb-progressive.jpg", false) => 3,
        _ if matches!(extension, Some("jpg" | "webp")) => 2,
        // 16-bit colour: Pillow drops the low byte, we round.
        ("rgb-16.png", _) => 1,
        _ => 0,
    }
}

#[test]
fn images_look_as_in_pillow() {
    let folder = goldens().join("images");
    let set = open_offline(Folder, &folder, Train).unwrap();
    assert_eq!(set.len(), 39);
    for (i, id) in set.ids().unwrap().iter().enumerate() {
        let image = set.image(i).unwrap();
        let (width, height, expected) = read_ppm(&goldens().join("expected").join(id).with_extension("ppm"));
        assert_eq!((image.width(), image.height()), (width, height), "{id}");
        for (at, (a, b)) in image.pixels().iter().zip(&expected).enumerate() {
            let (row, column) = (at / 3 / width, at / 3 % width);
            let limit = tolerance(id, column + 1 == width);
            assert!(a.abs_diff(*b) <= limit, "{id}: {a} instead of {b} at row {row}, column {column}");
        }
    }
}

#[test]
fn pickles_read_as_in_python() {
    let interleaved = |i: usize| -> Vec<u8> {
        let planes = image_bytes(i, 3072);
        (0..1024).flat_map(|at| [planes[at], planes[1024 + at], planes[2048 + at]]).collect()
    };
    for place in ["", "cifar-10-batches-py"] {
        let train = open_offline(Cifar10, &goldens().join(place), Train).unwrap();
        assert_eq!(train.labels().unwrap(), (0..10).collect::<Vec<_>>());
        (0..10).for_each(|i| assert_eq!(train.image(i).unwrap().pixels(), interleaved(i)));
        let test = open_offline(Cifar10, &goldens().join(place), Test).unwrap();
        assert_eq!(test.labels().unwrap(), [0, 1]);
        assert_eq!(test.image(1).unwrap().pixels(), interleaved(11));
        assert_eq!(test.class_names().unwrap()[0], "airplane");
    }
    let train = open_offline(Cifar100, &goldens(), Train).unwrap();
    assert_eq!((train.labels().unwrap(), train.class_names().unwrap().len()), ([99, 0, 42].as_slice(), 100));
    (0..3).for_each(|i| assert_eq!(train.image(i).unwrap().pixels(), interleaved(i)));
    let test = open_offline(Cifar100, &goldens(), Test).unwrap();
    assert_eq!(test.labels().unwrap(), [5, 6]);
    assert_eq!(test.image(1).unwrap().pixels(), interleaved(4));
}

#[test]
fn pickle_mistakes() {
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(goldens().join("cifar-10-batches-py")).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    let path = folder.path().join("test_batch");
    let whole = fs::read(&path).unwrap();
    let written = |bytes: Vec<u8>| {
        fs::write(&path, bytes).unwrap();
        message(Cifar10, folder.path(), Test)
    };
    // The labels are the instructions BININT1 0, BININT1 1.
    let labels = whole.windows(4).position(|bytes| bytes == b"K\0K\x01").unwrap();
    let with = |at: usize, byte: u8| {
        let mut bytes = whole.clone();
        bytes[at] = byte;
        bytes
    };
    let again = "it was cut or damaged: remove it and get it again";
    assert_eq!(written(whole[..3000].to_vec()), format!("DIR/test_batch: ends within a pickle; {again}"));
    assert_eq!(
        written(b"no".to_vec()),
        format!("DIR/test_batch: is not a pickle of protocol 2 to 5; {again}")
    );
    assert_eq!(
        written(with(labels + 3, 10)),
        "DIR/test_batch: image 1 has label 10, and there are only 0..9; the file is damaged or of another data set: remove it \
         and get it again"
    );
    let shape = whole.windows(3).position(|bytes| bytes == b"M\0\x0c").unwrap();
    assert_eq!(
        written(with(shape + 1, 1)),
        format!("DIR/test_batch: has an array of shape [2, 3073] with 6144 bytes; {again}")
    );
    let name = whole.windows(4).position(|bytes| bytes == b"data").unwrap();
    assert_eq!(written(with(name, b'D')), format!("DIR/test_batch: has no entry `data`; {again}"));
}
