use mrl_config::Head;
use rand::{SeedableRng, distr::weighted::WeightedIndex};
use rand_chacha::ChaCha8Rng;
use rand_distr::Distribution;

/// The prefixes that a step trains.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Prefixes {
    /// Their places in the nesting, increasing.
    pub(super) places: Vec<usize>,
    /// What their losses weigh.
    pub(super) weights: Vec<f64>,
    /// How many there are in the nesting.
    nested: usize,
}

impl Prefixes {
    /// All dims alone, as the last of the `weights` says, before prefixes are trained.
    pub(super) fn all_dims(weights: &[f64]) -> Self {
        let nested = weights.len();
        Self { places: vec![nested - 1], weights: vec![weights[nested - 1]], nested }
    }

    /// All prefixes with their `weights`, one for each nesting dim; with [`Head::RandomPrefix`] one alone.
    ///
    /// Nested dropout (arXiv 1402.0915) draws a prefix for each example, shorter ones more often. Losses that compare the
    /// images of a batch need one length for all, so it is drawn for the step; with a probability in proportion to its weight,
    /// so that the expected gradient is that of the weighted sum, but for a factor. It follows from seed and step alone.
    pub(super) fn of_step(head: Head, weights: Vec<f64>, seed: u64, step: u64) -> Self {
        let nested = weights.len();
        if head != Head::RandomPrefix {
            return Self { places: (0..nested).collect(), weights, nested };
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        // Stream 0 is that of the first weights.
        rng.set_stream(step + 1);
        let drawn = WeightedIndex::new(weights).expect("the weights are checked").sample(&mut rng);
        Self { places: vec![drawn], weights: vec![1.0], nested }
    }

    /// The weighted sum.
    pub(super) fn weigh(&self, losses: &[f64]) -> f64 {
        losses.iter().zip(&self.weights).map(|(loss, weight)| loss * weight).sum()
    }

    /// One place for each nesting dim.
    pub(super) fn spread(&self, losses: &[f64]) -> Vec<Option<f64>> {
        let mut spread = vec![None; self.nested];
        self.places.iter().zip(losses).for_each(|(&place, &loss)| spread[place] = Some(loss));
        spread
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(seed: u64, step: u64) -> Prefixes {
        Prefixes::of_step(Head::RandomPrefix, vec![1.0, 5.0, 2.0], seed, step)
    }

    #[test]
    fn all_prefixes_are_trained_with_their_weights() {
        for head in [Head::MrlE, Head::Mrl, Head::Fixed] {
            let prefixes = Prefixes::of_step(head, vec![1.0, 0.5], 0, 0);
            assert_eq!((&prefixes.places[..], &prefixes.weights[..]), (&[0, 1][..], &[1.0, 0.5][..]));
            assert_eq!(prefixes.weigh(&[2.0, 6.0]), 5.0);
            assert_eq!(prefixes.spread(&[2.0, 6.0]), [Some(2.0), Some(6.0)]);
        }
    }

    #[test]
    fn before_nesting_all_dims_are_trained_alone() {
        let prefixes = Prefixes::all_dims(&[1.0, 0.5]);
        assert_eq!((&prefixes.places[..], prefixes.weigh(&[4.0])), (&[1][..], 2.0));
        assert_eq!(prefixes.spread(&[4.0]), [None, Some(4.0)]);
    }

    #[test]
    fn one_prefix_is_drawn_as_often_as_its_weight_says() {
        let steps = 8000;
        let mut counts = [0; 3];
        for step in 0..steps {
            let prefixes = drawn(7, step);
            assert_eq!(prefixes, drawn(7, step));
            assert_eq!((prefixes.places.len(), prefixes.weigh(&[3.0])), (1, 3.0));
            counts[prefixes.places[0]] += 1;
        }
        for (count, share) in counts.into_iter().zip([1.0, 5.0, 2.0]) {
            let expected = f64::from(steps as u32) * share / 8.0;
            assert!((f64::from(count) - expected).abs() < 5.0 * expected.sqrt(), "{counts:?}");
        }
        let sequence = |seed| (0..64).map(|step| drawn(seed, step).places[0]).collect::<Vec<_>>();
        assert!(sequence(7) != sequence(8));
        let step = (0..1000).find(|&step| drawn(7, step).places[0] == 1).unwrap();
        assert_eq!(drawn(7, step).spread(&[3.0]), [None, Some(3.0), None]);
    }
}
