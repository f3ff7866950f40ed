//! Which images of a scan make the set: the whole ones, or so many whole ones of each class.

use std::path::Path;

use rayon::prelude::*;

use super::scan::Scan;
use crate::{DataError, OpenOptions, Progress};

/// What became of the images that were tried, by their places in the scan.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Selected<T> {
    /// The whole images, in increasing order, with what is kept of each.
    pub(super) whole: Vec<(usize, T)>,
    /// The corrupt ones in the order in which they were found, with what is wrong.
    pub(super) corrupt: Vec<(usize, String)>,
}

/// Tries images until there are enough: `chunk` of them at once with `load`, whose error says what is wrong with an
/// image, then one after the other, in order, with `keep`.
///
/// Every image is tried once here, also when it will not be kept: a corrupt one shall be told now, not in the middle of
/// a run.
///
/// # Errors
/// Those of `keep`, and more corrupt images than `options` allow.
pub(super) fn select<T: Send, U, E: From<DataError>>(
    scan: &Scan,
    options: &OpenOptions,
    chunk: usize,
    progress: &dyn Fn(Progress<'_>),
    load: impl Fn(&Path) -> Result<T, String> + Sync,
    mut keep: impl FnMut(&Path, T) -> Result<U, E>,
) -> Result<Selected<U>, E> {
    let mut waiting = Waiting::new(scan, options.subset_per_class);
    let mut selected = Selected { whole: Vec::new(), corrupt: Vec::new() };
    let mut tried = 0;
    // With a subset a round may find corrupt images; the next round takes others in their place.
    while let Some(round) = waiting.next_round() {
        let total = tried + round.len();
        progress(Progress::Decode { done: tried, total });
        for chunk in round.chunks(chunk) {
            let results: Vec<_> = chunk.par_iter().map(|&index| load(&scan.paths[index])).collect();
            for (&index, result) in chunk.iter().zip(results) {
                match result {
                    Ok(loaded) => selected.whole.push((index, keep(&scan.paths[index], loaded)?)),
                    Err(problem) => {
                        selected.corrupt.push((index, problem));
                        check_corrupt(scan, &selected.corrupt, options.max_corrupt)?;
                        waiting.want_another(index);
                    }
                }
            }
            tried += chunk.len();
            progress(Progress::Decode { done: tried, total });
        }
    }
    selected.whole.sort_unstable_by_key(|&(index, _)| index);
    Ok(selected)
}

/// Refuses more than `limit` corrupt images, and names the first one too many.
pub(super) fn check_corrupt(scan: &Scan, corrupt: &[(usize, String)], limit: usize) -> Result<(), DataError> {
    let Some((index, problem)) = corrupt.get(limit) else { return Ok(()) };
    let (path, problem) = (scan.paths[*index].clone(), problem.clone());
    Err(DataError::TooManyCorrupt { path, problem, count: limit + 1, limit })
}

/// The images that were not tried yet.
struct Waiting<'a> {
    scan: &'a Scan,
    /// For each class (a flat folder is one) its images, last first, and how many whole ones are wanted.
    classes: Vec<(Vec<usize>, usize)>,
}

impl<'a> Waiting<'a> {
    fn new(scan: &'a Scan, subset_per_class: Option<usize>) -> Self {
        let classes = scan.class_names.as_ref().map_or(1, Vec::len);
        let wanted = subset_per_class.unwrap_or(usize::MAX);
        let mut classes = vec![(Vec::new(), wanted); classes];
        for index in (0..scan.paths.len()).rev() {
            classes[scan.class_of(index)].0.push(index);
        }
        Self { scan, classes }
    }

    /// The next images to try, in order, or nothing when each class has what is wanted or no more.
    fn next_round(&mut self) -> Option<Vec<usize>> {
        let mut round = Vec::new();
        for (waiting, wanted) in &mut self.classes {
            let rest = waiting.len().saturating_sub(*wanted);
            *wanted = wanted.saturating_sub(waiting.len() - rest);
            round.extend(waiting.drain(rest..));
        }
        round.sort_unstable();
        (!round.is_empty()).then_some(round)
    }

    /// Image `index` was corrupt.
    fn want_another(&mut self, index: usize) {
        let (_, wanted) = &mut self.classes[self.scan.class_of(index)];
        *wanted = wanted.saturating_add(1);
    }
}
