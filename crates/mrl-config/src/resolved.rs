use std::path::PathBuf;

use mrl_data::{Augmentations, DatasetKind, SmallViews, Split};
use mrl_embedding::Nesting;
use serde::{Serialize, Serializer};

use crate::{
    DeviceChoice, Encoder, FoldChoice, Head, Objective, OptimiserConfig, Precision, ProjectorConfig, Stem,
    TargetConfig, stored::HEADER,
};

/// What a run is: every setting has a value, and none is `auto`. `config.toml` of a run folder is this, as TOML.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ResolvedConfig {
    /// The images.
    pub data: ResolvedData,
    /// The encoder and its nested heads.
    pub model: ResolvedModel,
    /// The loss.
    pub objective: ResolvedObjective,
    /// The optimiser and its learning rate.
    pub optimiser: OptimiserConfig,
    /// The target network.
    pub target: TargetConfig,
    /// How long, in which batches, on what.
    pub run: ResolvedRun,
    /// How views are made from an image.
    pub augmentation: Augmentations,
}

/// The images to train on. A library's user may have images of no format and folder.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the settings are those of DataConfig")]
pub struct ResolvedData {
    pub dataset: Option<DatasetKind>,
    pub data_dir: Option<PathBuf>,
    pub split: Split,
    pub split_folder: Option<PathBuf>,
    pub subset_per_class: Option<usize>,
    pub max_corrupt: usize,
    pub max_megapixels: u32,
    pub holdout: Option<f64>,
    pub image_size: usize,
}

/// The encoder and its nested heads.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ResolvedModel {
    /// The architecture.
    pub encoder: Encoder,
    /// Factor on the number of channels.
    pub width: f64,
    /// The first layers; never [`Stem::Auto`].
    pub stem: Stem,
    /// The width of the embedding, where a linear layer after the encoder's features makes it.
    pub embedding_dim: Option<usize>,
    /// Subtract the mean from the embedding.
    pub centre: bool,
    /// The prefixes that are trained.
    #[serde(serialize_with = "as_dims")]
    pub nesting: Nesting,
    /// How the prefixes share a projector or a classifier.
    pub head: Head,
    /// The projector or the classifier.
    #[serde(flatten)]
    pub layers: HeadLayers,
}

/// What the loss sees features through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum HeadLayers {
    /// Without labels.
    Projector(ProjectorConfig),
    /// With labels: one linear layer.
    Classifier {
        /// Its outputs, which a file has in the section `objective`.
        #[serde(skip)]
        classes: usize,
    },
}

/// The loss, and the weight of each prefix.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ResolvedObjective {
    /// The loss; where it needs labels, with the number of classes.
    #[serde(flatten)]
    pub loss: Objective,
    /// The weight of each nesting dim's loss in the sum.
    pub dim_weights: Vec<f64>,
}

/// How long, in which batches, on what.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the settings are those of RunConfig")]
pub struct ResolvedRun {
    /// Epochs or steps.
    #[serde(flatten)]
    pub length: RunLength,
    pub batch_size: usize,
    pub grad_accum: usize,
    pub view_scales: Vec<f64>,
    pub views: usize,
    pub small_views: usize,
    pub small_view_scale: f64,
    pub small_crop_scale: [f64; 2],
    pub rotate_after: Option<f64>,
    pub nest_after: Option<f64>,
    pub precision: Precision,
    pub device: DeviceChoice,
    pub seed: u64,
    pub log_every: u64,
    pub checkpoint_every: Option<u64>,
    pub eval_every: Option<u64>,
    pub fold: FoldChoice,
    pub freeze_batch_norm_after: Option<u64>,
}

/// How long a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum RunLength {
    /// Passes over the images.
    #[serde(rename = "epochs")]
    Epochs(u64),
    /// Steps in all.
    #[serde(rename = "max_steps")]
    Steps(u64),
}

fn as_dims<S: Serializer>(nesting: &Nesting, serializer: S) -> Result<S::Ok, S::Error> {
    nesting.dims().serialize(serializer)
}

impl ResolvedConfig {
    /// The sides of the views in equal parts of the run, in pixels, where they are not the side of an image throughout.
    #[must_use]
    pub fn view_sides(&self) -> Option<Vec<usize>> {
        let image_size = self.data.image_size;
        let side = |&scale: &f64| ((image_size as f64 * scale).round() as usize).max(1);
        let sides: Vec<usize> = self.run.view_scales.iter().map(side).collect();
        sides.iter().any(|&side| side != image_size).then_some(sides)
    }

    /// Steps of the whole run, at so many batches an epoch. Batches of an epoch that make no whole step go to the next one.
    #[must_use]
    pub fn total_steps(&self, batches: u64) -> u64 {
        match self.run.length {
            RunLength::Epochs(epochs) => epochs.saturating_mul(batches) / self.run.grad_accum as u64,
            RunLength::Steps(steps) => steps,
        }
    }

