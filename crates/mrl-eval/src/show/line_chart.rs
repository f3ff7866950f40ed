use std::sync::Arc;

use kuva::{
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

use super::chart::{HEIGHT, Shade, WIDTH};

/// Okabe & Ito's palette, which colour-blind readers can tell apart.
pub(crate) const COLOURS: [&str; 7] =
    ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C8C8C"];

/// Lines over common axes.
pub(crate) struct LineChart {
    pub(crate) title: String,
    pub(crate) subtitle: Option<String>,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) lines: Vec<Line>,
}

pub(crate) struct Axis {
    pub(crate) label: String,
    pub(crate) scale: Scale,
}

/// How values lie on an axis.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Scale {
    /// By their logarithm to base 2; whole powers have ticks.
    Log2,
    /// As they are, from the smallest to the largest.
    Linear,
    /// As they are, over this range.
    Within(f64, f64),
}

pub(crate) struct Line {
    pub(crate) label: String,
    pub(crate) colour: &'static str,
    pub(crate) look: Look,
    pub(crate) points: Vec<Point>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    Solid,
    Dashed,
    /// Markers alone.
    Points,
    /// A line alone.
    Plain,
}

#[derive(Clone, Copy)]
pub(crate) struct Point {
    pub(crate) x: f64,
    pub(crate) y: f64,
    /// Ends of the error bar.
    pub(crate) interval: Option<[f64; 2]>,
    pub(crate) hollow: bool,
}

impl Point {
    pub(crate) fn new(x: f64, y: f64) -> Self {
        Self { x, y, interval: None, hollow: false }
    }
}

impl LineChart {
    pub(crate) fn scene(&self, shade: Shade) -> Scene {
        let background = shade.theme().background;
        let plots =
            self.lines.iter().enumerate().flat_map(|(index, line)| self.draw(index, line, &background));
        render_multiple(plots.collect(), self.layout(shade))
    }

