mod bounds;
mod tuning;

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::{
    Dtype, Metric,
    graph::Visited,
    layout::{Block, Layout, Shortlist, bands},
    quantise::Numbers,
    rotation::Rotation,
    space::{Band, Guard, Segment, Space, Values},
    vector::dot,
};

/// What the tests search: rows `[n, width]` in segments.
#[derive(Clone, Debug)]
struct Rows {
    values: Vec<f32>,
    dims: Vec<usize>,
    metric: Metric,
    rotated: bool,
    dtype: Option<Dtype>,
    /// Where segments are cut, in rows.
    cuts: Vec<usize>,
    removed: Vec<usize>,
}

/// In memory there is nothing to be checked.
struct Memory;

impl Guard for Memory {
    fn check(&self, _: std::ops::Range<usize>) -> Result<(), Error> {
        Ok(())
    }
}

impl Rows {
    fn width(&self) -> usize {
        self.dims[self.dims.len() - 1]
    }

    fn len(&self) -> usize {
        self.values.len() / self.width()
    }

    fn row(&self, index: usize) -> &[f32] {
        &self.values[index * self.width()..][..self.width()]
    }

    /// Calls `search` with a searcher of the rows.
    fn searched<T>(&self, search: impl FnOnce(&Searcher<'_>) -> T) -> T {
        let width = self.width();
        let rotation = Rotation::fit(|row| self.row(row), self.len(), width, self.metric).unwrap();
        let rotation = self.rotated.then_some(&rotation);
        let shortlist = self.dtype.filter(|_| self.dims.len() > 1).map(|dtype| Shortlist { rotation, dtype });
        let layout = Layout { metric: self.metric, dims: &self.dims, shortlist };
        let starts: Vec<usize> = std::iter::once(0).chain(self.cuts.iter().copied()).collect();
        let ends = starts[1..].iter().copied().chain([self.len()]);
        let ranges: Vec<_> = starts.iter().zip(ends).map(|(&start, end)| start..end).collect();
        let blocks: Vec<Block> = ranges
            .iter()
            .map(|range| layout.encode(&self.values[range.start * width..range.end * width]))
            .collect();
        let removed: Vec<Vec<u64>> = ranges
            .iter()
            .map(|range| {
                let mut words = vec![0u64; range.len().div_ceil(64)];
                for row in self.removed.iter().filter(|row| range.contains(row)) {
                    words[(row - range.start) / 64] |= 1 << ((row - range.start) % 64);
                }
                words
            })
            .collect();
        let segments = blocks
            .iter()
            .zip(&removed)
            .zip(&ranges)
            .map(|((block, removed), range)| {
                segment(block, &self.dims, removed, range.len(), shortlist.is_some())
            })
            .collect();
        search(&Searcher::new(Database::new(segments, self.metric, &self.dims, rotation)))
    }

    /// All scores by the first `rank` dims, from the best.
    fn plain(&self, query: &[f32], rank: usize) -> Vec<(usize, f64)> {
        let score = |row: usize| {
            let (row, query) = (&self.row(row)[..rank], &query[..rank]);
            let norms = match self.metric {
                Metric::Cosine => dot(row, row).sqrt() * dot(query, query).sqrt(),
                Metric::Dot => 1.0,
            };
            if norms == 0.0 { 0.0 } else { dot(query, row) / norms }
        };
        let removed: HashSet<usize> = self.removed.iter().copied().collect();
        let live = (0..self.len()).filter(|row| !removed.contains(row));
        let mut scored: Vec<(usize, f64)> = live.map(|row| (row, score(row))).collect();
        scored.sort_by(|a, b| b.1.total_cmp(&a.1));
        scored
    }

    /// Asserts that `schedule` finds what plain loops do.
    fn agrees(&self, queries: &[f32], k: usize, schedule: &str) {
        self.searched(|searcher| self.agrees_by(searcher, queries, k, schedule));
    }

    /// The same by a searcher of these rows.
    fn agrees_by(&self, searcher: &Searcher<'_>, queries: &[f32], k: usize, schedule: &str) {
        let schedule: Schedule = schedule.parse().unwrap();
        let found = searcher.search(queries, k, &schedule).unwrap();
        // What a search has learned must not change what the next finds.
        assert_eq!(searcher.search(queries, k, &schedule).unwrap(), found);
        let rank = schedule.rank().unwrap_or(self.width());
        let plain = |query| self.plain(query, rank).into_iter().take(k);
        let expected: Vec<(usize, f64)> = queries.chunks(self.width()).flat_map(plain).collect();
        let found: Vec<(usize, f64)> =
            found.positions().iter().copied().zip(found.scores().iter().copied()).collect();
        assert_eq!(found, expected, "{schedule} {k}");
    }
}

fn segment<'a>(
    block: &'a Block,
    dims: &'a [usize],
    removed: &'a [u64],
    rows: usize,
    has_shortlist: bool,
) -> Segment<'a> {
    let trained = block.trained.iter().zip(bands(dims)).map(|(band, dims)| Band {
        dims,
        values: Values::F32(&band.values),
        aside: &band.norms,
        errors: &[],
        guard: &Memory,
    });
    let shortlist = block.shortlist.iter().zip(bands(dims)).map(|(band, dims)| Band {
        dims,
        values: borrowed(&band.encoded.numbers),
        aside: &band.beyond,
        errors: &band.encoded.errors,
        guard: &Memory,
    });
    Segment {
        rows,
        trained: Space { bands: trained.collect() },
        shortlist: has_shortlist.then(|| Space { bands: shortlist.collect() }),
        largest_norm: block.largest_norm,
        removed: removed.iter().any(|&word| word != 0).then_some(removed),
    }
}

