//! The rows of all segments of an index, as a search sees them.

use rayon::prelude::*;

use super::prefix::{Bounds, Norms, Part, Prefix};
use crate::{
    Error,
    graph::{BuiltGraph, Graph},
    rotation::{DISTORTION, Rotation},
    space::{Band, Metric, Segment, Space, Values},
    vector::{Sums, prefetch},
};

/// Rows that are rotated together.
const TURNED: usize = 256;

/// One of the two spaces that rows are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Trained,
    Shortlist,
}

/// Rows of several segments, numbered through.
#[derive(Clone)]
pub(crate) struct Database<'a> {
    segments: Vec<Segment<'a>>,
    /// The number of the first row of each segment, and of all rows.
    starts: Vec<usize>,
    metric: Metric,
    /// Where bands end; the last is the width.
    dims: &'a [usize],
    rotation: Option<&'a Rotation>,
    graph: Option<Graph<'a>>,
    /// Rows that were not removed.
    live: usize,
}

impl<'a> Database<'a> {
    pub(crate) fn new(
        segments: Vec<Segment<'a>>,
        metric: Metric,
        dims: &'a [usize],
        rotation: Option<&'a Rotation>,
    ) -> Self {
        let mut starts = vec![0];
        starts.extend(segments.iter().scan(0, |sum, segment| {
            *sum += segment.rows;
            Some(*sum)
        }));
        let ones = |words: &[u64]| words.iter().map(|word| word.count_ones() as usize).sum();
        let removed = |segment: &Segment<'_>| segment.removed.map_or(0, ones);
        let live = segments.iter().map(|segment| segment.rows - removed(segment)).sum();
        Self { segments, starts, metric, dims, rotation, graph: None, live }
    }

    /// The same rows with `graph`, which is of the first of them.
    pub(crate) fn with_graph(self, graph: Option<Graph<'a>>) -> Self {
        Self { graph, ..self }
    }

