//! The file of an index, from the bytes up: what a commit leaves on the disk, and how readers know that it is whole.
//!
//! ```text
//! 0       root   ╮ the same 56 bytes twice, each with its checksum: where the manifest lies
//! 4096    root   ╯
//! 8192    regions, from multiples of 64: columns of little-endian numbers, then a table of their checksums
//!         manifest (JSON): where the regions are, and the checksum of each one's table
//! ```
//!
//! Nothing that a root leads to is ever written again. A commit appends regions and a manifest, syncs, writes one root, syncs, and
//! writes the other; the next commit's first sync settles that one. Where only one root is whole and up to date, as after a crash
//! between the two, the next commit begins with the other. So at any moment one of the two is whole and leads to a whole manifest, and
//! at rest both say the same: a damaged one is no way back to an older state.
//!
//! Numbers are read where they lie. A column has a checksum for each 64 KiB, compared when a byte of them is first used.

mod checked;
mod disk;
mod geometry;
mod manifest;
mod root;
mod whole;
mod writing;

pub(crate) use checked::{Checked, Mapped};
pub(crate) use disk::Disk;
pub(crate) use geometry::{Column, Extent, Region};
pub(crate) use manifest::{Manifest, RemovedEntry, SegmentEntry};
pub(crate) use root::{Root, is_replaceable};
pub(crate) use whole::write_whole;
pub(crate) use writing::{Appender, RegionWriter};

#[cfg(target_endian = "big")]
compile_error!("the numbers of an index are little-endian and used where they lie");

/// Regions and columns begin at multiples of this many bytes: those of a cache line, and of the largest vector.
const ALIGNMENT: usize = 64;

/// Bytes that share a checksum.
const BLOCK: usize = 1 << 16;

/// Where the first region lies.
pub(crate) const HEAD: u64 = 8192;

fn checksum(bytes: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(bytes)
}

/// Whether `bytes` are those that were written. Under `cfg(fuzzing)` nothing is compared, because who makes a harmful file can compute its
/// checksums.
fn is_checksum(stored: u64, bytes: &[u8]) -> bool {
    cfg!(fuzzing) || checksum(bytes) == stored
}
