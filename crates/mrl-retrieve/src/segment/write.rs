use rayon::prelude::*;

use super::plan::{IdColumns, Plan, Shape};
use crate::{
    Error, Ids,
    file::{Appender, Disk, RegionWriter, SegmentEntry},
    layout::{Block, LARGEST_NORM, Layout},
    quantise::Numbers,
    source::Source,
    vector::dot,
};

/// Rows that a thread encodes at a time.
const ROWS: usize = 256;

/// Such blocks that wait to be written.
const BLOCKS: usize = 16;

/// Rows that a source best gives at a time.
pub(crate) const PIECE: usize = ROWS * BLOCKS;

/// The rows in the order of their ids.
///
/// # Errors
/// When an id comes twice.
fn order_of(ids: &Ids) -> Result<Vec<u32>, Error> {
    match ids {
        Ids::Numbers(numbers) => order(numbers),
        Ids::Names(names) => order(names),
    }
    .map_err(|twice| Error::Duplicate(ids.get(twice)))
}

/// The places of `values` from the least; an error is one that comes twice.
fn order<T: Ord + Sync>(values: &[T]) -> Result<Vec<u32>, usize> {
    let mut order: Vec<u32> = (0..values.len() as u32).collect();
    order.par_sort_unstable_by_key(|&row| &values[row as usize]);
    let twice = order.windows(2).find(|pair| values[pair[0] as usize] == values[pair[1] as usize]);
    twice.map_or(Ok(()), |pair| Err(pair[0] as usize))?;
    Ok(order)
}

/// Appends the rows of `source`, called `ids`.
///
/// `layout` and `shape` say the same of the bands. Memory: some thousand rows, however many there are, and 4 bytes for each.
///
/// # Errors
/// When a row is not finite or an id comes twice, the source does not give what it says, or the disk is full.
pub(crate) fn write_segment<D: Disk>(
    appender: &mut Appender<'_, D>,
    layout: &Layout<'_>,
    shape: &Shape,
    source: &dyn Source,
    ids: &Ids,
) -> Result<SegmentEntry, Error> {
    let rows = source.rows();
    let order = order_of(ids)?;
    let name_bytes = match ids {
        Ids::Numbers(_) => 0,
        Ids::Names(names) => names.iter().map(String::len).sum(),
    };
    let plan = Plan::of(shape, rows, name_bytes).ok_or(Error::TooMany(rows))?;
    let mut region = appender.region(&plan.extent);
    if let (Some(column), Some(labels)) = (plan.labels, source.labels()) {
        region.append(column, &labels)?;
    }
    region.append(plan.order, &order)?;
    append_ids(&mut region, &plan, ids)?;
    let largest_norm = append_rows(&mut region, &plan, layout, source)?;
    Ok(SegmentEntry { rows, name_bytes, largest_norm, region: region.finish()?, removed: None })
}

fn append_ids<D: Disk>(region: &mut RegionWriter<'_, D>, plan: &Plan, ids: &Ids) -> Result<(), Error> {
    match (plan.ids, ids) {
        (IdColumns::Numbers(column), Ids::Numbers(numbers)) => region.append(column, numbers),
        (IdColumns::Names { ends, bytes }, Ids::Names(names)) => {
            let mut end = 0;
            for name in names {
                end += name.len() as u64;
                region.append(ends, &[end])?;
                region.append(bytes, name.as_bytes())?;
            }
            Ok(())
        }
        _ => unreachable!("the shape has the kind of the ids"),
    }
}

/// Gives a bound of their norms.
fn append_rows<D: Disk>(
    region: &mut RegionWriter<'_, D>,
    plan: &Plan,
    layout: &Layout<'_>,
    source: &dyn Source,
) -> Result<f32, Error> {
    let width = source.width();
    let mut largest_norm = 0.0f32;
    let mut seen = 0;
    source.visit(&mut |piece| {
        let given = seen + piece.len() / width;
        if given > source.rows() {
            return Err(Error::Count { what: "vectors", given, rows: source.rows() });
        }
        for blocks in piece.chunks(PIECE * width) {
            let encode = |(index, rows): (usize, &[f32])| {
                check_finite(rows, width, seen + index * ROWS)?;
                Ok(layout.encode(rows))
            };
            let blocks: Result<Vec<Block>, Error> =
                blocks.par_chunks(ROWS * width).enumerate().map(encode).collect();
            for block in blocks? {
                largest_norm = largest_norm.max(block.largest_norm);
                append_block(region, plan, &block)?;
            }
            seen = given.min(seen + PIECE);
        }
        Ok(())
    })?;
    if seen < source.rows() {
        return Err(Error::Count { what: "vectors", given: seen, rows: source.rows() });
    }
    Ok(largest_norm)
}

/// Refuses rows `[any, width]` whose norms nothing can be computed with; the first is row `first`.
pub(crate) fn check_finite(rows: &[f32], width: usize, first: usize) -> Result<(), Error> {
    for (index, row) in rows.chunks_exact(width).enumerate() {
        let norm = dot(row, row).sqrt();
        if norm.is_nan() || norm > LARGEST_NORM {
            return Err(Error::NotFinite { row: first + index, norm });
        }
    }
    Ok(())
}

fn append_block<D: Disk>(region: &mut RegionWriter<'_, D>, plan: &Plan, block: &Block) -> Result<(), Error> {
    for (columns, band) in plan.trained.iter().zip(&block.trained) {
        region.append(columns.values, &band.values)?;
        region.append(columns.norms, &band.norms)?;
    }
    for (columns, band) in plan.shortlist.iter().zip(&block.shortlist) {
        match &band.encoded.numbers {
            Numbers::F32(values) => region.append(columns.values, values)?,
            Numbers::Bf16(bits) => region.append(columns.values, bits)?,
            Numbers::Int8 { levels, scales } => {
                region.append(columns.values, levels)?;
                columns.scales.map_or(Ok(()), |column| region.append(column, scales))?;
            }
        }
        region.append(columns.beyond, &band.beyond)?;
        columns.errors.map_or(Ok(()), |column| region.append(column, &band.encoded.errors))?;
    }
    Ok(())
}
