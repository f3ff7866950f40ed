//! What decides: scores in `f64` of the rows as they were given.

use super::queries::Queries;
use crate::{Error, space::Metric, vector::dot};

/// A row and its score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Hit {
    pub(super) score: f64,
    pub(super) row: usize,
}

impl Hit {
    /// Whether `self` comes before `other`: of equals, the smaller row does.
    fn is_before(self, other: Self) -> bool {
        other.score.total_cmp(&self.score).then(self.row.cmp(&other.row)).is_lt()
    }
}

/// Scores rows for one query and keeps the best.
pub(super) struct Judge<'q> {
    queries: &'q Queries<'q>,
    query: &'q [f32],
    norm: f64,
    k: usize,
    /// From the best; at most `k`.
    best: Vec<Hit>,
    /// A row, `[rank]`.
    row: Vec<f32>,
}

impl<'q> Judge<'q> {
    pub(super) fn new(queries: &'q Queries<'q>, index: usize, k: usize) -> Self {
        let (query, norm) = queries.ranking(index);
        Self { queries, query, norm, k, best: Vec::with_capacity(k + 1), row: vec![0.0; query.len()] }
    }

    /// Scores `row`, which was not scored before.
    #[inline(always)]
    pub(super) fn score(&mut self, row: usize) -> Result<(), Error> {
        self.queries.database().read(row, &mut self.row)?;
        let product = dot(self.query, &self.row);
        let score = match self.queries.database().metric() {
            Metric::Dot => product,
            Metric::Cosine => match dot(&self.row, &self.row).sqrt() * self.norm {
                0.0 => 0.0,
                norms => product / norms,
            },
        };
        let hit = Hit { score, row };
        let place = self.best.partition_point(|&other| other.is_before(hit));
        if place < self.k {
            self.best.insert(place, hit);
            self.best.truncate(self.k);
        }
        Ok(())
    }

    /// The score of the last of the best `k`, when there are that many.
    pub(super) fn kth(&self) -> Option<f64> {
        self.best.get(self.k - 1).map(|hit| hit.score)
    }

    /// The best, from the best.
    pub(super) fn finish(self) -> Vec<Hit> {
        self.best
    }
}
