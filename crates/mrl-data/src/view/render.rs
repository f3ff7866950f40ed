use super::{colour, crop::CropBox, params::ViewParams};
use crate::{Image, resize::Resize};

/// Buffers that one thread reuses from view to view.
#[derive(Default)]
pub struct Scratch {
    crop: Vec<u8>,
    view: Vec<u8>,
    blurred: Vec<f32>,
    resize: Resize,
}

/// Makes one view: `out` is `[size, size, 3]`, values in `[0, 1]`.
///
/// Every operator works on 8-bit levels, as torchvision's do on PIL images.
///
/// # Panics
/// When `out` has another length, or the crop does not lie within the image.
pub fn render(params: &ViewParams, image: &Image<'_>, size: usize, scratch: &mut Scratch, out: &mut [f32]) {
    assert_eq!(out.len(), size * size * 3, "a view of {size} x {size}");
    cut(image, params.crop, &mut scratch.crop);
    scratch.view.resize(size * size * 3, 0);
    let view = &mut scratch.view[..];
    scratch.resize.bilinear(&scratch.crop, [params.crop.width, params.crop.height], view, [size, size]);
    if params.flip {
        view.chunks_exact_mut(size * 3).for_each(|row| row.as_chunks_mut::<3>().0.reverse());
    }
    if let Some(jitter) = &params.jitter {
        colour::jitter(view, jitter);
    }
    if params.grayscale {
        colour::grayscale(view);
    }
    if let Some(sigma) = params.blur_sigma {
        blur(view, size, sigma, &mut scratch.blurred);
    }
    if let Some(threshold) = params.solarize {
        colour::solarize(view, threshold);
    }
    for (value, &level) in out.iter_mut().zip(view.iter()) {
        *value = f32::from(level) / 255.0;
    }
}

fn cut(image: &Image<'_>, part: CropBox, out: &mut Vec<u8>) {
    out.clear();
    for row in part.top..part.top + part.height {
        let start = (row * image.width() + part.left) * 3;
        out.extend_from_slice(&image.pixels()[start..start + part.width * 3]);
    }
}

/// torchvision's `gaussian_blur` with the reference's kernel, about a tenth of the side and odd; the border mirrors.
fn blur(view: &mut [u8], size: usize, sigma: f64, rows: &mut Vec<f32>) {
    let kernel = gaussian(kernel_size(size), sigma);
    let reach = kernel.len() / 2;
    if reach == 0 {
        return;
    }
    rows.clear();
    rows.resize(view.len(), 0.0);
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

/// The reference's `ceil(int(0.1 · size)) // 2 · 2 + 1`.
fn kernel_size(size: usize) -> usize {
    size / 10 / 2 * 2 + 1
}

fn gaussian(taps: usize, sigma: f64) -> Vec<f32> {
    let half = (taps as f64 - 1.0) / 2.0;
    let bell: Vec<f64> = (0..taps).map(|tap| (-0.5 * ((tap as f64 - half) / sigma).powi(2)).exp()).collect();
    let sum: f64 = bell.iter().sum();
    bell.iter().map(|weight| (weight / sum) as f32).collect()
}

/// Place `at - reach`, mirrored at the first and last pixel.
fn mirror(at: usize, reach: usize, size: usize) -> usize {
    let last = size as isize - 1;
    let place = (at as isize - reach as isize).abs();
    (last - (last - place).abs()).max(0) as usize
}
