//! How far a probe's probabilities can be believed, and temperature scaling (Guo et al. 2017, arXiv 1706.04599).

use rayon::prelude::*;

use crate::{
    measures::{Bin, Calibration},
    probe::HeldOut,
};

/// Bins of the confidence, as in the paper.
const BINS: usize = 15;

/// Between these the inverse temperature is sought: held-out rows that are all right, or all random, have none.
const INVERSES: [f64; 2] = [1e-3, 1e3];

/// A row's most probable class, and what its probability was worth.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    /// Of equals the lower.
    pub(crate) class: usize,
    pub(crate) right: bool,
    /// The probability of `class`.
    pub(crate) confidence: f64,
    /// `-ln` of the probability of the true class; none where no class is the true one.
    pub(crate) log_loss: Option<f64>,
}

impl Outcome {
    /// `logits` `[classes]`, over `temperature`.
    pub(crate) fn of(
        logits: impl Iterator<Item = f64> + Clone,
        temperature: f64,
        truth: Option<usize>,
    ) -> Self {
        let scaled = logits.map(|logit| logit / temperature);
        let (class, largest) =
            scaled.clone().enumerate().fold((0, f64::NEG_INFINITY), |best, (class, logit)| {
                if logit > best.1 { (class, logit) } else { best }
            });
        let total: f64 = scaled.clone().map(|logit| (logit - largest).exp()).sum();
        let log_loss = truth.and_then(|truth| Some(total.ln() + largest - scaled.clone().nth(truth)?));
        Self { class, right: truth == Some(class), confidence: total.recip(), log_loss }
    }
}

/// `-ln` of the probability of class `truth`.
pub(crate) fn log_loss(logits: &[f64], truth: usize) -> f64 {
    Outcome::of(logits.iter().copied(), 1.0, Some(truth)).log_loss.unwrap_or(0.0)
}

/// The temperature of the least log-loss on held-out rows.
///
/// The log-loss is convex in the inverse temperature; Newton's steps on its slope, kept within a shrinking bracket.
pub(crate) fn temperature(held_out: &HeldOut) -> f64 {
    let [mut low, mut high] = INVERSES;
    let mut inverse = 1.0;
    for _ in 0..60 {
        let [slope, curvature] = derivatives(held_out, inverse);
        if slope == 0.0 && curvature == 0.0 {
            // All logits of a row are the same, or none but the true class's counts: any temperature is as good.
            break;
        }
        if slope > 0.0 {
            high = inverse;
        } else {
            low = inverse;
        }
        let newton = inverse - slope / curvature;
        let next = if newton > low && newton < high { newton } else { (low * high).sqrt() };
        if (next / inverse - 1.0).abs() < 1e-9 {
            break;
        }
        inverse = next;
    }
    inverse.recip()
}

/// Of the mean log-loss by the inverse temperature: the mean, over rows, of the mean of the logits under their own
/// probabilities less the true class's logit, and of their variance.
fn derivatives(held_out: &HeldOut, inverse: f64) -> [f64; 2] {
    let classes = held_out.logits.len() / held_out.targets.len();
    let of_row = |(row, &target): (&[f32], &usize)| {
        let logits = || row.iter().map(|&logit| f64::from(logit));
        let largest = logits().fold(f64::NEG_INFINITY, f64::max);
        let (mut total, mut first, mut second) = (0.0, 0.0, 0.0);
        for logit in logits() {
            let offset = logit - largest;
            let weight = (inverse * offset).exp();
            total += weight;
            first += weight * offset;
            second += weight * offset * offset;
        }
        let mean = first / total;
        let truth = f64::from(row[target]) - largest;
        [mean - truth, second / total - mean * mean]
    };
    let rows: Vec<[f64; 2]> =
        held_out.logits.par_chunks_exact(classes).zip(&held_out.targets).map(of_row).collect();
    let n = rows.len() as f64;
    rows.iter().fold([0.0; 2], |sum, row| [sum[0] + row[0] / n, sum[1] + row[1] / n])
}

/// The calibration of `outcomes`, whose logits were divided by `temperature`.
pub(crate) fn calibration(outcomes: &[Outcome], temperature: f64) -> Calibration {
    let losses: Vec<f64> = outcomes.iter().filter_map(|outcome| outcome.log_loss).collect();
    let bins = bins(outcomes);
    let gap = |bin: &Bin| bin.count as f64 * (bin.confidence - bin.accuracy).abs();
    Calibration {
        temperature,
        log_loss: losses.iter().sum::<f64>() / losses.len().max(1) as f64,
        ece: bins.iter().map(gap).sum::<f64>() / outcomes.len() as f64,
        bins,
    }
}

