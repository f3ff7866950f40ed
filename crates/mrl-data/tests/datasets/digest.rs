//! A set is told from others by its digest, and not by where it lies.

use std::{fs, path::Path};

use image::{Rgb, RgbImage};
use mrl_data::{DatasetKind, ImageSet, OpenOptions, Split, open};

use crate::files::{offline, open_offline, write_cifar10};

/// Two classes of 40 images.
fn write_photos(folder: &Path, shade: u8) {
    for class in ["cat", "dog"] {
        fs::create_dir_all(folder.join(class)).unwrap();
        for i in 0..40u8 {
            let photo = RgbImage::from_fn(5, 4, |x, y| Rgb([x as u8 * 9 + i, y as u8 * 7, shade]));
            photo.save(folder.join(class).join(format!("{i}.png"))).unwrap();
        }
    }
}

fn photos(folder: &Path, options: &OpenOptions) -> ImageSet {
    open(DatasetKind::Folder, folder, Split::Train, options, &|_| {}).unwrap()
}

#[test]
fn a_copy_of_a_folder_is_the_same_set_and_a_changed_one_is_not() {
    let world = tempfile::tempdir().unwrap();
    let at = |name: &str| world.path().join(name);
    for (name, shade) in [("photos", 0), ("copy", 0), ("other", 1)] {
        write_photos(&at(name), shade);
    }
    let digest = |name: &str, options: &OpenOptions| photos(&at(name), options).digest().unwrap();
    let whole = digest("photos", &offline());
    assert_eq!(whole, digest("copy", &offline()), "neither the place nor the time of a file counts");
    assert_ne!(whole, digest("other", &offline()), "the names are the same, the pixels are not");
    let file = fs::File::options().write(true).open(at("copy/cat/0.png")).unwrap();
    file.set_modified(std::time::UNIX_EPOCH).unwrap();
    assert_eq!(whole, digest("copy", &offline()));
    let cached = OpenOptions { pixel_cache: Some(at("cache")), view_size: Some(8), ..offline() };
    assert_eq!(whole, digest("photos", &cached));
    assert_eq!(whole, digest("photos", &cached), "mapped from the cache");

    let subset = OpenOptions { subset_per_class: Some(3), ..offline() };
    assert_eq!(digest("photos", &subset), digest("copy", &subset));
    assert_ne!(digest("photos", &subset), digest("other", &subset));
    assert_ne!(digest("photos", &subset), whole);

    fs::rename(at("copy/dog/7.png"), at("copy/dog/7b.png")).unwrap();
    assert_ne!(whole, digest("copy", &offline()), "a name is another");
    let opened = photos(&at("photos"), &offline());
    fs::remove_file(at("photos/cat/0.png")).unwrap();
    let error = opened.digest().unwrap_err().to_string();
    assert!(error.contains("0.png"), "{error}");
}

#[test]
fn archives_are_told_by_their_pixels_and_labels() {
    let world = tempfile::tempdir().unwrap();
    let at = |name: &str| world.path().join(name);
    write_cifar10(&at("data"));
    write_cifar10(&at("moved/cifar-10-batches-bin"));
    let digest =
        |name: &str, split| open_offline(DatasetKind::Cifar10, &at(name), split).unwrap().digest().unwrap();
    let train = digest("data", Split::Train);
    assert_eq!(train, digest("moved", Split::Train));
    assert_ne!(train, digest("data", Split::Test));
    let file = at("data/data_batch_3.bin");
    let whole = fs::read(&file).unwrap();
    for place in [0, 1000, whole.len() - 1] {
        let mut bytes = whole.clone();
        bytes[place] ^= 1;
        fs::write(&file, bytes).unwrap();
        assert_ne!(train, digest("data", Split::Train), "byte {place}");
    }
}
