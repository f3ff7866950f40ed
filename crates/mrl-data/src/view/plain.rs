//! Views in plain loops over pixels, close to the C of libImaging: what the vectors must give, bit for bit.

use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{
    Augmentation, ColourJitter, ColourOperator, CropBox, Scratch, ViewParams,
    blur::{gaussian, kernel_size, mirror},
    render,
};
use mrl_resize::Resize;

use crate::Image;

/// Every pixel that there is.
pub(super) fn every_colour() -> impl Iterator<Item = [u8; 3]> {
    (0..1u32 << 24).map(|number| [number as u8, (number >> 8) as u8, (number >> 16) as u8])
}

fn render_plainly(params: &ViewParams, image: &Image<'_>, size: usize) -> Vec<f32> {
    let mut part = Vec::new();
    cut(image, params.crop, &mut part);
    let mut view = vec![0; size * size * 3];
    Resize::default().bilinear(&part, [params.crop.width, params.crop.height], &mut view, [size, size]);
    if params.flip {
        view.chunks_exact_mut(size * 3).for_each(|row| row.as_chunks_mut::<3>().0.reverse());
    }
    if let Some(factors) = &params.jitter {
        jitter(&mut view, factors);
    }
    if params.grayscale {
        grayscale(&mut view);
    }
    if let Some(sigma) = params.blur_sigma {
        blur(&mut view, size, sigma);
    }
    if let Some(threshold) = params.solarize {
        solarize(&mut view, threshold);
    }
    view.iter().map(|&level| f32::from(level) / 255.0).collect()
}

proptest! {
    /// Sizes below, at and above whole vectors; every operator on or off; one set of buffers for two views.
    #[test]
    fn views_are_those_of_plain_loops(
        (width, height) in (1usize..90, 1usize..90),
        size in 1usize..110,
        (darkest, contrast) in (0u8..=255, 0u8..=255),
        (solarize_threshold, hue) in (any::<u8>(), prop_oneof![Just(0.0), 0.0..=0.5]),
        blur_p in prop_oneof![Just(0.0), Just(1.0)],
        seed in any::<u64>(),
    ) {
        let augmentation = Augmentation { hue, blur_p, solarize_threshold, ..Augmentation::default() };
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut level = |_| darkest.saturating_add((rng.next_u32() % (u32::from(contrast) + 1)) as u8);
        let image = Image::new(width, height, (0..width * height * 3).map(&mut level).collect::<Vec<u8>>());
        let mut scratch = Scratch::default();
        for size in [size, 32] {
            let params = augmentation.sample(&mut rng, width, height);
            let mut view = vec![f32::NAN; size * size * 3];
            render(&params, &image, size, &mut scratch, &mut view);
            prop_assert_eq!(view, render_plainly(&params, &image, size), "{:?}", params);
        }
    }
}

fn cut(image: &Image<'_>, part: CropBox, out: &mut Vec<u8>) {
    out.clear();
    for row in part.top..part.top + part.height {
        let start = (row * image.width() + part.left) * 3;
        out.extend_from_slice(&image.pixels()[start..start + part.width * 3]);
    }
}

/// Colour jitter in its order.
fn jitter(pixels: &mut [u8], jitter: &ColourJitter) {
    for operator in jitter.order {
        match operator {
            ColourOperator::Brightness => brightness(pixels, jitter.brightness as f32),
            ColourOperator::Contrast => contrast(pixels, jitter.contrast as f32),
            ColourOperator::Saturation => saturation(pixels, jitter.saturation as f32),
            ColourOperator::Hue => {
                if let Some(share) = jitter.hue {
                    turn_hue(pixels, share);
                }
            }
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
fn grayscale(pixels: &mut [u8]) {
    for pixel in pixels.as_chunks_mut::<3>().0 {
        *pixel = [luma(*pixel); 3];
    }
}

/// Values from `threshold` on are inverted (`PIL.ImageOps.solarize`).
fn solarize(pixels: &mut [u8], threshold: u8) {
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
pub(super) fn to_hsv([r, g, b]: [u8; 3]) -> [u8; 3] {
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
pub(super) fn from_hsv([hue, saturation, value]: [u8; 3]) -> [u8; 3] {
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

/// torchvision's `gaussian_blur` with the reference's kernel, about a tenth of the side and odd; the border mirrors.
fn blur(view: &mut [u8], size: usize, sigma: f64) {
    let kernel = gaussian(kernel_size(size), sigma);
    let reach = kernel.len() / 2;
    if reach == 0 {
        return;
    }
    let mut rows = vec![0.0; view.len()];
    for (source, row) in view.chunks_exact(size * 3).zip(rows.chunks_exact_mut(size * 3)) {
        for x in 0..size {
            for (tap, weight) in kernel.iter().enumerate() {
                let from = mirror(x + tap, reach, size) * 3;
                for channel in 0..3 {
                    row[x * 3 + channel] += weight * f32::from(source[from + channel]);
                }
            }
        }
    }
    let mut sum = vec![0.0f32; size * 3];
    for (y, out) in view.chunks_exact_mut(size * 3).enumerate() {
        sum.fill(0.0);
        for (tap, weight) in kernel.iter().enumerate() {
            let from = &rows[mirror(y + tap, reach, size) * size * 3..][..size * 3];
            sum.iter_mut().zip(from).for_each(|(sum, value)| *sum += weight * value);
        }
        out.iter_mut().zip(&sum).for_each(|(level, sum)| *level = sum.round_ties_even() as u8);
    }
}
