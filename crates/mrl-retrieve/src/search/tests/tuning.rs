//! What tuning measures and chooses.

use mrl_embedding::EmbeddingSet;

use super::*;

const UNTUNED: TuneOptions =
    TuneOptions { k: 3, recall: 0.9, workload: Workload::Batch, graph: GraphChoice::None };

/// An index whose first dims say much, but not all.
fn tunable() -> Rows {
    Rows {
        values: many(4_000, 64, 3),
        dims: vec![4, 8, 16, 32, 64],
        metric: Metric::Cosine,
        rotated: true,
        dtype: Some(Dtype::Int8),
        cuts: vec![1_000],
        removed: (0..4_000).step_by(9).collect(),
    }
}

#[test]
fn tuning_finds_schedules_that_find_enough() {
    let queries = EmbeddingSet::new(many(300, 64, 4), 64).unwrap();
    tunable().searched(|searcher| {
        for (given, workload) in [(Some(&queries), Workload::Batch), (None, Workload::Single)] {
            let tuning =
                searcher.tune(given, &TuneOptions { k: 5, recall: 0.95, workload, ..UNTUNED }).unwrap();
            let best = tuning.points.iter().find(|point| point.schedule == tuning.best).unwrap();
            assert!(best.recall_low >= 0.95, "{best:?}");
            assert!(
                tuning.points.iter().all(|point| point.recall_low < 0.95 || point.query_s >= best.query_s)
            );
            let exact = tuning.points.iter().find(|point| point.schedule == Schedule::exact()).unwrap();
            assert_eq!(exact.recall, 1.0);
            // Shortlists reach what their lengths were chosen for: each prefix is there, up to those that cannot fail.
            for dim in [4, 8, 16, 32] {
                let of_dim =
                    |point: &&Point| point.schedule.stages().first().is_some_and(|stage| stage.dim == dim);
                let largest =
                    tuning.points.iter().filter(of_dim).map(|point| point.recall).fold(0.0, f64::max);
                assert!(largest >= 0.99, "{dim}: {largest}");
            }
            let two = tuning.points.iter().filter(|point| point.schedule.stages().len() == 2);
            assert!(two.clone().count() > 0 && two.clone().all(|point| point.recall >= 0.95), "{tuning:?}");
        }
    });
}

#[test]
#[ignore = "long: cargo xtask test --long"]
fn what_tuning_promises_holds_for_other_queries() {
    let other = many(2_000, 64, 6);
    let tuned = EmbeddingSet::new(many(300, 64, 4), 64).unwrap();
    tunable().searched(|searcher| {
        let tuning = searcher.tune(Some(&tuned), &TuneOptions { k: 5, ..UNTUNED }).unwrap();
        let truth = searcher.search(&other, 5, &Schedule::exact()).unwrap();
        let shares = |schedule: &Schedule| -> Vec<f64> {
            let found = searcher.search(&other, 5, schedule).unwrap();
            let both = |(truth, found): (&[usize], &[usize])| {
                truth.iter().filter(|row| found.contains(row)).count() as f64 / 5.0
            };
            truth.positions().chunks(5).zip(found.positions().chunks(5)).map(both).collect()
        };
        for point in &tuning.points {
            let shares = shares(&point.schedule);
            let mean = shares.iter().sum::<f64>() / 2_000.0;
            let variance = shares.iter().map(|share| (share - mean).powi(2)).sum::<f64>() / 1_999.0;
            // Of 300 queries, by the spread of 2,000 others.
            let error = (variance / 300.0).sqrt();
            assert!(mean >= point.recall_low - error, "{point:?}: {mean}");
            let expected = if error > 0.0 { point.recall - 1.645 * error } else { point.recall };
            assert!((point.recall_low - expected).abs() <= 0.4 * error + 2e-3, "{point:?}: {expected}");
        }
    });
}

#[test]
#[ignore = "long: cargo xtask test --long"]
fn tuning_tries_the_graph_that_is_asked_for() {
    tunable().searched(|searcher| {
        let tuning = searcher.tune(None, &TuneOptions { graph: GraphChoice::On(16), ..UNTUNED }).unwrap();
        assert!(tuning.graph_build_s.is_some());
        let walks: Vec<&Point> =
            tuning.points.iter().filter(|point| point.schedule.graph() == Some(16)).collect();
        let largest = walks.iter().map(|point| point.recall).fold(0.0, f64::max);
        assert!(largest >= 0.95, "{walks:?}");
        // A walk meets few of the rows.
        assert!(walks.iter().all(|point| point.multiply_adds < 4_000.0 * 16.0), "{walks:?}");
        // Scanning 4,000 rows takes no millisecond.
        let auto = searcher.tune(None, &TuneOptions { graph: GraphChoice::Auto, ..UNTUNED }).unwrap();
        assert_eq!(auto.graph_build_s, None);
        let other = searcher.tune(None, &TuneOptions { graph: GraphChoice::On(64), ..UNTUNED });
        assert_eq!(
            other.unwrap_err().to_string(),
            "a graph cannot be on 64 dims; it can be on a prefix that shortlists: 4, 8, 16, 32"
        );
    });
}

#[test]
fn rows_that_stand_in_for_queries_do_not_find_themselves() {
    // Pairs of equal rows: the true best of each is its twin.
    let values: Vec<f32> = many(100, 8, 5).chunks(8).flat_map(|row| [row, row].concat()).collect();
    let rows = Rows {
        values,
        dims: vec![2, 8],
        metric: Metric::Cosine,
        rotated: false,
        dtype: None,
        cuts: vec![],
        removed: vec![],
    };
    rows.searched(|searcher| {
        let tuning = searcher.tune(None, &TuneOptions { k: 1, recall: 1.0, ..UNTUNED }).unwrap();
        let short = tuning.points.iter().find(|point| point.schedule.to_string() == "2:2").unwrap();
        // Two dims confuse a few.
        assert!(short.recall > 0.9, "{}", short.recall);
        assert_eq!(short.multiply_adds, f64::from(200 * 2 + 2 * 8));
    });
}

#[test]
fn tuning_needs_rows_and_a_recall_that_can_be() {
    let mut rows = tunable();
    let options = TuneOptions { recall: 1.5, ..UNTUNED };
    let message = |rows: &Rows, options| {
        rows.searched(|searcher| searcher.tune(None, &options).unwrap_err().to_string())
    };
    assert_eq!(message(&rows, options), "recall 1.5 cannot be; ask for one from 0 to 1");
    rows.removed = (1..4_000).collect();
    let options = TuneOptions { recall: 0.9, ..options };
    assert_eq!(
        message(&rows, options),
        "searches are measured on an index of at least two rows that are not zero; add some"
    );
}

#[test]
fn more_rows_than_any_number_can_be_asked_for() {
    let rows = Rows {
        values: many(60, 8, 5),
        dims: vec![2, 8],
        metric: Metric::Cosine,
        rotated: false,
        dtype: None,
        cuts: vec![],
        removed: vec![],
    };
    rows.searched(|searcher| {
        let options = TuneOptions { k: usize::MAX, ..UNTUNED };
        let tuning = searcher.tune(None, &options).unwrap();
        let all = format!("2:{}", usize::MAX);
        let by_two = tuning.points.iter().find(|point| point.schedule.to_string() == all).unwrap();
        assert_eq!(by_two.recall, 1.0);
    });
}
