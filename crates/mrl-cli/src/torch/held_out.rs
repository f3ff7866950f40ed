//! Held-out images while training goes on: what `mrl eval` would measure, and how it is shown.

use mrl_embedding::EmbeddingSet;
use mrl_eval::{EvalError, EvalOptions, Measure, Method, evaluate};
use mrl_train::{EvalRecord, HeldOutKnn1};

/// The share of `queries` whose nearest row of `database` has their label, for each of `dims`: by prefixes, and by centred principal
/// components of `database`. Where these are not found, as of features that are too large, there are none: a figure that is only shown does
/// not end a run.
pub(super) fn knn1(
    database: &EmbeddingSet,
    queries: &EmbeddingSet,
    dims: &[usize],
) -> Result<HeldOutKnn1, EvalError> {
    let prefix = prefix_knn1(database, queries, dims)?;
    let pca = knn1_by([Method::Pca], database, queries, dims);
    Ok(HeldOutKnn1 { prefix, pca: pca.map(|[pca]| pca).unwrap_or_default() })
}

/// The same by prefixes alone.
pub(super) fn prefix_knn1(
    database: &EmbeddingSet,
    queries: &EmbeddingSet,
    dims: &[usize],
) -> Result<Vec<f64>, EvalError> {
    let [prefix] = knn1_by([Method::Prefix], database, queries, dims)?;
    Ok(prefix)
}

fn knn1_by<const N: usize>(
    methods: [Method; N],
    database: &EmbeddingSet,
    queries: &EmbeddingSet,
    dims: &[usize],
) -> Result<[Vec<f64>; N], EvalError> {
    let options = EvalOptions {
        dims: Some(dims.to_vec()),
        methods: methods.to_vec(),
        measures: vec![Measure::Knn1],
        resamples: 0,
        ..EvalOptions::default()
    };
    let mut report = evaluate(database, queries, &options, &mut |_| {})?;
    Ok(methods.map(|method| report.methods.remove(&method).map(|measures| measures.knn1).unwrap_or_default()))
}

/// A line of dims, and two of accuracies in % for each network.
pub(super) fn table(record: &EvalRecord, dims: &[usize]) -> String {
    let cells =
        |cells: Vec<String>| cells.iter().map(|cell| format!("{cell:>6}")).collect::<Vec<_>>().concat();
    let percent =
        |shares: &[f64]| cells(shares.iter().map(|share| format!("{:.1}", 100.0 * share)).collect());
    format!(
        "1-NN of held-out images in %, after {} epochs (step {})\n  dims   {}\n  online {}\n    PCA  {}\n  target {}\n    PCA  {}",
        (record.epoch * 10.0).round() / 10.0,
        record.step,
        cells(dims.iter().map(ToString::to_string).collect()),
        percent(&record.online_knn1),
        percent(&record.online_pca_knn1),
        percent(&record.target_knn1),
        percent(&record.target_pca_knn1)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accuracies_stand_below_their_dims() {
        let record = EvalRecord {
            step: 5,
            epoch: 1.25,
            online_knn1: vec![0.5, 1.0],
            online_pca_knn1: vec![0.25, 0.5],
            target_knn1: vec![0.0333, 0.25],
            target_pca_knn1: vec![0.02, 0.2],
        };
        let expected = "1-NN of held-out images in %, after 1.3 epochs (step 5)\n  dims        8  2048\n  online   50.0 100.0\n    \
                        PCA    25.0  50.0\n  target    3.3  25.0\n    PCA     2.0  20.0";
        assert_eq!(table(&record, &[8, 2048]), expected);
    }

    #[test]
    fn each_prefix_has_its_own_neighbours() {
        // By the first number alone a query is nearest to the wrong class.
        let set = |rows: &[f32], labels: &[i64]| {
            EmbeddingSet::new(rows.to_vec(), 2).unwrap().with_labels(labels.to_vec()).unwrap()
        };
        let database = set(&[-1.0, 5.0, 1.0, 0.0], &[0, 1]);
        let queries = set(&[0.1, 5.0], &[0]);
        assert_eq!(knn1(&database, &queries, &[1, 2]).unwrap().prefix, [0.0, 1.0]);
    }
}
