use rand::{Rng, RngExt};

/// A part of an image, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CropBox {
    /// Columns left of it.
    pub left: usize,
    /// Rows above it.
    pub top: usize,
    /// Its columns.
    pub width: usize,
    /// Its rows.
    pub height: usize,
}

/// How often a box that does not fit is drawn again.
const ATTEMPTS: usize = 10;

/// torchvision's `RandomResizedCrop.get_params`: uniform in area, log-uniform in ratio, drawn again while it does not
/// fit, and then the largest central box of an allowed ratio.
pub(super) fn sample_crop(
    rng: &mut impl Rng,
    width: usize,
    height: usize,
    scale: [f64; 2],
    ratio: [f64; 2],
) -> CropBox {
    let area = (width * height) as f64;
    for _ in 0..ATTEMPTS {
        let target = area * rng.random_range(scale[0]..=scale[1]);
        let aspect = rng.random_range(ratio[0].ln()..=ratio[1].ln()).exp();
        let w = (target * aspect).sqrt().round_ties_even() as usize;
        let h = (target / aspect).sqrt().round_ties_even() as usize;
        if (1..=width).contains(&w) && (1..=height).contains(&h) {
            let top = rng.random_range(0..=height - h);
            return CropBox { left: rng.random_range(0..=width - w), top, width: w, height: h };
        }
    }
    central(width, height, ratio)
}

fn central(width: usize, height: usize, [narrowest, widest]: [f64; 2]) -> CropBox {
    let ratio = width as f64 / height as f64;
    let (mut w, mut h) = (width, height);
    if ratio < narrowest {
        h = (width as f64 / narrowest).round_ties_even() as usize;
    } else if ratio > widest {
        w = (height as f64 * widest).round_ties_even() as usize;
    }
    let (w, h) = (w.clamp(1, width), h.clamp(1, height));
    CropBox { left: (width - w) / 2, top: (height - h) / 2, width: w, height: h }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn boxes_lie_within_the_image() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for (width, height) in [(1, 1), (1, 40), (40, 1), (3, 5), (32, 32), (97, 31)] {
            for _ in 0..2000 {
                let b = sample_crop(&mut rng, width, height, [0.08, 1.0], [0.75, 4.0 / 3.0]);
                assert!(
                    b.width >= 1 && b.height >= 1 && b.left + b.width <= width && b.top + b.height <= height
                );
            }
        }
    }

    #[test]
    fn an_image_that_no_box_fits_gives_its_centre() {
        assert_eq!(central(90, 10, [0.75, 4.0 / 3.0]), CropBox { left: 38, top: 0, width: 13, height: 10 });
        assert_eq!(central(10, 90, [0.75, 4.0 / 3.0]), CropBox { left: 0, top: 38, width: 10, height: 13 });
    }
}
