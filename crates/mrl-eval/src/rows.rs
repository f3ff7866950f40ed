use std::ops::Range;

use mrl_embedding::EmbeddingSet;

use crate::vector;

/// A view of `n` rows that shows the first `dims` numbers of each.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a> {
    /// `[n, width]`, row-major.
    values: &'a [f32],
    width: usize,
    dims: usize,
}

impl<'a> Rows<'a> {
    /// `values` is `[n, width]`.
    pub(crate) fn new(values: &'a [f32], width: usize) -> Self {
        assert!(
            width > 0 && values.len().is_multiple_of(width),
            "{} values in rows of {width}",
            values.len()
        );
        Self { values, width, dims: width }
    }

    pub(crate) fn of(set: &'a EmbeddingSet) -> Self {
        Self::new(set.embeddings(), set.width())
    }

    /// The same rows, cut to their first `dims` numbers.
    pub(crate) fn prefix(self, dims: usize) -> Self {
        assert!(dims > 0 && dims <= self.width, "prefix {dims} of {}", self.width);
        Self { dims, ..self }
    }

    pub(crate) fn len(&self) -> usize {
        self.values.len() / self.width
    }

    pub(crate) fn dims(&self) -> usize {
        self.dims
    }

    /// Row `index`, `[dims]`.
    pub(crate) fn row(&self, index: usize) -> &'a [f32] {
        &self.values[index * self.width..][..self.dims]
    }

    /// Writes the rows of `indices` to `out` `[indices, dims]` as `f64`, which is exact. Keeps `out`'s allocation.
    pub(crate) fn widen(&self, indices: impl ExactSizeIterator<Item = usize>, out: &mut Vec<f64>) {
        out.resize(indices.len() * self.dims, 0.0);
        for (out, index) in out.chunks_exact_mut(self.dims).zip(indices) {
            vector::widen(self.row(index), out);
        }
    }
}

/// Cuts `0..n` into pieces of at most `size`.
pub(crate) fn blocks(range: Range<usize>, size: usize) -> impl Iterator<Item = Range<usize>> {
    let end = range.end;
    range.step_by(size).map(move |start| start..end.min(start + size))
}
