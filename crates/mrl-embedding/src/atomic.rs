use std::{
    ffi::OsStr,
    fs::{self, File, TryLockError},
    io::{self, BufWriter, Write},
    path::Path,
};

use tempfile::NamedTempFile;

/// What the name of an unfinished file starts and ends with.
const UNFINISHED: (&str, &str) = (".mrl-", ".tmp");

/// Removes the unfinished files that a killed [`write_atomically`] left in `folder`, if there is such a folder. Those that
/// are being written stay: their writers hold a lock. (Where the system has no locks on files all of them stay; on other
/// systems than Unix nobody may be writing there.)
///
/// # Errors
/// When the folder cannot be read or a file not be removed.
pub fn remove_unfinished(folder: &Path) -> io::Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if is_unfinished(&entry.file_name()) {
            remove_unless_written(&entry.path())?;
        }
    }
    Ok(())
}

/// Whether a file is called like one that [`write_atomically`] has not finished.
#[must_use]
pub fn is_unfinished(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.starts_with(UNFINISHED.0) && name.ends_with(UNFINISHED.1)
}

fn remove_unless_written(path: &Path) -> io::Result<()> {
    // To be locked by one alone, files on some network file systems must be open for writing.
    let opened = File::options().read(true).write(true).open(path).or_else(|_| File::open(path));
    let Ok(file) = opened else { return Ok(()) };
    if file.try_lock().is_err() {
        return Ok(());
    }
    match fs::remove_file(path) {
        // Another process was faster.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Writes a file so that after a crash at any moment either the old file or the whole new one is there.
///
/// The bytes go to a temporary file in the same folder, which is flushed to the disk and renamed over `path`. Where `path`
/// is a symbolic link to a file, that file is replaced and the link stays.
///
/// # Errors
/// When the folder is missing, the disk is full, or `write` fails; `path` is then as it was. When the folder cannot be
/// flushed in the end the new file is there, which the error says.
pub fn write_atomically(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>,
) -> io::Result<()> {
    let path = &path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    // Before anything is written: a folder that cannot be opened cannot be flushed afterwards.
    let opened = open_folder(folder)?;
    let temporary = temporary_file(folder, path)?;
    let mut buffer = BufWriter::with_capacity(1 << 20, temporary.as_file());
    write(&mut buffer)?;
    buffer.flush()?;
    drop(buffer);
    temporary.as_file().sync_all()?;
    temporary.persist(path).map_err(|error| error.error)?;
    // Makes the rename itself survive a power cut.
    opened.as_ref().map_or(Ok(()), File::sync_all).map_err(|error| {
        let problem =
            format!("the new file is in its place, but a power cut might still undo that ({error})");
        io::Error::new(error.kind(), problem)
    })
}

/// A new file in `folder`, as readable as that at `path`, and locked for as long as it is open, so that
/// [`remove_unfinished`] leaves it.
fn temporary_file(folder: &Path, path: &Path) -> io::Result<NamedTempFile> {
    let (prefix, suffix) = UNFINISHED;
    loop {
        let file = tempfile::Builder::new()
            .prefix(prefix)
            .suffix(suffix)
            .permissions_like(path)
            .tempfile_in(folder)?;
        // Elsewhere locks are in the way of reading and writing. Where there are none it is written without.
        let locked = if cfg!(unix) { file.as_file().try_lock() } else { Ok(()) };
        // Who cleans up may have found the file before it was locked.
        let is_lost = matches!(locked, Err(TryLockError::WouldBlock)) || !file.path().exists();
        if !is_lost {
            return Ok(file);
        }
    }
}

/// Whether [`write_atomically`] could write to `folder`, which may have to be made first. To be asked before hours of work;
/// leaves nothing behind.
///
/// # Errors
/// When `folder`, or what it would be made in, is a file or cannot be written, or a name in its path is too long.
pub fn check_writable(folder: &Path) -> io::Result<()> {
    let is_there = |path: &&Path| path.as_os_str().is_empty() || path.symlink_metadata().is_ok();
    let there = folder.ancestors().find(is_there).unwrap_or(Path::new(""));
    let missing = folder.components().skip(there.components().count());
    let there = if there.as_os_str().is_empty() { Path::new(".") } else { there };
    if !there.is_dir() {
        let problem = format!("{} is not a folder", there.display());
        return Err(io::Error::new(io::ErrorKind::NotADirectory, problem));
    }
    // Only the file system knows how long a name may be.
    let places = missing.map(|name| there.join(name)).chain([folder.to_owned()]);
    for place in places {
        match place.symlink_metadata() {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    open_folder(there)?;
    tempfile::tempfile_in(there).map(drop)
}

/// A folder that is to be flushed to the disk; only Unix lets one be opened for that.
fn open_folder(folder: &Path) -> io::Result<Option<File>> {
    cfg!(unix).then(|| File::open(folder)).transpose()
}

/// `tempfile` makes files that only their owner can read; ours shall be as readable as any other file.
trait PermissionsLike {
    fn permissions_like(&mut self, path: &Path) -> &mut Self;
}

impl PermissionsLike for tempfile::Builder<'_, '_> {
    #[cfg(unix)]
    fn permissions_like(&mut self, path: &Path) -> &mut Self {
        use std::os::unix::fs::PermissionsExt;
        // A new file gets 0o666 less the process's umask, which the system applies when it creates the file.
        let permissions = std::fs::metadata(path)
            .map_or_else(|_| std::fs::Permissions::from_mode(0o666), |metadata| metadata.permissions());
        self.permissions(permissions)
    }

    #[cfg(not(unix))]
    fn permissions_like(&mut self, _path: &Path) -> &mut Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn only_unfinished_files_that_nobody_writes_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let (left, whole) = (folder.path().join(".mrl-left.tmp"), folder.path().join("whole"));
        std::fs::write(&left, b"half").unwrap();
        write_atomically(&whole, |file| {
            remove_unfinished(folder.path())?;
            assert!(!left.exists(), "its writer was killed");
            assert_eq!(std::fs::read_dir(folder.path())?.count(), 1, "the file being written stays");
            file.write_all(b"whole")
        })
        .unwrap();
        remove_unfinished(folder.path()).unwrap();
        assert_eq!(std::fs::read(&whole).unwrap(), b"whole");
        remove_unfinished(&folder.path().join("missing")).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn the_file_behind_a_link_is_replaced_and_the_link_stays() {
        let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (link, file) = (folder.path().join("link"), elsewhere.path().join("file"));
        std::fs::write(&file, b"old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        write_atomically(&link, |file| file.write_all(b"new")).unwrap();
        assert!(link.is_symlink());
        assert_eq!(std::fs::read(&file).unwrap(), b"new");
        for folder in [folder, elsewhere] {
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        }
    }

    #[test]
    fn a_folder_can_be_written_or_not_without_a_trace() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, b"").unwrap();
        check_writable(folder.path()).unwrap();
        check_writable(&folder.path().join("new/below")).unwrap();
        check_writable(Path::new("new/below")).unwrap();
        for below in [file.clone(), file.join("new")] {
            let error = check_writable(&below).unwrap_err().to_string();
            assert_eq!(error, format!("{} is not a folder", file.display()));
        }
        let long = "n".repeat(300);
        for below in [long.clone(), format!("new/{long}"), format!("new/{long}/below"), "n/".repeat(5000)] {
            check_writable(&folder.path().join(below)).unwrap_err();
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        #[cfg(target_os = "linux")]
        check_writable(Path::new("/proc/new")).unwrap_err();
    }

    #[test]
    fn a_failed_write_leaves_the_old_file_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write_atomically(&path, |file| file.write_all(b"old")).unwrap();
        let failed = write_atomically(&path, |file| {
            file.write_all(b"half of the new")?;
            Err(io::Error::other("disk full"))
        });
        assert!(failed.is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
