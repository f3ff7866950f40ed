//! Indexes and answers are the same bits whichever vector instructions the processor has.
//!
//! The only test of its program, for the level is the process's.

use std::fs;

use mrl_embedding::EmbeddingSet;
use mrl_linalg::{Level, limit_simd};
use mrl_retrieve::{BuildOptions, Hits, Index, Rotate, Schedule};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const WIDTH: usize = 37;
const K: usize = 10;

/// `n` rows whose first numbers are the largest, as they are in embeddings; the second half repeats the first, so that scores tie.
fn rows(n: usize, seed: u64) -> EmbeddingSet {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let number = |index: usize| random.random_range(-1.0f32..1.0) / (1 + index % WIDTH) as f32;
    let half: Vec<f32> = (0..n / 2 * WIDTH).map(number).collect();
    EmbeddingSet::new([&half[..], &half].concat(), WIDTH).unwrap()
}

/// The file of an index that has a graph and a shortlist, and what searches find: few queries read rows as they lie, many have them
/// packed.
fn built_and_searched(base: &EmbeddingSet, queries: &[f32]) -> (Vec<u8>, Vec<Hits>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    let options =
        BuildOptions { dims: vec![4, 16], rotate: Rotate::Pca, graph: Some(16), ..BuildOptions::default() };
    options.build(base, &path).unwrap();
    let index = Index::open(&path).unwrap();
    let searcher = index.searcher().unwrap();
    let schedules =
        ["exact", "4:60,16:30,37", "t4:50,37", "g16:40,37"].map(|text| text.parse::<Schedule>().unwrap());
    let mut hits = Vec::new();
    for schedule in &schedules {
        for count in [1, 40] {
            hits.push(searcher.search(&queries[..count * WIDTH], K, schedule).unwrap());
        }
    }
    (fs::read(&path).unwrap(), hits)
}

#[test]
fn every_simd_level_builds_the_same_index_and_finds_the_same_rows() {
    let (base, queries) = (rows(1500, 1), rows(40, 2));
    limit_simd(Level::Scalar).unwrap();
    let (file, hits) = built_and_searched(&base, queries.embeddings());
    for level in Level::available() {
        limit_simd(level).unwrap();
        let (other_file, other_hits) = built_and_searched(&base, queries.embeddings());
        assert!(other_file == file, "the index of {level} differs from that of scalar");
        assert_eq!(other_hits, hits, "{level} finds other rows than scalar");
    }
}
