use mrl_linalg::vectorised;

use super::{level::nearest, planes::LANES};

/// torchvision's `gaussian_blur`, with the buffers it needs.
#[derive(Default)]
pub(super) struct Blur {
    /// One row with its mirrored borders.
    row: Vec<f32>,
    /// The rows after the horizontal pass, each padded to whole `LANES`.
    rows: Vec<f32>,
}

impl Blur {
    /// Blurs one plane with the reference's kernel, about a tenth of the side and odd; the border mirrors.
    pub(super) fn apply(&mut self, plane: &mut [u8], size: usize, sigma: f64) {
        let kernel = gaussian(kernel_size(size), sigma);
        if kernel.len() > 1 {
            let stride = size.next_multiple_of(LANES);
            self.row.resize(stride + kernel.len() - 1, 0.0);
            self.rows.resize(size * stride, 0.0);
            let Self { row, rows } = self;
            vectorised(
                #[inline(always)]
                || {
                    along_rows(plane, size, &kernel, row, rows);
                    across_rows(rows, size, &kernel, plane);
                },
            );
        }
    }
}

#[inline(always)]
fn along_rows(plane: &[u8], size: usize, kernel: &[f32], row: &mut [f32], rows: &mut [f32]) {
    let reach = kernel.len() / 2;
    for (levels, sums) in plane.chunks_exact(size).zip(rows.chunks_exact_mut(size.next_multiple_of(LANES))) {
        for (value, &level) in row[reach..].iter_mut().zip(levels) {
            *value = f32::from(level);
        }
        for place in (0..reach).chain(reach + size..2 * reach + size) {
            row[place] = f32::from(levels[mirror(place, reach, size)]);
        }
        for (chunk, sums) in sums.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
            *sums = weighted_sum(kernel, |tap| &row[chunk * LANES + tap..]);
        }
    }
}

#[inline(always)]
fn across_rows(rows: &[f32], size: usize, kernel: &[f32], plane: &mut [u8]) {
    let reach = kernel.len() / 2;
    let stride = size.next_multiple_of(LANES);
    for (y, levels) in plane.chunks_exact_mut(size).enumerate() {
        for (chunk, levels) in levels.chunks_mut(LANES).enumerate() {
            let row = |tap| &rows[mirror(y + tap, reach, size) * stride + chunk * LANES..];
            for (level, sum) in levels.iter_mut().zip(weighted_sum(kernel, row)) {
                *level = nearest(sum);
            }
        }
    }
}

#[inline(always)]
fn weighted_sum<'a>(kernel: &[f32], values: impl Fn(usize) -> &'a [f32]) -> [f32; LANES] {
    let mut sums = [0.0; LANES];
    for (tap, weight) in kernel.iter().enumerate() {
        let values: &[f32; LANES] = values(tap).first_chunk().expect("rows are padded");
        for (sum, value) in sums.iter_mut().zip(values) {
            *sum += weight * value;
        }
    }
    sums
}

/// The reference's `ceil(int(0.1 · size)) // 2 · 2 + 1`.
pub(super) fn kernel_size(size: usize) -> usize {
    size / 10 / 2 * 2 + 1
}

pub(super) fn gaussian(taps: usize, sigma: f64) -> Vec<f32> {
    let half = (taps as f64 - 1.0) / 2.0;
    let bell: Vec<f64> = (0..taps).map(|tap| (-0.5 * ((tap as f64 - half) / sigma).powi(2)).exp()).collect();
    let sum: f64 = bell.iter().sum();
    bell.iter().map(|weight| (weight / sum) as f32).collect()
}

/// Place `at - reach`, mirrored at the first and last pixel.
#[inline(always)]
pub(super) fn mirror(at: usize, reach: usize, size: usize) -> usize {
    let last = size as isize - 1;
    let place = (at as isize - reach as isize).abs();
    (last - (last - place).abs()).max(0) as usize
}
