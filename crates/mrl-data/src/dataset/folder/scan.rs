//! Which files of a folder are the images of a split, and which classes they have.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{DataError, Split};

const EXTENSIONS: [&str; 7] = ["jpg", "jpeg", "jpe", "jfif", "png", "webp", "bmp"];

/// Folders within a class are searched this deep.
const DEEPEST: usize = 16;

/// Folders that are splits, ours or those that other programs have beside them.
const SPLITS: [&str; 6] = ["train", "test", "unlabeled", "val", "valid", "validation"];

/// Folders that an error names.
const SHOWN: usize = 3;

/// The images of a split, sorted by class, then by path.
pub(super) struct Scan {
    /// The folder that ids are relative to.
    pub(super) root: PathBuf,
    pub(super) paths: Vec<PathBuf>,
    pub(super) labels: Option<Vec<i64>>,
    pub(super) class_names: Option<Vec<String>>,
}

impl Scan {
    /// The class of an image, and 0 of one without a label: the groups matter for subsets only, where each has one.
    pub(super) fn class_of(&self, index: usize) -> usize {
        self.labels.as_ref().map_or(0, |labels| usize::try_from(labels[index]).unwrap_or(0))
    }
}

/// Finds the images of `split` under `data_dir`.
///
/// They are in `data_dir/<split>`; where `data_dir` has no folder of any split's name, all of it is the split `train`.
pub(super) fn scan(data_dir: &Path, split: Split) -> Result<Scan, DataError> {
    if !data_dir.is_dir() {
        return Err(DataError::missing(
            data_dir,
            "is not a folder; put the images there, or name the folder that has them",
        ));
    }
    let there: Vec<&str> =
        ["train", "test", "unlabeled"].into_iter().filter(|name| data_dir.join(name).is_dir()).collect();
    let mut scan = match split {
        Split::Train if there.is_empty() => scan_root(data_dir)?,
        Split::TrainUnlabeled => {
            join(scan_split(data_dir, "train", &there)?, scan_split(data_dir, "unlabeled", &there)?)
        }
        _ => scan_split(data_dir, &split.to_string(), &there)?,
    };
    if split == Split::Unlabeled && !there.is_empty() {
        (scan.labels, scan.class_names) = (None, None);
    }
    data_dir.clone_into(&mut scan.root);
    Ok(scan)
}

/// The images of the folder of a split.
fn scan_split(data_dir: &Path, name: &str, there: &[&str]) -> Result<Scan, DataError> {
    let scan = scan_root(&split_folder(data_dir, name, there)?)?;
    if scan.labels.is_none() {
        refuse_classes_beside(data_dir, name)?;
    }
    Ok(scan)
}

/// Refuses a split without classes beside folders of images that are no splits: it may itself be a class among them.
fn refuse_classes_beside(data_dir: &Path, name: &str) -> Result<(), DataError> {
    let mut beside = Vec::new();
    for folder in sorted_entries(data_dir)? {
        let other = folder.file_name().unwrap_or_default().to_string_lossy();
        let is_split = SPLITS.iter().any(|split| other.eq_ignore_ascii_case(split));
        if !is_split && folder.is_dir() && holds_images(&folder, DEEPEST) {
            beside.push(format!("`{other}`"));
        }
    }
    if beside.is_empty() {
        return Ok(());
    }
    let more = if beside.len() > SHOWN { ", …" } else { "" };
    beside.truncate(SHOWN);
    let problem = format!(
        "`{name}` may be a split or a class beside {}{more}; move the classes into a folder `train`, or what is no class elsewhere",
        beside.join(", ")
    );
    Err(DataError::damaged(data_dir, problem))
}

/// Whether there is an image below `folder`, as far as it can be read.
fn holds_images(folder: &Path, depth: usize) -> bool {
    let is_one_or_holds_some = |path: &PathBuf| {
        if path.is_dir() {
            depth > 0 && !path.is_symlink() && holds_images(path, depth - 1)
        } else {
            is_image(path)
        }
    };
    sorted_entries(folder).unwrap_or_default().iter().any(is_one_or_holds_some)
}

