//! Queries, checked and turned the way rows are.

use rayon::prelude::*;

use super::{
    database::{Database, Kind},
    prefix::Prefix,
};
use crate::{
    Error,
    quantise::round_up,
    space::Metric,
    vector::{dot, norm},
};

/// Queries that are rotated together.
const BLOCK: usize = 64;

/// How much the squared norm of a query that was divided by its norm may exceed 1.
const ROUNDING: f64 = 1e-6;

/// The norms of the first `rank` numbers of each query.
///
/// # Errors
/// When `values` are not `[n, width]`, not finite, or have no direction for a cosine by the first `rank` dims.
pub(crate) fn check_queries(
    values: &[f32],
    width: usize,
    rank: usize,
    metric: Metric,
) -> Result<Vec<f64>, Error> {
    if !values.len().is_multiple_of(width) {
        return Err(Error::QueryWidth { values: values.len(), width });
    }
    if let Some(place) = values.iter().position(|value| !value.is_finite()) {
        return Err(Error::QueryNotFinite { query: place / width, place: place % width });
    }
    let norm = |query: &[f32]| dot(&query[..rank], &query[..rank]).sqrt();
    let norms: Vec<f64> = values.chunks_exact(width).map(norm).collect();
    if metric == Metric::Cosine
        && let Some(query) = norms.iter().position(|&norm| norm == 0.0)
    {
        return Err(Error::QueryZero { query, dims: rank });
    }
    Ok(norms)
}

/// Vectors to search with.
pub(super) struct Queries<'q> {
    database: &'q Database<'q>,
    /// `[n, width]`.
    values: &'q [f32],
    /// The dims that rank.
    rank: usize,
    /// Of the dims that rank, `[n]`.
    norms: Vec<f64>,
}

impl<'q> Queries<'q> {
    /// # Errors
    /// As those of [`check_queries`].
    pub(super) fn new(database: &'q Database<'q>, values: &'q [f32], rank: usize) -> Result<Self, Error> {
        let norms = check_queries(values, database.width(), rank, database.metric())?;
        Ok(Self { database, values, rank, norms })
    }

    pub(super) fn len(&self) -> usize {
        self.norms.len()
    }

    pub(super) fn rank(&self) -> usize {
        self.rank
    }

    pub(super) fn database(&self) -> &'q Database<'q> {
        self.database
    }

    /// The numbers of query `index` that rank, and their norm.
    pub(super) fn ranking(&self, index: usize) -> (&'q [f32], f64) {
        (&self.row(index)[..self.rank], self.norms[index])
    }

    /// At most `most` of the queries, evenly spaced, `[any, width]`.
    pub(super) fn sample(&self, most: usize) -> Vec<f32> {
        (0..self.len())
            .step_by(self.len().div_ceil(most).max(1))
            .flat_map(|index| self.row(index))
            .copied()
            .collect()
    }

    fn row(&self, index: usize) -> &'q [f32] {
        let width = self.database.width();
        &self.values[index * width..][..width]
    }

    /// The norm of the first `over` numbers of query `index`, by which it is divided where products are compared, so that they
    /// are of a size that `f32` knows; 1 if it is zero.
    pub(super) fn divisor(&self, index: usize, over: usize) -> f64 {
        let norm = if over == self.rank {
            self.norms[index]
        } else {
            dot(&self.row(index)[..over], &self.row(index)[..over]).sqrt()
        };
        if norm > 0.0 { norm } else { 1.0 }
    }

    /// The first `dims` numbers of each query, as they are in a space, `[n, dims]`, divided by the norm of the first `over`.
    pub(super) fn turned(&self, kind: Kind, dims: usize, over: usize) -> Turned {
        let indices: Vec<usize> = (0..self.len()).collect();
        let turn = |indices: &[usize]| self.turn(kind, dims, over, indices);
        // A single block is not worth waking another thread.
        let values = match indices.len() {
            0..=BLOCK => turn(&indices),
            _ => indices.par_chunks(BLOCK).flat_map_iter(turn).collect(),
        };
        Turned { dims, values, slack: 2.0 * self.database.distortion(kind) + ROUNDING }
    }

    fn turn(&self, kind: Kind, dims: usize, over: usize, indices: &[usize]) -> Vec<f32> {
        let scaled = |dims: usize| {
            let mut out = vec![0.0f64; indices.len() * dims];
            for (out, &index) in out.chunks_exact_mut(dims).zip(indices) {
                let inverse = self.divisor(index, over).recip();
                out.iter_mut()
                    .zip(self.row(index))
                    .for_each(|(out, &value)| *out = f64::from(value) * inverse);
            }
            out
        };
        let turned = match self.database.rotation(kind) {
            None => scaled(dims),
            Some(rotation) => rotation.apply(&scaled(self.database.width()), dims),
        };
        turned.iter().map(|&value| value as f32).collect()
    }
}

/// The first numbers of queries as they are in a space, `[n, dims]`.
pub(super) struct Turned {
    dims: usize,
    values: Vec<f32>,
    /// How much the squared norm of a whole query may exceed 1.
    slack: f64,
}

impl Turned {
    pub(super) fn row(&self, index: usize) -> &[f32] {
        &self.values[index * self.dims..][..self.dims]
    }

    /// Query `index` as it is multiplied with the rows of `prefix`, `[extent]`.
    pub(super) fn extended(&self, index: usize, prefix: &Prefix<'_>) -> Vec<f32> {
        let mut out = Vec::with_capacity(prefix.extent());
        self.extend(index, prefix, &mut out);
        out
    }

    /// All queries as they are multiplied with the rows of `prefix`, `[n, extent]`.
    pub(super) fn all_extended(&self, prefix: &Prefix<'_>) -> Vec<f32> {
        let n = self.values.len() / self.dims;
        let mut out = Vec::with_capacity(n * prefix.extent());
        (0..n).for_each(|index| self.extend(index, prefix, &mut out));
        out
    }

    fn extend(&self, index: usize, prefix: &Prefix<'_>, out: &mut Vec<f32>) {
        let inside = norm(self.row(index)[..prefix.dim()].iter().map(|&value| f64::from(value)));
        let beyond = (1.0 + self.slack - inside * inside).max(0.0).sqrt();
        prefix.extend(self.row(index), round_up(beyond), round_up(inside), out);
    }
}
