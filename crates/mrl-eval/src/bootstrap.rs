use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::measures::Interval;

/// The middle 95 % of the resamples.
const TAILS: f64 = 0.025;

/// Bootstrap resamples of the test rows. All measures are taken on the same ones, so that they can be compared.
pub(crate) struct Resamples {
    n: usize,
    /// How often each row was drawn, `[resamples, n]`.
    counts: Vec<u8>,
}

impl Resamples {
    /// `resamples` times `n` draws with replacement from `n` rows; each resample is a stream of its own of `seed`.
    pub(crate) fn draw(n: usize, resamples: usize, seed: u64) -> Self {
        let mut counts = vec![0u8; n * resamples];
        counts.par_chunks_exact_mut(n).enumerate().for_each(|(stream, counts)| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(stream as u64);
            for _ in 0..n {
                let count = &mut counts[rng.random_range(0..n)];
                *count = count.saturating_add(1);
            }
        });
        Self { n, counts }
    }

    /// The interval of the mean of `scores` over the rows that are `counted`, both `[n]`. A resample without a counted row
    /// is left out; none where no resample has one.
    pub(crate) fn interval(&self, scores: &[f32], counted: &[bool]) -> Option<Interval> {
        let weights: Vec<f32> = counted.iter().map(|&counted| f32::from(u8::from(counted))).collect();
        let scores: Vec<f32> = scores.iter().zip(&weights).map(|(score, weight)| score * weight).collect();
        let mean = |counts: &[u8]| {
            let total = weighted(&weights, counts);
            (total > 0.0).then(|| weighted(&scores, counts) / total)
        };
        let mut means: Vec<f64> = self.counts.par_chunks_exact(self.n).filter_map(mean).collect();
        means.sort_unstable_by(f64::total_cmp);
        let last = means.len().checked_sub(1)? as f64;
        Some([TAILS, 1.0 - TAILS].map(|quantile| means[(quantile * last).round() as usize]))
    }
}

/// The sum of `values` times `counts`. Short sums in `f32`, which vectors hold, are added up in `f64`.
fn weighted(values: &[f32], counts: &[u8]) -> f64 {
    let block = |(values, counts): (&[f32], &[u8])| {
        let mut sums = [0.0f32; 16];
        for (values, counts) in values.chunks(16).zip(counts.chunks(16)) {
            for ((sum, value), &count) in sums.iter_mut().zip(values).zip(counts) {
                *sum += value * f32::from(count);
            }
        }
        sums.into_iter().map(f64::from).sum::<f64>()
    };
    values.chunks(1024).zip(counts.chunks(1024)).map(block).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_of_an_accuracy_is_that_of_the_binomial() {
        let scores: Vec<f32> = (0..1_000).map(|row| f32::from(u8::from(row % 5 != 0))).collect();
        let [low, high] = Resamples::draw(1_000, 4_000, 1).interval(&scores, &[true; 1_000]).unwrap();
        // 0.8 ± 1.96 sqrt(0.8 * 0.2 / 1000)
        assert!((low - 0.7752).abs() < 0.003 && (high - 0.8248).abs() < 0.003, "{low} {high}");
    }

    #[test]
    fn weighted_is_a_plain_loop() {
        let values: Vec<f32> = (0..2_500).map(|i| (i % 7) as f32 / 8.0).collect();
        let counts: Vec<u8> = (0..2_500).map(|i| (i % 4) as u8).collect();
        let plain: f64 = values.iter().zip(&counts).map(|(&v, &c)| f64::from(v) * f64::from(c)).sum();
        assert!((weighted(&values, &counts) - plain).abs() < 1e-6);
    }

    #[test]
    fn rows_that_do_not_count_change_nothing() {
        let resamples = Resamples::draw(4, 100, 0);
        assert_eq!(resamples.interval(&[1.0, 1.0, 0.0, 0.0], &[true, true, false, false]), Some([1.0, 1.0]));
        assert_eq!(resamples.interval(&[1.0; 4], &[false; 4]), None);
        assert_eq!(Resamples::draw(4, 0, 0).interval(&[1.0; 4], &[true; 4]), None);
    }

    #[test]
    fn a_seed_gives_the_same_resamples_again() {
        assert_eq!(Resamples::draw(50, 20, 7).counts, Resamples::draw(50, 20, 7).counts);
        assert_ne!(Resamples::draw(50, 20, 7).counts, Resamples::draw(50, 20, 8).counts);
    }
}
