//! A folder of images: a subfolder for each class, or flat without labels.

mod cache;
mod room;
mod scan;
mod select;
mod splits;
mod stored;
mod walk;

use std::path::{Path, PathBuf};

use cache::PixelFile;
use room::Room;
use scan::Scan;
use select::{Selected, select};
use splits::Layout;
use stored::StoredSize;

use super::{DatasetKind, ImageSet, OpenOptions, Progress, Skipped, Split, decode::Decoded, digest, subset};
use crate::{DataError, Image};

/// Images decoded between two reports of progress.
const CHUNK: usize = 256;

/// The images of a folder.
#[derive(Debug)]
pub(super) struct FolderImages {
    source: Source,
    /// The files of some images, by which the set is told from others.
    sample: Vec<PathBuf>,
}

#[derive(Debug)]
enum Source {
    /// In their files, some of them decoded.
    Files(Vec<FolderImage>, StoredSize),
    /// In a cache.
    Cached(PixelFile),
}

#[derive(Debug)]
struct FolderImage {
    path: PathBuf,
    /// Width and height.
    size: (usize, usize),
    kept: Option<Decoded>,
}

impl FolderImages {
    pub(super) fn sample(&self) -> &[PathBuf] {
        &self.sample
    }

    pub(super) fn len(&self) -> usize {
        match &self.source {
            Source::Files(files, _) => files.len(),
            Source::Cached(file) => file.len(),
        }
    }

    /// Width and height, where all images have the same.
    pub(super) fn size(&self) -> Option<(usize, usize)> {
        let size = |index: usize| match &self.source {
            Source::Files(files, _) => files[index].size,
            Source::Cached(file) => file.size(index),
        };
        let first = size(0);
        (1..self.len()).all(|index| size(index) == first).then_some(first)
    }

    pub(super) fn image(&self, index: usize) -> Result<Image<'_>, DataError> {
        match &self.source {
            Source::Files(files, stored) => files[index].image(*stored),
            Source::Cached(file) => Ok(file.image(index)),
        }
    }
}

impl FolderImage {
    fn image(&self, stored: StoredSize) -> Result<Image<'_>, DataError> {
        if let Some(Decoded { width, height, pixels }) = &self.kept {
            return Ok(Image::new(*width, *height, pixels.as_slice()));
        }
        let Decoded { width, height, pixels } = stored.reload(&self.path)?;
        Ok(Image::new(width, height, pixels))
    }
}

/// The splits of a folder of images by the names of its folders; [`Split::Train`] alone where it is not divided, nothing where it is unclear.
#[must_use]
pub fn splits_of_folder(data_dir: &Path) -> Vec<Split> {
    let splits = [Split::Train, Split::Test, Split::Unlabeled];
    let Ok(layout) = Layout::of(data_dir) else { return Vec::new() };
    splits.into_iter().filter(|&split| layout.folder(data_dir, split).is_ok()).collect()
}

/// Finds the images of `split`, and decodes them or opens their cache.
pub(super) fn open(
    data_dir: &Path,
    split: Split,
    options: &OpenOptions,
    progress: &dyn Fn(Progress<'_>),
) -> Result<ImageSet, DataError> {
    let scan = scan::scan(data_dir, split, options.split_folder.as_deref())?;
    let name = format!("{} {split}", DatasetKind::Folder);
    if let Some(count) = options.subset_per_class {
        subset::checked_labels(&name, scan.labels.as_deref(), count)?;
    }
    let cached = match &options.pixel_cache {
        Some(folder) => cache::open(folder, &scan, split, options, progress)?,
        None => None,
    };
    let (images, selected) = match cached {
        Some((file, selected)) => (Source::Cached(file), selected),
        None => decode(&scan, options, progress)?,
    };
    describe(scan, &name, split, options, images, selected)
}

/// Decodes every image, and keeps the pixels of as many as there is room for.
fn decode(
    scan: &Scan,
    options: &OpenOptions,
    progress: &dyn Fn(Progress<'_>),
) -> Result<(Source, Selected<()>), DataError> {
    let stored = StoredSize::new(options);
    let room = Room::new(options.cache_bytes);
    let load =
        |path: &Path| stored.load(path).map(|decoded| ((decoded.width, decoded.height), room.keep(decoded)));
    let keep =
        |path: &Path, (size, kept)| Ok::<_, DataError>(FolderImage { path: path.to_owned(), size, kept });
    let selected = select(scan, options, CHUNK, progress, load, keep)?;
    let file = |(index, file): (usize, _)| (file, (index, ()));
    let (files, whole) = selected.whole.into_iter().map(file).unzip();
    Ok((Source::Files(files, stored), Selected { whole, corrupt: selected.corrupt }))
}

/// The set of what was selected: labels, ids, and what was skipped.
fn describe(
    scan: Scan,
    name: &str,
    split: Split,
    options: &OpenOptions,
    source: Source,
    selected: Selected<()>,
) -> Result<ImageSet, DataError> {
    let whole = || selected.whole.iter().map(|&(index, ())| index);
    let labels = scan.labels.as_ref().map(|labels| whole().map(|index| labels[index]).collect::<Vec<_>>());
    if let (Some(count), Some(labels)) = (options.subset_per_class, &labels) {
        let classes = scan.class_names.as_ref().map(Vec::len);
        subset::check_counts(name, labels, classes, scan.class_names.as_deref(), count)?;
    }
    let sample =
        digest::sample(selected.whole.len()).map(|at| scan.paths[selected.whole[at].0].clone()).collect();
    let mut set = ImageSet::from_folder(split, FolderImages { source, sample });
    if set.is_empty() {
        return Err(DataError::Empty {
            path: scan.root,
            cure: "every image there is corrupt: put whole ones there",
        });
    }
    let skipped = |(index, reason): (usize, String)| Skipped { path: scan.paths[index].clone(), reason };
    set.labels = labels;
    set.ids = Some(whole().map(|index| scan::id(&scan.root, &scan.paths[index])).collect());
    set.skipped = selected.corrupt.into_iter().map(skipped).collect();
    set.class_names = scan.class_names;
    set.left_out = scan.left_out;
    Ok(set)
}