fn borrowed(numbers: &Numbers) -> Values<'_> {
    match numbers {
        Numbers::F32(values) => Values::F32(values),
        Numbers::Bf16(bits) => Values::Bf16(bits),
        Numbers::Int8 { levels, scales } => Values::Int8 { levels, scales },
    }
}

/// Small whole numbers, so that equal scores and zero rows are common, any numbers, or numbers of any size.
fn values(n: usize) -> BoxedStrategy<Vec<f32>> {
    let whole = proptest::collection::vec((-1i8..2).prop_map(f32::from), n);
    let sizes = (-1.0f32..1.0, -40i32..36).prop_map(|(value, exponent)| value * 10f32.powi(exponent));
    prop_oneof![whole, proptest::collection::vec(-1.0f32..1.0, n), proptest::collection::vec(sizes, n)]
        .boxed()
}

fn dtype() -> impl Strategy<Value = Option<Dtype>> {
    prop_oneof![Just(None), Just(Some(Dtype::F32)), Just(Some(Dtype::Bf16)), Just(Some(Dtype::Int8))]
}

/// Rows, queries and how many hits are wanted.
fn problem() -> impl Strategy<Value = (Rows, Vec<f32>, usize)> {
    (proptest::collection::btree_set(1usize..20, 1..5), 1usize..90, 1usize..8, 1usize..100).prop_flat_map(
        |(dims, n, m, k)| {
            let dims: Vec<usize> = dims.into_iter().collect();
            let width = dims[dims.len() - 1];
            let cuts = proptest::collection::btree_set(1..n.max(2), 0..3);
            let removed = proptest::collection::btree_set(0..n, 0..n.min(20));
            let metric = prop_oneof![Just(Metric::Cosine), Just(Metric::Dot)];
            let numbers = (values(n * width), values(m * width));
            (numbers, dtype(), any::<bool>(), metric, cuts, removed, Just((dims, k))).prop_map(
                move |((values, queries), dtype, rotated, metric, cuts, removed, (dims, k))| {
                    let cuts = cuts.into_iter().filter(|&cut| cut < n).collect();
                    let removed = removed.into_iter().collect();
                    let rotated = rotated && dtype.is_some();
                    (
                        Rows { values, dims, metric, rotated, dtype, cuts, removed },
                        directed(queries, width),
                        k,
                    )
                },
            )
        },
    )
}

