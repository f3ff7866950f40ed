use std::collections::BTreeMap;

use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::{Part, Probe, ProbeOptions, Problem};
use crate::calibration::{Outcome, log_loss};

/// Folds of the training rows: a probe is fitted without each of them in turn.
const FOLDS: u8 = 3;

/// Powers of ten between which the penalty is sought.
const EXPONENTS: std::ops::RangeInclusive<i32> = -4..=6;

/// Gradients below this change a held-out log-loss in digits that nobody compares.
const TOLERANCE: f64 = 1e-4;

/// Logits that are kept of held-out rows; of larger sets as many rows are drawn as fit.
const MOST_LOGITS: usize = 1 << 26;

/// Which training rows are held out of which probe, and judged by it.
pub(crate) struct Folds {
    /// The fold of each row, `[n]`.
    of_row: Vec<u8>,
    /// The rows that each fold's probe judges. A class of a single row is in none: its probe would not know it.
    judged: [Vec<usize>; FOLDS as usize],
    /// Those of them whose logits are kept, the same for all lengths.
    kept: [Vec<usize>; FOLDS as usize],
}

impl Folds {
    /// Deals the rows of one class after the other out in turn, so that the folds differ by one row at most, and by one of
    /// each class.
    pub(crate) fn deal(targets: &[usize], classes: usize, seed: u64) -> Self {
        let mut rows_of = vec![Vec::new(); classes];
        for (row, &target) in targets.iter().enumerate() {
            rows_of[target].push(row);
        }
        let mut of_row = vec![0; targets.len()];
        for (fold, &row) in (0..FOLDS).cycle().zip(rows_of.iter().flatten()) {
            of_row[row] = fold;
        }
        let of_fold = |rows: &[usize]| {
            std::array::from_fn(|fold| {
                rows.iter().copied().filter(|&row| usize::from(of_row[row]) == fold).collect()
            })
        };
        let mut judged: Vec<usize> =
            (0..targets.len()).filter(|&row| rows_of[targets[row]].len() > 1).collect();
        let all = of_fold(&judged);
        let most = MOST_LOGITS / classes;
        if judged.len() > most {
            judged.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
            judged.truncate(most);
            judged.sort_unstable();
        }
        let kept = of_fold(&judged);
        Self { of_row, judged: all, kept }
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
            self.fit(options, Part::Without { folds: &folds.of_row, fold }, start)
        };
        let probes: Vec<Probe> = (0..FOLDS).map(fit).collect();
        let losses = |(rows, probe): (&Vec<usize>, &Probe)| {
            probe.judge(self.rows, rows, |row, logits| log_loss(logits, self.targets[row]))
        };
        let losses: Vec<f64> = folds.judged.iter().zip(&probes).flat_map(losses).collect();
        FoldFits { log_loss: losses.iter().sum::<f64>() / losses.len() as f64, probes }
    }

    /// What the fits say of the rows that they have not seen, or of as many as fit in memory.
    pub(crate) fn held_out(&self, folds: &Folds, fits: &FoldFits) -> HeldOut {
        let mut held_out = HeldOut { targets: Vec::new(), logits: Vec::new() };
        for (rows, probe) in folds.kept.iter().zip(&fits.probes) {
            held_out.targets.extend(rows.iter().map(|&row| self.targets[row]));
            let narrow = |_, logits: &[f64]| logits.iter().map(|&logit| logit as f32).collect::<Vec<_>>();
            held_out.logits.extend(probe.judge(self.rows, rows, narrow).into_iter().flatten());
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
        self.logits.par_chunks_exact(classes).zip(&self.targets).map(outcome).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{rows::Rows, standardise::Moments};

    #[test]
    fn folds_are_even_and_know_every_class_that_they_judge() {
        // Classes of 1, 2, 5 and 9 rows, mixed.
        let targets = [3, 2, 3, 1, 3, 2, 0, 3, 2, 3, 1, 3, 2, 3, 3, 2, 3];
        let folds = Folds::deal(&targets, 4, 0);
        for fold in 0..FOLDS {
            let size = (0..targets.len()).filter(|&row| folds.of_row[row] == fold).count();
            assert!((5..=6).contains(&size), "{:?}", folds.of_row);
            for &row in &folds.judged[usize::from(fold)] {
                let known = |other: usize| folds.of_row[other] != fold && targets[other] == targets[row];
                assert!((0..targets.len()).any(known), "row {row} of fold {fold}");
            }
        }
        let mut judged = folds.judged.concat();
        judged.sort_unstable();
        assert_eq!(judged, (0..targets.len()).filter(|&row| targets[row] != 0).collect::<Vec<_>>());
        assert_eq!(folds.kept, folds.judged);
    }

    /// Noise asks for a strong penalty, a clear difference for a weak one, and no other power of ten is better.
    #[test]
    fn the_penalty_has_the_least_held_out_loss() {
        let mut state = 5u32;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(state >> 8) / f64::from(1 << 24) - 0.5
        };
        let mut chosen = |signal: f64| {
            let targets: Vec<usize> = (0..240).map(|row| row % 3).collect();
            let value = |i: usize| (random() + if i % 10 == targets[i / 10] { signal } else { 0.0 }) as f32;
            let values: Vec<f32> = (0..2_400).map(value).collect();
            let rows = Rows::new(&values, 10);
            let problem = Problem::new(rows, &targets, 3, &Moments::of(rows)).unwrap();
            let folds = Folds::deal(&targets, 3, 0);
            let (l2, fits) = problem.choose_l2(&folds, 1.0, None);
            for exponent in EXPONENTS {
                let other = problem.fit_folds(&folds, 10f64.powi(exponent), None);
                assert!(fits.log_loss <= other.log_loss + 1e-4, "{l2} and 1e{exponent}");
            }
            l2
        };
        let (noise, clear) = (chosen(0.0), chosen(3.0));
        assert!(noise > 100.0 && clear < 1.0, "{noise} {clear}");
    }
}
