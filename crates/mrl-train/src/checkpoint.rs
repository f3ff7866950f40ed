//! Checkpoints: everything that training changes, in one safetensors file.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use mrl_config::{ResolvedConfig, check_same};
use serde::{Deserialize, Serialize};
use tch::Tensor;

use crate::{
    TrainError,
    tensor_file::{self, TensorFile},
    trainer::Trainer,
};

/// How many checkpoints of a run are kept.
const KEPT: usize = 2;

/// What is not a tensor. The random state and the sampler's position follow from the seed, which the configuration
/// holds, and the step: views and order are functions of seed, epoch and sample.
#[derive(Debug, Serialize, Deserialize)]
struct State {
    step: u64,
    /// Images in the data set; another number would move the sampler.
    images: usize,
    /// Updates of the optimiser.
    #[serde(alias = "adam_updates")]
    updates: i32,
    loss_scale: f64,
    good_steps: u32,
    online_batches_tracked: i64,
    target_batches_tracked: i64,
}

/// The checkpoints of a run.
pub(crate) struct Checkpoints {
    folder: PathBuf,
}

impl Checkpoints {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Saves, and then removes what is older than the last [`KEPT`].
    pub(crate) fn save(&self, trainer: &Trainer, images: usize, config: &str) -> Result<(), TrainError> {
        fs::create_dir_all(&self.folder).map_err(TrainError::io(&self.folder))?;
        let path = self.of_step(trainer.step);
        let state = State {
            step: trainer.step,
            images,
            updates: trainer.optimiser.updates,
            loss_scale: trainer.loss_scale.factor,
            good_steps: trainer.loss_scale.good_steps,
            online_batches_tracked: trainer.online.batches_tracked().get(),
            target_batches_tracked: trainer.target.batches_tracked().get(),
        };
        let entries = BTreeMap::from([
            ("state".to_owned(), serde_json::to_string(&state).expect("numbers are plain JSON")),
            ("config".to_owned(), config.to_owned()),
            ("version".to_owned(), crate::VERSION.to_owned()),
        ]);
        let layout = trainer.online.layout();
        let tensors = parts(trainer).into_iter().flat_map(|(prefix, flat)| {
            layout
                .views(flat)
                .map(move |(name, tensor)| (format!("{prefix}.{name}"), tensor))
                .collect::<Vec<_>>()
        });
        tensor_file::write(&path, tensors, entries)?;
        self.forget_old()
    }

    /// The newest checkpoint's file, if there is one.
    pub(crate) fn newest(&self) -> Result<Option<PathBuf>, TrainError> {
        Ok(self.list()?.pop())
    }

    /// Continues from the newest checkpoint, if there is one, and says which.
    pub(crate) fn restore(
        &self,
        trainer: &mut Trainer,
        images: usize,
        config: &ResolvedConfig,
    ) -> Result<Option<PathBuf>, TrainError> {
        let Some(path) = self.newest()? else { return Ok(None) };
        let file = tensor_file::read(&path).map_err(|error| match error {
            TrainError::Damaged { path, problem } => TrainError::Damaged {
                path,
                problem: format!("{problem}; delete it to continue from the one before"),
            },
            other => other,
        })?;
        let state = read_state(&file)?;
        if path != self.of_step(state.step) {
            let problem =
                format!("is of step {}, which its name does not say; give it back its name", state.step);
            return Err(file.damaged(problem));
        }
        check_same(&path, &file.config()?, config)?;
        if state.images != images {
            let problem = format!(
                "was made with {} images, but the data set now has {images}; restore it",
                state.images
            );
            return Err(file.damaged(problem));
        }
        for (prefix, flat) in parts(trainer) {
            for (name, tensor) in trainer.online.layout().views(flat) {
                file.copy(&format!("{prefix}.{name}"), tensor)?;
            }
        }
        trainer.step = state.step;
        trainer.optimiser.updates = state.updates;
        trainer.loss_scale.factor = state.loss_scale;
        trainer.loss_scale.good_steps = state.good_steps;
        trainer.online.batches_tracked().set(state.online_batches_tracked);
        trainer.target.batches_tracked().set(state.target_batches_tracked);
        Ok(Some(path))
    }

    fn of_step(&self, step: u64) -> PathBuf {
        self.folder.join(format!("step-{step:09}.safetensors"))
    }

    fn forget_old(&self) -> Result<(), TrainError> {
        let all = self.list()?;
        for old in &all[..all.len().saturating_sub(KEPT)] {
            fs::remove_file(old).map_err(TrainError::io(old))?;
        }
        Ok(())
    }

    /// The finished checkpoints, oldest first.
    fn list(&self) -> Result<Vec<PathBuf>, TrainError> {
        if !self.folder.exists() {
            return Ok(Vec::new());
        }
        let is_checkpoint = |path: &PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            name.starts_with("step-") && name.ends_with(".safetensors")
        };
        let entries = fs::read_dir(&self.folder).map_err(TrainError::io(&self.folder))?;
        let mut paths: Vec<PathBuf> =
            entries.filter_map(|entry| Some(entry.ok()?.path())).filter(is_checkpoint).collect();
        paths.sort();
        Ok(paths)
    }
}

/// Every flat vector of a trainer, with what its tensors' names start with.
fn parts(trainer: &Trainer) -> Vec<(&'static str, &Tensor)> {
    let networks = [("online", trainer.online.flat()), ("target", trainer.target.flat())];
    networks.into_iter().chain(trainer.optimiser.state()).collect()
}

fn read_state(file: &TensorFile) -> Result<State, TrainError> {
    let state = file.entry("state").ok_or_else(|| file.damaged("is not a checkpoint of mrl"))?;
    serde_json::from_str(state).map_err(|error| file.damaged(format!("has a damaged state: {error}")))
}
