//! Rows that were added together, and how they lie in the file.

mod lookup;
mod plan;
mod stored;
mod write;

pub(crate) use plan::Shape;
pub(crate) use stored::{StoredSegment, words};
pub(crate) use write::{PIECE, check_finite, write_segment};
