//! Unpacks an archive so that its folder appears whole or not at all.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, BufReader, Read},
    path::{Component, Path},
};

use flate2::bufread::MultiGzDecoder;
use tar::EntryType;

use super::Archive;
use crate::{DataError, Progress};

/// Folders that are being filled; a killed process leaves one.
const PREFIX: &str = ".mrl-unpack-";

/// Removes what killed processes left. Only for the holder of the folder's lock.
pub(super) fn remove_leftovers(data_dir: &Path) {
    // Best effort: a leftover costs space, not correctness.
    for entry in fs::read_dir(data_dir).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(PREFIX) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Takes the expected files, and nothing else, from the archive `path` into `data_dir/<folder>`.
///
/// # Errors
/// When the archive is damaged, lacks a file, has one that is too large, or holds links or paths that lead elsewhere.
pub(super) fn unpack(
    archive: &Archive,
    path: &Path,
    data_dir: &Path,
    progress: &dyn Fn(Progress<'_>),
) -> Result<(), DataError> {
    let temporary =
        tempfile::Builder::new().prefix(PREFIX).tempdir_in(data_dir).map_err(DataError::io(data_dir))?;
    // The temporary folder is its owner's alone; the one within gets everyday permissions.
    let folder = temporary.path().join(archive.folder);
    fs::create_dir(&folder).map_err(DataError::io(&folder))?;
    let file = File::open(path).map_err(DataError::io(path))?;
    let mut tar = tar::Archive::new(MultiGzDecoder::new(BufReader::with_capacity(1 << 18, file)));
    let mut missing: BTreeSet<&str> = archive.files.iter().copied().collect();
    let unreadable = |error: io::Error| damaged(path, &format!("is not a whole .tar.gz ({error})"));
    // Raw entries: names longer than a header's field, which the tar crate would gather in memory, are never ours.
    for entry in tar.entries().map_err(unreadable)?.raw(true) {
        let mut entry = entry.map_err(unreadable)?;
        if let Some(name) = expected_file(archive, path, &entry)? {
            progress(Progress::Unpack { file: archive.name, entry: name });
            write_file(archive, path, &mut entry, &folder.join(name))?;
            missing.remove(name);
        }
    }
    if let Some(name) = missing.first() {
        return Err(damaged(path, &format!("has no file {}/{name}", archive.folder)));
    }
    let target = data_dir.join(archive.folder);
    fs::rename(&folder, &target).map_err(DataError::io(&target))
}

/// The name of an entry if it is a file we take, nothing if it is skipped.
fn expected_file(
    archive: &Archive,
    path: &Path,
    entry: &tar::Entry<'_, impl Read>,
) -> Result<Option<&'static str>, DataError> {
    let name = entry
        .path()
        .map_err(|error| damaged(path, &format!("has an entry without a usable name ({error})")))?;
    let shown = name.display().to_string().escape_default().to_string();
    match entry.header().entry_type() {
        EntryType::XHeader | EntryType::XGlobalHeader | EntryType::GNULongName => return Ok(None),
        EntryType::Regular | EntryType::Continuous | EntryType::Directory => {}
        other => {
            return Err(damaged(
                path,
                &format!("holds {shown}, which is neither a file nor a folder ({other:?})"),
            ));
        }
    }
    if !name.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
        return Err(damaged(path, &format!("holds {shown}, which leads out of its folder")));
    }
    if entry.header().entry_type() == EntryType::Directory {
        return Ok(None);
    }
    let name = name.strip_prefix(".").unwrap_or(&name);
    Ok(archive.files.iter().copied().find(|file| name == Path::new(archive.folder).join(file)))
}

fn write_file(archive: &Archive, path: &Path, entry: &mut impl Read, target: &Path) -> Result<(), DataError> {
    let mut file = File::create(target).map_err(DataError::io(target))?;
    let mut buffer = vec![0; 1 << 18];
    let mut written = 0;
    loop {
        // Read and write apart, so that a full disk is not taken for a damaged archive.
        let count = match entry.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) => return Err(damaged(path, &format!("is not a whole .tar.gz ({error})"))),
        };
        written += count as u64;
        if written > archive.largest_file {
            let name = target.file_name().unwrap_or_default().display().to_string();
            return Err(damaged(
                path,
                &format!("holds {name} with more than {} bytes", archive.largest_file),
            ));
        }
        io::Write::write_all(&mut file, &buffer[..count]).map_err(DataError::io(target))?;
    }
    file.sync_all().map_err(DataError::io(target))
}

fn damaged(path: &Path, problem: &str) -> DataError {
    DataError::damaged(path, format!("{problem}; nothing was unpacked: remove it and get it again"))
}
