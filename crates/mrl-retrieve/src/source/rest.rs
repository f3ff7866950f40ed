use std::borrow::Cow;

use mrl_embedding::Metadata;

use super::{Source, Visit};
use crate::{Error, Id, IdKind, Ids, Index, segment::PIECE};

/// The rows of an index that are not removed, in order.
pub(crate) struct Rest<'a> {
    index: &'a Index,
    pub(crate) ids: Ids,
    labels: Option<Vec<i64>>,
}

impl<'a> Rest<'a> {
    pub(crate) fn new(index: &'a Index) -> Result<Self, Error> {
        let mut ids = match index.info().ids {
            IdKind::Numbers => Ids::Numbers(Vec::new()),
            IdKind::Names => Ids::Names(Vec::new()),
        };
        let mut labels = Vec::new();
        for segment in index.stored() {
            for row in 0..segment.rows {
                if segment.is_removed(row)? {
                    continue;
                }
                match (segment.id(row)?, &mut ids) {
                    (Id::Number(id), Ids::Numbers(ids)) => ids.push(id),
                    (Id::Name(id), Ids::Names(ids)) => ids.push(id),
                    _ => unreachable!("all segments have ids of the kind of the index"),
                }
                labels.extend(segment.label(row)?);
            }
        }
        Ok(Self { index, ids, labels: index.info().labels.then_some(labels) })
    }
}

impl Source for Rest<'_> {
    fn rows(&self) -> usize {
        self.ids.len()
    }

    fn width(&self) -> usize {
        self.index.width()
    }

    fn ids(&self) -> Option<Cow<'_, Ids>> {
        Some(Cow::Borrowed(&self.ids))
    }

    fn labels(&self) -> Option<Cow<'_, [i64]>> {
        self.labels.as_deref().map(Cow::Borrowed)
    }

    fn metadata(&self) -> Metadata {
        self.index.metadata()
    }

    fn visit(&self, visit: &mut Visit<'_>) -> Result<(), Error> {
        let mut piece = Vec::new();
        for segment in self.index.stored() {
            for start in (0..segment.rows).step_by(PIECE) {
                piece.clear();
                for row in start..segment.rows.min(start + PIECE) {
                    if !segment.is_removed(row)? {
                        segment.read_row(row, &mut piece)?;
                    }
                }
                visit(&piece)?;
            }
        }
        Ok(())
    }
}
