//! What search reads of an index: rows cut into bands of dims, in one or two spaces.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, VariantNames};

use crate::Error;

/// What makes two vectors alike.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Display, EnumString, VariantNames,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Metric {
    /// The dot product over both norms; 0 where a norm is 0.
    Cosine,
    /// The dot product.
    Dot,
}

/// Numbers of rows as they are stored, `[rows, width]` row-major.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Values<'a> {
    F32(&'a [f32]),
    /// The upper halves of `f32`s.
    Bf16(&'a [u16]),
    /// A value is its level times the scale of its row; `scales` is `[rows]`.
    Int8 {
        levels: &'a [i8],
        scales: &'a [f32],
    },
}

/// Vouches for the bytes of a band.
pub(crate) trait Guard: Sync {
    /// Whether what is stored of `rows`, values and all that is said about them, is what was written.
    fn check(&self, rows: Range<usize>) -> Result<(), Error>;

    /// Whether [`Band::aside`] of `rows` is what was written.
    fn check_aside(&self, rows: Range<usize>) -> Result<(), Error> {
        self.check(rows)
    }
}

/// Some neighbouring dims of all rows of a segment.
#[derive(Clone)]
pub(crate) struct Band<'a> {
    pub(crate) dims: Range<usize>,
    pub(crate) values: Values<'a>,
    /// `[rows]`. In the trained space, the norm of the prefix that ends with this band. In the shortlist space, a bound of the
    /// norm of what lies beyond that prefix.
    pub(crate) aside: &'a [f32],
    /// `[rows]`, or nothing for `f32`: a bound of the norm of what storing this band's values in fewer bits has changed.
    pub(crate) errors: &'a [f32],
    pub(crate) guard: &'a dyn Guard,
}

/// All rows of a segment: bands from dim 0 on, without gaps.
#[derive(Clone)]
pub(crate) struct Space<'a> {
    pub(crate) bands: Vec<Band<'a>>,
}

impl<'a> Space<'a> {
    /// The bands of the first `dim` dims, where a band ends there.
    pub(crate) fn prefix(&self, dim: usize) -> Option<&[Band<'a>]> {
        let end = self.bands.iter().position(|band| band.dims.end == dim)?;
        Some(&self.bands[..=end])
    }
}

/// Rows that were added together.
#[derive(Clone)]
pub(crate) struct Segment<'a> {
    pub(crate) rows: usize,
    /// The rows as they were given, in `f32`, over all dims.
    pub(crate) trained: Space<'a>,
    /// The rows of norm 1 (for cosine; else as given), rotated, in few bits, over fewer dims.
    pub(crate) shortlist: Option<Space<'a>>,
    /// A bound of the norms of all rows.
    pub(crate) largest_norm: f32,
    /// Bit `row % 64` of word `row / 64` is set for rows that are no more.
    pub(crate) removed: Option<&'a [u64]>,
}

impl Segment<'_> {
    pub(crate) fn is_removed(&self, row: usize) -> bool {
        self.removed.is_some_and(|words| words[row / 64] >> (row % 64) & 1 == 1)
    }
}
