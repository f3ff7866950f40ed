use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::{ALIGNMENT, BLOCK};

/// Where a region lies, and what tells that it is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Region {
    /// In the file, a multiple of [`ALIGNMENT`].
    pub(crate) offset: u64,
    /// The checksum of the table of its checksums.
    pub(crate) checksum: u64,
}

/// Equally long records, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    /// Its place among the columns of the region.
    pub(crate) index: usize,
    /// From the start of the region.
    start: usize,
    record: usize,
    records: usize,
    /// Of the region's checksums, its first.
    first_block: usize,
}

impl Column {
    /// Its bytes, from the start of the region.
    pub(crate) fn bytes(&self) -> Range<usize> {
        self.start..self.start + self.len()
    }

    pub(crate) fn len(&self) -> usize {
        self.record * self.records
    }

    pub(crate) fn records(&self) -> usize {
        self.records
    }

    /// The blocks, of those of the region, that hold `records`.
    pub(super) fn blocks(&self, records: Range<usize>) -> Range<usize> {
        let (start, end) = (records.start * self.record, records.end * self.record);
        if start == end {
            return self.first_block..self.first_block;
        }
        self.first_block + start / BLOCK..self.first_block + end.div_ceil(BLOCK)
    }

    /// The block, of those of the region, that begins at byte `start` of the column.
    pub(super) fn block_at(&self, start: usize) -> usize {
        self.first_block + start / BLOCK
    }

    /// The bytes of block `block` of the region, from the start of the region.
    fn block(&self, block: usize) -> Range<usize> {
        let start = self.start + (block - self.first_block) * BLOCK;
        start..self.bytes().end.min(start + BLOCK)
    }
}

/// The columns of a region and where they lie in it: this follows from their sizes and is not stored.
#[derive(Clone, Debug, Default)]
pub(crate) struct Extent {
    columns: Vec<Column>,
    /// Bytes so far.
    len: usize,
    blocks: usize,
}

impl Extent {
    /// One column of `records` of `record` bytes, or nothing if the sizes are beyond reason.
    pub(crate) fn of(records: usize, record: usize) -> Option<(Self, Column)> {
        let mut extent = Self::default();
        let column = extent.push(records, record)?;
        Some((extent, column))
    }

    /// Puts a column behind those so far, or nothing if the sizes are beyond reason.
    pub(crate) fn push(&mut self, records: usize, record: usize) -> Option<Column> {
        let start = self.table_start();
        let end = records.checked_mul(record)?.checked_add(start)?;
        // Room for the table, so that no later sum overflows.
        if end > isize::MAX as usize / 2 {
            return None;
        }
        let column = Column { index: self.columns.len(), start, record, records, first_block: self.blocks };
        self.columns.push(column);
        self.len = end;
        self.blocks += column.len().div_ceil(BLOCK);
        Some(column)
    }

    pub(crate) fn columns(&self) -> &[Column] {
        &self.columns
    }

    pub(super) fn blocks(&self) -> usize {
        self.blocks
    }

    /// The bytes of block `block`, from the start of the region.
    pub(super) fn block(&self, block: usize) -> Range<usize> {
        let next = self.columns.partition_point(|column| column.first_block <= block);
        self.columns[next - 1].block(block)
    }

    /// Where the checksums lie: one of 8 bytes for each block, from the start of the region.
    pub(super) fn table(&self) -> Range<usize> {
        let start = self.table_start();
        start..start + self.blocks * size_of::<u64>()
    }

    fn table_start(&self) -> usize {
        self.len.next_multiple_of(ALIGNMENT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_each_has_blocks_of_its_own() {
        let mut extent = Extent::default();
        let short = extent.push(3, 5).unwrap();
        let empty = extent.push(0, 8).unwrap();
        let long = extent.push(BLOCK / 8 + 1, 8).unwrap();
        assert_eq!((short.bytes(), empty.bytes()), (0..15, 64..64));
        assert_eq!(long.bytes(), 64..64 + BLOCK + 8);
        assert_eq!((extent.blocks(), extent.table()), (3, BLOCK + 128..BLOCK + 152));
        assert_eq!(
            [0, 1, 2].map(|block| extent.block(block)),
            [0..15, 64..64 + BLOCK, 64 + BLOCK..72 + BLOCK]
        );
        assert_eq!((short.blocks(1..2), empty.blocks(0..0), long.blocks(0..1)), (0..1, 1..1, 1..2));
        assert_eq!((long.blocks(BLOCK / 8 - 1..BLOCK / 8 + 1), long.blocks(4..4)), (1..3, 1..1));
    }

    #[test]
    fn sizes_beyond_reason_are_refused() {
        let mut extent = Extent::default();
        assert!(extent.push(usize::MAX, 2).is_none());
        assert!(extent.push(usize::MAX, 1).is_none());
        extent.push(usize::MAX / 8, 1).unwrap();
        extent.push(usize::MAX / 8 - 64, 1).unwrap();
        assert!(extent.push(64, 1).is_none());
    }
}
