//! What settings below give way to when others go over them.

use strum::VariantNames;
use toml::{Table, Value};

use super::Settings;
use crate::{Rule, head::PROJECTOR_KEYS, optimiser::WARMUP_KEYS};

/// Settings that have no meaning without others beside them.
#[derive(Debug)]
pub(super) struct Incomplete {
    pub(super) problem: String,
    /// The section of the missing settings.
    pub(super) section: &'static str,
    pub(super) missing: Vec<&'static str>,
}

/// Removes from `under` the settings that `over` excludes.
///
/// # Errors
/// Names the settings that `over` must also give.
pub(super) fn give_way(under: &mut Table, over: &mut Table) -> Result<(), Incomplete> {
    for_objective(under, over);
    for_optimiser(under, over)?;
    for_heads(under, over);
    // Only one key of each group may be set.
    replace_any(under, over, "run", &["epochs", "max_steps"]);
    replace_any(under, over, "optimiser", &WARMUP_KEYS);
    for_no_holdout(under, over);
    for_rotation(under, over);
    remove_if_zero(under, over, "model", "embedding_dim");
    for_augmentation(under, over);
    Ok(())
}

fn value<'a>(table: &'a Table, section: &str, key: &str) -> Option<&'a Value> {
    table.get(section)?.get(key)
}

fn text<'a>(table: &'a Table, section: &str, key: &str) -> Option<&'a str> {
    value(table, section, key)?.as_str()
}

/// A section to change, if it is there.
fn section<'a>(table: &'a mut Table, name: &str) -> Option<&'a mut Table> {
    table.get_mut(name)?.as_table_mut()
}

fn remove(table: &mut Table, name: &str, keys: &[&str]) {
    if let Some(section) = section(table, name) {
        section.retain(|key, _| !keys.contains(&key));
    }
}

fn set(table: &mut Table, name: &str, key: &str, value: impl Into<Value>) {
    if let Some(section) = section(table, name) {
        section.insert(key.to_owned(), value.into());
    }
}

/// Removes all `keys` from `under` if `over` gives one of them.
fn replace_any(under: &mut Table, over: &Table, section: &str, keys: &[&str]) {
    if keys.iter().any(|key| value(over, section, key).is_some()) {
        remove(under, section, keys);
    }
}

/// Another objective comes with its own settings. One with labels has a classifier and no projector; one without needs a projector again,
/// which is that of the default preset.
fn for_objective(under: &mut Table, over: &Table) {
    const SUPERVISED: &str = "supervised";
    let (Some(new), old) = (text(over, "objective", "name"), text(under, "objective", "name")) else {
        return;
    };
    if old == Some(new) {
        return;
    }
    let was_supervised = old == Some(SUPERVISED);
    if let Some(objective) = section(under, "objective") {
        objective.retain(|key, _| key == "dim_weights");
    }
    if new == SUPERVISED {
        remove(under, "model", &PROJECTOR_KEYS);
    } else if was_supervised {
        let default = Settings::default();
        for key in PROJECTOR_KEYS {
            if let Some(projector) = value(&default.sections, "model", key) {
                set(under, "model", key, projector.clone());
            }
        }
    }
}

/// Another optimiser comes with its own settings; a rate and a weight decay are for one rule, but Adam and `AdamW` share rates.
fn for_optimiser(under: &mut Table, over: &Table) -> Result<(), Incomplete> {
    let (Some(new), Some(old)) = (text(over, "optimiser", "kind"), text(under, "optimiser", "kind")) else {
        return Ok(());
    };
    // Reading the configuration refuses an unknown optimiser and lists the known ones.
    if new == old || !Rule::VARIANTS.contains(&new) {
        return Ok(());
    }
    let are_adams = [new, old].iter().all(|kind| kind.starts_with("adam"));
    let is_missing = |key: &str| value(over, "optimiser", key).is_none();
    let missing: Vec<&str> = [("lr", !are_adams), ("weight_decay", true)]
        .into_iter()
        .filter(|(key, is_needed)| *is_needed && is_missing(key))
        .map(|(key, _)| key)
        .collect();
    if !missing.is_empty() {
        let shown = |key: &&str| {
            format!("{key} {}", value(under, "optimiser", key).map(ToString::to_string).unwrap_or_default())
        };
        let values: Vec<String> = missing.iter().map(shown).collect();
        let are = if values.len() > 1 { "are" } else { "is" };
        let problem =
            format!("the optimiser {new} needs values of its own: {} {are} for {old}", values.join(" and "));
        return Err(Incomplete { problem, section: "optimiser", missing });
    }
    remove(under, "optimiser", &["momentum", "nesterov", "trust_coefficient"]);
    Ok(())
}

