//! `mrl data`: what a data set holds, before anything is trained.

use std::path::Path;

use anyhow::Result;
use mrl_config::check_split_folder;
use mrl_data::{
    DataError, DatasetKind, ImageSet, LeftOut, Look, MAX_MEGAPIXELS, OpenOptions, Repeat, Split, open,
    repeats,
};
use serde::Serialize;

use super::images::{Classes, count_and_classes, left_out};
use crate::{
    Ending,
    args::LookArgs,
    progress::{DataProgress, Progress, answer, note},
};

/// Files and pairs of a kind that the text names.
const NAMED: usize = 5;

/// A set is said to look alike if more than one image in this many is a near duplicate.
const LOOK_ALIKE: usize = 10;

/// The result of `mrl data`: all splits, and the images that repeat others.
#[derive(Serialize)]
struct Report {
    splits: Vec<SplitReport>,
    duplicates: Vec<Duplicate>,
}

#[derive(Serialize)]
struct SplitReport {
    split: Split,
    images: usize,
    classes: Option<Vec<ClassReport>>,
    sizes: Vec<SizeReport>,
    corrupt: Vec<CorruptReport>,
    left_out: Vec<LeftOut>,
    /// The first line of the text.
    #[serde(skip)]
    summary: String,
    /// The ids of the images, where they have some.
    #[serde(skip)]
    ids: Option<Vec<String>>,
}

#[derive(Serialize)]
struct ClassReport {
    name: String,
    images: usize,
}

#[derive(Serialize)]
struct SizeReport {
    width: usize,
    height: usize,
    images: usize,
}

#[derive(Serialize)]
struct CorruptReport {
    file: String,
    problem: String,
}

/// An image that repeats an earlier one.
#[derive(Serialize)]
struct Duplicate {
    image: String,
    of: String,
    /// The splits of both.
    splits: [Split; 2],
    /// True for a copy, false for a near duplicate.
    copy: bool,
}

/// Looks at every image of every split, and prints what is there.
pub fn data(args: &LookArgs) -> Result<Ending> {
    let kind = args.dataset.unwrap_or(DatasetKind::Folder);
    check_split_folder(kind, args.split_folder.as_deref())?;
    let (mut splits, mut looks) = (Vec::new(), Vec::new());
    for split in wanted_splits(kind, args) {
        // One after the other, so that the pixels of one alone are in memory.
        let Some(set) = open_split(kind, split, args, splits.is_empty())? else { continue };
        let progress = Progress::new("looking at images");
        let look = Look::at(&set, &mut |done, total| progress.at(done as u64, total as u64, &set.name()))?;
        progress.finish();
        splits.push(SplitReport::new(&set, &look, &args.data_dir));
        looks.push(look);
    }
    note("comparing images");
    let duplicates = repeats(&looks).iter().map(|repeat| Duplicate::new(&splits, repeat)).collect();
    let report = Report { splits, duplicates };
    if args.json {
        answer(&serde_json::to_string_pretty(&report)?);
    } else {
        report.splits.iter().for_each(|split| answer(&split_text(split)));
        answer(&duplicates_text(&report));
    }
    Ok(Ending::Done)
}

fn wanted_splits(kind: DatasetKind, args: &LookArgs) -> Vec<Split> {
    match (args.split, &args.split_folder) {
        (Some(split), _) => vec![split],
        (None, Some(_)) => vec![Split::Train],
        (None, None) => {
            let splits = kind.splits().iter().copied();
            splits.filter(|&split| split != Split::TrainUnlabeled).collect()
        }
    }
}

/// Opens a split; nothing if it is one of several and not there. The first one must be there.
fn open_split(kind: DatasetKind, split: Split, args: &LookArgs, is_first: bool) -> Result<Option<ImageSet>> {
    let options = OpenOptions {
        download: false,
        split_folder: args.split_folder.clone(),
        max_corrupt: usize::MAX,
        max_megapixels: args.max_megapixels.unwrap_or(MAX_MEGAPIXELS),
        ..OpenOptions::default()
    };
    let progress = DataProgress::default();
    match open(kind, &args.data_dir, split, &options, &|event| progress.show(event)) {
        Ok(set) => Ok(Some(set)),
        Err(DataError::Missing { .. }) if !is_first => Ok(None),
        Err(error) => Err(error.into()),
    }
}

