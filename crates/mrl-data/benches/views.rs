//! Views that one core makes in a second, from drawing the parameters to the floats of the batch. `bench/train/views.py`
//! measures torchvision doing the same.
//!
//! `cargo bench -p mrl-data --bench views`; without `--bench`, as under `cargo test`, each size runs once.

#![expect(clippy::print_stdout, reason = "a program for the terminal")]

use std::{
    env,
    hint::black_box,
    time::{Duration, Instant},
};

use mrl_data::{Augmentation, Image, Scratch, render};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Views of a round, and how long rounds go on. The fastest counts: what else the machine does only ever slows one down.
const VIEWS: u64 = 256;
const DURATION: Duration = Duration::from_secs(3);

fn main() {
    let measure = env::args().any(|argument| argument == "--bench");
    let views_per_s = [32, 96].map(|size| {
        let (image, mut scratch) = (image(size), Scratch::default());
        let (mut best, start) = (round(&image, size, &mut scratch), Instant::now());
        while measure && start.elapsed() < DURATION {
            best = best.min(round(&image, size, &mut scratch));
        }
        VIEWS as f64 / best.as_secs_f64()
    });
    let [small, large] = views_per_s;
    println!("{{\"views_per_s_32\": {small:.0}, \"views_per_s_96\": {large:.0}}}");
}

/// Makes the views of a batch from streams of their own, as the loader does.
fn round(image: &Image<'_>, size: usize, scratch: &mut Scratch) -> Duration {
    let augmentation = Augmentation::default();
    let mut view = vec![0.0; size * size * 3];
    let start = Instant::now();
    for stream in 0..VIEWS {
        let mut rng = ChaCha8Rng::from_seed([7; 32]);
        rng.set_stream(stream);
        let params = augmentation.sample(&mut rng, image.width(), image.height());
        render(&params, image, size, scratch, black_box(&mut view));
    }
    start.elapsed()
}

/// Shading, two discs of other colours and some noise: edges, even parts and colours much as in a photograph.
fn image(size: usize) -> Image<'static> {
    let mut noise = 1u32;
    let mut pixels = Vec::with_capacity(size * size * 3);
    for place in 0..size * size {
        let (x, y) = ((place % size) as f32 / size as f32, (place / size) as f32 / size as f32);
        let inside = |cx: f32, cy: f32, radius: f32| (x - cx).hypot(y - cy) < radius;
        let colour = match (inside(0.35, 0.4, 0.25), inside(0.7, 0.65, 0.2)) {
            (true, _) => [200.0, 120.0 + 60.0 * x, 40.0],
            (_, true) => [30.0, 90.0, 160.0 - 50.0 * y],
            _ => [90.0 + 100.0 * y, 130.0 + 80.0 * y, 190.0 - 40.0 * x],
        };
        for level in colour {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            pixels.push((level + (noise >> 28) as f32) as u8);
        }
    }
    Image::new(size, size, pixels)
}