fn split_folder(data_dir: &Path, name: &str, there: &[&str]) -> Result<PathBuf, DataError> {
    let folder = data_dir.join(name);
    if folder.is_dir() {
        return Ok(folder);
    }
    let cure = if there.is_empty() {
        "all of it is the split train: choose that, or make the folder".to_owned()
    } else {
        format!("it has {}: choose one of those, or make it", there.join(", "))
    };
    Err(DataError::missing(data_dir, format!("has no folder `{name}` for that split; {cure}")))
}

/// The train images, then those of `unlabeled` without a label.
fn join(mut train: Scan, unlabeled: Scan) -> Scan {
    if let Some(labels) = &mut train.labels {
        labels.resize(labels.len() + unlabeled.paths.len(), -1);
    }
    train.paths.extend(unlabeled.paths);
    train
}

/// The images of a folder that has subfolders of classes, or images alone.
fn scan_root(root: &Path) -> Result<Scan, DataError> {
    let (mut loose, mut folders) = (Vec::new(), Vec::new());
    for path in sorted_entries(root)? {
        if path.is_dir() {
            folders.push(path);
        } else if is_image(&path) {
            loose.push(path);
        }
    }
    let mut classes = Vec::with_capacity(folders.len());
    for folder in folders {
        let mut images = Vec::new();
        collect(&folder, DEEPEST, &mut images)?;
        images.sort();
        classes.push((folder, images));
    }
    let has_classes = classes.iter().any(|(_, images)| !images.is_empty());
    match (has_classes, loose.is_empty()) {
        (false, true) => Err(DataError::Empty {
            path: root.to_owned(),
            cure: "put JPEG, PNG, WebP or BMP files there, or a folder of them for each class",
        }),
        (false, false) => Ok(Scan { root: root.to_owned(), paths: loose, labels: None, class_names: None }),
        (true, true) => labelled(root, classes),
        (true, false) => Err(DataError::damaged(
            &loose[0],
            "lies beside folders of images, so it is unclear whether those are classes; move it into one of them, or all \
             images into one folder",
        )),
    }
}

/// A class for each folder, also for one without images: another split may have some.
fn labelled(root: &Path, classes: Vec<(PathBuf, Vec<PathBuf>)>) -> Result<Scan, DataError> {
    let mut scan = Scan { root: root.to_owned(), paths: Vec::new(), labels: None, class_names: None };
    let (mut labels, mut names) = (Vec::new(), Vec::new());
    for (label, (folder, images)) in classes.into_iter().enumerate() {
        let name = folder.file_name().and_then(|name| name.to_str());
        let name = name
            .ok_or_else(|| DataError::damaged(&folder, "has a name that is not UTF-8; rename the class"))?;
        names.push(name.to_owned());
        labels.resize(labels.len() + images.len(), label as i64);
        scan.paths.extend(images);
    }
    scan.labels = Some(labels);
    scan.class_names = Some(names);
    Ok(scan)
}

/// The images below `folder`. Links to folders are not followed here, so that none leads back.
fn collect(folder: &Path, depth: usize, images: &mut Vec<PathBuf>) -> Result<(), DataError> {
    for path in sorted_entries(folder)? {
        if !path.is_dir() {
            images.extend(is_image(&path).then_some(path));
        } else if path.is_symlink() || depth == 0 {
            return Err(DataError::damaged(
                &path,
                "is a link to a folder, or a folder too deep; put its images into the class itself",
            ));
        } else {
            collect(&path, depth - 1, images)?;
        }
    }
    Ok(())
}

/// The entries of a folder but hidden ones and those that macOS adds to archives, sorted by name.
fn sorted_entries(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(DataError::io(folder))? {
        let entry = entry.map_err(DataError::io(folder))?;
        let name = entry.file_name();
        if !name.as_encoded_bytes().starts_with(b".") && name != "__MACOSX" {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

fn is_image(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known)))
}

/// The path of an image below `root`, with `/` on every system.
pub(super) fn id(root: &Path, path: &Path) -> String {
    let below = path.strip_prefix(root).unwrap_or(path);
    below.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}
