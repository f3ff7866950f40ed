use std::path::{Path, PathBuf};

/// What can go wrong with an embedding set or its file.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
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
    /// Rows, labels and ids do not agree in number, or the width is zero.
    #[error("{0}")]
    Shape(String),
    /// The nesting dims are not usable.
    #[error(transparent)]
    Nesting(#[from] NestingError),
}

use crate::NestingError;

impl Error {
    /// Of the file at `path`.
    pub fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| Self::Io { path: path.to_owned(), source }
    }

    /// Of the file at `path`; the problem in words, with the cure.
    #[must_use]
    pub fn damaged(path: &Path, problem: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), problem: problem.into() }
    }
}
