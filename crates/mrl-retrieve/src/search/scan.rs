//! The best rows of all by a prefix.

use std::{
    ops::Range,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use mrl_linalg::{Simd, WithSimd, dispatch};
use rayon::prelude::*;

use super::{
    candidates::{Candidate, Top},
    kernel,
    prefix::{BLOCK, Prefix, Rows},
};
use crate::Error;

/// Queries that share a packed block, at most.
const CHUNK: usize = 2048;

/// Below this many queries, rows are read as they lie, not packed.
pub(super) const FEW: usize = 4;

/// Products below which another thread is not worth waking.
const SPLIT: usize = 1 << 18;

/// Rows of a split that a thread takes at a time when several share them.
const SHARE: usize = 16 * BLOCK;

/// What a scan found for a query.
#[derive(Debug)]
pub(super) struct Found {
    /// The best, in no order.
    pub(super) candidates: Vec<Candidate>,
    /// A score that no other row exceeds; NaN if none is known.
    pub(super) least: f32,
}

/// The `keep` best of `rows` by the products of `prefix` and each of `queries` `[n, extent]`.
pub(super) fn scan(
    prefix: &Prefix<'_>,
    queries: &[f32],
    rows: Range<usize>,
    keep: usize,
) -> Result<Vec<Found>, Error> {
    let n = queries.len() / prefix.extent();
    if n < FEW { scan_few(prefix, queries, rows, keep) } else { scan_many(prefix, queries, rows, keep) }
}

/// All threads share the rows, for one query after the other: they take as many as they come to, since another thread may have
/// to be woken first.
fn scan_few(
    prefix: &Prefix<'_>,
    queries: &[f32],
    all: Range<usize>,
    keep: usize,
) -> Result<Vec<Found>, Error> {
    let threads = rayon::current_num_threads().min((all.len() * prefix.extent()).div_ceil(SPLIT)).max(1);
    let search = |query| {
        let next = AtomicUsize::new(all.start);
        let work = || -> Result<Top, Error> {
            let mut top = Top::new(keep);
            loop {
                let start = next.fetch_add(SHARE, Ordering::Relaxed);
                if start >= all.end {
                    return Ok(top);
                }
                let rows = start..all.end.min(start + SHARE);
                dispatch(One { prefix, query, rows, top: &mut top })?;
            }
        };
        let others = Mutex::new(Vec::new());
        let own = rayon::in_place_scope(|scope| {
            for _ in 1..threads {
                scope.spawn(|_| {
                    let top = work();
                    others.lock().unwrap_or_else(PoisonError::into_inner).push(top);
                });
            }
            work()
        });
        let mut top = own?;
        for other in others.into_inner().unwrap_or_else(PoisonError::into_inner) {
            top.merge(other?);
        }
        Ok(Found::of(top))
    };
    queries.chunks_exact(prefix.extent()).map(search).collect()
}

/// Threads share the queries and, where these are fewer than threads, the rows.
fn scan_many(
    prefix: &Prefix<'_>,
    queries: &[f32],
    all: Range<usize>,
    keep: usize,
) -> Result<Vec<Found>, Error> {
    let extent = prefix.extent();
    let n = queries.len() / extent;
    let threads = rayon::current_num_threads();
    let rounds = n.div_ceil(threads * CHUNK);
    let chunk = n.div_ceil(threads * rounds).max(FEW);
    let chunks: Vec<&[f32]> = queries.chunks(chunk * extent).collect();
    let worth = (all.len() * extent * chunk).div_ceil(SPLIT);
    let splits = threads.div_ceil(chunks.len()).min(worth).max(1);
    let cut = |split: usize| all.start + all.len() * split / splits;
    let task = |index: usize| {
        let (queries, split) = (chunks[index / splits], index % splits);
        let rows = cut(split)..cut(split + 1);
        dispatch(Many { prefix, queries, rows, keep })
    };
    let tops = (0..chunks.len() * splits).into_par_iter().map(task).collect::<Result<Vec<_>, _>>()?;
    let mut tops = tops.into_iter();
    let mut found = Vec::with_capacity(n);
    while let Some(mut chunk) = tops.next() {
        for other in tops.by_ref().take(splits - 1) {
            chunk.iter_mut().zip(other).for_each(|(top, other)| top.merge(other));
        }
        found.extend(chunk.into_iter().map(Found::of));
    }
    Ok(found)
}

impl Found {
    fn of(top: Top) -> Self {
        let (candidates, least) = top.finish();
        Self { candidates, least }
    }
}

/// One query and some rows as they lie.
struct One<'t> {
    prefix: &'t Prefix<'t>,
    query: &'t [f32],
    rows: Range<usize>,
    top: &'t mut Top,
}

impl WithSimd for One<'_> {
    type Output = Result<(), Error>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Self::Output {
        let mut scores = [0.0; BLOCK];
        for rows in self.prefix.blocks(self.rows, BLOCK) {
            rows.check()?;
            let scores = &mut scores[..rows.len()];
            rows.multiply(self.query, scores);
            offer(&rows, scores, self.top);
        }
        Ok(())
    }
}

/// Some queries `[n, extent]` and some rows, which are packed.
struct Many<'t> {
    prefix: &'t Prefix<'t>,
    queries: &'t [f32],
    rows: Range<usize>,
    keep: usize,
}

impl WithSimd for Many<'_> {
    type Output = Result<Vec<Top>, Error>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        let (panel, group, extent) = (kernel::panel::<S>(), kernel::group::<S>(), self.prefix.extent());
        let queries = group_queries(self.queries, extent, group);
        let mut tops: Vec<Top> = (0..self.queries.len() / extent).map(|_| Top::new(self.keep)).collect();
        let mut panels = Vec::new();
        let mut scores = vec![0.0; group * BLOCK];
        for rows in self.prefix.blocks(self.rows, BLOCK) {
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
        Ok(tops)
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
