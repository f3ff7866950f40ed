//! Search nested embeddings: short prefixes to shortlist, the full vector to rerank.
//!
//! An [`Index`] is one file. It is built from a [`Source`] of rows, searched by a [`Schedule`], and changed by a [`Writer`]. Nothing
//! here knows about images or encoders.
//!
//! ```
//! use mrl_embedding::EmbeddingSet;
//! use mrl_retrieve::{BuildOptions, Id, Index, Schedule};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("rows.index");
//! let rows = EmbeddingSet::new((0..64u8).map(|n| f32::from(n).sin()).collect(), 16)?; // 4 rows of 16 numbers
//! BuildOptions::default().build(&rows, &path)?;
//!
//! let index = Index::open(&path)?;
//! let schedule: Schedule = "8:3,16".parse()?; // the best 3 by 8 dims, ranked by all 16
//! let hits = index.searcher()?.search(rows.row(2), 1, &schedule)?;
//! assert_eq!(index.id(hits.positions()[0])?, Id::Number(2));
//! # Ok(())
//! # }
//! ```
//!
//! Which schedule is the fastest that still finds enough is measured:
//!
//! ```
//! # use mrl_embedding::EmbeddingSet;
//! use mrl_retrieve::{BuildOptions, Index, TuneOptions, Writer};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("train.index");
//! # let rows = EmbeddingSet::new((0..4096u16).map(|n| f32::from(n).sin()).collect(), 16)?;
//! # let queries = EmbeddingSet::new(rows.row(7).to_vec(), 16)?;
//! BuildOptions::default().build(&rows, &path)?;
//! let best = Writer::open(&path)?.tune(None, &TuneOptions::default())?.best; // finds 99 % of the 10 nearest, and is kept
//! let hits = Index::open(&path)?.searcher()?.search(queries.embeddings(), 10, &best)?;
//! # assert_eq!(hits.positions()[0], 7);
//! # Ok(())
//! # }
//! ```

mod build;
mod error;
mod file;
mod graph;
mod index;
mod layout;
mod lock;
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

pub use build::{BuildOptions, Rotate, is_index};
pub use error::Error;
pub use index::{Index, Info};
pub use mrl_embedding::{Id, IdKind, Ids};
pub use quantise::Dtype;
pub use schedule::{By, Schedule, ScheduleError, Stage};
pub use search::{
    Bench, BenchOptions, Benchmark, GraphChoice, Hits, Pace, Point, Searcher, TuneOptions, Tuning, Workload,
};
pub use source::{Source, Visit};
pub use space::Metric;
pub use writer::Writer;

/// Of this program; every index names that which changed it last.
const VERSION: &str = env!("CARGO_PKG_VERSION");

#[cfg(test)]
mod tests;
