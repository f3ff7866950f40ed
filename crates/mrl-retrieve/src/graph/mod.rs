//! A graph of near rows: walking along it finds a query's nearest and reads few of the others.
//!
//! Each row leads to some of those near it, as in Vamana (Subramanya et al., 2019, `DiskANN`) and the lowest layer of HNSW (Malkov and
//! Yashunin, arXiv 1603.09320). Rows are inserted in batches (Manohar et al., arXiv 2305.04359, `ParlayANN`), whose order and sizes do not
//! depend on the number of threads, so that neither does the graph. Instead of upper layers, walks start at the best of some evenly
//! spaced rows.

#![expect(clippy::inline_always, reason = "what is not inlined is compiled for the narrowest vectors")]

mod build;
mod frame;
mod levels;
mod stored;
mod walk;

use self::{frame::Frame, levels::Levels};
use crate::{Error, space::Guard};

pub(crate) use self::{
    build::BuiltGraph,
    stored::{GraphEntry, StoredGraph},
    walk::{Visited, walk},
};
pub(crate) use levels::Query;

/// Rows that a row leads to, at most.
const DEGREE: usize = 32;

/// Stands behind the last of fewer; so does, in a file that was made to harm, every number that is no row.
const END: u32 = u32::MAX;

/// The first `dim` numbers of the rows as they shortlist, and for each row those that it leads to.
#[derive(Clone, Copy)]
pub(crate) struct Graph<'a> {
    levels: Levels<'a>,
    /// `[rows, DEGREE]`.
    links: &'a [[u32; DEGREE]],
    guard: &'a dyn Guard,
    frame_guard: &'a dyn Guard,
}

impl<'a> Graph<'a> {
    pub(crate) fn dim(&self) -> usize {
        self.levels.dim()
    }

    /// `values` `[dim]` as walks take it.
    pub(crate) fn query(&self, values: &[f32]) -> Result<Query, Error> {
        self.frame_guard.check(0..0)?;
        Ok(self.levels.query(values))
    }

    /// How many rows it is of: the first of the index.
    pub(crate) fn rows(&self) -> usize {
        self.links.len()
    }

    /// The rows that `row` leads to.
    #[inline(always)]
    fn links(&self, row: usize) -> impl Iterator<Item = usize> + Clone + use<'a> {
        let rows = self.links.len();
        self.links[row].iter().map(|&row| row as usize).take_while(move |&row| row < rows)
    }

    /// Whether what is stored of `row` is what was written.
    #[inline(always)]
    fn check(&self, row: usize) -> Result<(), Error> {
        self.guard.check(row..row + 1)
    }
}

#[cfg(test)]
impl Graph<'_> {
    /// All that is stored, if it is whole.
    pub(crate) fn contents(&self) -> Result<String, Error> {
        self.frame_guard.check(0..0)?;
        self.guard.check(0..self.rows())?;
        Ok(format!("{:?} {:?}", self.levels, self.links))
    }
}

/// Rows among which a walk looks for its start, of `rows`: evenly spaced.
fn starts(rows: usize) -> impl Iterator<Item = usize> {
    let count = rows.isqrt().clamp(32, 512).min(rows);
    (0..count).map(move |index| index * rows / count)
}

#[cfg(test)]
mod tests;
