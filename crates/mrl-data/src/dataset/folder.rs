//! A folder of images: a subfolder for each class, or flat without labels.

mod scan;

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use rayon::prelude::*;
use scan::Scan;

use super::{
    DatasetKind, ImageSet, OpenOptions, Progress, Skipped, Split,
    decode::{Decoded, decode_file},
    subset,
};
use crate::{DataError, Image};

/// Images decoded between two reports of progress.
const CHUNK: usize = 256;

/// The images of a folder, some of them decoded.
#[derive(Debug)]
pub(super) struct FolderImages(Vec<FolderImage>);

#[derive(Debug)]
struct FolderImage {
    path: PathBuf,
    cached: Option<Decoded>,
}

impl FolderImages {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn image(&self, index: usize) -> Result<Image<'_>, DataError> {
        let FolderImage { path, cached } = &self.0[index];
        if let Some(Decoded { width, height, pixels }) = cached {
            return Ok(Image::new(*width, *height, pixels.as_slice()));
        }
        let Decoded { width, height, pixels } = decode_file(path)?.map_err(|problem| {
            DataError::damaged(path, format!("{problem}; it changed since the data set was opened"))
        })?;
        Ok(Image::new(width, height, pixels))
    }
}

/// Finds and decodes the images of `split`.
///
/// Every image is decoded once here, also when it will not be kept: a corrupt one shall be told now, not in the middle of
/// a run.
pub(super) fn open(
    data_dir: &Path,
    split: Split,
    options: &OpenOptions,
    progress: &dyn Fn(Progress<'_>),
) -> Result<ImageSet, DataError> {
    let scan = scan::scan(data_dir, split)?;
    let name = format!("{} {split}", DatasetKind::Folder);
    if let Some(count) = options.subset_per_class {
        subset::checked_labels(&name, scan.labels.as_deref(), count)?;
    }
    let mut decoding = Decoding::new(&scan, options);
    // With a subset a round may find corrupt images; the next round takes others in their place.
    while let Some(round) = decoding.next_round() {
        decoding.decode(&round, progress)?;
    }
    let Decoding { mut decoded, skipped, .. } = decoding;
    decoded.sort_unstable_by_key(|&(index, _)| index);
    let kept: Vec<usize> = decoded.iter().map(|&(index, _)| index).collect();
    let labels = scan.labels.map(|labels| kept.iter().map(|&index| labels[index]).collect::<Vec<_>>());
    if let (Some(count), Some(labels)) = (options.subset_per_class, &labels) {
        let classes = scan.class_names.as_ref().map(Vec::len);
        subset::check_counts(&name, labels, classes, scan.class_names.as_deref(), count)?;
    }
    let ids = kept.iter().map(|&index| scan::id(&scan.root, &scan.paths[index])).collect();
    let mut paths: Vec<Option<PathBuf>> = scan.paths.into_iter().map(Some).collect();
    let images = decoded
        .into_iter()
        .filter_map(|(index, cached)| Some(FolderImage { path: paths[index].take()?, cached }));
    let mut set = ImageSet::from_folder(split, FolderImages(images.collect()));
    if set.is_empty() {
        return Err(DataError::Empty {
            path: scan.root,
            cure: "every image there is corrupt: put whole ones there",
        });
    }
    set.labels = labels;
    set.class_names = scan.class_names;
    set.ids = Some(ids);
    set.skipped = skipped;
    Ok(set)
}

/// The state of decoding a scanned folder.
struct Decoding<'a> {
    scan: &'a Scan,
    options: &'a OpenOptions,
    /// For each class (a flat folder is one) the images not tried yet, last first, and how many good ones are wanted.
    waiting: Vec<(Vec<usize>, usize)>,
    /// Index and, where the cache had room, pixels of each good image.
    decoded: Vec<(usize, Option<Decoded>)>,
    skipped: Vec<Skipped>,
    cached_bytes: AtomicU64,
    tried: usize,
}

impl<'a> Decoding<'a> {
    fn new(scan: &'a Scan, options: &'a OpenOptions) -> Self {
        let classes = scan.class_names.as_ref().map_or(1, Vec::len);
        let wanted = options.subset_per_class.unwrap_or(usize::MAX);
        let mut waiting = vec![(Vec::new(), wanted); classes];
        for index in (0..scan.paths.len()).rev() {
            waiting[scan.class_of(index)].0.push(index);
        }
        let (decoded, skipped) = (Vec::new(), Vec::new());
        Self { scan, options, waiting, decoded, skipped, cached_bytes: AtomicU64::new(0), tried: 0 }
    }

    /// The next images to try, in order, or nothing when each class has what is wanted or no more.
    fn next_round(&mut self) -> Option<Vec<usize>> {
        let mut round = Vec::new();
        for (waiting, wanted) in &mut self.waiting {
            let rest = waiting.len().saturating_sub(*wanted);
            *wanted = wanted.saturating_sub(waiting.len() - rest);
            round.extend(waiting.drain(rest..));
        }
        round.sort_unstable();
        (!round.is_empty()).then_some(round)
    }

    fn decode(&mut self, round: &[usize], progress: &dyn Fn(Progress<'_>)) -> Result<(), DataError> {
        let total = self.tried + round.len();
        progress(Progress::Decode { done: self.tried, total });
        for chunk in round.chunks(CHUNK) {
            let results: Vec<_> = chunk.par_iter().map(|&index| self.decode_one(index)).collect();
            for (&index, result) in chunk.iter().zip(results) {
                match result? {
                    Ok(cached) => self.decoded.push((index, cached)),
                    Err(problem) => self.skip(index, problem)?,
                }
            }
            self.tried += chunk.len();
            progress(Progress::Decode { done: self.tried, total });
        }
        Ok(())
    }

    /// Decodes an image and keeps the pixels where the cache has room.
    fn decode_one(&self, index: usize) -> Result<Result<Option<Decoded>, String>, DataError> {
        let decoded = decode_file(&self.scan.paths[index])?;
        Ok(decoded.map(|decoded| self.reserve(decoded.pixels.len() as u64).then_some(decoded)))
    }

    fn reserve(&self, bytes: u64) -> bool {
        let fits = |used: u64| used.checked_add(bytes).filter(|&used| used <= self.options.cache_bytes);
        self.cached_bytes.fetch_update(Relaxed, Relaxed, fits).is_ok()
    }

    fn skip(&mut self, index: usize, problem: String) -> Result<(), DataError> {
        let path = self.scan.paths[index].clone();
        self.waiting[self.scan.class_of(index)].1 =
            self.waiting[self.scan.class_of(index)].1.saturating_add(1);
        let (count, limit) = (self.skipped.len() + 1, self.options.max_corrupt);
        if count > limit {
            return Err(DataError::TooManyCorrupt { path, problem, count, limit });
        }
        self.skipped.push(Skipped { path, reason: problem });
        Ok(())
    }
}
