//! `config.toml` of a run folder, and the same text in checkpoints and encoders.

use std::{fs, io, path::Path};

use toml::{Table, Value};

use crate::{
    Config, ConfigError, DeviceChoice, Facts, Precision, ResolvedConfig, Settings, Stem, config::Encoder,
    head::PROJECTOR_KEYS, presets::REFERENCE, settings::rename_views,
};

/// The file of a run's folder that holds its configuration.
pub const RUN_CONFIG: &str = "config.toml";

/// The start of what `mrl train` writes to `config.toml`.
pub(crate) const HEADER: &str = "# The resolved configuration of this run";

/// Whether a text is the configuration of a run, and no preset.
pub(crate) fn is_run_config(text: &str) -> bool {
    text.starts_with(HEADER)
}

/// The configuration in the file at `path`, if there is one.
///
/// # Errors
/// When the file cannot be read, or is not the configuration of a run.
pub fn read_run_config(path: &Path) -> Result<Option<ResolvedConfig>, ConfigError> {
    let text = match fs::read_to_string(path) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        read => read.map_err(ConfigError::io(path))?,
    };
    parse_run_config(&text).map(Some).map_err(|problem| {
        let problem = format!(
            "is not the configuration of a run ({}); name the folder of a run, or choose another --out",
            problem.to_string().trim_end()
        );
        ConfigError::damaged(path, problem)
    })
}

/// The configuration of a run. The machine that it was resolved on may have had another device.
///
/// # Errors
/// When it is not valid, or something is still open: someone changed it.
pub fn parse_run_config(text: &str) -> Result<ResolvedConfig, ConfigError> {
    let sections = settings(text).map_err(ConfigError::Setting)?;
    let config = Settings::from_sections(sections).config()?;
    let facts = facts(&config)?;
    config.check()?.resolve(&facts)
}

/// What the images and the machine were: a run has said it.
fn facts(config: &Config) -> Result<Facts, ConfigError> {
    let missing = |name: &str| ConfigError::Setting(format!("{name} is missing"));
    let is_open = [
        ("the stem", config.model.stem == Stem::Auto),
        ("the nesting", config.model.nesting.is_none()),
        ("the device", config.run.device == DeviceChoice::Auto),
        ("the precision", config.run.precision == Precision::Auto),
    ];
    if let Some((name, _)) = is_open.into_iter().find(|(_, is_open)| *is_open) {
        return Err(missing(name));
    }
    Ok(Facts {
        image_size: config.data.image_size.ok_or_else(|| missing("image-size"))?,
        classes: None,
        device: config.run.device,
        precision: config.run.precision,
    })
}

/// All settings of a run's configuration. What an earlier version left out has the value that it stood for then.
///
/// # Errors
/// When the text is not TOML.
pub(crate) fn settings(text: &str) -> Result<Table, String> {
    let mut stored: Table = text.parse().map_err(|error: toml::de::Error| error.to_string())?;
    rename_views(&mut stored);
    if let Some(Value::Table(objective)) = stored.get_mut("objective") {
        objective.entry("name").or_insert("relic".into());
    }
    spell_out_heads(&mut stored);
    spell_out_optimiser(&mut stored);
    let mut reference = Settings::preset(REFERENCE).map_err(|error| error.to_string())?.into_sections();
    for (name, below) in &mut reference {
        let Some(Value::Table(section)) = stored.get_mut(name) else { continue };
        let Value::Table(below) = below else { continue };
        // An objective's settings go with its name, an augmentation is whole.
        if !["objective", "augmentation"].contains(&name.as_str()) {
            below.retain(|key, _| !is_decided(name, key, section));
            below.extend(std::mem::take(section));
            std::mem::swap(section, below);
        }
    }
    for (name, below) in reference {
        stored.entry(name).or_insert(below);
    }
    Ok(stored)
}

/// Whether a run's section decides `key` by another one.
fn is_decided(section: &str, key: &str, stored: &Table) -> bool {
    let has_other =
        |keys: &[&str]| keys.contains(&key) && keys.iter().any(|other| stored.contains_key(*other));
    match section {
        "run" => has_other(&["epochs", "max_steps"]),
        "optimiser" => has_other(&crate::optimiser::WARMUP_KEYS),
        // Their defaults depended on others: `spell_out_heads`.
        "model" => PROJECTOR_KEYS.contains(&key),
        _ => false,
    }
}

/// A hidden layer was as wide as the encoder, where nothing else was said, and projections had 64 dims. A classifier had settings of a
/// projector, which were not used.
fn spell_out_heads(stored: &mut Table) {
    let text = |section: &str, key: &str| stored.get(section)?.get(key)?.as_str().map(str::to_owned);
    let is_supervised = text("objective", "name").as_deref() == Some("supervised");
    let encoder: Option<Encoder> = text("model", "encoder").and_then(|name| name.parse().ok());
    let Some(Value::Table(model)) = stored.get_mut("model") else { return };
    if is_supervised {
        model.retain(|key, _| !PROJECTOR_KEYS.contains(&key));
        return;
    }
    let number = |value: &Value| value.as_float().or_else(|| value.as_integer().map(|number| number as f64));
    let width = model.get("width").and_then(number).unwrap_or(1.0);
    let features = encoder.unwrap_or(Encoder::ResNet18).features(width) as i64;
    let values: [Value; 4] = [features.into(), true.into(), false.into(), 64.into()];
    for (key, value) in PROJECTOR_KEYS.into_iter().zip(values) {
        model.entry(key).or_insert(value);
    }
}

/// LARS left norms and biases out of the weight decay, where nothing else was said. `nesterov = false` stood beside every rule.
fn spell_out_optimiser(stored: &mut Table) {
    let Some(Value::Table(optimiser)) = stored.get_mut("optimiser") else { return };
    let kind = optimiser.get("kind").and_then(Value::as_str).unwrap_or("adam").to_owned();
    optimiser.entry("decay_norms_and_biases").or_insert((kind != "lars").into());
    if kind.starts_with("adam") && optimiser.get("nesterov") == Some(&false.into()) {
        optimiser.remove("nesterov");
    }
}
