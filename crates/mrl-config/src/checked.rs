use std::path::Path;

use mrl_data::{DatasetKind, SmallViews, Split};
use mrl_embedding::Nesting;

use crate::{
    Config, ConfigError, DeviceChoice, Head, HeadLayers, Objective, Precision, ResolvedConfig, ResolvedData,
    ResolvedModel, ResolvedObjective, ResolvedRun, RunConfig, RunLength, Stem, Supervised, config::MAX_LAYER,
    error::refuse, settings::to_table,
};

/// The widest view: beyond it, one batch fills the memory.
const MAX_IMAGE_SIZE: usize = 4096;

/// The most views of an image.
const MAX_VIEWS: usize = 64;

/// The largest side of a view for which [`Stem::Auto`] is the CIFAR stem.
const LARGEST_CIFAR_VIEW: usize = 64;

/// A configuration whose settings are in range and go together.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckedConfig {
    config: Config,
    nesting: Nesting,
    length: RunLength,
}

/// What the images and the machine decide.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// The side of an image in pixels, where the configuration gives none.
    pub image_size: usize,
    /// The number of classes, where there are classes.
    pub classes: Option<usize>,
    /// The device to compute on; not `auto`.
    pub device: DeviceChoice,
    /// The number format to compute in; not `auto`.
    pub precision: Precision,
}

impl Config {
    /// Checks all that can be checked without the images.
    ///
    /// # Errors
    /// One sentence that names the value and the cure.
    pub fn check(self) -> Result<CheckedConfig, ConfigError> {
        let length = self.run.length()?;
        refuse(self.problem().map(str::to_owned))?;
        self.optimiser.check()?;
        self.data.image_size.map_or(Ok(()), check_image_size)?;
        self.data
            .dataset
            .map_or(Ok(()), |kind| check_split_folder(kind, self.data.split_folder.as_deref()))?;
        check_view_scales(&self.run.view_scales)?;
        self.check_views()?;
        let nesting = self.nesting()?;
        self.check_heads(&nesting)?;
        self.augmentation.validate().map_err(|error| ConfigError::Setting(error.to_string()))?;
        Ok(CheckedConfig { config: self, nesting, length })
    }

    fn problem(&self) -> Option<&'static str> {
        let RunConfig { batch_size, grad_accum, log_every, checkpoint_every, eval_every, .. } = self.run;
        let is_unlabelled = self.data.dataset == Some(DatasetKind::Stl10) && self.split() == Split::Unlabeled;
        let checks = [
            (
                batch_size >= 2,
                "batch-size must be 2 or more: a contrastive loss needs other images to compare with",
            ),
            (grad_accum >= 1, "grad-accum must be 1 or more"),
            (log_every >= 1, "log-every must be 1 or more"),
            (checkpoint_every != Some(0), "checkpoint-every must be 1 or more"),
            (eval_every != Some(0), "eval-every must be 1 or more"),
            (
                self.run.freeze_batch_norm_after != Some(0),
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
                self.data.holdout.is_none() || !is_unlabelled,
                "holdout needs labels, and the split unlabeled of stl10 has none; use --split train or train+unlabeled",
            ),
            (
                self.run.rotate_after.is_none_or(|share| (0.0..1.0).contains(&share)),
                "rotate-after must be a share of the steps of at least 0 and below 1; 0 is no rotation",
            ),
            (
                self.run.nest_after.is_none_or(|share| share > 0.0 && share < 1.0),
                "nest-after must be a share of the steps above 0 and below 1; 0 turns off a preset's nest-after",
            ),
            (
                self.run.nest_after.is_none() || self.model.head != Head::Fixed,
                "nest-after is for heads that train prefixes, and the head fixed trains all dims alone; use nest-after 0, or another head",
            ),
            (self.data.max_megapixels >= 1, "max-megapixels must be 1 or more"),
            (self.data.subset_per_class != Some(0), "subset-per-class must be 1 or more"),
            (self.model.width > 0.0 && self.model.width <= 16.0, "width must be above 0 and at most 16"),
            (
                self.model.embedding_dim.is_none_or(|dim| (1..=MAX_LAYER).contains(&dim)),
                "embedding-dim must be between 1 and 65536; 0 turns off a preset's embedding-dim",
            ),
            ((0.0..=1.0).contains(&self.target.gamma), "gamma must be between 0 and 1"),
            (self.target.update_gamma_every_n_steps >= 1, "update_gamma_every_n_steps must be 1 or more"),
        ];
        checks.into_iter().find(|(holds, _)| !holds).map(|(_, problem)| problem)
    }

    /// Checks how many views of an image there are, and how small the small ones.
    fn check_views(&self) -> Result<(), ConfigError> {
        let RunConfig { views, small_views, small_view_scale: scale, small_crop_scale: crop_scale, .. } =
            self.run;
        let least = if self.objective.loss.needs_labels() { 1 } else { 2 };
        refuse(
            (views < least)
                .then(|| format!("views must be {least} or more for the objective {}", self.objective.loss)),
        )?;
        let all = views.saturating_add(small_views);
        refuse((all > MAX_VIEWS).then(|| {
            format!("views and small-views are {all} together; use at most {MAX_VIEWS}, since all are in memory at once")
        }))?;
        let small = SmallViews { count: small_views, scale, crop_scale };
        small.validate().map_err(|error| ConfigError::Setting(error.to_string()))
    }

    /// Whether objective, heads, prefixes and the part to train on go together.
    fn check_heads(&self, nesting: &Nesting) -> Result<(), ConfigError> {
        let loss = &self.objective.loss;
        refuse(self.objective.problem(nesting.dims().len()))?;
        if !loss.needs_labels() {
            return self.model.projector().map(drop).map_err(ConfigError::Setting);
        }
        refuse(self.model.classifier_problem())?;
        let split = self.split();
        let is_unlabelled = matches!(split, Split::Unlabeled | Split::TrainUnlabeled);
        refuse(is_unlabelled.then(|| {
            format!("the objective {loss} needs labels, which split {split} lacks; use --split train")
        }))
    }
}

