//! Which folder of a data folder is which split.

use std::path::{Path, PathBuf};

use mrl_embedding::quoted;

use super::walk::{LeftOuts, Reason, entries, holds_classes, holds_images};
use crate::{DataError, Split};

/// The names that folders of a split have, the first one preferred; case does not matter.
const NAMES: [(Split, &[&str]); 3] = [
    (Split::Train, &["train", "training"]),
    (Split::Test, &["test", "testing", "val", "valid", "validation"]),
    (Split::Unlabeled, &["unlabeled", "unlabelled"]),
];

/// Folders that an error names.
const SHOWN: usize = 3;

/// How a data folder is divided.
pub(super) enum Layout {
    /// All of it is one split: images, or a folder for each class.
    Whole,
    /// Each folder with images has the name of a split.
    Splits {
        folders: Vec<PathBuf>,
        /// What lies beside them.
        left_out: LeftOuts,
    },
}

impl Layout {
    /// The layout of `data_dir`. If every folder with images has the name of a split, they are splits; otherwise they are classes.
    ///
    /// # Errors
    /// When it cannot be read, or it is unclear whether folders with names of splits are splits or classes beside others.
    pub(super) fn of(data_dir: &Path) -> Result<Self, DataError> {
        let found = entries(data_dir)?;
        let (named, others): (Vec<PathBuf>, Vec<PathBuf>) =
            found.folders.into_iter().partition(|folder| split_named(folder).is_some());
        let folders: Vec<PathBuf> = named.into_iter().filter(|folder| holds_images(folder, true)).collect();
        let others: Vec<PathBuf> = others.into_iter().filter(|folder| holds_images(folder, false)).collect();
        if folders.is_empty() {
            return Ok(Self::Whole);
        }
        if others.is_empty() {
            let mut left_out = found.left_out;
            if !found.images.is_empty() {
                left_out.0.insert(Reason::BesideSplits, found.images.len());
            }
            return Ok(Self::Splits { folders, left_out });
        }
        // One folder of images that is called like a split is a class, as train is one of CIFAR-100's.
        let is_class = folders.len() == 1 && !holds_classes(&folders[0]);
        if is_class { Ok(Self::Whole) } else { Err(unclear(data_dir, &folders, &others)) }
    }

    /// The folder of `split`, which is not [`Split::TrainUnlabeled`], and what is left out beside it: other folders of this split.
    ///
    /// # Errors
    /// When there is none, or it holds no images.
    pub(super) fn folder(&self, data_dir: &Path, split: Split) -> Result<(PathBuf, LeftOuts), DataError> {
        let mut left_out = LeftOuts::default();
        let Self::Splits { folders, .. } = self else {
            return match split {
                Split::Train => Ok((data_dir.to_owned(), left_out)),
                _ => Err(missing(
                    data_dir,
                    split,
                    "all of it is the split train: choose that, or make the folder",
                )),
            };
        };
        let mut of_split: Vec<&PathBuf> =
            folders.iter().filter(|folder| split_named(folder) == Some(split)).collect();
        of_split.sort_by_key(|folder| preference(folder));
        let Some((chosen, rest)) = of_split.split_first() else {
            let there: Vec<String> = folders.iter().map(|folder| shown(folder)).collect();
            let cure = format!(
                "it has {}: choose the split of one of these, or name a folder with --split-folder",
                there.join(", ")
            );
            return Err(missing(data_dir, split, &cure));
        };
        for folder in rest {
            left_out.0.insert(Reason::OtherFolder(name(folder)), 1);
        }
        Ok(((*chosen).clone(), left_out))
    }
}

fn split_named(folder: &Path) -> Option<Split> {
    NAMES.iter().find(|(_, names)| names.iter().any(|name| is_called(folder, name))).map(|(split, _)| *split)
}

/// The place of a folder's name among those of its split.
fn preference(folder: &Path) -> Option<usize> {
    NAMES.iter().find_map(|(_, names)| names.iter().position(|name| is_called(folder, name)))
}

fn is_called(folder: &Path, name: &str) -> bool {
    folder.file_name().is_some_and(|called| called.eq_ignore_ascii_case(name))
}

fn name(folder: &Path) -> String {
    folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn shown(folder: &Path) -> String {
    format!("`{}`", name(folder))
}

/// No folder has the name of `split`, or those that have it hold no images.
fn missing(data_dir: &Path, split: Split, cure: &str) -> DataError {
    let empty = entries(data_dir).unwrap_or_default().folders;
    match empty.iter().find(|folder| split_named(folder) == Some(split)) {
        Some(folder) => {
            DataError::missing(data_dir, format!("has no images in its folder {}; {cure}", shown(folder)))
        }
        None => DataError::missing(data_dir, format!("has no folder `{split}` for that split; {cure}")),
    }
}

fn unclear(data_dir: &Path, splits: &[PathBuf], others: &[PathBuf]) -> DataError {
    let list = |folders: &[PathBuf]| {
        let more = if folders.len() > SHOWN { ", …" } else { "" };
        let names: Vec<String> = folders.iter().take(SHOWN).map(|folder| shown(folder)).collect();
        format!("{}{more}", names.join(", "))
    };
    let problem = format!(
        "has folders with names of splits ({}) beside other folders of images ({}), so it is unclear what they are; if they are splits, give \
         --split-folder {}; if all are classes, give --split-folder .",
        list(splits),
        list(others),
        quoted(Path::new(&name(&splits[0]))),
    );
    DataError::damaged(data_dir, problem)
}
