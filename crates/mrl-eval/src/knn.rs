use rayon::prelude::*;

use crate::{
    linear::{Matrix, multiply},
    rows::{Rows, blocks},
};

/// Database rows and queries in one product; the tile of similarities (1 MiB) stays in the cache.
const DATABASE: usize = 1024;
const QUERIES: usize = 256;

/// Candidates of a query beyond twice its neighbours, before they are thinned out.
const SLACK: usize = 64;

/// Candidates that thinning out may leave, beyond four times the neighbours, before `f64` decides among them: rows that
/// are all alike would else pile up.
const PILE: usize = 1024;

/// The `k` rows of the largest cosine for each query, from the nearest.
pub(crate) struct Neighbours {
    k: usize,
    /// `[queries, k]`.
    found: Vec<Neighbour>,
}

/// A row of the database and its cosine with the query.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Neighbour {
    pub(crate) cosine: f64,
    pub(crate) row: usize,
}

/// Which rows a query may find.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Among {
    /// All rows of the database.
    All,
    /// The database is the queries themselves: all rows but the query's own.
    Others,
}

impl Among {
    /// How many rows of `n` a query may find.
    pub(crate) fn of(self, n: usize) -> usize {
        n.saturating_sub(usize::from(self == Self::Others))
    }
}

impl Neighbours {
    /// Searches the nearest `k` rows, or all if there are fewer.
    ///
    /// Exact: products in `f32` find all rows whose cosine may be among the largest given their rounding, and `f64`
    /// decides. Conventions: of equal cosines the lower index comes first; a zero row has cosine 0 with every row.
    pub(crate) fn search(database: Rows<'_>, queries: Rows<'_>, k: usize, among: Among) -> Self {
        let d = database.dims();
        let k = k.min(among.of(database.len()));
        if k == 0 {
            return Self { k, found: Vec::new() };
        }
        let norms: Vec<f64> =
            (0..database.len()).into_par_iter().map(|row| norm(database.row(row))).collect();
        let exact = Exact { database, norms };
        let unit_queries = unit_rows(queries, 0..queries.len());
        let own = |index: usize| (among == Among::Others).then_some(index);
        let mut searches: Vec<Search> =
            (0..queries.len()).map(|index| Search::new(k, d, own(index))).collect();
        for range in blocks(0..database.len(), DATABASE) {
            let neighbours = unit_rows(database, range.clone());
            searches
                .par_chunks_mut(QUERIES)
                .zip(unit_queries.par_chunks(QUERIES * d))
                .enumerate()
                .for_each_init(
                    || vec![0.0f32; QUERIES * DATABASE],
                    |tile, (chunk, (searches, units))| {
                        let tile = &mut tile[..searches.len() * range.len()];
                        let transposed = Matrix::new(&neighbours, range.len(), d).transposed();
                        multiply(Matrix::new(units, searches.len(), d), transposed, tile);
                        for (index, cosines) in tile.chunks_exact(range.len()).enumerate() {
                            searches[index].offer(cosines, range.start);
                            searches[index].relieve(&exact, queries.row(chunk * QUERIES + index));
                        }
                    },
                );
        }
        let found = searches
            .into_par_iter()
            .enumerate()
            .flat_map_iter(|(index, search)| search.finish(&exact, queries.row(index)))
            .collect();
        Self { k, found }
    }

    /// Neighbours of each query.
    pub(crate) fn k(&self) -> usize {
        self.k
    }

    /// Those of query `index`, `[k]`.
    pub(crate) fn of(&self, index: usize) -> &[Neighbour] {
        &self.found[index * self.k..][..self.k]
    }
}

/// The rows of `range`, each divided by its norm, `[range, dims]`; zero rows stay zero.
fn unit_rows(rows: Rows<'_>, range: std::ops::Range<usize>) -> Vec<f32> {
    let d = rows.dims();
    let mut unit = vec![0.0; range.len() * d];
    unit.par_chunks_exact_mut(d).zip(range).for_each(|(unit, index)| {
        let row = rows.row(index);
        let norm = norm(row);
        if norm > 0.0 {
            unit.iter_mut().zip(row).for_each(|(unit, &value)| *unit = (f64::from(value) / norm) as f32);
        }
    });
    unit
}

