use crate::{Interval, Measures, Method, Report, report::is_trained};

/// A measure by dim: a line of a chart and a column of a table.
pub(crate) struct Curve {
    pub(crate) name: String,
    /// Its place among all that is shown, measured in this way or not: what its colour follows.
    pub(crate) series: usize,
    /// Increasing.
    pub(crate) points: Vec<CurvePoint>,
}

#[derive(Clone, Copy)]
pub(crate) struct CurvePoint {
    pub(crate) dim: usize,
    /// A fraction.
    pub(crate) value: f64,
    pub(crate) interval: Option<Interval>,
    /// Whether it is known that this prefix was not trained.
    pub(crate) untrained: bool,
}

/// An accuracy that is measured at each dim.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Accuracy {
    Probe,
    Knn1,
    Knn,
}

impl Accuracy {
    pub(crate) const ALL: [Self; 3] = [Self::Probe, Self::Knn1, Self::Knn];

    /// What it is, for people; `voters` are those of the weighted vote, where all have the same.
    pub(crate) fn title(self, voters: Option<usize>) -> String {
        match self {
            Self::Probe => "Logistic probe".to_owned(),
            Self::Knn1 => "1-NN".to_owned(),
            Self::Knn => {
                voters.map_or_else(|| "Weighted k-NN".to_owned(), |voters| format!("Weighted {voters}-NN"))
            }
        }
    }

    pub(crate) fn of(self, measures: &Measures) -> (&[f64], &[Interval]) {
        match self {
            Self::Probe => (&measures.logreg, &measures.logreg_interval),
            Self::Knn1 => (&measures.knn1, &measures.knn1_interval),
            Self::Knn => (&measures.knn, &measures.knn_interval),
        }
    }

    /// None where it was not measured.
    pub(crate) fn curve(
        self,
        series: usize,
        name: &str,
        measures: &Measures,
        trained_dims: &[usize],
    ) -> Option<Curve> {
        let (values, intervals) = self.of(measures);
        let point = |(index, (&dim, &value)): (usize, (&usize, &f64))| CurvePoint {
            dim,
            value,
            interval: intervals.get(index).copied(),
            untrained: is_trained(trained_dims, dim) == Some(false),
        };
        let points: Vec<CurvePoint> = measures.dims.iter().zip(values).enumerate().map(point).collect();
        (!points.is_empty()).then(|| Curve { name: name.to_owned(), series, points })
    }

    /// Those of all methods and baselines of a report.
    pub(crate) fn curves(self, report: &Report) -> Vec<Curve> {
        let of = |(series, (name, measures)): (usize, (String, &Measures))| {
            self.curve(series, &name, measures, trained_dims_of(&name, &report.trained_dims))
        };
        report.all_measures().enumerate().filter_map(of).collect()
    }
}

/// The lengths of a method or baseline that were trained, where that can be asked: of prefixes. No baseline is called like a
/// method, and each is as wide as it was trained.
pub(crate) fn trained_dims_of<'a>(name: &str, trained_dims: &'a [usize]) -> &'a [usize] {
    if name == Method::Prefix.to_string() { trained_dims } else { &[] }
}
