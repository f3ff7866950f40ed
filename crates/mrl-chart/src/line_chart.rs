use kuva::{
    plot::{
        LinePlot,
        legend::{LegendEntry, LegendPosition, LegendShape},
        line::LineStyle,
        scatter::{MarkerShape, ScatterPlot},
    },
    render::{
        layout::Layout,
        plots::Plot,
        render::{Scene, render_multiple},
    },
};

use crate::{Scale, Shade};

/// Pixels of a chart.
const WIDTH: f64 = 1200.0;
const HEIGHT: f64 = 750.0;

/// Okabe & Ito's palette, which colour-blind readers can tell apart.
pub const COLOURS: [&str; 7] = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C8C8C"];

/// Pixels of a marker, of one whose core is the background's, and of a star.
const MARKER: f64 = 7.0;
const CORE: f64 = 4.5;
const STAR: f64 = 13.0;

/// Lines over common axes.
#[derive(Clone, Debug)]
pub struct LineChart {
    /// What is drawn.
    pub title: String,
    /// Of what.
    pub subtitle: Option<String>,
    /// From left to right.
    pub x: Axis,
    /// From bottom to top.
    pub y: Axis,
    /// What is drawn, later ones over earlier ones.
    pub lines: Vec<Line>,
    /// What stands beside points.
    pub notes: Vec<Note>,
}

/// An axis.
#[derive(Clone, Debug)]
pub struct Axis {
    /// What it measures, with the unit.
    pub label: String,
    /// How values lie on it.
    pub scale: Scale,
}

/// Points that belong together.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its name in the legend.
    pub label: String,
    /// As in SVG, such as `#0072B2`.
    pub colour: &'static str,
    /// How it is drawn.
    pub look: Look,
    /// From one end to the other.
    pub points: Vec<Point>,
}

/// How a line is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// A line with markers.
    Solid,
    /// A dashed line with markers.
    Dashed,
    /// Markers alone.
    Points,
    /// Large stars alone.
    Stars,
    /// A line alone.
    Plain,
}

/// A point of a line.
#[derive(Clone, Copy, Debug)]
pub struct Point {
    /// Its value on the axis from left to right.
    pub x: f64,
    /// Its value on the axis from bottom to top.
    pub y: f64,
    /// Ends of the error bar.
    pub interval: Option<[f64; 2]>,
    /// Whether the core of the marker is left out.
    pub hollow: bool,
}

impl Point {
    /// A full point without an error bar.
    #[must_use]
    pub fn new(x: f64, y: f64) -> Self {
        Self { x, y, interval: None, hollow: false }
    }
}

/// Words beside a point; they keep off each other and within the axes.
#[derive(Clone, Debug)]
pub struct Note {
    /// The point's value on the axis from left to right.
    pub x: f64,
    /// The point's value on the axis from bottom to top.
    pub y: f64,
    /// What it says.
    pub text: String,
}

impl LineChart {
    pub(crate) fn scene(&self, shade: Shade) -> Scene {
        let layout = self
            .layout(shade)
            .with_width(WIDTH)
            .with_height(HEIGHT)
            .with_legend_entries(self.legend(shade))
            .with_legend_position(LegendPosition::OutsideRightTop);
        render_multiple(self.plots(shade), layout)
    }

    /// What lies between the axes.
    pub(crate) fn plots(&self, shade: Shade) -> Vec<Plot> {
        let background = shade.theme().background;
        let lines =
            self.lines.iter().enumerate().flat_map(|(index, line)| self.draw(index, line, &background));
        lines.chain(self.noted()).collect()
    }

    /// The line, its markers, and a core of the background's colour in those that are hollow.
    fn draw(&self, index: usize, line: &Line, background: &str) -> Vec<Plot> {
        let place = |point: &Point| self.place(point.x, point.y);
        let all: Vec<(f64, f64)> = line.points.iter().map(place).collect();
        let arm = |point: &Point| {
            let [low, high] = point.interval.unwrap_or([point.y; 2]).map(|end| self.y.scale.place(end));
            let middle = self.y.scale.place(point.y);
            ((middle - low).max(0.0), (high - middle).max(0.0))
        };
        let mut plots = Vec::new();
        if line.look.has_line() {
            let mut plot = LinePlot::new()
                .with_data(all.iter().copied())
                .with_color(line.colour)
                .with_stroke_width(3.0)
                .with_line_style(line.style());
            if line.points.iter().any(|point| point.interval.is_some()) {
                plot = plot.with_y_err_asymmetric(line.points.iter().map(arm));
            }
            plots.push(Plot::Line(plot));
        }
        if line.look != Look::Plain {
            let markers = |points: Vec<(f64, f64)>, colour: &str, size: f64| {
                let plot = ScatterPlot::new().with_data(points).with_color(colour).with_size(size);
                Plot::Scatter(plot.with_marker(line.look.marker(index)))
            };
            let hollow = line.points.iter().filter(|point| point.hollow).map(place).collect();
            plots.push(markers(all, line.colour, if line.look == Look::Stars { STAR } else { MARKER }));
            plots.push(markers(hollow, background, CORE));
        }
        plots
    }

