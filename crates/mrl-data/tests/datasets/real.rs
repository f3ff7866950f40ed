//! Real CIFAR-10, as JPEG copies beside the repository, where they are.

use std::{path::Path, process::Command};

use mrl_data::{DatasetKind, OpenOptions, Split, open};

use crate::files::offline;

#[test]
fn jpeg_copies_of_cifar10() {
    let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/cifar10-jpeg.tar.xz");
    if !archive.is_file() {
        eprintln!("skipped: {} is not there", archive.display());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let unpacked = Command::new("tar")
        .args(["--extract", "--xz", "--wildcards", "--file"])
        .arg(&archive)
        .arg("--directory")
        .arg(folder.path())
        .arg("test/*/000*.jpg")
        .status();
    if !unpacked.is_ok_and(|status| status.success()) {
        eprintln!("skipped: tar cannot unpack {}", archive.display());
        return;
    }
    let options = OpenOptions { subset_per_class: Some(8), ..offline() };
    let set = open(DatasetKind::Folder, folder.path(), Split::Test, &options, &|_| ()).unwrap();
    assert_eq!(set.len(), 80);
    assert_eq!(
        set.class_names().unwrap().join(" "),
        "airplane automobile bird cat deer dog frog horse ship truck"
    );
    assert!(set.labels().unwrap().iter().enumerate().all(|(i, &label)| label == i as i64 / 8));
    let mean = |i: usize| -> f64 {
        let image = set.image(i).unwrap();
        assert_eq!((image.width(), image.height()), (32, 32));
        image.pixels().iter().map(|&value| f64::from(value)).sum::<f64>() / 3072.0
    };
    // The mean of all CIFAR-10 is 121; eighty photographs are near it and differ from each other.
    let means: Vec<f64> = (0..80).map(mean).collect();
    let all = means.iter().sum::<f64>() / 80.0;
    assert!((90.0..150.0).contains(&all), "{all}");
    assert!(means.iter().any(|mean| (mean - all).abs() > 30.0));
}
