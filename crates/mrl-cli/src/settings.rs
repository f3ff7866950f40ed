//! From what was typed to a configuration: preset file, then the options over it.

mod objective;
mod optimiser;

use std::path::Path;

use anyhow::{Context, Result};
use mrl_data::AugmentationPreset;
use mrl_train::{Config, RunFolder};

use self::optimiser::override_optimiser;
use crate::{UsageError, args::TrainArgs};

/// The preset of a run that names none.
const DEFAULT: &str = "default";

/// The presets that come with the program, one file each.
const PRESETS: [(&str, &str); 6] = [
    (DEFAULT, include_str!("../../../presets/default.toml")),
    ("reference", include_str!("../../../presets/reference.toml")),
    ("demo", include_str!("../../../presets/demo.toml")),
    ("reference-cifar10-resnet18", include_str!("../../../presets/reference-cifar10-resnet18.toml")),
    ("reference-stl10-resnet18", include_str!("../../../presets/reference-stl10-resnet18.toml")),
    ("reference-stl10-resnet50", include_str!("../../../presets/reference-stl10-resnet50.toml")),
];

/// The configuration of `mrl train`, neither checked nor resolved against the images.
pub(crate) fn train_config(args: &TrainArgs) -> Result<Config> {
    let config = match &args.preset {
        Some(preset) => read_preset(preset)?,
        // Without a preset the run's own configuration is meant; options over it are compared to it later.
        None if args.resume => match RunFolder::stored_config(&args.out)? {
            Some(stored) => Config::clone(&stored),
            None if args.dataset.is_some() => read_preset(DEFAULT)?,
            None => return Err(no_run(&args.out)),
        },
        None => read_preset(DEFAULT)?,
    };
    let mut config = with_overrides(config, args);
    override_optimiser(&mut config.optimiser, &args.optimiser)?;
    objective::apply(&mut config, args)?;
    Ok(config)
}

fn no_run(out: &Path) -> anyhow::Error {
    let problem = "holds no run to resume; name its folder, or begin one with --dataset or --preset";
    UsageError(format!("{}: {problem}", out.display())).into()
}

fn read_preset(preset: &str) -> Result<Config> {
    if let Some((_, text)) = PRESETS.iter().find(|(name, _)| *name == preset) {
        return parse(preset, text);
    }
    if Path::new(preset).extension().is_none_or(|extension| extension != "toml") {
        let names: Vec<&str> = PRESETS.iter().map(|(name, _)| *name).collect();
        let problem = format!("there is no preset {preset:?}; use {}, or a file.toml", names.join(", "));
        return Err(UsageError(problem).into());
    }
    parse(preset, &std::fs::read_to_string(preset).with_context(|| preset.to_owned())?)
}

fn parse(name: &str, text: &str) -> Result<Config> {
    // toml's message shows the line, and for an unknown key those that there are.
    toml::from_str(text)
        .map_err(|error| UsageError(format!("preset {name}: {}", error.to_string().trim_end())).into())
}

fn with_overrides(mut config: Config, args: &TrainArgs) -> Config {
    let Config { data, model, run, augmentation, .. } = &mut config;
    set_option(&mut data.dataset, args.dataset.as_ref());
    set_option(&mut data.data_dir, args.data_dir.as_ref());
    set_option(&mut data.split, args.split.as_ref());
    set_option(&mut data.subset_per_class, args.subset_per_class.as_ref());
    set(&mut data.max_corrupt, args.max_corrupt.as_ref());
    set_option(&mut data.holdout, args.holdout.as_ref());
    data.holdout = data.holdout.filter(|&share| share != 0.0);
    set_option(&mut data.image_size, args.image_size.as_ref());
    set(&mut model.encoder, args.encoder.as_ref());
    set(&mut model.width, args.width.as_ref());
    set(&mut model.stem, args.stem.as_ref());
    set_option(&mut model.nesting, args.nesting.as_ref());
    set(augmentation, args.augmentation.map(AugmentationPreset::augmentations).as_ref());
    if args.epochs.is_some() || args.max_steps.is_some() {
        // The one replaces the other, whichever the preset has.
        (run.epochs, run.max_steps) = (args.epochs, args.max_steps);
    }
    set(&mut run.batch_size, args.batch_size.as_ref());
    set(&mut run.grad_accum, args.grad_accum.as_ref());
    set_option(&mut run.view_scales, args.view_scales.as_ref());
    set(&mut run.precision, args.precision.as_ref());
    set(&mut run.device, args.device.as_ref());
    set(&mut run.seed, args.seed.as_ref());
    set(&mut run.log_every, args.log_every.as_ref());
    set_option(&mut run.checkpoint_every, args.checkpoint_every.as_ref());
    if args.holdout == Some(0.0) {
        // Of what the preset judges by, nothing is left.
        run.eval_every = None;
    }
    set_option(&mut run.eval_every, args.eval_every.as_ref());
    set(&mut run.fold, args.fold.as_ref());
    set_option(&mut run.freeze_batch_norm_after, args.freeze_batch_norm_after.as_ref());
    config
}

