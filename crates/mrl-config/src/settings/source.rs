//! Where settings were read, for the errors that name it.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::give_way::Incomplete;
use crate::ConfigError;

/// The origin of settings. Error messages name it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Source {
    /// A run, whose settings are whole.
    Run,
    /// The options of a command line.
    Options,
    /// A preset of this name and text.
    Preset { name: String, text: String },
}

impl Source {
    pub(super) fn preset(name: &str, text: &str) -> Self {
        Self::Preset { name: name.to_owned(), text: text.to_owned() }
    }

    /// An error of settings that need others beside them.
    pub(super) fn incomplete(&self, Incomplete { problem, section, missing }: &Incomplete) -> ConfigError {
        ConfigError::Setting(match self {
            Self::Preset { name, .. } => {
                format!("preset {name}: {problem}; give {} in its section [{section}]", missing.join(" and "))
            }
            Self::Options | Self::Run => {
                let options: Vec<String> = missing.iter().map(|key| option(key)).collect();
                format!("{problem}; give {}", options.join(" and "))
            }
        })
    }

    /// An error of the setting at `path`; in a preset with its line.
    pub(super) fn error_at(&self, path: &[String], problem: &str) -> ConfigError {
        let setting = path.join(".");
        ConfigError::Setting(match self {
            Self::Preset { name, text } => {
                let line = position(text, path).and_then(|place| text.get(..place.start));
                let line = line.map_or_else(String::new, |before| {
                    format!(", line {}", before.matches('\n').count() + 1)
                });
                format!("preset {name}{line}: {setting}: {problem}")
            }
            Self::Options => match problem.split_once(" is a setting of ") {
                Some((key, rest)) => format!("{} is a setting of {rest}", option(key)),
                None => problem.to_owned(),
            },
            Self::Run => format!("{setting}: {problem}"),
        })
    }
}

/// The option that gives the setting `key`.
fn option(key: &str) -> String {
    match key {
        "invariance" | "variance" | "covariance" => "--vicreg-weights".to_owned(),
        key => format!("--{}", key.replace('_', "-")),
    }
}

/// The position in the text of the last part of `path` that the text contains.
fn position(text: &str, path: &[String]) -> Option<Range<usize>> {
    let table = DeTable::parse(text).ok()?;
    let mut at = None;
    let mut table = Some(table.get_ref());
    for part in path {
        let Some((key, value)) = table.and_then(|table| table.get_key_value(part.as_str())) else { break };
        at = Some(key.span());
        table = match value.get_ref() {
            DeValue::Table(inner) => Some(inner),
            _ => None,
        };
    }
    at
}
