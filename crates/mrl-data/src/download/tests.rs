mod archives;
mod killed;
mod server;
mod transfers;

use std::{cell::RefCell, time::Duration};

use flate2::{Compression, write::GzEncoder};
use server::{Reply, Server};
use tempfile::TempDir;

use super::*;

/// A patient policy at a test's pace.
fn policy() -> Policy {
    Policy {
        attempts: 4,
        pause: Duration::from_millis(1),
        connect_timeout: Duration::from_secs(2),
        read_timeout: Duration::from_millis(300),
        proxy: false,
    }
}

const FILES: [&str; 2] = ["a.bin", "b.bin"];

/// A tar entry: kind, name, contents.
type Entry<'a> = (tar::EntryType, &'a str, &'a [u8]);

/// A `.tar.gz` of entries, whose names are written as they are.
fn tar_gz(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for &(kind, name, contents) in entries {
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(kind);
        header.set_size(contents.len() as u64);
        header.set_mode(0o644);
        if kind.is_symlink() || kind.is_hard_link() {
            header.set_link_name("/etc/passwd").unwrap();
        }
        header.set_cksum();
        builder.append(&header, contents).unwrap();
    }
    builder.into_inner().unwrap().finish().unwrap()
}

/// The bytes of `a.bin`: incompressible, so that the archive is large enough to be cut in places.
fn noise() -> Vec<u8> {
    let states = std::iter::successors(Some(1u64), |state| {
        Some(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1))
    });
    states.take(20_000).map(|state| (state >> 56) as u8).collect()
}

fn good_archive() -> Vec<u8> {
    tar_gz(&[
        (tar::EntryType::Directory, "set/", b""),
        (tar::EntryType::Regular, "set/readme.html", b"not taken"),
        (tar::EntryType::Regular, "set/a.bin", &noise()),
        (tar::EntryType::Regular, "./set/b.bin", b"second"),
    ])
}

fn describe(bytes: &[u8], base_url: &'static str) -> Archive {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, bytes).unwrap();
    Archive {
        base_url,
        name: "set.tar.gz",
        md5: md5_of(&path).unwrap().leak(),
        most_bytes: 100_000,
        folder: "set",
        files: &FILES,
        largest_file: 20_000,
    }
}

/// The names in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn assert_unpacked(folder: &Path) {
    assert_eq!(names(&folder.join("set")), FILES);
    assert_eq!(fs::read(folder.join("set/a.bin")).unwrap(), noise());
    assert_eq!(fs::read(folder.join("set/b.bin")).unwrap(), b"second");
}

/// Fetches a good archive from a server of `replies` into a new folder where `part` is there already.
fn fetched(replies: &[Reply], part: Option<&[u8]>) -> (TempDir, Server, Result<PathBuf, String>) {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(good_archive(), replies);
    if let Some(part) = part {
        fs::write(folder.path().join("set.tar.gz.part"), part).unwrap();
    }
    let archive = describe(&good_archive(), server.base_url);
    let result = ensure_archive(&archive, folder.path(), Some(&policy()), &|_| ());
    let result =
        result.map_err(|error| error.to_string().replace(&folder.path().display().to_string(), "DIR"));
    (folder, server, result)
}
