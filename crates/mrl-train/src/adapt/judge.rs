//! Judges maps by rows that were kept out of the fit.

use mrl_config::AdaptObjective;
use tch::{Kind, Tensor};

use super::vectors::Vectors;
use crate::objective::norms;

/// Nearest rows that prefixes are to keep.
const K: i64 = 10;

/// Rows that are searched, at most: more would say nearly the same.
const DATABASE: usize = 16_384;

/// Queries that are compared with the database at a time.
const BLOCK: i64 = 256;

/// Compares maps with the principal components, on rows that were kept out of the fit.
pub(super) struct Judge {
    queries: Vectors,
    database: Vectors,
    truth: Truth,
    dims: Vec<usize>,
    /// The neighbours kept by each prefix of the principal components for each query, `[dims, q]`.
    principal: Tensor,
}

/// Which rows a prefix should find.
enum Truth {
    /// The nearest by whole vectors, `[q, k]`.
    Nearest(Tensor),
    /// As the nearest, one of the query's label.
    Labels,
}

/// A prefix counts as worse than the principal components only if it is below them by more than this and by more than half the standard
/// error. A smaller difference can come from rounding and does not generalise to other rows.
const SLACK: f64 = 0.003;

/// The judgement of a map.
pub(super) struct Worth {
    /// The mean over prefixes and queries.
    pub(super) mean: f64,
    /// True when no prefix is clearly below the principal components and the mean is above theirs by more than two standard errors.
    pub(super) is_better: bool,
}

impl Judge {
    /// Judges prefixes of `dims` by `queries`, which are kept out of the fit, among the `fitted` rows.
    pub(super) fn new(queries: Vectors, fitted: &Vectors, objective: AdaptObjective, dims: &[usize]) -> Self {
        let (database, _) = fitted.split(DATABASE);
        let truth = match objective {
            AdaptObjective::Similarity => Truth::Nearest(search(&queries.rows, &database.rows, K)),
            AdaptObjective::Labels => Truth::Labels,
        };
        let mut judge = Self { queries, database, truth, dims: dims.to_vec(), principal: Tensor::new() };
        judge.principal = judge.measure(&Tensor::shallow_clone, dims);
        judge
    }

    /// The neighbours kept by the principal components: the mean over prefixes and queries.
    pub(super) fn principal(&self) -> f64 {
        self.principal.mean(Kind::Double).double_value(&[])
    }

    /// Scores `map` of rows `[n, d]`. Only prefixes of fewer than `border` dims are measured, because `map` keeps the cosines of all
    /// others.
    pub(super) fn worth(&self, map: &dyn Fn(&Tensor) -> Tensor, border: usize) -> Worth {
        let changed = self.dims.partition_point(|&dim| dim < border);
        let gains = self.measure(map, &self.dims[..changed]) - self.principal.narrow(0, 0, changed as i64);
        let of_query = gains.mean_dim([0i64].as_slice(), false, Kind::Double);
        let (mean, error) = mean_and_error(&of_query);
        let is_below = |dim: usize| {
            let (mean, error) = mean_and_error(&gains.get(dim as i64));
            mean < -SLACK.max(0.5 * error)
        };
        Worth {
            mean: self.principal() + mean * changed as f64 / self.dims.len() as f64,
            is_better: mean > 2.0 * error && !(0..changed).any(is_below),
        }
    }

    /// The neighbours kept by prefixes of `dims` of the mapped rows for each query, from 0 to 1, `[dims, q]`.
    fn measure(&self, map: &dyn Fn(&Tensor) -> Tensor, dims: &[usize]) -> Tensor {
        let (queries, database) = tch::no_grad(|| (map(&self.queries.rows), map(&self.database.rows)));
        let of_dim = |&dim: &usize| {
            let [queries, database] = [&queries, &database].map(|rows| rows.narrow(1, 0, dim as i64));
            self.hits(&queries, &database)
        };
        Tensor::stack(&dims.iter().map(of_dim).collect::<Vec<_>>(), 0)
    }

    /// The share of what they should that `queries` `[q, m]` find in `database` `[n, m]`, `[q]`.
    fn hits(&self, queries: &Tensor, database: &Tensor) -> Tensor {
        match &self.truth {
            Truth::Nearest(nearest) => {
                let found = search(queries, database, K);
                let same = found.unsqueeze(2).eq_tensor(&nearest.unsqueeze(1)); // [q, k, k]
                same.sum_dim_intlist([1i64, 2].as_slice(), false, Kind::Float) / nearest.size()[1]
            }
            Truth::Labels => {
                let labels = |vectors: &Vectors| vectors.labels.as_ref().expect("checked").shallow_clone();
                let found = search(queries, database, 1).squeeze_dim(1);
                labels(&self.database)
                    .index_select(0, &found)
                    .eq_tensor(&labels(&self.queries))
                    .to_kind(Kind::Float)
            }
        }
    }
}

/// The mean of `gains` `[q]` and its standard error, which is infinite for one query: that proves nothing.
fn mean_and_error(gains: &Tensor) -> (f64, f64) {
    let queries = gains.numel();
    let mean = gains.mean(Kind::Double).double_value(&[]);
    if queries < 2 {
        return (mean, f64::INFINITY);
    }
    (mean, gains.to_kind(Kind::Double).std(true).double_value(&[]) / (queries as f64).sqrt())
}

/// The `k` rows of `database` `[n, m]`, or all, with the largest cosines with each of `queries` `[q, m]`, `[q, k]`.
fn search(queries: &Tensor, database: &Tensor, k: i64) -> Tensor {
    let unit = |rows: &Tensor| rows / norms(rows);
    let (k, database) = (k.min(database.size()[0]), unit(database).tr());
    let nearest = |block: &Tensor| unit(block).matmul(&database).topk(k, 1, true, true).1;
    Tensor::cat(&queries.split(BLOCK, 0).iter().map(nearest).collect::<Vec<_>>(), 0)
}
