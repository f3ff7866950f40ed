//! Honest evaluation of nested embeddings at every length.
//!
//! [`evaluate`] takes a labelled training and test [`EmbeddingSet`](mrl_embedding::EmbeddingSet) and measures, for each
//! dim and each way of shortening ([`Method`]), what [`EvalOptions::measures`] names: a logistic probe that converges,
//! neighbours, retrieval and what follows from them. The [`Report`] is shown as tables, and as files of JSON, a page and charts;
//! [`Comparison`] and [`Summary`] set several side by side. Nothing here links libtorch or prints, and random numbers follow
//! from [`EvalOptions::seed`]: the same input gives the same report on any number of threads.
//!
//! ```
//! use mrl_embedding::EmbeddingSet;
//! use mrl_eval::{EvalOptions, Method, evaluate};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Class 0 points along the first axis, class 1 along the second; the rest is the same for all.
//! let rows = vec![3.0, 0.0, 1.0, 2.0, 2.5, 0.5, 1.0, 2.0, 0.0, 3.0, 1.0, 2.0, 0.5, 2.5, 1.0, 2.0];
//! let train = EmbeddingSet::new(rows, 4)?.with_labels(vec![0, 0, 1, 1])?;
//! let test = EmbeddingSet::new(vec![2.0, 0.0, 1.0, 2.0, 0.0, 2.0, 1.0, 2.0], 4)?.with_labels(vec![0, 1])?;
//!
//! let options = EvalOptions { dims: Some(vec![2, 4]), ..EvalOptions::default() };
//! let report = evaluate(&train, &test, &options, &mut |_| {})?;
//! assert_eq!(report.methods[&Method::Prefix].logreg, [1.0, 1.0]);
//! assert_eq!(report.methods[&Method::Pca].knn1, [1.0, 1.0]);
//! # Ok(())
//! # }
//! ```

mod baseline;
mod bootstrap;
mod calibration;
mod cascade;
mod check;
mod classes;
mod error;
mod evaluate;
mod examples;
#[cfg(test)]
mod golden;
mod kept;
mod knn;
mod measures;
mod number;
mod options;
mod outcomes;
mod pca;
mod pieces;
mod probe;
mod projection;
mod report;
mod report_check;
mod retrieval;
mod rows;
mod show;
mod standardise;
mod sweep;
mod vector;
mod vote;

pub use error::{EvalError, Side};
pub use evaluate::{Evaluation, evaluate};
pub use kept::{Searched, neighbours_kept};
pub use measures::{
    Bin, Calibration, Cascade, CascadeCost, CascadePoint, ClassScores, Example, ExamplePrefix, Interval,
    Measures, ProbeScores, RetrievalAt, RetrievalScores,
};
pub use options::{Database, EvalOptions, Measure, Method, Step};
pub use outcomes::{OUTCOMES, Outcomes};
pub use report::{Report, SCHEMA};
pub use show::{ComparedRun, Comparison, Document, Images, NamedFile, Spread, Spreads, Summary};
