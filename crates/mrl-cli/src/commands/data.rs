//! `mrl data`: what a data set holds, before anything is trained.

use std::path::Path;

use anyhow::Result;
use mrl_data::{DataError, DatasetKind, ImageSet, Look, OpenOptions, Repeat, Split, open, repeats};
use serde::Serialize;

use super::images::{Classes, left_out};
use crate::{
    Ending, UsageError,
    args::LookArgs,
    progress::{DataProgress, Progress, answer},
};

/// Files and repeats of a kind that the text names.
const NAMED: usize = 5;

/// Near duplicates are not named where they are more than one in so many images: then pictures merely look alike.
const LOOK_ALIKE: usize = 10;

/// What a data set holds.
#[derive(Serialize)]
struct Report {
    splits: Vec<SplitReport>,
    repeats: Vec<RepeatReport>,
}

#[derive(Serialize)]
struct SplitReport {
    split: Split,
    images: usize,
    classes: Option<Vec<ClassReport>>,
    sizes: Vec<SizeReport>,
    corrupt: Vec<CorruptReport>,
    left_out: Vec<LeftOutReport>,
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

#[derive(Serialize)]
struct LeftOutReport {
    class: Option<String>,
    reason: String,
    count: usize,
}

/// An image that repeats an earlier one: the same pixels, or nearly the same.
#[derive(Serialize)]
struct RepeatReport {
    image: String,
    of: String,
    /// The splits of both.
    splits: [Split; 2],
    exact: bool,
}

/// Opens every split, looks at every image, and prints what is there.
pub fn data(args: &LookArgs) -> Result<Ending> {
    let kind = args.dataset.unwrap_or(DatasetKind::Folder);
    if args.split_folder.is_some() && kind != DatasetKind::Folder {
        return Err(UsageError("--split-folder is for --dataset folder; leave it out".to_owned()).into());
    }
    let sets = open_splits(kind, args)?;
    let progress = Progress::new("looking at images");
    let looks: Vec<Look> = sets
        .iter()
        .map(|set| Look::at(set, &mut |done, total| progress.at(done as u64, total as u64, &set.name())))
        .collect::<Result<_, DataError>>()?;
    progress.finish();
    let report = Report {
        splits: sets.iter().zip(&looks).map(|(set, look)| split_report(set, look, &args.data_dir)).collect(),
        repeats: repeats(&looks).iter().map(|repeat| repeat_report(&sets, repeat)).collect(),
    };
    if args.json {
        answer(&serde_json::to_string_pretty(&report)?);
    } else {
        sets.iter().zip(&report.splits).for_each(|(set, split)| answer(&split_text(set, split)));
        answer(&repeats_text(&report));
    }
    Ok(Ending::Done)
}

/// The split that was asked for, or all that are there.
fn open_splits(kind: DatasetKind, args: &LookArgs) -> Result<Vec<ImageSet>> {
    let options = OpenOptions {
        download: false,
        split_folder: args.split_folder.clone(),
        max_corrupt: usize::MAX,
        ..OpenOptions::default()
    };
    let progress = DataProgress::default();
    let open = |split| open(kind, &args.data_dir, split, &options, &|event| progress.show(event));
    if let Some(split) = args.split {
        return Ok(vec![open(split)?]);
    }
    if args.split_folder.is_some() {
        return Ok(vec![open(Split::Train)?]);
    }
    let mut sets = Vec::new();
    let mut first_missing = None;
    for &split in kind.splits().iter().filter(|&&split| split != Split::TrainUnlabeled) {
        match open(split) {
            Ok(set) => sets.push(set),
            // A data set need not have every split; one that has none is an error.
            Err(error @ DataError::Missing { .. }) => {
                first_missing.get_or_insert(error);
            }
            Err(error) => return Err(error.into()),
        }
    }
    match first_missing {
        Some(error) if sets.is_empty() => Err(error.into()),
        _ => Ok(sets),
    }
}

fn split_report(set: &ImageSet, look: &Look, data_dir: &Path) -> SplitReport {
    let relative = |path: &Path| path.strip_prefix(data_dir).unwrap_or(path).display().to_string();
    let class = |(name, images): (String, usize)| ClassReport { name, images };
    let mut sizes: Vec<SizeReport> =
        look.sizes.iter().map(|(&(width, height), &images)| SizeReport { width, height, images }).collect();
    sizes.sort_by_key(|size| std::cmp::Reverse(size.images));
    let corrupt = set.skipped().iter();
    let left_out = set.left_out().iter().cloned();
    SplitReport {
        split: set.split(),
        images: set.len(),
        classes: Classes::of(set).map(|classes| classes.0.into_iter().map(class).collect()),
        sizes,
        corrupt: corrupt
            .map(|skipped| CorruptReport { file: relative(&skipped.path), problem: skipped.reason.clone() })
            .collect(),
        left_out: left_out
            .map(|one| LeftOutReport { class: one.class, reason: one.reason, count: one.count })
            .collect(),
    }
}

fn repeat_report(sets: &[ImageSet], repeat: &Repeat) -> RepeatReport {
    let name = |(set, image): (usize, usize)| match sets[set].ids() {
        Some(ids) => ids[image].clone(),
        None => format!("{} {image}", sets[set].split()),
    };
    let splits = [repeat.image, repeat.of].map(|(set, _)| sets[set].split());
    RepeatReport { image: name(repeat.image), of: name(repeat.of), splits, exact: repeat.is_exact }
}

fn split_text(set: &ImageSet, report: &SplitReport) -> String {
    let classes =
        Classes::of(set).map_or_else(|| " without labels".to_owned(), |classes| classes.to_string());
    let mut lines = vec![format!("{}: {} images{classes}", report.split, report.images)];
    lines.push(format!("  sizes: {}", sizes_text(&report.sizes)));
    if let Some(left_out) = left_out(set.left_out()) {
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
    format!("from {} to {}; most often {} ({} images)", ends[0], ends[1], shown(most), most.images)
}

/// Copies first, then near duplicates; those between two splits last, for they make tests of the one worth less.
fn repeats_text(report: &Report) -> String {
    let images: usize = report.splits.iter().map(|split| split.images).sum();
    let near = report.repeats.iter().filter(|repeat| !repeat.exact).count();
    let mut lines = Vec::new();
    for (exact, across, title) in [
        (true, false, "copies (the same pixels) within a split"),
        (true, true, "copies (the same pixels) in two splits"),
        (false, false, "near duplicates within a split"),
        (false, true, "near duplicates in two splits"),
    ] {
        if !exact && near * LOOK_ALIKE > images {
            lines.push(
                "near duplicates: not told, because most pictures of this set look alike at 16 x 16 pixels"
                    .to_owned(),
            );
            break;
        }
        let is_one = |repeat: &&RepeatReport| {
            repeat.exact == exact && (repeat.splits[0] != repeat.splits[1]) == across
        };
        let found: Vec<&RepeatReport> = report.repeats.iter().filter(is_one).collect();
        lines.push(format!("{title}: {}", found.len()));
        lines.extend(named(&found, |repeat| format!("    {} = {}", repeat.image, repeat.of)));
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
