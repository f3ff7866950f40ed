//! The command line of the reference implementation's training script (`run_training.py`, installed as `mrl_train`), on the same code as
//! `mrl train`.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use clap::{Parser, ValueEnum};
use mrl_config::{CheckedConfig, Config, Encoder, Objective, Precision, Relic};
use mrl_data::{DatasetKind, Split};
use mrl_embedding::quoted;

use crate::{UsageError, progress::note};

/// ReLIC with nested projections, under the reference's own options.
///
/// The network is the published one, whose projector is one linear map. The run folder is `-save_model_dir`; unlike the reference's,
/// a run is never overwritten, resuming restores optimiser, target network and step, and batch norm is not frozen after 2,000 steps
/// unless `--freeze_batch_norm_after 2000` is given.
#[derive(Debug, Parser)]
#[command(allow_negative_numbers = true, name = "mrl_train", version, max_term_width = 100)]
pub struct ReferenceArgs {
    /// Path where datasets will be saved.
    #[arg(long = "dataset_path", value_name = "DATASET_PATH", default_value = "./data")]
    dataset_path: PathBuf,
    /// Dataset name.
    #[arg(long = "dataset_name", default_value = "stl10")]
    dataset_name: DatasetName,
    /// Model architecture.
    #[arg(short = 'm', long = "encoder_model_name", default_value = "resnet18")]
    encoder_model_name: EncoderName,
    /// Path where models are saved: the run folder. (Spelt `-save_model_dir` by the reference; both work.)
    #[arg(long = "save_model_dir", value_name = "SAVE_MODEL_DIR", default_value = "./models")]
    save_model_dir: PathBuf,
    /// Number of epochs for training.
    #[arg(long = "num_epochs", default_value_t = 100)]
    num_epochs: u64,
    /// Batch size.
    #[arg(short = 'b', long = "batch_size", default_value_t = 256)]
    batch_size: usize,
    /// Learning rate (also -lr).
    #[arg(long = "learning_rate", alias = "lr", default_value_t = 3e-4)]
    learning_rate: f64,
    /// L2 weight decay (also -wd).
    #[arg(long = "weight_decay", alias = "wd", default_value_t = 1e-5)]
    weight_decay: f64,
    /// Train in bf16 on devices that compute in it.
    #[arg(long = "fp16_precision")]
    fp16_precision: bool,
    /// Projector MLP out dimension.
    #[arg(long = "proj_out_dim", default_value_t = 64)]
    proj_out_dim: usize,
    /// Has no effect, as in the reference, whose projector has no hidden layer.
    #[arg(long = "proj_hidden_dim")]
    proj_hidden_dim: Option<usize>,
    /// Log and save a checkpoint every n steps.
    #[arg(long = "log_every_n_steps", default_value_t = 400)]
    log_every_n_steps: u64,
    /// Initial EMA coefficient.
    #[arg(long = "gamma", default_value_t = 0.995)]
    gamma: f64,
    /// Regularization loss factor.
    #[arg(long = "alpha", default_value_t = 1.0)]
    alpha: f64,
    /// Update EMA gamma after this step.
    #[arg(long = "update_gamma_after_step", default_value_t = 1)]
    update_gamma_after_step: u64,
    /// Update EMA gamma after this many steps.
    #[arg(long = "update_gamma_every_n_steps", default_value_t = 1)]
    update_gamma_every_n_steps: u64,
    /// Freeze the statistics of batch norm after this many steps. The reference has no such option, and does so after its first
    /// evaluation, which comes after 5 times `--log_every_n_steps` [default: never].
    #[arg(long = "freeze_batch_norm_after", value_name = "STEPS")]
    freeze_batch_norm_after: Option<u64>,
    /// Resume the run in this folder (our checkpoints are folders of a run, not .pth files).
    #[arg(long = "ckpt_path", value_name = "RUN_DIR")]
    ckpt_path: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum DatasetName {
    Stl10,
    Cifar10,
    #[value(name = "tiny_imagenet")]
    TinyImagenet,
    Food101,
    Imagenet1k,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum EncoderName {
    Resnet18,
    Resnet50,
}

/// argparse lets long options have one dash: `-lr 0.001` becomes `--lr 0.001`. Values stay as they are.
fn double_dash(arg: OsString) -> OsString {
    const LONG: [&str; 3] = ["-save_model_dir", "-lr", "-wd"];
    match arg.to_str() {
        Some(text) if LONG.contains(&text.split('=').next().unwrap_or_default()) => format!("-{text}").into(),
        _ => arg,
    }
}

impl ReferenceArgs {
    /// Parses the arguments of the process. If they are wrong or ask for help, it prints that and ends the process.
    #[must_use]
    pub fn of_process() -> Self {
        Self::parse_from(std::env::args_os().map(double_dash))
    }

    /// The folder of the run, and whether it is to be resumed.
    ///
    /// # Errors
    /// When the one to resume is not there.
    pub fn run_folder(&self) -> anyhow::Result<(&Path, bool)> {
        match &self.ckpt_path {
            None => Ok((&self.save_model_dir, false)),
            Some(path) if path.is_dir() => Ok((path, true)),
            Some(path) => {
                let problem = format!(
                    "--ckpt_path {}: give the folder of a run, which holds checkpoints/",
                    path.display()
                );
                Err(UsageError(problem).into())
            }
        }
    }

    /// The reference's recipe with the options over it.
    ///
    /// # Errors
    /// When the images are those of a data set that this program does not read, or an option is out of range.
    pub fn config(&self) -> anyhow::Result<CheckedConfig> {
        if self.proj_hidden_dim.is_some() {
            note(
                "warning: --proj_hidden_dim has no effect: the reference computes its projector's hidden layer and does not use it",
            );
        }
        let mut config = Config::preset("reference")?;
        config.data.data_dir = Some(self.dataset_path.clone());
        let (dataset, split) = match self.dataset_name {
            DatasetName::Stl10 => (DatasetKind::Stl10, Split::Unlabeled),
            DatasetName::Cifar10 => (DatasetKind::Cifar10, Split::Train),
            DatasetName::TinyImagenet => return Err(self.as_a_folder("tiny_imagenet", 64)),
            DatasetName::Food101 => return Err(self.as_a_folder("food101", 192)),
            DatasetName::Imagenet1k => return Err(self.as_a_folder("imagenet1k", 192)),
        };
        (config.data.dataset, config.data.split) = (Some(dataset), Some(split));
        config.model.encoder = self.encoder_model_name.encoder();
        config.model.projection_dim = Some(self.proj_out_dim);
        config.objective.loss = Objective::Relic(Relic { alpha: self.alpha });
        config.optimiser.lr = self.learning_rate;
        config.optimiser.weight_decay = self.weight_decay;
        config.target.gamma = self.gamma;
        config.target.update_gamma_after_step = self.update_gamma_after_step;
        config.target.update_gamma_every_n_steps = self.update_gamma_every_n_steps;
        config.run.epochs = Some(self.num_epochs);
        config.run.batch_size = self.batch_size;
        config.run.precision = if self.fp16_precision { Precision::Auto } else { Precision::F32 };
        // The reference's seed.
        config.run.seed = 42;
        config.run.log_every = self.log_every_n_steps;
        config.run.checkpoint_every = Some(self.log_every_n_steps);
        config.run.freeze_batch_norm_after = self.freeze_batch_norm_after;
        Ok(config.check()?)
    }

    /// How to train on a data set that the reference takes from a hub, at the same size of the views.
    fn as_a_folder(&self, name: &str, size: usize) -> anyhow::Error {
        UsageError(format!(
            "--dataset_name {name}: mrl_train reads stl10 and cifar10 alone; download the images into a folder {name} with a subfolder \
             for each class, and run: mrl train --preset reference --dataset folder --data-dir {name} --image-size {size} \
             --stem imagenet --encoder {} --out {}",
            self.encoder_model_name.encoder(),
            quoted(&self.save_model_dir)
        ))
        .into()
    }
}

impl EncoderName {
    fn encoder(self) -> Encoder {
        match self {
            Self::Resnet18 => Encoder::ResNet18,
            Self::Resnet50 => Encoder::ResNet50,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> ReferenceArgs {
        let args = std::iter::once("mrl_train").chain(args.iter().copied());
        ReferenceArgs::try_parse_from(args.map(OsString::from).map(double_dash)).unwrap()
    }

    #[test]
    fn defaults_are_the_references() {
        let config = parse(&[]).config().unwrap();
        let mut expected = Config::preset("reference").unwrap();
        expected.data.data_dir = Some("./data".into());
        (expected.data.dataset, expected.data.split) = (Some(DatasetKind::Stl10), Some(Split::Unlabeled));
        (expected.run.precision, expected.run.seed) = (Precision::F32, 42);
        (expected.run.log_every, expected.run.checkpoint_every) = (400, Some(400));
        assert_eq!(config.config(), &expected);
    }

    #[test]
    fn the_references_spellings_work() {
        let args = parse(&[
            "-m",
            "resnet50",
            "-save_model_dir",
            "here",
            "-lr",
            "0.1",
            "-wd=0.2",
            "-b",
            "8",
            "--dataset_name=cifar10",
            "--fp16_precision",
        ]);
        let config = args.config().unwrap();
        let config = config.config();
        assert_eq!(args.save_model_dir, PathBuf::from("here"));
        assert_eq!(
            (config.optimiser.lr, config.optimiser.weight_decay, config.run.batch_size),
            (0.1, 0.2, 8)
        );
        assert_eq!(
            (config.model.encoder, config.data.dataset),
            (Encoder::ResNet50, Some(DatasetKind::Cifar10))
        );
        assert_eq!(config.run.precision, Precision::Auto);
    }
}
