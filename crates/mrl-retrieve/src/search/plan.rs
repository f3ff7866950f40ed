//! Which prefix to bound scores by: a short one is soon multiplied, a long one leaves few rows to decide.

use mrl_linalg::vectorised;

use super::{
    candidates::reaches,
    database::{Database, Kind},
    exact::least,
    funnel::{Stage, funnel},
    graph::Walkers,
    prefix::Prefix,
    queries::Queries,
};
use crate::Error;

/// How an exact search goes about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Plan {
    pub(super) kind: Kind,
    pub(super) dim: usize,
    /// A longer prefix, which is tried before a row is decided.
    pub(super) longer: Option<usize>,
    /// Rows of the largest bounds that are kept, to decide among.
    pub(super) keep: usize,
    /// Multiplications of two numbers that are expected for a query.
    pub(super) multiply_adds: f64,
}

/// How many rows each prefix leaves to be decided, estimated.
#[derive(Clone, Debug)]
pub(super) struct Survey(Vec<Left>);

#[derive(Clone, Copy, Debug)]
struct Left {
    kind: Kind,
    dim: usize,
    rows: f64,
}

/// Queries that are looked at, at most.
pub(super) const QUERIES: usize = 16;

/// Rows that are looked at, in evenly spaced blocks.
const BLOCKS: usize = 64;
const BLOCK: usize = 64;

/// The longest prefix that shortlists to find about the `k`-th best score.
const SHORTLIST: usize = 64;

impl Survey {
    /// By some `queries` for `k` rows.
    pub(super) fn of(queries: &Queries<'_>, k: usize) -> Result<Self, Error> {
        let database = queries.database();
        let prefixes = prefixes(database, queries.rank());
        let short = |&&(_, dim): &&(Kind, usize)| dim <= SHORTLIST;
        let &(kind, dim) = prefixes.iter().filter(short).max_by_key(|(_, dim)| *dim).unwrap_or(&prefixes[0]);
        let stage = Stage { kind, dim, keep: 8 * k + BLOCK, walks: false };
        let best = funnel(queries, &[stage], k, &Walkers::default())?;
        let kths: Vec<f64> = best.iter().map(|hits| hits[k - 1].score).collect();
        let left = |(kind, dim)| Ok(Left { kind, dim, rows: left(queries, kind, dim, &kths)? });
        Ok(Self(prefixes.into_iter().map(left).collect::<Result<_, Error>>()?))
    }

    /// What is on the safe side of two surveys of the same index.
    pub(super) fn join(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(left, other)| left.rows = left.rows.max(other.rows));
    }

    /// The cheapest way for each of `n` queries.
    pub(super) fn plan(&self, database: &Database<'_>, n: usize, k: usize) -> Plan {
        let cost = Cost::of(database, n);
        let (rows, width) = (database.rows() as f64, database.width() as f64);
        let plans = self.0.iter().flat_map(|first| {
            let keep = (4.0 * first.rows) as usize + 4 * k + BLOCK;
            let scanned = cost.scan(first.dim) + cost.select(keep);
            let products = rows * first.dim as f64;
            let multiply_adds = products + cost.turn_products(first) + first.rows * width;
            let plan = Plan { kind: first.kind, dim: first.dim, longer: None, keep, multiply_adds };
            let direct = (scanned + cost.turn(first) + first.rows * cost.decide(), plan);
            let longer = self.0.iter().filter(|second| second.kind == first.kind && second.dim > first.dim);
            let by_longer = longer.map(move |second| {
                let tried = first.rows * Cost::bound(second.dim) + second.rows * cost.decide();
                let tried_products = first.rows * second.dim as f64 + second.rows * width;
                let multiply_adds = products + cost.turn_products(second) + tried_products;
                let plan = Plan { longer: Some(second.dim), multiply_adds, ..plan };
                (scanned + cost.turn(second) + tried, plan)
            });
            std::iter::once(direct).chain(by_longer)
        });
        plans.min_by(|a, b| a.0.total_cmp(&b.0)).expect("an index has a prefix").1
    }
}

/// The prefixes that bound scores by the first `rank` dims.
fn prefixes(database: &Database<'_>, rank: usize) -> Vec<(Kind, usize)> {
    let shortlist = database.ends(Kind::Shortlist).iter().filter(|_| rank == database.width());
    let trained = database.ends(Kind::Trained).iter().filter(|&&dim| dim <= rank);
    let shortlist = shortlist.map(|&dim| (Kind::Shortlist, dim));
    shortlist.chain(trained.map(|&dim| (Kind::Trained, dim))).collect()
}

/// How many rows have bounds that reach the `k`-th best scores `kths` of the queries, on average.
fn left(queries: &Queries<'_>, kind: Kind, dim: usize, kths: &[f64]) -> Result<f64, Error> {
    let database = queries.database();
    let prefix = database.bounded(kind, dim, queries.rank());
    let turned = queries.turned(kind, dim, queries.rank());
    let (mut seen, mut left) = (0usize, 0usize);
    let mut bounds = [0.0; BLOCK];
    for rows in sample(&prefix, database.rows()) {
        rows.check()?;
        for (index, &kth) in kths.iter().enumerate() {
            let bounds = &mut bounds[..rows.len()];
            let query = turned.extended(index, &prefix);
            vectorised(
                #[inline(always)]
                || rows.multiply(&query, bounds),
            );
            let least = least(queries, kind, &prefix, index, kth);
            seen += rows.len();
            left += bounds.iter().filter(|&&bound| reaches(bound, least)).count();
        }
    }
    Ok(left as f64 / seen as f64 * database.rows() as f64)
}

/// Evenly spaced blocks of all rows.
fn sample<'p>(prefix: &'p Prefix<'_>, rows: usize) -> impl Iterator<Item = super::prefix::Rows<'p>> {
    let step = (rows / BLOCKS).max(BLOCK);
    (0..rows).step_by(step).flat_map(move |start| prefix.blocks(start..rows.min(start + BLOCK), BLOCK))
}

/// Times in cycles of a processor, roughly, as measured; only what they are to each other matters.
#[derive(Clone, Copy)]
struct Cost {
    rows: f64,
    width: f64,
    is_rotated: bool,
    /// Of a number of a row that is scanned.
    number: f64,
    /// Of each row that is scanned.
    row: f64,
}

impl Cost {
    fn of(database: &Database<'_>, n: usize) -> Self {
        // Single queries wait for memory, but have all threads for themselves.
        let (number, row) =
            if n < super::scan::FEW { (0.3 / rayon::current_num_threads() as f64, 4.0) } else { (0.08, 0.4) };
        Self {
            rows: database.rows() as f64,
            width: database.width() as f64,
            is_rotated: database.rotation(Kind::Shortlist).is_some(),
            number,
            row,
        }
    }

    fn scan(self, dim: usize) -> f64 {
        self.rows * (self.row + self.number * dim as f64)
    }

    /// The best `keep` of all.
    fn select(self, keep: usize) -> f64 {
        20.0 * keep as f64 * (1.0 + (self.rows / keep as f64).max(1.0).ln())
    }

    /// A query, turned up to a dim of the shortlist.
    fn turn(self, left: &Left) -> f64 {
        0.2 * self.turn_products(left)
    }

    fn turn_products(self, left: &Left) -> f64 {
        if left.kind == Kind::Shortlist && self.is_rotated { self.width * left.dim as f64 } else { 0.0 }
    }

    fn bound(dim: usize) -> f64 {
        100.0 + 0.4 * dim as f64
    }

    fn decide(self) -> f64 {
        300.0 + self.width
    }
}
