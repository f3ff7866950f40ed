//! Each format as it should be, and each of its mistakes.

use std::{fs, path::Path};

use mrl_data::{DatasetKind::*, ImageSet, OpenOptions, Split::*, open};

use crate::files::*;

/// The planes of image `i` as pixels.
fn interleaved(i: usize, side: usize) -> Vec<u8> {
    let (planes, area) = (image_bytes(i, 3 * side * side), side * side);
    (0..area).flat_map(|at| [planes[at], planes[area + at], planes[2 * area + at]]).collect()
}

#[test]
fn cifar10_binary() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("cifar-10-batches-bin");
    write_cifar10(&inner);
    for place in [folder.path(), &inner] {
        let train = open_offline(Cifar10, place, Train).unwrap();
        assert_eq!(train.labels().unwrap(), (0..10).collect::<Vec<_>>());
        assert_eq!((train.len(), train.native_size(), train.name()), (10, Some(32), "cifar10 train".into()));
        for i in 0..10 {
            assert_eq!(train.image(i).unwrap().pixels(), interleaved(i, 32));
        }
        let test = open_offline(Cifar10, place, Test).unwrap();
        assert_eq!(test.labels().unwrap(), [0, 1]);
        assert_eq!(test.image(1).unwrap().pixels(), interleaved(11, 32));
        assert_eq!(test.class_names().unwrap()[9], "truck");
        assert!(test.ids().is_none() && test.skipped().is_empty());
    }
}

#[test]
fn class_names_come_from_the_file_where_there_is_one() {
    let folder = tempfile::tempdir().unwrap();
    write_cifar10(folder.path());
    fs::write(folder.path().join("batches.meta.txt"), "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n").unwrap();
    assert_eq!(open_offline(Cifar10, folder.path(), Test).unwrap().class_names().unwrap()[9], "j");
    fs::write(folder.path().join("batches.meta.txt"), "a\nb\n").unwrap();
    assert_eq!(
        message(Cifar10, folder.path(), Test),
        "DIR/batches.meta.txt: names 2 classes, and there are 10; it was cut or damaged: remove it and get it again"
    );
}

#[test]
fn cifar100_binary_uses_the_fine_labels() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("train.bin"), cifar_records(0, &[&[19, 99], &[0, 1]])).unwrap();
    let set = open_offline(Cifar100, folder.path(), Train).unwrap();
    assert_eq!(set.labels().unwrap(), [99, 1]);
    assert_eq!(set.image(1).unwrap().pixels(), interleaved(1, 32));
    fs::write(folder.path().join("train.bin"), cifar_records(0, &[&[19, 99], &[20, 1]])).unwrap();
    assert_eq!(
        message(Cifar100, folder.path(), Train),
        "DIR/train.bin: image 1 has coarse label 20, and there are only 0..19; the file is damaged or of another data set: \
         remove it and get it again"
    );
}

#[test]
fn cifar_mistakes() {
    let folder = tempfile::tempdir().unwrap();
    write_cifar10(folder.path());
    let path = folder.path().join("data_batch_3.bin");
    let whole = fs::read(&path).unwrap();
    let written = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        message(Cifar10, folder.path(), Train)
    };
    let not_whole = |bytes: usize| {
        format!(
            "DIR/data_batch_3.bin: has {bytes} bytes, not a whole number of images of 3073 bytes; it was cut or damaged: \
             remove it and get it again"
        )
    };
    assert_eq!(written(&whole[..5000]), not_whole(5000));
    assert_eq!(written(&[&whole[..], &[0]].concat()), not_whole(6147));
    assert_eq!(written(&[]), not_whole(0));
    assert_eq!(
        written(&whole[..3073]),
        "DIR/data_batch_3.bin: holds 1 images and data_batch_1.bin holds 2; all batches hold the same number, so one was cut: \
         remove the folder and get it again"
    );
    assert_eq!(
        written(&cifar_records(0, &[&[3], &[10]])),
        "DIR/data_batch_3.bin: image 1 has label 10, and there are only 0..9; the file is damaged or of another data set: \
         remove it and get it again"
    );
    fs::remove_file(&path).unwrap();
    assert_eq!(
        message(Cifar10, folder.path(), Train),
        "DIR/data_batch_3.bin: is missing beside other files of the data set; put it there, or remove the folder to download \
         the data set again"
    );
    assert_eq!(
        message(Cifar10, folder.path(), Unlabeled),
        "cifar10 has no split unlabeled; it has train, test"
    );
}

