use kuva::{
    plot::legend_plot::LegendPlot,
    render::{figure::Figure, layout::Layout, plots::Plot, render::Scene},
};

use crate::{LineChart, Shade};

/// Pixels of a panel, and of the legend below all.
const WIDTH: f64 = 780.0;
const HEIGHT: f64 = 600.0;
const LEGEND_HEIGHT: f64 = 64.0;

/// Charts of lines side by side, whose lines have the same names: one legend is below all.
#[derive(Clone, Debug)]
pub struct Panels {
    /// What is drawn.
    pub title: String,
    /// Charts in a row.
    pub columns: usize,
    /// Row by row; all rows are full.
    pub charts: Vec<LineChart>,
}

impl Panels {
    pub(crate) fn scene(&self, shade: Shade) -> Scene {
        let (rows, columns) = (self.charts.len() / self.columns, self.columns);
        let last_row = (rows * columns..(rows + 1) * columns).collect();
        let cells = (0..rows * columns).map(|cell| vec![cell]).chain([last_row]).collect();
        let mut plots: Vec<Vec<Plot>> = self.charts.iter().map(|chart| chart.plots(shade)).collect();
        let mut layouts: Vec<Layout> = self.charts.iter().map(|chart| chart.layout(shade)).collect();
        let entries = self.charts.first().map(|chart| chart.legend(shade)).unwrap_or_default();
        let count = entries.len();
        let legend = LegendPlot::from_entries(entries).with_cols(count).without_box();
        plots.push(vec![Plot::LegendPlot(legend)]);
        layouts.push(Layout::new((0.0, 1.0), (0.0, 1.0)).with_theme(shade.theme()).with_body_size(18));
        Figure::new(rows + 1, columns)
            .with_structure(cells)
            .with_plots(plots)
            .with_layouts(layouts)
            .with_cell_size(WIDTH, HEIGHT)
            .with_row_height(rows, LEGEND_HEIGHT)
            .with_title(&self.title)
            .with_title_size(26)
            .render()
    }
}
