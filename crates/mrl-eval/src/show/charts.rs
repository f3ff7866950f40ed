//! The charts of a report. What was not measured has none.

use mrl_chart::{Axis, COLOURS, Drawing, Grid, Line, LineChart, Look, Point, Scale};

use super::{
    chart::Chart,
    curve::{Accuracy, Curve},
};
use crate::{Calibration, Measures, Method, ProbeScores, Report};

/// The stems of all charts that a report may have.
pub(crate) const STEMS: &[&str] =
    &["accuracy", "neighbours", "confusion", "reliability", "cascade", "variance", "rank"];

/// All charts of a report.
pub(crate) fn charts(report: &Report) -> Vec<Chart> {
    let on = report.test_dataset.as_ref().map(|dataset| format!(" on {dataset}")).unwrap_or_default();
    let (probe, knn1, knn) =
        (Accuracy::Probe.curves(report), Accuracy::Knn1.curves(report), Accuracy::Knn.curves(report));
    let neighbours = match [knn1.is_empty(), knn.is_empty()] {
        [false, true] => "1-NN".to_owned(),
        [true, false] => format!("{}-NN", report.voters()),
        _ => format!("1-NN and {}-NN", report.voters()),
    };
    let mut charts = vec![
        accuracy("accuracy", format!("Logistic probe{on}"), origin(report), &probe, &[], INTERVAL),
        accuracy("neighbours", format!("{neighbours}{on}"), origin(report), &knn1, &knn, INTERVAL),
    ];
    if let Some(prefix) = report.methods.get(&Method::Prefix) {
        charts.push(confusion(report, prefix));
        charts.push(prefix.probe.last().and_then(|probe| reliability(prefix, probe)));
        charts.push(cascade(prefix));
    }
    charts.push(variance(report));
    charts.push(effective_rank(report));
    charts.into_iter().flatten().collect()
}

/// What the bars of a report's accuracies are.
pub(crate) const INTERVAL: &str = "Bars hold 95 % of the bootstrap's resamples of the test rows.";

