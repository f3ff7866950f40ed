use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::Path,
};

use mrl_embedding::{Metadata, Nesting};
use serde::{Deserialize, Serialize};

use super::{Region, Root, is_checksum};
use crate::{Dtype, Error, IdKind, Metric, Schedule, build::shortlist_dims, graph::GraphEntry};

/// What an index is, and where its parts lie.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    /// Of the program that wrote it.
    pub(crate) version: String,
    pub(crate) metric: Metric,
    /// Where bands end; the last is the width.
    pub(crate) dims: Vec<usize>,
    /// Of the shortlist, where there is one.
    pub(crate) dtype: Option<Dtype>,
    /// `[width, width]` f32, row-major: the axes of the shortlist, where it is rotated.
    pub(crate) rotation: Option<Region>,
    pub(crate) ids: IdKind,
    /// The largest number that was ever an id, from which generated ids go on.
    pub(crate) largest_id: Option<u64>,
    pub(crate) labels: bool,
    /// What is known of the encoder.
    pub(crate) metadata: Metadata,
    /// The dims that the encoder was trained with, where they are known.
    pub(crate) nesting: Option<Vec<usize>>,
    /// What searches follow that name no other.
    pub(crate) schedule: Option<Schedule>,
    pub(crate) graph: Option<GraphEntry>,
    /// In the order of their rows.
    pub(crate) segments: Vec<SegmentEntry>,
}

/// Rows that were added together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SegmentEntry {
    pub(crate) rows: usize,
    /// Bytes of all ids, where those are names.
    pub(crate) name_bytes: usize,
    /// A bound of the norms of the rows.
    pub(crate) largest_norm: f32,
    pub(crate) region: Region,
    pub(crate) removed: Option<RemovedEntry>,
}

/// Which rows of a segment are no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RemovedEntry {
    /// How many.
    pub(crate) rows: usize,
    /// u64: bit `row % 64` of word `row / 64` is set.
    pub(crate) region: Region,
}

impl Manifest {
    /// Reads what `root` leads to.
    pub(crate) fn read(path: &Path, mut file: &File, root: &Root) -> Result<Self, Error> {
        let bytes = file.metadata().map_err(Error::io(path))?.len();
        let end = root.offset.checked_add(root.len).filter(|&end| end <= bytes);
        let end = end.ok_or_else(|| {
            Error::damaged(
                path,
                format!(
                    "is cut short: it has {bytes} bytes, and its last commit is at {}; restore it or build it again",
                    root.offset
                ),
            )
        })?;
        let mut text = Vec::with_capacity((end - root.offset) as usize);
        file.seek(SeekFrom::Start(root.offset)).map_err(Error::io(path))?;
        file.take(root.len).read_to_end(&mut text).map_err(Error::io(path))?;
        if !is_checksum(root.checksum, &text) {
            return Err(Error::damaged(
                path,
                "the list of its parts is damaged; restore it or build it again",
            ));
        }
        let unusable = |problem: String| {
            Error::damaged(path, format!("the list of its parts is not usable ({problem}); build it again"))
        };
        let manifest: Self = serde_json::from_slice(&text).map_err(|error| unusable(error.to_string()))?;
        manifest.check().map_err(unusable)?;
        Ok(manifest)
    }

    /// The rows of all segments, those that are no more too.
    pub(crate) fn positions(&self) -> usize {
        self.segments.iter().map(|segment| segment.rows).sum()
    }

    /// Those that are no more.
    pub(crate) fn removed(&self) -> usize {
        self.segments.iter().filter_map(|segment| segment.removed).map(|removed| removed.rows).sum()
    }

    /// Numbers in a row.
    pub(crate) fn width(&self) -> usize {
        self.dims[self.dims.len() - 1]
    }

    /// What tells the rows, their ids and labels, and what makes them alike from those of other indexes.
    #[cfg(feature = "postgres")]
    pub(crate) fn fingerprint(&self) -> u64 {
        let contents = (self.metric, &self.dims, self.ids, self.labels, &self.segments);
        super::checksum(&serde_json::to_vec(&contents).unwrap_or_default())
    }

    /// What a checksum cannot promise, for a file may be made to harm: the parts fit each other.
    fn check(&self) -> Result<(), String> {
        let width = self.dims.last().copied().unwrap_or(0);
        let nestings = std::iter::once(&self.dims).chain(&self.nesting);
        for dims in nestings {
            Nesting::new(dims.clone(), width).map_err(|error| error.to_string())?;
        }
        if self.dtype.is_some() && self.dims.len() == 1 {
            return Err("a shortlist of no dims".into());
        }
        if self.dtype.is_none() && self.rotation.is_some() {
            return Err("a rotation of no shortlist".into());
        }
        let mut positions = 0usize;
        for segment in &self.segments {
            let removed = segment.removed.map_or(0, |removed| removed.rows);
            if segment.rows == 0 || removed > segment.rows {
                return Err(format!("{removed} of {} rows are removed", segment.rows));
            }
            positions = positions.saturating_add(segment.rows);
        }
        if positions > u32::MAX as usize {
            return Err(format!("{positions} rows"));
        }
        if let Some(graph) = self.graph
            && (graph.rows == 0
                || graph.rows > positions
                || !shortlist_dims(&self.dims, self.dtype).contains(&graph.dim))
        {
            return Err(format!("a graph of {} rows on {} dims", graph.rows, graph.dim));
        }
        Ok(())
    }
}
