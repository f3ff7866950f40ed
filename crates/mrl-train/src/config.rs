mod head;
mod objective;
mod optimiser;

use std::path::PathBuf;

use mrl_data::{Augmentations, DatasetKind, Split};
use mrl_embedding::Nesting;
use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, VariantNames};

pub use head::Head;
pub use objective::{BarlowTwins, Byol, Objective, ObjectiveConfig, Relic, SimClr, Supervised, VicReg};

use crate::{FoldChoice, TrainError};

/// Everything a training run depends on. `config.toml` of a run folder and the presets are this, as TOML.
///
/// What is left out of a file has the default here: the reference's recipe, but for seed, precision, device and
/// [`head_hidden`](ModelConfig::head_hidden).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The images.
    pub data: DataConfig,
    /// The encoder and its nested heads.
    pub model: ModelConfig,
    /// The loss.
    pub objective: ObjectiveConfig,
    /// The optimiser and its learning rate.
    pub optimiser: OptimiserConfig,
    /// The target network.
    pub target: TargetConfig,
    /// How long, in which batches, on what.
    pub run: RunConfig,
    /// How the two views are made from an image. (Older runs call the section `views`.)
    #[serde(alias = "views")]
    pub augmentation: Augmentations,
}

/// The images to train on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DataConfig {
    /// The format; a preset may leave it open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dataset: Option<DatasetKind>,
    /// The folder of the data set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_dir: Option<PathBuf>,
    /// The part to train on. Default: `unlabeled` for STL-10 when the objective needs no labels, `train` elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split: Option<Split>,
    /// Only the first so many images of each class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subset_per_class: Option<usize>,
    /// How many unreadable images of a folder may be skipped.
    pub max_corrupt: usize,
    /// The share of each class that is never trained on, to judge the encoder by while it trains.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holdout: Option<f64>,
    /// The side at which images are embedded, and the largest of views, in pixels. Default: that of the data set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_size: Option<usize>,
}

/// The encoder and its nested heads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelConfig {
    /// The architecture.
    pub encoder: Encoder,
    /// Factor on the number of channels: 1 is torchvision's network.
    pub width: f64,
    /// The first layers.
    pub stem: Stem,
    /// The prefixes that are trained. Default: powers of two from 8 to the encoder's width.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nesting: Option<Vec<usize>>,
    /// How the prefixes share a projector or a classifier, and which of them are trained.
    pub head: Head,
    /// Hidden units of the widest prefix's projector; 0 for a projector without a hidden layer, which is one linear map without bias, as
    /// the reference was published. Default: the encoder's width.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head_hidden: Option<usize>,
    /// Whether a shorter prefix has its share of the hidden units, as in the paper's efficient form; else it has all of them.
    pub head_nest_hidden: bool,
    /// Batch norm between the hidden layer and its `ReLU`, in projectors and predictors; each prefix has its own.
    pub head_batch_norm: bool,
    /// The projector's output dims. Default: 64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub projection_dim: Option<usize>,
}

/// The architecture of the encoder.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Display, EnumString, VariantNames,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Encoder {
    /// 18 layers, 512 features.
    #[default]
    #[serde(rename = "resnet18")]
    #[strum(serialize = "resnet18")]
    ResNet18,
    /// 34 layers, 512 features.
    #[serde(rename = "resnet34")]
    #[strum(serialize = "resnet34")]
    ResNet34,
    /// 50 layers, 2048 features.
    #[serde(rename = "resnet50")]
    #[strum(serialize = "resnet50")]
    ResNet50,
}

/// The first layers of the encoder.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Display, EnumString, VariantNames,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Stem {
    /// `cifar` for views up to 64 pixels, `imagenet` above.
    #[default]
    Auto,
    /// 3×3 convolution of stride 1, no pooling (SimCLR, arXiv 2002.05709, appendix B.9).
    Cifar,
    /// 7×7 convolution of stride 2 and max-pooling (arXiv 1512.03385).
    Imagenet,
}

/// The target network: a moving average of the online network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TargetConfig {
    /// The average's decay at the start; it rises to 1 by a cosine.
    pub gamma: f64,
    /// Up to and including this step, counted from 0, the target is a copy of the online network.
    pub update_gamma_after_step: u64,
    /// Average every so many steps.
    pub update_gamma_every_n_steps: u64,
}

