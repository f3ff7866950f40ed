//! PIL's colour operators on 8-bit RGB, rounding where PIL rounds: each takes and leaves whole levels.

use super::params::{ColourJitter, ColourOperator};

/// Colour jitter in its order.
pub(super) fn jitter(pixels: &mut [u8], jitter: &ColourJitter) {
    for operator in jitter.order {
        match operator {
            ColourOperator::Brightness => brightness(pixels, jitter.brightness as f32),
            ColourOperator::Contrast => contrast(pixels, jitter.contrast as f32),
            ColourOperator::Saturation => saturation(pixels, jitter.saturation as f32),
            ColourOperator::Hue => turn_hue(pixels, jitter.hue),
        }
    }
}

fn brightness(pixels: &mut [u8], factor: f32) {
    apply(pixels, &blend_table(0, factor));
}

fn contrast(pixels: &mut [u8], factor: f32) {
    let rgb = pixels.as_chunks::<3>().0;
    let sum: u64 = rgb.iter().map(|&pixel| u64::from(luma(pixel))).sum();
    let mean = (sum as f64 / rgb.len() as f64 + 0.5) as u8;
    apply(pixels, &blend_table(mean, factor));
}

fn saturation(pixels: &mut [u8], factor: f32) {
    for pixel in pixels.as_chunks_mut::<3>().0 {
        let gray = luma(*pixel);
        *pixel = pixel.map(|value| blend(gray, value, factor));
    }
}

/// Every pixel to its luma.
pub(super) fn grayscale(pixels: &mut [u8]) {
    for pixel in pixels.as_chunks_mut::<3>().0 {
        *pixel = [luma(*pixel); 3];
    }
}

/// Values from `threshold` on are inverted (`PIL.ImageOps.solarize`).
pub(super) fn solarize(pixels: &mut [u8], threshold: u8) {
    for value in pixels {
        if *value >= threshold {
            *value = 255 - *value;
        }
    }
}

/// ITU-R 601 luma in 16-bit fixed point (libImaging's `L24`).
fn luma([r, g, b]: [u8; 3]) -> u8 {
    ((u32::from(r) * 19595 + u32::from(g) * 38470 + u32::from(b) * 7471 + 0x8000) >> 16) as u8
}

/// `from` moved by `factor` of the way to `to`, cut to whole levels (libImaging's `ImagingBlend`).
fn blend(from: u8, to: u8, factor: f32) -> u8 {
    // A float that is cast to `u8` is cut to 0..=255 and rounded towards zero: what libImaging does by hand.
    (f32::from(from) + factor * (f32::from(to) - f32::from(from))) as u8
}

fn blend_table(from: u8, factor: f32) -> [u8; 256] {
    std::array::from_fn(|value| blend(from, value as u8, factor))
}

fn apply(pixels: &mut [u8], table: &[u8; 256]) {
    for value in pixels {
        *value = table[usize::from(*value)];
    }
}

/// torchvision's `adjust_hue` on PIL images: the hue's byte wraps around.
fn turn_hue(pixels: &mut [u8], share: f64) {
    let shift = (share * 255.0) as i32 as u8;
    for pixel in pixels.as_chunks_mut::<3>().0 {
        let [hue, saturation, value] = to_hsv(*pixel);
        *pixel = from_hsv([hue.wrapping_add(shift), saturation, value]);
    }
}

/// libImaging's `rgb2hsv_row`, in its mixture of float and double.
fn to_hsv([r, g, b]: [u8; 3]) -> [u8; 3] {
    let (max, min) = (r.max(g).max(b), r.min(g).min(b));
    if max == min {
        return [0, 0, max];
    }
    let range = f32::from(max - min);
    let saturation = range / f32::from(max);
    let [rc, gc, bc] = [r, g, b].map(|value| f32::from(max - value) / range);
    let sixths = if r == max {
        bc - gc
    } else if g == max {
        (2.0 + f64::from(rc) - f64::from(bc)) as f32
    } else {
        (4.0 + f64::from(gc) - f64::from(rc)) as f32
    };
    let hue = (f64::from(sixths) / 6.0 + 1.0).rem_euclid(1.0) as f32;
    [(f64::from(hue) * 255.0) as u8, (f64::from(saturation) * 255.0) as u8, max]
}

/// libImaging's `hsv2rgb_row`.
fn from_hsv([hue, saturation, value]: [u8; 3]) -> [u8; 3] {
    if saturation == 0 {
        return [value; 3];
    }
    let sixths = (f64::from(hue) * 6.0 / 255.0) as f32;
    let saturation = (f64::from(saturation) / 255.0) as f32;
    let sector = sixths.floor();
    let (f, v) = (f64::from(sixths - sector), f64::from(value));
    let saturation = f64::from(saturation);
    let level = |share: f64| (v * share).round() as u8;
    let p = level(1.0 - saturation);
    let q = level(1.0 - saturation * f);
    let t = level(1.0 - saturation * (1.0 - f));
    match sector as u8 % 6 {
        0 => [value, t, p],
        1 => [q, value, p],
        2 => [p, value, t],
        3 => [p, q, value],
        4 => [t, p, value],
        _ => [value, p, q],
    }
}
