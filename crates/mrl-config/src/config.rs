use std::path::PathBuf;

use mrl_data::{Augmentations, DatasetKind, Split};
use mrl_embedding::Nesting;
use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, VariantNames};

use crate::{
    ConfigError, DeviceChoice, FoldChoice, Head, ObjectiveConfig, OptimiserConfig, Precision, Settings,
};

/// Everything a training run depends on, as it was asked for. The default is what `mrl train` does without a preset.
///
/// What is `None` or `auto` is decided by the images or the machine, or is off.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
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
    /// How views are made from an image.
    pub augmentation: Augmentations,
}

/// The images to train on.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// The format; a preset may leave it open.
    pub dataset: Option<DatasetKind>,
    /// The folder of the data set.
    pub data_dir: Option<PathBuf>,
    /// The part to train on. Default: `unlabeled` for STL-10 when the objective needs no labels, `train` elsewhere.
    pub split: Option<Split>,
    /// The folder in `data_dir` that is the split, of a folder of images whose folders have other names.
    pub split_folder: Option<PathBuf>,
    /// Only the first so many images of each class.
    pub subset_per_class: Option<usize>,
    /// How many unreadable images of a folder may be skipped.
    pub max_corrupt: usize,
    /// The most million pixels of an image of a folder: a larger one counts as corrupt.
    pub max_megapixels: u32,
    /// The share of each class that is never trained on, to judge the encoder by while it trains.
    pub holdout: Option<f64>,
    /// The side at which images are embedded, and the largest of views, in pixels. Default: that of the data set.
    pub image_size: Option<usize>,
}

/// The encoder and its nested heads.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// The architecture.
    pub encoder: Encoder,
    /// Factor on the number of channels: 1 is torchvision's network.
    pub width: f64,
    /// The first layers.
    pub stem: Stem,
    /// A linear layer after the encoder's features gives embeddings of this width. Default: there is none, and the features are the embedding.
    pub embedding_dim: Option<usize>,
    /// Subtract the mean from the embedding. Training subtracts the mean of the batch; evaluation subtracts a running mean.
    pub centre: bool,
    /// The prefixes that are trained. Default: powers of two from 8 to the width of the embedding.
    pub nesting: Option<Vec<usize>>,
    /// How the prefixes share a projector or a classifier, and which of them are trained.
    pub head: Head,
    /// Hidden units of the widest prefix's projector; 0 for a projector without a hidden layer, which is one linear map without bias, as
    /// the reference was published. An objective that needs labels has a classifier and no projector: it leaves this and the next three out.
    pub head_hidden: Option<usize>,
    /// Whether a shorter prefix has its share of the hidden units, as in the paper's efficient form; else it has all of them.
    pub head_nest_hidden: Option<bool>,
    /// Batch norm between the hidden layer and its `ReLU`, in projectors and predictors; each prefix has its own.
    pub head_batch_norm: Option<bool>,
    /// The projector's output dims.
    pub projection_dim: Option<usize>,
}

/// The architecture of the encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Display, EnumString, VariantNames)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Encoder {
    /// 18 layers, 512 features.
    ResNet18,
    /// 34 layers, 512 features.
    ResNet34,
    /// 50 layers, 2048 features.
    ResNet50,
}

/// The first layers of the encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Display, EnumString, VariantNames)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Stem {
    /// `cifar` for views up to 64 pixels, `imagenet` above.
    Auto,
    /// 3×3 convolution of stride 1, no pooling (SimCLR, arXiv 2002.05709, appendix B.9).
    Cifar,
    /// 7×7 convolution of stride 2 and max-pooling (arXiv 1512.03385).
    Imagenet,
}

/// The target network: a moving average of the online network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetConfig {
    /// The average's decay at the start; it rises to 1 by a cosine.
    pub gamma: f64,
    /// Up to and including this step, counted from 0, the target is a copy of the online network.
    pub update_gamma_after_step: u64,
    /// Average every so many steps.
    pub update_gamma_every_n_steps: u64,
}

