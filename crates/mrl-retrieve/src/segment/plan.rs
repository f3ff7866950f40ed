use crate::{
    Dtype, IdKind,
    file::{Column, Extent},
    layout::bands,
};

/// What all segments of an index have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Where bands end; the last is the width.
    pub(crate) dims: Vec<usize>,
    /// Of the shortlist, where there is one.
    pub(crate) dtype: Option<Dtype>,
    pub(crate) ids: IdKind,
    pub(crate) labels: bool,
}

/// Where the columns of a segment lie. This follows from the shape and the number of rows.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) extent: Extent,
    /// For each of the dims.
    pub(crate) trained: Vec<TrainedColumns>,
    /// For each of the dims but the last, where there is a shortlist.
    pub(crate) shortlist: Vec<ShortlistColumns>,
    /// i64.
    pub(crate) labels: Option<Column>,
    pub(crate) ids: IdColumns,
    /// u32: the rows in the order of their ids.
    pub(crate) order: Column,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct TrainedColumns {
    /// f32, all of a row in one record.
    pub(crate) values: Column,
    /// f32.
    pub(crate) norms: Column,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct ShortlistColumns {
    /// Of the dtype, all of a row in one record.
    pub(crate) values: Column,
    /// f32, for int8.
    pub(crate) scales: Option<Column>,
    /// f32.
    pub(crate) beyond: Column,
    /// f32, for all dtypes but f32.
    pub(crate) errors: Option<Column>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum IdColumns {
    /// u64.
    Numbers(Column),
    Names {
        /// u64: where the name of each row ends.
        ends: Column,
        /// All names, one after the other.
        bytes: Column,
    },
}

impl Plan {
    /// For `rows` whose names have `name_bytes`; nothing if the sizes are beyond reason.
    pub(crate) fn of(shape: &Shape, rows: usize, name_bytes: usize) -> Option<Self> {
        let mut extent = Extent::default();
        let mut push = |record| extent.push(rows, record);
        let record = |width: usize, number: usize| width.checked_mul(number);
        let trained = bands(&shape.dims)
            .map(|dims| Some(TrainedColumns { values: push(record(dims.len(), 4)?)?, norms: push(4)? }))
            .collect::<Option<_>>()?;
        let shortlist = shape.dtype.map(|dtype| {
            let short = &shape.dims[..shape.dims.len() - 1];
            let columns = |width| {
                Some(ShortlistColumns {
                    values: push(record(width, bytes(dtype))?)?,
                    scales: if dtype == Dtype::Int8 { Some(push(4)?) } else { None },
                    beyond: push(4)?,
                    errors: if dtype == Dtype::F32 { None } else { Some(push(4)?) },
                })
            };
            bands(short).map(|dims| dims.len()).map(columns).collect::<Option<_>>()
        });
        let shortlist = match shortlist {
            Some(columns) => columns?,
            None => Vec::new(),
        };
        let labels = if shape.labels { Some(push(8)?) } else { None };
        let order = push(4)?;
        let numbers = push(8)?;
        let ids = match shape.ids {
            IdKind::Numbers => IdColumns::Numbers(numbers),
            IdKind::Names => IdColumns::Names { ends: numbers, bytes: extent.push(name_bytes, 1)? },
        };
        Some(Self { extent, trained, shortlist, labels, ids, order })
    }
}

/// Of a number.
fn bytes(dtype: Dtype) -> usize {
    match dtype {
        Dtype::F32 => 4,
        Dtype::Bf16 => 2,
        Dtype::Int8 => 1,
    }
}
