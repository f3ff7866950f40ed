//! Everything that a person sees: tables, charts, pages.

mod chart;
mod charts;
mod comparison;
mod curve;
mod output;
mod page;
mod report_page;
mod summary;
mod table;
mod tables;

pub use comparison::{ComparedRun, Comparison};
pub use output::{Document, Images, NamedFile};
pub use summary::{Spread, Spreads, Summary};
