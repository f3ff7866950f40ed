use std::collections::BTreeMap;

use super::{Part, Probe, ProbeOptions, Problem};
use crate::calibration::{Outcome, log_loss};

/// Folds of the training rows: a probe is fitted without each of them in turn.
const FOLDS: u8 = 3;

/// Powers of ten between which the penalty is sought.
const EXPONENTS: std::ops::RangeInclusive<i32> = -4..=6;

/// Gradients below this change a held-out log-loss in digits that nobody compares.
const TOLERANCE: f64 = 1e-4;

/// Logits that are kept of held-out rows; of larger sets every second, third … row is taken.
const MOST_LOGITS: usize = 1 << 26;

/// Which fold each training row belongs to, `[n]`: each class is dealt out in turn.
pub(crate) struct Folds(Vec<u8>);

impl Folds {
    pub(crate) fn deal(targets: &[usize], classes: usize) -> Self {
        let mut next = vec![0u8; classes];
        let deal = |&target: &usize| {
            let fold = next[target];
            next[target] = (fold + 1) % FOLDS;
            fold
        };
        Self(targets.iter().map(deal).collect())
    }

    /// The rows of `fold` that are a multiple of `step`.
    fn rows(&self, fold: u8, step: usize) -> Vec<usize> {
        (0..self.0.len()).step_by(step).filter(|&row| self.0[row] == fold).collect()
    }
}

/// A probe for each fold, fitted without it.
pub(crate) struct FoldFits {
    probes: Vec<Probe>,
    /// Mean over all rows, each judged by the probe that has not seen it.
    log_loss: f64,
}

/// Logits of training rows by probes that have not seen them.
pub(crate) struct HeldOut {
    /// The class of each row.
    pub(crate) targets: Vec<usize>,
    /// `[rows, classes]`.
    pub(crate) logits: Vec<f32>,
}

impl Problem<'_> {
    /// The power of ten for a penalty that makes the held-out log-loss least, sought downhill from `start`, and the fits
    /// with it. `shorter` are the fits of a prefix.
    pub(crate) fn choose_l2(&self, folds: &Folds, start: f64, shorter: Option<&FoldFits>) -> (f64, FoldFits) {
        let l2 = |exponent: i32| 10f64.powi(exponent);
        let mut best = (start.log10().round() as i32).clamp(*EXPONENTS.start(), *EXPONENTS.end());
        let mut tried = BTreeMap::from([(best, self.fit_folds(folds, l2(best), shorter))]);
        loop {
            for neighbour in [best + 1, best - 1] {
                if EXPONENTS.contains(&neighbour) && !tried.contains_key(&neighbour) {
                    let fits = self.fit_folds(folds, l2(neighbour), tried.get(&best));
                    tried.insert(neighbour, fits);
                }
            }
            // Of equals the stronger penalty.
            let least = tried.iter().rev().min_by(|a, b| a.1.log_loss.total_cmp(&b.1.log_loss));
            let least = least.map_or(best, |(&exponent, _)| exponent);
            if least == best {
                let fits = tried.remove(&best).expect("the best was tried");
                return (l2(best), fits);
            }
            best = least;
        }
    }

    /// A probe without each fold in turn.
    pub(crate) fn fit_folds(&self, folds: &Folds, l2: f64, start: Option<&FoldFits>) -> FoldFits {
        let options = ProbeOptions { l2, tolerance: TOLERANCE };
        let fit = |fold: u8| {
            let start = start.map(|fits| &fits.probes[usize::from(fold)]);
            self.fit(options, Part::Without { folds: &folds.0, fold }, start)
        };
        let probes: Vec<Probe> = (0..FOLDS).map(fit).collect();
        let losses = |(fold, probe): (u8, &Probe)| {
            probe.judge(self.rows, &folds.rows(fold, 1), |row, logits| log_loss(logits, self.targets[row]))
        };
        let total: f64 = (0..FOLDS).zip(&probes).flat_map(losses).sum();
        FoldFits { probes, log_loss: total / self.targets.len() as f64 }
    }

    /// What the fits say of the rows that they have not seen, or of as many as fit in memory. The rows are the same for
    /// all lengths.
    pub(crate) fn held_out(&self, folds: &Folds, fits: &FoldFits) -> HeldOut {
        let step = (self.targets.len() * self.classes).div_ceil(MOST_LOGITS).max(1);
        let mut held_out = HeldOut { targets: Vec::new(), logits: Vec::new() };
        for (fold, probe) in (0..FOLDS).zip(&fits.probes) {
            let rows = folds.rows(fold, step);
            held_out.targets.extend(rows.iter().map(|&row| self.targets[row]));
            let narrow = |_, logits: &[f64]| logits.iter().map(|&logit| logit as f32).collect::<Vec<_>>();
            held_out.logits.extend(probe.judge(self.rows, &rows, narrow).into_iter().flatten());
        }
        held_out
    }
}

impl HeldOut {
    /// What each row is worth at a temperature.
    pub(crate) fn outcomes(&self, temperature: f64) -> Vec<Outcome> {
        let classes = self.logits.len() / self.targets.len();
        let outcome = |(logits, &target): (&[f32], &usize)| {
            Outcome::of(logits.iter().map(|&logit| f64::from(logit)), temperature, Some(target))
        };
        self.logits.chunks_exact(classes).zip(&self.targets).map(outcome).collect()
    }
}