#[test]
fn stl10_is_column_major_with_labels_from_one() {
    let folder = tempfile::tempdir().unwrap();
    write_stl10(&folder.path().join("stl10_binary"));
    let transposed = |i: usize| -> Vec<u8> {
        let planes = image_bytes(i, 3 * 96 * 96);
        let at =
            |row: usize, column: usize| [0, 1, 2].map(|channel| planes[channel * 9216 + column * 96 + row]);
        (0..9216).flat_map(|pixel| at(pixel / 96, pixel % 96)).collect()
    };
    let train = open_offline(Stl10, folder.path(), Train).unwrap();
    assert_eq!((train.labels().unwrap(), train.native_size()), ([0, 9].as_slice(), Some(96)));
    assert_eq!(train.image(1).unwrap().pixels(), transposed(1));
    assert_eq!(open_offline(Stl10, folder.path(), Test).unwrap().labels().unwrap(), [4, 5]);
    let unlabeled = open_offline(Stl10, folder.path(), Unlabeled).unwrap();
    assert_eq!((unlabeled.len(), unlabeled.labels()), (3, None));
    let both = open_offline(Stl10, folder.path(), TrainUnlabeled).unwrap();
    assert_eq!(both.labels().unwrap(), [0, 9, -1, -1, -1]);
    assert_eq!(both.image(4).unwrap().pixels(), transposed(6));
    assert_eq!(both.class_names().unwrap()[7], "monkey");
}

#[test]
fn stl10_mistakes() {
    let folder = tempfile::tempdir().unwrap();
    write_stl10(folder.path());
    fs::write(folder.path().join("train_y.bin"), [1, 11]).unwrap();
    assert_eq!(
        message(Stl10, folder.path(), Train),
        "DIR/train_y.bin: image 1 has label 11, and there are only 1..10; the file is damaged or of another data set: remove \
         it and get it again"
    );
    fs::write(folder.path().join("train_y.bin"), [1]).unwrap();
    assert_eq!(
        message(Stl10, folder.path(), Train),
        "DIR/train_y.bin: holds 1 labels and train_X.bin holds 2 images; one of the two was cut: remove it and get it again"
    );
    fs::write(folder.path().join("unlabeled_X.bin"), vec![0; 27_649]).unwrap();
    assert_eq!(
        message(Stl10, folder.path(), Unlabeled),
        "DIR/unlabeled_X.bin: has 27649 bytes, not a whole number of images of 27648 bytes; it was cut or damaged: remove it \
         and get it again"
    );
    fs::remove_file(folder.path().join("unlabeled_X.bin")).unwrap();
    assert_eq!(
        message(Stl10, folder.path(), Unlabeled),
        "DIR/unlabeled_X.bin: is missing beside other files of the data set; put it there, or remove the folder to download \
         the data set again"
    );
}

