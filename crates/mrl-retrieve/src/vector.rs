//! Products and norms in `f64`, by which hits are ranked.

/// By eight running sums, which the compiler keeps in vector registers. Products of two `f32`s are exact in `f64`.
#[inline(always)]
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f64 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let mut sums = [0.0f64; 8];
    for (a, b) in a.iter().zip(b) {
        for ((sum, &a), &b) in sums.iter_mut().zip(a).zip(b) {
            *sum += f64::from(a) * f64::from(b);
        }
    }
    let rest = a_rest.iter().zip(b_rest).map(|(&a, &b)| f64::from(a) * f64::from(b));
    sums.into_iter().chain(rest).sum()
}

/// `dot(a, b)` and `dot(b, b)` at once.
#[inline(always)]
pub(crate) fn dot_and_square(a: &[f32], b: &[f32]) -> (f64, f64) {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let (mut sums, mut squares) = ([0.0f64; 8], [0.0f64; 8]);
    for (a, b) in a.iter().zip(b) {
        for (((sum, square), &a), &b) in sums.iter_mut().zip(&mut squares).zip(a).zip(b) {
            *sum += f64::from(a) * f64::from(b);
            *square += f64::from(b) * f64::from(b);
        }
    }
    let rest = a_rest.iter().zip(b_rest).map(|(&a, &b)| f64::from(a) * f64::from(b));
    let squares_rest = b_rest.iter().map(|&b| f64::from(b) * f64::from(b));
    (sums.into_iter().chain(rest).sum(), squares.into_iter().chain(squares_rest).sum())
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
        fn products_at_once_are_those_one_by_one(values in proptest::collection::vec((-9.0f32..9.0, -9.0f32..9.0), 0..40)) {
            let (a, b): (Vec<f32>, Vec<f32>) = values.into_iter().unzip();
            prop_assert_eq!(dot_and_square(&a, &b), (dot(&a, &b), dot(&b, &b)));
            let plain: f64 = a.iter().zip(&b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
            prop_assert!((dot(&a, &b) - plain).abs() < 1e-9);
        }
    }
}
