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

/// What is stored of some bands.
struct Columns {
    region: Arc<Checked>,
    columns: Vec<Column>,
}

impl Guard for Columns {
    #[inline]
    fn check(&self, rows: Range<usize>) -> Result<(), Error> {
        self.columns.iter().try_for_each(|&column| self.region.check(column, rows.clone()))
    }
}

impl StoredSegment {
    /// The segment of `entry`; nothing of it is read yet.
    pub(crate) fn new(file: &Arc<Mapped>, shape: &Shape, entry: &SegmentEntry) -> Result<Self, Error> {
        let beyond = || file.damaged(format!("a segment of {} rows cannot be; build it again", entry.rows));
        let plan = Plan::of(shape, entry.rows, entry.name_bytes).ok_or_else(beyond)?;
        let region = Arc::new(Checked::new(file, entry.region, plan.extent.clone())?);
        let guard = |columns| Columns { region: Arc::clone(&region), columns };
        let trained = plan.trained.iter().map(|band| guard(vec![band.values, band.norms])).collect();
        let shortlist = plan.shortlist.iter().map(|band| {
            guard(
                [Some(band.values), Some(band.beyond), band.scales, band.errors]
                    .into_iter()
                    .flatten()
                    .collect(),
            )
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

    /// Bit `row % 64` of word `row / 64` is set for rows that are no more.
    pub(crate) fn removed(&self) -> Result<Option<&[u64]>, Error> {
        self.removed.as_ref().map(|removed| removed.region.all(removed.column)).transpose()
    }

    pub(crate) fn is_removed(&self, row: usize) -> Result<bool, Error> {
        Ok(self.removed()?.is_some_and(|words| words[row / 64] >> (row % 64) & 1 == 1))
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
        let Some(removed) = &self.removed else { return Ok(()) };
        removed.region.verify()?;
        let words: &[u64] = removed.region.all(removed.column)?;
        let beyond =
            words[self.rows / 64..].iter().zip([self.rows % 64, 0]).any(|(word, from)| word >> from != 0);
        let counted: usize = words.iter().map(|word| word.count_ones() as usize).sum();
        if beyond || counted != removed.rows {
            let problem = format!("{counted} rows are removed, not {}; build it again", removed.rows);
            return Err(self.region.file().damaged(problem));
        }
        Ok(())
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
