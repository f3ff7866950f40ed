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
        (["cat".into(), "dog".into()].as_slice(), Some(3))
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
        [(Split::Test, "test"), (Split::Unlabeled, "unlabeled"), (Split::TrainUnlabeled, "unlabeled")]
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
        "DIR: has no folder `unlabeled` for that split; it has `test`, `train`: choose the split of one of these, or name a folder with --split-folder"
    );
}

#[test]
fn folders_are_splits_only_if_each_has_the_name_of_one() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, value| write_image(&folder.path().join(name), value);
    // A class of CIFAR-100 is called train.
    for name in ["train/1.png", "apple/1.png", "pear/deeper/1.png"] {
        write(name, 1);
    }
    fs::create_dir(folder.path().join("notes")).unwrap();
    let set = open_folder(folder.path(), Split::Train, &offline()).unwrap();
    assert_eq!(set.class_names().unwrap(), ["apple", "notes", "pear", "train"]);
    write("train/dog/1.png", 2);
    let unclear = message(DatasetKind::Folder, folder.path(), Split::Train);
    assert_eq!(
        unclear,
        "DIR: has folders with names of splits (`train`) beside other folders of images (`apple`, `pear`), so it is unclear what \
         they are; if they are splits, give --split-folder train; if all are classes, give --split-folder ."
    );
    // Two flat splits beside something else are no classes either.
    fs::remove_dir_all(folder.path().join("train/dog")).unwrap();
    write("Test/1.png", 3);
    let unclear = message(DatasetKind::Folder, folder.path(), Split::Train);
    assert!(unclear.contains("(`Test`, `train`) beside other folders of images"), "{unclear}");
    let chosen = |name: &str| {
        let options = OpenOptions { split_folder: Some(name.into()), ..offline() };
        open_folder(folder.path(), Split::Train, &options)
    };
    assert_eq!(chosen(".").unwrap().len(), 4);
    for outside in ["..", "/tmp", "pear/../.."] {
        let refused = chosen(outside).unwrap_err().to_string();
        assert_eq!(refused, format!("--split-folder {outside} must name a folder in --data-dir"));
    }
    assert_eq!(chosen("pear").unwrap().ids().unwrap(), ["pear/deeper/1.png"]);
    let gone = chosen("plum").unwrap_err().to_string();
    assert!(
        gone.ends_with("plum: does not exist; --split-folder names one of the folders in --data-dir"),
        "{gone}"
    );
}

#[test]
fn splits_have_the_names_that_people_give_them() {
    for (train, test) in
        [("Train", "Test"), ("training", "validation"), ("TRAIN", "val"), ("train", "testing")]
    {
        let folder = tempfile::tempdir().unwrap();
        write_image(&folder.path().join(train).join("cat/1.png"), 1);
        write_image(&folder.path().join(test).join("cat/1.png"), 2);
        write_image(&folder.path().join("loose.png"), 3);
        let set = |split| open_folder(folder.path(), split, &offline()).unwrap();
        assert_eq!(
            (firsts(&set(Split::Train)), firsts(&set(Split::Test))),
            (vec![1], vec![2]),
            "{train} {test}"
        );
        let left_out = set(Split::Train).left_out().to_vec();
        assert_eq!(left_out[0].reason, "images beside the folders of the splits");
    }
    // test is preferred to val, as in ImageNet.
    let folder = tempfile::tempdir().unwrap();
    for (name, value) in [("train/a/1.png", 1), ("val/a/1.png", 2), ("test/1.png", 3)] {
        write_image(&folder.path().join(name), value);
    }
    let test = open_folder(folder.path(), Split::Test, &offline()).unwrap();
    assert_eq!((firsts(&test), test.labels()), (vec![3], None));
    let other = "`val`, another folder of this split (choose it with --split-folder val)";
    assert_eq!(test.left_out()[0].reason, other);
    fs::remove_file(folder.path().join("test/1.png")).unwrap();
    fs::remove_dir_all(folder.path().join("val")).unwrap();
    assert_eq!(
        message(DatasetKind::Folder, folder.path(), Split::Test),
        "DIR: has no images in its folder `test`; it has `train`: choose the split of one of these, or name a folder with \
         --split-folder"
    );
}

#[cfg(unix)]
#[test]
fn the_classes_of_a_split_may_be_links() {
    let [folder, elsewhere] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    write_image(&elsewhere.path().join("cat/1.png"), 1);
    fs::create_dir(folder.path().join("train")).unwrap();
    std::os::unix::fs::symlink(elsewhere.path().join("cat"), folder.path().join("train/cat")).unwrap();
    // A picture that is not read makes no class of a folder that holds none.
    fs::create_dir(folder.path().join("docs")).unwrap();
    fs::write(folder.path().join("docs/logo.svg"), "<svg/>").unwrap();
    let set = open_folder(folder.path(), Split::Train, &offline()).unwrap();
    assert_eq!((set.class_names().unwrap(), firsts(&set)), (["cat".into()].as_slice(), vec![1]));
}

