use clap::Arg;
use mrl_config::Settings;

/// The option with its default in the help: that of the default preset, or else of its objective or optimiser.
pub(super) fn shown(option: Arg) -> Arg {
    let Some(value) = default_of(option.get_id().as_str()) else { return option };
    let help = option.get_help().map(ToString::to_string).unwrap_or_default();
    option.help(format!("{help} [default: {value}]"))
}

fn default_of(option: &str) -> Option<String> {
    let of = Settings::default_of;
    match option {
        // The augmentation's key, and the option that names a preset file.
        "preset" => None,
        "objective" => of("name"),
        "optimiser" => of("kind"),
        "vicreg_weights" => {
            let weights = ["invariance", "variance", "covariance"].map(of);
            let weights: Option<Vec<String>> = weights.into_iter().collect();
            Some(weights?.join(","))
        }
        // A part of the default differs from its preset.
        "augmentation" => Some(format!("{} with crop_scale {}", of("preset")?, of("crop_scale")?)),
        other => of(other),
    }
}
