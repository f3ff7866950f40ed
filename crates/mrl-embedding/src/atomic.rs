use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::Path,
};

/// What the name of an unfinished file starts and ends with.
const UNFINISHED: (&str, &str) = (".mrl-", ".tmp");

/// Removes the unfinished files that a killed [`write_atomically`] left in `folder`, if there is such a folder. Nobody
/// may be writing there.
///
/// # Errors
/// When the folder cannot be read or a file not be removed.
pub fn remove_unfinished(folder: &Path) -> io::Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(UNFINISHED.0) && name.ends_with(UNFINISHED.1) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Writes a file so that after a crash at any moment either the old file or the whole new one is there.
///
/// The bytes go to a temporary file in the same folder, which is flushed to the disk and renamed over `path`.
///
/// # Errors
/// When the folder is missing, the disk is full, or `write` fails; `path` is then as it was.
pub fn write_atomically(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>,
) -> io::Result<()> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let (prefix, suffix) = UNFINISHED;
    let temporary =
        tempfile::Builder::new().prefix(prefix).suffix(suffix).permissions_like(path).tempfile_in(folder)?;
    let mut buffer = BufWriter::with_capacity(1 << 20, temporary.as_file());
    write(&mut buffer)?;
    buffer.flush()?;
    drop(buffer);
    temporary.as_file().sync_all()?;
    temporary.persist(path).map_err(|error| error.error)?;
    sync_folder(folder)
}

/// Whether [`write_atomically`] could write to `folder`, which may have to be made first. To be asked before hours of work;
/// leaves nothing behind.
///
/// # Errors
/// When `folder`, or what it would be made in, is a file or cannot be written.
pub fn check_writable(folder: &Path) -> io::Result<()> {
    let is_there = |path: &&Path| path.as_os_str().is_empty() || path.symlink_metadata().is_ok();
    let there = match folder.ancestors().find(is_there) {
        Some(path) if !path.as_os_str().is_empty() => path,
        _ => Path::new("."),
    };
    if !there.is_dir() {
        let problem = format!("{} is not a folder", there.display());
        return Err(io::Error::new(io::ErrorKind::NotADirectory, problem));
    }
    tempfile::tempfile_in(there).map(drop)
}

/// Makes the rename itself survive a power cut; only Unix lets a folder be synced.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
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

    #[test]
    fn only_unfinished_files_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let killed = folder.path().join("killed");
        write_atomically(&killed, |_| {
            remove_unfinished(folder.path())?;
            assert_eq!(
                std::fs::read_dir(folder.path())?.count(),
                0,
                "the file being written is an unfinished one"
            );
            Err(io::Error::other("stop"))
        })
        .unwrap_err();
        std::fs::write(&killed, b"whole").unwrap();
        remove_unfinished(folder.path()).unwrap();
        assert_eq!(std::fs::read(&killed).unwrap(), b"whole");
        remove_unfinished(&folder.path().join("missing")).unwrap();
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
