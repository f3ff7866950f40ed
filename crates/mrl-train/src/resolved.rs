use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Deref,
    path::Path,
};

use mrl_embedding::Nesting;

use crate::{Config, DeviceChoice, Objective, Precision, RunConfig, Stem, Supervised, TrainError};

/// The epochs when neither `epochs` nor `max_steps` is given: the reference's.
const DEFAULT_EPOCHS: u64 = 100;

/// The largest side of a view for which [`Stem::Auto`] is the CIFAR stem.
const LARGEST_CIFAR_VIEW: usize = 64;

/// A checked configuration without any `auto` or default that depends on the images or the machine: what a run has, and
/// what its files say.
#[derive(Clone, Debug, PartialEq)]
pub struct ResolvedConfig {
    config: Config,
    image_size: usize,
    nesting: Nesting,
}

impl Deref for ResolvedConfig {
    type Target = Config;

    fn deref(&self) -> &Config {
        &self.config
    }
}

impl Config {
    /// Replaces every `auto` and every default that depends on the images, whose side is `native_size`, or on the machine
    /// by what it stands for.
    ///
    /// # Errors
    /// As [`Config::validate`], when the device is not there, and when a supervised objective does not know its classes, which
    /// [`Config::with_labels_of`] tells it.
    pub fn resolve(mut self, native_size: usize) -> Result<ResolvedConfig, TrainError> {
        self.validate()?;
        let image_size = *self.data.image_size.get_or_insert(native_size);
        if self.model.stem == Stem::Auto {
            self.model.stem = if image_size <= LARGEST_CIFAR_VIEW { Stem::Cifar } else { Stem::Imagenet };
        }
        self.model.nesting = Some(self.nesting()?.dims().to_vec());
        self.run.device = self.run.device.resolve()?;
        self.run.precision = self.run.precision.resolve(&self.run.device);
        if self.run.epochs.is_none() && self.run.max_steps.is_none() {
            self.run.epochs = Some(DEFAULT_EPOCHS);
        }
        ResolvedConfig::stored(self)
    }
}

impl Config {
    /// With each default as a value that depends neither on the images nor on the machine. Files of earlier versions leave such
    /// values out, and mean the same.
    fn spelled_out(mut self) -> Self {
        let split = self.split();
        self.data.split.get_or_insert(split);
        if !self.objective.loss.needs_labels() {
            self.model.head_hidden.get_or_insert(self.model.features());
            self.model.projection_dim = Some(self.model.projection_dim());
        }
        if let Ok(nesting) = self.nesting() {
            self.objective.dim_weights = Some(self.objective.weights(nesting.dims().len()));
        }
        self.run.view_scales.get_or_insert_with(|| vec![1.0]);
        self
    }
}

impl ResolvedConfig {
    /// The configuration that a file of a run holds, which may come from a machine with another device.
    ///
    /// # Errors
    /// When it is not valid or not resolved: someone changed it.
    pub(crate) fn stored(config: Config) -> Result<Self, TrainError> {
        config.validate()?;
        let unresolved = |name: &str| TrainError::Config(format!("{name} is missing"));
        let image_size = config.data.image_size.ok_or_else(|| unresolved("image-size"))?;
        let Config { model, objective, run, .. } = &config;
        let missing = [
            (
                "the number of classes",
                matches!(objective.loss, Objective::Supervised(Supervised { classes: None })),
            ),
            ("the stem", model.stem == Stem::Auto),
            ("the nesting", model.nesting.is_none()),
            ("the length of the run", run.epochs.is_none() && run.max_steps.is_none()),
            ("the device", run.device == DeviceChoice::Auto),
            ("the precision", run.precision == Precision::Auto),
        ];
        if let Some((name, _)) = missing.into_iter().find(|(_, missing)| *missing) {
            return Err(unresolved(name));
        }
        let nesting = config.nesting()?;
        Ok(Self { config: config.spelled_out(), image_size, nesting })
    }

