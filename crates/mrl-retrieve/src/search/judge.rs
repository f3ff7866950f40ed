//! What decides: scores in `f64` of the rows as they were given.

use super::queries::Queries;
use crate::{Error, space::Metric};

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

/// Rows that are asked for before they are read: those of a shortlist lie anywhere in the memory.
const AHEAD: usize = 4;

/// Scores rows for one query and keeps the best.
pub(super) struct Judge<'q> {
    queries: &'q Queries<'q>,
    query: &'q [f32],
    norm: f64,
    k: usize,
    /// From the best; at most `k`.
    best: Vec<Hit>,
}

impl<'q> Judge<'q> {
    pub(super) fn new(queries: &'q Queries<'q>, index: usize, k: usize) -> Self {
        let (query, norm) = queries.ranking(index);
        Self { queries, query, norm, k, best: Vec::with_capacity(k + 1) }
    }

    /// Scores `rows`, none of which was scored before.
    #[inline(always)]
    pub(super) fn score(&mut self, rows: &[usize]) -> Result<(), Error> {
        let (database, rank) = (self.queries.database(), self.query.len());
        rows[..rows.len().min(AHEAD)].iter().for_each(|&row| database.row(row, rank).prefetch());
        for (index, &row) in rows.iter().enumerate() {
            if let Some(&ahead) = rows.get(index + AHEAD) {
                database.row(ahead, rank).prefetch();
            }
            let (product, square) = database.row(row, rank).products(self.query)?;
            let score = match database.metric() {
                Metric::Dot => product,
                Metric::Cosine => match square.sqrt() * self.norm {
                    0.0 => 0.0,
                    norms => product / norms,
                },
            };
            self.keep(Hit { score, row });
        }
        Ok(())
    }

    fn keep(&mut self, hit: Hit) {
        if self.best.len() == self.k && !hit.is_before(self.best[self.k - 1]) {
            return;
        }
        let place = self.best.partition_point(|&other| other.is_before(hit));
        self.best.insert(place, hit);
        self.best.truncate(self.k);
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
