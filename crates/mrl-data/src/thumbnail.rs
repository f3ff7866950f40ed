use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};

use mrl_resize::Resize;

use crate::Image;

impl Image<'_> {
    /// The image as PNG, scaled so that its longer side is at most `side` pixels. Smaller ones stay as they are.
    ///
    /// # Panics
    /// When `side` is 0.
    #[must_use]
    pub fn thumbnail(&self, side: usize) -> Vec<u8> {
        assert!(side > 0, "a thumbnail has pixels");
        let longer = self.width().max(self.height());
        let scaled = |length: usize| (length * side / longer).max(1);
        let size = [self.width(), self.height()];
        let small = if longer > side { size.map(scaled) } else { size };
        let mut pixels = vec![0; small[0] * small[1] * 3];
        Resize::default().bilinear(self.pixels(), size, &mut pixels, small);
        let mut png = Vec::new();
        PngEncoder::new(&mut png)
            .write_image(&pixels, small[0] as u32, small[1] as u32, ExtendedColorType::Rgb8)
            .expect("memory takes whatever is written, and the buffer has the image's size");
        png
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_image_stays_as_it_is_and_a_large_one_keeps_its_shape() {
        let pixels: Vec<u8> = (0..4 * 2 * 3).collect();
        let decode = |png: &[u8]| image::load_from_memory(png).unwrap().to_rgb8();
        let same = decode(&Image::new(4, 2, pixels.clone()).thumbnail(4));
        assert_eq!((same.dimensions(), same.into_raw()), ((4, 2), pixels));
        let small = decode(&Image::new(300, 2, vec![7; 300 * 2 * 3]).thumbnail(30));
        assert_eq!((small.dimensions(), small.get_pixel(9, 0).0), ((30, 1), [7; 3]));
    }
}