    /// The sides of the views in equal parts of the run, in pixels, where they are not the [same](Self::image_size) throughout.
    #[must_use]
    pub fn view_sides(&self) -> Option<Vec<usize>> {
        let side = |&scale: &f64| ((self.image_size as f64 * scale).round() as usize).max(1);
        let sides: Vec<usize> = self.config.run.view_scales.iter().flatten().map(side).collect();
        sides.iter().any(|&side| side != self.image_size).then_some(sides)
    }

    /// The side of an image in pixels.
    #[must_use]
    pub fn image_size(&self) -> usize {
        self.image_size
    }

    /// The prefixes that are trained.
    #[must_use]
    pub fn nesting(&self) -> &Nesting {
        &self.nesting
    }

    /// Steps of the whole run, at so many batches an epoch. Batches of an epoch that make no whole step go to the next one.
    ///
    /// # Panics
    /// Never: what is resolved has a length.
    #[must_use]
    pub fn total_steps(&self, batches: u64) -> u64 {
        let RunConfig { max_steps, epochs, grad_accum, .. } = self.run;
        let of_epochs = || epochs.expect("resolved").saturating_mul(batches) / grad_accum as u64;
        max_steps.unwrap_or_else(of_epochs)
    }
}

/// Checks that the configuration stored in `file` is the one given. The folder of the images may move between two parts of
/// a run; everything else must stay.
pub(crate) fn check_same(file: &Path, stored: &Config, given: &Config) -> Result<(), TrainError> {
    let mut given = given.clone();
    given.data.data_dir.clone_from(&stored.data.data_dir);
    let (stored, given) = (flatten(&stored.clone().spelled_out()), flatten(&given.spelled_out()));
    let keys: BTreeSet<&String> = stored.keys().chain(given.keys()).collect();
    let shown = |value: Option<&String>| value.map_or_else(|| "nothing".to_owned(), Clone::clone);
    let differing: Vec<String> = keys
        .into_iter()
        .filter(|&key| stored.get(key) != given.get(key))
        .map(|key| format!("{key} is {} there and {} now", shown(stored.get(key)), shown(given.get(key))))
        .collect();
    if differing.is_empty() {
        return Ok(());
    }
    let problem = format!(
        "the run has another configuration: {}; resume it with the same options, or start a new run in another --out",
        differing.join(", ")
    );
    Err(TrainError::damaged(file, problem))
}

/// Every value of a configuration under its dotted key.
fn flatten(config: &Config) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    let table = toml::Table::try_from(config).expect("a configuration is plain TOML");
    flatten_into("", table, &mut values);
    values
}

