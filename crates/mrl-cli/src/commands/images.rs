//! Opening a data set, and what is said about it.

use std::{collections::BTreeMap, path::Path};

use anyhow::Result;
use mrl_data::{DatasetKind, ImageSet, LeftOut, OpenOptions, Split};

use crate::progress::{DataProgress, note};

/// The side of `ImageNet`'s crops, for images that differ in size.
pub const IMAGENET: usize = 224;

/// Classes that a line names.
const CLASSES_NAMED: usize = 3;

/// Opens a data set, showing what goes on, and of a folder what was found and left out.
pub fn open_images(
    kind: DatasetKind,
    data_dir: &Path,
    split: Split,
    options: &OpenOptions,
) -> Result<ImageSet> {
    let progress = DataProgress::default();
    let images = mrl_data::open(kind, data_dir, split, options, &|event| progress.show(event))?;
    for skipped in images.skipped() {
        note(&format!("skipped {}: {}", skipped.path.display(), skipped.reason));
    }
    if kind == DatasetKind::Folder {
        note(&format!("{}: {}", images.name(), found(&images)));
    }
    Ok(images)
}

/// If the run's data folder does not exist, adds that the path comes from the run.
pub fn of_run_elsewhere(error: anyhow::Error, data_dir: &Path, is_of_run: bool) -> anyhow::Error {
    if !is_of_run || data_dir.exists() {
        return error;
    }
    let cure = if data_dir.is_relative() {
        "name it with --data-dir, or run mrl in the folder where the run was trained"
    } else {
        "name it with --data-dir"
    };
    error.context(format!(
        "the run was trained on the images in {}, which is not there; {cure}",
        data_dir.display()
    ))
}

/// The number of images and classes, and what was left out, in one line.
fn found(images: &ImageSet) -> String {
    let left_out = left_out(images.left_out()).map(|list| format!("; left out: {list}"));
    format!("{}{}", count_and_classes(images), left_out.unwrap_or_default())
}

/// `90 images in 2 classes, from 40 (cat) to 50 (dog)`.
pub(super) fn count_and_classes(images: &ImageSet) -> String {
    let classes =
        Classes::of(images).map_or_else(|| " without labels".to_owned(), |classes| classes.to_string());
    let plural = if images.len() == 1 { "" } else { "s" };
    format!("{} image{plural}{classes}", images.len())
}

/// The names of the classes, and how many images each has.
pub(super) struct Classes(pub(super) Vec<(String, usize)>);

impl Classes {
    /// The classes of labelled images. A class without a name is called by its number.
    pub(super) fn of(images: &ImageSet) -> Option<Self> {
        let labels = images.labels()?;
        let names = images.class_names().unwrap_or_default();
        let known = labels.iter().filter_map(|&label| usize::try_from(label).ok());
        let mut counts = vec![0; known.clone().map(|label| label + 1).max().unwrap_or(0).max(names.len())];
        known.for_each(|label| counts[label] += 1);
        let name = |class: usize| names.get(class).cloned().unwrap_or_else(|| class.to_string());
        Some(Self(counts.into_iter().enumerate().map(|(class, count)| (name(class), count)).collect()))
    }
}

impl std::fmt::Display for Classes {
    /// Follows the number of images.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let classes = self.0.len();
        let ends =
            (self.0.iter().min_by_key(|class| class.1), self.0.iter().rev().max_by_key(|class| class.1));
        match ends {
            (Some((_, least)), Some((_, most))) if classes > 1 && least == most => {
                write!(f, " in {classes} classes, {least} in each")
            }
            (Some((small, least)), Some((large, most))) if classes > 1 => {
                write!(f, " in {classes} classes, from {least} ({small}) to {most} ({large})")
            }
            _ => write!(f, " in {classes} class"),
        }
    }
}

/// Lists the entries that were left out, by reason, with the classes in whose folders they were.
pub(super) fn left_out(entries: &[LeftOut]) -> Option<String> {
    let mut by_reason = BTreeMap::<&str, (usize, Vec<&str>)>::new();
    for LeftOut { class, reason, count } in entries {
        let (sum, classes) = by_reason.entry(reason).or_default();
        *sum += count;
        classes.extend(class.as_deref());
    }
    let one = |(reason, (count, classes)): (&&str, &(usize, Vec<&str>))| {
        let more = if classes.len() > CLASSES_NAMED { ", …" } else { "" };
        let named = classes.iter().take(CLASSES_NAMED).copied().collect::<Vec<_>>().join(", ");
        let of = if classes.is_empty() { String::new() } else { format!(" (in {named}{more})") };
        format!("{reason}: {count}{of}")
    };
    let reasons: Vec<String> = by_reason.iter().map(one).collect();
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

/// The side to train or embed at where none is given: that of the images, if they have one size and are not larger than `ImageNet`'s
/// crops, or else that of these crops.
pub fn native_size(images: &ImageSet) -> usize {
    let why = match images.native_size() {
        Some(size) if size <= IMAGENET || images.kind() != DatasetKind::Folder => return size,
        Some(_) => "the images are larger",
        None => "the images differ in size",
    };
    note(&format!("{why}; using {IMAGENET} pixels (--image-size says otherwise)"));
    IMAGENET
}