impl SplitReport {
    fn new(set: &ImageSet, look: &Look, data_dir: &Path) -> Self {
        let relative = |path: &Path| path.strip_prefix(data_dir).unwrap_or(path).display().to_string();
        let class = |(name, images): (String, usize)| ClassReport { name, images };
        let mut sizes: Vec<SizeReport> = look
            .sizes
            .iter()
            .map(|(&(width, height), &images)| SizeReport { width, height, images })
            .collect();
        sizes.sort_by_key(|size| std::cmp::Reverse(size.images));
        let corrupt = set.skipped().iter();
        let corrupt = corrupt
            .map(|skipped| CorruptReport { file: relative(&skipped.path), problem: skipped.reason.clone() });
        Self {
            split: set.split(),
            images: set.len(),
            classes: Classes::of(set).map(|classes| classes.0.into_iter().map(class).collect()),
            sizes,
            corrupt: corrupt.collect(),
            left_out: set.left_out().to_vec(),
            summary: format!("{}: {}", set.split(), count_and_classes(set)),
            ids: set.ids().map(<[String]>::to_vec),
        }
    }
}

impl Duplicate {
    fn new(splits: &[SplitReport], repeat: &Repeat) -> Self {
        let name = |(split, image): (usize, usize)| match &splits[split].ids {
            Some(ids) => ids[image].clone(),
            None => format!("{} {image}", splits[split].split),
        };
        let of_splits = [repeat.image, repeat.of].map(|(split, _)| splits[split].split);
        Self { image: name(repeat.image), of: name(repeat.of), splits: of_splits, copy: repeat.is_exact }
    }
}

fn split_text(report: &SplitReport) -> String {
    let mut lines = vec![report.summary.clone(), format!("  sizes: {}", sizes_text(&report.sizes))];
    if let Some(left_out) = left_out(&report.left_out) {
        lines.push(format!("  left out: {left_out}"));
    }
    if !report.corrupt.is_empty() {
        lines.push(format!("  corrupt: {}", report.corrupt.len()));
        lines.extend(named(&report.corrupt, |one| format!("    {}: {}", one.file, one.problem)));
    }
    lines.join("\n")
}

fn sizes_text(sizes: &[SizeReport]) -> String {
    let shown = |size: &SizeReport| format!("{} x {}", size.width, size.height);
    let Some(most) = sizes.first() else { return "none".to_owned() };
    if sizes.len() == 1 {
        return format!("all {}", shown(most));
    }
    let area = |size: &&SizeReport| size.width * size.height;
    let [smallest, largest] = [sizes.iter().min_by_key(area), sizes.iter().max_by_key(area)];
    let ends = [smallest, largest].map(|size| size.map(shown).unwrap_or_default());
    format!("from {} to {}; {} of one size, {}", ends[0], ends[1], most.images, shown(most))
}

/// Copies, then near duplicates. Images in two splits make test results look better than they are, so these come last of each kind.
fn duplicates_text(report: &Report) -> String {
    let mut lines = Vec::new();
    for (copy, across, title) in [
        (true, false, "copies (the same pixels) within a split"),
        (true, true, "copies (the same pixels) in two splits"),
        (false, false, "near duplicates within a split"),
        (false, true, "near duplicates in two splits"),
    ] {
        let is_one = |duplicate: &&Duplicate| {
            duplicate.copy == copy && (duplicate.splits[0] != duplicate.splits[1]) == across
        };
        let found: Vec<&Duplicate> = report.duplicates.iter().filter(is_one).collect();
        lines.push(format!("{title}: {}", found.len()));
        lines.extend(named(&found, |duplicate| format!("    {} = {}", duplicate.image, duplicate.of)));
    }
    let images: usize = report.splits.iter().map(|split| split.images).sum();
    let near = report.duplicates.iter().filter(|duplicate| !duplicate.copy).count();
    if near * LOOK_ALIKE > images {
        lines.push(format!(
            "{near} of {images} images are near duplicates: many may be different things that look alike at 16 x 16 pixels"
        ));
    }
    lines.join("\n")
}

/// A line for each of the first ones, and how many more there are.
fn named<T>(all: &[T], line: impl Fn(&T) -> String) -> Vec<String> {
    let mut lines: Vec<String> = all.iter().take(NAMED).map(line).collect();
    if all.len() > NAMED {
        lines.push(format!("    … and {} more (--json names all)", all.len() - NAMED));
    }
    lines
}
