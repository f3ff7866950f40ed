//! What a cache was made of, as a name.

use std::{fs, path::Path, time::UNIX_EPOCH};

use sha2::{Digest, Sha256};

use super::layout::{Key, VERSION};
use crate::{
    MAX_MEGAPIXELS, Split,
    dataset::folder::{scan::Scan, stored::StoredSize},
};

/// The name of a cache. It has two parts: what was asked for (folder, split, subset, stored size, largest image), which is a folder, and what
/// was there (paths, sizes and times of change of the files), which is a file in it.
///
/// A file that is exchanged for another of the same size and time of change is not noticed.
#[derive(Debug)]
pub(super) struct Name {
    /// The folder of every cache of the same request, whatever the files were.
    pub(super) request: String,
    /// The hash of everything.
    pub(super) key: Key,
}

/// What the name of every cache ends with.
const ENDING: &str = ".pixels";

impl Name {
    pub(super) fn new(
        scan: &Scan,
        split: Split,
        subset_per_class: Option<usize>,
        stored: StoredSize,
    ) -> Self {
        let mut hash = Sha256::new();
        // Copies of a folder may have other pixels under the same names, sizes and times, so the place counts.
        let root = scan.root.canonicalize().unwrap_or_else(|_| scan.root.clone());
        add(&mut hash, root.as_os_str().as_encoded_bytes());
        add(&mut hash, split.to_string().as_bytes());
        for number in [u64::from(VERSION), stored.shorter(), subset_per_class.unwrap_or(0) as u64] {
            hash.update(number.to_le_bytes());
        }
        // The name of a cache with the default limit stays what it was before there was another one.
        if stored.max_megapixels() != MAX_MEGAPIXELS {
            hash.update(stored.max_megapixels().to_le_bytes());
        }
        let request = hex(&hash.clone().finalize()[..8]);
        for path in &scan.paths {
            let below = path.strip_prefix(&scan.root).unwrap_or(path);
            add(&mut hash, below.as_os_str().as_encoded_bytes());
            hash.update(state(path));
        }
        Self { request, key: hash.finalize().into() }
    }

    /// The cache's file.
    pub(super) fn file(&self) -> String {
        format!("{}{ENDING}", hex(&self.key[..16]))
    }

    /// Whether `file` is called like a cache.
    pub(super) fn is_cache(file: &str) -> bool {
        file.ends_with(ENDING)
    }
}

/// Adds bytes so that no others with the same sum of parts give the same hash.
fn add(hash: &mut Sha256, bytes: &[u8]) {
    hash.update((bytes.len() as u64).to_le_bytes());
    hash.update(bytes);
}

/// Size and time of change of a file, in nanoseconds, and who may read it, since a file that could not be read may be readable later. Zeros
/// of one that is not there: decoding it says why.
fn state(path: &Path) -> [u8; 36] {
    let metadata = fs::metadata(path).ok();
    let modified = metadata.as_ref().and_then(|metadata| metadata.modified().ok());
    let since_epoch = modified.map_or(0, |time| match time.duration_since(UNIX_EPOCH) {
        Ok(after) => after.as_nanos() as i128,
        Err(before) => -(before.duration().as_nanos() as i128),
    });
    #[cfg(unix)]
    let readers = metadata.as_ref().map_or([0; 3], |metadata| {
        use std::os::unix::fs::MetadataExt;
        [metadata.mode(), metadata.uid(), metadata.gid()]
    });
    #[cfg(not(unix))]
    let readers = [0u32; 3];
    let mut state = [0; 36];
    state[..8].copy_from_slice(&metadata.map_or(0, |metadata| metadata.len()).to_le_bytes());
    state[8..24].copy_from_slice(&since_epoch.to_le_bytes());
    for (place, number) in state[24..].chunks_exact_mut(4).zip(readers) {
        place.copy_from_slice(&number.to_le_bytes());
    }
    state
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}
