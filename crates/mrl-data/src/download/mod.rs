//! Brings a missing archive from its home site and unpacks it, always under the data folder.

mod fetch;
mod unpack;

use std::{
    fs,
    path::{Path, PathBuf},
};

use fetch::{Policy, Source, md5_of};
use mrl_embedding::FolderLock;

use crate::{DataError, DatasetKind, Progress};

/// An official archive.
pub(crate) struct Archive {
    /// The site, to which the name is appended.
    base_url: &'static str,
    name: &'static str,
    md5: &'static str,
    /// More than the archive has; a server that sends more is cut off.
    most_bytes: u64,
    /// The folder in the archive, and under the data folder.
    folder: &'static str,
    /// The files that are taken, all of which must be there, and the size of the largest.
    files: &'static [&'static str],
    largest_file: u64,
}

const CIFAR10: Archive = Archive {
    base_url: "https://www.cs.toronto.edu/~kriz/",
    name: "cifar-10-binary.tar.gz",
    md5: "c32a1d4ab5d03f1284b67883e8d87530",
    most_bytes: 200_000_000,
    folder: "cifar-10-batches-bin",
    files: &[
        "batches.meta.txt",
        "data_batch_1.bin",
        "data_batch_2.bin",
        "data_batch_3.bin",
        "data_batch_4.bin",
        "data_batch_5.bin",
        "test_batch.bin",
    ],
    largest_file: 30_730_000,
};

const CIFAR100: Archive = Archive {
    base_url: "https://www.cs.toronto.edu/~kriz/",
    name: "cifar-100-binary.tar.gz",
    md5: "03b5dce01913d631647c71ecec9e9cb8",
    most_bytes: 200_000_000,
    folder: "cifar-100-binary",
    files: &["coarse_label_names.txt", "fine_label_names.txt", "train.bin", "test.bin"],
    largest_file: 153_700_000,
};

/// CIFAR-10 as torchvision keeps it. It is unpacked where it lies, and never downloaded.
const CIFAR10_PYTHON: Archive = Archive {
    name: "cifar-10-python.tar.gz",
    md5: "c58f30108f718f92721af3b95e74349a",
    folder: "cifar-10-batches-py",
    files: &[
        "batches.meta",
        "data_batch_1",
        "data_batch_2",
        "data_batch_3",
        "data_batch_4",
        "data_batch_5",
        "test_batch",
    ],
    largest_file: 31_100_000,
    ..CIFAR10
};

/// CIFAR-100 as torchvision keeps it.
const CIFAR100_PYTHON: Archive = Archive {
    name: "cifar-100-python.tar.gz",
    md5: "eb9058c3a382ffc7106e4002c42a8d85",
    folder: "cifar-100-python",
    files: &["meta", "train", "test"],
    largest_file: 155_300_000,
    ..CIFAR100
};

const STL10: Archive = Archive {
    base_url: "http://ai.stanford.edu/~acoates/stl10/",
    name: "stl10_binary.tar.gz",
    md5: "91f7769df0f17e558f3565bffb0821fb",
    most_bytes: 3_000_000_000,
    folder: "stl10_binary",
    files: &[
        "class_names.txt",
        "fold_indices.txt",
        "train_X.bin",
        "train_y.bin",
        "test_X.bin",
        "test_y.bin",
        "unlabeled_X.bin",
    ],
    largest_file: 2_764_800_000,
};

impl Archive {
    fn of(kind: DatasetKind) -> Option<&'static Self> {
        match kind {
            DatasetKind::Cifar10 => Some(&CIFAR10),
            DatasetKind::Cifar100 => Some(&CIFAR100),
            DatasetKind::Stl10 => Some(&STL10),
            DatasetKind::Mnist | DatasetKind::FashionMnist | DatasetKind::Idx | DatasetKind::Folder => None,
        }
    }

    /// That of torchvision, whose pickles are read too.
    fn of_torchvision(kind: DatasetKind) -> Option<&'static Self> {
        match kind {
            DatasetKind::Cifar10 => Some(&CIFAR10_PYTHON),
            DatasetKind::Cifar100 => Some(&CIFAR100_PYTHON),
            _ => None,
        }
    }

    fn url(&self) -> String {
        format!("{}{}", self.base_url, self.name)
    }

    /// What a user without network does.
    fn cure(&self, data_dir: &Path) -> String {
        let of_torchvision = [(CIFAR10.name, CIFAR10_PYTHON.name), (CIFAR100.name, CIFAR100_PYTHON.name)];
        let other = of_torchvision.iter().find(|(name, _)| *name == self.name);
        format!(
            "put {} (from {}, md5 {}) into {}, or its folder {} unpacked{}",
            self.name,
            self.url(),
            self.md5,
            data_dir.display(),
            self.folder,
            other.map_or_else(String::new, |(_, other)| format!("; torchvision's {other} serves too"))
        )
    }
}

