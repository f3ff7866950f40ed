//! Search nested embeddings: short prefixes to shortlist, the full vector to rerank.
//!
//! An [`Index`] is a file of rows that is searched where it lies. Answers are those of a plain loop over all rows in `f64`
//! ([`Schedule::exact`]), or as many of them as a funnel of prefixes keeps. A [`Writer`] changes it while others read.
//!
//! ```
//! use mrl_embedding::EmbeddingSet;
//! use mrl_retrieve::{BuildOptions, Id, Index, Schedule, Writer};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("rows.index");
//! let numbers = (0..1000 * 16).map(|place| (place as f32).sin()).collect();
//! let rows = EmbeddingSet::new(numbers, 16)?;
//! BuildOptions { dims: vec![4, 8], ..BuildOptions::default() }.build(&rows, &path)?;
//!
//! let index = Index::open(&path)?;
//! let exact = index.searcher()?.search(rows.row(7), 3, &Schedule::exact())?;
//! let funnel = index.searcher()?.search(rows.row(7), 3, &"4:200,8:50,16".parse()?)?;
//! assert_eq!(index.id(exact.positions()[0])?, Id::Number(7));
//! assert_eq!(funnel.positions()[0], exact.positions()[0]);
//!
//! Writer::open(&path)?.remove(&[Id::Number(7)])?;
//! assert_eq!(Index::open(&path)?.len(), 999);
//! # Ok(())
//! # }
//! ```

mod build;
mod error;
mod file;
mod ids;
mod index;
mod layout;
#[cfg(feature = "postgres")]
pub mod postgres;
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
