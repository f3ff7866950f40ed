//! Reports and configurations.

use mrl_config::{Settings, parse_run_config};
use mrl_eval::{Comparison, Report};

use crate::with_file;

pub(crate) fn report(bytes: &[u8]) {
    with_file("report.json", bytes, |path| {
        let Ok(report) = Report::read(path) else { return };
        let _ = report.table();
        let _ = report.files(None);
        let named = ["a", "b"].map(|name| (name.to_owned(), report.clone()));
        if let Ok(comparison) = Comparison::of(named.to_vec()) {
            let _ = comparison.table();
            let _ = comparison.files();
        }
    });
}

/// A preset, and what a run stores.
pub(crate) fn config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let _ = parse_run_config(text);
    if let Ok(config) = Settings::parse(text).and_then(|settings| settings.config()) {
        let _ = config.check();
    }
}
