//! What a folder holds: folders, images, and what is left out.

use std::{
    collections::BTreeMap,
    fmt, fs,
    path::{Path, PathBuf},
};

use mrl_embedding::quoted;

use crate::{
    DataError,
    dataset::image_file::{is_image_file, is_other_image},
};

/// Folders within a class are searched this deep.
pub(super) const DEEPEST: usize = 16;

/// What systems and network storage put beside people's files.
const OF_SYSTEMS: [&str; 9] = [
    "@eaDir",
    "#recycle",
    "#snapshot",
    "lost+found",
    "$RECYCLE.BIN",
    "System Volume Information",
    "__MACOSX",
    "Thumbs.db",
    "desktop.ini",
];

/// Files by which a folder is known as an output of `mrl`: a run, or what `mrl eval` wrote.
const OF_OUTPUTS: [&str; 2] = ["encoder.safetensors", ".mrl-files.json"];

/// The entries of a folder, sorted by name.
#[derive(Default)]
pub(super) struct Entries {
    pub(super) folders: Vec<PathBuf>,
    pub(super) images: Vec<PathBuf>,
    pub(super) left_out: LeftOuts,
}

/// Why an entry is left out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reason {
    /// An image with this ending, which is not read.
    OtherImage(String),
    /// A file with this ending, or without one.
    OtherFile(Option<String>),
    /// Its name begins with a dot.
    Hidden,
    /// A system made it.
    OfSystem(String),
    /// `mrl` wrote it.
    Output(String),
    /// A pipe, a socket or a device.
    NoFile,
    /// A link without a target, which may have been a class.
    DeadLink,
    /// An image beside the folders of splits.
    BesideSplits,
    /// Another folder of a split that was found.
    OtherFolder(String),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherImage(ending) => write!(f, "`.{ending}` images, which are not read"),
            Self::OtherFile(Some(ending)) => write!(f, "`.{ending}` files"),
            Self::OtherFile(None) => write!(f, "files without an ending"),
            Self::Hidden => write!(f, "hidden"),
            Self::OfSystem(name) => write!(f, "`{name}`"),
            Self::Output(name) => write!(f, "`{name}`, an output of mrl"),
            Self::NoFile => write!(f, "pipes, sockets or devices"),
            Self::DeadLink => write!(f, "links whose target is missing"),
            Self::BesideSplits => write!(f, "images beside the folders of the splits"),
            Self::OtherFolder(name) => {
                let choice = quoted(Path::new(name));
                write!(f, "`{name}`, another folder of this split (choose it with --split-folder {choice})")
            }
        }
    }
}

/// How many entries are left out, by reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct LeftOuts(pub(super) BTreeMap<Reason, usize>);

impl LeftOuts {
    fn add(&mut self, reason: Reason) {
        *self.0.entry(reason).or_default() += 1;
    }

    pub(super) fn extend(&mut self, other: Self) {
        for (reason, count) in other.0 {
            *self.0.entry(reason).or_default() += count;
        }
    }

    /// The images that are not read, as `3 .heic, 1 .avif`; nothing if there are none.
    pub(super) fn other_images(&self) -> Option<String> {
        let image = |(reason, count): (&Reason, &usize)| match reason {
            Reason::OtherImage(ending) => Some(format!("{count} .{ending}")),
            _ => None,
        };
        let images: Vec<String> = self.0.iter().filter_map(image).collect();
        (!images.is_empty()).then(|| images.join(", "))
    }
}

/// The entries of `folder` alone.
///
/// # Errors
/// When it cannot be read.
pub(super) fn entries(folder: &Path) -> Result<Entries, DataError> {
    let mut found = Entries::default();
    for entry in fs::read_dir(folder).map_err(DataError::io(folder))? {
        let path = entry.map_err(DataError::io(folder))?.path();
        found.add(path);
    }
    found.folders.sort();
    found.images.sort();
    Ok(found)
}

impl Entries {
    fn add(&mut self, path: PathBuf) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // Follow links. A dangling link keeps its name; as an image it counts as corrupt.
        let kind = fs::metadata(&path).map(|about| about.file_type()).ok();
        let is_folder = kind.is_some_and(|kind| kind.is_dir());
        let reason = if name.starts_with('.') {
            Reason::Hidden
        } else if OF_SYSTEMS.contains(&&*name) {
            Reason::OfSystem(name.into_owned())
        } else if is_folder && OF_OUTPUTS.iter().any(|file| path.join(file).is_file()) {
            Reason::Output(name.into_owned())
        } else if is_folder {
            return self.folders.push(path);
        } else if kind.is_some_and(|kind| !kind.is_file()) {
            Reason::NoFile
        } else if is_image_file(&path) {
            return self.images.push(path);
        } else if kind.is_none() {
            Reason::DeadLink
        } else {
            let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
            match ending {
                Some(ending) if is_other_image(&path) => Reason::OtherImage(ending),
                ending => Reason::OtherFile(ending),
            }
        };
        self.left_out.add(reason);
    }
}

/// Adds the images below `folder`, and what is left out there. Links to folders are not followed, so that none leads back.
///
/// # Errors
/// When a folder cannot be read, is too deep or a link.
pub(super) fn collect(
    folder: &Path,
    depth: usize,
    images: &mut Vec<PathBuf>,
    left_out: &mut LeftOuts,
) -> Result<(), DataError> {
    let found = entries(folder)?;
    images.extend(found.images);
    left_out.extend(found.left_out);
    for path in found.folders {
        if path.is_symlink() || depth == 0 {
            return Err(DataError::damaged(
                &path,
                "is a link to a folder, or a folder too deep; put its images into the class itself",
            ));
        }
        collect(&path, depth - 1, images, left_out)?;
    }
    Ok(())
}

/// True if there is an image below `folder`, as far as it can be read; with `of_any_format` also one that is not read. Links to folders are
/// followed in `folder` itself, which may hold links to classes, and not further down.
pub(super) fn holds_images(folder: &Path, of_any_format: bool) -> bool {
    fn within(folder: &Path, of_any_format: bool, depth: usize) -> bool {
        let Ok(found) = entries(folder) else { return false };
        let is_followed = |path: &PathBuf| depth == DEEPEST || (depth > 0 && !path.is_symlink());
        let holds =
            |path: &PathBuf| is_followed(path) && within(path, of_any_format, depth.saturating_sub(1));
        !found.images.is_empty()
            || (of_any_format && found.left_out.other_images().is_some())
            || found.folders.iter().any(holds)
    }
    within(folder, of_any_format, DEEPEST)
}

/// True if folders in `folder` hold images, as those of classes do.
pub(super) fn holds_classes(folder: &Path) -> bool {
    entries(folder).is_ok_and(|found| found.folders.iter().any(|class| holds_images(class, true)))
}