/// How long, in which batches, on what.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunConfig {
    /// Passes over the images; this or `max_steps`.
    pub epochs: Option<u64>,
    /// Steps in all; 0 writes the untrained encoder.
    pub max_steps: Option<u64>,
    /// Images that are compared with each other; the epoch's incomplete last batch is dropped.
    pub batch_size: usize,
    /// Batches whose gradients are averaged into one step. More batches make the gradient less noisy. They do not replace a larger batch,
    /// because each image is still compared with the same number of images.
    pub grad_accum: usize,
    /// The sides of the views in equal parts of the run, in parts of `data.image_size`: small ones are trained on faster.
    pub view_scales: Vec<f64>,
    /// Views of each image that have these sides.
    pub views: usize,
    /// Smaller views beside them (multi-crop).
    pub small_views: usize,
    /// The side of the small views, as a share of the side of the others.
    pub small_view_scale: f64,
    /// The share of the image's area that small views are crops of, between these.
    pub small_crop_scale: [f64; 2],
    /// The share of the steps after which the features are rotated to their principal components; 0 for no rotation. Default: that of `nest_after`.
    pub rotate_after: Option<f64>,
    /// The share of the steps that train all dims alone. After it the shorter prefixes are trained too. Default: all prefixes are trained from the
    /// first step on.
    pub nest_after: Option<f64>,
    /// The number format of the activations.
    pub precision: Precision,
    /// `auto`, `cpu`, `cuda:N` or `mps`.
    pub device: DeviceChoice,
    /// Everything random follows from it.
    pub seed: u64,
    /// A line in `metrics.jsonl` every so many steps.
    pub log_every: u64,
    /// Save a checkpoint each time this many steps are done. Default: at the end of an epoch if the last checkpoint is at least a minute old, and within an
    /// epoch if it is ten minutes old.
    pub checkpoint_every: Option<u64>,
    /// Every so many epochs, and at the end, the held-out images look for their nearest neighbours.
    pub eval_every: Option<u64>,
    /// The rotation that is folded into the encoders at the end, if it helps on images that it was not fitted to.
    pub fold: FoldChoice,
    /// From this step on, batch norm of both networks uses its running statistics and no longer updates them.
    /// Default: never.
    pub freeze_batch_norm_after: Option<u64>,
}

/// The widest layer of a head.
pub const MAX_LAYER: usize = 1 << 16;

impl Default for Config {
    fn default() -> Self {
        Settings::default().config().expect("the default preset is whole")
    }
}

impl Config {
    /// The recipe of a preset: a name, or a file.
    ///
    /// # Errors
    /// When there is no such preset, or it has settings that there are not. Ranges are for [`Config::check`] to refuse.
    pub fn preset(name: &str) -> Result<Self, ConfigError> {
        Settings::preset(name)?.config()
    }

    /// The split to train on.
    #[must_use]
    pub fn split(&self) -> Split {
        let stl10 = self.data.dataset == Some(DatasetKind::Stl10);
        let natural =
            if stl10 && !self.objective.loss.needs_labels() { Split::Unlabeled } else { Split::Train };
        self.data.split.unwrap_or(natural)
    }

    /// The nesting dims, checked against the width of the embedding: that alone for [`Head::Fixed`].
    ///
    /// # Errors
    /// When they do not fit.
    pub(crate) fn nesting(&self) -> Result<Nesting, ConfigError> {
        let width = self.model.embedding_width();
        let nesting = match &self.model.nesting {
            Some(dims) => Nesting::new(dims.clone(), width)?,
            None if self.model.head == Head::Fixed => Nesting::new([width], width)?,
            None => Nesting::powers_of_two(width)?,
        };
        if self.model.head == Head::Fixed && nesting.dims().len() > 1 {
            let problem = format!(
                "the head fixed trains the whole width alone; use nesting {width}, or choose another head"
            );
            return Err(ConfigError::Setting(problem));
        }
        Ok(nesting)
    }
}

impl ModelConfig {
    /// The width of an embedding.
    #[must_use]
    pub fn embedding_width(&self) -> usize {
        self.embedding_dim.unwrap_or_else(|| self.encoder.features(self.width))
    }
}

impl Encoder {
    /// Channels of the first stage at the factor `width`: 64 times it, in steps of 8, which vector units like.
    #[must_use]
    pub fn base_channels(width: f64) -> usize {
        ((64.0 * width / 8.0).round() as usize).max(1).saturating_mul(8)
    }

    /// The output width at the factor `width`.
    #[must_use]
    pub fn features(self, width: f64) -> usize {
        Self::base_channels(width).saturating_mul(8 * self.expansion())
    }

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
