//! Data sets on disk: one file for each format, all read into an [`ImageSet`].

mod cifar;
mod cifar_binary;
mod cifar_layout;
mod cifar_python;
mod decode;
mod digest;
mod folder;
mod idx;
mod image_file;
mod kind;
mod packed;
mod pickle;
mod set;
mod stl10;
mod subset;

use std::path::{Path, PathBuf};

pub use decode::{MAX_MEGAPIXELS, read_image};
pub use folder::splits_of_folder;
pub use image_file::{FORMATS as IMAGE_FORMATS, is_image_file};
pub use kind::{DatasetKind, Split};
pub use set::{ImageSet, LeftOut, Skipped};

use crate::{DataError, download};

/// How a data set is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenOptions {
    /// Whether a missing archive is downloaded (CIFAR-10, CIFAR-100 and STL-10).
    pub download: bool,
    /// The folder in the data folder that is the split, where its name does not say so; `.` is all of the data folder. Only of
    /// [`DatasetKind::Folder`].
    pub split_folder: Option<PathBuf>,
    /// How many images of a folder may be corrupt; those are skipped and listed in [`ImageSet::skipped`].
    pub max_corrupt: usize,
    /// Images of a folder with more million pixels than this count as corrupt: a small file could otherwise fill the memory.
    pub max_megapixels: u32,
    /// Takes only the first so many images of each class, in the set's order.
    pub subset_per_class: Option<usize>,
    /// The side, in pixels, of the views that will be cut from a folder's images: of a larger image the shorter side is
    /// shrunk to twice that as soon as it is decoded, with or without a cache. Nothing leaves images as they are.
    pub view_size: Option<usize>,
    /// Where the pixels of a folder are cached: written there the first time, and mapped from there, instead of decoded,
    /// as long as paths, sizes and times of change of the files are the same. Nothing decodes every time.
    pub pixel_cache: Option<PathBuf>,
    /// Decoded pixels of a folder that are kept in memory where no cache is used, in bytes; images beyond are decoded on
    /// every use.
    pub cache_bytes: u64,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            download: true,
            split_folder: None,
            max_corrupt: 0,
            max_megapixels: MAX_MEGAPIXELS,
            subset_per_class: None,
            view_size: None,
            pixel_cache: None,
            cache_bytes: 4 << 30,
        }
    }
}

/// What [`open`] is doing, for a progress bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress<'a> {
    /// An archive is on its way.
    Download {
        /// Its name.
        file: &'a str,
        /// Bytes on disk, those of an earlier, cut download included.
        done_bytes: u64,
        /// The whole size, where the server says it.
        total_bytes: Option<u64>,
    },
    /// A download failed in a way that may pass, and will be tried again.
    Retry {
        /// The archive's name.
        file: &'a str,
        /// What happened.
        problem: &'a str,
        /// The number of the coming attempt, from 2.
        attempt: usize,
    },
    /// Another process is fetching into the same folder.
    Wait {
        /// The archive's name.
        file: &'a str,
    },
    /// The checksum of an archive is computed.
    Verify {
        /// The archive's name.
        file: &'a str,
    },
    /// A file is unpacked from an archive.
    Unpack {
        /// The archive's name.
        file: &'a str,
        /// The file within.
        entry: &'a str,
    },
    /// The images of a folder are decoded.
    Decode {
        /// Images so far.
        done: usize,
        /// All images.
        total: usize,
    },
    /// Another process builds a cache of pixels in the same folder.
    CacheWait {
        /// The folder.
        folder: &'a Path,
    },
    /// A cache of pixels is damaged, and is built again.
    CacheDamaged {
        /// The file.
        path: &'a Path,
        /// What is wrong with it.
        problem: &'a str,
    },
    /// A cache of pixels was written; the next opening reads it instead of the images.
    CacheBuilt {
        /// The file.
        path: &'a Path,
        /// Its size.
        bytes: u64,
    },
    /// There can be no cache of pixels; images are decoded instead.
    CacheUnusable {
        /// Its folder.
        folder: &'a Path,
        /// What the system says.
        problem: &'a str,
    },
}

/// Reads the `split` of a data set under `data_dir`, which is the folder that holds it or its parent.
///
/// CIFAR-10, CIFAR-100 and STL-10 are downloaded when they are missing and `options` allow it; nothing is ever written
/// outside `data_dir` and the pixel cache.
///
/// # Errors
/// When the split does not exist, a file is missing, damaged or cannot be fetched, more images are corrupt than
/// `options` allow, a class has fewer images than the subset needs, or there are no images.
pub fn open(
    kind: DatasetKind,
    data_dir: &Path,
    split: Split,
    options: &OpenOptions,
    progress: &dyn Fn(Progress<'_>),
) -> Result<ImageSet, DataError> {
    if !kind.splits().contains(&split) {
        return Err(DataError::NoSplit { kind, split, there: kind::list(kind.splits()) });
    }
    let set = match kind {
        DatasetKind::Cifar10 | DatasetKind::Cifar100 => {
            let fetch = || download::ensure(kind, data_dir, options.download, progress);
            let unpack = || download::unpack_of_torchvision(kind, data_dir, progress);
            cifar::open(kind, data_dir, split, unpack, fetch)?
        }
        DatasetKind::Stl10 => {
            let fetch = || download::ensure(kind, data_dir, options.download, progress);
            stl10::open(data_dir, split, fetch)?
        }
        DatasetKind::Mnist | DatasetKind::FashionMnist | DatasetKind::Idx => {
            idx::open(kind, data_dir, split)?
        }
        // A folder chooses its subset before it decodes anything.
        DatasetKind::Folder => return folder::open(data_dir, split, options, progress),
    };
    match options.subset_per_class {
        Some(count) => set.subset_per_class(count),
        None => Ok(set),
    }
}
