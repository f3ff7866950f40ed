//! A cache in use: pixels where they lie in a mapped file.

use std::{
    fs::File,
    io::{self, ErrorKind},
    path::Path,
};

use memmap2::Mmap;

use super::layout::{self, HEADER_BYTES, Key, Place};
use crate::{Image, dataset::folder::select::Selected};

/// The images of a set in one file, which the system reads and drops page by page: the set may be larger than the memory.
#[derive(Debug)]
pub(in crate::dataset::folder) struct PixelFile {
    map: Mmap,
    places: Vec<Place>,
    /// Holds the shared lock that says that the file is in use.
    _in_use: File,
}

/// Why a cache cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    #[error("is not there")]
    Absent,
    /// What is wrong with it, to follow its name.
    #[error("{0}")]
    Damaged(String),
}

impl PixelFile {
    /// Opens the cache of a scan of so many `images`. Its places are left in what was selected: image `i` of this file is
    /// the `i`-th whole one.
    pub(super) fn open(path: &Path, key: &Key, images: usize) -> Result<(Self, Selected<()>), Unusable> {
        let damaged = |error: io::Error| match error.kind() {
            ErrorKind::NotFound => Unusable::Absent,
            _ => Unusable::Damaged(format!("cannot be read ({error})")),
        };
        let file = File::open(path).map_err(damaged)?;
        // Where the system has no locks nobody can remove the file on their strength either.
        let _ = file.try_lock_shared();
        // SAFETY: the bytes are only read. Nothing can promise that no other process changes the file meanwhile: one that
        // writes into it changes pixels, one that truncates it ends this program at the next read (SIGBUS). This program
        // does neither, for it puts a new file in the place of the old one, whose map stays as it was.
        let map = unsafe { Mmap::map(&file) }.map_err(damaged)?;
        let Selected { whole, corrupt } = layout::read(&map, key, images).map_err(Unusable::Damaged)?;
        let (whole, places) = whole.into_iter().map(|(image, place)| ((image, ()), place)).unzip();
        Ok((Self { map, places, _in_use: file }, Selected { whole, corrupt }))
    }

    pub(in crate::dataset::folder) fn len(&self) -> usize {
        self.places.len()
    }

    /// Width and height.
    pub(in crate::dataset::folder) fn size(&self, index: usize) -> (usize, usize) {
        let Place { width, height, .. } = self.places[index];
        (width as usize, height as usize)
    }

    pub(in crate::dataset::folder) fn image(&self, index: usize) -> Image<'_> {
        let Place { start, width, height } = self.places[index];
        // `layout::read` found that the image lies within the file.
        let (width, height) = (width as usize, height as usize);
        let (start, bytes) = (HEADER_BYTES + start as usize, width * height * 3);
        // Of what is not in memory the whole image is read at once, instead of page by page.
        #[cfg(unix)]
        let _ = self.map.advise_range(memmap2::Advice::WillNeed, start, bytes);
        Image::new(width, height, &self.map[start..][..bytes])
    }
}

/// Removes the caches for which `is_old`, but for those that a program has open. Best effort: a leftover costs space, not
/// correctness.
pub(super) fn remove_unused(folder: &Path, is_old: impl Fn(&str) -> bool) {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let old = entries.filter(|entry| entry.file_name().to_str().is_some_and(&is_old));
    for path in old.map(|entry| entry.path()) {
        if is_unused(&path) {
            let _ = std::fs::remove_file(path);
        }
    }
}

fn is_unused(path: &Path) -> bool {
    // To be locked by one alone, files on some network file systems must be open for writing.
    File::options().read(true).write(true).open(path).is_ok_and(|file| file.try_lock().is_ok())
}