    /// The notes, where there are any: labels of points that are not drawn, as far from them as the largest marker is.
    fn noted(&self) -> Option<Plot> {
        let points = self.notes.iter().map(|note| self.place(note.x, note.y));
        let plot = ScatterPlot::new()
            .with_data(points)
            .with_size(STAR)
            .with_marker_opacity(0.0)
            .with_labels(self.notes.iter().map(|note| note.text.clone()))
            .with_repel_labels();
        (!self.notes.is_empty()).then_some(Plot::Scatter(plot))
    }

    fn place(&self, x: f64, y: f64) -> (f64, f64) {
        (self.x.scale.place(x), self.y.scale.place(y))
    }

    /// Axes and titles.
    pub(crate) fn layout(&self, shade: Shade) -> Layout {
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let ends = |point: &Point| point.interval.unwrap_or([point.y; 2]);
        let x = self.x.scale.range(points().map(|point| point.x));
        let y = self.y.scale.range(points().flat_map(ends).chain(points().map(|point| point.y)));
        let mut layout = Layout::new((x.low, x.high), (y.low, y.high))
            .with_theme(shade.theme())
            .with_title(&self.title)
            .with_x_label(&self.x.label)
            .with_y_label(&self.y.label)
            .with_x_tick_format(self.x.scale.format(x.step))
            .with_y_tick_format(self.y.scale.format(y.step))
            .with_x_axis_min(x.ends[0])
            .with_x_axis_max(x.ends[1])
            .with_y_axis_min(y.ends[0])
            .with_y_axis_max(y.ends[1])
            .with_title_size(24)
            .with_label_size(20)
            .with_tick_size(18)
            .with_body_size(18);
        if let Some(step) = x.step {
            layout = layout.with_x_tick_step(step);
        }
        if let Some(step) = y.step {
            layout = layout.with_y_tick_step(step);
        }
        if self.x.scale == Scale::Log10 {
            layout = layout.with_log_x();
        }
        if self.y.scale == Scale::Log10 {
            layout = layout.with_log_y();
        }
        if let Some(subtitle) = &self.subtitle {
            layout = layout.with_subtitle(subtitle).with_subtitle_size(16);
        }
        layout
    }

    pub(crate) fn legend(&self, shade: Shade) -> Vec<LegendEntry> {
        let entry = |(index, line): (usize, &Line)| LegendEntry {
            label: line.label.clone(),
            color: line.colour.to_owned(),
            shape: if line.look.has_line() {
                LegendShape::Line
            } else {
                LegendShape::Marker(line.look.marker(index))
            },
            dasharray: line.style().dasharray(),
        };
        let mut entries: Vec<LegendEntry> = self.lines.iter().enumerate().map(entry).collect();
        if self.lines.iter().flat_map(|line| &line.points).any(|point| point.hollow) {
            entries.push(LegendEntry {
                // A marker of the legend has no outline: the text has it.
                label: "○ dim not trained".to_owned(),
                color: shade.theme().background,
                shape: LegendShape::Marker(MarkerShape::Circle),
                dasharray: None,
            });
        }
        entries
    }
}

impl Line {
    fn style(&self) -> LineStyle {
        if self.look == Look::Dashed { LineStyle::Dashed } else { LineStyle::Solid }
    }
}

impl Look {
    fn has_line(self) -> bool {
        !matches!(self, Self::Points | Self::Stars)
    }

    /// Lines differ in shape as well as in colour.
    fn marker(self, index: usize) -> MarkerShape {
        let shapes = [MarkerShape::Circle, MarkerShape::Square, MarkerShape::Triangle, MarkerShape::Diamond];
        if self == Self::Stars { MarkerShape::Star } else { shapes[index % shapes.len()] }
    }
}