    pub(super) fn graph(&self) -> Option<Graph<'a>> {
        self.graph
    }

    /// All rows, removed ones too.
    pub(super) fn rows(&self) -> usize {
        self.starts[self.segments.len()]
    }

    /// Rows that were not removed.
    pub(super) fn live(&self) -> usize {
        self.live
    }

    pub(super) fn width(&self) -> usize {
        self.dims[self.dims.len() - 1]
    }

    pub(super) fn metric(&self) -> Metric {
        self.metric
    }

    /// What turns queries the way the rows of a space are.
    pub(super) fn rotation(&self, kind: Kind) -> Option<&'a Rotation> {
        if kind == Kind::Shortlist { self.rotation } else { None }
    }

    /// The dims at which bands of a space end, if there is that space.
    pub(super) fn ends(&self, kind: Kind) -> &'a [usize] {
        match kind {
            Kind::Trained => self.dims,
            Kind::Shortlist if self.segments.iter().all(|segment| segment.shortlist.is_some()) => {
                &self.dims[..self.dims.len() - 1]
            }
            Kind::Shortlist => &[],
        }
    }

    /// The space whose prefixes shortlist.
    pub(super) fn shortlist_kind(&self) -> Kind {
        if self.ends(Kind::Shortlist).is_empty() { Kind::Trained } else { Kind::Shortlist }
    }

    /// A bound of the norm of rows where products are compared.
    pub(super) fn largest_norm(&self) -> f64 {
        match self.metric {
            Metric::Cosine => 1.0,
            Metric::Dot => {
                self.segments.iter().map(|segment| f64::from(segment.largest_norm)).fold(0.0, f64::max)
            }
        }
    }

    /// How much the product of a query and a row of norm 1 may differ between a space and the rows as given.
    pub(super) fn distortion(&self, kind: Kind) -> f64 {
        if self.rotation(kind).is_some() { DISTORTION } else { 0.0 }
    }

    /// The first `dim` dims of all rows; their products with queries shortlist.
    pub(super) fn prefix(&self, kind: Kind, dim: usize) -> Prefix<'_> {
        Prefix::new(dim, Bounds::None, self.parts(kind, dim, dim))
    }

    /// The first `dim` dims of all rows, with bounds of what the rest of the first `rank` adds to the product with a query. In the
    /// shortlist space, `rank` must be the width.
    pub(super) fn bounded(&self, kind: Kind, dim: usize, rank: usize) -> Prefix<'_> {
        let parts = self.parts(kind, dim, rank);
        let bounds = match kind {
            Kind::Trained if dim == rank => Bounds::None,
            Kind::Shortlist if parts.iter().any(Part::is_in_fewer_bits) => Bounds::BeyondAndErrors,
            _ => Bounds::Beyond,
        };
        Prefix::new(dim, bounds, parts)
    }

    /// A graph of all rows on the first `dim` dims as they shortlist.
    pub(crate) fn build_graph(&self, dim: usize) -> Result<BuiltGraph, Error> {
        let kind = self.shortlist_kind();
        // A trained prefix is a vector of its own, here as where it is scanned; what else shortlists is a part of the whole row.
        let read = if kind == Kind::Trained { dim } else { self.width() };
        let turn = |start: usize| {
            let mut scaled = Vec::new();
            for row in start..self.rows().min(start + TURNED) {
                scaled.extend(self.metric.scaled(&self.row(row, read).read()?));
            }
            Ok(match self.rotation(kind) {
                Some(rotation) => rotation.apply(&scaled, dim),
                None => scaled.chunks_exact(read).flat_map(|row| &row[..dim]).copied().collect(),
            })
        };
        let starts: Vec<usize> = (0..self.rows()).step_by(TURNED).collect();
        let blocks: Vec<Vec<f64>> = starts.into_par_iter().map(turn).collect::<Result<_, Error>>()?;
        let values: Vec<f32> = blocks.iter().flatten().map(|&value| value as f32).collect();
        drop(blocks);
        BuiltGraph::build(values, dim)
    }

    fn parts(&self, kind: Kind, dim: usize, rank: usize) -> Vec<Part<'_>> {
        let part = |(segment, &start)| {
            let bands = |dim| space(segment, kind).prefix(dim).expect("a dim of the index");
            // What the rows of the trained space are divided by, in products; those of the shortlist have norm 1 already.
            let whole = (kind == Kind::Trained).then(|| Norms::of(&bands(rank)[bands(rank).len() - 1]));
            Part { start, segment, bands: bands(dim), whole, metric: self.metric }
        };
        self.segments.iter().zip(&self.starts).map(part).collect()
    }

    /// At most `most` rows as they were given, evenly spaced, that may be queries, `[any, width]`; and which they are.
    pub(super) fn sample(&self, most: usize) -> Result<(Vec<f32>, Vec<usize>), Error> {
        let (mut values, mut rows) = (Vec::new(), Vec::new());
        let step = self.live.div_ceil(most).max(1);
        for row in (0..self.rows()).filter(|&row| !self.is_removed(row)).step_by(step) {
            let numbers = self.row(row, self.width()).read()?;
            if self.metric == Metric::Dot || numbers.iter().any(|&number| number != 0.0) {
                values.extend(numbers);
                rows.push(row);
            }
        }
        Ok((values, rows))
    }

    pub(super) fn is_removed(&self, row: usize) -> bool {
        let index = self.segment_of(row);
        self.segments[index].is_removed(row - self.starts[index])
    }

    #[inline(always)]
    fn segment_of(&self, row: usize) -> usize {
        self.starts.partition_point(|&start| start <= row) - 1
    }

    /// The first `dims` numbers of `row` as it was given.
    #[inline(always)]
    pub(super) fn row(&self, row: usize, dims: usize) -> Row<'_> {
        let index = self.segment_of(row);
        let bands = self.segments[index].trained.prefix(dims).expect("a dim of the index");
        Row { bands, row: row - self.starts[index] }
    }
}

/// A row as it was given.
pub(super) struct Row<'d> {
    bands: &'d [Band<'d>],
    row: usize,
}

impl Row<'_> {
    /// Asks for the row, which is to be read soon.
    #[inline(always)]
    pub(super) fn prefetch(&self) {
        self.bands.iter().for_each(|band| prefetch(self.numbers(band)));
    }

    fn read(&self) -> Result<Vec<f32>, Error> {
        let mut out = Vec::new();
        for band in self.bands {
            band.guard.check(self.row..self.row + 1)?;
            out.extend_from_slice(self.numbers(band));
        }
        Ok(out)
    }

    /// The products of the row with `query` and with itself.
    #[inline(always)]
    pub(super) fn products(&self, query: &[f32]) -> Result<(f64, f64), Error> {
        let (mut products, mut squares) = (Sums::default(), Sums::default());
        for band in self.bands {
            band.guard.check(self.row..self.row + 1)?;
            let numbers = self.numbers(band);
            products.add(band.dims.start, &query[band.dims.clone()], numbers);
            squares.add(band.dims.start, numbers, numbers);
        }
        Ok((products.total(), squares.total()))
    }

    #[inline(always)]
    fn numbers<'b>(&self, band: &Band<'b>) -> &'b [f32] {
        let Values::F32(values) = band.values else { unreachable!("rows are given in f32") };
        &values[self.row * band.dims.len()..][..band.dims.len()]
    }
}

fn space<'s, 'a>(segment: &'s Segment<'a>, kind: Kind) -> &'s Space<'a> {
    match kind {
        Kind::Trained => &segment.trained,
        Kind::Shortlist => segment.shortlist.as_ref().expect("a shortlist"),
    }
}