#[test]
fn idx_plain_gz_and_where_torchvision_puts_it() {
    let folder = tempfile::tempdir().unwrap();
    for place in ["", "MNIST/raw", "raw"] {
        let inner = folder.path().join(format!("as-{}", place.len())).join(place);
        write_mnist(&inner);
        let data_dir = folder.path().join(format!("as-{}", place.len()));
        let plain = open_offline(Mnist, &data_dir, Train).unwrap();
        assert_eq!(plain.labels().unwrap(), [7, 0, 9]);
        let image = plain.image(2).unwrap();
        assert_eq!((image.width(), image.height()), (4, 5));
        let expected: Vec<u8> = image_bytes(0, 60)[40..].iter().flat_map(|&gray| [gray; 3]).collect();
        assert_eq!(image.pixels(), expected);
        for name in ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"] {
            fs::write(inner.join(format!("{name}.gz")), gz(&fs::read(inner.join(name)).unwrap())).unwrap();
            fs::remove_file(inner.join(name)).unwrap();
        }
        let zipped = open_offline(Mnist, &data_dir, Train).unwrap();
        assert_eq!(zipped.image(2).unwrap(), plain.image(2).unwrap());
    }
}

#[test]
fn idx_mistakes() {
    let folder = tempfile::tempdir().unwrap();
    write_mnist(folder.path());
    let images = image_bytes(0, 60);
    let cases: [(Vec<u8>, &str); 6] = [
        (idx(&[3, 5, 4], &images[..59]), "says its shape is [3, 5, 4] and holds 59 bytes; it was cut"),
        (
            idx(&[3, 5, 4], &[&images[..], &[0]].concat()),
            "goes on after the 60 bytes of its shape [3, 5, 4]; it is damaged",
        ),
        (
            idx(&[u32::MAX, 5, 4], &images),
            "says its shape is [4294967295, 5, 4], which it cannot hold; it was cut or damaged",
        ),
        (idx(&[0, 5, 4], &[]), "says its shape is [0, 5, 4], which it cannot hold; it was cut or damaged"),
        (
            idx(&[3], &[1, 2, 3]),
            "starts with 0x00000801, and an IDX file of this kind with 0x00000803; it is not the file its name says",
        ),
        (vec![0, 0, 8], "ends too early; it was cut"),
    ];
    for zipped in [false, true] {
        for (bytes, problem) in &cases {
            // What 60 bytes of gzip may hold is more than what 60 plain ones do, so the two limits speak apart.
            let path = folder.path().join("train-images-idx3-ubyte");
            fs::write(path, if zipped { gz(bytes) } else { bytes.clone() }).unwrap();
            let message = message(Mnist, folder.path(), Train);
            assert_eq!(
                message,
                format!("DIR/train-images-idx3-ubyte: {problem}: remove it and get it again")
            );
        }
    }
}

#[test]
fn idx_labels_must_fit() {
    let folder = tempfile::tempdir().unwrap();
    write_mnist(folder.path());
    let labels = folder.path().join("train-labels-idx1-ubyte");
    fs::write(&labels, idx(&[3], &[1, 2, 10])).unwrap();
    assert_eq!(
        message(FashionMnist, folder.path(), Train),
        "DIR/train-labels-idx1-ubyte: image 2 has label 10, and there are only 0..9; the file is damaged or of another data \
         set: remove it and get it again"
    );
    fs::write(&labels, idx(&[2], &[1, 2])).unwrap();
    assert_eq!(
        message(FashionMnist, folder.path(), Train),
        "DIR/train-labels-idx1-ubyte: holds 2 labels and DIR/train-images-idx3-ubyte holds 3 images; remove it and get it again"
    );
    assert_eq!(
        message(FashionMnist, folder.path(), Test),
        "DIR: has no t10k-images-idx3-ubyte or t10k-images-idx3-ubyte.gz, and fashion-mnist is not downloaded; put the four \
         files train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte there, \
         plain or as .gz; Debian's package dataset-fashion-mnist has them"
    );
}

