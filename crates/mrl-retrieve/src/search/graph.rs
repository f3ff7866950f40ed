//! Shortlists by a walk along the graph of the index.

use std::sync::{Mutex, PoisonError};

use mrl_linalg::vectorised;
use rayon::prelude::*;

use super::{
    candidates::keep_best,
    database::Database,
    prefix::Prefix,
    scan::{FEW, Found, scan},
};
use crate::{
    Error,
    graph::{Graph, Visited},
};

/// Where a walk would keep more than one of so many rows, all are scanned.
const FEWEST: usize = 4;

/// What walks have used, for those to come.
#[derive(Debug, Default)]
pub(super) struct Walkers(Mutex<Vec<Visited>>);

impl Walkers {
    fn with<T>(&self, walk: impl FnOnce(&mut Visited) -> T) -> T {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut visited = lock().pop().unwrap_or_default();
        let result = walk(&mut visited);
        lock().push(visited);
        result
    }
}

/// The index whose graph is walked.
pub(super) struct Walk<'w> {
    pub(super) database: &'w Database<'w>,
    pub(super) graph: Graph<'w>,
    /// That of the graph.
    pub(super) prefix: &'w Prefix<'w>,
    pub(super) walkers: &'w Walkers,
}

impl Walk<'_> {
    /// About the `keep` best rows by the products of the prefix and each of `queries` `[n, extent]`, and at least `k`: of those that
    /// the graph has, the best that are met; those behind it are scanned. Also how many rows were multiplied, on average.
    pub(super) fn shortlist(
        &self,
        queries: &[f32],
        keep: usize,
        k: usize,
    ) -> Result<(Vec<Found>, f64), Error> {
        let rows = self.database.rows();
        // Rows that were removed are met as well.
        let width = keep.saturating_mul(rows).div_ceil(self.database.live());
        if width.saturating_mul(FEWEST) > rows {
            return Ok((scan(self.prefix, queries, 0..rows, keep)?, rows as f64));
        }
        let all = queries;
        let queries: Vec<&[f32]> = all.chunks_exact(self.prefix.extent()).collect();
        let walk = |query: &&[f32]| self.along(query, width);
        let walks: Vec<(Found, usize)> = if queries.len() < FEW {
            queries.iter().map(walk).collect::<Result<_, _>>()?
        } else {
            queries.par_iter().with_min_len(16).map(walk).collect::<Result<_, _>>()?
        };
        let behind = rows - self.graph.rows();
        let met: usize = walks.iter().map(|(_, met)| met + behind).sum();
        let mean = met as f64 / queries.len().max(1) as f64;
        let mut found: Vec<Found> = walks.into_iter().map(|(found, _)| found).collect();
        if behind > 0 {
            let scanned = scan(self.prefix, all, self.graph.rows()..rows, keep)?;
            found
                .iter_mut()
                .zip(scanned)
                .for_each(|(found, other)| found.candidates.extend(other.candidates));
        }
        for (found, query) in found.iter_mut().zip(queries) {
            if found.candidates.len() < k {
                // A walk may end in a corner.
                found.candidates = scan(self.prefix, query, 0..rows, keep)?.remove(0).candidates;
            }
            keep_best(&mut found.candidates, keep);
        }
        Ok((found, mean))
    }

    /// The best `width` rows that are met on the way to `query`, without those that were removed, and how many were multiplied.
    fn along(&self, query: &[f32], width: usize) -> Result<(Found, usize), Error> {
        let query = self.graph.query(query)?;
        self.walkers.with(|visited| {
            let mut candidates = vectorised(
                #[inline(always)]
                || self.graph.nearest(&query, width, visited),
            )?;
            candidates.retain(|candidate| !self.database.is_removed(candidate.row()));
            Ok((Found { candidates, least: f32::NAN }, visited.count()))
        })
    }
}
