use rayon::prelude::*;

use crate::{
    linear::{Matrix, multiply},
    rows::{Rows, blocks},
};

/// Neighbours and queries in one product; the tile of similarities (1 MiB) stays in the cache.
const NEIGHBOURS: usize = 1024;
const QUERIES: usize = 256;

/// For each of the `test` rows the `train` row of the largest cosine.
///
/// Exact: products in `f32` find all rows whose cosine may be the largest given their rounding, and `f64` decides.
/// Conventions: of equal cosines the lower index wins; a zero row has cosine 0 with every row.
pub(crate) fn nearest(train: Rows<'_>, test: Rows<'_>) -> Vec<usize> {
    let d = train.dims();
    let queries = unit_rows(test, 0..test.len());
    let mut searches = vec![Search::new(d); test.len()];
    for range in blocks(0..train.len(), NEIGHBOURS) {
        let neighbours = unit_rows(train, range.clone());
        searches.par_chunks_mut(QUERIES).zip(queries.par_chunks(QUERIES * d)).for_each_init(
            || vec![0.0f32; QUERIES * NEIGHBOURS],
            |tile, (searches, queries)| {
                let tile = &mut tile[..searches.len() * range.len()];
                let transposed = Matrix::new(&neighbours, range.len(), d).transposed();
                multiply(Matrix::new(queries, searches.len(), d), transposed, tile);
                for (search, cosines) in searches.iter_mut().zip(tile.chunks_exact(range.len())) {
                    search.offer(cosines, range.start);
                }
            },
        );
    }
    searches
        .into_par_iter()
        .enumerate()
        .map(|(index, search)| search.decide(train, test.row(index)))
        .collect()
}

/// The rows of `range`, each divided by its norm, `[range, dims]`; zero rows stay zero.
fn unit_rows(rows: Rows<'_>, range: std::ops::Range<usize>) -> Vec<f32> {
    let d = rows.dims();
    let mut unit = vec![0.0; range.len() * d];
    unit.par_chunks_exact_mut(d).zip(range).for_each(|(unit, index)| {
        let row = rows.row(index);
        let norm = dot(row, row).sqrt();
        if norm > 0.0 {
            unit.iter_mut().zip(row).for_each(|(unit, &value)| *unit = (f64::from(value) / norm) as f32);
        }
    });
    unit
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
}

/// The search for one query's nearest row.
#[derive(Clone)]
struct Search {
    best: f32,
    /// Twice the largest error of a cosine: rows this close below the best one may be the nearest.
    margin: f32,
    /// Cosine and index of all rows within the margin of the best so far, by index.
    candidates: Vec<(f32, usize)>,
}

impl Search {
    /// A dot product of unit rows is off by at most `d + 2` roundings, in whatever order it is summed (Higham,
    /// Accuracy and Stability of Numerical Algorithms, section 3.1); the rest is room to spare.
    fn new(d: usize) -> Self {
        Self { best: f32::NEG_INFINITY, margin: (d + 8) as f32 * f32::EPSILON, candidates: Vec::new() }
    }

    /// Takes the cosines of the rows from `start` on.
    fn offer(&mut self, cosines: &[f32], start: usize) {
        let best = largest(cosines);
        if best < self.best - self.margin {
            return;
        }
        if best > self.best {
            self.best = best;
            self.prune();
        }
        let least = self.best - self.margin;
        let close = cosines.iter().enumerate().filter(|&(_, &cosine)| cosine >= least);
        self.candidates.extend(close.map(|(index, &cosine)| (cosine, start + index)));
    }

    fn prune(&mut self) {
        let least = self.best - self.margin;
        self.candidates.retain(|&(cosine, _)| cosine >= least);
    }

    /// The nearest of the candidates, by cosines in `f64`; the query's own norm changes nothing.
    fn decide(self, train: Rows<'_>, query: &[f32]) -> usize {
        let mut nearest = self.candidates[0].1;
        if self.candidates.len() == 1 || query.iter().all(|&value| value == 0.0) {
            return nearest;
        }
        let mut best = f64::NEG_INFINITY;
        for (_, index) in self.candidates {
            let row = train.row(index);
            let norm = dot(row, row).sqrt();
            let cosine = if norm > 0.0 { dot(query, row) / norm } else { 0.0 };
            if cosine > best {
                (nearest, best) = (index, cosine);
            }
        }
        nearest
    }
}

/// The largest value, by eight running maxima that the compiler keeps in vector registers.
fn largest(values: &[f32]) -> f32 {
    let (chunks, rest) = values.as_chunks::<32>();
    let mut running = [f32::NEG_INFINITY; 32];
    for chunk in chunks {
        for (running, &value) in running.iter_mut().zip(chunk) {
            *running = if value > *running { value } else { *running };
        }
    }
    running.iter().chain(rest).copied().fold(f32::NEG_INFINITY, f32::max)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plain(train: Rows<'_>, test: Rows<'_>) -> Vec<usize> {
        let cosine = |query: &[f32], index: usize| {
            let row = train.row(index);
            let norm = dot(row, row).sqrt();
            if norm > 0.0 { dot(query, row) / norm } else { 0.0 }
        };
        let nearest = |query: &[f32]| {
            (0..train.len())
                .fold(0, |best, index| if cosine(query, index) > cosine(query, best) { index } else { best })
        };
        (0..test.len()).map(|index| nearest(test.row(index))).collect()
    }

    /// Small whole numbers, so that equal cosines and zero rows are common, or any numbers.
    fn values(n: usize) -> impl Strategy<Value = Vec<f32>> {
        let whole = proptest::collection::vec((-1i8..2).prop_map(f32::from), n);
        prop_oneof![whole, proptest::collection::vec(-1.0f32..1.0, n)]
    }

    fn problem() -> impl Strategy<Value = (Vec<f32>, Vec<f32>, usize)> {
        (1usize..6, 1usize..40, 1usize..10).prop_flat_map(|(d, n, m)| (values(n * d), values(m * d), Just(d)))
    }

    proptest! {
        #[test]
        fn nearest_is_that_of_plain_loops((train, test, d) in problem()) {
            let (train, test) = (Rows::new(&train, d), Rows::new(&test, d));
            prop_assert_eq!(nearest(train, test), plain(train, test));
        }
    }

    #[test]
    fn several_blocks_and_a_prefix_agree_with_plain_loops() {
        let mut state = 1u32;
        let mut random = |n: usize| -> Vec<f32> {
            let next = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                f32::from((state >> 16) as u16) / 65536.0
            };
            std::iter::repeat_with(next).take(n).collect()
        };
        let (train, test) = (random(2_500 * 12), random(300 * 12));
        let (train, test) = (Rows::new(&train, 12).prefix(9), Rows::new(&test, 12).prefix(9));
        assert_eq!(nearest(train, test), plain(train, test));
    }

    #[test]
    fn ties_go_to_the_lower_index_and_zero_rows_have_cosine_zero() {
        let train = [0.0, 0.0, 2.0, 0.0, 1.0, 0.0, -1.0, 0.0];
        let test = [5.0, 0.0, 0.0, 0.0, -3.0, 0.0, 0.0, 1.0];
        assert_eq!(nearest(Rows::new(&train, 2), Rows::new(&test, 2)), [1, 0, 3, 0]);
    }
}
