use super::{
    Images,
    charts::{charts, origin},
    page::{Page, StripImage},
    table::Table,
    tables::{classes, notes, tables},
};
use crate::{Example, ExamplePrefix, Measures, Method, Report, Side};

impl Report {
    /// What was measured as aligned plain-text tables, the best of each row marked, and what a reader must know beside them.
    #[must_use]
    pub fn table(&self) -> String {
        Table::texts(&tables(self), &notes(self))
    }

    /// The whole report as one self-contained page; `images` show what lies nearest to some test rows.
    #[must_use]
    pub fn html(&self, images: Option<&dyn Images>) -> String {
        let title = match &self.test_dataset {
            Some(dataset) => format!("What each length is worth on {dataset}"),
            None => "What each length is worth".to_owned(),
        };
        let mut page = Page::new(&title, &lead(self));
        let charts = charts(self);
        let (first, rest) = charts.split_at(charts.len().min(1));
        page.charts(first);
        page.list(&notes(self));
        page.heading("Numbers");
        page.tables(&tables(self));
        if !rest.is_empty() {
            page.heading("Charts");
            page.charts(rest);
        }
        if let Some(images) = images {
            strips(self, images, &mut page);
        }
        if let Some(classes) = classes(self) {
            page.heading("Classes");
            page.table(&classes);
        }
        page.heading("Configuration");
        let options = serde_json::to_string_pretty(&self.options).unwrap_or_default();
        page.details("Evaluation", &options);
        if let Some(config) = &self.config {
            page.details("Training run", config);
        }
        page.finish()
    }
}

fn lead(report: &Report) -> Vec<String> {
    let known = |name: &str, value: &Option<String>| value.as_ref().map(|value| format!("{name}: {value}"));
    let parts = [
        origin(report).map(|origin| format!("Encoder: {origin}")),
        known("Weights", &report.weights),
        known("Preprocessing", &report.preprocessing),
        known("Training rows from", &report.train_dataset),
        report.methods.get(&Method::Prefix).and_then(verdict),
        Some(format!("mrl {}", report.version)),
    ];
    parts.into_iter().flatten().collect()
}

/// How much of the longest prefix's accuracy each shorter one keeps, for the shortest that keeps nearly all.
fn verdict(prefix: &Measures) -> Option<String> {
    const KEPT: f64 = 0.95;
    let (&last, &full) = (prefix.logreg.last()?, prefix.dims.last()?);
    let (dim, value) = prefix.dims.iter().zip(&prefix.logreg).find(|&(_, &value)| value >= KEPT * last)?;
    (*dim < full && last > 0.0).then(|| {
        format!(
            "{dim} of {full} numbers keep {:.1} % of the probe's accuracy on these test rows ({:.2} of {:.2} %).",
            100.0 * value / last,
            100.0 * value,
            100.0 * last
        )
    })
}

/// The nearest neighbours of the examples, as far as their images are at hand.
fn strips(report: &Report, images: &dyn Images, page: &mut Page) {
    let mut begun = false;
    for example in &report.examples {
        let Some(query) = images.png(Side::Test, example.row) else { continue };
        if !begun {
            page.heading("Nearest neighbours");
            page.list(&["A test image (first) and the training images nearest to it, by prefixes of different length. \
                         A dashed frame marks another class. The test images are the first of their classes."
                .to_owned()]);
            begun = true;
        }
        for prefix in &example.prefixes {
            let query =
                StripImage { png: query.clone(), word: class_name(report, example.label), right: None };
            let neighbours = neighbours(report, images, example, prefix);
            let strip: Vec<StripImage> = std::iter::once(query).chain(neighbours).collect();
            page.strip(&format!("{} dims", prefix.dim), &strip);
        }
    }
}

fn neighbours(
    report: &Report,
    images: &dyn Images,
    example: &Example,
    prefix: &ExamplePrefix,
) -> Vec<StripImage> {
    let image = |(&row, &label): (&usize, &i64)| {
        Some(StripImage {
            png: images.png(Side::Train, row)?,
            word: class_name(report, label),
            right: Some(label == example.label),
        })
    };
    prefix.rows.iter().zip(&prefix.labels).filter_map(image).collect()
}

fn class_name(report: &Report, label: i64) -> String {
    let index = report.labels.binary_search(&label).ok();
    index.and_then(|index| report.class_names.get(index)).map_or_else(|| label.to_string(), Clone::clone)
}
