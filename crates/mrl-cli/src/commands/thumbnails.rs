use std::path::{Component, Path};

use anyhow::{Context, Result, anyhow};
use mrl_data::{DatasetKind, ImageSet, OpenOptions, Split, read_image};
use mrl_embedding::EmbeddingSet;
use mrl_eval::{Images, Side};

use super::open_images;

/// Pixels of a shown image's longer side, at most.
const SIDE: usize = 96;

/// The images that two embedding sets were made of.
pub(crate) struct Thumbnails<'a> {
    train: Pictures<'a>,
    test: Pictures<'a>,
}

/// The images of a set, in the order of its rows.
enum Pictures<'a> {
    Set(ImageSet),
    /// Files of a folder, by their paths below it: those that are shown are read, and no others.
    Files {
        folder: &'a Path,
        ids: &'a [String],
    },
}

impl<'a> Thumbnails<'a> {
    /// Opens, below `folder`, the data set and split that each set names, and checks that rows and images belong together.
    pub(crate) fn open(folder: &'a Path, train: &'a EmbeddingSet, test: &'a EmbeddingSet) -> Result<Self> {
        Ok(Self {
            train: open(folder, train).context("training set")?,
            test: open(folder, test).context("test set")?,
        })
    }
}

fn open<'a>(folder: &'a Path, set: &'a EmbeddingSet) -> Result<Pictures<'a>> {
    let name =
        set.metadata.dataset.as_deref().ok_or_else(|| anyhow!("the set does not name its data set"))?;
    let unknown = || anyhow!("{name} is not a data set and split that can be read");
    let (kind, split) = name.split_once(' ').ok_or_else(unknown)?;
    let kind: DatasetKind = kind.parse().map_err(|_| unknown())?;
    let split: Split = split.parse().map_err(|_| unknown())?;
    match (kind, set.ids()) {
        (DatasetKind::Folder, Some(ids)) => files(folder, ids),
        _ => whole_set(kind, split, folder, set).map(Pictures::Set),
    }
}

/// The files that ids name, all of which are there.
fn files<'a>(folder: &'a Path, ids: &'a [String]) -> Result<Pictures<'a>> {
    // What another program wrote as ids leads to no other folder.
    let is_below = |id: &str| Path::new(id).components().all(|part| matches!(part, Component::Normal(_)));
    if let Some(id) = ids.iter().find(|id| !is_below(id) || !folder.join(id).is_file()) {
        return Err(anyhow!("{} holds no file {id}, which was embedded", folder.display()));
    }
    Ok(Pictures::Files { folder, ids })
}

fn whole_set(kind: DatasetKind, split: Split, folder: &Path, set: &EmbeddingSet) -> Result<ImageSet> {
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

impl Images for Thumbnails<'_> {
    fn png(&self, side: Side, row: usize) -> Option<Vec<u8>> {
        let pictures = match side {
            Side::Train => &self.train,
            Side::Test => &self.test,
        };
        let image = match pictures {
            Pictures::Set(images) => images.image(row),
            Pictures::Files { folder, ids } => read_image(&folder.join(&ids[row])),
        };
        image.ok().map(|image| image.thumbnail(SIDE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(id: &str) -> EmbeddingSet {
        let mut set = EmbeddingSet::new(vec![1.0], 1).unwrap().with_ids(vec![id.to_owned()]).unwrap();
        set.metadata.dataset = Some("folder train".to_owned());
        set
    }

    #[test]
    fn files_outside_the_folder_are_not_shown() {
        let world = tempfile::tempdir().unwrap();
        let folder = world.path().join("images");
        std::fs::create_dir(&folder).unwrap();
        let outside = world.path().join("outside.png");
        for path in [&outside, &folder.join("within.png")] {
            std::fs::write(path, "").unwrap();
        }
        let within = set("within.png");
        assert!(Thumbnails::open(&folder, &within, &within).is_ok());
        for id in ["../outside.png", outside.to_str().unwrap(), "absent.png", ""] {
            let error = Thumbnails::open(&folder, &within, &set(id)).err().unwrap();
            let problem = format!("{} holds no file {id}, which was embedded", folder.display());
            assert_eq!(format!("{error:#}"), format!("test set: {problem}"));
        }
    }
}
