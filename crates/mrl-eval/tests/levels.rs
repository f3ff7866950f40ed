//! A report is the same whichever vector instructions the processor has.
//!
//! The only test of its program, for the level is the process's.

use mrl_embedding::EmbeddingSet;
use mrl_eval::{EvalOptions, evaluate};
use mrl_linalg::{Level, limit_simd};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const DIMS: usize = 19;
const CLASSES: usize = 4;

/// Rows in overlapping classes; those of equal directions make neighbours that tie.
fn rows(n: usize, seed: u64) -> EmbeddingSet {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut values: Vec<f32> = Vec::with_capacity(n * DIMS);
    for row in 0..n {
        if row % 7 == 6 {
            let before = values[(row - 3) * DIMS..(row - 2) * DIMS].to_vec();
            values.extend(before.iter().map(|value| 2.0 * value));
        } else {
            let centre = |dim: usize| if dim % CLASSES == row % CLASSES { 0.7 } else { 0.0 };
            values.extend((0..DIMS).map(|dim| centre(dim) + random.random_range(-1.0f32..1.0)));
        }
    }
    let labels = (0..n).map(|row| (row % CLASSES) as i64).collect();
    EmbeddingSet::new(values, DIMS).unwrap().with_labels(labels).unwrap()
}

/// The whole report, less how long it took.
fn report(train: &EmbeddingSet, test: &EmbeddingSet) -> String {
    let options = EvalOptions { dims: Some(vec![2, 5, 16, DIMS]), ..EvalOptions::default() };
    serde_json::to_string(&evaluate(train, test, &options, &mut |_| {}).unwrap()).unwrap()
}

#[test]
fn every_simd_level_gives_the_same_report() {
    let (train, test) = (rows(300, 1), rows(90, 2));
    limit_simd(Level::Scalar).unwrap();
    let scalar = report(&train, &test);
    for level in Level::available() {
        limit_simd(level).unwrap();
        assert_eq!(report(&train, &test), scalar, "{level} differs from scalar");
    }
}
