//! The best rows of all, proven: bounds by a short prefix leave few to be decided.

use mrl_linalg::vectorised;

use super::{
    candidates::reaches,
    database::Kind,
    for_each_query,
    judge::{Hit, Judge},
    plan::Plan,
    prefix::{BLOCK, Prefix},
    queries::{Queries, Turned},
    scan::{Found, scan},
};
use crate::{Error, space::Metric};

/// Rows that are decided together: what they settle is known to the next.
const TOGETHER: usize = 16;

/// Prefixes of rows that bound scores, and queries turned to be multiplied with them.
pub(super) struct Bounding<'q> {
    queries: &'q Queries<'q>,
    kind: Kind,
    turned: Turned,
    prefix: Prefix<'q>,
    /// A longer one, which is tried before a row is decided.
    longer: Option<Prefix<'q>>,
    keep: usize,
}

/// The best `k` for a query, and whether what the scan kept was enough to prove it.
pub(super) struct Proven {
    pub(super) best: Vec<Hit>,
    pub(super) at_once: bool,
}

impl<'q> Bounding<'q> {
    pub(super) fn new(queries: &'q Queries<'q>, plan: &Plan) -> Self {
        let (database, rank, kind) = (queries.database(), queries.rank(), plan.kind);
        Self {
            queries,
            kind,
            turned: queries.turned(kind, plan.longer.unwrap_or(plan.dim), rank),
            prefix: database.bounded(kind, plan.dim, rank),
            longer: plan.longer.map(|dim| database.bounded(kind, dim, rank)),
            keep: plan.keep,
        }
    }

    /// The `k` best rows for each query.
    pub(super) fn search(&self, k: usize) -> Result<Vec<Proven>, Error> {
        let extended = self.turned.all_extended(&self.prefix);
        let found = scan(&self.prefix, &extended, 0..self.queries.database().rows(), self.keep.max(k))?;
        for_each_query(found, |index, mut found| {
            vectorised(
                #[inline(always)]
                || self.decide(index, &mut found, k),
            )
        })
    }

    /// Decides from the largest bound on, until no bound is left that reaches the `k`-th best.
    #[inline(always)]
    fn decide(&self, index: usize, found: &mut Found, k: usize) -> Result<Proven, Error> {
        found.candidates.sort_unstable_by(|a, b| b.cmp(a));
        let longer = self.longer.as_ref().map(|longer| (longer, self.turned.extended(index, longer)));
        let mut judge = Judge::new(self.queries, index, k);
        let mut least = f32::NEG_INFINITY;
        let mut candidates = found.candidates.iter();
        let mut rows = Vec::with_capacity(TOGETHER);
        loop {
            rows.clear();
            for candidate in candidates.by_ref().take_while(|candidate| reaches(candidate.score(), least)) {
                let row = candidate.row();
                let is_out = match &longer {
                    Some((longer, query)) if least > f32::NEG_INFINITY => {
                        !reaches(bound(longer, row, query)?, least)
                    }
                    _ => false,
                };
                if !is_out {
                    rows.push(row);
                }
                if rows.len() == TOGETHER {
                    break;
                }
            }
            if rows.is_empty() {
                break;
            }
            judge.score(&rows)?;
            least = self.least(index, judge.kth());
        }
        if found.least < least {
            return Ok(Proven { best: judge.finish(), at_once: true });
        }
        Ok(Proven { best: self.again(index, k, least)?, at_once: false })
    }

    /// Decides among all rows whose bound reaches `least`, which the `k` best do.
    fn again(&self, index: usize, k: usize, mut least: f32) -> Result<Vec<Hit>, Error> {
        let query = self.turned.extended(index, &self.prefix);
        let mut judge = Judge::new(self.queries, index, k);
        let mut bounds = [0.0; BLOCK];
        for rows in self.prefix.blocks(0..self.queries.database().rows(), BLOCK) {
            rows.check()?;
            let bounds = &mut bounds[..rows.len()];
            vectorised(
                #[inline(always)]
                || rows.multiply(&query, bounds),
            );
            for (row, &bound) in (rows.start()..).zip(&*bounds) {
                if reaches(bound, least) && !rows.is_removed(row) {
                    judge.score(&[row])?;
                    least = least.max(self.least(index, judge.kth()));
                }
            }
        }
        Ok(judge.finish())
    }

    /// Rows whose bounds are below this score less than `kth`.
    fn least(&self, index: usize, kth: Option<f64>) -> f32 {
        let longest = self.longer.as_ref().unwrap_or(&self.prefix);
        kth.map_or(f32::NEG_INFINITY, |kth| least(self.queries, self.kind, longest, index, kth))
    }
}

/// The product of an extended row and query.
#[inline(always)]
fn bound(prefix: &Prefix<'_>, row: usize, query: &[f32]) -> Result<f32, Error> {
    let row = prefix.row(row);
    row.check()?;
    Ok(row.multiply_one(query))
}

/// Rows whose bounds by `prefix`, or a shorter one, are below this score less than `kth` with query `index`.
///
/// A product of vectors of norm 1 is off by at most a rounding for each number of both and each sum (Higham, Accuracy and
/// Stability of Numerical Algorithms, section 3.1); extending them may double the product of their norms; the rest is room to
/// spare. What is smaller than the smallest normal number may be lost.
pub(super) fn least(queries: &Queries<'_>, kind: Kind, prefix: &Prefix<'_>, index: usize, kth: f64) -> f32 {
    let database = queries.database();
    let rounding = (prefix.extent() + 32) as f64 * 2.0 * f64::from(f32::EPSILON);
    let lost = prefix.extent() as f64 * f64::from(f32::MIN_POSITIVE);
    let margin = database.largest_norm() * (rounding + database.distortion(kind)) + lost;
    let kth = match database.metric() {
        Metric::Cosine => kth,
        Metric::Dot => kth / queries.divisor(index, queries.rank()),
    };
    ((kth - margin) as f32).next_down()
}