    /// The line, its markers, and a core of the background's colour in those that are hollow.
    fn draw(&self, index: usize, line: &Line, background: &str) -> Vec<Plot> {
        let place = |point: &Point| (self.x.scale.place(point.x), self.y.scale.place(point.y));
        let all: Vec<(f64, f64)> = line.points.iter().map(place).collect();
        let arm = |point: &Point| {
            let [low, high] = point.interval.unwrap_or([point.y; 2]).map(|end| self.y.scale.place(end));
            let middle = self.y.scale.place(point.y);
            ((middle - low).max(0.0), (high - middle).max(0.0))
        };
        let mut plots = Vec::new();
        if line.look != Look::Points {
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
                Plot::Scatter(plot.with_marker(marker(index)))
            };
            let hollow = line.points.iter().filter(|point| point.hollow).map(place).collect();
            plots.push(markers(all, line.colour, 7.0));
            plots.push(markers(hollow, background, 4.5));
        }
        plots
    }

    fn layout(&self, shade: Shade) -> Layout {
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let ends = |point: &Point| point.interval.unwrap_or([point.y; 2]);
        let x = self.x.scale.range(points().map(|point| point.x));
        let y = self.y.scale.range(points().flat_map(ends).chain(points().map(|point| point.y)));
        let mut layout = Layout::new((x.low, x.high), (y.low, y.high))
            .with_theme(shade.theme())
            .with_width(WIDTH)
            .with_height(HEIGHT)
            .with_title(&self.title)
            .with_x_label(&self.x.label)
            .with_y_label(&self.y.label)
            .with_x_tick_step(x.step)
            .with_y_tick_step(y.step)
            .with_x_tick_format(self.x.scale.format(x.step))
            .with_y_tick_format(self.y.scale.format(y.step))
            .with_x_axis_min(x.low - x.margin)
            .with_x_axis_max(x.high + x.margin)
            .with_y_axis_min(y.low - y.margin)
            .with_y_axis_max(y.high + y.margin)
            .with_title_size(24)
            .with_label_size(20)
            .with_tick_size(18)
            .with_body_size(18)
            .with_legend_entries(self.legend(shade))
            .with_legend_position(LegendPosition::OutsideRightTop);
        if let Some(subtitle) = &self.subtitle {
            layout = layout.with_subtitle(subtitle).with_subtitle_size(16);
        }
        layout
    }

    fn legend(&self, shade: Shade) -> Vec<LegendEntry> {
        let entry = |(index, line): (usize, &Line)| LegendEntry {
            label: line.label.clone(),
            color: line.colour.to_owned(),
            shape: if line.look == Look::Points {
                LegendShape::Marker(marker(index))
            } else {
                LegendShape::Line
            },
            dasharray: line.style().dasharray(),
        };
        let mut entries: Vec<LegendEntry> = self.lines.iter().enumerate().map(entry).collect();
        if self.lines.iter().flat_map(|line| &line.points).any(|point| point.hollow) {
            entries.push(LegendEntry {
                label: "hollow: dim not trained".to_owned(),
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

/// Lines differ in shape as well as in colour.
fn marker(index: usize) -> MarkerShape {
    [MarkerShape::Circle, MarkerShape::Square, MarkerShape::Triangle, MarkerShape::Diamond][index % 4]
}

/// What an axis shows.
struct Range {
    low: f64,
    high: f64,
    step: f64,
    /// Room beyond both ends.
    margin: f64,
}

impl Scale {
    fn place(self, value: f64) -> f64 {
        match self {
            Self::Log2 => value.max(f64::MIN_POSITIVE).log2(),
            Self::Linear | Self::Within(..) => value,
        }
    }

    fn range(self, values: impl Iterator<Item = f64>) -> Range {
        if let Self::Within(low, high) = self {
            return Range { low, high, step: tick_step(high - low), margin: 0.0 };
        }
        let (low, high) = values
            .map(|value| self.place(value))
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        let (low, high) = if low.is_finite() { (low, high) } else { (0.0, 1.0) };
        if self == Self::Log2 {
            return Range {
                low: low.floor(),
                high: high.ceil().max(low.floor() + 1.0),
                step: 1.0,
                margin: 0.15,
            };
        }
        let step = tick_step(high - low);
        let low = (low / step).floor() * step;
        Range { low, high: ((high / step).ceil() * step).max(low + step), step, margin: 0.0 }
    }

    fn format(self, step: f64) -> TickFormat {
        let decimals = (-step.log10()).ceil().clamp(0.0, 6.0) as usize;
        match self {
            Self::Log2 => TickFormat::Custom(Arc::new(|log: f64| shortest(log.exp2()))),
            Self::Linear | Self::Within(..) => {
                TickFormat::Custom(Arc::new(move |value: f64| format!("{value:.decimals$}")))
            }
        }
    }
}

/// A power of two as people write it.
fn shortest(value: f64) -> String {
    if value >= 1.0 { format!("{value:.0}") } else { format!("{value}") }
}

/// A round step that gives four to ten ticks; 1 for values that are all the same.
fn tick_step(range: f64) -> f64 {
    if range <= 0.0 {
        return 1.0;
    }
    let power = 10f64.powf((range / 9.0).log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .map(|step| step * power)
        .into_iter()
        .find(|step| range / step <= 9.0)
        .unwrap_or(power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        for (range, step) in [(0.9, 0.1), (1.0, 0.2), (37.0, 5.0), (80.0, 10.0), (0.0, 1.0), (4e6, 5e5)] {
            assert!((tick_step(range) / step - 1.0).abs() < 1e-9, "{range}: {}", tick_step(range));
        }
    }

    #[test]
    fn an_axis_has_room_for_its_values() {
        let range = Scale::Linear.range([33.1, 48.9].into_iter());
        assert_eq!((range.low, range.high, range.step), (32.0, 50.0, 2.0));
        let range = Scale::Log2.range([8.0, 500.0].into_iter());
        assert_eq!((range.low, range.high), (3.0, 9.0));
        let range = Scale::Linear.range(std::iter::empty());
        assert!(range.low < range.high);
    }
}
