//! Products and norms in `f64`, by which hits are ranked.

#![expect(clippy::inline_always, reason = "what is not inlined is compiled for the narrowest vectors")]

/// The dot product as [`Sums`] has it.
#[inline(always)]
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f64 {
    let mut sums = Sums::default();
    sums.add(0, a, b);
    sums.total()
}

const LANES: usize = 8;

/// Running sums of a dot product, which the compiler keeps in vector registers: number `i` counts in sum `i % 8`. Products of two
/// `f32`s are exact in `f64`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sums([f64; LANES]);

impl Sums {
    /// Adds the products of `a` and `b`, the numbers from `at` on of longer vectors.
    #[inline(always)]
    pub(crate) fn add(&mut self, at: usize, a: &[f32], b: &[f32]) {
        let lane = at % LANES;
        // Up to where the first sum is due again.
        let start = if lane == 0 { 0 } else { a.len().min(LANES - lane) };
        let ((a_start, a), (b_start, b)) = (a.split_at(start), b.split_at(start));
        let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
        add_products(&mut self.0[lane..], a_start, b_start);
        for (a, b) in a.iter().zip(b) {
            add_products(&mut self.0, a, b);
        }
        add_products(&mut self.0, a_rest, b_rest);
    }

    #[inline(always)]
    pub(crate) fn total(self) -> f64 {
        self.0.into_iter().sum()
    }
}

#[inline(always)]
fn add_products(sums: &mut [f64], a: &[f32], b: &[f32]) {
    for ((sum, &a), &b) in sums.iter_mut().zip(a).zip(b) {
        *sum += f64::from(a) * f64::from(b);
    }
}

/// Asks for the memory of `numbers`.
#[inline(always)]
pub(crate) fn prefetch<T>(numbers: &[T]) {
    #[cfg(target_arch = "x86_64")]
    for line in numbers.chunks((64 / size_of::<T>()).max(1)) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: the instruction reads nothing and is part of every x86-64.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = numbers;
}

/// The square root of the sum of squares.
pub(crate) fn norm(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|value| value * value).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_sums_of_parts_are_those_of_the_whole(
            values in proptest::collection::vec((-9.0f32..9.0, -9.0f32..9.0), 0..40),
            cuts in proptest::collection::btree_set(0usize..40, 0..5),
        ) {
            let (a, b): (Vec<f32>, Vec<f32>) = values.into_iter().unzip();
            let mut sums = Sums::default();
            let ends = cuts.into_iter().filter(|&cut| cut < a.len()).chain([a.len()]);
            ends.fold(0, |start, end| {
                sums.add(start, &a[start..end], &b[start..end]);
                end
            });
            prop_assert_eq!(sums.total(), dot(&a, &b));
            let plain: f64 = a.iter().zip(&b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
            prop_assert!((dot(&a, &b) - plain).abs() < 1e-9);
        }
    }
}
