//! `mrl train`.

use std::path::PathBuf;

use clap::{Args, builder::PossibleValuesParser};
use mrl_config::{
    DeviceChoice, Encoder, FoldChoice, Head, Objective, Precision, Rule, Schedule, Stem, VicReg,
};
use mrl_data::{AugmentationPreset, DatasetKind, Split};
use serde::Serialize;
use strum::VariantNames;

use super::choice;

/// `mrl train`.
#[derive(Clone, Debug, Default, Args)]
#[command(allow_negative_numbers = true)]
pub struct TrainArgs {
    /// Start from a preset: a name (demo, reference, reference-cifar10-resnet18, …) or a file.toml; other options override it
    /// [default: default, whose values are the defaults below]
    #[arg(long, value_name = "NAME|FILE.toml")]
    pub preset: Option<String>,
    /// The folder of the run; it must be new or empty, unless --resume is given, and lie outside of the folder of the images
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Continue the run in --out from its last checkpoint, on the same images; begin it where --out is new or empty
    #[arg(long)]
    pub resume: bool,
    /// Where the decoded pixels of a folder are kept, so that later epochs and runs need not decode
    /// [default: mrl/pixels in the user's cache folder]
    #[arg(long, value_name = "DIR")]
    pub pixel_cache: Option<PathBuf>,
    /// Decode the images of a folder every time, and keep no pixels on the disk; the views are the same
    #[arg(long, conflicts_with = "pixel_cache")]
    pub no_pixel_cache: bool,
    /// Write the phases of each step as a trace that Perfetto and Chrome show
    #[arg(long, value_name = "FILE.json")]
    pub profile: Option<PathBuf>,
    /// Replace the file of --profile even if it is not a profile that mrl wrote. A run is never replaced
    #[arg(long, requires = "profile")]
    pub force: bool,
    /// The settings that override the preset's.
    #[command(flatten)]
    pub sections: Sections,
}

/// The settings that were typed, by section. A field has the name of its key in a preset, or says which that is.
#[derive(Clone, Debug, Default, Args, Serialize)]
pub struct Sections {
    /// The images.
    #[command(flatten)]
    pub data: DataArgs,
    /// The encoder and its heads.
    #[command(flatten)]
    pub model: ModelArgs,
    /// The loss and its parameters.
    #[command(flatten)]
    pub objective: ObjectiveArgs,
    /// How long, in which batches, on what.
    #[command(flatten)]
    pub run: RunArgs,
    /// How gradients change weights, and how fast.
    #[command(flatten)]
    pub optimiser: OptimiserArgs,
    /// How views are made.
    #[command(flatten)]
    pub augmentation: AugmentationArgs,
}

/// The images to train on.
#[derive(Clone, Debug, Default, Args, Serialize)]
#[command(next_help_heading = "Images")]
pub struct DataArgs {
    /// The format of the images
    #[arg(long, value_parser = choice::<DatasetKind>())]
    pub dataset: Option<DatasetKind>,
    /// The folder of the images; CIFAR and STL-10 are downloaded there when they are missing
    #[arg(long, value_name = "PATH")]
    pub data_dir: Option<PathBuf>,
    /// The part to train on [default: unlabeled for stl10 unless the objective needs labels, train elsewhere]
    #[arg(long, value_parser = choice::<Split>())]
    pub split: Option<Split>,
    /// For --dataset folder: the folder of the split, relative to --data-dir, if its name is not that of a split; `.` takes all of --data-dir
    #[arg(long, value_name = "NAME")]
    pub split_folder: Option<PathBuf>,
    /// Only the first N images of each class
    #[arg(long, value_name = "N")]
    pub subset_per_class: Option<usize>,
    /// Skip up to N corrupt images of a folder
    #[arg(long, value_name = "N")]
    pub max_corrupt: Option<usize>,
    /// Treat images of a folder with more than N million pixels as corrupt. The limit keeps a small file from filling the memory
    #[arg(long, value_name = "N")]
    pub max_megapixels: Option<u32>,
    /// Hold out this share of each class from training. The held-out images are the same for every seed. Use 0 to turn off a preset's
    /// holdout
    #[arg(long, value_name = "SHARE")]
    pub holdout: Option<f64>,
    /// The side in pixels of embedded images and of the largest training views [default: the side of the images; of a folder,
    /// 224 if sides differ or are above 224]
    #[arg(long, value_name = "N")]
    pub image_size: Option<usize>,
}

