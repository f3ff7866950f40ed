//! Whether a rotation pays, and which.

use rayon::prelude::*;

use crate::{BuildOptions, Error, Metric, Rotate, rotation::Rotation};

/// Neighbours of a row that a shortlist should hold, and its length.
const NEIGHBOURS: usize = 10;
const SHORTLIST: usize = 50;

/// Rows that are held out from the fit, at most and of all: one in so many.
const QUERIES: usize = 128;
const ONE_IN: usize = 10;

/// Rows that the neighbours are among, at most.
const AMONG: usize = 1 << 12;

impl BuildOptions {
    /// The rotation of rows like those of `sample` `[n, width]`, cut at `dims`, if there is to be one.
    pub(super) fn rotation(&self, sample: &[f32], dims: &[usize]) -> Result<Option<Rotation>, Error> {
        let width = dims[dims.len() - 1];
        let rows: Vec<&[f32]> = sample.chunks_exact(width).collect();
        let fit = |rows: &[&[f32]]| Rotation::fit(|index| rows[index], rows.len(), width, self.metric);
        match self.rotate {
            _ if dims.len() == 1 => Ok(None),
            Rotate::None => Ok(None),
            Rotate::Pca => fit(&rows).map(Some),
            Rotate::Auto => {
                let step = ONE_IN.max(rows.len().div_ceil(QUERIES));
                let (queries, others): (Vec<_>, Vec<_>) =
                    rows.iter().enumerate().partition(|(index, _)| index % step == step - 1);
                let [queries, others] =
                    [queries, others].map(|rows| rows.into_iter().map(|(_, &row)| row).collect::<Vec<_>>());
                if queries.is_empty() {
                    return Ok(None);
                }
                let rotation = fit(&others)?;
                let among: Vec<&[f32]> =
                    others.iter().step_by(others.len().div_ceil(AMONG)).copied().collect();
                let plain = Trial::new(self.metric, None, dims).recall(&queries, &among);
                let rotated = Trial::new(self.metric, Some(&rotation), dims).recall(&queries, &among);
                Ok((rotated > plain).then_some(rotation))
            }
        }
    }
}

/// How well prefixes find what the whole rows find.
struct Trial<'a> {
    metric: Metric,
    rotation: Option<&'a Rotation>,
    dims: &'a [usize],
}

impl<'a> Trial<'a> {
    fn new(metric: Metric, rotation: Option<&'a Rotation>, dims: &'a [usize]) -> Self {
        Self { metric, rotation, dims }
    }

    /// The neighbours that shortlists of `rows` hold, summed over `queries` and all dims but the last.
    fn recall(&self, queries: &[&[f32]], rows: &[&[f32]]) -> usize {
        let (queries, rows) = (self.turned(queries), self.turned(rows));
        let width = self.dims[self.dims.len() - 1];
        queries.par_chunks_exact(width).map(|query| self.recall_of(query, &rows)).sum()
    }

    fn recall_of(&self, query: &[f64], rows: &[f64]) -> usize {
        let width = query.len();
        let n = rows.len() / width;
        let (mut products, mut squares) = (vec![0.0; n], vec![0.0; n]);
        let mut start = 0;
        let mut shortlists: Vec<Vec<usize>> = Vec::new();
        for &end in self.dims {
            for (row, (product, square)) in
                rows.chunks_exact(width).zip(products.iter_mut().zip(&mut squares))
            {
                *product += row[start..end].iter().zip(&query[start..end]).map(|(a, b)| a * b).sum::<f64>();
                *square += row[start..end].iter().map(|value| value * value).sum::<f64>();
            }
            start = end;
            let score = |row: usize| match self.divisor(squares[row]) {
                0.0 => 0.0,
                divisor => products[row] / divisor,
            };
            let length = if end == width { NEIGHBOURS } else { SHORTLIST };
            shortlists.push(largest(n, length, score));
        }
        let neighbours = shortlists.pop().unwrap_or_default();
        let held = |shortlist: &Vec<usize>| neighbours.iter().filter(|row| shortlist.contains(row)).count();
        shortlists.iter().map(held).sum()
    }

    /// What products of prefixes are divided by: the trained prefix is a vector of its own, the rotated one a part.
    fn divisor(&self, square: f64) -> f64 {
        match (self.metric, self.rotation) {
            (Metric::Cosine, None) => square.sqrt(),
            _ => 1.0,
        }
    }

    /// The rows as products are taken of them, `[n, width]`.
    fn turned(&self, rows: &[&[f32]]) -> Vec<f64> {
        let width = self.dims[self.dims.len() - 1];
        let scaled: Vec<f64> = rows.iter().flat_map(|row| self.metric.scaled(row)).collect();
        match self.rotation {
            Some(rotation) => rotation.apply(&scaled, width),
            None => scaled,
        }
    }
}

/// The `count` of the first `n` numbers with the largest scores.
fn largest(n: usize, count: usize, score: impl Fn(usize) -> f64) -> Vec<usize> {
    let mut scored: Vec<(f64, usize)> = (0..n).map(|row| (score(row), row)).collect();
    if count < n {
        scored.select_nth_unstable_by(count, |a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    }
    scored.into_iter().take(count).map(|(_, row)| row).collect()
}