/// Gives `slot` what was given, if anything was.
fn set<T: Clone>(slot: &mut T, given: Option<&T>) {
    if let Some(given) = given {
        slot.clone_from(given);
    }
}

/// The same for a setting that may be open.
fn set_option<T: Clone>(slot: &mut Option<T>, given: Option<&T>) {
    if given.is_some() {
        *slot = given.cloned();
    }
}

#[cfg(test)]
mod tests {
    use clap::Args;

    use super::*;

    #[test]
    fn every_preset_is_valid() {
        for (name, _) in PRESETS {
            let config = read_preset(name).unwrap();
            config.validate().unwrap_or_else(|error| panic!("{name}: {error}"));
            let is_of_any = [DEFAULT, "reference"].contains(&name);
            assert_eq!(config.data.dataset.is_none(), is_of_any, "{name} names its data set");
            assert_eq!(config.model.head_hidden == Some(0), name.starts_with("reference"), "{name}");
        }
        let mut published = Config::default();
        published.model.head_hidden = Some(0);
        assert_eq!(read_preset("reference").unwrap(), published);
    }

    /// The help says by hand what the file of the default preset says.
    #[test]
    fn the_help_says_the_values_of_the_default_preset() {
        let preset = toml::Table::try_from(read_preset(DEFAULT).unwrap()).unwrap();
        let command = TrainArgs::augment_args(clap::Command::new("train"));
        let help = |name: &str| {
            let argument = command.get_arguments().find(|argument| argument.get_id() == name)?;
            let help = argument.get_help()?.to_string();
            let (_, value) = help.split_once("[default: ")?;
            Some(value.trim_end_matches([']', '.']).to_owned())
        };
        let mut compared = 0;
        for (section, settings) in &preset {
            for (key, value) in settings.as_table().unwrap() {
                let option = if ["name", "kind"].contains(&&**key) { section } else { key };
                let Some(said) = help(option) else { continue };
                assert!(is_said(value, &said), "the help of --{option} says {said}, the preset {value}");
                compared += 1;
            }
        }
        assert!(compared > 15, "only {compared} settings were compared");
    }

    fn is_said(value: &toml::Value, said: &str) -> bool {
        match value {
            toml::Value::Array(values) => {
                let parts: Vec<&str> = said.split(',').collect();
                parts.len() == values.len()
                    && values.iter().zip(parts).all(|(value, part)| is_said(value, part))
            }
            toml::Value::String(text) => text == said,
            toml::Value::Boolean(truth) => truth.to_string() == said,
            number => number.to_string().parse::<f64>().unwrap() == said.parse::<f64>().unwrap_or(f64::NAN),
        }
    }

    #[test]
    fn options_override_the_preset() {
        let args = TrainArgs {
            preset: Some("reference-cifar10-resnet18".into()),
            max_steps: Some(3),
            seed: Some(9),
            ..TrainArgs::default()
        };
        let config = with_overrides(read_preset("reference-cifar10-resnet18").unwrap(), &args);
        assert_eq!((config.run.epochs, config.run.max_steps, config.run.seed), (None, Some(3), 9));
        assert_eq!(config.run.batch_size, 256);
    }

    #[test]
    fn where_no_image_is_held_out_the_preset_judges_by_none() {
        let mut preset = Config::default();
        (preset.data.holdout, preset.run.eval_every) = (Some(0.1), Some(5));
        let args = TrainArgs { holdout: Some(0.0), ..TrainArgs::default() };
        let config = with_overrides(preset, &args);
        assert_eq!((config.data.holdout, config.run.eval_every), (None, None));
        config.validate().unwrap();
    }

    #[test]
    fn the_name_of_an_augmentation_replaces_all_of_the_presets() {
        let byol = Some(AugmentationPreset::Byol);
        let args = TrainArgs { augmentation: byol, ..TrainArgs::default() };
        let config = with_overrides(read_preset("demo").unwrap(), &args);
        assert_eq!(config.augmentation, AugmentationPreset::Byol.augmentations());
    }

    #[test]
    fn an_unknown_key_is_named_with_those_there_are() {
        let error = parse("mine.toml", "[run]\nbatchsize = 3\n").unwrap_err().to_string();
        assert!(
            error.contains("preset mine.toml") && error.contains("batchsize") && error.contains("batch_size"),
            "{error}"
        );
    }

    #[test]
    fn the_examples_in_the_presets_readme_are_valid() {
        let page = include_str!("../../../presets/README.md");
        let example_of = |section: &str| -> Vec<String> {
            section.lines().filter_map(|line| line.strip_prefix("    ")).map(str::to_owned).collect()
        };
        let examples = page.split("\n## ").skip(1).map(example_of).filter(|example| !example.is_empty());
        let examples: Vec<String> = examples.map(|example| example.join("\n")).collect();
        assert_eq!(examples.len(), 4);
        for example in examples {
            let config = parse("README.md", &example).unwrap();
            config.validate().unwrap();
            assert_ne!(config, Config::default(), "{example}");
        }
    }
}