#[test]
fn what_is_left_out_is_counted_and_shifts_no_label() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, value| write_image(&folder.path().join(name), value);
    for name in ["@eaDir/1.png", "lost+found/1.png", ".thumbnails/1.png", "report/1.png", "runs/1.png"] {
        write(name, 9);
    }
    fs::write(folder.path().join("report/.mrl-files.json"), "{}").unwrap();
    fs::write(folder.path().join("runs/encoder.safetensors"), "").unwrap();
    write("cat/1.png", 1);
    write("dog/@eaDir/1.png", 9);
    write("dog/1.png", 2);
    for name in ["cat/a.heic", "cat/b.HEIC", "cat/notes.txt", "dog/README", "dog/notes.txt"] {
        fs::write(folder.path().join(name), "x").unwrap();
    }
    let set = open_folder(folder.path(), Split::Train, &offline()).unwrap();
    assert_eq!(
        (set.class_names().unwrap(), firsts(&set)),
        (["cat".into(), "dog".into()].as_slice(), vec![1, 2])
    );
    let left_out: Vec<String> = set
        .left_out()
        .iter()
        .map(|one| format!("{} {} {}", one.class.as_deref().unwrap_or("-"), one.count, one.reason))
        .collect();
    assert_eq!(
        left_out,
        [
            "- 1 hidden",
            "- 1 `@eaDir`",
            "- 1 `lost+found`",
            "- 1 `report`, an output of mrl",
            "- 1 `runs`, an output of mrl",
            "cat 2 `.heic` images, which are not read",
            "cat 1 `.txt` files",
            "dog 1 files without an ending",
            "dog 1 `.txt` files",
            "dog 1 `@eaDir`",
        ]
    );
}

#[test]
fn a_class_without_an_image_that_is_read_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    write_image(&folder.path().join("cat/1.png"), 1);
    fs::create_dir(folder.path().join("dog")).unwrap();
    assert_eq!(open_folder(folder.path(), Split::Train, &offline()).unwrap().class_names().unwrap().len(), 2);
    for name in ["dog/1.avif", "dog/2.avif", "dog/1.jxl"] {
        fs::write(folder.path().join(name), "x").unwrap();
    }
    let cure = "convert them to PNG, or move the folder elsewhere";
    assert_eq!(
        message(DatasetKind::Folder, folder.path(), Split::Train),
        format!("DIR/dog: holds images that are not read (2 .avif, 1 .jxl) and no others; {cure}")
    );
    fs::remove_dir_all(folder.path().join("cat")).unwrap();
    assert_eq!(
        message(DatasetKind::Folder, folder.path(), Split::Train),
        format!("DIR: holds images that are not read (2 .avif, 1 .jxl) and no others; {cure}")
    );
}

#[cfg(unix)]
#[test]
fn links_pipes_and_strange_names_end_no_run() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt, os::unix::fs::symlink, process::Command};

    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    write_image(&path("a/1.png"), 1);
    symlink(path("gone.png"), path("a/dangling.png")).unwrap();
    symlink(path("gone"), path("b")).unwrap();
    fs::create_dir(path("a/no.png.d")).unwrap();
    assert!(Command::new("mkfifo").arg(path("a/pipe.png")).status().unwrap().success());
    for byte in [0xfe, 0xff] {
        let name = [b"a/x", &[byte][..], b".png"].concat();
        fs::copy(path("a/1.png"), folder.path().join(OsStr::from_bytes(&name))).unwrap();
    }
    let options = |max_corrupt| OpenOptions { max_corrupt, ..offline() };
    let error = open_folder(folder.path(), Split::Train, &options(0)).unwrap_err().to_string();
    assert!(error.contains("a/dangling.png: cannot be read (No such file"), "{error}");
    let set = open_folder(folder.path(), Split::Train, &options(1)).unwrap();
    assert_eq!(set.ids().unwrap(), ["a/1.png", "a/x%FE.png", "a/x%FF.png"]);
    assert_eq!(set.skipped().len(), 1);
    let left_out: Vec<&str> = set.left_out().iter().map(|one| one.reason.as_str()).collect();
    assert_eq!(left_out, ["links whose target is missing", "pipes, sockets or devices"]);
}

#[test]
fn images_of_one_size_have_that_size() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a/1.png", "a/2.png"] {
        write_image(&folder.path().join(name), 1);
    }
    let size = || open_folder(folder.path(), Split::Train, &offline()).unwrap().native_size();
    assert_eq!(size(), Some(3));
    RgbImage::from_pixel(5, 3, Rgb([0; 3])).save(folder.path().join("a/3.png")).unwrap();
    assert_eq!(size(), None);
}

#[test]
fn empty_missing_and_mixed_folders_have_a_sentence_each() {
    let folder = tempfile::tempdir().unwrap();
    let told = || message(DatasetKind::Folder, folder.path(), Split::Train);
    let empty = "DIR: holds no images; put JPEG, PNG, WebP, BMP, TIFF, GIF or PNM files there, or a folder of them for each class";
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
        "DIR: does not exist; name the folder that has the images"
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
        "DIR/a/1.png: is not a JPEG, PNG, WebP, BMP, TIFF, GIF or PNM image; corrupt images so far: 1, at most 0 are \
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
            "{}: is not a JPEG, PNG, WebP, BMP, TIFF, GIF or PNM image; it changed since the data set was opened",
            path.display()
        )
    );
    fs::remove_file(&path).unwrap();
    let gone = set.image(0).unwrap_err().to_string();
    assert!(gone.contains("1.png: cannot be read (No such file"), "{gone}");
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
fn a_larger_image_is_read_where_the_user_says_so() {
    let folder = tempfile::tempdir().unwrap();
    image::GrayImage::new(1500, 1000).save(folder.path().join("large.png")).unwrap();
    let open = |max_megapixels| {
        open_folder(folder.path(), Split::Train, &OpenOptions { max_megapixels, ..offline() })
    };
    let error = open(1).unwrap_err().to_string();
    assert!(error.contains("is 1500 x 1000 pixels; an image may have at most 1 million pixels"), "{error}");
    assert_eq!(open(2).unwrap().len(), 1);
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
        "DIR/bomb.bmp: is 60000 x 60000 pixels; an image may have at most 134 million pixels and 536000000 decoded bytes; make it smaller, or raise \
         --max-megapixels; corrupt images so far: 1, at most 0 are skipped; mend or remove the file, or raise --max-corrupt"
    );
}