    /// How many of the `total_steps` train all dims alone: with `nest_after` at least the first step and at most all but the last one, else
    /// none.
    #[must_use]
    pub fn steps_before_nesting(&self, total_steps: u64) -> u64 {
        steps_before(self.run.nest_after, total_steps)
    }

    /// After how many of the `total_steps` the features are rotated: likewise; 0 where they never are.
    #[must_use]
    pub fn steps_before_rotation(&self, total_steps: u64) -> u64 {
        steps_before(self.rotation_share(), total_steps)
    }

    fn rotation_share(&self) -> Option<f64> {
        self.run.rotate_after.or(self.run.nest_after).filter(|&share| share > 0.0)
    }

    /// True if the features are rotated in training.
    #[must_use]
    pub fn rotates(&self) -> bool {
        self.rotation_share().is_some()
    }

    /// True if the network's embedding is not the encoder's features: if these go through a linear layer, are centred or rotated.
    #[must_use]
    pub fn maps_features(&self) -> bool {
        self.model.embedding_dim.is_some() || self.model.centre || self.rotates()
    }

    /// The text of `config.toml`, without its first line.
    ///
    /// # Panics
    /// Never: it was made of a table that TOML can hold.
    #[must_use]
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a resolved configuration is plain TOML")
    }

    /// The text of `config.toml`, as `mrl` of this `version` writes it.
    #[must_use]
    pub fn to_file(&self, version: &str) -> String {
        format!("{HEADER}, written by mrl {version}.\n\n{}", self.to_toml())
    }
}

/// The steps before a `share` of `total_steps` is over: at least the first one and at most all but the last one; none without a share.
fn steps_before(share: Option<f64>, total_steps: u64) -> u64 {
    let Some(share) = share.filter(|_| total_steps >= 2) else { return 0 };
    ((share * total_steps as f64).round() as u64).clamp(1, total_steps - 1)
}

impl ResolvedRun {
    /// The small views beside the others.
    #[must_use]
    pub fn small_views(&self) -> SmallViews {
        SmallViews {
            count: self.small_views,
            scale: self.small_view_scale,
            crop_scale: self.small_crop_scale,
        }
    }
}

impl ResolvedModel {
    /// Channels of the first stage.
    #[must_use]
    pub fn base_channels(&self) -> usize {
        Encoder::base_channels(self.width)
    }

    /// The width of the encoder's features.
    #[must_use]
    pub fn features(&self) -> usize {
        self.encoder.features(self.width)
    }

    /// The width of an embedding.
    #[must_use]
    pub fn embedding_width(&self) -> usize {
        self.embedding_dim.unwrap_or_else(|| self.features())
    }

    /// A short name for reports, e.g. `resnet18 x0.25, cifar stem`.
    #[must_use]
    pub fn describe(&self) -> String {
        let factor =
            if (self.width - 1.0).abs() < f64::EPSILON { String::new() } else { format!(" x{}", self.width) };
        let embedding = self.embedding_dim.map(|dim| format!(", linear layer to {dim}")).unwrap_or_default();
        format!("{}{factor}, {} stem{embedding}", self.encoder, self.stem)
    }
}

#[cfg(test)]
mod tests {
    use mrl_data::AugmentationPreset;

    use crate::{Config, ConfigError, DeviceChoice, Facts, Precision, Stem, parse_run_config};

    use super::*;

    fn facts(image_size: usize) -> Facts {
        Facts { image_size, classes: None, device: DeviceChoice::Cpu, precision: Precision::F32 }
    }

    fn resolve(config: Config, image_size: usize) -> Result<ResolvedConfig, ConfigError> {
        config.check()?.resolve(&facts(image_size))
    }

    fn reference() -> Config {
        Config::preset("reference").unwrap()
    }

    #[test]
    fn the_stem_follows_the_size_of_the_views() {
        let stem = |size| resolve(Config::default(), size).unwrap().model.stem;
        assert_eq!((stem(64), stem(65)), (Stem::Cifar, Stem::Imagenet));
    }

    #[test]
    fn what_is_resolved_is_stored_and_read_again_unchanged() {
        for (name, _) in crate::presets::PRESETS {
            let config = resolve(Config::preset(name).unwrap(), 32).unwrap();
            assert_eq!(parse_run_config(&config.to_toml()).unwrap(), config, "{name}");
        }
        let mut config = Config::default();
        config.objective.loss = "supervised".parse().unwrap();
        config.model = crate::ModelConfig {
            head_hidden: None,
            head_nest_hidden: None,
            head_batch_norm: None,
            projection_dim: None,
            ..config.model
        };
        let facts = Facts { classes: Some(7), ..facts(32) };
        let supervised = config.check().unwrap().resolve(&facts).unwrap();
        assert_eq!(supervised.model.layers, HeadLayers::Classifier { classes: 7 });
        assert_eq!(parse_run_config(&supervised.to_toml()).unwrap(), supervised);
    }

