//! The best rows of all by a prefix.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::{
    candidates::{Candidate, Top},
    kernel,
    prefix::{Prefix, Rows},
};
use crate::Error;

/// Rows that are treated at a time: they, and their products with a group of queries, stay in the cache.
const BLOCK: usize = 256;

/// Queries that share a packed block.
const CHUNK: usize = 512;

/// Below this many queries, rows are read as they lie, not packed.
pub(super) const FEW: usize = 4;

/// Numbers of rows, below which they are not worth a thread of their own.
const SPLIT: usize = 1 << 18;

/// What a scan found for a query.
#[derive(Debug)]
pub(super) struct Found {
    /// The best, in no order.
    pub(super) candidates: Vec<Candidate>,
    /// A score that no other row exceeds; NaN if none is known.
    pub(super) least: f32,
}

/// The `keep` best rows by the products of `prefix` and each of `queries` `[n, extent]`.
pub(super) fn scan(
    prefix: &Prefix<'_>,
    queries: &[f32],
    rows: usize,
    keep: usize,
) -> Result<Vec<Found>, Error> {
    let extent = prefix.extent();
    let n = queries.len() / extent;
    let threads = rayon::current_num_threads();
    let chunk = if n < FEW { 1 } else { n.div_ceil(threads).clamp(FEW, CHUNK) };
    let chunks: Vec<&[f32]> = queries.chunks(chunk * extent).collect();
    let worth = (rows * extent * chunk).div_ceil(SPLIT);
    let splits = threads.div_ceil(chunks.len()).min(worth).max(1);
    let rows_of = |split: usize| rows * split / splits..rows * (split + 1) / splits;
    let task = |index: usize| {
        let (queries, rows) = (chunks[index / splits], rows_of(index % splits));
        Arch::new().dispatch(Task { prefix, queries, rows, keep })
    };
    let tasks = chunks.len() * splits;
    // A single task is not worth waking another thread.
    let tops: Vec<Vec<Top>> = if tasks == 1 {
        vec![task(0)?]
    } else {
        (0..tasks).into_par_iter().map(task).collect::<Result<_, _>>()?
    };
    Ok(merge(tops, splits))
}

/// Joins what was found in `splits` of the rows for each chunk of queries, `[chunks, splits]`.
fn merge(tops: Vec<Vec<Top>>, splits: usize) -> Vec<Found> {
    let mut tops = tops.into_iter();
    let mut found = Vec::new();
    while let Some(mut chunk) = tops.next() {
        for other in tops.by_ref().take(splits - 1) {
            chunk.iter_mut().zip(other).for_each(|(top, other)| top.merge(other));
        }
        found.extend(chunk.into_iter().map(|top| {
            let (candidates, least) = top.finish();
            Found { candidates, least }
        }));
    }
    found
}

/// Some queries `[n, extent]` and some rows.
struct Task<'t> {
    prefix: &'t Prefix<'t>,
    queries: &'t [f32],
    rows: Range<usize>,
    keep: usize,
}

impl WithSimd for Task<'_> {
    type Output = Result<Vec<Top>, Error>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        let n = self.queries.len() / self.prefix.extent();
        let mut tops: Vec<Top> = (0..n).map(|_| Top::new(self.keep)).collect();
        if n < FEW {
            self.one_by_one(&mut tops)?
        } else {
            self.together(simd, &mut tops)?
        }
        Ok(tops)
    }
}

impl Task<'_> {
    #[inline(always)]
    fn one_by_one(&self, tops: &mut [Top]) -> Result<(), Error> {
        let mut scores = [0.0; BLOCK];
        for rows in self.prefix.blocks(self.rows.clone(), BLOCK) {
            rows.check()?;
            let scores = &mut scores[..rows.len()];
            for (query, top) in self.queries.chunks_exact(self.prefix.extent()).zip(&mut *tops) {
                rows.multiply(query, scores);
                offer(&rows, scores, top);
            }
        }
        Ok(())
    }

    #[inline(always)]
    fn together<S: Simd>(&self, simd: S, tops: &mut [Top]) -> Result<(), Error> {
        let (panel, group, extent) = (kernel::panel::<S>(), kernel::group::<S>(), self.prefix.extent());
        let queries = group_queries(self.queries, extent, group);
        let mut panels = Vec::new();
        let mut scores = vec![0.0; group * BLOCK];
        for rows in self.prefix.blocks(self.rows.clone(), BLOCK) {
            rows.check()?;
            rows.pack(panel, &mut panels);
            let stride = panels.len() / extent;
            for (queries, tops) in queries.chunks_exact(group * extent).zip(tops.chunks_mut(group)) {
                let scores = &mut scores[..group * stride];
                kernel::multiply(simd, &panels, queries, extent, scores);
                for (scores, top) in scores.chunks_exact(stride).zip(tops) {
                    offer(&rows, &scores[..rows.len()], top);
                }
            }
        }
        Ok(())
    }
}

#[inline(always)]
fn offer(rows: &Rows<'_>, scores: &[f32], top: &mut Top) {
    top.offer(scores, rows.start(), |row| rows.is_removed(row));
}

/// `queries` `[n, extent]` as `[groups, extent, group]`; queries beyond the last are 0.
fn group_queries(queries: &[f32], extent: usize, group: usize) -> Vec<f32> {
    let n = queries.len() / extent;
    let mut grouped = vec![0.0; n.div_ceil(group) * group * extent];
    for (index, query) in queries.chunks_exact(extent).enumerate() {
        let start = index / group * group * extent + index % group;
        grouped[start..].iter_mut().step_by(group).zip(query).for_each(|(out, &value)| *out = value);
    }
    grouped
}