/// How long, in which batches, on what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RunConfig {
    /// Passes over the images. Default, when there is no `max_steps` either: 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epochs: Option<u64>,
    /// Steps in all; 0 writes the untrained encoder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_steps: Option<u64>,
    /// Images that are told apart from each other; the epoch's incomplete last batch is dropped.
    pub batch_size: usize,
    /// Batches whose gradients make one step. The loss compares the images of a batch alone, so that more of them make the
    /// gradient steadier, and not what a larger batch would make of it: the images to compare with stay as few.
    pub grad_accum: usize,
    /// The sides of the views in equal parts of the run, in parts of `data.image_size`, which is the side of all of them by default:
    /// small ones are trained on faster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub view_scales: Option<Vec<f64>>,
    /// The number format of the activations.
    pub precision: Precision,
    /// `auto`, `cpu`, `cuda:N` or `mps`.
    pub device: DeviceChoice,
    /// Everything random follows from it.
    pub seed: u64,
    /// A line in `metrics.jsonl` every so many steps.
    pub log_every: u64,
    /// A checkpoint every so many steps. Default: behind an epoch, once a minute at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint_every: Option<u64>,
    /// Every so many epochs, and at the end, the held-out images look for their nearest neighbours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eval_every: Option<u64>,
    /// The rotation that is folded into the encoders at the end, where images that it was not fitted to say that it helps.
    pub fold: FoldChoice,
    /// From this step on, batch norm of both networks uses its running statistics and no longer updates them.
    /// Default: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub freeze_batch_norm_after: Option<u64>,
}

/// The number format of the activations; weights, statistics and loss are always f32.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Display, EnumString, VariantNames,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Precision {
    /// `bf16` where the processor computes in it, `f32` elsewhere.
    #[default]
    Auto,
    /// 32 bits.
    F32,
    /// 16 bits with the range of f32.
    Bf16,
    /// IEEE half precision, with dynamic loss scaling.
    F16,
}

pub use crate::device::DeviceChoice;
pub use optimiser::{OptimiserConfig, OptimiserKind, Schedule};

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            encoder: Encoder::default(),
            width: 1.0,
            stem: Stem::default(),
            nesting: None,
            head: Head::default(),
            head_hidden: None,
            head_nest_hidden: true,
            head_batch_norm: false,
            projection_dim: None,
        }
    }
}

impl Default for TargetConfig {
    fn default() -> Self {
        Self { gamma: 0.995, update_gamma_after_step: 1, update_gamma_every_n_steps: 1 }
    }
}

impl Default for RunConfig {
    fn default() -> Self {
        Self {
            epochs: None,
            max_steps: None,
            batch_size: 256,
            grad_accum: 1,
            view_scales: None,
            precision: Precision::default(),
            device: DeviceChoice::default(),
            seed: 0,
            log_every: 10,
            checkpoint_every: None,
            eval_every: None,
            fold: FoldChoice::None,
            freeze_batch_norm_after: None,
        }
    }
}

/// The widest view: beyond it, one batch fills the memory.
const MAX_IMAGE_SIZE: usize = 4096;

/// The widest layer of a head.
pub(crate) const MAX_LAYER: usize = 1 << 16;

impl Config {
    /// Checks what can be checked without the images.
    ///
    /// # Errors
    /// One sentence that names the value and the cure.
    pub fn validate(&self) -> Result<(), TrainError> {
        let RunConfig {
            epochs,
            max_steps,
            batch_size,
            grad_accum,
            log_every,
            checkpoint_every,
            eval_every,
            freeze_batch_norm_after,
            ..
        } = self.run;
        let checks = [
            (epochs.is_none() || max_steps.is_none(), "epochs and max-steps are both given; choose one"),
            (epochs != Some(0), "epochs is 0; use 1 or more, or max-steps 0 for the untrained encoder"),
            (
                batch_size >= 2,
                "batch-size must be 2 or more: a contrastive loss needs other images to compare with",
            ),
            (grad_accum >= 1, "grad-accum must be 1 or more"),
            (log_every >= 1, "log-every must be 1 or more"),
            (checkpoint_every != Some(0), "checkpoint-every must be 1 or more"),
            (eval_every != Some(0), "eval-every must be 1 or more"),
            (
                freeze_batch_norm_after != Some(0),
                "freeze-batch-norm-after must be 1 or more: before the first step batch norm has no statistics to freeze",
            ),
            (
                eval_every.is_none() || self.data.holdout.is_some(),
                "eval-every needs images that are not trained on; hold some out, e.g. with --holdout 0.1",
            ),
            (
                self.data.holdout.is_none_or(|share| share > 0.0 && share < 1.0),
                "holdout must be a share above 0 and below 1",
            ),
            (
                // Known before 2.6 GB are downloaded for nothing.
                self.data.holdout.is_none() || !self.is_unlabelled(),
                "holdout needs labels, and the split unlabeled of stl10 has none; use --split train or train+unlabeled",
            ),
            (self.data.subset_per_class != Some(0), "subset-per-class must be 1 or more"),
            (self.model.width > 0.0 && self.model.width <= 16.0, "width must be above 0 and at most 16"),
            ((0.0..=1.0).contains(&self.target.gamma), "gamma must be between 0 and 1"),
            (self.target.update_gamma_every_n_steps >= 1, "update_gamma_every_n_steps must be 1 or more"),
        ];
        if let Some((_, problem)) = checks.iter().find(|(holds, _)| !holds) {
            return Err(TrainError::Config((*problem).to_owned()));
        }
        if toml::Table::try_from(self).is_err() {
            return Err(TrainError::Config(format!("a number is too large; use at most {}", i64::MAX)));
        }
        self.optimiser.validate()?;
        self.data.image_size.map_or(Ok(()), check_image_size)?;
        self.run.check_view_scales()?;
        self.check_objective()?;
        self.augmentation.validate().map_err(|error| TrainError::Config(error.to_string()))
    }