fn norm(row: &[f32]) -> f64 {
    dot(row, row).sqrt()
}

/// By eight running sums, which the compiler keeps in vector registers.
fn dot(a: &[f32], b: &[f32]) -> f64 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let mut sums = [0.0f64; 8];
    for (a, b) in a.iter().zip(b) {
        for ((sum, &a), &b) in sums.iter_mut().zip(a).zip(b) {
            *sum += f64::from(a) * f64::from(b);
        }
    }
    let rest = a_rest.iter().zip(b_rest).map(|(&a, &b)| f64::from(a) * f64::from(b));
    sums.into_iter().chain(rest).sum()
}

/// Cosines in `f64`.
struct Exact<'a> {
    database: Rows<'a>,
    /// `[n]`.
    norms: Vec<f64>,
}

impl Exact<'_> {
    fn neighbour(&self, query: &[f32], query_norm: f64, row: usize) -> Neighbour {
        let product = self.norms[row] * query_norm;
        let cosine = if product > 0.0 { dot(query, self.database.row(row)) / product } else { 0.0 };
        Neighbour { cosine, row }
    }
}

/// The search for one query's nearest rows.
struct Search {
    k: usize,
    /// The query's own row, which it may not find.
    own: Option<usize>,
    /// Twice the largest error of a cosine: rows this close below the `k`-th best may belong to the best.
    margin: f32,
    /// Rows below this are not among the best.
    least: f32,
    /// Cosine and row of all that are not below.
    candidates: Vec<(f32, u32)>,
    /// The best of those that `f64` has decided already, from the nearest.
    decided: Vec<Neighbour>,
}

impl Search {
    /// A dot product of unit rows is off by at most `d + 2` roundings, in whatever order it is summed (Higham,
    /// Accuracy and Stability of Numerical Algorithms, section 3.1); the rest is room to spare.
    fn new(k: usize, d: usize, own: Option<usize>) -> Self {
        let margin = (d + 8) as f32 * f32::EPSILON;
        Self { k, own, margin, least: f32::NEG_INFINITY, candidates: Vec::new(), decided: Vec::new() }
    }

    /// Takes the cosines of the rows from `start` on.
    fn offer(&mut self, cosines: &[f32], start: usize) {
        for (chunk, cosines) in cosines.chunks(LANES).enumerate() {
            if largest(cosines) < self.least {
                continue;
            }
            for (offset, &cosine) in cosines.iter().enumerate() {
                let row = start + chunk * LANES + offset;
                if cosine >= self.least && self.own != Some(row) {
                    self.candidates.push((cosine, row as u32));
                }
            }
            if self.candidates.len() >= 2 * self.k + SLACK {
                self.thin();
            }
        }
    }

    /// Forgets the candidates that are too far below the `k`-th best.
    fn thin(&mut self) {
        if self.candidates.len() <= self.k {
            return;
        }
        let (_, &mut (kth, _), _) =
            self.candidates.select_nth_unstable_by(self.k - 1, |a, b| b.0.total_cmp(&a.0));
        self.least = self.least.max(kth - self.margin);
        self.candidates.retain(|&(cosine, _)| cosine >= self.least);
    }

    /// Decides among the candidates when there are too many to keep.
    fn relieve(&mut self, exact: &Exact<'_>, query: &[f32]) {
        if self.candidates.len() > 4 * self.k + PILE {
            self.decide(exact, query);
        }
    }

    fn decide(&mut self, exact: &Exact<'_>, query: &[f32]) {
        let query_norm = norm(query);
        let candidates = self.candidates.drain(..);
        self.decided.extend(candidates.map(|(_, row)| exact.neighbour(query, query_norm, row as usize)));
        self.decided.sort_unstable_by(|a, b| b.cosine.total_cmp(&a.cosine).then(a.row.cmp(&b.row)));
        self.decided.truncate(self.k);
        if let Some(last) = self.decided.get(self.k - 1) {
            self.least = self.least.max(last.cosine as f32 - self.margin);
        }
    }

    /// The `k` nearest, from the nearest.
    fn finish(mut self, exact: &Exact<'_>, query: &[f32]) -> Vec<Neighbour> {
        self.thin();
        self.decide(exact, query);
        self.decided
    }
}

