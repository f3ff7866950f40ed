//! From what was typed to a configuration: a preset, then the options over it.

use std::path::Path;

use anyhow::Result;
use mrl_config::{CheckedConfig, RUN_CONFIG, Settings, read_run_config};

use crate::{UsageError, args::TrainArgs};

/// The preset of a run that names none.
const DEFAULT: &str = "default";

/// The configuration of `mrl train`, checked but not resolved against the images.
///
/// # Errors
/// When preset and options do not make one, or a setting is out of range.
pub fn train_config(args: &TrainArgs) -> Result<CheckedConfig> {
    let below = match &args.preset {
        Some(preset) => Settings::preset(preset)?,
        // Without a preset the run's own configuration is meant; options over it are compared to it later.
        None if args.resume => match read_run_config(&args.out.join(RUN_CONFIG))? {
            Some(stored) => Settings::from(&stored),
            None if args.sections.data.dataset.is_some() => Settings::preset(DEFAULT)?,
            None => return Err(no_run(&args.out)),
        },
        None => Settings::preset(DEFAULT)?,
    };
    // First alone, so that what is wrong with a preset is not said of the options.
    below.config()?;
    let config = Settings::typed(&args.sections)?.over(below)?.config()?;
    check_effect(args, config.run.small_views)?;
    Ok(config.check()?)
}

/// Refuses options of small views where there are none: they would do nothing.
fn check_effect(args: &TrainArgs, small_views: usize) -> Result<()> {
    let run = &args.sections.run;
    let given = [
        ("--small-view-scale", run.small_view_scale.is_some()),
        ("--small-crop-scale", run.small_crop_scale.is_some()),
    ];
    let without_effect = given.into_iter().find(|&(_, is_given)| is_given && small_views == 0);
    without_effect.map_or(Ok(()), |(option, _)| {
        let problem = "has no effect without small views; add --small-views N, or leave it out";
        Err(UsageError(format!("{option} {problem}")).into())
    })
}

fn no_run(out: &Path) -> anyhow::Error {
    let problem = "holds no run to resume; name its folder, or begin one with --dataset or --preset";
    UsageError(format!("{}: {problem}", out.display())).into()
}
