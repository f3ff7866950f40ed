//! Folders of images.

use std::{cell::RefCell, fs, path::Path};

use image::{Rgb, RgbImage};
use mrl_data::{DataError, DatasetKind, ImageSet, OpenOptions, Progress, Split, open};

use crate::files::{goldens, message, offline};

/// Writes a PNG of one colour, 4 columns and 3 rows.
fn write_image(path: &Path, value: u8) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    RgbImage::from_pixel(4, 3, Rgb([value; 3])).save(path).unwrap();
}

fn open_folder(folder: &Path, split: Split, options: &OpenOptions) -> Result<ImageSet, DataError> {
    open(DatasetKind::Folder, folder, split, options, &|_| ())
}

fn firsts(set: &ImageSet) -> Vec<u8> {
    (0..set.len()).map(|i| set.image(i).unwrap().pixels()[0]).collect()
}

#[test]
fn class_folders_of_each_split() {
    let folder = tempfile::tempdir().unwrap();
    for (name, value) in [
        ("train/dog/b.png", 4),
        ("train/dog/a.PNG", 3),
        ("train/cat/deeper/2.png", 2),
        ("train/cat/1.png", 1),
        ("train/cat/.hidden.png", 9),
        ("test/cat/1.png", 5),
        ("test/dog/1.png", 6),
        ("unlabeled/x.png", 7),
    ] {
        write_image(&folder.path().join(name), value);
    }
    fs::write(folder.path().join("train/cat/notes.txt"), "no image").unwrap();
    let set = |split| open_folder(folder.path(), split, &offline()).unwrap();
    let train = set(Split::Train);
    assert_eq!(
        train.ids().unwrap(),
        ["train/cat/1.png", "train/cat/deeper/2.png", "train/dog/a.PNG", "train/dog/b.png"]
    );
    assert_eq!((train.labels().unwrap(), firsts(&train)), ([0, 0, 1, 1].as_slice(), vec![1, 2, 3, 4]));
    assert_eq!(
        (train.class_names().unwrap(), train.native_size()),
        (["cat".into(), "dog".into()].as_slice(), None)
    );
    assert_eq!(firsts(&set(Split::Test)), [5, 6]);
    let unlabeled = set(Split::Unlabeled);
    assert_eq!((firsts(&unlabeled), unlabeled.labels()), (vec![7], None));
    let both = set(Split::TrainUnlabeled);
    assert_eq!((firsts(&both), both.labels().unwrap()), (vec![1, 2, 3, 4, 7], [0, 0, 1, 1, -1].as_slice()));
    assert_eq!(both.ids().unwrap()[4], "unlabeled/x.png");
}

#[test]
fn a_folder_without_splits_is_what_is_trained_on() {
    let folder = tempfile::tempdir().unwrap();
    write_image(&folder.path().join("10.png"), 2);
    write_image(&folder.path().join("1.png"), 1);
    let flat = open_folder(folder.path(), Split::Train, &offline()).unwrap();
    assert_eq!((firsts(&flat), flat.labels(), flat.class_names()), (vec![1, 2], None, None));
    for (split, name) in
        [(Split::Test, "test"), (Split::Unlabeled, "unlabeled"), (Split::TrainUnlabeled, "train")]
    {
        assert_eq!(
            message(DatasetKind::Folder, folder.path(), split),
            format!(
                "DIR: has no folder `{name}` for that split; all of it is the split train: choose that, or make the folder"
            )
        );
    }
    let folder = tempfile::tempdir().unwrap();
    write_image(&folder.path().join("a/1.png"), 1);
    let classes = open_folder(folder.path(), Split::Train, &offline()).unwrap();
    assert_eq!(
        (classes.labels().unwrap(), classes.ids().unwrap()),
        ([0].as_slice(), ["a/1.png".into()].as_slice())
    );
}

#[test]
fn an_absent_split_is_not_taken_from_its_neighbours() {
    let folder = tempfile::tempdir().unwrap();
    write_image(&folder.path().join("train/a/1.png"), 1);
    write_image(&folder.path().join("test/a/1.png"), 1);
    assert_eq!(
        message(DatasetKind::Folder, folder.path(), Split::Unlabeled),
        "DIR: has no folder `unlabeled` for that split; it has train, test: choose one of those, or make it"
    );
}

