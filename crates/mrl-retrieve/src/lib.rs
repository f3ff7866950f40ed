//! Search nested embeddings: short prefixes to shortlist, the full vector to rerank.

mod build;
mod error;
mod file;
mod ids;
mod index;
mod layout;
mod quantise;
mod rotation;
mod schedule;
mod search;
mod segment;
mod source;
mod space;
mod vector;
mod writer;

pub use build::{BuildOptions, Rotate};
pub use error::Error;
pub use ids::{Id, IdKind, Ids};
pub use index::{Index, Info};
pub use quantise::Dtype;
pub use schedule::{Schedule, ScheduleError, Stage};
pub use search::{Hits, Searcher};
#[cfg(feature = "parquet")]
pub use source::{Parquet, ParquetColumns};
pub use source::{Source, Visit};
pub use space::Metric;
pub use writer::Writer;

/// Of this program; every index names that which changed it last.
const VERSION: &str = env!("CARGO_PKG_VERSION");

#[cfg(test)]
mod tests;
