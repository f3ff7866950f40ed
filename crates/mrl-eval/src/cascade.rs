//! Adaptive classification: read as few numbers of a row as its probe needs to be sure (Kusupati et al. 2022, section 4.2).

use crate::{
    calibration::Outcome,
    measures::{Cascade, CascadeCost, CascadePoint},
};

/// What thresholds may lose on held-out rows, from the cheapest cascade to the most careful.
const LOSSES: [f64; 12] = [0.5, 0.3, 0.2, 0.1, 0.05, 0.03, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0];

/// A confidence that no row has.
const NEVER: f64 = 1.1;

/// The outcomes of the same rows at each dim: of held-out training rows, and of test rows; all calibrated.
pub(crate) struct Stage {
    pub(crate) dim: usize,
    pub(crate) held_out: Vec<Outcome>,
    pub(crate) test: Vec<Outcome>,
}

/// Cascades over `stages`, of which there is at least one, from the shortest.
pub(crate) fn cascade(stages: &[Stage]) -> Cascade {
    let point = |&allowed_loss: &f64| {
        let thresholds = thresholds(stages, allowed_loss);
        let cost = cost(stages, |row| {
            let sure = |(stage, threshold): (&Stage, &f64)| stage.test[row].confidence >= *threshold;
            stages.iter().zip(&thresholds).position(sure).unwrap_or(stages.len() - 1)
        });
        CascadePoint { allowed_loss, thresholds, cost }
    };
    let oracle = cost(stages, |row| stages.iter().position(|stage| stage.test[row].right).unwrap_or(0));
    Cascade { points: LOSSES.iter().map(point).collect(), lossless: LOSSES.len() - 1, oracle }
}

/// For each stage but the last the lowest threshold such that, of the held-out rows, those which stop there or before lose
/// no more right answers against the last stage than their share of `allowed_loss`.
fn thresholds(stages: &[Stage], allowed_loss: f64) -> Vec<f64> {
    let Some((last, earlier)) = stages.split_last() else { return Vec::new() };
    let allowed = allowed_loss * last.held_out.len() as f64;
    let mut left: Vec<usize> = (0..last.held_out.len()).collect();
    let mut lost = 0.0;
    let mut thresholds = Vec::new();
    for (index, stage) in earlier.iter().enumerate() {
        let budget = allowed * (index + 1) as f64 / earlier.len() as f64 - lost;
        let confidence = |&row: &usize| stage.held_out[row].confidence;
        left.sort_by(|a, b| confidence(b).total_cmp(&confidence(a)));
        let (stopped, loss) = longest_start(stage, last, &left, budget);
        thresholds.push(if stopped == 0 { NEVER } else { confidence(&left[stopped - 1]) });
        left.drain(..stopped);
        lost += loss;
    }
    thresholds
}

/// How many of `rows`, from the most confident, can stop within the budget, and what they lose. Rows of equal confidence
/// stop together.
fn longest_start(stage: &Stage, last: &Stage, rows: &[usize], budget: f64) -> (usize, f64) {
    let right = |stage: &Stage, row: usize| f64::from(u8::from(stage.held_out[row].right));
    let confidence = |position: usize| rows.get(position).map(|&row| stage.held_out[row].confidence);
    let (mut best, mut loss) = ((0, 0.0), 0.0);
    for (position, &row) in rows.iter().enumerate() {
        loss += right(last, row) - right(stage, row);
        if loss <= budget && confidence(position) != confidence(position + 1) {
            best = (position + 1, loss);
        }
    }
    best
}

/// What it costs, on the test rows, to stop each at the stage that `stop` says.
fn cost(stages: &[Stage], stop: impl Fn(usize) -> usize) -> CascadeCost {
    let n = stages[0].test.len();
    let (mut right, mut read, mut tried) = (0, 0, 0);
    for row in 0..n {
        let at = stop(row);
        right += usize::from(stages[at].test[row].right);
        read += stages[at].dim;
        tried += stages[..=at].iter().map(|stage| stage.dim).sum::<usize>();
    }
    let mean = |sum: usize| sum as f64 / n as f64;
    CascadeCost { accuracy: mean(right), expected_dims: mean(read), expected_dims_tried: mean(tried) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn outcomes(rows: &[(u8, bool)]) -> Vec<Outcome> {
        let outcome = |&(confidence, right): &(u8, bool)| Outcome {
            class: 0,
            right,
            confidence: f64::from(confidence) / 10.0,
            log_loss: None,
        };
        rows.iter().map(outcome).collect()
    }

    fn stage(dim: usize, rows: &[(u8, bool)]) -> Stage {
        Stage { dim, held_out: outcomes(rows), test: outcomes(rows) }
    }

    #[test]
    fn rows_stop_where_they_lose_nothing() {
        // Row 1 is wrong at 2 dims, though surer than row 2.
        let stages =
            [stage(2, &[(9, true), (7, false), (6, true)]), stage(8, &[(9, true), (9, true), (9, true)])];
        let found = cascade(&stages);
        let lossless = &found.points[found.lossless];
        assert_eq!(lossless.thresholds, [0.9]);
        assert_eq!(lossless.cost.accuracy, 1.0);
        assert_eq!((lossless.cost.expected_dims, lossless.cost.expected_dims_tried), (6.0, 22.0 / 3.0));
        assert_eq!((found.oracle.accuracy, found.oracle.expected_dims), (1.0, 4.0));
        // A loss of one row in three is allowed: all stop at once.
        assert_eq!(found.points[0].thresholds, [0.6]);
        assert_eq!((found.points[0].cost.expected_dims, found.points[0].cost.accuracy), (2.0, 2.0 / 3.0));
    }

    #[test]
    fn equal_confidences_stop_together_or_not_at_all() {
        let stages = [stage(1, &[(5, true), (5, false)]), stage(2, &[(5, true), (5, true)])];
        let found = cascade(&stages);
        assert!(found.points[found.lossless].thresholds[0] > 1.0);
        assert_eq!(found.points[found.lossless].cost.expected_dims, 2.0);
    }

    #[test]
    fn one_dim_is_no_choice() {
        let found = cascade(&[stage(4, &[(5, true), (5, false)])]);
        assert_eq!(found.oracle, found.points[0].cost);
        assert_eq!(found.oracle.accuracy, 0.5);
    }

    proptest! {
        /// Where the test rows are the held-out rows, the promise about them can be checked.
        #[test]
        fn no_more_is_lost_than_allowed(
            rows in proptest::collection::vec(((0u8..11, any::<bool>()), (0u8..11, any::<bool>()), any::<bool>()), 1..40),
        ) {
            let first: Vec<_> = rows.iter().map(|row| row.0).collect();
            let second: Vec<_> = rows.iter().map(|row| row.1).collect();
            let last: Vec<_> = rows.iter().map(|row| (5, row.2)).collect();
            let full = last.iter().filter(|row| row.1).count() as f64 / rows.len() as f64;
            let found = cascade(&[stage(8, &first), stage(16, &second), stage(32, &last)]);
            for point in &found.points {
                prop_assert!(point.cost.accuracy >= full - point.allowed_loss - 1e-9);
                prop_assert!(point.cost.expected_dims >= 8.0 && point.cost.expected_dims <= 32.0);
                prop_assert!(point.cost.accuracy <= found.oracle.accuracy + 1e-12);
            }
        }
    }
}
