use std::path::{Path, PathBuf};

use crate::{DatasetKind, Split};

/// What can go wrong with a data set on disk or on its way there.
///
/// Every message names the file or value, what is wrong with it, and the cure.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The operating system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What it said.
        source: std::io::Error,
    },
    /// The file is not what its name says, or is damaged.
    #[error("{}: {problem}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was wrong, and the cure.
        problem: String,
    },
    /// The data set, or a part of it, is not where it should be.
    #[error("{}: {problem}", path.display())]
    Missing {
        /// The folder that was searched, or the file that is missing.
        path: PathBuf,
        /// What was looked for, and the cure.
        problem: String,
    },
    /// The data set has no such split.
    #[error("{kind} has no split {split}; it has {there}")]
    NoSplit {
        /// The data set.
        kind: DatasetKind,
        /// What was asked for.
        split: Split,
        /// The splits there are.
        there: String,
    },
    /// There are no images.
    #[error("{}: holds no images; {cure}", path.display())]
    Empty {
        /// The file or folder.
        path: PathBuf,
        /// What to put there.
        cure: &'static str,
    },
    /// More images could not be decoded than the caller allows.
    #[error(
        "{}: {problem}; corrupt images so far: {count}, at most {limit} are skipped; mend or remove the file, or raise --max-corrupt",
        path.display()
    )]
    TooManyCorrupt {
        /// The corrupt image that was one too many.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// The corrupt images so far.
        count: usize,
        /// The caller's limit.
        limit: usize,
    },
    /// A number of images of each class was asked for that the set cannot give.
    #[error("{0}")]
    Subset(String),
    /// The pixels, labels and sizes of a set do not agree with each other.
    #[error("{0}")]
    Shape(String),
    /// A setting of the views or the loader cannot be used.
    #[error("{0}")]
    Setting(String),
    /// An archive could not be fetched.
    #[error("{url}: {problem}; {cure}")]
    Download {
        /// The address.
        url: String,
        /// What went wrong.
        problem: String,
        /// Which file to put where.
        cure: String,
    },
}

/// An [`std::io::Error`] that carries it, for what happens within the writing of a file.
impl From<DataError> for std::io::Error {
    fn from(error: DataError) -> Self {
        Self::other(error)
    }
}

impl DataError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| Self::Io { path: path.to_owned(), source }
    }

    pub(crate) fn damaged(path: &Path, problem: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), problem: problem.into() }
    }

    pub(crate) fn missing(path: &Path, problem: impl Into<String>) -> Self {
        Self::Missing { path: path.to_owned(), problem: problem.into() }
    }
}
