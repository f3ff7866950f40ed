//! Agreement with scikit-learn on the sets of `goldens/eval/make.py`.

use serde::Deserialize;

use crate::{
    EvalOptions, Method,
    calibration::Outcome,
    evaluate,
    pca::{Centring, principal_components},
    probe::{Part, ProbeOptions, Problem as Fit},
    rows::Rows,
    standardise::Moments,
};

#[derive(Deserialize)]
struct Problem {
    name: String,
    l2: f64,
    dims: usize,
    train: Vec<f32>,
    train_labels: Vec<i64>,
    test: Vec<f32>,
    test_labels: Vec<i64>,
    objective: f64,
    /// Of the test rows, `[m, classes]`; `[m]` for two classes, where it is the difference of the two.
    logits: Vec<f64>,
    accuracy: f64,
    /// Of the test rows of known classes.
    log_loss: f64,
    /// Accuracy of the weighted vote of 5.
    vote: f64,
    /// With 7 hits.
    mean_average_precision: f64,
    variances: Vec<f64>,
    /// Absolute coordinates of the test rows, `[m, components]`.
    projected: Vec<f64>,
}

fn problems() -> Vec<Problem> {
    serde_json::from_str(include_str!("../../../goldens/eval/eval.json")).unwrap()
}

impl Problem {
    /// Test rows that scikit-learn classifies right.
    fn right(&self) -> usize {
        (self.accuracy * self.test_labels.len() as f64).round() as usize
    }

    fn classes(&self) -> (Vec<i64>, Vec<usize>) {
        let mut classes = self.train_labels.clone();
        classes.sort_unstable();
        classes.dedup();
        let targets = self.train_labels.iter().map(|label| classes.binary_search(label).unwrap()).collect();
        (classes, targets)
    }
}

#[test]
fn the_probe_is_scikit_learns() {
    for problem in problems() {
        let name = &problem.name;
        let (train, test) = (Rows::new(&problem.train, problem.dims), Rows::new(&problem.test, problem.dims));
        let (classes, targets) = problem.classes();
        let options = ProbeOptions { l2: problem.l2, tolerance: 1e-10 };
        let fit = Fit::new(train, &targets, classes.len(), &Moments::of(train)).unwrap();
        let probe = fit.fit(options, Part::All, None);
        assert!(probe.converged, "{name}: {}", probe.gradient_norm);
        assert!((probe.objective / problem.objective - 1.0).abs() < 1e-8, "{name}: {}", probe.objective);

        // As `mrl eval` does it: from the probe on a shorter prefix, to its usual tolerance.
        let half = train.prefix(problem.dims.div_ceil(2));
        let usual = ProbeOptions { tolerance: EvalOptions::default().tolerance, ..options };
        let shorter = Fit::new(half, &targets, classes.len(), &Moments::of(half)).unwrap();
        let warm = fit.fit(usual, Part::All, Some(&shorter.fit(usual, Part::All, None)));
        assert!((warm.objective / problem.objective - 1.0).abs() < 1e-6, "{name}: {}", warm.objective);

        // Softmax leaves a constant in the logits of a row open.
        let all: Vec<usize> = (0..test.len()).collect();
        let ours = probe.judge(test, &all, |_, logits| logits.to_vec());
        for (row, ours) in ours.iter().enumerate() {
            let theirs = match classes.len() {
                2 => vec![0.0, problem.logits[row]],
                k => problem.logits[row * k..][..k].to_vec(),
            };
            for (ours_at, theirs_at) in ours.iter().zip(&theirs) {
                let difference = (ours_at - ours[0]) - (theirs_at - theirs[0]);
                assert!(difference.abs() < 1e-5, "{name}, row {row}: {ours:?} and {theirs:?}");
            }
        }
        let class = |logits: &Vec<f64>| Outcome::of(logits.iter().copied(), 1.0, None).class;
        let right =
            ours.iter().zip(&problem.test_labels).filter(|&(logits, &label)| classes[class(logits)] == label);
        assert_eq!(right.count(), problem.right(), "{name}");
    }
}

