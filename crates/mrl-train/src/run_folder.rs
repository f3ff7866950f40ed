use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
};

use mrl_config::{
    CheckedConfig, HeadLayers, NetworkChoice, RUN_CONFIG, ResolvedConfig, check_same, read_run_config,
};
use mrl_embedding::{is_unfinished, remove_unfinished, write_atomically};

use crate::{
    EvalRecord, StepRecord, TrainError, checkpoint::Checkpoints, device::resolve_for, run_images::RunImages,
};

const METRICS: &str = "metrics.jsonl";
const LOCK: &str = ".lock";

/// The folder of one run: `config.toml`, `images.json`, `metrics.jsonl`, `checkpoints/` and at the end the two encoders.
pub struct RunFolder {
    path: PathBuf,
    /// Whether the folder does not say yet which images the run is trained on.
    images_unknown: bool,
    /// Held while the run is open; the system lets go of it when the process ends, however it ends.
    _lock: File,
}

impl RunFolder {
    /// Where the run in `path` has a network's encoder, once it is finished.
    #[must_use]
    pub fn encoder(path: &Path, network: NetworkChoice) -> PathBuf {
        path.join(match network {
            NetworkChoice::Target => "encoder.safetensors",
            NetworkChoice::Online => "online.safetensors",
        })
    }

    /// The configuration of the run in `path`, if there is a run.
    ///
    /// # Errors
    /// When `config.toml` cannot be read, or is not that of a run.
    pub fn stored_config(path: &Path) -> Result<Option<ResolvedConfig>, TrainError> {
        Ok(read_run_config(&path.join(RUN_CONFIG))?)
    }

    /// Checks that a run can have the folder `path`, before anything is computed for it.
    ///
    /// # Errors
    /// When the folder holds something, but for a run that is to be resumed.
    pub fn check_free(path: &Path, resume: bool) -> Result<(), TrainError> {
        if is_unused(path)? {
            return Ok(());
        }
        match Self::stored_config(path) {
            Ok(Some(_)) if resume => Ok(()),
            Ok(Some(_)) => Err(TrainError::RunExists(path.to_owned())),
            Err(error) if resume => Err(error),
            _ => Err(TrainError::NoRun(path.to_owned())),
        }
    }

    /// Checks that the run in `path`, if there is one, can go on as `config` says, before any image is looked for. What only
    /// images tell is taken from the run.
    ///
    /// # Errors
    /// When the run has another configuration, or its file cannot be read.
    pub fn check_resumed(path: &Path, config: &CheckedConfig) -> Result<(), TrainError> {
        let Some(stored) = Self::stored_config(path)? else { return Ok(()) };
        let classes = match stored.model.layers {
            HeadLayers::Classifier { classes } => Some(classes),
            HeadLayers::Projector(_) => None,
        };
        let given = resolve_for(config.clone(), stored.data.image_size, classes)?;
        Ok(check_same(&path.join(RUN_CONFIG), &stored, &given)?)
    }

    /// Opens `path` for the run of `config`.
    ///
    /// # Errors
    /// When the folder holds something that is not a run to be resumed, when the run in it has another configuration or other
    /// images, or when another process has it open. Nothing in the folder is changed then.
    pub(crate) fn open(
        path: &Path,
        config: &ResolvedConfig,
        images: &RunImages,
        resume: bool,
    ) -> Result<Self, TrainError> {
        Self::check_free(path, resume)?;
        fs::create_dir_all(path).map_err(TrainError::io(path))?;
        let lock = lock(path)?;
        let file = path.join(RUN_CONFIG);
        let stored = Self::stored_config(path)?;
        stored.as_ref().map_or(Ok(()), |stored| check_same(&file, stored, config))?;
        let known = stored.as_ref().map_or(Ok(None), |_| RunImages::read(path))?;
        known.as_ref().map_or(Ok(()), |known| known.check_same(images, path))?;
        for folder in [path, checkpoints(path).folder()] {
            remove_unfinished(folder).map_err(TrainError::io(folder))?;
        }
        if stored.is_none() {
            let text = config.to_file(crate::VERSION);
            write_atomically(&file, |out| out.write_all(text.as_bytes())).map_err(TrainError::io(&file))?;
        }
        Ok(Self { path: path.to_owned(), images_unknown: known.is_none(), _lock: lock })
    }