/// Bin `b` holds confidences above `b / 15` up to `(b + 1) / 15`.
fn bins(outcomes: &[Outcome]) -> Vec<Bin> {
    let mut bins = vec![Bin::default(); BINS];
    for outcome in outcomes {
        let index = ((outcome.confidence * BINS as f64).ceil() as usize).clamp(1, BINS) - 1;
        let bin = &mut bins[index];
        bin.count += 1;
        bin.confidence += outcome.confidence;
        bin.accuracy += f64::from(u8::from(outcome.right));
    }
    for bin in bins.iter_mut().filter(|bin| bin.count > 0) {
        bin.confidence /= bin.count as f64;
        bin.accuracy /= bin.count as f64;
    }
    bins
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mean_log_loss(held_out: &HeldOut, temperature: f64) -> f64 {
        let classes = held_out.logits.len() / held_out.targets.len();
        let losses = held_out.logits.chunks_exact(classes).zip(&held_out.targets).map(|(logits, &target)| {
            let scaled: Vec<f64> = logits.iter().map(|&logit| f64::from(logit) / temperature).collect();
            scaled.iter().map(|logit| logit.exp()).sum::<f64>().ln() - scaled[target]
        });
        losses.sum::<f64>() / held_out.targets.len() as f64
    }

    proptest! {
        #[test]
        fn no_other_temperature_has_less_log_loss(
            logits in proptest::collection::vec(-5.0f32..5.0, 60),
            targets in proptest::collection::vec(0usize..3, 20),
        ) {
            let held_out = HeldOut { targets, logits };
            let best = temperature(&held_out);
            let least = mean_log_loss(&held_out, best);
            for factor in [0.5, 0.9, 0.99, 1.01, 1.1, 2.0] {
                let other = (best * factor).clamp(1e-3, 1e3);
                prop_assert!(least <= mean_log_loss(&held_out, other) + 1e-9, "{best} {factor}");
            }
        }
    }

    #[test]
    fn rows_that_are_all_right_have_the_lowest_temperature() {
        let held_out = HeldOut { targets: vec![0, 1], logits: vec![1.0, 0.0, 0.0, 1.0] };
        assert!(temperature(&held_out) < 0.1);
    }

    #[test]
    fn logits_that_say_nothing_stay_as_they_are() {
        let held_out = HeldOut { targets: vec![0, 1], logits: vec![0.5; 4] };
        assert_eq!(temperature(&held_out), 1.0);
    }

    #[test]
    fn the_calibration_error_of_four_rows() {
        let outcome = |confidence, right| Outcome { class: 0, right, confidence, log_loss: Some(1.0) };
        let outcomes = [outcome(0.91, true), outcome(0.93, false), outcome(0.5, true), outcome(1.0, true)];
        let found = calibration(&outcomes, 1.0);
        // Bins (13/15, 14/15] with mean confidence .92 and accuracy .5, (7/15, 8/15] with .5 and 1, (14/15, 1] with 1 and 1.
        assert!((found.ece - (2.0 * 0.42 + 0.5) / 4.0).abs() < 1e-12, "{}", found.ece);
        assert_eq!(found.bins[13].count, 2);
        assert_eq!(found.log_loss, 1.0);
    }

    /// As `docs/reference/report.md` says.
    #[test]
    fn a_row_of_an_unknown_class_is_wrong_and_has_no_log_loss() {
        let known = Outcome { class: 0, right: true, confidence: 1.0, log_loss: Some(0.5) };
        let unknown = Outcome { right: false, log_loss: None, ..known };
        let found = calibration(&[known, unknown], 1.0);
        assert_eq!((found.log_loss, found.ece, found.bins[BINS - 1].count), (0.5, 0.5, 2));
    }

    #[test]
    fn an_outcome_by_plain_arithmetic() {
        let outcome = Outcome::of([1.0, 3.0, 3.0].into_iter(), 2.0, Some(0));
        let weights = [0.5f64.exp(), 1.5f64.exp(), 1.5f64.exp()];
        let total: f64 = weights.iter().sum();
        assert_eq!((outcome.class, outcome.right), (1, false));
        assert!((outcome.confidence - weights[1] / total).abs() < 1e-12);
        assert!((outcome.log_loss.unwrap() + (weights[0] / total).ln()).abs() < 1e-12);
        assert!(Outcome::of([1.0, 3.0].into_iter(), 1.0, None).log_loss.is_none());
    }
}
