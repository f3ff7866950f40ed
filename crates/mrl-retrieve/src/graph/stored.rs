use std::{ops::Range, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{BuiltGraph, DEGREE, Frame, Graph, Levels};
use crate::{
    Error,
    file::{Appender, Checked, Column, Disk, Extent, Mapped, Region},
    space::Guard,
};

/// Where a graph lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GraphEntry {
    /// The prefix that it is on.
    pub(crate) dim: usize,
    /// The positions that it has, from the first on.
    pub(crate) rows: usize,
    region: Region,
}

/// A graph in a mapped file.
pub(crate) struct StoredGraph {
    region: Arc<Checked>,
    columns: Columns,
    frame: FrameGuard,
}

/// Vouches for the frame.
struct FrameGuard {
    region: Arc<Checked>,
    column: Column,
}

impl Guard for FrameGuard {
    fn check(&self, _: Range<usize>) -> Result<(), Error> {
        self.region.check(self.column, 0..1)
    }
}

/// Where the numbers of a graph lie. This follows from its dim and rows.
struct Columns {
    /// f32, centre and units in one record.
    frame: Column,
    /// i8, all of a row in one record.
    levels: Column,
    /// f32.
    scales: Column,
    /// u32, all of a row in one record.
    links: Column,
}

impl Columns {
    /// Nothing if the sizes are beyond reason.
    fn of(dim: usize, rows: usize) -> Option<(Extent, Self)> {
        let mut extent = Extent::default();
        let frame = extent.push(1, dim.checked_mul(2 * size_of::<f32>())?)?;
        let levels = extent.push(rows, dim)?;
        let scales = extent.push(rows, size_of::<f32>())?;
        let links = extent.push(rows, DEGREE * size_of::<u32>())?;
        Some((extent, Self { frame, levels, scales, links }))
    }
}

impl StoredGraph {
    /// The graph of `entry`; nothing of it is read yet.
    pub(crate) fn new(file: &Arc<Mapped>, entry: GraphEntry) -> Result<Self, Error> {
        let beyond = || {
            file.damaged(format!(
                "a graph of {} rows on {} dims cannot be; build it again",
                entry.rows, entry.dim
            ))
        };
        let (extent, columns) = Columns::of(entry.dim, entry.rows).ok_or_else(beyond)?;
        let region = Arc::new(Checked::new(file, entry.region, extent)?);
        let frame = FrameGuard { region: Arc::clone(&region), column: columns.frame };
        Ok(Self { region, columns, frame })
    }

    /// What search reads; the guards know whether it is whole.
    pub(crate) fn view(&self) -> Graph<'_> {
        let frame = Frame::new(self.region.unchecked(self.columns.frame));
        let (levels, scales) =
            (self.region.unchecked(self.columns.levels), self.region.unchecked(self.columns.scales));
        let links: &[u32] = self.region.unchecked(self.columns.links);
        Graph {
            levels: Levels::new(frame, levels, scales),
            links: links.as_chunks().0,
            guard: self,
            frame_guard: &self.frame,
        }
    }

    pub(crate) fn verify(&self) -> Result<(), Error> {
        self.region.verify()
    }
}

impl Guard for StoredGraph {
    #[inline]
    fn check(&self, rows: Range<usize>) -> Result<(), Error> {
        let Columns { levels, scales, links, .. } = self.columns;
        [levels, scales, links].into_iter().try_for_each(|column| self.region.check(column, rows.clone()))
    }
}

impl BuiltGraph {
    /// Appends the graph.
    pub(crate) fn write<D: Disk>(&self, appender: &mut Appender<'_, D>) -> Result<GraphEntry, Error> {
        let (dim, rows) = (self.frame.len() / 2, self.scales.len());
        let (extent, columns) = Columns::of(dim, rows).ok_or(Error::TooMany(rows))?;
        let mut region = appender.region(&extent);
        region.append(columns.frame, &self.frame)?;
        region.append(columns.levels, &self.levels)?;
        region.append(columns.scales, &self.scales)?;
        region.append(columns.links, self.links.as_flattened())?;
        Ok(GraphEntry { dim, rows, region: region.finish()? })
    }
}