    /// Checks that no encoder would be replaced by a run from the first step on.
    pub(crate) fn check_unfinished(&self) -> Result<(), TrainError> {
        let encoder = Self::encoder(&self.path, NetworkChoice::Target);
        if !encoder.exists() {
            return Ok(());
        }
        let problem = "is the run's result, but there is no checkpoint to continue from; start a new run in another --out";
        Err(TrainError::damaged(&encoder, problem))
    }

    /// Says in the folder which images the run is trained on, if it does not yet; whether it did not.
    pub(crate) fn keep_images(&self, images: &RunImages) -> Result<bool, TrainError> {
        if self.images_unknown {
            images.write(&self.path)?;
        }
        Ok(self.images_unknown)
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn checkpoints(&self) -> Checkpoints {
        checkpoints(&self.path)
    }

    /// Opens `metrics.jsonl` behind its line of `step`; what a run wrote after its last checkpoint is dropped.
    pub(crate) fn metrics_from(&self, step: u64) -> Result<Metrics, TrainError> {
        let path = self.path.join(METRICS);
        if path.exists() {
            let text = fs::read_to_string(&path).map_err(TrainError::io(&path))?;
            let kept =
                text.split_inclusive('\n').take_while(|line| step_of(line).is_some_and(|at| at <= step));
            let kept: String = kept.collect();
            write_atomically(&path, |out| out.write_all(kept.as_bytes())).map_err(TrainError::io(&path))?;
        }
        let file = OpenOptions::new().create(true).append(true).open(&path).map_err(TrainError::io(&path))?;
        Ok(Metrics { path, file })
    }
}

/// The checkpoints of the run in `path`.
pub(crate) fn checkpoints(path: &Path) -> Checkpoints {
    Checkpoints::new(path.join("checkpoints"))
}

/// Whether a run can begin in the folder `path`: it is not there, or holds nothing but what a run leaves that was killed before its
/// configuration was written.
fn is_unused(path: &Path) -> Result<bool, TrainError> {
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        entries => entries.map_err(TrainError::io(path))?,
    };
    for entry in entries {
        let entry = entry.map_err(TrainError::io(path))?;
        let is_lock = entry.file_name() == LOCK && entry.metadata().is_ok_and(|about| about.len() == 0);
        if !is_lock && !is_unfinished(&entry.file_name()) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn lock(path: &Path) -> Result<File, TrainError> {
    let file = path.join(LOCK);
    let lock = OpenOptions::new().create(true).append(true).open(&file).map_err(TrainError::io(&file))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(TrainError::RunLocked(path.to_owned())),
        Err(TryLockError::Error(error)) => Err(TrainError::io(&file)(error)),
    }
}

fn step_of(line: &str) -> Option<u64> {
    serde_json::from_str::<serde_json::Value>(line).ok()?.get("step")?.as_u64()
}

/// `metrics.jsonl`, open for appending.
pub(crate) struct Metrics {
    path: PathBuf,
    file: File,
}

impl Metrics {
    pub(crate) fn log(&mut self, record: &StepRecord, images_per_s: f64) -> Result<(), TrainError> {
        #[derive(serde::Serialize)]
        struct Line<'a> {
            #[serde(flatten)]
            record: &'a StepRecord,
            images_per_s: f64,
        }
        self.add(&Line { record, images_per_s })
    }

    pub(crate) fn log_evaluation(&mut self, record: &EvalRecord) -> Result<(), TrainError> {
        self.add(record)
    }

    fn add(&mut self, record: &impl serde::Serialize) -> Result<(), TrainError> {
        let mut line = serde_json::to_string(record).expect("a record is plain JSON");
        line.push('\n');
        // In one write, so that a reader never sees half a line unless the disk is full.
        self.file.write_all(line.as_bytes()).map_err(TrainError::io(&self.path))
    }
}