#[test]
fn components_are_scikit_learns() {
    for problem in problems() {
        let (name, d) = (&problem.name, problem.dims);
        let (train, test) = (Rows::new(&problem.train, d), Rows::new(&problem.test, d));
        let (map, variances) = principal_components(&Moments::of(train), Centring::Mean).unwrap();
        let rounding = 1e-11 * problem.variances[0];
        for (component, variance) in problem.variances.iter().enumerate() {
            let ours = variances[component];
            assert!((ours - variance).abs() < rounding, "{name}, {component}: {ours} and {variance}");
        }
        // Components that rounding has decided are nobody's.
        let known =
            problem.variances.iter().take_while(|&&variance| variance > 1e-8 * problem.variances[0]).count();
        let theirs = problem.projected.chunks_exact(problem.variances.len());
        for (row, (ours, theirs)) in map.project(test, d).chunks_exact(d).zip(theirs).enumerate() {
            for (component, (ours, theirs)) in ours.iter().zip(theirs).enumerate().take(known) {
                let difference = (f64::from(ours.abs()) - theirs).abs();
                assert!(difference < 1e-5 * (1.0 + theirs), "{name}, row {row}, component {component}");
            }
        }
    }
}

#[test]
fn the_report_has_these_accuracies() {
    for problem in problems() {
        let set = |values: &[f32], labels: &[i64]| {
            mrl_embedding::EmbeddingSet::new(values.to_vec(), problem.dims)
                .unwrap()
                .with_labels(labels.to_vec())
                .unwrap()
        };
        let (train, test) =
            (set(&problem.train, &problem.train_labels), set(&problem.test, &problem.test_labels));
        let options = EvalOptions {
            dims: Some(vec![problem.dims]),
            methods: vec![Method::Prefix],
            l2: Some(problem.l2),
            tolerance: 1e-9,
            neighbours: 5,
            hits: vec![7],
            resamples: 20,
            ..EvalOptions::default()
        };
        let report = evaluate(&train, &test, &options, &mut |_| {}).unwrap();
        let (name, prefix) = (&problem.name, &report.methods[&Method::Prefix]);
        let expected = problem.right() as f64 / problem.test_labels.len() as f64;
        assert_eq!(prefix.logreg, [expected], "{name}");
        assert!((prefix.knn[0] - problem.vote).abs() < 1e-12, "{name}: {:?}", prefix.knn);
        let map = prefix.retrieval[0].at[0].map.unwrap();
        assert!((map - problem.mean_average_precision).abs() < 1e-12, "{name}: {map}");
        let log_loss = prefix.probe[0].raw.log_loss;
        assert!((log_loss / problem.log_loss - 1.0).abs() < 1e-4, "{name}: {log_loss}");
        let lacking =
            problem.test_labels.iter().filter(|label| !problem.train_labels.contains(label)).count();
        assert_eq!(report.unseen_test_labels, lacking, "{}", problem.name);
    }
}

/// A full-rank PCA is an invertible map: where the penalty hardly counts, its probe is that of the rows themselves.
#[test]
fn a_full_rank_pca_ties_with_the_whole_prefix() {
    let mut state = 9u32;
    let mut random = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32
    };
    let mut set = || {
        let labels: Vec<i64> = (0..3_000).map(|row| row % 3).collect();
        // Features of very different scale that share a part, and classes that overlap.
        let rows = labels.iter().flat_map(|&label| {
            let shared = random();
            (0..12)
                .map(move |i| (i, shared))
                .map(|(i, shared)| {
                    let shift = if i % 3 == label as usize { 0.25 } else { 0.0 };
                    (random() + shared + shift) * 3f32.powi(i as i32 - 6)
                })
                .collect::<Vec<f32>>()
        });
        mrl_embedding::EmbeddingSet::new(rows.collect(), 12).unwrap().with_labels(labels).unwrap()
    };
    let (train, test) = (set(), set());
    let options = EvalOptions {
        dims: Some(vec![4, 12]),
        methods: vec![Method::Prefix, Method::Pca],
        measures: vec![crate::Measure::Probe],
        l2: Some(1e-3),
        ..EvalOptions::default()
    };
    let report = evaluate(&train, &test, &options, &mut |_| {}).unwrap();
    let [prefix, pca] = [Method::Prefix, Method::Pca].map(|method| &report.methods[&method].logreg);
    assert!((prefix[1] - pca[1]).abs() <= 0.001, "{prefix:?} and {pca:?}");
    assert!(prefix[1] > 0.6 && prefix[1] < 0.95, "{prefix:?} is no test");
    assert!((prefix[0] - pca[0]).abs() > 0.01, "{prefix:?} and {pca:?} differ where they should");
}
