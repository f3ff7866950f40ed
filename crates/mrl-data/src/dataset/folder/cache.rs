//! A cache of decoded pixels: written by the first run on a folder, mapped by those after it.

mod file;
mod key;
mod layout;

use std::{
    fs,
    io::{self, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

pub(super) use file::PixelFile;
use file::Unusable;
use key::Name;
use layout::{HEADER_BYTES, Place};
use mrl_embedding::{FolderLock, remove_unfinished, write_atomically};

use super::{
    room::Room,
    scan::Scan,
    select::{Selected, check_corrupt, select},
    stored::StoredSize,
};
use crate::{DataError, OpenOptions, Progress, Split, dataset::decode::Decoded};

/// Images decoded at once, at most.
const MOST_AT_ONCE: usize = 256;
/// Pixels that may wait in memory to be written, in bytes. There is room for a chunk of usual images; of a folder of
/// panoramas some are decoded again when their turn comes.
const WAITING_BYTES: u64 = 1 << 30;

/// Opens the cache of a scan in the folder `cache`, and builds it first where there is none or a damaged one; nothing when
/// it cannot be had, which `progress` is told.
///
/// # Errors
/// Those of the images, as if they were decoded now.
pub(super) fn open(
    cache: &Path,
    scan: &Scan,
    split: Split,
    options: &OpenOptions,
    progress: &dyn Fn(Progress<'_>),
) -> Result<Option<(PixelFile, Selected<()>)>, DataError> {
    let stored = StoredSize::new(options);
    let name = Name::new(scan, split, options.subset_per_class, stored);
    // A folder for each request: what is locked and cleaned up there is of this one alone.
    let builder = Builder { folder: cache.join(&name.request), name, scan, options, stored, progress };
    let opened = match builder.try_open() {
        Ok(opened) => opened,
        Err(_) => match builder.open_or_build() {
            Ok(opened) => opened,
            Err(Failure::Images(error)) => return Err(error),
            Err(Failure::Cache(problem)) => {
                progress(Progress::CacheUnusable { folder: cache, problem: &problem });
                return Ok(None);
            }
        },
    };
    check_corrupt(scan, &opened.1.corrupt, options.max_corrupt)?;
    Ok(Some(opened))
}

/// Makes a folder that only its owner can read, as the XDG Base Directory Specification asks for: the pixels may be
/// private.
fn create_private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)
}

struct Builder<'a> {
    folder: PathBuf,
    name: Name,
    scan: &'a Scan,
    options: &'a OpenOptions,
    stored: StoredSize,
    progress: &'a dyn Fn(Progress<'_>),
}

/// Why there is no cache.
enum Failure {
    /// Something is wrong with the images, which ends the opening.
    Images(DataError),
    /// Something is wrong with the cache's folder or disk: the images can be had without.
    Cache(String),
}

impl Builder<'_> {
    fn try_open(&self) -> Result<(PixelFile, Selected<()>), Unusable> {
        PixelFile::open(&self.folder.join(self.name.file()), &self.name.key, self.scan.paths.len())
    }

    /// Opens what another process built while this one waited for it, or builds.
    fn open_or_build(&self) -> Result<(PixelFile, Selected<()>), Failure> {
        create_private(&self.folder).map_err(|error| Failure::Cache(error.to_string()))?;
        let waiting = || (self.progress)(Progress::CacheWait { folder: &self.folder });
        let lock = FolderLock::take(&self.folder, waiting);
        let path = self.folder.join(self.name.file());
        match self.try_open() {
            Ok(opened) => return Ok(opened),
            Err(Unusable::Damaged(problem)) => {
                (self.progress)(Progress::CacheDamaged { path: &path, problem: &problem });
            }
            Err(Unusable::Absent) => {}
        }
        if lock.is_held() {
            // What cannot be removed costs space, and nobody's pixels.
            let _ = remove_unfinished(&self.folder);
        }
        file::remove_unused(&self.folder, Name::is_cache);
        self.build(&path)?;
        let opened = self.try_open().map_err(|problem| Failure::Cache(problem.to_string()))?;
        let bytes = fs::metadata(&path).map_or(0, |metadata| metadata.len());
        (self.progress)(Progress::CacheBuilt { path: &path, bytes });
        Ok(opened)
    }

    fn build(&self, path: &Path) -> Result<(), Failure> {
        let written = write_atomically(path, |file| self.write(file));
        written.map_err(|error| match error.downcast::<DataError>() {
            Ok(error) => Failure::Images(error),
            Err(error) => Failure::Cache(error.to_string()),
        })
    }

    /// Decodes the images and writes them as they come; the header, which knows the index, last. An error of the images
    /// is within the error.
    fn write(&self, file: &mut (impl Write + Seek)) -> io::Result<()> {
        let (stored, room, mut start) = (self.stored, Room::new(WAITING_BYTES), 0);
        file.write_all(&[0; HEADER_BYTES])?;
        let selected = select(
            self.scan,
            self.options,
            stored.chunk(MOST_AT_ONCE),
            self.progress,
            |path| stored.load(path).map(|decoded| room.keep(decoded)),
            |path, waiting: Option<Decoded>| {
                if let Some(decoded) = &waiting {
                    room.give_back(decoded);
                }
                let Decoded { width, height, pixels } = waiting.map_or_else(|| stored.reload(path), Ok)?;
                file.write_all(&pixels)?;
                let place = Place { start, width: width as u32, height: height as u32 };
                start += pixels.len() as u64;
                Ok::<_, io::Error>(place)
            },
        )?;
        let index = layout::index(&selected);
        file.write_all(&index)?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&layout::header(&self.name.key, &index))
    }
}
