use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use crate::{ConfigError, ResolvedConfig};

/// Checks that the configuration stored in `file` is the one given. The folder of the images may move between two parts of
/// a run; everything else must stay.
///
/// # Errors
/// When they differ, with each setting that does.
pub fn check_same(file: &Path, stored: &ResolvedConfig, given: &ResolvedConfig) -> Result<(), ConfigError> {
    let mut given = given.clone();
    given.data.data_dir.clone_from(&stored.data.data_dir);
    let (stored, given) = (flatten(stored), flatten(&given));
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
    Err(ConfigError::damaged(file, problem))
}

/// Every value of a configuration under its dotted key.
fn flatten(config: &ResolvedConfig) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    let table = toml::Table::try_from(config).expect("a resolved configuration is plain TOML");
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
    use crate::{Config, DeviceChoice, Facts, Precision};

    fn resolved(change: impl Fn(&mut Config)) -> ResolvedConfig {
        let augmentation = AugmentationPreset::Byol.augmentations();
        let mut config = Config { augmentation, ..Config::default() };
        change(&mut config);
        let facts =
            Facts { image_size: 32, classes: None, device: DeviceChoice::Cpu, precision: Precision::F32 };
        config.check().unwrap().resolve(&facts).unwrap()
    }

    #[test]
    fn each_setting_that_differs_is_named() {
        let stored = resolved(|_| {});
        let check = |given: &ResolvedConfig| check_same(Path::new("here"), &stored, given);
        check(&resolved(|config| config.data.data_dir = Some("elsewhere".into()))).unwrap();
        let given = resolved(|config| {
            config.augmentation.second.blur_p = 0.3;
            config.model.head_hidden = Some(512);
        });
        let error = check(&given).unwrap_err().to_string();
        let expected = "here: the run has another configuration: augmentation.second.blur_p is 0.1 there and 0.3 now, \
                        model.head_hidden is 2048 there and 512 now; ";
        assert!(error.starts_with(expected), "{error}");
    }
}