/// `queries` of which no prefix is zero.
fn directed(mut queries: Vec<f32>, width: usize) -> Vec<f32> {
    queries.iter_mut().step_by(width).filter(|value| **value == 0.0).for_each(|value| *value = 1.0);
    queries
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(mrl_testing::scaled(512)))]

    #[test]
    fn exact_searches_find_what_plain_loops_find((rows, queries, k) in problem()) {
        rows.agrees(&queries, k, "exact");
        for &dim in &rows.dims {
            rows.agrees(&queries, k, &dim.to_string());
        }
    }

    /// However it goes about, even if it keeps too few rows to be sure at once.
    #[test]
    fn every_plan_finds_what_plain_loops_find((rows, queries, k) in problem(), keep in 1usize..30) {
        let expected: Vec<Vec<(usize, f64)>> =
            queries.chunks(rows.width()).map(|query| rows.plain(query, rows.width())).collect();
        rows.searched(|searcher| {
            let k = k.min(searcher.database.live()).max(1);
            let queries = Queries::new(&searcher.database, &queries, rows.width()).unwrap();
            for kind in [Kind::Trained, Kind::Shortlist] {
                let ends = searcher.database.ends(kind);
                let longer = |dim| ends.iter().copied().filter(move |&end| end > dim).map(Some).chain([None]);
                for (dim, longer) in ends.iter().flat_map(|&dim| longer(dim).map(move |longer| (dim, longer))) {
                    let plan = Plan { kind, dim, longer, keep, multiply_adds: 0.0 };
                    let proven = Bounding::new(&queries, &plan).search(k).unwrap();
                    for (expected, proven) in expected.iter().zip(proven) {
                        let found: Vec<_> = proven.best.iter().map(|hit| (hit.row, hit.score)).collect();
                        assert_eq!(found[..], expected[..k.min(expected.len())], "{plan:?}");
                    }
                }
            }
        });
    }

    #[test]
    fn shortlists_of_all_rows_lose_none((rows, queries, k) in problem()) {
        let n = rows.len().max(k);
        let all = |trained: &str, dim: &usize| format!("{trained}{dim}:{n}");
        for trained in ["", "t"] {
            for dim in &rows.dims {
                rows.agrees(&queries, k, &all(trained, dim));
                rows.agrees(&queries, k, &format!("{},{}", all(trained, dim), rows.dims[0]));
            }
            let stages: Vec<String> = rows.dims.iter().map(|dim| all(trained, dim)).collect();
            rows.agrees(&queries, k, &stages.join(","));
        }
    }

    /// By a prefix of the rows as given, a shortlist is what ranking by that prefix gives, up to the rounding of `f32`.
    #[test]
    fn shortlists_are_the_best_by_their_prefix((mut rows, mut queries, k) in problem(), keep in 1usize..50) {
        for value in rows.values.iter_mut().chain(&mut queries) {
            *value = (value.clamp(-1.0, 1.0) * 1e3).round() / 1e3;
        }
        let queries = directed(queries, rows.width());
        let (dim, keep) = (rows.dims[0], keep.max(k));
        let schedule: Schedule = format!("t{dim}:{keep}").parse().unwrap();
        let found = rows.searched(|searcher| searcher.search(&queries, k, &schedule).unwrap());
        for (index, query) in queries.chunks(rows.width()).enumerate() {
            let by_prefix = rows.plain(query, dim);
            let Some(&(_, last)) = by_prefix.get(keep - 1) else { continue };
            let unit = dot(query, query).sqrt() * by_prefix.iter().map(|&(row, _)| dot(rows.row(row), rows.row(row))).fold(0.0, f64::max).sqrt();
            let margin = 1e-5 * if rows.metric == Metric::Cosine { 1.0 } else { unit };
            let scores: std::collections::HashMap<usize, f64> = by_prefix.iter().copied().collect();
            for row in &found.positions()[index * found.k()..][..found.k()] {
                prop_assert!(scores[row] >= last - margin, "row {row}: {} below {last}", scores[row]);
            }
        }
    }
}

