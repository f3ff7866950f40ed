//! Charts of lines and of grids, as SVG and PNG. Only this crate knows what draws them.
//!
//! ```
//! use mrl_chart::{Axis, Drawing, LineChart, Line, Look, COLOURS, Point, Scale};
//!
//! let points = [(8.0, 41.5), (16.0, 47.0), (32.0, 48.9)].map(|(dims, accuracy)| Point::new(dims, accuracy));
//! let line = Line { label: "probe".to_owned(), colour: COLOURS[0], look: Look::Solid, points: points.to_vec() };
//! let chart = LineChart {
//!     title: "Accuracy".to_owned(),
//!     subtitle: None,
//!     x: Axis { label: "dims".to_owned(), scale: Scale::Log2 },
//!     y: Axis { label: "accuracy (%)".to_owned(), scale: Scale::Linear },
//!     lines: vec![line],
//!     notes: Vec::new(),
//! };
//! assert!(Drawing::Lines(chart).svg().starts_with("<svg"));
//! ```

mod grid;
mod line_chart;
mod origin;
mod panels;
mod scale;

pub use grid::Grid;
pub use line_chart::{Axis, COLOURS, Line, LineChart, Look, Note, Point};
pub use origin::is_chart;
pub use panels::Panels;
pub use scale::Scale;

use kuva::{
    backend::{raster::RasterBackend, svg::SvgBackend},
    render::{render::Scene, theme::Theme},
};

/// Colours for a page of ink on white, or of light on dark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shade {
    /// Ink on white.
    Light,
    /// Light on dark.
    Dark,
}

/// What can be drawn.
#[derive(Clone, Debug)]
pub enum Drawing {
    /// Lines over common axes.
    Lines(LineChart),
    /// Numbers in rows and columns.
    Grid(Grid),
    /// Several charts of lines.
    Panels(Panels),
}

impl Drawing {
    /// What is drawn, in a few words.
    #[must_use]
    pub fn title(&self) -> &str {
        match self {
            Self::Lines(lines) => &lines.title,
            Self::Grid(grid) => &grid.title,
            Self::Panels(panels) => &panels.title,
        }
    }

    /// As SVG with its font inside, which makes megabytes of it; on white. [`is_chart`] knows it again.
    #[must_use]
    pub fn svg(&self) -> String {
        origin::sign_svg(&SvgBackend::new().with_embedded_font(true).render_scene(&self.scene(Shade::Light)))
    }

    /// As SVG for a page, in a font of the reader's.
    #[must_use]
    pub fn svg_without_font(&self, shade: Shade) -> String {
        SvgBackend::new().with_embedded_font(false).render_scene(&self.scene(shade))
    }

    /// As PNG, on white. [`is_chart`] knows it again.
    ///
    /// # Errors
    /// What the encoder said.
    pub fn png(&self) -> Result<Vec<u8>, String> {
        Ok(origin::sign_png(&RasterBackend::new().with_scale(1.0).render_scene(&self.scene(Shade::Light))?))
    }

    fn scene(&self, shade: Shade) -> Scene {
        match self {
            Self::Lines(lines) => lines.scene(shade),
            Self::Grid(grid) => grid.scene(shade),
            Self::Panels(panels) => panels.scene(shade),
        }
    }
}

impl Shade {
    fn theme(self) -> Theme {
        match self {
            Self::Light => Theme::light(),
            Self::Dark => Theme { background: "#16181d".to_owned(), ..Theme::dark() },
        }
    }
}