#[test]
fn a_class_that_is_called_like_a_split_is_not_taken_for_one() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["train/1.png", "apple/1.png", "pear/deeper/1.png"] {
        write_image(&folder.path().join(name), 1);
    }
    fs::create_dir(folder.path().join("notes")).unwrap();
    let told = || message(DatasetKind::Folder, folder.path(), Split::Train);
    let cure = "move the classes into a folder `train`, or what is no class elsewhere";
    assert_eq!(told(), format!("DIR: `train` may be a split or a class beside `apple`, `pear`; {cure}"));
    for name in ["quince/1.png", "zebra/1.png"] {
        write_image(&folder.path().join(name), 1);
    }
    let beside = "`apple`, `pear`, `quince`, …";
    assert_eq!(told(), format!("DIR: `train` may be a split or a class beside {beside}; {cure}"));
    // A split of classes is one, whatever lies beside it; so is a flat one beside others.
    write_image(&folder.path().join("test/apple/1.png"), 1);
    assert_eq!(open_folder(folder.path(), Split::Test, &offline()).unwrap().len(), 1);
    for name in ["apple", "pear", "quince", "zebra"] {
        fs::remove_dir_all(folder.path().join(name)).unwrap();
    }
    write_image(&folder.path().join("Val/1.png"), 1);
    assert_eq!(open_folder(folder.path(), Split::Train, &offline()).unwrap().labels(), None);
}

#[test]
fn empty_missing_and_mixed_folders_have_a_sentence_each() {
    let folder = tempfile::tempdir().unwrap();
    let told = || message(DatasetKind::Folder, folder.path(), Split::Train);
    let empty =
        "DIR: holds no images; put JPEG, PNG, WebP or BMP files there, or a folder of them for each class";
    assert_eq!(told(), empty);
    fs::create_dir(folder.path().join("class")).unwrap();
    assert_eq!(told(), empty);
    write_image(&folder.path().join("class/1.png"), 1);
    write_image(&folder.path().join("loose.png"), 1);
    assert_eq!(
        told(),
        "DIR/loose.png: lies beside folders of images, so it is unclear whether those are classes; move it into one of them, \
         or all images into one folder"
    );
    assert_eq!(
        message(DatasetKind::Folder, &folder.path().join("absent"), Split::Train),
        "DIR: is not a folder; put the images there, or name the folder that has them"
    );
}

/// Three classes of four images, of which two are corrupt.
fn with_corrupt() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (class, name) in ["a", "b", "c"].into_iter().enumerate() {
        for i in 0..4 {
            write_image(&folder.path().join(format!("{name}/{i}.png")), (10 * class + i) as u8);
        }
    }
    fs::write(folder.path().join("a/1.png"), "text").unwrap();
    fs::write(folder.path().join("c/0.png"), "").unwrap();
    folder
}

#[test]
fn corrupt_images_are_skipped_up_to_the_limit() {
    let folder = with_corrupt();
    let with_limit =
        |max_corrupt| open_folder(folder.path(), Split::Train, &OpenOptions { max_corrupt, ..offline() });
    let error = |limit| {
        with_limit(limit).unwrap_err().to_string().replace(&folder.path().display().to_string(), "DIR")
    };
    assert_eq!(
        error(0),
        "DIR/a/1.png: is not a JPEG, PNG, WebP or BMP image; corrupt images so far: 1, at most 0 are \
         skipped; mend or remove the file, or raise --max-corrupt"
    );
    assert_eq!(
        error(1),
        "DIR/c/0.png: is empty; corrupt images so far: 2, at most 1 are skipped; mend or remove the file, or \
         raise --max-corrupt"
    );
    let set = with_limit(2).unwrap();
    assert_eq!(firsts(&set), [0, 2, 3, 10, 11, 12, 13, 21, 22, 23]);
    assert_eq!(set.labels().unwrap(), [0, 0, 0, 1, 1, 1, 1, 2, 2, 2]);
    assert_eq!(set.skipped().len(), 2);
    assert!(set.skipped()[1].path.ends_with("c/0.png") && set.skipped()[1].reason == "is empty");
}

#[test]
fn a_subset_takes_others_in_place_of_corrupt_images() {
    let folder = with_corrupt();
    let subset = |count| {
        let options = OpenOptions { max_corrupt: 2, subset_per_class: Some(count), ..offline() };
        open_folder(folder.path(), Split::Train, &options)
    };
    let set = subset(2).unwrap();
    assert_eq!(
        (firsts(&set), set.labels().unwrap()),
        (vec![0, 2, 10, 11, 21, 22], [0, 0, 1, 1, 2, 2].as_slice())
    );
    assert_eq!(set.ids().unwrap()[1], "a/2.png");
    // Images that the subset does not need are not even read.
    assert_eq!((subset(1).unwrap().skipped().len(), set.skipped().len()), (1, 2));
    assert_eq!(
        subset(4).unwrap_err().to_string(),
        "folder train has 3 images of class 0 (a), fewer than the 4 of each class that were asked for; ask for at most 3"
    );
}

