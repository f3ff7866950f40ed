//! Locks on the files of indexes: whoever changes or replaces one keeps the others away.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    path::Path,
};

use crate::Error;

/// Opens what is at `path` and keeps other writers from it until it is dropped.
///
/// # Errors
/// When another process holds it, or there is nothing that can be opened.
pub(crate) fn open_locked(path: &Path, options: &OpenOptions) -> Result<File, Error> {
    loop {
        let file = lock(path, options.open(path).map_err(Error::io(path))?)?;
        // Who held the lock may have put a new file there after we opened the old one.
        if is_at(&file, path).map_err(Error::io(path))? {
            return Ok(file);
        }
    }
}

/// Keeps other writers from `file`, which is at `path` or will be, until it is dropped.
///
/// # Errors
/// When another process holds it.
pub(crate) fn lock(path: &Path, file: File) -> Result<File, Error> {
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::Busy(path.to_owned())),
        Err(TryLockError::Error(error)) => Err(Error::io(path)(error)),
    }
}

/// Whether `path` names `file` and not another one by now. Only Unix lets a file be replaced that is open.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let (open, there) = (file.metadata()?, std::fs::metadata(path)?);
    Ok((open.dev(), open.ino()) == (there.dev(), there.ino()))
}

#[cfg(not(unix))]
fn is_at(_file: &File, _path: &Path) -> io::Result<bool> {
    Ok(true)
}
