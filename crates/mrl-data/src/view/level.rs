//! Floats to 8-bit levels. A cast would do, but it also asks what is not a number or out of range, one value at a time;
//! these become vector instructions.

/// Added to a whole number below 2^22, it leaves that number in the lowest bits.
const SHIFT: f32 = 1.5 * (1u32 << 23) as f32;

/// Rounds `value`, 0 to below 256, towards zero.
#[inline(always)]
pub(super) fn cut(value: f32) -> u8 {
    (value.floor() + SHIFT).to_bits() as u8
}

/// As [`cut`].
#[inline(always)]
pub(super) fn cut_double(value: f64) -> u8 {
    const SHIFT: f64 = 1.5 * (1u64 << 52) as f64;
    (value.floor() + SHIFT).to_bits() as u8
}

/// Rounds `value`, 0 to 255.5, to the nearest level; halves go to the even one.
#[inline(always)]
pub(super) fn nearest(value: f32) -> u8 {
    (value + SHIFT).to_bits() as u8
}