/// Makes sure that the archive's folder is under `data_dir` and gives it: unpacks the archive when it lies there, else
/// downloads it when that is `allowed`.
///
/// A downloaded archive is removed once it is unpacked; one that the user put there stays.
///
/// # Errors
/// When the folder is there but incomplete, the archive cannot be fetched or is damaged, or the disk is full. A cut
/// download stays as `.part` and is resumed by the next call.
pub(crate) fn ensure(
    kind: DatasetKind,
    data_dir: &Path,
    allowed: bool,
    progress: &dyn Fn(Progress<'_>),
) -> Result<PathBuf, DataError> {
    let archive = Archive::of(kind).ok_or_else(|| {
        DataError::missing(data_dir, format!("has no {kind}, which is not downloaded; put it there"))
    })?;
    ensure_archive(archive, data_dir, allowed.then(Policy::default).as_ref(), progress)
}

/// The folder of the archive that torchvision keeps, unpacked where that lies under `data_dir`; none where it does not.
///
/// # Errors
/// When the archive is damaged, or the disk is full.
pub(crate) fn unpack_of_torchvision(
    kind: DatasetKind,
    data_dir: &Path,
    progress: &dyn Fn(Progress<'_>),
) -> Result<Option<PathBuf>, DataError> {
    let archive = Archive::of_torchvision(kind).filter(|archive| data_dir.join(archive.name).is_file());
    archive.map(|archive| ensure_archive(archive, data_dir, None, progress)).transpose()
}

fn ensure_archive(
    archive: &Archive,
    data_dir: &Path,
    policy: Option<&Policy>,
    progress: &dyn Fn(Progress<'_>),
) -> Result<PathBuf, DataError> {
    let (target, path) = (data_dir.join(archive.folder), data_dir.join(archive.name));
    let absent = || {
        let cure = archive.cure(data_dir);
        let problem = format!("has no {}, and nothing is to be downloaded; {cure}", archive.folder);
        DataError::missing(data_dir, problem)
    };
    if policy.is_none() && !path.is_file() && !target.exists() {
        return Err(absent());
    }
    fs::create_dir_all(data_dir).map_err(DataError::io(data_dir))?;
    let lock = FolderLock::take(data_dir, || progress(Progress::Wait { file: archive.name }));
    if target.exists() {
        return complete(archive, target);
    }
    if lock.is_held() {
        unpack::remove_leftovers(data_dir);
    }
    let is_ours = !path.is_file();
    if is_ours {
        download(archive, data_dir, policy.ok_or_else(absent)?, progress)?;
    } else {
        check(archive, &path, progress)?;
    }
    unpack::unpack(archive, &path, data_dir, progress)?;
    if is_ours {
        fs::remove_file(&path).map_err(DataError::io(&path))?;
    }
    Ok(target)
}

/// The folder, when another process just finished it; an incomplete one is the user's and is left alone.
fn complete(archive: &Archive, target: PathBuf) -> Result<PathBuf, DataError> {
    match archive.files.iter().find(|file| !target.join(file).is_file()) {
        None => Ok(target),
        Some(file) => Err(DataError::missing(
            &target.join(file),
            "is missing; put it there, or remove the folder to download the data set again",
        )),
    }
}

fn download(
    archive: &Archive,
    data_dir: &Path,
    policy: &Policy,
    progress: &dyn Fn(Progress<'_>),
) -> Result<(), DataError> {
    let part = data_dir.join(format!("{}.part", archive.name));
    let source = Source {
        url: archive.url(),
        file: archive.name,
        md5: archive.md5,
        most_bytes: archive.most_bytes,
        cure: archive.cure(data_dir),
    };
    fetch::fetch(&source, &part, policy, progress)?;
    fs::rename(&part, data_dir.join(archive.name)).map_err(DataError::io(&part))
}

/// Checks an archive that the user put there.
fn check(archive: &Archive, path: &Path, progress: &dyn Fn(Progress<'_>)) -> Result<(), DataError> {
    progress(Progress::Verify { file: archive.name });
    let found = md5_of(path)?;
    if found == archive.md5 {
        return Ok(());
    }
    let problem = format!(
        "has md5 {found}, not {}: it was cut or is another file; remove it and get it again from {}",
        archive.md5,
        archive.url()
    );
    Err(DataError::damaged(path, problem))
}

#[cfg(test)]
mod tests;
