use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

/// The order of the samples in an epoch: a function of seed and epoch alone.
#[must_use]
pub fn epoch_order(seed: u64, epoch: u64, samples: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..samples).collect();
    order.shuffle(&mut generator(seed, epoch, 0, ORDER));
    order
}

/// The random stream of one view: a function of seed, epoch, sample and view alone, so that it does not matter which
/// thread makes the view, or when. The first two views have what they had when there were no others.
pub(crate) fn view_generator(seed: u64, epoch: u64, sample: usize, view: usize) -> ChaCha8Rng {
    let (pair, of_pair) = (view as u64 / 2, view as u64 % 2);
    generator(seed, epoch, pair, sample as u64 * 2 + of_pair)
}

/// The stream that no view has.
const ORDER: u64 = u64::MAX;

fn generator(seed: u64, epoch: u64, pair: u64, stream: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&epoch.to_le_bytes());
    key[16..24].copy_from_slice(&pair.to_le_bytes());
    let mut rng = ChaCha8Rng::from_seed(key);
    rng.set_stream(stream);
    rng
}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::*;

    #[test]
    fn an_epoch_has_every_sample_once_in_its_own_order() {
        let first = epoch_order(7, 0, 100);
        let mut sorted = first.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<_>>());
        assert_eq!(first, epoch_order(7, 0, 100));
        assert_ne!(first, epoch_order(7, 1, 100));
        assert_ne!(first, epoch_order(8, 0, 100));
    }

    #[test]
    fn every_view_has_its_own_stream() {
        let first = |seed, epoch, sample, view| view_generator(seed, epoch, sample, view).next_u64();
        let mut draws = Vec::new();
        for (seed, epoch, sample, view) in
            [(1, 0, 0, 0), (1, 0, 0, 1), (1, 0, 0, 2), (1, 0, 0, 3), (1, 0, 1, 0), (1, 1, 0, 0), (2, 0, 0, 0)]
        {
            draws.push(first(seed, epoch, sample, view));
            assert_eq!(first(seed, epoch, sample, view), draws[draws.len() - 1]);
        }
        draws.sort_unstable();
        draws.dedup();
        assert_eq!(draws.len(), 7);
    }
}
