//! Settings as tables: a preset's, and those that go over it.

mod give_way;
mod source;
#[cfg(test)]
mod tests;

use std::{path::Path, sync::LazyLock};

use serde::Serialize;
use toml::{Table, Value};

use self::{give_way::give_way, source::Source};
use crate::{
    Config, ConfigError, Objective, ResolvedConfig, Rule,
    presets::{self, DEFAULT},
    stored::{self, is_run_config},
    tagged::default_settings,
};

/// Some settings of a run by section, `[run] epochs` and so on: those of a preset file or a command line.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    sections: Table,
    source: Source,
}

/// The key at the top of a preset file that names the preset which it changes.
const EXTENDS: &str = "extends";

impl Default for Settings {
    /// All settings of the default preset.
    fn default() -> Self {
        static DEFAULTS: LazyLock<Settings> = LazyLock::new(|| {
            let text = presets::text(DEFAULT).expect("there is a default preset");
            Settings::read(DEFAULT, text).expect("the default preset is TOML")
        });
        DEFAULTS.clone()
    }
}

impl From<&ResolvedConfig> for Settings {
    /// All settings of a run.
    fn from(config: &ResolvedConfig) -> Self {
        let sections = Table::try_from(config).expect("a resolved configuration is plain TOML");
        Self { sections, source: Source::Run }
    }
}

impl Settings {
    /// Those of a file: some settings.
    ///
    /// # Errors
    /// When it is not TOML.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        Self::read("settings", text)
    }

    /// Those of a command line: `sections` is a struct of structs of options, whose names are the keys.
    ///
    /// # Errors
    /// When a number is too large for a file.
    pub fn typed(sections: &impl Serialize) -> Result<Self, ConfigError> {
        Ok(Self { sections: to_table(sections)?, source: Source::Options })
    }

    /// All settings of a preset: a name, or a `file.toml` whose settings go over those of the preset that it `extends`, or else of the
    /// default one. The `config.toml` of a run is all that the run was.
    ///
    /// # Errors
    /// When there is no such preset, or its file cannot be read.
    pub fn preset(name: &str) -> Result<Self, ConfigError> {
        if let Some(text) = presets::text(name) {
            return Self::read(name, text)?.over_its_base(name);
        }
        if Path::new(name).extension().is_none_or(|extension| extension != "toml") {
            let problem = format!("there is no preset {name:?}; use {}, or a file.toml", presets::names());
            return Err(ConfigError::Setting(problem));
        }
        let path = Path::new(name);
        let text = std::fs::read_to_string(path).map_err(ConfigError::io(path))?;
        if is_run_config(&text) {
            let sections = stored::settings(&text).map_err(|problem| preset_error(name, &problem))?;
            return Ok(Self { sections, source: Source::preset(name, &text) });
        }
        Self::read(name, &text)?.over_its_base(name)
    }

    /// Those of a run.
    pub(crate) fn from_sections(sections: Table) -> Self {
        Self { sections, source: Source::Run }
    }

    pub(crate) fn into_sections(self) -> Table {
        self.sections
    }

    fn read(name: &str, text: &str) -> Result<Self, ConfigError> {
        // toml's message shows the line.
        let mut sections =
            text.parse().map_err(|error: toml::de::Error| preset_error(name, &error.to_string()))?;
        rename_views(&mut sections);
        Ok(Self { sections, source: Source::preset(name, text) })
    }

    /// Over the preset that the file names, or else the default one.
    fn over_its_base(mut self, name: &str) -> Result<Self, ConfigError> {
        let base = match self.sections.remove(EXTENDS) {
            None => Self::default(),
            Some(Value::String(base)) if base != name && presets::text(&base).is_some() => {
                Self::preset(&base)?
            }
            Some(other) => {
                let problem = format!("extends = {other}: there is no such preset; use {}", presets::names());
                return Err(preset_error(name, &problem));
            }
        };
        self.over(base)
    }

    /// Puts these settings over those of `base`. What they exclude there gives way: another objective or optimiser comes with its own
    /// settings, epochs replace steps.
    ///
    /// # Errors
    /// When a setting of `base` that must stay has no meaning with these.
    pub fn over(self, base: Self) -> Result<Self, ConfigError> {
        let (mut under, mut sections) = (base.sections, self.sections);
        give_way(&mut under, &mut sections).map_err(|incomplete| self.source.incomplete(&incomplete))?;
        put_over(&mut under, sections);
        Ok(Self { sections: under, source: self.source })
    }

    /// The configuration that they are, when they are all there are.
    ///
    /// # Errors
    /// When a setting is unknown, missing or of another type.
    pub fn config(&self) -> Result<Config, ConfigError> {
        serde_path_to_error::deserialize(self.sections.clone()).map_err(|error| {
            let path: Vec<String> = error.path().iter().map(ToString::to_string).collect();
            let error: toml::de::Error = error.into_inner();
            self.source.error_at(&path, error.message().trim_end())
        })
    }

    /// The default of the setting `key`: that of the default preset, or else of the objective or optimiser that has it.
    #[must_use]
    pub fn default_of(key: &str) -> Option<String> {
        let in_variants = || {
            let tables = default_settings::<Objective>().chain(default_settings::<Rule>());
            tables.into_iter().find_map(|table| table.get(key).map(shown))
        };
        Self::default().shown(key).or_else(in_variants)
    }

    /// The value of the setting `key` of some section as a file has it, without quotes and brackets.
    fn shown(&self, key: &str) -> Option<String> {
        self.sections.values().find_map(|section| section.as_table()?.get(key)).map(shown)
    }
}

fn shown(value: &Value) -> String {
    let bare = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match value {
        Value::Array(values) => values.iter().map(bare).collect::<Vec<_>>().join(","),
        value => bare(value),
    }
}

/// The settings as a TOML table, as in a file.
///
/// # Errors
/// When a number is too large for TOML.
pub(crate) fn to_table(settings: &impl Serialize) -> Result<Table, ConfigError> {
    let too_large = |_| ConfigError::Setting(format!("a number is too large; use at most {}", i64::MAX));
    Table::try_from(settings).map_err(too_large)
}

/// Each value of `over` over that of the same key of `under`.
fn put_over(under: &mut Table, over: Table) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(Value::Table(under)), Value::Table(over)) => put_over(under, over),
            (_, value) => {
                under.insert(key, value);
            }
        }
    }
}

/// Files of earlier versions call the section `augmentation` `views`.
pub(crate) fn rename_views(sections: &mut Table) {
    if !sections.contains_key("augmentation")
        && let Some(views) = sections.remove("views")
    {
        sections.insert("augmentation".to_owned(), views);
    }
}

fn preset_error(name: &str, problem: &str) -> ConfigError {
    ConfigError::Setting(format!("preset {name}: {}", problem.trim_end()))
}