/// `fixed` trains no nesting, so it drops the nesting dims of `under` and their weights. `head_hidden = 0` resets the settings of the hidden layer. Weights
/// that are all 1 are dropped if the head or the nesting changes, because they fit any nesting.
fn for_heads(under: &mut Table, over: &Table) {
    let (head, nesting) = (text(over, "model", "head"), value(over, "model", "nesting"));
    if head == Some("fixed") && nesting.is_none() {
        remove(under, "model", &["nesting"]);
        remove(under, "objective", &["dim_weights"]);
    }
    let is_one = |weight: &Value| weight.as_float() == Some(1.0) || weight.as_integer() == Some(1);
    let weights = value(under, "objective", "dim_weights").and_then(Value::as_array);
    if (head.is_some() || nesting.is_some()) && weights.is_some_and(|weights| weights.iter().all(is_one)) {
        remove(under, "objective", &["dim_weights"]);
    }
    if value(over, "model", "head_hidden").and_then(Value::as_integer) == Some(0) {
        set(under, "model", "head_nest_hidden", true);
        set(under, "model", "head_batch_norm", false);
    }
}

/// A share of 0 holds nothing out, so there are no images for `eval_every`.
fn for_no_holdout(under: &mut Table, over: &mut Table) {
    if is_zero(value(over, "data", "holdout")) {
        remove(under, "run", &["eval_every"]);
    }
    remove_if_zero(under, over, "data", "holdout");
}

/// `nest_after` also says when to rotate, unless `rotate_after` is given with it. A share of 0 turns either off; `rotate_after = 0` stays beside
/// `nest_after`, which would rotate. The head `fixed`, which trains no prefixes, turns off both, unless they are given with it.
fn for_rotation(under: &mut Table, over: &mut Table) {
    let nests_late =
        |table: &Table| value(table, "run", "nest_after").is_some_and(|share| !is_zero(Some(share)));
    if nests_late(over) && value(over, "run", "rotate_after").is_none() {
        remove(under, "run", &["rotate_after"]);
    }
    for key in ["nest_after", "rotate_after"] {
        if value(over, "run", key).is_none() && text(over, "model", "head") == Some("fixed") {
            remove(under, "run", &[key]);
        }
    }
    remove_if_zero(under, over, "run", "nest_after");
    if !nests_late(under) && !nests_late(over) {
        remove_if_zero(under, over, "run", "rotate_after");
    }
}

/// A setting that is off unless it is given can be turned off by 0.
fn remove_if_zero(under: &mut Table, over: &mut Table, section: &str, key: &str) {
    if is_zero(value(over, section, key)) {
        remove(under, section, &[key]);
        remove(over, section, &[key]);
    }
}

fn is_zero(value: Option<&Value>) -> bool {
    value.and_then(Value::as_float) == Some(0.0) || value.and_then(Value::as_integer) == Some(0)
}

/// The `preset` of an augmentation replaces the whole section; a setting for both views replaces that of each view.
fn for_augmentation(under: &mut Table, over: &Table) {
    let (Some(Value::Table(over)), Some(below)) = (over.get("augmentation"), under.get_mut("augmentation"))
    else {
        return;
    };
    let Some(below) = below.as_table_mut() else { return };
    if over.contains_key("preset") {
        below.clear();
        return;
    }
    let names_preset = |view: &str| value_of_view(over, view, "preset").is_some();
    if VIEWS.into_iter().any(names_preset) {
        // The settings of both views stay those of the view that names no preset.
        let both: Table = below
            .iter()
            .filter(|(_, value)| !value.is_table())
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        let views = VIEWS.map(|view| {
            let mut settings = both.clone();
            settings.extend(below.get(view).and_then(Value::as_table).cloned().unwrap_or_default());
            (view.to_owned(), Value::Table(if names_preset(view) { Table::new() } else { settings }))
        });
        *below = views.into_iter().collect();
        return;
    }
    for view in VIEWS {
        if let Some(view) = section(below, view) {
            view.retain(|key, _| !over.contains_key(key));
        }
    }
}

/// The subsections of an augmentation.
const VIEWS: [&str; 2] = ["first", "second"];

fn value_of_view<'a>(augmentation: &'a Table, view: &str, key: &str) -> Option<&'a Value> {
    augmentation.get(view)?.get(key)
}
