//! Which files of a folder are the images of a split, and which classes they have.

use std::path::{Component, Path, PathBuf};

use super::{
    splits::Layout,
    walk::{DEEPEST, LeftOuts, Reason, collect, entries},
};
use crate::{DataError, LeftOut, Split};

/// The images of a split, sorted by class, then by path.
pub(super) struct Scan {
    /// The folder that ids are relative to.
    pub(super) root: PathBuf,
    pub(super) paths: Vec<PathBuf>,
    pub(super) labels: Option<Vec<i64>>,
    pub(super) class_names: Option<Vec<String>>,
    /// What is no image that can be read.
    pub(super) left_out: Vec<LeftOut>,
}

impl Scan {
    /// The class of an image, and 0 of one without a label: the groups matter for subsets only, where each has one.
    pub(super) fn class_of(&self, index: usize) -> usize {
        self.labels.as_ref().map_or(0, |labels| usize::try_from(labels[index]).unwrap_or(0))
    }
}

/// Finds the images of `split` under `data_dir`: in the folder that has the split's name, or in all of it where no folder has the name of a
/// split. `chosen` names another folder, relative to `data_dir`.
///
/// # Errors
/// When there are none, or it is unclear which they are.
pub(super) fn scan(data_dir: &Path, split: Split, chosen: Option<&Path>) -> Result<Scan, DataError> {
    if !data_dir.is_dir() {
        let problem = if data_dir.exists() { "is not a folder" } else { "does not exist" };
        return Err(DataError::missing(data_dir, format!("{problem}; name the folder that has the images")));
    }
    let mut scan = match (split, chosen) {
        (Split::TrainUnlabeled, Some(_)) => {
            let problem = "--split-folder names one folder, and the split train+unlabeled has two; leave it out, or choose another split";
            return Err(DataError::Setting(problem.to_owned()));
        }
        (_, Some(folder)) => {
            // Nothing outside of the data folder, where outputs may lie.
            let is_below = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
            if !folder.components().all(is_below) {
                let problem = format!("--split-folder {} must name a folder in --data-dir", folder.display());
                return Err(DataError::Setting(problem));
            }
            let folder = data_dir.join(folder);
            if !folder.is_dir() {
                let problem = if folder.exists() { "is not a folder" } else { "does not exist" };
                let cure = "--split-folder names one of the folders in --data-dir";
                return Err(DataError::missing(&folder, format!("{problem}; {cure}")));
            }
            scan_root(&folder)?
        }
        (_, None) => {
            let layout = Layout::of(data_dir)?;
            let folder_of = |split| {
                let (folder, left_out) = layout.folder(data_dir, split)?;
                let mut scan = scan_root(&folder)?;
                scan.left_out.extend(named(None, left_out));
                Ok::<_, DataError>(scan)
            };
            let mut scan = match split {
                Split::TrainUnlabeled => join(folder_of(Split::Train)?, folder_of(Split::Unlabeled)?),
                split => folder_of(split)?,
            };
            if let Layout::Splits { left_out, .. } = layout {
                scan.left_out.extend(named(None, left_out));
            }
            scan
        }
    };
    if split == Split::Unlabeled {
        (scan.labels, scan.class_names) = (None, None);
    }
    data_dir.clone_into(&mut scan.root);
    Ok(scan)
}

/// The train images, then those of `unlabeled` without a label.
fn join(mut train: Scan, unlabeled: Scan) -> Scan {
    if let Some(labels) = &mut train.labels {
        labels.resize(labels.len() + unlabeled.paths.len(), -1);
    }
    train.paths.extend(unlabeled.paths);
    train.left_out.extend(unlabeled.left_out);
    train
}

