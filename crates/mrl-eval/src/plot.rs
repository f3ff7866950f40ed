use kuva::{
    backend::{raster::RasterBackend, svg::SvgBackend},
    plot::{
        LinePlot,
        legend::{LegendEntry, LegendPosition, LegendShape},
        line::LineStyle,
        scatter::{MarkerShape, ScatterPlot},
    },
    render::{
        layout::{Layout, TickFormat},
        plots::Plot,
        render::{Scene, render_multiple},
    },
};

use crate::{Measures, Method, Report};

const WIDTH: f64 = 1200.0;
const HEIGHT: f64 = 800.0;

/// A drawn chart, in whichever format is asked for.
pub(crate) struct Chart(Scene);

impl Chart {
    /// The chart as SVG with its font inside.
    pub(crate) fn svg(&self) -> String {
        SvgBackend::new().with_embedded_font(true).render_scene(&self.0)
    }

    /// The chart as PNG.
    pub(crate) fn png(&self) -> Result<Vec<u8>, String> {
        RasterBackend::new().with_scale(1.0).render_scene(&self.0)
    }
}

/// One line of the chart.
struct Series {
    label: &'static str,
    /// From Okabe & Ito's palette, which colour-blind readers can tell apart.
    colour: &'static str,
    marker: MarkerShape,
    /// `log2` of the dim, accuracy in percent, and whether the marker is filled.
    points: Vec<(f64, f64, bool)>,
    dashed: bool,
}

/// Accuracy over dim, a line for each method and measure. Markers of prefixes that were not trained are hollow.
pub(crate) fn accuracy(report: &Report) -> Chart {
    let series: Vec<Series> =
        report.methods.iter().flat_map(|(&method, measures)| lines(report, method, measures)).collect();
    let hollow = series.iter().flat_map(|series| &series.points).any(|&(_, _, filled)| !filled);
    let mut legend: Vec<LegendEntry> = series.iter().map(legend_entry).collect();
    if hollow {
        legend.push(LegendEntry {
            label: "hollow: dim not trained".to_owned(),
            color: "white".to_owned(),
            shape: LegendShape::Marker(MarkerShape::Circle),
            dasharray: None,
        });
    }
    let layout = layout(report, &series, legend);
    let plots = series.iter().flat_map(draw).collect();
    Chart(render_multiple(plots, layout))
}

fn lines(report: &Report, method: Method, measures: &Measures) -> [Series; 2] {
    let (probe, neighbour) = match method {
        Method::Prefix => (
            ("prefix, probe", "#0072B2", MarkerShape::Circle),
            ("prefix, 1-NN", "#56B4E9", MarkerShape::Circle),
        ),
        _ => (("PCA, probe", "#D55E00", MarkerShape::Square), ("PCA, 1-NN", "#E69F00", MarkerShape::Square)),
    };
    let points = |accuracies: &[f64]| {
        let filled = |dim| method != Method::Prefix || report.is_trained(dim) != Some(false);
        let point = |(&dim, accuracy): (&usize, &f64)| ((dim as f64).log2(), 100.0 * accuracy, filled(dim));
        report.dims.iter().zip(accuracies).map(point).collect()
    };
    let series = |(label, colour, marker), accuracies: &[f64], dashed| Series {
        label,
        colour,
        marker,
        points: points(accuracies),
        dashed,
    };
    [series(probe, &measures.logreg, false), series(neighbour, &measures.knn1, true)]
}

fn style(series: &Series) -> LineStyle {
    if series.dashed { LineStyle::Dashed } else { LineStyle::Solid }
}

fn legend_entry(series: &Series) -> LegendEntry {
    LegendEntry {
        label: series.label.to_owned(),
        color: series.colour.to_owned(),
        shape: LegendShape::Line,
        dasharray: style(series).dasharray(),
    }
}

/// The line, its markers, and a white core on those that are hollow.
fn draw(series: &Series) -> [Plot; 3] {
    let line = LinePlot::new()
        .with_data(series.points.iter().map(|&(x, y, _)| (x, y)))
        .with_color(series.colour)
        .with_stroke_width(3.0)
        .with_line_style(style(series));
    let markers = |points: Vec<(f64, f64)>, colour: &str, size: f64| {
        ScatterPlot::new().with_data(points).with_color(colour).with_size(size).with_marker(series.marker)
    };
    let all = series.points.iter().map(|&(x, y, _)| (x, y)).collect();
    let hollow = series.points.iter().filter(|&&(_, _, filled)| !filled).map(|&(x, y, _)| (x, y)).collect();
    [
        Plot::Line(line),
        Plot::Scatter(markers(all, series.colour, 7.0)),
        Plot::Scatter(markers(hollow, "white", 4.5)),
    ]
}

fn layout(report: &Report, series: &[Series], legend: Vec<LegendEntry>) -> Layout {
    let logs: Vec<f64> = report.dims.iter().map(|&dim| (dim as f64).log2()).collect();
    let (first, last) = (logs[0].floor(), logs[logs.len() - 1].ceil());
    let accuracies = || series.iter().flat_map(|series| &series.points).map(|&(_, accuracy, _)| accuracy);
    let step = tick_step(accuracies().fold(0.0, f64::max) - accuracies().fold(100.0, f64::min));
    let lowest = (accuracies().fold(100.0, f64::min) / step).floor() * step;
    let highest = ((accuracies().fold(0.0, f64::max) / step).ceil() * step).max(lowest + step);
    let dim = TickFormat::Custom(std::sync::Arc::new(|log: f64| format!("{:.0}", log.exp2())));
    let layout = Layout::new((first, last), (lowest, highest))
        .with_width(WIDTH)
        .with_height(HEIGHT)
        .with_title(title(report))
        .with_x_label("dims (log scale)")
        .with_y_label("accuracy (%)")
        .with_x_tick_step(1.0)
        .with_x_tick_format(dim)
        .with_y_tick_step(step)
        .with_y_tick_format(TickFormat::Integer)
        .with_x_axis_min(first - 0.15)
        .with_x_axis_max(last + 0.15)
        .with_y_axis_min(lowest)
        .with_y_axis_max(highest)
        .with_title_size(24)
        .with_label_size(20)
        .with_tick_size(18)
        .with_body_size(18)
        .with_legend_entries(legend)
        .with_legend_position(LegendPosition::OutsideRightTop);
    match subtitle(report) {
        Some(subtitle) => layout.with_subtitle(subtitle).with_subtitle_size(16),
        None => layout,
    }
}

/// A round step that gives five to ten ticks.
fn tick_step(range: f64) -> f64 {
    [1.0, 2.0, 5.0].into_iter().find(|step| range / step <= 9.0).unwrap_or(10.0)
}

fn title(report: &Report) -> String {
    let on = report.test_dataset.as_ref().map(|dataset| format!(" on {dataset}"));
    format!("Accuracy by dimension{}", on.unwrap_or_default())
}

fn subtitle(report: &Report) -> Option<String> {
    let network = report.network.as_ref().map(|network| format!("{network} network"));
    let parts: Vec<String> = report.encoder.clone().into_iter().chain(network).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}
