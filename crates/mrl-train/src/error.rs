use std::{
    io,
    path::{Path, PathBuf},
};

use mrl_config::ConfigError;
use mrl_data::DataError;
use mrl_embedding::NestingError;

/// What can stop a training run or an embedding.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// What was asked for cannot be done.
    #[error("{0}")]
    Usage(String),
    /// The configuration cannot be used, or a file of a run does not hold one.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Vectors that were given cannot be adapted.
    #[error("{0}")]
    Vectors(String),
    /// The nesting dims do not fit the encoder.
    #[error(transparent)]
    Nesting(#[from] NestingError),
    /// The images cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// An embedding set cannot be made or written.
    #[error(transparent)]
    Embedding(#[from] mrl_embedding::Error),
    /// The operating system refused.
    #[error("{}: {source}{cure}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What it said.
        source: io::Error,
        /// What helps, where that is known.
        cure: &'static str,
    },
    /// A file of a run folder is not what it should be.
    #[error("{}: {problem}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was wrong, and the cure.
        problem: String,
    },
    /// There is a run in the folder already.
    #[error("{} already holds a run; continue it with --resume, or choose another --out", .0.display())]
    RunExists(PathBuf),
    /// There are files in the folder, and none says that they are a run's.
    #[error(
        "{} is not empty and holds no run; choose another --out: a new or empty folder, or with --resume that of a run", .0.display()
    )]
    NoRun(PathBuf),
    /// Another process trains in the folder.
    #[error("{} is in use by another process; wait for it, or choose another --out", .0.display())]
    RunLocked(PathBuf),
    /// The loss is not a number any more. Nothing was updated with it.
    #[error(
        "the loss of dim {dim} is {loss} at step {step}; nothing was learnt from it, and earlier checkpoints stay. Lower the learning rate; where half precision is used, try --precision f32"
    )]
    NotFinite {
        /// The global step, counted from 1.
        step: u64,
        /// The prefix whose loss it is.
        dim: usize,
        /// The loss.
        loss: f64,
    },
    /// The gradient is not finite, though the loss is. Nothing was updated with it.
    #[error(
        "the gradient is not finite at step {step}; nothing was learnt from it, and earlier checkpoints stay. Lower the learning rate; where half precision is used, try --precision f32"
    )]
    GradientNotFinite {
        /// The global step, counted from 1.
        step: u64,
    },
    /// The held-out images could not be judged.
    #[error("the held-out images cannot be evaluated: {0}")]
    Evaluation(String),
    /// libtorch refused an operation.
    #[error("libtorch: {0}")]
    Torch(#[from] tch::TchError),
    /// libtorch found no memory for an operation.
    #[error("out of memory: {message}; {cure}")]
    OutOfMemory {
        /// What it said.
        message: String,
        /// What helps.
        cure: &'static str,
    },
}

impl TrainError {
    /// Whether the cure is to ask for something else: another option or preset.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Usage(_) | Self::Nesting(_) => true,
            Self::Config(error) => error.is_usage(),
            _ => false,
        }
    }

    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| Self::Io { path: path.to_owned(), source, cure: "" }
    }

    /// With the cure that a training run has: options of its own, and checkpoints.
    pub(crate) fn in_a_run(mut self) -> Self {
        match &mut self {
            Self::Io { source, cure, .. } if is_full(source) => {
                *cure = "; earlier checkpoints are intact: free some space and continue with --resume";
            }
            Self::OutOfMemory { cure, .. } => *cure = "use a smaller --batch-size, --width or --image-size",
            _ => {}
        }
        self
    }

    pub(crate) fn damaged(path: &Path, problem: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), problem: problem.into() }
    }
}

/// Whether a file found no room.
fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_knows_its_cures_and_nothing_else_does() {
        let io = |kind: io::ErrorKind| TrainError::io(Path::new("run/step"))(kind.into());
        let full = io(io::ErrorKind::StorageFull).in_a_run().to_string();
        assert!(
            full.starts_with("run/step: ") && full.ends_with("free some space and continue with --resume"),
            "{full}"
        );
        let memory = || TrainError::OutOfMemory { message: "no".to_owned(), cure: "rest" };
        let of_a_run = "out of memory: no; use a smaller --batch-size, --width or --image-size";
        assert_eq!(memory().in_a_run().to_string(), of_a_run);
        let others = [io(io::ErrorKind::NotFound).in_a_run(), io(io::ErrorKind::StorageFull), memory()];
        assert!(others.iter().all(|error| !error.to_string().contains("--")), "{others:?}");
    }
}
