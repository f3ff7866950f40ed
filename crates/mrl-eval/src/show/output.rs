use serde::Serialize;

use super::{
    chart::Chart,
    charts::{STEMS, charts},
    comparison, summary,
};
use crate::{EvalError, OUTCOMES, Report, Side};

/// The images behind the rows of the two sets.
pub trait Images {
    /// The image of a row as PNG; none where it is not at hand.
    fn png(&self, side: Side, row: usize) -> Option<Vec<u8>>;
}

/// A file to be written: its name, and its bytes.
pub type NamedFile = (String, Vec<u8>);

/// What the files of one folder say together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Document {
    /// A [`Report`].
    Report,
    /// A [`Comparison`](crate::Comparison).
    Comparison,
    /// A [`Summary`](crate::Summary).
    Summary,
}

impl Document {
    /// The stem of its JSON and its page.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Report => "report",
            Self::Comparison => "compare",
            Self::Summary => "summary",
        }
    }

    /// The names of all files that it may have; charts of what was not measured are not drawn.
    #[must_use]
    pub fn file_names(self) -> Vec<String> {
        let stems = match self {
            Self::Report => STEMS,
            Self::Comparison => comparison::STEMS,
            Self::Summary => summary::STEMS,
        };
        let charts =
            stems.iter().flat_map(|stem| ["svg", "png"].map(|extension| format!("{stem}.{extension}")));
        let outcomes = (self == Self::Report).then(|| OUTCOMES.to_owned());
        ["json", "html"]
            .map(|extension| format!("{}.{extension}", self.name()))
            .into_iter()
            .chain(charts)
            .chain(outcomes)
            .collect()
    }

    /// `NAME.json`, `NAME.html`, and each chart as SVG and PNG.
    pub(super) fn files(
        self,
        value: &impl Serialize,
        html: String,
        charts: &[Chart],
    ) -> Result<Vec<NamedFile>, EvalError> {
        let json = serde_json::to_vec_pretty(value).expect("numbers and text are plain JSON");
        let name = self.name();
        let mut files = vec![(format!("{name}.json"), json), (format!("{name}.html"), html.into_bytes())];
        for chart in charts {
            let png = format!("{}.png", chart.name);
            let drawn =
                chart.drawing.png().map_err(|problem| EvalError::Plot { file: png.clone(), problem })?;
            files.push((format!("{}.svg", chart.name), chart.drawing.svg().into_bytes()));
            files.push((png, drawn));
        }
        Ok(files)
    }
}

impl Report {
    /// `report.json`, `report.html`, and each chart as SVG and PNG.
    ///
    /// # Errors
    /// When a chart cannot be drawn.
    pub fn files(&self, images: Option<&dyn Images>) -> Result<Vec<NamedFile>, EvalError> {
        Document::Report.files(self, self.html(images), &charts(self))
    }
}
