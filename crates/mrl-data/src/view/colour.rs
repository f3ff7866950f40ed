//! PIL's colour operators on planes of 8-bit levels, rounding where PIL rounds: each takes and leaves whole levels.

use super::{
    hue::turn_hue,
    level::cut,
    params::{ColourJitter, ColourOperator},
    planes::Planes,
};

/// Colour jitter in its order.
pub(super) fn jitter(planes: &mut Planes, jitter: &ColourJitter) {
    for operator in jitter.order {
        match operator {
            ColourOperator::Brightness => blend_all(planes, 0, jitter.brightness as f32),
            ColourOperator::Contrast => contrast(planes, jitter.contrast as f32),
            ColourOperator::Saturation => saturation(planes, jitter.saturation as f32),
            ColourOperator::Hue => {
                if let Some(share) = jitter.hue {
                    turn_hue(planes, share);
                }
            }
        }
    }
}

fn contrast(planes: &mut Planes, factor: f32) {
    let pixels = planes.each()[0].len() as f64;
    let mean = (planes.sum(|[r, g, b]| luma([r, g, b])) as f64 / pixels + 0.5) as u8;
    blend_all(planes, mean, factor);
}

fn blend_all(planes: &mut Planes, from: u8, factor: f32) {
    planes.map_levels(move |level| blend(from, level, factor));
}

fn saturation(planes: &mut Planes, factor: f32) {
    planes.map_pixels(
        #[inline(always)]
        move |pixel| {
            let gray = luma(pixel);
            let [r, g, b] = pixel;
            [blend(gray, r, factor), blend(gray, g, factor), blend(gray, b, factor)]
        },
    );
}

/// Every pixel to its luma.
pub(super) fn grayscale(planes: &mut Planes) {
    planes.map_pixels(|pixel| [luma(pixel); 3]);
}

/// Levels from `threshold` on are inverted (`PIL.ImageOps.solarize`).
pub(super) fn solarize(planes: &mut Planes, threshold: u8) {
    planes.map_levels(move |level| if level >= threshold { 255 - level } else { level });
}

/// ITU-R 601 luma in 16-bit fixed point (libImaging's `L24`).
#[inline(always)]
fn luma([r, g, b]: [u8; 3]) -> u8 {
    ((u32::from(r) * 19595 + u32::from(g) * 38470 + u32::from(b) * 7471 + 0x8000) >> 16) as u8
}

/// `from` moved by `factor` of the way to `to`, cut to whole levels (libImaging's `ImagingBlend`).
#[inline(always)]
fn blend(from: u8, to: u8, factor: f32) -> u8 {
    cut((f32::from(from) + factor * (f32::from(to) - f32::from(from))).clamp(0.0, 255.0))
}
