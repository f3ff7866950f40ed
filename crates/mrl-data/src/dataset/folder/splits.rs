//! Which folder of a data folder is which split.

use std::path::{Path, PathBuf};

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
    /// When it cannot be read, or a folder that has the name of a split holds classes beside other folders of images.
    pub(super) fn of(data_dir: &Path) -> Result<Self, DataError> {
        let found = entries(data_dir)?;
        let with_images: Vec<PathBuf> =
            found.folders.into_iter().filter(|folder| holds_images(folder)).collect();
        let (folders, others): (Vec<PathBuf>, Vec<PathBuf>) =
            with_images.into_iter().partition(|folder| split_named(folder).is_some());
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
        match folders.iter().find(|folder| holds_classes(folder)) {
            Some(split) => Err(unclear(data_dir, split, &others)),
            None => Ok(Self::Whole),
        }
    }

    /// The folder of `split`, which is not [`Split::TrainUnlabeled`].
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn folder(&self, data_dir: &Path, split: Split) -> Result<PathBuf, DataError> {
        let Self::Splits { folders, .. } = self else {
            return match split {
                Split::Train => Ok(data_dir.to_owned()),
                _ => Err(missing(
                    data_dir,
                    split,
                    "all of it is the split train: choose that, or make the folder",
                )),
            };
        };
        let names = NAMES.iter().find(|(named, _)| *named == split).map_or(&[][..], |(_, names)| names);
        let named = |name: &&str| folders.iter().find(|folder| is_called(folder, name));
        names.iter().find_map(named).cloned().ok_or_else(|| {
            let there: Vec<String> = folders.iter().map(|folder| shown(folder)).collect();
            let cure = format!(
                "it has {}: choose the split of one of these, or name a folder with --split-folder",
                there.join(", ")
            );
            missing(data_dir, split, &cure)
        })
    }
}

fn split_named(folder: &Path) -> Option<Split> {
    let named = |names: &[&str]| names.iter().any(|name| is_called(folder, name));
    NAMES.iter().find(|(_, names)| named(names)).map(|(split, _)| *split)
}

fn is_called(folder: &Path, name: &str) -> bool {
    folder.file_name().is_some_and(|called| called.eq_ignore_ascii_case(name))
}

fn shown(folder: &Path) -> String {
    format!("`{}`", folder.file_name().unwrap_or_default().to_string_lossy())
}

fn missing(data_dir: &Path, split: Split, cure: &str) -> DataError {
    DataError::missing(data_dir, format!("has no folder `{split}` for that split; {cure}"))
}

fn unclear(data_dir: &Path, split: &Path, others: &[PathBuf]) -> DataError {
    let more = if others.len() > SHOWN { ", …" } else { "" };
    let beside: Vec<String> = others.iter().take(SHOWN).map(|folder| shown(folder)).collect();
    let problem = format!(
        "{name} has the name of a split and holds folders of images, beside {}{more}; if it is the split, give --split-folder {}; if all are classes, give --split-folder .",
        beside.join(", "),
        split.file_name().unwrap_or_default().to_string_lossy(),
        name = shown(split),
    );
    DataError::damaged(data_dir, problem)
}