/// The encoder, its network, and the rotation that was folded into it.
pub(crate) fn origin(report: &Report) -> Option<String> {
    let network = report.network.as_ref().map(|network| format!("{network} network"));
    let fold = report.fold.as_ref().map(|fold| format!("folded: {fold}"));
    let parts: Vec<String> = report.encoder.clone().into_iter().chain(network).chain(fold).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// Accuracy in percent by dim: a line for each of `solid`, and for each of `dashed`, which are in the same order.
pub(crate) fn accuracy(
    name: &'static str,
    title: String,
    subtitle: Option<String>,
    solid: &[Curve],
    dashed: &[Curve],
    bars: &str,
) -> Option<Chart> {
    let line = |look: Look, suffix: &str, curve: &Curve| Line {
        label: format!("{}{suffix}", curve.name),
        colour: COLOURS[curve.series % COLOURS.len()],
        look,
        points: curve
            .points
            .iter()
            .map(|point| Point {
                x: point.dim as f64,
                y: 100.0 * point.value,
                interval: point.interval.map(|ends| ends.map(|end| 100.0 * end)),
                hollow: point.untrained,
            })
            .collect(),
    };
    let suffixes = if solid.is_empty() || dashed.is_empty() { ["", ""] } else { [", 1-NN", ", k-NN"] };
    let solid = solid.iter().map(|curve| line(Look::Solid, suffixes[0], curve));
    let dashed = dashed.iter().map(|curve| line(Look::Dashed, suffixes[1], curve));
    let lines: Vec<Line> = solid.chain(dashed).collect();
    let has_bars = lines.iter().flat_map(|line| &line.points).any(|point| point.interval.is_some());
    let bars = if has_bars { format!(" {bars}") } else { String::new() };
    (!lines.is_empty()).then(|| Chart {
        name,
        caption: format!("Accuracy on the test rows by the number of dims that are read.{bars}"),
        drawing: Drawing::Lines(LineChart {
            title,
            subtitle,
            x: dims_axis("dims (log scale)"),
            y: Axis { label: "accuracy (%)".to_owned(), scale: Scale::Linear },
            lines,
            notes: Vec::new(),
        }),
    })
}

fn dims_axis(label: &str) -> Axis {
    Axis { label: label.to_owned(), scale: Scale::Log2 }
}

fn confusion(report: &Report, prefix: &Measures) -> Option<Chart> {
    let probe = prefix.probe.last().filter(|probe| !probe.confusion.is_empty())?;
    let percent = |row: &Vec<usize>| {
        let total = row.iter().sum::<usize>().max(1) as f64;
        row.iter().map(|&count| 100.0 * count as f64 / total).collect()
    };
    Some(Chart {
        name: "confusion",
        caption: "Of the test rows of each class (a row of the picture), the percentage that the probe takes for each \
                  class (a column)."
            .to_owned(),
        drawing: Drawing::Grid(Grid {
            title: "Confusion matrix".to_owned(),
            subtitle: format!("probe on {} dims, % of each true class", prefix.dims.last()?),
            names: report.class_names.clone(),
            values: probe.confusion.iter().map(percent).collect(),
            most: 100.0,
            row_label: "true class",
            column_label: "predicted class",
        }),
    })
}

fn reliability(prefix: &Measures, probe: &ProbeScores) -> Option<Chart> {
    let line = |label: &str, index: usize, calibration: &Calibration| {
        let filled = calibration.bins.iter().filter(|bin| bin.count > 0);
        Line {
            label: format!("{label}, ECE {:.3}", calibration.ece),
            colour: COLOURS[index],
            look: if index == 0 { Look::Solid } else { Look::Dashed },
            points: filled.map(|bin| Point::new(bin.confidence, bin.accuracy)).collect(),
        }
    };
    let diagonal = Line {
        label: "perfect".to_owned(),
        colour: COLOURS[6],
        look: Look::Plain,
        points: vec![Point::new(0.0, 0.0), Point::new(1.0, 1.0)],
    };
    let scaled = probe.scaled.as_ref().map(|scaled| line("temperature scaled", 1, scaled));
    let lines = [line("as fitted", 0, &probe.raw)].into_iter().chain(scaled).chain([diagonal]).collect();
    Some(Chart {
        name: "reliability",
        caption: "How often the probe is right, by how sure it is. Below the diagonal it is too sure of itself; the \
                  expected calibration error (ECE) is the mean distance from it."
            .to_owned(),
        drawing: Drawing::Lines(LineChart {
            title: "Reliability".to_owned(),
            subtitle: Some(format!("probe on {} dims", prefix.dims.last()?)),
            x: Axis { label: "confidence".to_owned(), scale: Scale::Within(0.0, 1.0) },
            y: Axis { label: "accuracy".to_owned(), scale: Scale::Within(0.0, 1.0) },
            lines,
            notes: Vec::new(),
        }),
    })
}

fn cascade(prefix: &Measures) -> Option<Chart> {
    let cascade = prefix.cascade.as_ref()?;
    let line = |label: &str, index: usize, look: Look, points: Vec<(f64, f64)>| Line {
        label: label.to_owned(),
        colour: COLOURS[index],
        look,
        points: points.into_iter().map(|(dims, accuracy)| Point::new(dims, 100.0 * accuracy)).collect(),
    };
    let of = |cost: &crate::CascadeCost| (cost.expected_dims, cost.accuracy);
    let fixed = prefix.dims.iter().zip(&prefix.logreg).map(|(&dim, &accuracy)| (dim as f64, accuracy));
    let lossless = cascade.points.get(cascade.lossless)?;
    Some(Chart {
        name: "cascade",
        caption: "A cascade reads a longer prefix only where the probe is not sure enough. Thresholds are fitted on \
                  held-out training rows; the marked one loses nothing there. The oracle stops at the first dim that is \
                  right: no thresholds can do better."
            .to_owned(),
        drawing: Drawing::Lines(LineChart {
            title: "Adaptive classification".to_owned(),
            subtitle: Some("accuracy against the numbers that are read of a row, on average".to_owned()),
            x: dims_axis("expected dims (log scale)"),
            y: Axis { label: "accuracy (%)".to_owned(), scale: Scale::Linear },
            lines: vec![
                line("cascade", 0, Look::Solid, cascade.points.iter().map(|point| of(&point.cost)).collect()),
                line("one prefix for all", 1, Look::Dashed, fixed.collect()),
                line("no loss held out", 2, Look::Points, vec![of(&lossless.cost)]),
                line("oracle", 3, Look::Points, vec![of(&cascade.oracle)]),
            ],
            notes: Vec::new(),
        }),
    })
}

fn variance(report: &Report) -> Option<Chart> {
    let total: f64 = report.variance.iter().sum();
    let shares = report.variance.iter().map(|variance| 100.0 * variance / total).enumerate();
    let points: Vec<Point> = shares.map(|(index, share)| Point::new((index + 1) as f64, share)).collect();
    (total > 0.0).then(|| Chart {
        name: "variance",
        caption: "How the embedding's variance is spread over its numbers. Numbers near zero carry nothing: a collapse \
                  shows here."
            .to_owned(),
        drawing: Drawing::Lines(LineChart {
            title: "Variance of each number".to_owned(),
            subtitle: Some("share of the sum over all, on the training set".to_owned()),
            x: dims_axis("position in the embedding (log scale)"),
            y: Axis { label: "share of the variance (%)".to_owned(), scale: Scale::Linear },
            lines: vec![Line { label: "variance".to_owned(), colour: COLOURS[0], look: Look::Plain, points }],
            notes: Vec::new(),
        }),
    })
}

fn effective_rank(report: &Report) -> Option<Chart> {
    let measured = || report.all_measures().filter(|(_, measures)| !measures.effective_rank.is_empty());
    let line = |(index, (label, measures)): (usize, (String, &Measures))| Line {
        label,
        colour: COLOURS[index % COLOURS.len()],
        look: Look::Solid,
        points: measures
            .dims
            .iter()
            .zip(&measures.effective_rank)
            .map(|(&dim, &rank)| Point::new(dim as f64, rank))
            .collect(),
    };
    let lines: Vec<Line> = measured().enumerate().map(line).collect();
    (!lines.is_empty()).then(|| Chart {
        name: "rank",
        caption: "How many directions carry the variance of a prefix: the exponential of the entropy of its \
                  covariance's eigenvalues."
            .to_owned(),
        drawing: Drawing::Lines(LineChart {
            title: "Effective rank".to_owned(),
            subtitle: Some("on the training set".to_owned()),
            x: dims_axis("dims (log scale)"),
            y: Axis { label: "effective rank".to_owned(), scale: Scale::Linear },
            lines,
            notes: Vec::new(),
        }),
    })
}