/// Rows of few directions, so that bounds by short prefixes leave few rows, and more than one block of each.
fn many(n: usize, width: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    let mut random = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f32::from((state >> 16) as u16) / 32768.0 - 1.0
    };
    let mut rows = Vec::with_capacity(n * width);
    for _ in 0..n {
        let turn = random();
        rows.extend((0..width).map(|dim| random() / (1 + dim) as f32 + turn / (1 + dim % 7) as f32));
    }
    rows
}

#[test]
fn many_rows_and_queries_agree_with_plain_loops() {
    many_agree(&[(Metric::Cosine, Some(Dtype::Int8), true)]);
}

#[test]
#[ignore = "long: cargo xtask test --long"]
fn many_rows_of_every_kind_agree_with_plain_loops() {
    many_agree(&[
        (Metric::Cosine, Some(Dtype::Bf16), false),
        (Metric::Cosine, None, false),
        (Metric::Dot, Some(Dtype::F32), true),
        (Metric::Dot, None, false),
    ]);
}

/// Rows of a metric, with or without a shortlist of a type, which may be rotated.
fn many_agree(kinds: &[(Metric, Option<Dtype>, bool)]) {
    let width = 40;
    let queries = many(70, width, 2);
    for &(metric, dtype, rotated) in kinds {
        let rows = Rows {
            values: many(5_000, width, 1),
            dims: vec![4, 8, 19, width],
            metric,
            rotated,
            dtype,
            cuts: vec![1_111, 1_112, 4_000],
            removed: (0..5_000).step_by(7).collect(),
        };
        rows.searched(|searcher| {
            for queries in [&queries[..], &queries[..width], &queries[..5 * width]] {
                for (k, schedule) in
                    [(1, "exact"), (10, "exact"), (300, "exact"), (3, "8"), (10, "4:5000,8:4500")]
                {
                    rows.agrees_by(searcher, queries, k, schedule);
                }
            }
        });
    }
}

#[test]
fn rows_that_are_all_alike_are_found_in_order() {
    let rows = Rows {
        values: [0.3f32, -0.4, 0.5, 0.1].repeat(3_000),
        dims: vec![2, 4],
        metric: Metric::Cosine,
        rotated: true,
        dtype: Some(Dtype::Int8),
        cuts: vec![100],
        removed: vec![0, 2],
    };
    rows.agrees(&[1.0, 2.0, 3.0, 4.0, -1.0, 0.0, 0.0, 0.0], 5, "exact");
}

#[test]
fn bounds_by_a_prefix_leave_few_rows_to_decide() {
    let rows = Rows {
        values: many(3_000, 40, 3),
        dims: vec![8, 16, 40],
        metric: Metric::Cosine,
        rotated: true,
        dtype: Some(Dtype::Int8),
        cuts: vec![],
        removed: vec![],
    };
    let queries = many(40, 40, 4);
    rows.searched(|searcher| {
        let queries = Queries::new(&searcher.database, &queries, 40).unwrap();
        let plan = Plan { kind: Kind::Shortlist, dim: 16, longer: None, keep: 300, multiply_adds: 0.0 };
        let proven = Bounding::new(&queries, &plan).search(5).unwrap();
        let at_once = proven.iter().filter(|proven| proven.at_once).count();
        assert!(at_once > 30, "{at_once} of {}", proven.len());
    });
}

#[test]
fn many_numbers_are_scanned_by_a_prefix() {
    let rows = Rows {
        values: many(4_000, 256, 3),
        dims: vec![8, 16, 32, 64, 128, 256],
        metric: Metric::Cosine,
        rotated: true,
        dtype: Some(Dtype::Int8),
        cuts: vec![],
        removed: vec![],
    };
    let queries = many(40, 256, 4);
    rows.searched(|searcher| {
        let plan = searcher.plan(&Queries::new(&searcher.database, &queries, 256).unwrap(), 5).unwrap();
        assert!(plan.dim < 128, "{plan:?}");
    });
}

