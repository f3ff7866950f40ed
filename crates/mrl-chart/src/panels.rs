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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Axis, COLOURS, Drawing, Line, Look, Note, Point, Scale};

    fn chart(title: &str, look: Look) -> LineChart {
        let line = Line {
            label: "schedules".to_owned(),
            colour: COLOURS[0],
            look,
            points: vec![Point::new(2e3, 0.91), Point::new(7e4, 0.8)],
        };
        LineChart {
            title: title.to_owned(),
            subtitle: None,
            x: Axis { label: "queries/s".to_owned(), scale: Scale::Log10 },
            y: Axis { label: "recall".to_owned(), scale: Scale::Linear },
            lines: vec![line],
            notes: vec![Note { x: 2e3, y: 0.91, text: format!("the best {title}") }],
        }
    }

    #[test]
    fn all_charts_are_there_with_one_legend() {
        let charts = vec![chart("by day", Look::Points), chart("by night", Look::Stars)];
        let panels = Panels { title: "Two charts".to_owned(), columns: 2, charts };
        let svg = Drawing::Panels(panels).svg_without_font(Shade::Light);
        for (words, times) in [
            ("Two charts", 1),
            ("by day", 1),
            ("by night", 1),
            ("the best by day", 1),
            ("the best by night", 1),
            ("schedules", 1),
            ("queries/s", 2),
            ("2k", 2),
            ("50k", 2),
        ] {
            assert_eq!(svg.matches(&format!(">{words}<")).count(), times, "{words}");
        }
    }
}
