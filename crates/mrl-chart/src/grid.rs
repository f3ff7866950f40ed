use std::sync::Arc;

use kuva::{
    plot::heatmap::{ColorMap, Heatmap},
    render::{
        layout::Layout,
        plots::Plot,
        render::{Scene, render_multiple},
    },
};

use crate::Shade;

/// Pixels of a side.
const SIDE: f64 = 1000.0;

/// Above this many rows numbers have no room in their cells.
const MOST_NUMBERS: usize = 20;

/// Numbers in rows and columns of the same names, shown as colours.
#[derive(Clone, Debug)]
pub struct Grid {
    /// What is drawn.
    pub title: String,
    /// Of what.
    pub subtitle: String,
    /// Of rows and columns.
    pub names: Vec<String>,
    /// `[names, names]`.
    pub values: Vec<Vec<f64>>,
    /// The number that has the strongest colour; 0 has none.
    pub most: f64,
    /// What rows are.
    pub row_label: &'static str,
    /// What columns are.
    pub column_label: &'static str,
}

impl Grid {
    pub(crate) fn scene(&self, shade: Shade) -> Scene {
        // The heatmap says where between its least and its largest number one lies.
        let values = || self.values.iter().flatten().copied();
        let (low, high) =
            (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
        let most = self.most;
        let share = move |place: f64| (low + place * (high - low)) / most;
        let mut plot = Heatmap::new()
            .with_data(self.values.iter().map(|row| row.iter().copied()))
            .with_labels(self.names.clone(), self.names.clone())
            .with_y_categories(self.names.clone())
            .with_color_map(ColorMap::Custom(Arc::new(move |place| colour(shade, share(place)))));
        // Names from bottom to top, as the heatmap has its rows.
        let upwards = self.names.iter().rev().cloned().collect();
        if self.names.len() <= MOST_NUMBERS {
            plot = plot.with_values();
        }
        let plots = vec![Plot::Heatmap(plot)];
        let layout = Layout::auto_from_plots(&plots)
            .with_theme(shade.theme())
            .with_x_categories(self.names.clone())
            .with_y_categories(upwards)
            .with_width(SIDE)
            .with_height(SIDE)
            .with_title(&self.title)
            .with_subtitle(&self.subtitle)
            .with_subtitle_size(16)
            .with_x_tick_rotate(-45.0)
            .with_x_label(self.column_label)
            .with_y_label(self.row_label)
            .with_title_size(24)
            .with_label_size(20)
            .with_tick_size(if self.names.len() <= MOST_NUMBERS { 16 } else { 8 })
            .with_body_size(16);
        render_multiple(plots, layout)
    }
}

/// From the page's colour to a blue on which the page's ink can still be read.
fn colour(shade: Shade, share: f64) -> String {
    let (from, to) = match shade {
        Shade::Light => ([255.0, 255.0, 255.0], [86.0, 180.0, 233.0]),
        Shade::Dark => ([22.0, 24.0, 29.0], [0.0, 114.0, 178.0]),
    };
    let [red, green, blue] = [0, 1, 2].map(|index: usize| {
        let channel: f64 = from[index] + (to[index] - from[index]) * share.clamp(0.0, 1.0);
        channel.round() as u8
    });
    format!("#{red:02x}{green:02x}{blue:02x}")
}