/// The encoder and its nested heads.
#[derive(Clone, Debug, Default, Args, Serialize)]
#[command(next_help_heading = "Model")]
pub struct ModelArgs {
    /// The architecture
    #[arg(long, value_parser = choice::<Encoder>())]
    pub encoder: Option<Encoder>,
    /// Factor on the number of channels
    #[arg(long, value_name = "FACTOR")]
    pub width: Option<f64>,
    /// The first layers; auto is cifar for views up to 64 pixels, imagenet above
    #[arg(long, value_parser = choice::<Stem>())]
    pub stem: Option<Stem>,
    /// Add a linear layer after the encoder's features, which makes embeddings of N dims. Use 0 to turn off a preset's layer
    /// [default: 0, the features are the embedding]
    #[arg(long, value_name = "N")]
    pub embedding_dim: Option<usize>,
    /// Subtract the mean from the embedding
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub centre: Option<bool>,
    /// The prefixes to train [default: powers of two from 8 to the width of the embedding]
    #[arg(long, value_name = "8,16,…", value_delimiter = ',')]
    pub nesting: Option<Vec<usize>>,
    /// One projector for all prefixes (mrl-e), one for each (mrl), the whole width alone (fixed), or one prefix drawn for
    /// each step (random-prefix)
    #[arg(long, value_parser = choice::<Head>())]
    pub head: Option<Head>,
    /// Hidden units of the widest prefix's projector; 0: no hidden layer, one linear map as in the reference
    #[arg(long, value_name = "N")]
    pub head_hidden: Option<usize>,
    /// Give a shorter prefix only its share of the hidden units; otherwise it uses all of them
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub head_nest_hidden: Option<bool>,
    /// Batch norm in projectors and predictors
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub head_batch_norm: Option<bool>,
    /// Dims of a projection
    #[arg(long, value_name = "N")]
    pub projection_dim: Option<usize>,
}

/// The loss and its parameters.
#[derive(Clone, Debug, Default, Args, Serialize)]
#[command(next_help_heading = "Objective")]
pub struct ObjectiveArgs {
    /// The loss, nested over the prefixes; supervised needs labels, the others look at none
    #[arg(long = "objective", id = "objective", value_name = "OBJECTIVE", value_parser = PossibleValuesParser::new(Objective::VARIANTS))]
    pub name: Option<String>,
    /// The weight of each prefix's loss in the sum [default: 1 for each]
    #[arg(long, value_name = "1,2,…", value_delimiter = ',')]
    pub dim_weights: Option<Vec<f64>>,
    /// For relic: weight of the invariance term
    #[arg(long, value_name = "WEIGHT")]
    pub alpha: Option<f64>,
    /// For simclr: what cosines are divided by
    #[arg(long, value_name = "T")]
    pub temperature: Option<f64>,
    /// For simclr: exclude the positive pair from the denominator (decoupled contrastive loss)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub decoupled: Option<bool>,
    /// For byol: hidden units of the predictor
    #[arg(long, value_name = "N")]
    pub predictor_hidden: Option<usize>,
    /// For vicreg: the weights of invariance, variance and covariance
    #[arg(long, value_name = "I,V,C", value_parser = vicreg_weights)]
    #[serde(flatten)]
    pub vicreg_weights: Option<VicReg>,
    /// For barlow-twins: weight of the correlations between different dimensions
    #[arg(long, value_name = "WEIGHT")]
    pub lambda: Option<f64>,
}

/// How long, in which batches, on what.
#[derive(Clone, Debug, Default, Args, Serialize)]
#[command(next_help_heading = "Run")]
pub struct RunArgs {
    /// Passes over the images
    #[arg(long, value_name = "N", conflicts_with = "max_steps")]
    pub epochs: Option<u64>,
    /// Steps in all; 0 writes the untrained encoder
    #[arg(long, value_name = "N")]
    pub max_steps: Option<u64>,
    /// Images that the loss compares with each other
    #[arg(long, value_name = "N")]
    pub batch_size: Option<usize>,
    /// Batches whose gradients are averaged into one step. The loss compares only images of the same batch, so this does not have the effect
    /// of a larger batch
    #[arg(long, value_name = "N")]
    pub grad_accum: Option<usize>,
    /// The side of the views as a share of --image-size, one value for each equal part of the run. Training on small views is faster
    #[arg(long, value_name = "0.5,…,1", value_delimiter = ',')]
    pub view_scales: Option<Vec<f64>>,
    /// Views of each image. The objective compares each view with the others
    #[arg(long, value_name = "N")]
    pub views: Option<usize>,
    /// Smaller views of each image beside them (multi-crop), each compared with the views of --views
    #[arg(long, value_name = "N")]
    pub small_views: Option<usize>,
    /// The side of the small views as a share of the side of the others
    #[arg(long, value_name = "SHARE")]
    pub small_view_scale: Option<f64>,
    /// The least and the largest share of the image's area that a small view shows
    #[arg(long, value_name = "LOW,HIGH", value_parser = two_shares)]
    pub small_crop_scale: Option<[f64; 2]>,
    /// After this share of the steps, rotate the features to their principal components, and train on. Use 0 for no rotation. With
    /// --nest-after alone, its share is used
    #[arg(long, value_name = "SHARE")]
    pub rotate_after: Option<f64>,
    /// Train all dims alone for this share of the steps, and the shorter prefixes too only after it. Use 0 to train all prefixes from the first step
    /// on [default: 0]
    #[arg(long, value_name = "SHARE")]
    pub nest_after: Option<f64>,
    /// The number format of the activations; auto is bf16 where the device computes in it
    #[arg(long, value_parser = choice::<Precision>())]
    pub precision: Option<Precision>,
    /// auto, cpu, cuda:N or mps
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<DeviceChoice>,
    /// Everything random follows from it
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// A line in metrics.jsonl every N steps
    #[arg(long, value_name = "N")]
    pub log_every: Option<u64>,
    /// Save a checkpoint every N steps [default: at the end of an epoch if the last checkpoint is at least a minute old, and within an epoch if
    /// it is ten minutes old]
    #[arg(long, value_name = "N")]
    pub checkpoint_every: Option<u64>,
    /// After N steps, batch norm of both networks uses its running statistics, which no longer change. The reference's script does so
    /// from its first evaluation on, after 2,000 steps [default: never]
    #[arg(long, value_name = "N")]
    pub freeze_batch_norm_after: Option<u64>,
    /// Every N epochs, and at the end, show the 1-NN accuracy of the images of --holdout, for both networks and each trained dim: by
    /// prefixes, and by as many centred principal components
    #[arg(long, value_name = "N")]
    pub eval_every: Option<u64>,
    /// The rotation to fold into the encoders at the end of the run. It is folded only if prefixes find more of the nearest neighbours with
    /// it, measured on images that the fit did not see
    #[arg(long, value_parser = choice::<FoldChoice>())]
    pub fold: Option<FoldChoice>,
}

