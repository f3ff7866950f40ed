//! Whether a rotation pays, and which.

use rayon::prelude::*;

use crate::{
    BuildOptions, Dtype, Error, Metric, Rotate,
    rotation::Rotation,
    source::{Source, sample},
};

/// Rows that a rotation is fitted on, at most: more would hardly move the principal components.
const SAMPLE: usize = 1 << 15;

/// Neighbours of a row that a shortlist should hold, and its length.
const NEIGHBOURS: usize = 10;
const SHORTLIST: usize = 50;

/// Rows that are held out from the fit, at most and of all: one in so many.
const QUERIES: usize = 128;
const ONE_IN: usize = 10;

/// Rows that the neighbours are among, at most.
const AMONG: usize = 1 << 12;

impl BuildOptions {
    /// The rotation of the rows of `source`, cut at `dims`, if there is to be one. Where that is not asked for, no row is read.
    pub(super) fn rotation(&self, source: &dyn Source, dims: &[usize]) -> Result<Option<Rotation>, Error> {
        if dims.len() == 1 || self.rotate == Rotate::None {
            return Ok(None);
        }
        let width = dims[dims.len() - 1];
        let sample = sample(source, SAMPLE)?;
        let rows: Vec<&[f32]> = sample.chunks_exact(width).collect();
        let fit = |rows: &[&[f32]]| Rotation::fit(|index| rows[index], rows.len(), width, self.metric);
        if self.rotate == Rotate::Pca {
            return fit(&rows).map(Some);
        }
        let step = ONE_IN.max(rows.len().div_ceil(QUERIES));
        let (queries, others): (Vec<_>, Vec<_>) =
            rows.iter().enumerate().partition(|(index, _)| index % step == step - 1);
        let [queries, others] =
            [queries, others].map(|rows| rows.into_iter().map(|(_, &row)| row).collect::<Vec<_>>());
        if queries.is_empty() {
            return Ok(None);
        }
        let rotation = fit(&others)?;
        let among: Vec<&[f32]> = others.iter().step_by(others.len().div_ceil(AMONG)).copied().collect();
        let plain = self.trial(None, dims).recall(&queries, &among);
        let rotated = self.trial(Some(&rotation), dims).recall(&queries, &among);
        Ok((rotated > plain).then_some(rotation))
    }

    fn trial<'a>(&self, rotation: Option<&'a Rotation>, dims: &'a [usize]) -> Trial<'a> {
        // Neither rotated nor in fewer bits, the rows themselves serve, of which each prefix is a vector of its own; all else that
        // shortlists is a part of whole rows.
        let themselves = rotation.is_none() && self.shortlist_dtype == Dtype::F32;
        Trial { metric: self.metric, rotation, divides: themselves && self.metric == Metric::Cosine, dims }
    }
}

/// How well prefixes find what the whole rows find.
struct Trial<'a> {
    metric: Metric,
    rotation: Option<&'a Rotation>,
    /// Whether products of prefixes are divided by the norm of the row's prefix.
    divides: bool,
    dims: &'a [usize],
}

impl Trial<'_> {
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

    /// What products of prefixes are divided by, whose norm has this `square`.
    fn divisor(&self, square: f64) -> f64 {
        if self.divides { square.sqrt() } else { 1.0 }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_divided_where_the_index_divides_them() {
        // By the first number alone, what is divided by its norm is all alike, and the first rows are the best; of the whole rows,
        // the last are.
        let rows: Vec<[f32; 2]> = (0..100u8).map(|row| [1.0, f32::from(100 - row)]).collect();
        let rows: Vec<&[f32]> = rows.iter().map(|row| &row[..]).collect();
        let query: &[f32] = &[1.0, 0.0];
        let recall = |metric, shortlist_dtype| {
            let options = BuildOptions { metric, shortlist_dtype, ..BuildOptions::default() };
            options.trial(None, &[1, 2]).recall(&[query], &rows)
        };
        assert_eq!(recall(Metric::Cosine, Dtype::F32), 0);
        assert_eq!(recall(Metric::Cosine, Dtype::Int8), NEIGHBOURS);
        assert_eq!(recall(Metric::Cosine, Dtype::Bf16), NEIGHBOURS);
        assert_eq!(recall(Metric::Dot, Dtype::F32), NEIGHBOURS);
    }
}
