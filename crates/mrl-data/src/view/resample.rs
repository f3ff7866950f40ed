use mrl_linalg::vectorised;

use super::{
    crop::CropBox,
    planes::{LANES, Planes},
    taps::Taps,
};
use crate::Image;

/// Bilinear resizing with antialiasing of a part of an image, with the buffers it needs: what [`mrl_resize::Resize`]
/// gives, bit for bit, without what that does anew for each image, which is most of its work where images are small.
#[derive(Default)]
pub(super) struct Resample {
    /// The part; rows are padded.
    part: Vec<u8>,
    /// The part with the view's height.
    tall: Vec<u8>,
    columns: Taps,
    rows: Taps,
}

impl Resample {
    /// `part` of `image` as planes of `size` by `size`; `flip` exchanges left and right.
    pub(super) fn bilinear(
        &mut self,
        image: &Image<'_>,
        part: CropBox,
        flip: bool,
        size: usize,
        planes: &mut Planes,
    ) {
        self.rows.set(part.height, size, false);
        self.columns.set(part.width, size, flip);
        // Room for what taps of weight 0 reach, for what is loaded with the last pixels, and for whole chunks.
        let stride = ((part.width + self.columns.count()) * 3).next_multiple_of(LANES);
        self.cut(image, part, stride);
        self.tall.resize(size * stride, 0);
        vectorised(
            #[inline(always)]
            || {
                self.fit_height(stride);
                self.fit_width(stride, size, planes);
            },
        );
    }

    fn cut(&mut self, image: &Image<'_>, part: CropBox, stride: usize) {
        self.part.resize((part.height + self.rows.count()) * stride, 0);
        let width = image.width() * 3;
        let source = image.pixels()[part.top * width..][..part.height * width].chunks_exact(width);
        for (row, source) in self.part.chunks_exact_mut(stride).zip(source) {
            row[..part.width * 3].copy_from_slice(&source[part.left * 3..][..part.width * 3]);
        }
    }

    #[inline(always)]
    fn fit_height(&mut self, stride: usize) {
        let Taps { starts, weights, precision, .. } = &self.rows;
        for (y, (row, &start)) in self.tall.chunks_exact_mut(stride).zip(starts).enumerate() {
            for (chunk, levels) in row.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
                let mut sums = [1 << (precision - 1); LANES];
                for (tap, weights) in weights.chunks_exact(starts.len()).enumerate() {
                    let from = (start + tap) * stride + chunk * LANES;
                    let source: &[u8; LANES] = self.part[from..].first_chunk().expect("rows are padded");
                    let weight = weights[y];
                    for (sum, &level) in sums.iter_mut().zip(source) {
                        *sum += weight * i32::from(level);
                    }
                }
                for (level, sum) in levels.iter_mut().zip(sums) {
                    *level = (sum >> precision) as u8;
                }
            }
        }
    }

    #[inline(always)]
    fn fit_width(&self, stride: usize, size: usize, planes: &mut Planes) {
        let [r, g, b] = planes.each_mut();
        let planes = r.chunks_exact_mut(size).zip(g.chunks_exact_mut(size)).zip(b.chunks_exact_mut(size));
        for (row, ((r, g), b)) in self.tall.chunks_exact(stride).zip(planes) {
            let chunks = r.chunks_mut(LANES).zip(g.chunks_mut(LANES)).zip(b.chunks_mut(LANES));
            for (chunk, ((r, g), b)) in chunks.enumerate() {
                let sums = self.column_sums(row, chunk);
                for (sums, levels) in sums.iter().zip([r, g, b]) {
                    for (level, &sum) in levels.iter_mut().zip(sums) {
                        *level = (sum >> self.columns.precision) as u8;
                    }
                }
            }
        }
    }

    /// Red, green and blue of `LANES` pixels of a row of the view.
    #[inline(always)]
    fn column_sums(&self, row: &[u8], chunk: usize) -> [[i32; LANES]; 3] {
        let Taps { starts, weights, precision, .. } = &self.columns;
        let mut sums = [[1 << (precision - 1); LANES]; 3];
        let starts_here = &starts.as_chunks::<LANES>().0[chunk];
        for (pair, weights) in weights.chunks_exact(2 * starts.len()).enumerate() {
            // Two neighbours, 6 bytes, in one load: this loop is the only one that cannot be vectors.
            let mut pixels = [0; LANES];
            for (pixels, &start) in pixels.iter_mut().zip(starts_here) {
                let bytes = row[(start + 2 * pair) * 3..].first_chunk().expect("rows are padded");
                *pixels = u64::from_le_bytes(*bytes);
            }
            let (first, second) = weights.split_at(starts.len());
            let [first, second] = [first, second].map(|weights| &weights.as_chunks::<LANES>().0[chunk]);
            for (channel, sums) in sums.iter_mut().enumerate() {
                for (((sum, &first), &second), &pixels) in sums.iter_mut().zip(first).zip(second).zip(&pixels)
                {
                    let level = |pixel: u32| (pixel >> (8 * channel) & 255) as i32;
                    *sum += first * level(pixels as u32) + second * level((pixels >> 24) as u32);
                }
            }
        }
        sums
    }
}