/// The images of a folder that has subfolders of classes, or images alone.
fn scan_root(root: &Path) -> Result<Scan, DataError> {
    let found = entries(root)?;
    let mut classes = Vec::with_capacity(found.folders.len());
    for folder in found.folders {
        let (mut images, mut left_out) = (Vec::new(), LeftOuts::default());
        collect(&folder, DEEPEST, &mut images, &mut left_out)?;
        images.sort();
        classes.push(Class { folder, images, left_out });
    }
    let has_classes = classes.iter().any(|class| !class.images.is_empty());
    match (has_classes, found.images.is_empty()) {
        (false, true) => Err(nothing_there(root, found.left_out, classes)),
        (false, false) => {
            let mut left_out = named(None, found.left_out);
            left_out.extend(classes.into_iter().flat_map(|class| named(None, class.left_out)));
            Ok(Scan { root: root.to_owned(), paths: found.images, labels: None, class_names: None, left_out })
        }
        (true, true) => labelled(root, classes, named(None, found.left_out)),
        (true, false) => Err(DataError::damaged(
            &found.images[0],
            "lies beside folders of images, so it is unclear whether those are classes; move it into one of them, or all \
             images into one folder",
        )),
    }
}

/// The folder of a class.
struct Class {
    folder: PathBuf,
    images: Vec<PathBuf>,
    left_out: LeftOuts,
}

fn nothing_there(root: &Path, mut left_out: LeftOuts, classes: Vec<Class>) -> DataError {
    for class in classes {
        left_out.extend(class.left_out);
    }
    match left_out.other_images() {
        Some(images) => not_read(root, &images),
        None => DataError::Empty {
            path: root.to_owned(),
            cure: "put JPEG, PNG, WebP, BMP, TIFF, GIF or PNM files there, or a folder of them for each class",
        },
    }
}

fn not_read(folder: &Path, images: &str) -> DataError {
    let problem = format!(
        "holds images that are not read ({images}) and no others; convert them to PNG, or move the folder elsewhere"
    );
    DataError::damaged(folder, problem)
}

/// What was left out of the class `class`, or of what has no class.
fn named(class: Option<&str>, left_out: LeftOuts) -> Vec<LeftOut> {
    let one = |(reason, count): (Reason, usize)| LeftOut {
        class: class.map(str::to_owned),
        reason: reason.to_string(),
        count,
    };
    left_out.0.into_iter().map(one).collect()
}

/// A class for each folder, also for one without files: another split may have some.
fn labelled(root: &Path, classes: Vec<Class>, left_out: Vec<LeftOut>) -> Result<Scan, DataError> {
    let mut scan =
        Scan { root: root.to_owned(), paths: Vec::new(), labels: None, class_names: None, left_out };
    let (mut labels, mut names) = (Vec::new(), Vec::new());
    for (label, Class { folder, images, left_out }) in classes.into_iter().enumerate() {
        let name = folder.file_name().and_then(|name| name.to_str());
        let name = name
            .ok_or_else(|| DataError::damaged(&folder, "has a name that is not UTF-8; rename the class"))?;
        if let (true, Some(others)) = (images.is_empty(), left_out.other_images()) {
            return Err(not_read(&folder, &others));
        }
        names.push(name.to_owned());
        labels.resize(labels.len() + images.len(), label as i64);
        scan.paths.extend(images);
        scan.left_out.extend(named(Some(name), left_out));
    }
    scan.labels = Some(labels);
    scan.class_names = Some(names);
    Ok(scan)
}

/// The path of an image below `root`, with `/` on every system. A byte that is not UTF-8 is written as `%FF`, so that such names differ.
pub(super) fn id(root: &Path, path: &Path) -> String {
    let below = path.strip_prefix(root).unwrap_or(path);
    let part = |part: Component<'_>| escaped(part.as_os_str().as_encoded_bytes());
    below.components().map(part).collect::<Vec<_>>().join("/")
}

fn escaped(name: &[u8]) -> String {
    name.utf8_chunks().fold(String::new(), |text, chunk| {
        let text = text + chunk.valid();
        chunk.invalid().iter().fold(text, |text, byte| format!("{text}%{byte:02X}"))
    })
}
