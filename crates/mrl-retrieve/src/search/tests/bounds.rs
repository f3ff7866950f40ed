//! What bounds must hold against: numbers that nobody vouches for, and numbers of any size.

use std::fs;

use mrl_embedding::EmbeddingSet;

use super::*;
use crate::{BuildOptions, Rotate};

/// Vouches for all that is stored but for norms.
struct NoNorms;

impl Guard for NoNorms {
    fn check(&self, _: std::ops::Range<usize>) -> Result<(), Error> {
        Ok(())
    }

    fn check_aside(&self, _: std::ops::Range<usize>) -> Result<(), Error> {
        Err(Error::Empty)
    }
}

#[test]
fn norms_that_nobody_vouches_for_are_not_used() {
    let (values, dims) = (many(40, 4, 1), [2, 4]);
    let block = Layout { metric: Metric::Cosine, dims: &dims, shortlist: None }.encode(&values);
    let with_guards = |guards: [&'static dyn Guard; 2]| {
        let mut rows = segment(&block, &dims, &[], 40, false);
        rows.trained.bands.iter_mut().zip(guards).for_each(|(band, guard)| band.guard = guard);
        Database::new(vec![rows], Metric::Cosine, &dims, None)
    };
    // After a walk along a graph, scores are multiplied with the norms of the prefix that it is on.
    let database = with_guards([&NoNorms, &Memory]);
    assert!(database.prefix(Kind::Trained, 2).row(3).undivided(0.5).is_err());
    assert!(database.prefix(Kind::Trained, 4).row(3).undivided(0.5).is_ok());
    // A bound by two dims of what all have is made with the norms of all.
    let database = with_guards([&Memory, &NoNorms]);
    assert!(database.bounded(Kind::Trained, 2, 4).row(3).check().is_err());
    assert!(database.bounded(Kind::Trained, 2, 2).row(3).check().is_ok());
}

#[test]
fn a_damaged_norm_far_from_all_that_is_decided_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    // As many as a block has norms, then one that is better and some that are as bad as can be.
    let [good, best, bad]: [[f32; 4]; 3] =
        [[12.0, 4.0, 0.0, 0.0], [12.0, 4.0, 3.0, 0.0], [-12.0, -4.0, 0.0, 0.0]];
    let values: Vec<f32> = [good.repeat(1 << 14), bad.repeat(30), best.to_vec(), bad.repeat(30)].concat();
    let options = BuildOptions {
        dims: vec![2],
        rotate: Rotate::None,
        shortlist_dtype: Dtype::F32,
        ..BuildOptions::default()
    };
    drop(options.build(&EmbeddingSet::new(values, 4).unwrap(), &path).unwrap());

    let search = || {
        let index = Index::open(&path).unwrap();
        let searcher = index.searcher().unwrap();
        let queries = Queries::new(&searcher.database, &best, 4).unwrap();
        let plan = Plan { kind: Kind::Trained, dim: 2, longer: None, keep: 20, multiply_adds: 0.0 };
        let found = Bounding::new(&queries, &plan).search(1);
        found.map(|proven| proven[0].best[0].row)
    };
    assert_eq!(search().unwrap(), (1 << 14) + 30);
    // The norm of the best is 13, which stands nowhere else.
    let mut file = fs::read(&path).unwrap();
    let places = (0..file.len()).step_by(4).filter(|&at| file[at..].starts_with(&13f32.to_le_bytes()));
    let places: Vec<usize> = places.collect();
    assert_eq!(places.len(), 1);
    file[places[0] + 3] ^= 1 << 5;
    fs::write(&path, file).unwrap();
    assert!(matches!(search(), Err(Error::Damaged { .. })), "{:?}", search());
}

#[test]
fn bounds_hold_where_the_squares_of_rounding_errors_are_below_what_f32_knows() {
    // Rows that eight bits hardly tell apart.
    let (shared, noise) = (many(1, 8, 5), many(2_000, 8, 6));
    let first = |noise: &[f32]| -> Vec<f32> {
        shared.iter().zip(noise).map(|(&shared, &noise)| 1e-24 * (shared + 1e-3 * noise)).collect()
    };
    let rows = Rows {
        values: noise.chunks(8).flat_map(|noise| first(noise).into_iter().chain([0.0; 8])).collect(),
        dims: vec![8, 16],
        metric: Metric::Dot,
        rotated: false,
        dtype: Some(Dtype::Int8),
        cuts: vec![],
        removed: vec![],
    };
    let queries = many(20, 16, 7);
    rows.searched(|searcher| {
        let asked = Queries::new(&searcher.database, &queries, 16).unwrap();
        let plan = Plan { kind: Kind::Shortlist, dim: 8, longer: None, keep: 30, multiply_adds: 0.0 };
        for (query, proven) in queries.chunks(16).zip(Bounding::new(&asked, &plan).search(3).unwrap()) {
            let found: Vec<(usize, f64)> = proven.best.iter().map(|hit| (hit.row, hit.score)).collect();
            assert_eq!(found[..], rows.plain(query, 16)[..3]);
        }
    });
}
