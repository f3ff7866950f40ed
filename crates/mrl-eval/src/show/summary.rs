use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    chart::Chart,
    charts::accuracy,
    comparison::caveats,
    curve::{Accuracy, Curve, CurvePoint, trained_dims_of},
    output::{Document, NamedFile},
    page::Page,
    table::Table,
    tables::folded,
};
use crate::{EvalError, Evaluation, Measures, Report, SCHEMA, report::is_trained};

/// The stems of the charts.
pub(super) const STEMS: &[&str] = &["summary-accuracy", "summary-neighbours"];

/// Several runs of one kind, such as trainings from different seeds. `summary.json` is exactly this.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The layout of the file: [`SCHEMA`].
    pub schema: u32,
    /// The version of the program that summarised.
    pub version: String,
    /// How many runs.
    pub runs: usize,
    /// The test set, where the first report says.
    pub test_dataset: Option<String>,
    /// The lengths that were trained; empty where the reports do not say.
    pub trained_dims: Vec<usize>,
    /// The rotation that was folded into the encoder of every run, where it was the same one.
    #[serde(default)]
    pub fold: Option<String>,
    /// What was measured, by method or baseline.
    pub methods: BTreeMap<String, Spreads>,
    /// Why a mean over the runs means little.
    pub caveats: Vec<String>,
}

/// The accuracies of one method over the runs; a list is empty where the measure was not taken.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spreads {
    /// The lengths, increasing.
    pub dims: Vec<usize>,
    /// Of the logistic probe.
    pub logreg: Vec<Spread>,
    /// Of the nearest neighbour.
    pub knn1: Vec<Spread>,
    /// Of the weighted vote.
    pub knn: Vec<Spread>,
}

/// A number over several runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Their mean.
    pub mean: f64,
    /// Their sample standard deviation, with `runs - 1` below.
    pub std: f64,
}

impl Summary {
    /// Mean and standard deviation over at least two reports of the same methods, dims and classes.
    ///
    /// # Errors
    /// When there are fewer, or they differ in what was measured.
    pub fn of(reports: &[Report]) -> Result<Self, EvalError> {
        let [first, _, ..] = reports else { return Err(EvalError::NothingToCompare) };
        let shape = |report: &Report| {
            let measured = report
                .all_measures()
                .map(|(name, measures)| (name, measures.dims.clone(), measures.lengths(&report.options)));
            (report.labels.clone(), measured.collect::<Vec<_>>())
        };
        if let Some(index) = reports.iter().position(|report| shape(report) != shape(first)) {
            return Err(EvalError::OtherRun { run: index + 1 });
        }
        let spread = |name: &str, accuracy: Accuracy| {
            let of_run = |report: &Report| {
                let measures = report.all_measures().find(|(other, _)| other == name);
                measures.map_or_else(Vec::new, |(_, measures)| accuracy.of(measures).0.to_vec())
            };
            Spread::of_lists(&reports.iter().map(of_run).collect::<Vec<_>>())
        };
        let spreads = |(name, measures): (String, &Measures)| {
            let [logreg, knn1, knn] = Accuracy::ALL.map(|accuracy| spread(&name, accuracy));
            (name, Spreads { dims: measures.dims.clone(), logreg, knn1, knn })
        };
        let folds: Vec<&str> =
            reports.iter().map(|report| report.fold.as_deref().unwrap_or("none")).collect();
        let is_one_fold = folds.iter().all(|fold| *fold == folds[0]);
        let fold_caveat = (!is_one_fold).then(|| {
            format!("Careful: the runs differ in the rotation that was folded in: {}.", folds.join(", "))
        });
        Ok(Self {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            runs: reports.len(),
            test_dataset: first.test_dataset.clone(),
            trained_dims: first.trained_dims.clone(),
            fold: first.fold.clone().filter(|_| is_one_fold),
            methods: first.all_measures().map(spreads).collect(),
            caveats: caveats(&reports.iter().collect::<Vec<_>>()).into_iter().chain(fold_caveat).collect(),
        })
    }

    /// Checks that the reports of `evaluations` will have a summary, before they are measured.
    ///
    /// # Errors
    /// When they differ in dims or classes.
    pub fn check(evaluations: &[Evaluation<'_>]) -> Result<(), EvalError> {
        let shape = |evaluation: &Evaluation<'_>| {
            (evaluation.checked.dims.clone(), evaluation.checked.classes.clone())
        };
        let other = evaluations.iter().position(|evaluation| shape(evaluation) != shape(&evaluations[0]));
        other.map_or(Ok(()), |index| Err(EvalError::OtherRun { run: index + 1 }))
    }

