//! Loops over numbers, compiled for each width of vectors; the widest that the processor has is taken at run time.

use mrl_linalg::vectorised;

/// Writes `values` to `out` as `f64`, which is exact; both are equally long.
pub(crate) fn widen(values: &[f32], out: &mut [f64]) {
    vectorised(
        #[inline(always)]
        || {
            for (out, &value) in out.iter_mut().zip(values) {
                *out = f64::from(value);
            }
        },
    );
}

/// `e` to each of `values`, in place, within 3e-16 of the value for those from -700 to 0; below, what -700 gives.
pub(crate) fn exp_of_negatives(values: &mut [f64]) {
    vectorised(
        #[inline(always)]
        || {
            for value in values.iter_mut() {
                *value = exp(value.max(-700.0));
            }
        },
    );
}

/// The exponent is split into a power of two and a rest below ln 2 / 2, whose exponential is a short Taylor sum.
#[inline(always)]
fn exp(x: f64) -> f64 {
    /// Added to a small number, it leaves the nearest whole number in the lowest bits.
    const ROUND: f64 = 1.5 * (1u64 << 52) as f64;
    // ln 2 in two parts, of which the first has so few digits that its multiples are exact.
    const LN_2_HIGH: f64 = f64::from_bits(0x3fe6_2e42_fee0_0000);
    const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;
    let shifted = x * std::f64::consts::LOG2_E + ROUND;
    let whole = shifted - ROUND;
    let rest = (x - whole * LN_2_HIGH) - whole * LN_2_LOW;
    let mut sum = 1.0 / 6_227_020_800.0;
    for inverse_factorial in [
        1.0 / 479_001_600.0,
        1.0 / 39_916_800.0,
        1.0 / 3_628_800.0,
        1.0 / 362_880.0,
        1.0 / 40_320.0,
        1.0 / 5_040.0,
        1.0 / 720.0,
        1.0 / 120.0,
        1.0 / 24.0,
        1.0 / 6.0,
        0.5,
        1.0,
        1.0,
    ] {
        sum = sum * rest + inverse_factorial;
    }
    sum * f64::from_bits(shifted.to_bits().wrapping_add(1023) << 52)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn exp_is_that_of_the_standard_library(values in proptest::collection::vec(-700.0f64..0.0, 1..40)) {
            let mut ours = values.clone();
            exp_of_negatives(&mut ours);
            for (ours, value) in ours.iter().zip(values) {
                prop_assert!((ours / value.exp() - 1.0).abs() < 1e-15, "{value}: {ours}");
            }
        }
    }

    #[test]
    fn exp_at_the_ends() {
        let mut values = [0.0, -0.0, -1e-300, -700.0, -1e9, f64::NEG_INFINITY];
        exp_of_negatives(&mut values);
        assert_eq!(values[..3], [1.0; 3]);
        assert!(values[3..].iter().all(|&value| value > 0.0 && value < 1e-300), "{values:?}");
    }
}
