//! Numbers in fewer bits, with a bound of what that changes.

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, VariantNames};

/// How the numbers of the shortlist are stored.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Display, EnumString, VariantNames,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Dtype {
    /// Four bytes.
    F32,
    /// Two bytes: the upper half of an `f32`.
    Bf16,
    /// One byte, and a scale for each row of a band.
    Int8,
}

/// Rows of a band in a [`Dtype`].
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Encoded {
    pub(crate) numbers: Numbers,
    /// `[rows]`, nothing for `f32`: a bound of the norm of what encoding has changed.
    pub(crate) errors: Vec<f32>,
}

/// What [`crate::space::Values`] borrows.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Numbers {
    F32(Vec<f32>),
    Bf16(Vec<u16>),
    Int8 { levels: Vec<i8>, scales: Vec<f32> },
}

/// Encodes rows of `values` `[rows, width]`, none beyond 1e38, to the nearest.
pub(crate) fn encode(values: &[f32], width: usize, dtype: Dtype) -> Encoded {
    let rows = values.chunks_exact(width);
    match dtype {
        Dtype::F32 => Encoded { numbers: Numbers::F32(values.to_vec()), errors: Vec::new() },
        Dtype::Bf16 => {
            let bits: Vec<u16> = values.iter().map(|&value| to_bf16(value)).collect();
            let back = |row: &[u16], out: &mut Vec<f32>| out.extend(row.iter().map(|&bits| from_bf16(bits)));
            let errors = errors(rows, bits.chunks_exact(width), back);
            Encoded { numbers: Numbers::Bf16(bits), errors }
        }
        Dtype::Int8 => {
            let scales: Vec<f32> = rows.clone().map(scale).collect();
            let levels: Vec<i8> = rows
                .clone()
                .zip(&scales)
                .flat_map(|(row, &scale)| row.iter().map(move |&v| level(v, scale)))
                .collect();
            let stored = levels.chunks_exact(width).zip(&scales);
            let back = |(levels, &scale): (&[i8], &f32), out: &mut Vec<f32>| {
                out.extend(levels.iter().map(|&level| f32::from(level) * scale));
            };
            let errors = errors(rows, stored, back);
            Encoded { numbers: Numbers::Int8 { levels, scales }, errors }
        }
    }
}

/// The norm of the difference between each row and what is read `back`, rounded up.
fn errors<'a, S>(
    rows: impl Iterator<Item = &'a [f32]>,
    stored: impl Iterator<Item = S>,
    back: impl Fn(S, &mut Vec<f32>),
) -> Vec<f32> {
    let mut read = Vec::new();
    rows.zip(stored)
        .map(|(row, stored)| {
            read.clear();
            back(stored, &mut read);
            let squares = row.iter().zip(&read).map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2));
            round_up(squares.sum::<f64>().sqrt())
        })
        .collect()
}

/// An `f32` that is not below `value`, which may be off by the rounding of sums in `f64`.
pub(crate) fn round_up(value: f64) -> f32 {
    let nearest = (value * (1.0 + 1e-12)) as f32;
    if value == 0.0 { 0.0 } else { nearest.next_up() }
}

/// The nearest, of two the even one; the largest finite one for those beyond.
fn to_bf16(value: f32) -> u16 {
    const LARGEST: u32 = 0x7f7f;
    let bits = value.to_bits();
    let sign = bits >> 31 << 15;
    let magnitude = bits & 0x7fff_ffff;
    let rounded = (magnitude + 0x7fff + (magnitude >> 16 & 1)) >> 16;
    (sign | rounded.min(LARGEST)) as u16
}

#[expect(clippy::inline_always, reason = "what is not inlined is compiled for the narrowest vectors")]
#[inline(always)]
pub(crate) fn from_bf16(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

/// The largest level.
const LEVELS: f32 = 127.0;

/// The least scale by which no value of `row` exceeds the largest level by more than rounding.
fn scale(row: &[f32]) -> f32 {
    row.iter().fold(0.0f32, |largest, value| largest.max(value.abs())) / LEVELS
}

fn level(value: f32, scale: f32) -> i8 {
    // A scale of 0 leaves NaN or infinity: numbers that small are lost.
    let level = (value / scale).round_ties_even();
    if scale > 0.0 { level as i8 } else { 0 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(numbers: &Numbers, width: usize) -> Vec<f32> {
        match numbers {
            Numbers::F32(values) => values.clone(),
            Numbers::Bf16(bits) => bits.iter().map(|&bits| from_bf16(bits)).collect(),
            Numbers::Int8 { levels, scales } => {
                levels.iter().enumerate().map(|(i, &level)| f32::from(level) * scales[i / width]).collect()
            }
        }
    }

    fn rows() -> impl Strategy<Value = (Vec<f32>, usize)> {
        let any_size = (-1.0f32..1.0, -44i32..37).prop_map(|(value, exponent)| value * 10f32.powi(exponent));
        let value = prop_oneof![4 => -1.0f32..1.0, 1 => any_size, 1 => Just(0.0f32), 1 => Just(1e37f32)];
        (1usize..20, 1usize..6).prop_flat_map(move |(width, n)| {
            (proptest::collection::vec(value.clone(), width * n), Just(width))
        })
    }

    proptest! {
        #[test]
        fn the_bound_holds_and_is_tight((values, width) in rows()) {
            for dtype in [Dtype::F32, Dtype::Bf16, Dtype::Int8] {
                let encoded = encode(&values, width, dtype);
                let back = read(&encoded.numbers, width);
                for (index, (row, back)) in values.chunks(width).zip(back.chunks(width)).enumerate() {
                    let difference =
                        row.iter().zip(back).map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2)).sum::<f64>().sqrt();
                    let error = f64::from(encoded.errors.get(index).copied().unwrap_or(0.0));
                    prop_assert!(difference <= error, "{dtype:?}: {difference} {error}");
                    let largest = f64::from(row.iter().fold(0.0f32, |a, b| a.max(b.abs())));
                    let share = match dtype {
                        Dtype::F32 => 0.0,
                        Dtype::Bf16 => 1.0 / 256.0,
                        Dtype::Int8 => 0.51 / 127.0,
                    };
                    let most = largest * share * (width as f64).sqrt() + 1e-38;
                    prop_assert!(error <= most, "{dtype:?}: {error} beyond {most}");
                }
            }
        }
    }

    #[test]
    fn bf16_rounds_to_the_nearest_and_to_even() {
        let round = |value: f32| from_bf16(to_bf16(value));
        assert_eq!(round(1.0), 1.0);
        assert_eq!(round(1.0 + 1.0 / 256.0), 1.0);
        assert_eq!(round(1.0 + 3.0 / 256.0), 1.0 + 4.0 / 256.0);
        assert_eq!(round(-1.001), -1.0);
        assert_eq!(round(0.0).to_bits(), 0);
        assert!(round(f32::MAX).is_finite() && round(-f32::MAX).is_finite());
    }

    #[test]
    fn int8_uses_all_levels() {
        let encoded = encode(&[-2.0, 1.0, 2.0], 3, Dtype::Int8);
        assert_eq!(encoded.numbers, Numbers::Int8 { levels: vec![-127, 64, 127], scales: vec![2.0 / 127.0] });
    }
}
