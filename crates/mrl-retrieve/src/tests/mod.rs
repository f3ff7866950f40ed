//! The index as a whole.

mod crashes;
mod damage;
mod measured;
mod storage;

use std::{fs, sync::LazyLock};

use mrl_embedding::EmbeddingSet;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::{BuildOptions, Error, Hits, Id, Index, Rotate, Writer};

/// `n` rows of `width` numbers that are settled by `seed`; the first numbers are the largest, as they are in embeddings.
pub(crate) fn rows(n: usize, width: usize, seed: u64) -> Vec<f32> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let number = |index: usize| random.random_range(-1.0f32..1.0) / (1 + index % width) as f32;
    (0..n * width).map(number).collect()
}

pub(crate) fn set(n: usize, width: usize, seed: u64) -> EmbeddingSet {
    EmbeddingSet::new(rows(n, width, seed), width).unwrap()
}

/// The names and labels of rows from `start` on.
fn named(set: EmbeddingSet, start: usize) -> EmbeddingSet {
    let names = (start..start + set.len()).map(|row| format!("row {row}")).collect();
    let labels = (start as i64..).take(set.len()).collect();
    set.with_ids(names).unwrap().with_labels(labels).unwrap()
}

/// An index that has everything: several segments, names, labels, a rotated shortlist, a graph and removed rows.
fn small() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    let options =
        BuildOptions { dims: vec![2, 5], rotate: Rotate::Pca, graph: Some(5), ..BuildOptions::default() };
    options.build(&named(set(70, 8, 1), 0), &path).unwrap();
    let mut writer = Writer::open(&path).unwrap();
    writer.add(&named(set(9, 8, 2), 70)).unwrap();
    writer.remove(&[name(3), name(66), name(71)]).unwrap();
    fs::read(path).unwrap()
}

static SMALL: LazyLock<Vec<u8>> = LazyLock::new(small);

fn name(row: usize) -> Id {
    Id::Name(format!("row {row}"))
}

/// All that is to be read of an index.
#[derive(Debug, PartialEq)]
struct Contents {
    rows: Vec<Row>,
    /// Values, norms, bounds and errors of all bands of all segments.
    bands: Vec<String>,
    rotation: String,
    graph: Option<String>,
}

/// What searches of an index of 8 dims find.
fn answers(index: &Index) -> Result<Vec<Hits>, Error> {
    let searcher = index.searcher()?;
    let queries = rows(3, 8, 5);
    let search = |schedule: &str| searcher.search(&queries, 4, &schedule.parse().unwrap());
    ["exact", "2", "2:20,8", "t2:30,5:9", "g5:6,8"].into_iter().map(search).collect()
}

#[derive(Debug, PartialEq)]
struct Row {
    id: Id,
    /// Where its id is found.
    position: Option<usize>,
    numbers: Vec<f32>,
    label: Option<i64>,
    is_removed: bool,
}

fn contents(index: &Index) -> Result<Contents, Error> {
    let row = |row| {
        let id = index.id(row)?;
        Ok(Row {
            position: index.position(&id)?,
            numbers: index.row(row)?,
            label: index.label(row)?,
            is_removed: index.is_removed(row)?,
            id,
        })
    };
    let rows = (0..index.positions()).map(row).collect::<Result<_, Error>>()?;
    let mut bands = Vec::new();
    for segment in index.segments()? {
        for space in std::iter::once(segment.trained).chain(segment.shortlist) {
            for band in space.bands {
                band.guard.check(0..segment.rows)?;
                bands.push(format!("{:?} {:?} {:?} {:?}", band.dims, band.values, band.aside, band.errors));
            }
        }
        bands.push(format!("{:?}", segment.largest_norm));
    }
    let graph = index.graph().map(|graph| graph.contents()).transpose()?;
    Ok(Contents { rows, bands, rotation: format!("{:?}", index.layout()?.shortlist), graph })
}
