use std::path::Path;

use anyhow::{Context, Result, anyhow};
use mrl_data::{DatasetKind, ImageSet, OpenOptions, Split};
use mrl_embedding::EmbeddingSet;
use mrl_eval::{Images, Side};

use super::open_images;

/// Pixels of a shown image's longer side, at most.
const SIDE: usize = 96;

/// The images that two embedding sets were made of.
pub(crate) struct Thumbnails {
    train: ImageSet,
    test: ImageSet,
}

impl Thumbnails {
    /// Opens, below `folder`, the data set and split that each set names, and checks that rows and images belong together.
    pub(crate) fn open(folder: &Path, train: &EmbeddingSet, test: &EmbeddingSet) -> Result<Self> {
        Ok(Self {
            train: open(folder, train).context("training set")?,
            test: open(folder, test).context("test set")?,
        })
    }
}

fn open(folder: &Path, set: &EmbeddingSet) -> Result<ImageSet> {
    let name =
        set.metadata.dataset.as_deref().ok_or_else(|| anyhow!("the set does not name its data set"))?;
    let unknown = || anyhow!("{name} is not a data set and split that can be read");
    let (kind, split) = name.split_once(' ').ok_or_else(unknown)?;
    let kind: DatasetKind = kind.parse().map_err(|_| unknown())?;
    let split: Split = split.parse().map_err(|_| unknown())?;
    // A few images are shown: nothing is fetched or kept for them.
    let options = |subset_per_class| OpenOptions {
        download: false,
        max_corrupt: usize::MAX,
        subset_per_class,
        cache_bytes: 0,
        ..OpenOptions::default()
    };
    let whole = open_images(kind, folder, split, &options(None))?;
    if belongs(&whole, set) {
        return Ok(whole);
    }
    // The first of each class, as `mrl embed --subset-per-class` takes them.
    let most = set.labels().map_or(0, most_of_a_class);
    let part = open_images(kind, folder, split, &options(Some(most.max(1))))?;
    if belongs(&part, set) {
        return Ok(part);
    }
    Err(anyhow!("{} holds other images than were embedded", folder.display()))
}

fn belongs(images: &ImageSet, set: &EmbeddingSet) -> bool {
    let same_ids = set.ids().is_none() || images.ids() == set.ids();
    images.len() == set.len() && images.labels() == set.labels() && same_ids
}

fn most_of_a_class(labels: &[i64]) -> usize {
    let mut counts = std::collections::HashMap::new();
    for label in labels {
        *counts.entry(label).or_insert(0) += 1;
    }
    counts.into_values().max().unwrap_or(0)
}

impl Images for Thumbnails {
    fn png(&self, side: Side, row: usize) -> Option<Vec<u8>> {
        let images = match side {
            Side::Train => &self.train,
            Side::Test => &self.test,
        };
        images.image(row).ok().map(|image| image.thumbnail(SIDE))
    }
}
