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

/// The number of images and classes, and what was left out, in one line.
fn found(images: &ImageSet) -> String {
    let of_classes = images.labels().map(|labels| {
        let mut counts = vec![0; images.class_names().map_or(0, <[String]>::len)];
        labels.iter().filter_map(|&label| usize::try_from(label).ok()).for_each(|label| counts[label] += 1);
        let name = |class: usize| images.class_names().map_or("", |names| &names[class]);
        let classes = || counts.iter().enumerate().map(|(class, count)| (count, class));
        match (classes().min(), classes().max()) {
            (Some((least, _)), Some((most, _))) if counts.len() > 1 && least == most => {
                format!(" in {} classes, {least} in each", counts.len())
            }
            (Some((least, small)), Some((most, large))) if counts.len() > 1 => {
                format!(
                    " in {} classes, from {least} ({}) to {most} ({})",
                    counts.len(),
                    name(small),
                    name(large)
                )
            }
            _ => format!(" in {} class", counts.len()),
        }
    });
    let left_out = left_out(images.left_out()).map(|list| format!("; left out: {list}"));
    format!(
        "{} images{}{}",
        images.len(),
        of_classes.unwrap_or_else(|| " without labels".to_owned()),
        left_out.unwrap_or_default()
    )
}

/// What was left out, by reason, and the classes in whose folders it lay.
fn left_out(entries: &[LeftOut]) -> Option<String> {
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