impl RunConfig {
    fn length(&self) -> Result<RunLength, ConfigError> {
        let refused = |problem: &str| Err(ConfigError::Setting(problem.to_owned()));
        match (self.epochs, self.max_steps) {
            (Some(0), _) => refused("epochs is 0; use 1 or more, or max-steps 0 for the untrained encoder"),
            (Some(epochs), None) => Ok(RunLength::Epochs(epochs)),
            (None, Some(steps)) => Ok(RunLength::Steps(steps)),
            (Some(_), Some(_)) => refused("epochs and max-steps are both given; choose one"),
            (None, None) => refused("the length of the run is missing; give epochs or max-steps"),
        }
    }
}

fn check_view_scales(scales: &[f64]) -> Result<(), ConfigError> {
    if scales.is_empty() {
        let problem = "view-scales is empty; give parts of the side such as 0.5,0.75,1, or leave it out";
        return refuse(Some(problem.to_owned()));
    }
    let wrong = scales.iter().find(|&&scale| !(scale > 0.0 && scale <= 1.0));
    refuse(wrong.map(|scale| format!("view-scales {scale} must be above 0 and at most 1")))
}

/// Refuses `--split-folder` for a data set that is not a folder of images.
///
/// # Errors
/// One sentence that names the cure.
pub fn check_split_folder(kind: DatasetKind, split_folder: Option<&Path>) -> Result<(), ConfigError> {
    let is_wrong = split_folder.is_some() && kind != DatasetKind::Folder;
    refuse(is_wrong.then(|| "--split-folder is for --dataset folder; leave it out".to_owned()))
}

/// Whether images can be scaled to `size` × `size` pixels.
///
/// # Errors
/// One sentence that names the limits.
pub fn check_image_size(size: usize) -> Result<(), ConfigError> {
    let is_in_range = (1..=MAX_IMAGE_SIZE).contains(&size);
    refuse((!is_in_range).then(|| format!("image-size {size} must be between 1 and {MAX_IMAGE_SIZE}")))
}

impl CheckedConfig {
    /// What was checked.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Replaces every `auto` and all that is open by what `facts` say.
    ///
    /// # Errors
    /// When the objective needs labels and the number of classes is known to nobody, and when a number is too large for a file.
    pub fn resolve(self, facts: &Facts) -> Result<ResolvedConfig, ConfigError> {
        let Self { config, nesting, length } = self;
        let image_size = config.data.image_size.unwrap_or(facts.image_size);
        check_image_size(image_size)?;
        let split = config.split();
        let Config { data, model, objective, optimiser, target, run, augmentation } = config;
        let dim_weights = objective.weights(nesting.dims().len());
        let (loss, layers) = match objective.loss {
            Objective::Supervised(Supervised { classes }) => {
                let missing = || ConfigError::Setting("the number of classes is missing".to_owned());
                let classes = classes.or(facts.classes).ok_or_else(missing)?;
                (
                    Objective::Supervised(Supervised { classes: Some(classes) }),
                    HeadLayers::Classifier { classes },
                )
            }
            loss => (loss, HeadLayers::Projector(model.projector().map_err(ConfigError::Setting)?)),
        };
        let small_views = image_size <= LARGEST_CIFAR_VIEW;
        let resolved = ResolvedConfig {
            data: ResolvedData {
                dataset: data.dataset,
                data_dir: data.data_dir,
                split,
                split_folder: data.split_folder,
                subset_per_class: data.subset_per_class,
                max_corrupt: data.max_corrupt,
                max_megapixels: data.max_megapixels,
                holdout: data.holdout,
                image_size,
            },
            model: ResolvedModel {
                encoder: model.encoder,
                width: model.width,
                stem: match model.stem {
                    Stem::Auto if small_views => Stem::Cifar,
                    Stem::Auto => Stem::Imagenet,
                    chosen => chosen,
                },
                embedding_dim: model.embedding_dim,
                centre: model.centre,
                nesting,
                head: model.head,
                layers,
            },
            objective: ResolvedObjective { loss, dim_weights },
            optimiser,
            target,
            run: ResolvedRun {
                length,
                batch_size: run.batch_size,
                grad_accum: run.grad_accum,
                view_scales: run.view_scales,
                views: run.views,
                small_views: run.small_views,
                small_view_scale: run.small_view_scale,
                small_crop_scale: run.small_crop_scale,
                rotate_after: run.rotate_after,
                nest_after: run.nest_after,
                precision: facts.precision,
                device: facts.device,
                seed: run.seed,
                log_every: run.log_every,
                checkpoint_every: run.checkpoint_every,
                eval_every: run.eval_every,
                fold: run.fold,
                freeze_batch_norm_after: run.freeze_batch_norm_after,
            },
            augmentation,
        };
        to_table(&resolved).map(|_| resolved)
    }
}
