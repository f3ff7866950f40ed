use mrl_resize::Resize;

use crate::Image;

/// Of an image whose sides differ by more than this factor only the middle is looked at: to resize all of it could fill the
/// memory. The central square is one of so many, and the filter reaches no further than one beside it.
const MOST_SQUARES: usize = 64;

/// An image as a trained encoder takes it: the shorter side resized to `size` (bilinear, antialiased, as torchvision's
/// `Resize`), the centre cut out; `out` is `[size, size, 3]`, values in `[0, 1]`.
///
/// # Panics
/// When `out` has another length.
pub fn prepare(image: &Image<'_>, size: usize, out: &mut [f32]) {
    assert_eq!(out.len(), size * size * 3, "an image of {size} x {size}");
    match middle(image) {
        Some(middle) => prepare_whole(&middle, size, out),
        None => prepare_whole(image, size, out),
    }
}

/// The middle of an image that is too long, nothing of another.
fn middle(image: &Image<'_>) -> Option<Image<'static>> {
    let (width, height) = (image.width(), image.height());
    let most = MOST_SQUARES * width.min(height);
    if width.max(height) <= most {
        return None;
    }
    let (left, top) = (width.saturating_sub(most) / 2, height.saturating_sub(most) / 2);
    let (width, height) = (width.min(most), height.min(most));
    let rows = image.pixels().chunks_exact(image.width() * 3).skip(top).take(height);
    let pixels: Vec<u8> = rows.flat_map(|row| &row[left * 3..][..width * 3]).copied().collect();
    Some(Image::new(width, height, pixels))
}

fn prepare_whole(image: &Image<'_>, size: usize, out: &mut [f32]) {
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
    fn the_middle_of_a_long_image_gives_what_all_of_it_would() {
        let long = 80;
        for (width, height) in [(4 * long, 4), (4, 4 * long)] {
            let pixels: Vec<u8> = (0..4 * 4 * long * 3).map(|place| (place * place % 251) as u8).collect();
            let image = Image::new(width, height, pixels);
            let middle = middle(&image).unwrap();
            assert_eq!((middle.width(), middle.height()), (width.min(256), height.min(256)));
            // Twice as large, half as large, and as it is.
            for size in [8, 2, 4] {
                let mut of = [vec![0.0; size * size * 3], vec![0.0; size * size * 3]];
                prepare(&image, size, &mut of[0]);
                prepare_whole(&image, size, &mut of[1]);
                assert_eq!(of[0], of[1], "{width} x {height} to {size}");
            }
        }
    }

    #[test]
    fn a_small_file_of_a_very_long_image_does_not_fill_the_memory() {
        let mut out = vec![0.0; 224 * 224 * 3];
        prepare(&Image::new(1, 65_000, vec![51; 65_000 * 3]), 224, &mut out);
        assert!(out.iter().all(|&value| value == 51.0 / 255.0));
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