#[test]
fn other_sets_in_idx_files_name_their_classes() {
    let folder = tempfile::tempdir().unwrap();
    write_mnist(folder.path());
    let names = |set: ImageSet| set.class_names().unwrap().to_vec();
    let unnamed = names(open_offline(Idx, folder.path(), Train).unwrap());
    assert_eq!(unnamed, ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"], "the largest label is 9");
    let classes = folder.path().join("classes.txt");
    fs::write(&classes, "a\r\nb\r\nc\r\nd\r\ne\r\nf\r\ng\r\nh\r\ni\r\nj\r\n").unwrap();
    assert_eq!(names(open_offline(Idx, folder.path(), Train).unwrap())[9], "j");
    assert_eq!(
        names(open_offline(Mnist, folder.path(), Train).unwrap())[9],
        "9",
        "MNIST has names of its own"
    );
    for (text, problem) in [
        (&b"a\nb"[..], "train-labels-idx1-ubyte: image 0 has label 7, and there are only 0..1"),
        (b"a\n\nb", "classes.txt: line 2 is empty; write one class name in each line"),
        (b"", "classes.txt: has 0 lines; write one class name in each, 1 to 256"),
        (b"\xff\xfe", "classes.txt: is not UTF-8 text; write one class name in each line"),
    ] {
        fs::write(&classes, text).unwrap();
        let message = message(Idx, folder.path(), Train);
        assert!(message.starts_with(&format!("DIR/{problem}")), "{message}");
    }
}

#[test]
fn a_gz_bomb_is_stopped_by_its_header() {
    let folder = tempfile::tempdir().unwrap();
    write_mnist(folder.path());
    let path = folder.path().join("train-images-idx3-ubyte");
    // 64 MiB of zeros behind a header of 60 bytes.
    fs::write(&path, gz(&idx(&[3, 5, 4], &vec![0; 64 << 20]))).unwrap();
    assert_eq!(
        message(Mnist, folder.path(), Train),
        "DIR/train-images-idx3-ubyte: goes on after the 60 bytes of its shape [3, 5, 4]; it is damaged: remove it and get it \
         again"
    );
}

#[test]
fn the_shipped_subset_opens() {
    let data_dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/fashion-mnist-subset");
    let train = open_offline(FashionMnist, &data_dir, Train).unwrap();
    let test = open_offline(FashionMnist, &data_dir, Test).unwrap();
    assert_eq!((train.len(), test.len(), test.native_size()), (10_000, 2_000, Some(28)));
    assert_eq!(train.class_names().unwrap()[9], "Ankle boot");
    let options = OpenOptions { subset_per_class: Some(7), ..offline() };
    let subset = open(FashionMnist, &data_dir, Train, &options, &|_| ()).unwrap();
    assert_eq!(subset.len(), 70);
    let first_of_3 = train.labels().unwrap().iter().position(|&label| label == 3).unwrap();
    let in_subset = subset.labels().unwrap().iter().position(|&label| label == 3).unwrap();
    assert_eq!(subset.image(in_subset).unwrap(), train.image(first_of_3).unwrap());
}

#[test]
fn the_shipped_scripts_open() {
    let data_dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/scripts");
    let train = open_offline(Idx, &data_dir, Train).unwrap();
    let test = open_offline(Idx, &data_dir, Test).unwrap();
    assert_eq!((train.len(), test.len(), train.native_size()), (10_000, 5_000, Some(28)));
    assert_eq!(train.class_names(), test.class_names());
    for set in [train, test] {
        for class in 0..10 {
            let count = set.labels().unwrap().iter().filter(|&&label| label == class).count();
            assert_eq!(count * 10, set.len(), "class {class} of {}", set.name());
        }
    }
}

#[test]
fn a_subset_of_images_without_labels_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    write_stl10(folder.path());
    let options = OpenOptions { subset_per_class: Some(1), ..offline() };
    for split in [Unlabeled, TrainUnlabeled] {
        assert_eq!(
            open(Stl10, folder.path(), split, &options, &|_| ()).unwrap_err().to_string(),
            format!(
                "stl10 {split} has images without labels, so no number of each class can be taken; leave the subset out"
            )
        );
    }
}
