//! Where settings were read, for the errors that name it.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use crate::ConfigError;

/// A preset's name and its text; nothing for a command line.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Source(Option<(String, String)>);

impl Source {
    pub(super) fn new(name: &str, text: &str) -> Self {
        Self(Some((name.to_owned(), text.to_owned())))
    }

    /// Of settings over others: a line of the file above is named, or else one of that below.
    pub(super) fn or(self, below: Self) -> Self {
        if self.0.is_some() { self } else { below }
    }

    pub(super) fn error(&self, problem: &str) -> ConfigError {
        ConfigError::Setting(match &self.0 {
            None => problem.to_owned(),
            Some((name, _)) => format!("preset {name}: {problem}"),
        })
    }

    /// An error of the setting at `path`, with its line.
    pub(super) fn error_at(&self, path: &[String], problem: &str) -> ConfigError {
        let setting = path.join(".");
        let place = self.0.as_ref().and_then(|(name, text)| {
            let before = text.get(..position(text, path)?.start)?;
            Some(format!("preset {name}, line {}: ", before.matches('\n').count() + 1))
        });
        match (place, &self.0) {
            (Some(place), _) => ConfigError::Setting(format!("{place}{setting}: {problem}")),
            (None, Some((name, _))) => ConfigError::Setting(format!("preset {name}: {setting}: {problem}")),
            (None, None) => ConfigError::Setting(format!("{setting}: {problem}")),
        }
    }
}

/// Where the last part of `path` that stands in the text stands there.
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
