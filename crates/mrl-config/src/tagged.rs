//! Sections whose settings depend on one of them: `name` of an objective, `kind` of an optimiser.

use std::str::FromStr;

use serde::Serialize;
use strum::VariantNames;
use toml::Table;

/// The default settings of each variant of `T`, with the tag. `T` as text is the variant with default settings.
pub(crate) fn default_settings<T: VariantNames + FromStr + Serialize>() -> impl Iterator<Item = Table> {
    T::VARIANTS.iter().filter_map(|name| Table::try_from(name.parse::<T>().ok()?).ok())
}

/// What is wrong with a setting of the variant `name` that belongs to other variants of `T` only, and the cure.
pub(crate) fn foreign_setting<T: VariantNames + FromStr + Serialize>(
    section: &str,
    tag: &str,
    name: &str,
    given: &Table,
) -> Option<String> {
    let is_named = |table: &Table| table.get(tag).and_then(toml::Value::as_str) == Some(name);
    let own = default_settings::<T>().find(is_named)?;
    given.keys().filter(|key| !own.contains_key(*key)).find_map(|key| {
        let owners: Vec<String> = default_settings::<T>()
            .filter(|table| table.contains_key(key))
            .filter_map(|table| Some(table.get(tag)?.as_str()?.to_owned()))
            .collect();
        let first = owners.first()?;
        Some(format!(
            "{key} is a setting of {}, not of the {section} {name}; leave it out, or choose --{section} {first}",
            owners.join(" and ")
        ))
    })
}

/// What is wrong where `given` has a key that `read`, which was made of it, has no setting for.
pub(crate) fn unknown_setting(given: &Table, read: &impl Serialize) -> Option<String> {
    let known = Table::try_from(read).ok()?;
    let key = given.keys().find(|key| !known.contains_key(*key))?;
    let keys: Vec<String> = known.keys().map(|key| format!("`{key}`")).collect();
    Some(format!("unknown field `{key}`, expected one of {}", keys.join(", ")))
}
