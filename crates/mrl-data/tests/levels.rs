//! Views are the same bits whichever vector instructions the processor has.
//!
//! The only test of its program, for the level is the process's.

use mrl_data::{Augmentation, Image, Scratch, render};
use mrl_linalg::{Level, limit_simd};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Views of images and of sizes below, at and above whole vectors; all operators occur.
fn views() -> Vec<u32> {
    let augmentation = Augmentation {
        jitter_p: 1.0,
        hue: 0.2,
        grayscale_p: 0.3,
        blur_p: 0.5,
        solarize_p: 0.5,
        ..Augmentation::default()
    };
    let (mut rng, mut scratch) = (ChaCha8Rng::seed_from_u64(3), Scratch::default());
    let mut bits = Vec::new();
    for (width, height, size) in [(7, 5, 9), (32, 32, 32), (61, 83, 64), (90, 40, 97)] {
        let pixels: Vec<u8> = (0..width * height * 3).map(|_| rng.next_u32() as u8).collect();
        let image = Image::new(width, height, pixels);
        for _ in 0..12 {
            let params = augmentation.sample(&mut rng, width, height);
            let mut view = vec![f32::NAN; size * size * 3];
            render(&params, &image, size, &mut scratch, &mut view);
            bits.extend(view.into_iter().map(f32::to_bits));
        }
    }
    bits
}

#[test]
fn every_simd_level_renders_the_same_views() {
    limit_simd(Level::Scalar).unwrap();
    let scalar = views();
    for level in Level::available() {
        limit_simd(level).unwrap();
        assert!(views() == scalar, "{level} differs from scalar");
    }
}
