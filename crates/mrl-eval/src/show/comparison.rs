use serde::{Deserialize, Serialize};

use super::{
    chart::Chart,
    charts::{INTERVAL, accuracy, origin},
    curve::{Accuracy, Curve},
    output::{Document, NamedFile},
    page::Page,
    table::Table,
};
use crate::{EvalError, Measures, Method, Report, SCHEMA, baseline::said_options};

/// The stems of the charts.
pub(super) const STEMS: &[&str] = &["compare-accuracy", "compare-neighbours"];

/// The prefixes of several runs, side by side. `compare.json` is exactly this.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The layout of the file: [`SCHEMA`].
    pub schema: u32,
    /// The version of the program that compared.
    pub version: String,
    /// In the order in which they were given.
    pub runs: Vec<ComparedRun>,
    /// Why the runs cannot quite be compared.
    pub caveats: Vec<String>,
}

/// One run of a [`Comparison`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ComparedRun {
    /// What it is called: where its report lies.
    pub name: String,
    /// The encoder and its network, where the report says.
    pub origin: Option<String>,
    /// The test set, where the report says.
    pub test_dataset: Option<String>,
    /// The lengths that were trained; empty where the report does not say.
    pub trained_dims: Vec<usize>,
    /// What its prefixes reach.
    pub prefix: Measures,
}

impl Comparison {
    /// Compares the prefixes of reports with names.
    ///
    /// # Errors
    /// When there are fewer than two, one has no prefixes, or a name is there twice.
    pub fn of(reports: Vec<(String, Report)>) -> Result<Self, EvalError> {
        if reports.len() < 2 {
            return Err(EvalError::NothingToCompare);
        }
        let caveats = caveats(&reports.iter().map(|(_, report)| report).collect::<Vec<_>>());
        let mut runs: Vec<ComparedRun> = Vec::new();
        for (name, mut report) in reports {
            if runs.iter().any(|run| run.name == name) {
                return Err(EvalError::RepeatedRun(name));
            }
            let Some(prefix) = report.methods.remove(&Method::Prefix) else {
                return Err(EvalError::NoPrefixes(name));
            };
            let (origin, test_dataset) = (origin(&report), report.test_dataset);
            runs.push(ComparedRun { name, origin, test_dataset, trained_dims: report.trained_dims, prefix });
        }
        Ok(Self { schema: SCHEMA, version: env!("CARGO_PKG_VERSION").to_owned(), runs, caveats })
    }

    /// The accuracies as aligned plain-text tables.
    #[must_use]
    pub fn table(&self) -> String {
        Table::texts(&self.tables(), &self.notes())
    }

    /// `compare.json`, `compare.html`, and the charts as SVG and PNG.
    ///
    /// # Errors
    /// When a chart cannot be drawn.
    pub fn files(&self) -> Result<Vec<NamedFile>, EvalError> {
        let charts = self.charts();
        let mut page = Page::new(&format!("{} runs compared", self.runs.len()), &self.caveats);
        page.charts(&charts);
        page.list(&self.notes());
        page.tables(&self.tables());
        Document::Comparison.files(self, page.finish(), &charts)
    }

    fn curves(&self, accuracy: Accuracy) -> Vec<Curve> {
        let of = |(series, run): (usize, &ComparedRun)| {
            accuracy.curve(series, &run.name, &run.prefix, &run.trained_dims)
        };
        self.runs.iter().enumerate().filter_map(of).collect()
    }

    fn tables(&self) -> Vec<Table> {
        let table = |accuracy: Accuracy| {
            let curves = self.curves(accuracy);
            let title = format!("{} on prefixes, accuracy in %", accuracy.title(None));
            (!curves.is_empty()).then(|| Table::of_curves(title, &curves))
        };
        Accuracy::ALL.into_iter().filter_map(table).collect()
    }

    fn charts(&self) -> Vec<Chart> {
        let [probe, knn1, knn] = Accuracy::ALL.map(|accuracy| self.curves(accuracy));
        let neighbours = "1-NN and weighted k-NN on prefixes".to_owned();
        let charts = [
            accuracy(STEMS[0], "Logistic probe on prefixes".to_owned(), None, &probe, &[], INTERVAL),
            accuracy(STEMS[1], neighbours, None, &knn1, &knn, INTERVAL),
        ];
        charts.into_iter().flatten().collect()
    }

    fn notes(&self) -> Vec<String> {
        let origin = |run: &ComparedRun| {
            let parts = run.origin.iter().chain(&run.test_dataset).map(String::as_str).collect::<Vec<_>>();
            format!(
                "{}: {}",
                run.name,
                if parts.is_empty() { "origin not known".to_owned() } else { parts.join(", ") }
            )
        };
        let has_interval =
            |run: &ComparedRun| Accuracy::ALL.iter().any(|accuracy| !accuracy.of(&run.prefix).1.is_empty());
        let interval =
            if self.runs.iter().any(has_interval) { "± is half the 95 % bootstrap interval; " } else { "" };
        let marks = format!("{interval}* marks the best of a row; ~ a dim that a run did not train.");
        self.runs.iter().map(origin).chain([marks]).chain(self.caveats.clone()).collect()
    }
}

/// In what the reports differ beside their encoders.
pub(super) fn caveats(reports: &[&Report]) -> Vec<String> {
    let differ = |what: &str, of: &dyn Fn(&Report) -> String| {
        let all: Vec<String> = reports.iter().map(|report| of(report)).collect();
        let same = all.iter().all(|value| *value == all[0]);
        (!same).then(|| format!("Careful: the runs differ in {what}: {}.", all.join(", ")))
    };
    let known = |dataset: &Option<String>| dataset.clone().unwrap_or_else(|| "not known".to_owned());
    let found = [
        differ("the training set", &|report| known(&report.train_dataset)),
        differ("the test set", &|report| known(&report.test_dataset)),
        differ("the number of test rows", &|report| report.test_size.to_string()),
        differ("the number of training rows", &|report| report.train_size.to_string()),
        differ("the number of classes", &|report| report.classes.to_string()),
    ];
    let said = |report: &Report| said_options(&report.options, report.train_size);
    let options = said(reports[0]).into_iter().enumerate().filter_map(|(place, (what, measure, _))| {
        let all_have = reports.iter().all(|report| report.options.lists(measure));
        all_have.then(|| differ(what, &|report| said(report)[place].2.clone())).flatten()
    });
    found.into_iter().flatten().chain(options).collect()
}
