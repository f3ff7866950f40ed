//! Search nested embeddings: short prefixes to shortlist, the full vector to rerank.

mod error;
mod ids;
mod layout;
mod quantise;
mod rotation;
mod space;
mod vector;

pub use error::Error;
pub use ids::{Id, IdKind, Ids};
pub use quantise::Dtype;
pub use space::Metric;