    /// Mean ± standard deviation as aligned plain-text tables.
    #[must_use]
    pub fn table(&self) -> String {
        Table::texts(&self.tables(), &self.notes())
    }

    /// `summary.json`, `summary.html`, and the charts as SVG and PNG.
    ///
    /// # Errors
    /// When a chart cannot be drawn.
    pub fn files(&self) -> Result<Vec<NamedFile>, EvalError> {
        let charts = self.charts();
        let mut page = Page::new(&format!("{} runs", self.runs), &self.notes());
        page.charts(&charts);
        page.tables(&self.tables());
        Document::Summary.files(self, page.finish(), &charts)
    }

    fn notes(&self) -> Vec<String> {
        let runs = self.runs;
        let marks = format!(
            "Mean ± standard deviation of {runs} runs; * marks the best mean of a row; ~ a dim that was not trained."
        );
        let fold = self.fold.as_deref().map(folded);
        std::iter::once(marks).chain(fold).chain(self.caveats.clone()).collect()
    }

    fn curves(&self, accuracy: Accuracy) -> Vec<Curve> {
        let of = |(series, (name, spreads)): (usize, (&String, &Spreads))| {
            let trained_dims = trained_dims_of(name, &self.trained_dims);
            let values = match accuracy {
                Accuracy::Probe => &spreads.logreg,
                Accuracy::Knn1 => &spreads.knn1,
                Accuracy::Knn => &spreads.knn,
            };
            let point = |(&dim, spread): (&usize, &Spread)| CurvePoint {
                dim,
                value: spread.mean,
                interval: Some([spread.mean - spread.std, spread.mean + spread.std]),
                untrained: is_trained(trained_dims, dim) == Some(false),
            };
            let points: Vec<CurvePoint> = spreads.dims.iter().zip(values).map(point).collect();
            (!points.is_empty()).then(|| Curve { name: name.clone(), series, points })
        };
        self.methods.iter().enumerate().filter_map(of).collect()
    }

    fn tables(&self) -> Vec<Table> {
        let table = |accuracy: Accuracy| {
            let curves = self.curves(accuracy);
            let title = format!("{}, accuracy in %", accuracy.title(None));
            (!curves.is_empty()).then(|| Table::of_curves(title, &curves))
        };
        Accuracy::ALL.into_iter().filter_map(table).collect()
    }

    fn charts(&self) -> Vec<Chart> {
        let [probe, knn1, knn] = Accuracy::ALL.map(|accuracy| self.curves(accuracy));
        let bars = "Bars are the standard deviation over the runs.";
        let subtitle = Some(format!("{} runs", self.runs));
        let neighbours = "1-NN and weighted k-NN".to_owned();
        let charts = [
            accuracy(STEMS[0], "Logistic probe".to_owned(), subtitle.clone(), &probe, &[], bars),
            accuracy(STEMS[1], neighbours, subtitle, &knn1, &knn, bars),
        ];
        charts.into_iter().flatten().collect()
    }
}

impl Spread {
    /// Of lists that are equally long, entry by entry.
    fn of_lists(lists: &[Vec<f64>]) -> Vec<Self> {
        let entries = lists.first().map_or(0, Vec::len);
        (0..entries).map(|entry| Self::of(lists.iter().map(|list| list[entry]))).collect()
    }

    fn of(values: impl Iterator<Item = f64> + Clone) -> Self {
        let n = values.clone().count() as f64;
        // From the first on, so that equal values have no spread.
        let first = values.clone().next().unwrap_or(0.0);
        let mean = first + values.clone().map(|value| value - first).sum::<f64>() / n;
        let square = values.map(|value| (value - mean).powi(2)).sum::<f64>();
        Self { mean, std: (square / (n - 1.0)).sqrt() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_numpys_with_one_degree_less() {
        let spread = Spread::of([1.0, 2.0, 4.0].into_iter());
        assert!((spread.mean - 7.0 / 3.0).abs() < 1e-12);
        assert!((spread.std - 1.527_525_231_651_946_7).abs() < 1e-12);
        let equal = Spread::of([0.7; 3].into_iter());
        assert_eq!((equal.mean, equal.std), (0.7, 0.0));
    }
}
