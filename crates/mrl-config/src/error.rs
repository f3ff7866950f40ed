use std::{
    io,
    path::{Path, PathBuf},
};

use mrl_embedding::NestingError;

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A setting has a value that it cannot have, or does not go with another one.
    #[error("{0}")]
    Setting(String),
    /// The nesting dims do not fit the encoder.
    #[error(transparent)]
    Nesting(#[from] NestingError),
    /// A file cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is not the configuration of a run, or is that of another one.
    #[error("{}: {problem}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong, and the cure.
        problem: String,
    },
}

impl ConfigError {
    /// Whether the cure is to ask for something else: another option or preset.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Setting(_) | Self::Nesting(_))
    }

    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| Self::Io { path: path.to_owned(), source }
    }

    pub(crate) fn damaged(path: &Path, problem: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), problem: problem.into() }
    }
}

/// Refuses a setting where there is a problem with it.
pub(crate) fn refuse(problem: Option<String>) -> Result<(), ConfigError> {
    problem.map_or(Ok(()), |problem| Err(ConfigError::Setting(problem)))
}