/// How gradients change weights, and how fast.
#[derive(Clone, Debug, Default, Args, Serialize)]
#[command(next_help_heading = "Optimiser")]
pub struct OptimiserArgs {
    /// The rule by which gradients change weights. If it differs from the preset's, give --lr and --weight-decay; between adam and adamw,
    /// only --weight-decay
    #[arg(long = "optimiser", id = "optimiser", value_name = "OPTIMISER", value_parser = PossibleValuesParser::new(Rule::VARIANTS))]
    pub kind: Option<String>,
    /// The learning rate, at its highest
    #[arg(long, value_name = "RATE")]
    pub lr: Option<f64>,
    /// Weight decay. For adamw it is decoupled from the gradient. For the other optimisers it is an L2 term added to the gradient
    #[arg(long, value_name = "FACTOR")]
    pub weight_decay: Option<f64>,
    /// Apply weight decay also to the scales and biases of norms, to other biases and to the temperature
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub decay_norms_and_biases: Option<bool>,
    /// For sgd and lars: momentum
    #[arg(long, value_name = "SHARE")]
    pub momentum: Option<f64>,
    /// For sgd and lars: look one step of momentum ahead
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub nesterov: Option<bool>,
    /// For lars: the size of a step relative to the tensor's norm, at a learning rate of 1
    #[arg(long, value_name = "SHARE")]
    pub trust_coefficient: Option<f64>,
    /// The learning rate over time
    #[arg(long, value_parser = choice::<Schedule>())]
    pub schedule: Option<Schedule>,
    /// Where a cosine ends
    #[arg(long, value_name = "RATE")]
    pub min_lr: Option<f64>,
    /// The learning rate rises in a line for N epochs, which may be a fraction, before its schedule begins
    #[arg(long, value_name = "N", conflicts_with = "warmup_steps")]
    pub warmup_epochs: Option<f64>,
    /// The same, in steps
    #[arg(long, value_name = "N")]
    pub warmup_steps: Option<u64>,
    /// The same, as a share of the run
    #[arg(long, value_name = "SHARE", conflicts_with_all = ["warmup_steps", "warmup_epochs"])]
    pub warmup_share: Option<f64>,
}

/// How the views of an image are made.
#[derive(Clone, Debug, Default, Args, Serialize)]
#[command(next_help_heading = "Views")]
pub struct AugmentationArgs {
    /// How the views of an image are drawn. It replaces the preset's whole augmentation section; a preset file can also change single
    /// settings of it
    #[arg(long = "augmentation", id = "augmentation", value_name = "AUGMENTATION", value_parser = choice::<AugmentationPreset>())]
    pub preset: Option<AugmentationPreset>,
}

fn two_shares(text: &str) -> Result<[f64; 2], String> {
    let shares: Result<Vec<f64>, _> = text.split(',').map(str::parse).collect();
    let shares = shares.map_err(|error| format!("{error}; give two shares, as 0.05,0.3"))?;
    let count = shares.len();
    let numbers = if count == 1 { "number" } else { "numbers" };
    shares.try_into().map_err(|_| format!("it has {count} {numbers}; give two, as 0.05,0.3"))
}

fn vicreg_weights(text: &str) -> Result<VicReg, String> {
    let weights: Result<Vec<f64>, _> = text.split(',').map(str::parse).collect();
    match weights.as_deref() {
        Ok([invariance, variance, covariance]) => {
            Ok(VicReg { invariance: *invariance, variance: *variance, covariance: *covariance })
        }
        Ok(other) => Err(format!("it has {} numbers; give three, as 25,25,1", other.len())),
        Err(error) => Err(format!("{error}; give three numbers, as 25,25,1")),
    }
}