const LANES: usize = 32;

/// The largest of at most [`LANES`] values, where it can be found without a branch.
fn largest(values: &[f32]) -> f32 {
    match values.as_chunks::<LANES>() {
        ([chunk], []) => {
            let mut best = [f32::NEG_INFINITY; 8];
            for part in chunk.as_chunks::<8>().0 {
                for (best, &value) in best.iter_mut().zip(part) {
                    *best = if value > *best { value } else { *best };
                }
            }
            best.into_iter().fold(f32::NEG_INFINITY, f32::max)
        }
        _ => values.iter().copied().fold(f32::NEG_INFINITY, f32::max),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// All cosines in `f64`, sorted; rows by [`Neighbours`]' conventions.
    fn plain(database: Rows<'_>, queries: Rows<'_>, k: usize, among: Among) -> Vec<Vec<usize>> {
        let cosine = |query: &[f32], row: usize| {
            let product = norm(query) * norm(database.row(row));
            if product > 0.0 { dot(query, database.row(row)) / product } else { 0.0 }
        };
        let nearest = |index: usize| {
            let query = queries.row(index);
            let mut rows: Vec<usize> =
                (0..database.len()).filter(|&row| among == Among::All || row != index).collect();
            rows.sort_by(|&a, &b| cosine(query, b).total_cmp(&cosine(query, a)));
            rows.truncate(k);
            rows
        };
        (0..queries.len()).map(nearest).collect()
    }

    fn found(database: Rows<'_>, queries: Rows<'_>, k: usize, among: Among) -> Vec<Vec<usize>> {
        let found = Neighbours::search(database, queries, k, among);
        let rows = |index| found.of(index).iter().map(|neighbour| neighbour.row).collect();
        (0..queries.len()).map(rows).collect()
    }

    /// Small whole numbers, so that equal cosines and zero rows are common, or any numbers.
    fn values(n: usize) -> impl Strategy<Value = Vec<f32>> {
        let whole = proptest::collection::vec((-1i8..2).prop_map(f32::from), n);
        prop_oneof![whole, proptest::collection::vec(-1.0f32..1.0, n)]
    }

    fn problem() -> impl Strategy<Value = (Vec<f32>, Vec<f32>, usize, usize)> {
        (1usize..6, 1usize..40, 1usize..10, 1usize..45)
            .prop_flat_map(|(d, n, m, k)| (values(n * d), values(m * d), Just(d), Just(k)))
    }

    proptest! {
        #[test]
        fn neighbours_are_those_of_plain_loops((database, queries, d, k) in problem()) {
            let (database, queries) = (Rows::new(&database, d), Rows::new(&queries, d));
            prop_assert_eq!(found(database, queries, k, Among::All), plain(database, queries, k, Among::All));
            prop_assert_eq!(found(database, database, k, Among::Others), plain(database, database, k, Among::Others));
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
        let (database, queries) = (random(2_500 * 12), random(300 * 12));
        let (database, queries) = (Rows::new(&database, 12).prefix(9), Rows::new(&queries, 12).prefix(9));
        for k in [1, 50] {
            assert_eq!(found(database, queries, k, Among::All), plain(database, queries, k, Among::All));
        }
    }

    #[test]
    fn rows_that_are_all_alike_do_not_pile_up() {
        let database = vec![0.3f32; 9_000 * 3];
        let expected: Vec<usize> = (0..5).collect();
        assert_eq!(found(Rows::new(&database, 3), Rows::new(&[1.0, 2.0, 3.0], 3), 5, Among::All), [expected]);
    }

    #[test]
    fn ties_go_to_the_lower_index_and_zero_rows_have_cosine_zero() {
        let database = [0.0, 0.0, 2.0, 0.0, 1.0, 0.0, -1.0, 0.0];
        let queries = [5.0, 0.0, 0.0, 0.0, -3.0, 0.0, 0.0, 1.0];
        let found = found(Rows::new(&database, 2), Rows::new(&queries, 2), 1, Among::All);
        assert_eq!(found.concat(), [1, 0, 3, 0]);
    }
}
