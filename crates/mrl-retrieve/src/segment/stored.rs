use std::{ops::Range, sync::Arc};

use super::plan::{Plan, Shape, ShortlistColumns, TrainedColumns};
use crate::{
    Dtype, Error,
    file::{Checked, Column, Extent, Mapped, RemovedEntry, SegmentEntry},
    layout::bands,
    space::{Band, Guard, Segment, Space, Values},
};

/// A segment in a mapped file.
pub(crate) struct StoredSegment {
    pub(crate) rows: usize,
    pub(super) region: Arc<Checked>,
    pub(super) plan: Plan,
    dims: Vec<usize>,
    dtype: Option<Dtype>,
    largest_norm: f32,
    removed: Option<Removed>,
    /// Of the bands of the trained space.
    trained: Vec<Columns>,
    /// Of those of the shortlist.
    shortlist: Vec<Columns>,
}

/// Which rows are no more.
struct Removed {
    rows: usize,
    region: Checked,
    column: Column,
}

/// What is stored of a band.
struct Columns {
    region: Arc<Checked>,
    /// Every column.
    all: Vec<Column>,
    /// What of it [`Band::aside`] is.
    aside: Column,
}

impl Guard for Columns {
    #[inline]
    fn check(&self, rows: Range<usize>) -> Result<(), Error> {
        self.all.iter().try_for_each(|&column| self.region.check(column, rows.clone()))
    }

    #[inline]
    fn check_aside(&self, rows: Range<usize>) -> Result<(), Error> {
        self.region.check(self.aside, rows)
    }
}

impl StoredSegment {
    /// The segment of `entry`; nothing of it is read yet.
    pub(crate) fn new(file: &Arc<Mapped>, shape: &Shape, entry: &SegmentEntry) -> Result<Self, Error> {
        let beyond = || file.damaged(format!("a segment of {} rows cannot be; build it again", entry.rows));
        let plan = Plan::of(shape, entry.rows, entry.name_bytes).ok_or_else(beyond)?;
        let region = Arc::new(Checked::new(file, entry.region, plan.extent.clone())?);
        let guard = |all, aside| Columns { region: Arc::clone(&region), all, aside };
        let trained =
            plan.trained.iter().map(|band| guard(vec![band.values, band.norms], band.norms)).collect();
        let shortlist = plan.shortlist.iter().map(|band| {
            let columns = [Some(band.values), Some(band.beyond), band.scales, band.errors];
            guard(columns.into_iter().flatten().collect(), band.beyond)
        });
        Ok(Self {
            rows: entry.rows,
            dims: shape.dims.clone(),
            dtype: shape.dtype,
            largest_norm: entry.largest_norm,
            removed: entry.removed.map(|removed| Removed::new(file, entry.rows, removed)).transpose()?,
            trained,
            shortlist: shortlist.collect(),
            region,
            plan,
        })
    }

    /// What search reads. Which rows are removed is known to be whole, and the guards know of the rest.
    pub(crate) fn view(&self) -> Result<Segment<'_>, Error> {
        Ok(Segment {
            rows: self.rows,
            trained: self.trained(),
            shortlist: self.dtype.map(|dtype| self.shortlist(dtype)),
            largest_norm: self.largest_norm,
            removed: self.removed()?,
        })
    }

    fn trained<'a>(&'a self) -> Space<'a> {
        let band = |((dims, columns), guard): ((Range<usize>, &TrainedColumns), &'a Columns)| Band {
            dims,
            values: Values::F32(self.region.unchecked(columns.values)),
            aside: self.region.unchecked(columns.norms),
            errors: &[],
            guard,
        };
        Space { bands: bands(&self.dims).zip(&self.plan.trained).zip(&self.trained).map(band).collect() }
    }

    fn shortlist<'a>(&'a self, dtype: Dtype) -> Space<'a> {
        let numbers = |column: Option<Column>| column.map_or(&[][..], |column| self.region.unchecked(column));
        let values = |columns: &ShortlistColumns| match dtype {
            Dtype::F32 => Values::F32(self.region.unchecked(columns.values)),
            Dtype::Bf16 => Values::Bf16(self.region.unchecked(columns.values)),
            Dtype::Int8 => Values::Int8 {
                levels: self.region.unchecked(columns.values),
                scales: numbers(columns.scales),
            },
        };
        let band = |((dims, columns), guard): ((Range<usize>, &ShortlistColumns), &'a Columns)| Band {
            dims,
            values: values(columns),
            aside: self.region.unchecked(columns.beyond),
            errors: numbers(columns.errors),
            guard,
        };
        Space { bands: bands(&self.dims).zip(&self.plan.shortlist).zip(&self.shortlist).map(band).collect() }
    }

    /// Bit `row % 64` of word `row / 64` is set for rows that are no more: as many as the list of parts says, and no others.
    pub(crate) fn removed(&self) -> Result<Option<&[u64]>, Error> {
        let Some(removed) = &self.removed else { return Ok(None) };
        let words: &[u64] = removed.region.all(removed.column)?;
        let beyond =
            words[self.rows / 64..].iter().zip([self.rows % 64, 0]).any(|(word, from)| word >> from != 0);
        let counted: usize = words.iter().map(|word| word.count_ones() as usize).sum();
        if beyond || counted != removed.rows {
            // A checksum cannot promise it, for a file may be made to harm.
            let problem = format!(
                "{counted} rows of a segment of {} are removed, not {}; build it again",
                self.rows, removed.rows
            );
            return Err(self.region.file().damaged(problem));
        }
        Ok(Some(words))
    }

    pub(crate) fn is_removed(&self, row: usize) -> Result<bool, Error> {
        let Some(removed) = &self.removed else { return Ok(false) };
        let words: &[u64] = removed.region.some(removed.column, row / 64..row / 64 + 1)?;
        Ok(words[0] >> (row % 64) & 1 == 1)
    }

    /// Puts the numbers of `row`, `[width]`, behind `out`.
    pub(crate) fn read_row(&self, row: usize, out: &mut Vec<f32>) -> Result<(), Error> {
        for (dims, columns) in bands(&self.dims).zip(&self.plan.trained) {
            self.region.check(columns.values, row..row + 1)?;
            out.extend_from_slice(&self.region.unchecked(columns.values)[row * dims.len()..][..dims.len()]);
        }
        Ok(())
    }

    /// The label of `row`, where there are labels.
    pub(crate) fn label(&self, row: usize) -> Result<Option<i64>, Error> {
        let label = |column| Ok(self.region.some(column, row..row + 1)?[0]);
        self.plan.labels.map(label).transpose()
    }

    /// Compares everything with its checksum, and what is said twice.
    pub(crate) fn verify(&self) -> Result<(), Error> {
        self.region.verify()?;
        self.verify_ids()?;
        self.removed.as_ref().map_or(Ok(()), |removed| removed.region.verify())?;
        self.removed().map(drop)
    }
}

impl Removed {
    fn new(file: &Arc<Mapped>, rows: usize, entry: RemovedEntry) -> Result<Self, Error> {
        let (extent, column) = Extent::of(words(rows), 8).expect("fewer bytes than rows");
        Ok(Self { rows: entry.rows, region: Checked::new(file, entry.region, extent)?, column })
    }
}

/// Words that hold a bit for each of `rows`.
pub(crate) fn words(rows: usize) -> usize {
    rows.div_ceil(64)
}
