//! Where the rows of an index come from.

mod rest;

use std::borrow::Cow;

use mrl_embedding::{EmbeddingSet, Metadata};

pub(crate) use self::rest::Rest;
use crate::{Error, Ids, segment::check_finite};

/// Takes some whole rows, `[any, width]`.
pub type Visit<'a> = dyn FnMut(&[f32]) -> Result<(), Error> + 'a;

/// Rows to build an index from, or to add to one.
pub trait Source {
    /// The number of rows.
    fn rows(&self) -> usize;

    /// Numbers in a row.
    fn width(&self) -> usize;

    /// An id a row, `[rows]`, where there are any; else they are generated.
    fn ids(&self) -> Option<Cow<'_, Ids>> {
        None
    }

    /// A label a row, `[rows]`, where they are known.
    fn labels(&self) -> Option<Cow<'_, [i64]>> {
        None
    }

    /// What is known of the encoder that made the rows.
    fn metadata(&self) -> Metadata {
        Metadata::default()
    }

    /// Calls `visit` with all rows, in order, in pieces of whole rows. This may happen several times.
    ///
    /// # Errors
    /// When rows cannot be read, or those of `visit`.
    fn visit(&self, visit: &mut Visit<'_>) -> Result<(), Error>;
}

impl Source for EmbeddingSet {
    fn rows(&self) -> usize {
        self.len()
    }

    fn width(&self) -> usize {
        self.width()
    }

    fn ids(&self) -> Option<Cow<'_, Ids>> {
        self.ids().map(|ids| Cow::Owned(Ids::Names(ids.to_vec())))
    }

    fn labels(&self) -> Option<Cow<'_, [i64]>> {
        self.labels().map(Cow::Borrowed)
    }

    fn metadata(&self) -> Metadata {
        self.metadata.clone()
    }

    fn visit(&self, visit: &mut Visit<'_>) -> Result<(), Error> {
        visit(self.embeddings())
    }
}

#[cfg(feature = "parquet")]
impl Source for mrl_vectors::Parquet {
    fn rows(&self) -> usize {
        self.rows()
    }

    fn width(&self) -> usize {
        self.width()
    }

    fn ids(&self) -> Option<Cow<'_, Ids>> {
        self.ids().map(Cow::Borrowed)
    }

    fn labels(&self) -> Option<Cow<'_, [i64]>> {
        self.labels().map(Cow::Borrowed)
    }

    fn metadata(&self) -> Metadata {
        Metadata { class_names: self.class_names().map(<[_]>::to_vec), ..Metadata::default() }
    }

    fn visit(&self, visit: &mut Visit<'_>) -> Result<(), Error> {
        self.visit(visit)
    }
}

/// Evenly spaced rows of `source`, at most `most`, `[any, width]`.
///
/// # Errors
/// When one is not finite, or `source` cannot be read.
pub(crate) fn sample(source: &dyn Source, most: usize) -> Result<Vec<f32>, Error> {
    let (width, step) = (source.width(), source.rows().div_ceil(most).max(1));
    let mut sample = Vec::with_capacity(source.rows().div_ceil(step) * width);
    let mut seen = 0usize;
    source.visit(&mut |rows| {
        let first = seen.next_multiple_of(step) - seen;
        for (index, row) in rows.chunks_exact(width).enumerate().skip(first).step_by(step) {
            check_finite(row, width, seen + index)?;
            sample.extend_from_slice(row);
        }
        seen += rows.len() / width;
        Ok(())
    })?;
    Ok(sample)
}
