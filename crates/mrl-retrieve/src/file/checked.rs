use std::{
    fs::File,
    ops::Range,
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use memmap2::{Mmap, MmapOptions};

use super::{ALIGNMENT, Column, Extent, HEAD, Region, Root, is_checksum};
use crate::Error;

/// The committed part of a file, in memory.
pub(crate) struct Mapped {
    path: PathBuf,
    map: Mmap,
}

impl Mapped {
    /// Maps `file` up to the end of what `root` leads to, which must lie in it.
    pub(crate) fn new(path: &Path, file: &File, root: &Root) -> Result<Self, Error> {
        let len = (root.offset + root.len) as usize;
        // SAFETY: the bytes are only read, and what a root leads to is never written again: a commit appends, and a whole
        // new file takes the place of the old one, whose map stays as it was. Nothing can promise that no other program
        // writes into the file, which a checksum may or may not show, or truncates it, which ends this program.
        let map = unsafe { MmapOptions::new().len(len).map(file) }.map_err(Error::io(path))?;
        Ok(Self { path: path.to_owned(), map })
    }

    /// Bytes of the committed file.
    pub(crate) fn len(&self) -> usize {
        self.map.len()
    }

    pub(crate) fn damaged(&self, problem: impl Into<String>) -> Error {
        Error::damaged(&self.path, problem)
    }
}

/// A region whose blocks are compared with their checksums when they are first used.
pub(crate) struct Checked {
    file: Arc<Mapped>,
    region: Region,
    extent: Extent,
    /// Whether the checksums are those that were written.
    table: OnceLock<bool>,
    /// Bit `block % 64` of word `block / 64` is set for blocks that were found whole.
    whole: Box<[AtomicU64]>,
}

impl Checked {
    /// The region of `file` that is laid out as `extent`; nothing of it is read yet.
    pub(crate) fn new(file: &Arc<Mapped>, region: Region, extent: Extent) -> Result<Self, Error> {
        let aligned = region.offset.is_multiple_of(ALIGNMENT as u64) && region.offset >= HEAD;
        let room = (file.len() as u64).checked_sub(region.offset);
        if !aligned || room.is_none_or(|room| room < extent.table().end as u64) {
            return Err(file.damaged(format!(
                "a part of {} bytes at {} is not in the file; build it again",
                extent.table().end,
                region.offset
            )));
        }
        let whole = (0..extent.blocks().div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        Ok(Self { file: Arc::clone(file), region, extent, table: OnceLock::new(), whole })
    }

    pub(crate) fn file(&self) -> &Mapped {
        &self.file
    }

    /// The numbers of `column`, which are as they were written where [`Checked::check`] says so.
    ///
    /// # Panics
    /// When the numbers do not fill the column.
    pub(crate) fn unchecked<T: bytemuck::AnyBitPattern>(&self, column: Column) -> &[T] {
        bytemuck::cast_slice(self.bytes(column.bytes()))
    }

    /// Whether `records` of `column` are as they were written.
    #[inline]
    pub(crate) fn check(&self, column: Column, records: Range<usize>) -> Result<(), Error> {
        column.blocks(records).try_for_each(|block| {
            let found = self.whole[block / 64].load(Ordering::Relaxed) >> (block % 64) & 1 == 1;
            if found { Ok(()) } else { self.check_block(block) }
        })
    }

    /// All numbers of `column`.
    pub(crate) fn all<T: bytemuck::AnyBitPattern>(&self, column: Column) -> Result<&[T], Error> {
        self.check(column, 0..column.records())?;
        Ok(self.unchecked(column))
    }

    /// The numbers of `records` of `column`, each of which is one.
    pub(crate) fn some<T: bytemuck::AnyBitPattern>(
        &self,
        column: Column,
        records: Range<usize>,
    ) -> Result<&[T], Error> {
        self.check(column, records.clone())?;
        Ok(&self.unchecked(column)[records])
    }

    /// Compares all of the region with its checksums, whether it was used before or not.
    pub(crate) fn verify(&self) -> Result<(), Error> {
        use rayon::prelude::*;
        self.check_table()?;
        (0..self.extent.blocks()).into_par_iter().try_for_each(|block| self.check_block(block))
    }

    #[cold]
    fn check_block(&self, block: usize) -> Result<(), Error> {
        self.check_table()?;
        let bytes = self.extent.block(block);
        let table: &[u64] = bytemuck::cast_slice(self.bytes(self.extent.table()));
        if !is_checksum(table[block], self.bytes(bytes.clone())) {
            return Err(self.damaged(bytes));
        }
        self.whole[block / 64].fetch_or(1 << (block % 64), Ordering::Relaxed);
        Ok(())
    }

    fn check_table(&self) -> Result<(), Error> {
        let bytes = self.extent.table();
        let whole = || is_checksum(self.region.checksum, self.bytes(bytes.clone()));
        if *self.table.get_or_init(whole) { Ok(()) } else { Err(self.damaged(bytes)) }
    }

    fn damaged(&self, bytes: Range<usize>) -> Error {
        let start = self.region.offset as usize + bytes.start;
        self.file.damaged(format!(
            "bytes {start}..{} are not those that were written; restore the file or build it again",
            start + bytes.len()
        ))
    }

    /// Of the region.
    fn bytes(&self, range: Range<usize>) -> &[u8] {
        let offset = self.region.offset as usize;
        &self.file.map[offset + range.start..offset + range.end]
    }
}
