//! The columns of a Parquet file, by name and type.

use std::path::Path;

use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType,
    cast::AsArray,
    types::{
        Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type,
        UInt16Type, UInt32Type, UInt64Type,
    },
};
use arrow_schema::{DataType, Schema};
use mrl_embedding::Error;

fn is_list_of(kind: &DataType, is_item: impl Fn(&DataType) -> bool) -> bool {
    matches!(kind, DataType::List(item) if is_item(item.data_type()))
}

fn is_floats(kind: &DataType) -> bool {
    is_list_of(kind, DataType::is_floating)
}

/// Whether a column holds lists of whole numbers of 8 bits.
pub(crate) fn is_bytes(kind: &DataType) -> bool {
    is_list_of(kind, |item| matches!(item, DataType::Int8 | DataType::UInt8))
}

/// The place of the column of vectors called `name`, or the only one.
pub(crate) fn vectors_column(path: &Path, schema: &Schema, name: Option<&str>) -> Result<usize, Error> {
    let fields = schema.fields();
    if let Some(name) = name {
        let column = named_column(path, schema, name)?;
        let kind = fields[column].data_type();
        if is_floats(kind) || is_bytes(kind) {
            return Ok(column);
        }
        return Err(Error::damaged(
            path,
            format!("column {name:?} is of type {kind}; name a column of lists of floats or 8-bit integers"),
        ));
    }
    let of_kind = |which: fn(&DataType) -> bool| -> Vec<usize> {
        (0..fields.len()).filter(|&column| which(fields[column].data_type())).collect()
    };
    let floats = of_kind(is_floats);
    let (found, which): (_, fn(&DataType) -> bool) =
        if floats.is_empty() { (of_kind(is_bytes), is_bytes) } else { (floats, is_floats) };
    match found[..] {
        [column] => Ok(column),
        [] => Err(Error::damaged(
            path,
            format!(
                "has no column of lists of floats or 8-bit integers; its columns are {}",
                names(schema, |_| true)
            ),
        )),
        _ => {
            let names = names(schema, which);
            Err(Error::damaged(path, format!("has several columns of vectors; name one of {names}")))
        }
    }
}

pub(crate) fn named_column(path: &Path, schema: &Schema, name: &str) -> Result<usize, Error> {
    let missing = || {
        let names = names(schema, |_| true);
        Error::damaged(path, format!("has no column {name:?}; its columns are {names}"))
    };
    schema.index_of(name).map_err(|_| missing())
}

fn names(schema: &Schema, which: impl Fn(&DataType) -> bool) -> String {
    let fields = schema.fields().iter().filter(|field| which(field.data_type()));
    fields.map(|field| format!("{:?}", field.name())).collect::<Vec<_>>().join(", ")
}

/// The numbers of a column of whole numbers without missing ones.
pub(crate) fn whole_numbers(part: &ArrayRef) -> Option<Vec<i128>> {
    fn of<T: ArrowPrimitiveType<Native: Into<i128>>>(part: &ArrayRef) -> Vec<i128> {
        part.as_primitive::<T>().values().iter().map(|&number| number.into()).collect()
    }
    Some(match part.data_type() {
        DataType::Int8 => of::<Int8Type>(part),
        DataType::Int16 => of::<Int16Type>(part),
        DataType::Int32 => of::<Int32Type>(part),
        DataType::Int64 => of::<Int64Type>(part),
        DataType::UInt8 => of::<UInt8Type>(part),
        DataType::UInt16 => of::<UInt16Type>(part),
        DataType::UInt32 => of::<UInt32Type>(part),
        DataType::UInt64 => of::<UInt64Type>(part),
        DataType::Boolean => part.as_boolean().values().iter().map(i128::from).collect(),
        _ => return None,
    })
}

/// The numbers of a column of floats without missing ones.
pub(crate) fn floats(part: &ArrayRef) -> Option<Vec<f64>> {
    Some(match part.data_type() {
        DataType::Float16 => {
            part.as_primitive::<Float16Type>().values().iter().map(|number| number.to_f64()).collect()
        }
        DataType::Float32 => {
            part.as_primitive::<Float32Type>().values().iter().map(|&number| number.into()).collect()
        }
        DataType::Float64 => part.as_primitive::<Float64Type>().values().to_vec(),
        _ => return None,
    })
}
