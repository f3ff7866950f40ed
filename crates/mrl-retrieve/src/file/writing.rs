use std::{io, path::Path};

use super::{ALIGNMENT, BLOCK, Column, Disk, Extent, Manifest, Region, Root, checksum};
use crate::Error;

/// Appends regions to a file and commits them.
pub(crate) struct Appender<'a, D> {
    path: &'a Path,
    disk: &'a D,
    /// Where the next part goes.
    end: u64,
}

impl<'a, D: Disk> Appender<'a, D> {
    /// Appends behind byte `end` of the file, of which `path` is the name.
    pub(crate) fn new(path: &'a Path, disk: &'a D, end: u64) -> Self {
        Self { path, disk, end }
    }

    /// Begins a region, which is finished before the next begins.
    pub(crate) fn region(&mut self, extent: &Extent) -> RegionWriter<'a, D> {
        let offset = self.end.next_multiple_of(ALIGNMENT as u64);
        self.end = offset + extent.table().end as u64;
        RegionWriter {
            path: self.path,
            disk: self.disk,
            offset,
            table: vec![0; extent.blocks()],
            table_start: extent.table().start,
            columns: extent.columns().iter().map(|&column| ColumnWriter::new(column)).collect(),
        }
    }

    /// Writes a region of one column.
    pub(crate) fn column<T: bytemuck::NoUninit>(&mut self, values: &[T]) -> Result<Region, Error> {
        let (extent, column) = Extent::of(values.len(), size_of::<T>()).expect("the values are in memory");
        let mut region = self.region(&extent);
        region.append(column, values)?;
        region.finish()
    }

    /// Makes `manifest` what the file holds, by the root of the given generation; `held` says which slots hold the one before.
    pub(crate) fn commit(self, manifest: &Manifest, generation: u64, held: [bool; 2]) -> Result<(), Error> {
        let text = serde_json::to_vec(manifest).map_err(io::Error::from).map_err(Error::io(self.path))?;
        let offset = self.end.next_multiple_of(ALIGNMENT as u64);
        let root = Root { generation, offset, len: text.len() as u64, checksum: checksum(&text) };
        self.disk
            .write_at(&text, offset)
            .and_then(|()| root.commit(held, self.disk))
            .map_err(Error::io(self.path))
    }
}

/// Writes the columns of a region side by side.
pub(crate) struct RegionWriter<'a, D> {
    path: &'a Path,
    disk: &'a D,
    offset: u64,
    /// A checksum for each block.
    table: Vec<u64>,
    table_start: usize,
    columns: Vec<ColumnWriter>,
}

impl<D: Disk> RegionWriter<'_, D> {
    /// Puts `values` behind those of `column` so far.
    ///
    /// # Panics
    /// When there are more than the column holds.
    pub(crate) fn append<T: bytemuck::NoUninit>(
        &mut self,
        column: Column,
        values: &[T],
    ) -> Result<(), Error> {
        let write = |bytes: &[u8], at: usize| self.disk.write_at(bytes, self.offset + at as u64);
        self.columns[column.index]
            .append(bytemuck::cast_slice(values), &mut self.table, write)
            .map_err(Error::io(self.path))
    }

    /// Writes what waits, and the checksums.
    ///
    /// # Panics
    /// When a column is not full.
    pub(crate) fn finish(mut self) -> Result<Region, Error> {
        let write = |bytes: &[u8], at: usize| self.disk.write_at(bytes, self.offset + at as u64);
        let table = &mut self.table;
        self.columns
            .iter_mut()
            .try_for_each(|column| column.finish(table, write))
            .map_err(Error::io(self.path))?;
        let table: &[u8] = bytemuck::cast_slice(table);
        write(table, self.table_start).map_err(Error::io(self.path))?;
        Ok(Region { offset: self.offset, checksum: checksum(table) })
    }
}

/// Gathers the bytes of a column into blocks.
struct ColumnWriter {
    column: Column,
    /// Bytes in whole blocks so far.
    written: usize,
    /// Fewer than a block.
    waiting: Vec<u8>,
}

impl ColumnWriter {
    fn new(column: Column) -> Self {
        Self { column, written: 0, waiting: Vec::new() }
    }

    fn append(
        &mut self,
        mut bytes: &[u8],
        table: &mut [u64],
        write: impl Fn(&[u8], usize) -> io::Result<()>,
    ) -> io::Result<()> {
        let so_far = self.written + self.waiting.len();
        assert!(bytes.len() <= self.column.len() - so_far, "a column gets more records than it has");
        while !bytes.is_empty() {
            let (part, rest) = bytes.split_at(bytes.len().min(BLOCK - self.waiting.len()));
            bytes = rest;
            if part.len() == BLOCK {
                self.write(part, table, &write)?;
                continue;
            }
            self.waiting.extend_from_slice(part);
            if self.waiting.len() == BLOCK {
                let block = std::mem::take(&mut self.waiting);
                self.write(&block, table, &write)?;
                self.waiting = block;
                self.waiting.clear();
            }
        }
        Ok(())
    }

    /// Writes the next block, or the last part of one.
    fn write(
        &mut self,
        block: &[u8],
        table: &mut [u64],
        write: impl Fn(&[u8], usize) -> io::Result<()>,
    ) -> io::Result<()> {
        table[self.column.block_at(self.written)] = checksum(block);
        write(block, self.column.bytes().start + self.written)?;
        self.written += block.len();
        Ok(())
    }

    fn finish(
        &mut self,
        table: &mut [u64],
        write: impl Fn(&[u8], usize) -> io::Result<()>,
    ) -> io::Result<()> {
        let last = std::mem::take(&mut self.waiting);
        if !last.is_empty() {
            self.write(&last, table, write)?;
        }
        assert_eq!(self.written, self.column.len(), "bytes of a column");
        Ok(())
    }
}
