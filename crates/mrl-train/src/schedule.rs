use std::f64::consts::PI;

use mrl_config::{OptimiserConfig, Schedule, Warmup};

use crate::TrainError;

/// Steps of the warm-up, at so many steps an epoch, of a run of `total_steps`.
///
/// # Errors
/// When the run ends before the warm-up does.
pub(crate) fn warmup_steps(
    optimiser: &OptimiserConfig,
    steps_per_epoch: u64,
    total_steps: u64,
) -> Result<u64, TrainError> {
    let steps = match optimiser.warmup {
        Warmup::Epochs(epochs) => (epochs * steps_per_epoch as f64).round() as u64,
        Warmup::Steps(steps) => steps,
        Warmup::Share(share) => (share * total_steps as f64).round() as u64,
    };
    // A run of no steps writes the untrained encoder, whatever it would have warmed up with.
    if steps > total_steps && total_steps > 0 {
        return Err(TrainError::Usage(format!(
            "the learning rate warms up for {steps} steps, but the run has {total_steps}; use fewer --warmup-epochs or \
             --warmup-steps"
        )));
    }
    Ok(steps)
}

/// The learning rate of `step`, counted from 0, of `total_steps`: `lr · (step + 1) / warmup_steps` while it warms up, so that
/// no step is made with a rate of 0 and the last of them has `lr`; behind that the schedule over the steps that are left.
pub(crate) fn learning_rate(
    optimiser: &OptimiserConfig,
    warmup_steps: u64,
    total_steps: u64,
    step: u64,
) -> f64 {
    let peak = optimiser.lr;
    if step < warmup_steps {
        return peak * (step + 1) as f64 / warmup_steps as f64;
    }
    match optimiser.schedule {
        Schedule::Constant => peak,
        Schedule::Cosine => {
            let left = total_steps.saturating_sub(warmup_steps).max(1);
            cosine(peak, optimiser.min_lr, (step - warmup_steps) as f64 / left as f64)
        }
    }
}

/// Half a cosine from `peak` to `end`, at `progress` from 0 to 1.
pub(crate) fn cosine(peak: f64, end: f64, progress: f64) -> f64 {
    end + (peak - end) * (1.0 + (PI * progress).cos()) / 2.0
}

#[cfg(test)]
mod tests {
    use mrl_config::Config;

    use super::*;

    fn optimiser(schedule: Schedule, min_lr: f64) -> OptimiserConfig {
        OptimiserConfig { lr: 0.1, schedule, min_lr, ..Config::default().optimiser }
    }

    /// Rates of all steps of a run.
    fn rates(optimiser: &OptimiserConfig, warmup_steps: u64, total_steps: u64) -> Vec<f64> {
        (0..total_steps).map(|step| learning_rate(optimiser, warmup_steps, total_steps, step)).collect()
    }

    #[test]
    fn without_warm_up_a_run_starts_at_the_peak() {
        assert_eq!(rates(&optimiser(Schedule::Constant, 0.0), 0, 10), [0.1; 10]);
        let cosine = rates(&optimiser(Schedule::Cosine, 0.0), 0, 10);
        assert_eq!(cosine[0], 0.1);
        assert!((cosine[5] - 0.05).abs() < 1e-15);
        assert!(cosine.is_sorted_by(|a, b| a > b) && cosine[9] > 0.0, "{cosine:?}");
    }

    /// Values that a person can check: a line to the peak, then cosines of 0, 60, 120 and, behind the end, 180 degrees.
    #[test]
    fn a_warm_up_is_a_line_and_the_cosine_has_the_rest() {
        let cosine = optimiser(Schedule::Cosine, 0.02);
        let expected = [0.025, 0.05, 0.075, 0.1, 0.1, 0.08, 0.04];
        let found = rates(&cosine, 4, 7);
        assert_eq!(found.len(), expected.len());
        for (rate, expected) in found.iter().zip(expected) {
            assert!((rate - expected).abs() < 1e-15, "{found:?}");
        }
        assert!((learning_rate(&cosine, 4, 7, 7) - 0.02).abs() < 1e-15);
        assert_eq!(rates(&optimiser(Schedule::Constant, 0.0), 2, 4), [0.05, 0.1, 0.1, 0.1]);
    }

    #[test]
    fn a_warm_up_is_counted_in_epochs_or_steps() {
        let steps = |warmup, total| {
            let optimiser = OptimiserConfig { warmup, ..Config::default().optimiser };
            warmup_steps(&optimiser, 39, total).map_err(|error| error.to_string())
        };
        assert_eq!(steps(Warmup::Epochs(2.0), 78), Ok(78));
        assert_eq!(steps(Warmup::Epochs(0.5), 78), Ok(20));
        assert_eq!(steps(Warmup::Steps(7), 78), Ok(7));
        assert_eq!(steps(Warmup::Steps(7), 0), Ok(7));
        assert_eq!(
            [3, 4, 78, 1000].map(|total| steps(Warmup::Share(0.125), total).unwrap()),
            [0, 1, 10, 125]
        );
        let error = steps(Warmup::Epochs(2.0), 77).unwrap_err();
        assert!(error.starts_with("the learning rate warms up for 78 steps, but the run has 77"), "{error}");
    }
}
