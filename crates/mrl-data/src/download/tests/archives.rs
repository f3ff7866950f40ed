//! Archives that the user put there, damaged ones and hostile ones.

use proptest::prelude::*;
use tar::EntryType::{Link, Regular, Symlink};

use super::*;

/// Unpacks `bytes` as an archive of the right checksum that the user put there.
fn unpacked(bytes: &[u8]) -> (TempDir, Result<PathBuf, String>) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("set.tar.gz"), bytes).unwrap();
    let result = ensure_archive(&describe(bytes, "http://nowhere/"), folder.path(), None, &|_| ());
    let result =
        result.map_err(|error| error.to_string().replace(&folder.path().display().to_string(), "DIR"));
    (folder, result)
}

#[track_caller]
fn assert_refused(bytes: &[u8], problem: &str) {
    let (folder, result) = unpacked(bytes);
    assert_eq!(
        result.unwrap_err(),
        format!("DIR/set.tar.gz: {problem}; nothing was unpacked: remove it and get it again")
    );
    assert_eq!(names(folder.path()), ["set.tar.gz"]);
}

#[test]
fn an_archive_that_the_user_put_there_is_used_and_stays() {
    let (folder, result) = unpacked(&good_archive());
    assert_eq!(result.unwrap(), folder.path().join("set"));
    assert_unpacked(folder.path());
    assert_eq!(names(folder.path()), ["set", "set.tar.gz"]);
}

#[test]
fn a_wrong_archive_of_the_user_is_named_and_stays() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("set.tar.gz"), "other").unwrap();
    let archive = describe(&good_archive(), "http://nowhere/");
    let error = ensure_archive(&archive, folder.path(), Some(&policy()), &|_| ()).unwrap_err().to_string();
    assert_eq!(
        error,
        format!(
            "{}: has md5 795f3202b17cb6bc3d4b771d8c6c9eaf, not {}: it was cut or is another file; remove it and get it \
             again from http://nowhere/set.tar.gz",
            folder.path().join("set.tar.gz").display(),
            archive.md5
        )
    );
    assert_eq!(names(folder.path()), ["set.tar.gz"]);
}

#[test]
fn with_downloads_off_the_error_says_what_to_put_where() {
    let folder = tempfile::tempdir().unwrap();
    let error = ensure(DatasetKind::Cifar10, folder.path(), false, &|_| ()).unwrap_err().to_string();
    let dir = folder.path().display();
    assert_eq!(
        error,
        format!(
            "{dir}: has no cifar-10-batches-bin, and nothing is to be downloaded; put cifar-10-binary.tar.gz (from \
             https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz, md5 c32a1d4ab5d03f1284b67883e8d87530) into {dir}, or \
             its folder cifar-10-batches-bin unpacked; torchvision's cifar-10-python.tar.gz serves too"
        )
    );
    assert_eq!(names(folder.path()), Vec::<String>::new());
}

#[test]
fn an_incomplete_folder_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("set")).unwrap();
    fs::write(folder.path().join("set/a.bin"), "mine").unwrap();
    let archive = describe(&good_archive(), "http://nowhere/");
    let error = ensure_archive(&archive, folder.path(), Some(&policy()), &|_| ()).unwrap_err().to_string();
    assert_eq!(
        error,
        format!(
            "{}: is missing; put it there, or remove the folder to download the data set again",
            folder.path().join("set/b.bin").display()
        )
    );
    assert_eq!(fs::read(folder.path().join("set/a.bin")).unwrap(), b"mine");
}

#[test]
fn leftovers_of_a_killed_process_are_removed() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join(".mrl-unpack-x1/set")).unwrap();
    fs::write(folder.path().join("set.tar.gz"), good_archive()).unwrap();
    ensure_archive(&describe(&good_archive(), ""), folder.path(), None, &|_| ()).unwrap();
    assert_eq!(names(folder.path()), ["set", "set.tar.gz"]);
}

#[test]
fn entries_that_lead_elsewhere_are_refused() {
    assert_refused(&tar_gz(&[(Regular, "../evil", b"x")]), "holds ../evil, which leads out of its folder");
    assert_refused(
        &tar_gz(&[(Regular, "set/../../evil", b"x")]),
        "holds set/../../evil, which leads out of its folder",
    );
    assert_refused(
        &tar_gz(&[(Regular, "/tmp/evil", b"x")]),
        "holds /tmp/evil, which leads out of its folder",
    );
    assert_refused(
        &tar_gz(&[(Symlink, "set/a.bin", b"")]),
        "holds set/a.bin, which is neither a file nor a folder (Symlink)",
    );
    assert_refused(
        &tar_gz(&[(Link, "set/a.bin", b"")]),
        "holds set/a.bin, which is neither a file nor a folder (Link)",
    );
}

#[test]
fn incomplete_and_swollen_archives_are_refused() {
    assert_refused(&tar_gz(&[(Regular, "set/a.bin", b"x")]), "has no file set/b.bin");
    assert_refused(&tar_gz(&[(Regular, "other/a.bin", b"x")]), "has no file set/a.bin");
    assert_refused(
        &tar_gz(&[(Regular, "set/a.bin", &vec![0; 20_001])]),
        "holds a.bin with more than 20000 bytes",
    );
}

#[test]
fn an_archive_of_torchvision_is_unpacked_where_it_lies() {
    let folder = tempfile::tempdir().unwrap();
    for (kind, name, layout) in [
        (DatasetKind::Cifar10, "cifar-10-python.tar.gz", "cifar-10-batches-py"),
        (DatasetKind::Cifar100, "cifar-100-python.tar.gz", "cifar-100-python"),
    ] {
        let unpack = || unpack_of_torchvision(kind, folder.path(), &|_| ());
        assert_eq!(unpack().unwrap(), None);
        let archive = Archive::of_torchvision(kind).unwrap();
        assert_eq!((archive.name, archive.folder), (name, layout));
        fs::write(folder.path().join(name), b"something else").unwrap();
        let error = unpack().unwrap_err().to_string();
        assert!(error.contains(&format!("{name}: has md5")) && error.contains(archive.md5), "{error}");
    }
    assert_eq!(unpack_of_torchvision(DatasetKind::Stl10, folder.path(), &|_| ()).unwrap(), None);
}

#[test]
fn the_official_descriptions_are_whole() {
    for archive in [&CIFAR10, &CIFAR10_PYTHON, &CIFAR100, &CIFAR100_PYTHON, &STL10] {
        assert!(archive.md5.len() == 32 && archive.md5.bytes().all(|digit| digit.is_ascii_hexdigit()));
        assert!(archive.url().ends_with(".tar.gz"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(mrl_testing::scaled(64)))]

    #[test]
    fn a_damaged_archive_leaves_all_or_nothing(at: proptest::sample::Index, value: u8, cut: proptest::sample::Index) {
        let mut bytes = good_archive();
        let at = at.index(bytes.len());
        bytes[at] = value;
        bytes.truncate(cut.index(bytes.len()) + 1);
        let (folder, result) = unpacked(&bytes);
        if result.is_ok() {
            prop_assert_eq!(names(&folder.path().join("set")), FILES);
        } else {
            prop_assert_eq!(names(folder.path()), ["set.tar.gz"]);
        }
    }
}