fn flatten_into(prefix: &str, table: toml::Table, values: &mut BTreeMap<String, String>) {
    for (key, value) in table {
        let key = format!("{prefix}{key}");
        match value {
            toml::Value::Table(table) => flatten_into(&format!("{key}."), table, values),
            value => {
                values.insert(key, value.to_string());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use mrl_data::AugmentationPreset;

    use super::*;

    #[test]
    fn the_stem_follows_the_size_of_the_views() {
        let stem = |size| Config::default().resolve(size).unwrap().model.stem;
        assert_eq!((stem(64), stem(65)), (Stem::Cifar, Stem::Imagenet));
    }

    #[test]
    fn what_is_resolved_is_stored_and_read_again_unchanged() {
        let config = Config::default().resolve(32).unwrap();
        let read: Config = toml::from_str(&config.to_toml()).unwrap();
        assert_eq!(ResolvedConfig::stored(read).unwrap(), config);
        assert_eq!((config.image_size(), config.total_steps(39)), (32, 3900));
    }

    #[test]
    fn every_default_is_stored_as_a_value() {
        let text = Config::default().resolve(32).unwrap().to_toml();
        for line in [
            "split = \"train\"",
            "head_hidden = 512",
            "projection_dim = 64",
            "dim_weights = [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]",
            "view_scales = [1.0]",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in {text}");
        }
    }

    /// Earlier versions left `head_hidden` and others out where they had the default.
    #[test]
    fn a_default_that_a_file_leaves_out_is_the_same_as_its_value() {
        let resolved = Config::default().resolve(32).unwrap();
        let mut earlier = Config::clone(&resolved);
        (earlier.model.head_hidden, earlier.data.split) = (None, None);
        (earlier.objective.dim_weights, earlier.run.view_scales) = (None, None);
        assert_eq!(ResolvedConfig::stored(earlier.clone()).unwrap(), resolved);
        check_same(Path::new("here"), &earlier, &resolved).unwrap();
        earlier.model.head_hidden = Some(0);
        let error = check_same(Path::new("here"), &earlier, &resolved).unwrap_err().to_string();
        assert!(error.contains("model.head_hidden is 0 there and 512 now"), "{error}");
    }

    #[test]
    fn epochs_are_passes_however_many_batches_make_a_step() {
        let mut config = Config::default();
        (config.run.epochs, config.run.grad_accum) = (Some(100), 4);
        assert_eq!(config.resolve(32).unwrap().total_steps(7), 175);
    }

    #[test]
    fn what_was_never_resolved_is_refused() {
        let resolved = Config::default().resolve(32).unwrap();
        let refused = |change: fn(&mut Config)| {
            let mut config = Config::clone(&resolved);
            change(&mut config);
            ResolvedConfig::stored(config).unwrap_err().to_string()
        };
        assert_eq!(refused(|config| config.model.stem = Stem::Auto), "the stem is missing");
        assert_eq!(refused(|config| config.model.nesting = None), "the nesting is missing");
        assert_eq!(refused(|config| config.run.epochs = None), "the length of the run is missing");
        assert_eq!(refused(|config| config.run.device = DeviceChoice::Auto), "the device is missing");
        assert_eq!(refused(|config| config.run.precision = Precision::Auto), "the precision is missing");
        assert_eq!(refused(|config| config.data.image_size = None), "image-size is missing");
    }

    #[test]
    fn the_difference_of_one_view_is_named() {
        let with =
            |preset: AugmentationPreset| Config { augmentation: preset.augmentations(), ..Config::default() };
        let mut other = with(AugmentationPreset::Byol);
        other.augmentation.second.blur_p = 0.3;
        let error =
            check_same(Path::new("here"), &with(AugmentationPreset::Byol), &other).unwrap_err().to_string();
        let expected =
            "here: the run has another configuration: augmentation.second.blur_p is 0.1 there and 0.3 now; ";
        assert!(error.starts_with(expected), "{error}");
    }

    #[test]
    fn a_run_of_before_calls_the_augmentation_views() {
        let old: Config = toml::from_str("[views]\nblur_p = 0.25").unwrap();
        let new: Config = toml::from_str("[augmentation]\nblur_p = 0.25").unwrap();
        assert_eq!((old.augmentation.first.blur_p, &old), (0.25, &new));
    }

    #[test]
    fn numbers_that_no_file_could_hold_are_refused() {
        let refused = |change: fn(&mut Config)| {
            let mut config = Config::default();
            change(&mut config);
            config.resolve(32).unwrap_err().to_string()
        };
        let too_large = "a number is too large; use at most 9223372036854775807";
        assert_eq!(refused(|config| config.run.seed = u64::MAX), too_large);
        assert_eq!(refused(|config| config.data.subset_per_class = Some(usize::MAX)), too_large);
        let image_size = "image-size 0 must be between 1 and 4096";
        assert_eq!(refused(|config| config.data.image_size = Some(0)), image_size);
        let mut long = Config::default();
        long.run.epochs = Some(i64::MAX as u64);
        assert_eq!(long.resolve(32).unwrap().total_steps(39), u64::MAX);
    }
}
