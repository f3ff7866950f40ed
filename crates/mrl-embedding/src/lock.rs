//! One writer in a folder at a time.

use std::{
    fs::{File, TryLockError},
    path::Path,
};

/// Keeps other processes that take this lock from writing into the same folder, until it is dropped or the process ends.
///
/// The lock is on the folder itself, so no lock file is left behind. Where the system cannot lock a folder (Windows, some
/// network file systems) there is no lock: two downloads at once end in a wrong checksum, never in wrong data, two builds
/// of a cache in one of two whole files, and two reports in one folder may be mixed.
pub struct FolderLock(Option<File>);

impl FolderLock {
    /// Waits for the lock; `waiting` is called when another process holds it.
    pub fn take(folder: &Path, waiting: impl FnOnce()) -> Self {
        let Ok(file) = File::open(folder) else { return Self(None) };
        let held = match file.try_lock() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock) => {
                waiting();
                file.lock().is_ok()
            }
            Err(TryLockError::Error(_)) => false,
        };
        Self(held.then_some(file))
    }

    /// False where the system cannot lock a folder.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.0.is_some()
    }
}