#[test]
fn wrong_questions_are_refused() {
    let rows = Rows {
        values: many(10, 4, 1),
        dims: vec![2, 4],
        metric: Metric::Cosine,
        rotated: false,
        dtype: None,
        cuts: vec![],
        removed: vec![],
    };
    let message = |queries: &[f32], k: usize, schedule: &str| {
        let schedule = schedule.parse().unwrap();
        rows.searched(|searcher| searcher.search(queries, k, &schedule).unwrap_err().to_string())
    };
    let query = [1.0, 0.0, 0.0, 0.0];
    let all = [
        message(&query[..3], 1, "exact"),
        message(&[1.0, 0.0, f32::NAN, 0.0], 1, "exact"),
        message(&[query, [0.0; 4]].concat(), 1, "exact"),
        message(&[0.0, 0.0, 1.0, 0.0], 1, "2:5,2"),
        message(&query, 0, "exact"),
        message(&query, 1, "3:5,4"),
        message(&query, 1, "2:5,3"),
        message(&query, 6, "2:5,4"),
    ];
    let expected = [
        "3 numbers are no queries of width 4, that of the index; embed them with the encoder of the index",
        "number 2 of query 0 is not finite; search with finite numbers",
        "query 1 is zero in its first 4 dims, so it has no cosine with any row; leave it out",
        "query 0 is zero in its first 2 dims, so it has no cosine with any row; leave it out",
        "k is 0; ask for at least one row",
        "the index has no prefix of 3 dims; it has 2, 4",
        "the index has no prefix of 3 dims; it has 2, 4",
        "stage 2:5 of the schedule keeps fewer rows than k = 6; let it keep at least 6",
    ];
    assert_eq!(all, expected);
}

#[test]
fn nothing_is_found_where_all_is_removed_and_by_no_queries() {
    let mut rows = Rows {
        values: many(10, 4, 1),
        dims: vec![2, 4],
        metric: Metric::Dot,
        rotated: false,
        dtype: Some(Dtype::Bf16),
        cuts: vec![4],
        removed: vec![],
    };
    rows.agrees(&[], 3, "exact");
    rows.removed = (0..10).collect();
    rows.agrees(&[1.0; 4], 3, "exact");
    rows.agrees(&[1.0; 4], 3, "2:5");
}

#[test]
fn a_graph_scores_rows_as_a_scan_of_its_prefix_does() {
    for (dtype, rotated) in
        [(None, false), (Some(Dtype::Bf16), false), (Some(Dtype::Int8), false), (Some(Dtype::Int8), true)]
    {
        let rows = Rows {
            values: many(600, 32, 1),
            dims: vec![4, 32],
            metric: Metric::Cosine,
            rotated,
            dtype,
            cuts: vec![300],
            removed: vec![],
        };
        let query = many(1, 32, 2);
        rows.searched(|searcher| {
            let (database, kind) = (&searcher.database, searcher.database.shortlist_kind());
            let prefix = database.prefix(kind, 4);
            let turned = Queries::new(database, &query, 32).unwrap().turned(kind, 4, 32);
            let query = turned.extended(0, &prefix);
            let scanned = scan::scan(&prefix, &query, 0..600, 600).unwrap().remove(0).candidates;
            let scanned: HashMap<usize, f32> =
                scanned.iter().map(|candidate| (candidate.row(), candidate.score())).collect();
            let built = database.build_graph(4).unwrap();
            let query = built.view().query(&query).unwrap();
            for candidate in built.view().nearest(&query, 40, &mut Visited::default()).unwrap() {
                let (walked, scanned) = (candidate.score(), scanned[&candidate.row()]);
                assert!((walked - scanned).abs() < 0.05, "{dtype:?} {rotated}: {walked}, not {scanned}");
            }
        });
    }
}
