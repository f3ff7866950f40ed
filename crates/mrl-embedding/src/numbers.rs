//! The numbers of tensors, of any type that is read.

use std::path::Path;

use half::{bf16, f16};
use safetensors::{Dtype, tensor::TensorView};

use crate::{Error, labels::whole, values::Values};

/// The numbers of a tensor of rows of `width`: `values` makes them of `f32`, and of others they are a copy.
pub(crate) fn read_numbers(
    path: &Path,
    name: &str,
    tensor: &TensorView<'_>,
    width: usize,
    values: impl FnOnce(&[u8]) -> Values,
) -> Result<Values, Error> {
    let bytes = tensor.data();
    Ok(match tensor.dtype() {
        Dtype::F32 => values(bytes),
        Dtype::F16 => Values::converted(bytes, |number| f16::from_le_bytes(number).to_f32()),
        Dtype::BF16 => Values::converted(bytes, |number| bf16::from_le_bytes(number).to_f32()),
        Dtype::F64 => Values::narrowed(bytes, width)
            .map_err(|problem| Error::damaged(path, format!("`{name}` {problem}")))?,
        Dtype::I8 => Values::converted(bytes, |number| i8::from_le_bytes(number).into()),
        Dtype::U8 => Values::converted(bytes, |number| u8::from_le_bytes(number).into()),
        _ => return Err(wrong_dtype(path, name, Dtype::F32, tensor)),
    })
}

/// The whole numbers of a tensor `[n]` or `[n, 1]`.
pub(crate) fn read_integers(path: &Path, name: &str, tensor: &TensorView<'_>) -> Result<Vec<i64>, Error> {
    let &([_] | [_, 1]) = tensor.shape() else {
        let problem =
            format!("`{name}` has shape {:?}; store one number for each embedding, as [n]", tensor.shape());
        return Err(Error::damaged(path, problem));
    };
    let damaged = |problem: String| Error::damaged(path, format!("`{name}`: {problem}"));
    let bytes = tensor.data();
    Ok(match tensor.dtype() {
        Dtype::I64 => integers(bytes, i64::from_le_bytes),
        Dtype::U64 => unsigned(bytes).map_err(|large| {
            Error::damaged(path, format!("`{name}` holds {large}; give whole numbers below 2^63"))
        })?,
        Dtype::I32 => integers(bytes, i32::from_le_bytes),
        Dtype::I16 => integers(bytes, i16::from_le_bytes),
        Dtype::I8 => integers(bytes, i8::from_le_bytes),
        Dtype::U32 => integers(bytes, u32::from_le_bytes),
        Dtype::U16 => integers(bytes, u16::from_le_bytes),
        Dtype::U8 => integers(bytes, u8::from_le_bytes),
        Dtype::BOOL => bytes.iter().map(|&byte| i64::from(byte != 0)).collect(),
        Dtype::F16 => floats(bytes, |number| f16::from_le_bytes(number).to_f64()).map_err(damaged)?,
        Dtype::BF16 => floats(bytes, |number| bf16::from_le_bytes(number).to_f64()).map_err(damaged)?,
        Dtype::F32 => floats(bytes, |number| f32::from_le_bytes(number).into()).map_err(damaged)?,
        Dtype::F64 => floats(bytes, f64::from_le_bytes).map_err(damaged)?,
        _ => return Err(wrong_dtype(path, name, Dtype::I64, tensor)),
    })
}

fn integers<T: Into<i64>, const N: usize>(bytes: &[u8], integer: fn([u8; N]) -> T) -> Vec<i64> {
    bytes.as_chunks::<N>().0.iter().map(|&chunk| integer(chunk).into()).collect()
}

/// Floats that are whole numbers.
fn floats<const N: usize>(bytes: &[u8], float: fn([u8; N]) -> f64) -> Result<Vec<i64>, String> {
    let floats = bytes.as_chunks::<N>().0.iter().map(|&chunk| float(chunk));
    whole(floats)
}

/// The numbers, or one that `i64` does not hold.
fn unsigned(bytes: &[u8]) -> Result<Vec<i64>, u64> {
    let numbers = bytes.as_chunks().0.iter().map(|&chunk| u64::from_le_bytes(chunk));
    numbers.map(|number| i64::try_from(number).map_err(|_| number)).collect()
}

pub(crate) fn wrong_dtype(path: &Path, name: &str, dtype: Dtype, tensor: &TensorView<'_>) -> Error {
    Error::damaged(path, format!("`{name}` is {:?}; store it as {dtype:?}", tensor.dtype()))
}