    /// Whether objective, heads, prefixes and the part to train on go together.
    fn check_objective(&self) -> Result<(), TrainError> {
        let needs_labels = self.objective.loss.needs_labels();
        let dims = self.nesting()?.dims().len();
        let problem = self.model.head_problem(needs_labels).or_else(|| self.objective.problem(dims));
        let unlabelled = matches!(self.split(), Split::Unlabeled | Split::TrainUnlabeled);
        let problem = problem.or_else(|| {
            (needs_labels && unlabelled).then(|| {
                format!(
                    "the objective {} needs labels, which split {} lacks; use --split train",
                    self.objective.loss,
                    self.split()
                )
            })
        });
        problem.map_or(Ok(()), |problem| Err(TrainError::Config(problem)))
    }

    /// The nesting dims, checked against the encoder's width: that alone for [`Head::Fixed`].
    ///
    /// # Errors
    /// When they do not fit.
    pub fn nesting(&self) -> Result<Nesting, TrainError> {
        let width = self.model.features();
        let nesting = match &self.model.nesting {
            Some(dims) => Nesting::new(dims.clone(), width)?,
            None if self.model.head == Head::Fixed => Nesting::new([width], width)?,
            None => Nesting::powers_of_two(width)?,
        };
        if self.model.head == Head::Fixed && nesting.dims().len() > 1 {
            let problem = format!(
                "the head fixed trains the whole width alone; use nesting {width}, or choose another head"
            );
            return Err(TrainError::Config(problem));
        }
        Ok(nesting)
    }

    /// The split to train on.
    #[must_use]
    pub fn split(&self) -> Split {
        let stl10 = self.data.dataset == Some(DatasetKind::Stl10);
        let natural =
            if stl10 && !self.objective.loss.needs_labels() { Split::Unlabeled } else { Split::Train };
        self.data.split.unwrap_or(natural)
    }

    /// Whether the images are known to have no labels.
    fn is_unlabelled(&self) -> bool {
        self.data.dataset == Some(DatasetKind::Stl10) && self.split() == Split::Unlabeled
    }

    /// The file's form.
    ///
    /// # Panics
    /// Never for what [`Config::validate`] accepts.
    #[must_use]
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a valid configuration is plain TOML")
    }
}

impl RunConfig {
    fn check_view_scales(&self) -> Result<(), TrainError> {
        let Some(scales) = &self.view_scales else { return Ok(()) };
        if scales.is_empty() {
            let problem = "view-scales is empty; give parts of the side such as 0.5,0.75,1, or leave it out";
            return Err(TrainError::Config(problem.to_owned()));
        }
        match scales.iter().find(|&&scale| !(scale > 0.0 && scale <= 1.0)) {
            Some(scale) => {
                Err(TrainError::Config(format!("view-scales {scale} must be above 0 and at most 1")))
            }
            None => Ok(()),
        }
    }
}

/// Whether images can be scaled to `size` × `size` pixels.
///
/// # Errors
/// One sentence that names the limits.
pub(crate) fn check_image_size(size: usize) -> Result<(), TrainError> {
    if (1..=MAX_IMAGE_SIZE).contains(&size) {
        return Ok(());
    }
    Err(TrainError::Config(format!("image-size {size} must be between 1 and {MAX_IMAGE_SIZE}")))
}

impl ModelConfig {
    /// Channels of the first stage: 64 times the width, in steps of 8, which vector units like.
    #[must_use]
    pub fn base_channels(&self) -> usize {
        ((64.0 * self.width / 8.0).round() as usize).max(1) * 8
    }

    /// The encoder's output width.
    #[must_use]
    pub fn features(&self) -> usize {
        self.base_channels() * 8 * self.encoder.expansion()
    }

    /// A short name for reports, e.g. `resnet18 x0.25, cifar stem`.
    #[must_use]
    pub fn describe(&self) -> String {
        let factor =
            if (self.width - 1.0).abs() < f64::EPSILON { String::new() } else { format!(" x{}", self.width) };
        format!("{}{factor}, {} stem", self.encoder, self.stem)
    }
}

impl Encoder {
    /// The number of blocks in each stage.
    #[must_use]
    pub fn blocks(self) -> [usize; 4] {
        match self {
            Self::ResNet18 => [2, 2, 2, 2],
            Self::ResNet34 | Self::ResNet50 => [3, 4, 6, 3],
        }
    }

    /// How many times wider than its inner channels a block's output is.
    #[must_use]
    pub fn expansion(self) -> usize {
        if self == Self::ResNet50 { 4 } else { 1 }
    }
}
