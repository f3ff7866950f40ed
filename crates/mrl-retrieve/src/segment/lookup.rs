//! Ids of rows and rows of ids. The file holds the rows in the order of their ids, so that nothing is built when it is opened.

use super::{plan::IdColumns, stored::StoredSegment};
use crate::{Error, Id};

/// An id where it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum IdRef<'a> {
    Number(u64),
    Name(&'a str),
}

impl IdRef<'_> {
    fn of(id: &Id) -> IdRef<'_> {
        match id {
            Id::Number(number) => IdRef::Number(*number),
            Id::Name(name) => IdRef::Name(name),
        }
    }

    fn to_id(self) -> Id {
        match self {
            Self::Number(number) => Id::Number(number),
            Self::Name(name) => Id::Name(name.to_owned()),
        }
    }
}

impl StoredSegment {
    /// What `row` is called.
    pub(crate) fn id(&self, row: usize) -> Result<Id, Error> {
        self.id_ref(row).map(IdRef::to_id)
    }

    /// The row that is called `id`, which is of the kind of the index, unless it is removed.
    pub(crate) fn find(&self, id: &Id) -> Result<Option<usize>, Error> {
        let id = IdRef::of(id);
        let (mut start, mut end) = (0, self.rows);
        while start < end {
            let middle = start.midpoint(end);
            let row = self.row_in_order(middle)?;
            match self.id_ref(row)?.cmp(&id) {
                std::cmp::Ordering::Less => start = middle + 1,
                std::cmp::Ordering::Greater => end = middle,
                std::cmp::Ordering::Equal => return Ok((!self.is_removed(row)?).then_some(row)),
            }
        }
        Ok(None)
    }

    /// Whether the ids are in order, each once, so that all are found.
    pub(super) fn verify_ids(&self) -> Result<(), Error> {
        let mut before = None;
        for place in 0..self.rows {
            let id = self.id_ref(self.row_in_order(place)?)?;
            if before.is_some_and(|before| before >= id) {
                return Err(self.region.file().damaged("its ids are out of order; build it again"));
            }
            before = Some(id);
        }
        Ok(())
    }

    fn row_in_order(&self, place: usize) -> Result<usize, Error> {
        let row: u32 = self.region.some(self.plan.order, place..place + 1)?[0];
        let row = row as usize;
        if row < self.rows { Ok(row) } else { Err(self.unusable(row)) }
    }

    fn id_ref(&self, row: usize) -> Result<IdRef<'_>, Error> {
        match self.plan.ids {
            IdColumns::Numbers(column) => Ok(IdRef::Number(self.region.some(column, row..row + 1)?[0])),
            IdColumns::Names { ends, bytes } => {
                let end =
                    |row: usize| Ok::<_, Error>(self.region.some::<u64>(ends, row..row + 1)?[0] as usize);
                let start = if row == 0 { 0 } else { end(row - 1)? };
                let range = start..end(row)?;
                if range.start > range.end || range.end > bytes.records() {
                    return Err(self.unusable(row));
                }
                let name = std::str::from_utf8(self.region.some(bytes, range)?);
                name.map(IdRef::Name).map_err(|_| self.unusable(row))
            }
        }
    }

    fn unusable(&self, row: usize) -> Error {
        self.region.file().damaged(format!("the id of row {row} of a segment is not usable; build it again"))
    }
}
