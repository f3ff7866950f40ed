use std::{
    io::Write,
    path::{Path, PathBuf},
};

use mrl_embedding::write_atomically;
use serde::Serialize;

use super::{
    chart::Chart,
    charts::{STEMS, charts},
};
use crate::{EvalError, Report, Side};

/// The images behind the rows of the two sets.
pub trait Images {
    /// The image of a row as PNG; none where it is not at hand.
    fn png(&self, side: Side, row: usize) -> Option<Vec<u8>>;
}

impl Report {
    /// Writes `report.json`, `report.html`, and each chart as SVG and PNG, to `folder`, which is made if missing, and gives
    /// their paths. Each file appears whole or not at all; charts that an earlier report left there and this one does not
    /// have are removed.
    ///
    /// # Errors
    /// When a file cannot be written or a chart cannot be drawn.
    pub fn write(&self, folder: &Path, images: Option<&dyn Images>) -> Result<Vec<PathBuf>, EvalError> {
        write(folder, "report", self, &self.html(images), STEMS, &charts(self))
    }
}

/// Writes `NAME.json`, `NAME.html` and the charts, which have some of `stems`.
pub(crate) fn write(
    folder: &Path,
    name: &str,
    value: &impl Serialize,
    html: &str,
    stems: &[&str],
    charts: &[Chart],
) -> Result<Vec<PathBuf>, EvalError> {
    std::fs::create_dir_all(folder).map_err(|source| EvalError::Io { path: folder.to_owned(), source })?;
    let json = serde_json::to_vec_pretty(value)
        .map_err(|error| EvalError::Io { path: folder.join(format!("{name}.json")), source: error.into() })?;
    let mut files = vec![(format!("{name}.json"), json), (format!("{name}.html"), html.as_bytes().to_vec())];
    for chart in charts {
        let png = format!("{}.png", chart.name);
        let drawn =
            chart.drawing.png().map_err(|problem| EvalError::Plot { path: folder.join(&png), problem })?;
        files.push((format!("{}.svg", chart.name), chart.drawing.svg().into_bytes()));
        files.push((png, drawn));
    }
    remove_stale(folder, stems, charts)?;
    let write = |(name, bytes): (String, Vec<u8>)| {
        let path = folder.join(name);
        write_atomically(&path, |file| file.write_all(&bytes))
            .map_err(|source| EvalError::Io { path: path.clone(), source })?;
        Ok(path)
    };
    files.into_iter().map(write).collect()
}

fn remove_stale(folder: &Path, stems: &[&str], charts: &[Chart]) -> Result<(), EvalError> {
    for name in stems.iter().filter(|name| charts.iter().all(|chart| chart.name != **name)) {
        for extension in ["svg", "png"] {
            let path = folder.join(format!("{name}.{extension}"));
            match std::fs::remove_file(&path) {
                Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                    return Err(EvalError::Io { path, source });
                }
                _ => {}
            }
        }
    }
    Ok(())
}