#[test]
fn only_corrupt_images_are_no_data_set() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("1.png"), "text").unwrap();
    let options = OpenOptions { max_corrupt: 9, ..offline() };
    let error = open_folder(folder.path(), Split::Train, &options).unwrap_err().to_string();
    assert!(
        error.ends_with("holds no images; every image there is corrupt: put whole ones there"),
        "{error}"
    );
}

#[test]
fn the_cache_changes_nothing_but_time() {
    let folder = goldens().join("images");
    let with_cache =
        |cache_bytes| open_folder(&folder, Split::Train, &OpenOptions { cache_bytes, ..offline() }).unwrap();
    let (none, some, all) = (with_cache(0), with_cache(10_000), with_cache(1 << 20));
    for i in 0..all.len() {
        assert_eq!(none.image(i).unwrap(), all.image(i).unwrap());
        assert_eq!(some.image(i).unwrap(), all.image(i).unwrap());
    }
}

#[test]
fn an_image_that_changes_later_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("1.png");
    write_image(&path, 1);
    let set = open_folder(folder.path(), Split::Train, &OpenOptions { cache_bytes: 0, ..offline() }).unwrap();
    fs::write(&path, "text").unwrap();
    assert_eq!(
        set.image(0).unwrap_err().to_string(),
        format!(
            "{}: is not a JPEG, PNG, WebP or BMP image; it changed since the data set was opened",
            path.display()
        )
    );
    fs::remove_file(&path).unwrap();
    assert!(matches!(set.image(0), Err(DataError::Io { .. })));
}

#[test]
fn progress_ends_at_the_total() {
    let folder = with_corrupt();
    let log = RefCell::new(Vec::new());
    let options = OpenOptions { max_corrupt: 2, ..offline() };
    open(DatasetKind::Folder, folder.path(), Split::Train, &options, &|event| match event {
        Progress::Decode { done, total } => log.borrow_mut().push((done, total)),
        other => panic!("{other:?}"),
    })
    .unwrap();
    assert_eq!(log.into_inner(), [(0, 12), (12, 12)]);
}

#[test]
fn an_image_under_another_formats_name_is_read_by_its_content() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(goldens().join("images/rgb-444.jpg"), folder.path().join("a.png")).unwrap();
    assert_eq!(open_folder(folder.path(), Split::Train, &offline()).unwrap().len(), 1);
}

#[test]
fn a_cut_file_of_every_format_is_corrupt() {
    let folder = tempfile::tempdir().unwrap();
    for name in
        ["rgb-420.jpg", "rgb-progressive.jpg", "rgb.png", "lossless.webp", "rgb-webp.webp", "rgb-bmp.bmp"]
    {
        let bytes = fs::read(goldens().join("images").join(name)).unwrap();
        let path = folder.path().join(name);
        for length in [bytes.len() / 2, bytes.len() * 9 / 10] {
            fs::write(&path, &bytes[..length]).unwrap();
            let error = open_folder(folder.path(), Split::Train, &offline()).unwrap_err();
            assert!(
                matches!(error, DataError::TooManyCorrupt { count: 1, .. }),
                "{name} cut to {length}: {error}"
            );
        }
        fs::remove_file(path).unwrap();
    }
}

#[test]
fn a_decompression_bomb_is_refused_by_its_header() {
    let folder = tempfile::tempdir().unwrap();
    let mut bytes = fs::read(goldens().join("images/rgb-bmp.bmp")).unwrap();
    // Width and height in a BMP's header.
    bytes[18..22].copy_from_slice(&60_000u32.to_le_bytes());
    bytes[22..26].copy_from_slice(&60_000u32.to_le_bytes());
    fs::write(folder.path().join("bomb.bmp"), bytes).unwrap();
    assert_eq!(
        message(DatasetKind::Folder, folder.path(), Split::Train),
        "DIR/bomb.bmp: is 60000 x 60000, more than 134217728 pixels or 536870912 bytes; corrupt images so far: 1, \
         at most 0 are skipped; mend or remove the file, or raise --max-corrupt"
    );
}
