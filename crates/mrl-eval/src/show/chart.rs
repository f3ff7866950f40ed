use kuva::{
    backend::{raster::RasterBackend, svg::SvgBackend},
    render::{render::Scene, theme::Theme},
};

use super::{grid::Grid, line_chart::LineChart};

/// Pixels of a chart.
pub(crate) const WIDTH: f64 = 1200.0;
pub(crate) const HEIGHT: f64 = 750.0;

/// Colours for a page of ink on white, or of light on dark.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shade {
    Light,
    Dark,
}

impl Shade {
    pub(crate) fn theme(self) -> Theme {
        match self {
            Self::Light => Theme::light(),
            Self::Dark => Theme { background: "#16181d".to_owned(), ..Theme::dark() },
        }
    }
}

/// Something drawn, and how to read it.
pub(crate) struct Chart {
    /// The stem of its files.
    pub(crate) name: &'static str,
    /// What is seen, in a sentence or two.
    pub(crate) caption: String,
    pub(crate) drawing: Drawing,
}

pub(crate) enum Drawing {
    Lines(LineChart),
    Grid(Grid),
}

impl Chart {
    fn scene(&self, shade: Shade) -> Scene {
        match &self.drawing {
            Drawing::Lines(lines) => lines.scene(shade),
            Drawing::Grid(grid) => grid.scene(shade),
        }
    }

    pub(crate) fn title(&self) -> &str {
        match &self.drawing {
            Drawing::Lines(lines) => &lines.title,
            Drawing::Grid(grid) => &grid.title,
        }
    }

    /// The chart as SVG with its font inside, which makes megabytes of it.
    pub(crate) fn svg(&self) -> String {
        SvgBackend::new().with_embedded_font(true).render_scene(&self.scene(Shade::Light))
    }

    /// The chart as SVG for a page, in a font of the reader's.
    pub(crate) fn svg_without_font(&self, shade: Shade) -> String {
        SvgBackend::new().with_embedded_font(false).render_scene(&self.scene(shade))
    }

    /// The chart as PNG.
    pub(crate) fn png(&self) -> Result<Vec<u8>, String> {
        RasterBackend::new().with_scale(1.0).render_scene(&self.scene(Shade::Light))
    }
}
