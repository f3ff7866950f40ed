use crate::{Image, resize::Resize};

/// An image as a trained encoder takes it: the shorter side resized to `size` (bilinear, antialiased, as torchvision's
/// `Resize`), the centre cut out; `out` is `[size, size, 3]`, values in `[0, 1]`.
///
/// # Panics
/// When `out` has another length.
pub fn prepare(image: &Image<'_>, size: usize, out: &mut [f32]) {
    assert_eq!(out.len(), size * size * 3, "an image of {size} x {size}");
    let [width, height] = scaled(image, size);
    let mut resized = vec![0; width * height * 3];
    Resize::default().bilinear(
        image.pixels(),
        [image.width(), image.height()],
        &mut resized,
        [width, height],
    );
    // torchvision's `center_crop` rounds halves to even.
    let offset = |side: usize| ((side - size) as f64 / 2.0).round_ties_even() as usize;
    let (left, top) = (offset(width), offset(height));
    for (row, out) in out.chunks_exact_mut(size * 3).enumerate() {
        let start = ((top + row) * width + left) * 3;
        for (value, &level) in out.iter_mut().zip(&resized[start..start + size * 3]) {
            *value = f32::from(level) / 255.0;
        }
    }
}

/// Width and height with the shorter side `size`; torchvision cuts the longer one to whole pixels.
fn scaled(image: &Image<'_>, size: usize) -> [usize; 2] {
    let (width, height) = (image.width(), image.height());
    if width <= height { [size, size * height / width] } else { [size * width / height, size] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_of_the_right_size_is_only_scaled() {
        let pixels: Vec<u8> = (0..48).map(|value| value * 5).collect();
        let mut out = vec![0.0; 48];
        prepare(&Image::new(4, 4, pixels.clone()), 4, &mut out);
        assert!(out.iter().zip(&pixels).all(|(&value, &level)| value == f32::from(level) / 255.0));
    }

    #[test]
    fn a_wide_image_keeps_its_centre() {
        let mut pixels = vec![0; 2 * 6 * 3];
        for row in 0..2 {
            pixels[(row * 6 + 2) * 3..(row * 6 + 4) * 3].fill(255);
        }
        let mut out = vec![0.0; 12];
        prepare(&Image::new(6, 2, pixels), 2, &mut out);
        assert_eq!(out, vec![1.0; 12]);
    }
}