    #[test]
    fn every_default_is_stored_as_a_value() {
        let text = resolve(reference(), 32).unwrap().to_toml();
        for line in [
            "split = \"train\"",
            "head_hidden = 0",
            "projection_dim = 64",
            "dim_weights = [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]",
            "view_scales = [1.0]",
            "epochs = 100",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in {text}");
        }
    }

    /// Earlier versions left `head_hidden` and others out where they had the default.
    #[test]
    fn a_default_that_a_file_leaves_out_is_the_same_as_its_value() {
        let mut two_layers = reference();
        two_layers.model.head_hidden = Some(512);
        let resolved = resolve(two_layers, 32).unwrap();
        let open = ["head_hidden", "split", "dim_weights", "view_scales", "warmup_steps", "decay_norms"];
        let text = resolved.to_toml();
        let earlier: Vec<&str> =
            text.lines().filter(|line| !open.iter().any(|key| line.starts_with(key))).collect();
        assert_eq!(parse_run_config(&earlier.join("\n")).unwrap(), resolved);
        let nothing_named = text.replace("name = \"relic\"\n", "").replace("[augmentation]", "[views]");
        assert_eq!(parse_run_config(&nothing_named).unwrap(), resolved);
    }

    #[test]
    fn epochs_are_passes_however_many_batches_make_a_step() {
        let mut config = Config::default();
        (config.run.epochs, config.run.grad_accum) = (Some(100), 4);
        assert_eq!(resolve(config, 32).unwrap().total_steps(7), 175);
        let mut long = Config::default();
        long.run.epochs = Some(i64::MAX as u64);
        assert_eq!(resolve(long, 32).unwrap().total_steps(39), u64::MAX);
    }

    #[test]
    fn nesting_begins_after_a_share_of_the_steps_and_before_the_last_one() {
        let before = |share, steps| {
            let mut config = Config::default();
            config.run.nest_after = share;
            resolve(config, 32).unwrap().steps_before_nesting(steps)
        };
        assert_eq!(before(None, 100), 0);
        assert_eq!([1, 2, 10, 101].map(|steps| before(Some(0.5), steps)), [0, 1, 5, 51]);
        assert_eq!((before(Some(0.01), 10), before(Some(0.99), 10)), (1, 9));
        let rotation = |nest_after, rotate_after| {
            let mut config = Config::default();
            (config.run.nest_after, config.run.rotate_after) = (nest_after, rotate_after);
            let config = resolve(config, 32).unwrap();
            (config.rotates(), config.steps_before_rotation(100))
        };
        assert_eq!(rotation(None, None), (false, 0));
        assert_eq!(rotation(Some(0.5), None), (true, 50));
        assert_eq!(rotation(None, Some(0.7)), (true, 70));
        assert_eq!(rotation(Some(0.5), Some(0.7)), (true, 70));
        assert_eq!(rotation(Some(0.5), Some(0.0)), (false, 0));
    }

    #[test]
    fn what_was_never_resolved_is_refused() {
        let text = resolve(Config::default(), 32).unwrap().to_toml();
        let refused = |from: &str, to: &str| {
            assert!(text.contains(from), "{from} is not in {text}");
            parse_run_config(&text.replace(from, to)).unwrap_err().to_string()
        };
        assert_eq!(refused("stem = \"cifar\"", "stem = \"auto\""), "the stem is missing");
        assert_eq!(refused("nesting = [8, 16, 32, 64, 128, 256, 512]\n", ""), "the nesting is missing");
        assert_eq!(refused("device = \"cpu\"", "device = \"auto\""), "the device is missing");
        assert_eq!(refused("precision = \"f32\"", "precision = \"auto\""), "the precision is missing");
        assert_eq!(refused("image_size = 32\n", ""), "image-size is missing");
    }

    #[test]
    fn numbers_that_no_file_could_hold_are_refused() {
        let refused = |change: fn(&mut Config)| {
            let mut config = Config::default();
            change(&mut config);
            resolve(config, 32).unwrap_err().to_string()
        };
        let too_large = "a number is too large; use at most 9223372036854775807";
        assert_eq!(refused(|config| config.run.seed = u64::MAX), too_large);
        assert_eq!(refused(|config| config.data.subset_per_class = Some(usize::MAX)), too_large);
        let image_size = "image-size 0 must be between 1 and 4096";
        assert_eq!(refused(|config| config.data.image_size = Some(0)), image_size);
    }

    #[test]
    fn views_that_differ_are_stored() {
        let augmentation = AugmentationPreset::Byol.augmentations();
        let mut config = Config { augmentation, ..Config::default() };
        config.augmentation.second.blur_p = 0.3;
        let config = resolve(config, 32).unwrap();
        assert_eq!(parse_run_config(&config.to_toml()).unwrap(), config);
    }
}
