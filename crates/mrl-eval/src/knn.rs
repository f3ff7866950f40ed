use std::ops::Range;

use mrl_linalg::{Matrix, multiply_add};
use rayon::prelude::*;

use crate::rows::{Rows, blocks};

/// Database rows and queries in one product; the tile of similarities (1 MiB) stays in the cache.
const DATABASE: usize = 1024;
const QUERIES: usize = 256;

/// Queries that are searched for at a time: each holds candidates of every prefix until all rows were offered.
const AT_ONCE: usize = 64 * QUERIES;

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
    /// Searches the nearest `k` rows, or all if there are fewer, by each of the prefixes `dims`, which increase.
    ///
    /// Exact: products in `f32` find all rows whose cosine may be among the largest given their rounding, and `f64`
    /// decides. The products of a prefix go on from those of the one before, so that all together cost as much as the longest
    /// alone. Conventions: of equal cosines the lower index comes first; a zero row has cosine 0 with every row.
    pub(crate) fn search(
        database: Rows<'_>,
        queries: Rows<'_>,
        dims: &[usize],
        k: usize,
        among: Among,
    ) -> Vec<Self> {
        let k = k.min(among.of(database.len()));
        // What no prefix reads must not count in a norm either.
        let width = dims[dims.len() - 1];
        let (database, queries) = (database.prefix(width), queries.prefix(width));
        let prefixes: Vec<Prefix<'_>> = dims.iter().map(|&dim| Prefix::of(database, dim)).collect();
        if k == 0 {
            return dims.iter().map(|_| Self { k, found: Vec::new() }).collect();
        }
        let mut found: Vec<Self> =
            dims.iter().map(|_| Self { k, found: Vec::with_capacity(queries.len() * k) }).collect();
        for part in blocks(0..queries.len(), AT_ONCE) {
            let nearest = search_part(&prefixes, database, queries, part, k, among);
            for (place, nearest) in nearest.into_iter().enumerate() {
                debug_assert_eq!(nearest.len(), k);
                found[place % dims.len()].found.extend(nearest);
            }
        }
        found
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

/// The nearest rows of the queries `part` by each prefix, `[part, prefixes]`.
fn search_part(
    prefixes: &[Prefix<'_>],
    database: Rows<'_>,
    queries: Rows<'_>,
    part: Range<usize>,
    k: usize,
    among: Among,
) -> Vec<Vec<Neighbour>> {
    let (width, count) = (queries.dims(), prefixes.len());
    let units = unit_rows(queries, part.clone());
    let search = |index: usize| {
        let own = (among == Among::Others).then_some(index);
        prefixes.iter().map(move |prefix| prefix.search(k, count, queries.row(index), own))
    };
    let mut searches: Vec<Search> = part.clone().flat_map(search).collect();
    for range in blocks(0..database.len(), DATABASE) {
        let rows = unit_rows(database, range.clone());
        searches
            .par_chunks_mut(QUERIES * count)
            .zip(units.par_chunks(QUERIES * width))
            .enumerate()
            .for_each_init(
                || vec![0.0f32; QUERIES * DATABASE],
                |tile, (chunk, (searches, units))| {
                    let query = |index| queries.row(part.start + chunk * QUERIES + index);
                    let tile = &mut tile[..units.len() / width * range.len()];
                    offer_tile(prefixes, &range, &rows, units, tile, searches, query);
                },
            );
    }
    let finish = |(place, search): (usize, Search)| {
        search.finish(&prefixes[place % count], queries.row(part.start + place / count))
    };
    searches.into_par_iter().enumerate().map(finish).collect()
}

/// Offers the rows of `range`, `rows` `[range, width]`, to the searches `[queries, prefixes]` of the queries `units`
/// `[queries, width]`, prefix by prefix: `tile` `[queries, range]` takes on the products of each one's further numbers.
fn offer_tile<'q>(
    prefixes: &[Prefix<'_>],
    range: &Range<usize>,
    rows: &[f32],
    units: &[f32],
    tile: &mut [f32],
    searches: &mut [Search],
    query: impl Fn(usize) -> &'q [f32],
) {
    let width = prefixes[prefixes.len() - 1].dim;
    let mut scaled = vec![0.0f32; range.len()];
    let mut start = 0;
    tile.fill(0.0);
    for (place, prefix) in prefixes.iter().enumerate() {
        let band = start..prefix.dim;
        start = prefix.dim;
        multiply_add(
            Matrix::columns(units, width, band.clone()),
            Matrix::columns(rows, width, band).transposed(),
            tile,
        );
        let inverse = &prefix.inverse[range.clone()];
        for (index, products) in tile.chunks_exact(range.len()).enumerate() {
            scaled
                .iter_mut()
                .zip(products)
                .zip(inverse)
                .for_each(|((out, product), inverse)| *out = product * inverse);
            let search = &mut searches[index * prefixes.len() + place];
            search.offer(&scaled, range.start);
            search.relieve(prefix, query(index));
        }
    }
}

/// The rows of `range`, each divided by its norm, `[range, dims]`; zero rows stay zero.
fn unit_rows(rows: Rows<'_>, range: Range<usize>) -> Vec<f32> {
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

/// A part of a unit row below this is lost among the smallest numbers that `f32` knows, once it is multiplied by another.
const TINY: f64 = 1e-12;

/// The first numbers of each row of a database.
struct Prefix<'a> {
    dim: usize,
    database: Rows<'a>,
    /// Of the prefix, `[n]`.
    norms: Vec<f64>,
    /// Norm of the whole row over that of the prefix, `[n]`: 0 for zero rows, NaN for those that are tiny in it.
    inverse: Vec<f32>,
    /// Rows whose prefix is tiny.
    tiny: Vec<usize>,
}

impl<'a> Prefix<'a> {
    /// The rows of `database`, which are as wide as the longest prefix, cut to `dim`.
    fn of(database: Rows<'a>, dim: usize) -> Self {
        let short = database.prefix(dim);
        let pairs: Vec<(f64, f32)> = (0..database.len())
            .into_par_iter()
            .map(|row| {
                let (part, whole) = (norm(short.row(row)), norm(database.row(row)));
                let inverse = match part / whole {
                    _ if part == 0.0 => 0.0,
                    share if share < TINY => f32::NAN,
                    share => share.recip() as f32,
                };
                (part, inverse)
            })
            .collect();
        let (norms, inverse): (Vec<f64>, Vec<f32>) = pairs.into_iter().unzip();
        let tiny = (0..inverse.len()).filter(|&row| inverse[row].is_nan()).collect();
        Self { dim, database: short, norms, inverse, tiny }
    }

    /// The search of `query`, which is as wide as the longest, among `prefixes` that go on from each other.
    ///
    /// A dot product of unit rows is off by at most a rounding for each number of both, each sum, each prefix on the way and
    /// the scaling (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1); the rest is room to spare.
    fn search(&self, k: usize, prefixes: usize, query: &[f32], own: Option<usize>) -> Search {
        let whole = norm(query);
        let share = if whole > 0.0 { norm(&query[..self.dim]) / whole } else { 0.0 };
        let margin = (self.dim + prefixes + 8) as f32 * f32::EPSILON * share as f32;
        Search {
            k,
            own,
            share: share as f32,
            margin,
            least: f32::NEG_INFINITY,
            candidates: Vec::new(),
            decided: Vec::new(),
        }
    }

    /// The cosine in `f64`.
    fn neighbour(&self, query: &[f32], query_norm: f64, row: usize) -> Neighbour {
        let product = self.norms[row] * query_norm;
        let cosine = if product > 0.0 { dot(query, self.database.row(row)) / product } else { 0.0 };
        Neighbour { cosine, row }
    }
}

/// The search for one query's nearest rows by a prefix. Rows are compared by the products of the query's and their unit rows'
/// first numbers, over the norm of the row's: that is the cosine times `share`.
struct Search {
    k: usize,
    /// The query's own row, which it may not find.
    own: Option<usize>,
    /// Norm of the query's prefix over that of the whole query.
    share: f32,
    /// Twice the largest error: rows this close below the `k`-th best may belong to the best.
    margin: f32,
    /// Rows below this are not among the best.
    least: f32,
    /// Scaled cosine and row of all that are not below.
    candidates: Vec<(f32, u32)>,
    /// The best of those that `f64` has decided already, from the nearest.
    decided: Vec<Neighbour>,
}

impl Search {
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
    fn relieve(&mut self, prefix: &Prefix<'_>, query: &[f32]) {
        if self.candidates.len() > 4 * self.k + PILE {
            let candidates = std::mem::take(&mut self.candidates);
            self.decide(prefix, query, candidates.into_iter().map(|(_, row)| row as usize));
        }
    }

    fn decide(&mut self, prefix: &Prefix<'_>, query: &[f32], rows: impl Iterator<Item = usize>) {
        let query = &query[..prefix.dim];
        let query_norm = norm(query);
        self.decided.extend(rows.map(|row| prefix.neighbour(query, query_norm, row)));
        self.decided.sort_unstable_by(|a, b| b.cosine.total_cmp(&a.cosine).then(a.row.cmp(&b.row)));
        self.decided.truncate(self.k);
        if let Some(last) = self.decided.get(self.k - 1) {
            self.least = self.least.max(last.cosine as f32 * self.share - self.margin);
        }
    }

    /// The `k` nearest, from the nearest.
    fn finish(mut self, prefix: &Prefix<'_>, query: &[f32]) -> Vec<Neighbour> {
        let own = self.own;
        let others = |row: &usize| Some(*row) != own;
        if self.share > 0.0 && f64::from(self.share) < TINY {
            // Its products are lost: all rows are compared in `f64`.
            self.decided.clear();
            self.decide(prefix, query, (0..prefix.norms.len()).filter(others));
        } else {
            self.thin();
            let candidates = std::mem::take(&mut self.candidates);
            let tiny = prefix.tiny.iter().copied().filter(others);
            self.decide(prefix, query, candidates.into_iter().map(|(_, row)| row as usize).chain(tiny));
        }
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
            let rows = (0..database.len()).filter(|&row| among == Among::All || row != index);
            let mut scored: Vec<(usize, f64)> = rows.map(|row| (row, cosine(query, row))).collect();
            scored.sort_by(|a, b| b.1.total_cmp(&a.1));
            scored.into_iter().take(k).map(|(row, _)| row).collect()
        };
        (0..queries.len()).map(nearest).collect()
    }

    fn found_by(
        database: Rows<'_>,
        queries: Rows<'_>,
        dims: &[usize],
        k: usize,
        among: Among,
    ) -> Vec<Vec<Vec<usize>>> {
        let rows = |found: Neighbours| {
            let rows = |index| found.of(index).iter().map(|neighbour| neighbour.row).collect();
            (0..queries.len()).map(rows).collect()
        };
        Neighbours::search(database, queries, dims, k, among).into_iter().map(rows).collect()
    }

    fn found(database: Rows<'_>, queries: Rows<'_>, k: usize, among: Among) -> Vec<Vec<usize>> {
        found_by(database, queries, &[database.dims()], k, among).remove(0)
    }

    #[test]
    fn queries_beyond_those_of_a_time_find_the_same() {
        let angles = (0..AT_ONCE + 3).map(|query| query as f32);
        let queries: Vec<f32> = angles.flat_map(|angle| [angle.cos(), angle.sin()]).collect();
        let (database, queries) = (Rows::new(&[1.0, 0.0, 0.0, 1.0, -1.0, 0.5], 2), Rows::new(&queries, 2));
        let found = found_by(database, queries, &[1, 2], 2, Among::All);
        for (found, dim) in found.into_iter().zip([1, 2]) {
            assert_eq!(found, plain(database.prefix(dim), queries.prefix(dim), 2, Among::All));
        }
    }

    /// Small whole numbers, so that equal cosines and zero rows are common, any numbers, or numbers of any size.
    fn values(n: usize) -> impl Strategy<Value = Vec<f32>> {
        let whole = proptest::collection::vec((-1i8..2).prop_map(f32::from), n);
        let sizes = (-1.0f32..1.0, -36i32..30).prop_map(|(value, exponent)| value * 10f32.powi(exponent));
        prop_oneof![whole, proptest::collection::vec(-1.0f32..1.0, n), proptest::collection::vec(sizes, n)]
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
            let dims: Vec<usize> = (1..=d).collect();
            let prefixes = |rows: Rows<'_>| plain(rows, queries.prefix(rows.dims()), k, Among::All);
            let expected: Vec<_> = dims.iter().map(|&dim| prefixes(database.prefix(dim))).collect();
            prop_assert_eq!(&found_by(database, queries, &dims, k, Among::All), &expected);
            // Numbers beyond the longest prefix do not count.
            let half = d.div_ceil(2);
            prop_assert_eq!(&found_by(database, queries, &dims[..half], k, Among::All)[..], &expected[..half]);
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
            let short = |rows: Rows<'_>| plain(rows.prefix(4), queries.prefix(4), k, Among::All);
            let expected = [short(database), plain(database, queries, k, Among::All)];
            assert_eq!(found_by(database, queries, &[4, 9], k, Among::All), expected);
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
