//! Arguments from Python, and arrays for it.

use std::{borrow::Cow, str::FromStr};

use mrl_embedding::EmbeddingSet;
use mrl_retrieve::{Error, Id, IdKind, Ids, Source, Visit};
use numpy::{Element, PyArray1, PyArrayDyn, PyArrayMethods, PyReadonlyArrayDyn, PyUntypedArrayMethods};
use pyo3::{
    exceptions::{PyOverflowError, PyTypeError},
    intern,
    prelude::*,
    types::IntoPyDict,
};
use strum::VariantNames;

use crate::error::value;

/// A number of rows or dims.
#[derive(Clone, Copy)]
pub(crate) struct Whole(pub(crate) usize);

impl<'py> FromPyObject<'_, 'py> for Whole {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        given.extract().map(Self).map_err(|error| {
            if error.is_instance_of::<PyOverflowError>(given.py()) {
                return value(format!("{} is no number of rows or dims; give a whole one from 0", *given));
            }
            error
        })
    }
}

/// Numbers from Python, row-major: the memory of an array where it is of this type and layout, else a copy.
pub(crate) struct Array<'py, T: Element>(PyReadonlyArrayDyn<'py, T>);

impl<'py, T: Element> Array<'py, T> {
    /// What `given`, the argument `name`, holds. Floats become narrower and whole numbers floats, but not the reverse.
    ///
    /// # Errors
    /// `TypeError` when it holds something else, or what numpy says of what is no array.
    fn new(name: &str, given: &Bound<'py, PyAny>) -> PyResult<Self> {
        let py = given.py();
        let numpy = py.import(intern!(py, "numpy"))?;
        let array = numpy.call_method1(intern!(py, "asarray"), (given,))?;
        let (from, to) = (array.getattr(intern!(py, "dtype"))?, numpy::dtype::<T>(py));
        let casts = numpy.call_method1(intern!(py, "can_cast"), (&from, &to, "same_kind"))?;
        if !casts.extract::<bool>()? {
            return Err(PyTypeError::new_err(format!("{name} holds {from}; give {to}")));
        }
        let array = numpy.call_method1(intern!(py, "require"), (array, to, ["C", "A"]))?;
        Ok(Self(array.cast_into::<PyArrayDyn<T>>()?.try_readonly().map_err(value)?))
    }

    pub(crate) fn shape(&self) -> &[usize] {
        self.0.shape()
    }

    pub(crate) fn numbers(&self) -> PyResult<&[T]> {
        self.0.as_slice().map_err(value)
    }
}

impl<'py> Array<'py, f32> {
    /// Rows, `[rows, width]`.
    pub(crate) fn rows(name: &str, given: &Bound<'py, PyAny>) -> PyResult<Self> {
        let array = Self::new(name, given)?;
        array.check(name, "[rows, width]", 2..=2)?;
        Ok(array)
    }

    /// One query `[width]` or several `[queries, width]`.
    pub(crate) fn queries(name: &str, given: &Bound<'py, PyAny>) -> PyResult<Self> {
        let array = Self::new(name, given)?;
        array.check(name, "[width] or [queries, width]", 1..=2)?;
        Ok(array)
    }
}

impl<'py> Array<'py, i64> {
    /// A label a row, `[rows]`.
    ///
    /// # Errors
    /// Those of other numbers, and `ValueError` when one is too large: numpy would make it negative.
    pub(crate) fn labels(name: &str, given: &Bound<'py, PyAny>) -> PyResult<Self> {
        let py = given.py();
        let numpy = py.import(intern!(py, "numpy"))?;
        let given = numpy.call_method1(intern!(py, "asarray"), (given,))?;
        let given = if is_u64(&given)? { narrowed(name, &given)? } else { given };
        let array = Self::new(name, &given)?;
        array.check(name, "[rows]", 1..=1)?;
        Ok(array)
    }
}

/// Whether the numbers of an array may be larger than those of `int64`.
fn is_u64(array: &Bound<'_, PyAny>) -> PyResult<bool> {
    let dtype = array.getattr(intern!(array.py(), "dtype"))?;
    let kind: String = dtype.getattr(intern!(array.py(), "kind"))?.extract()?;
    let bytes: usize = dtype.getattr(intern!(array.py(), "itemsize"))?.extract()?;
    Ok(kind == "u" && bytes == 8)
}

/// A copy as `int64`, of the same shape.
fn narrowed<'py>(name: &str, given: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let wide = Array::<u64>::new(name, given)?;
    let too_large = |number| value(format!("{name} holds {number}; give labels below 2**63"));
    let numbers = wide.numbers()?.iter().map(|&number| i64::try_from(number).map_err(|_| too_large(number)));
    array(given.py(), numbers.collect::<PyResult<Vec<i64>>>()?, wide.shape())
}

impl<T: Element> Array<'_, T> {
    fn check(&self, name: &str, expected: &str, axes: std::ops::RangeInclusive<usize>) -> PyResult<()> {
        if axes.contains(&self.shape().len()) {
            return Ok(());
        }
        Err(value(format!("{name} has shape {:?}; give {expected}", self.shape())))
    }
}

/// Ids and the shape they came in.
pub(crate) struct ShapedIds {
    pub(crate) ids: Ids,
    pub(crate) shape: Vec<usize>,
}

impl ShapedIds {
    /// # Errors
    /// `TypeError` when `given` holds neither whole numbers alone nor text alone, `ValueError` when a number is negative.
    pub(crate) fn new(given: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = given.py();
        let numpy = py.import(intern!(py, "numpy"))?;
        let array = numpy.call_method1(intern!(py, "asarray"), (given,))?;
        let shape: Vec<usize> = array.getattr(intern!(py, "shape"))?.extract()?;
        let kind: String = array.getattr(intern!(py, "dtype"))?.getattr(intern!(py, "kind"))?.extract()?;
        let ids = match &*kind {
            _ if shape.contains(&0) => Ids::Numbers(Vec::new()),
            "u" => Ids::Numbers(Array::new("ids", &array)?.numbers()?.to_vec()),
            "i" => Ids::Numbers(whole(Array::new("ids", &array)?.numbers()?)?),
            _ => Ids::Names(names(given)?),
        };
        Ok(Self { ids, shape })
    }

    pub(crate) fn list(&self) -> Vec<Id> {
        (0..self.ids.len()).map(|index| self.ids.get(index)).collect()
    }
}

/// An id a row, `[rows]`.
pub(crate) fn ids(given: &Bound<'_, PyAny>) -> PyResult<Ids> {
    let ShapedIds { ids, shape } = ShapedIds::new(given)?;
    if shape.len() == 1 { Ok(ids) } else { Err(value(format!("ids have shape {shape:?}; give [rows]"))) }
}

fn whole(numbers: &[i64]) -> PyResult<Vec<u64>> {
    let negative = |number| value(format!("{number} is no id; give whole numbers from 0, or str"));
    numbers.iter().map(|&number| u64::try_from(number).map_err(|_| negative(number))).collect()
}

/// As objects, because numpy would write numbers among them as text.
fn names(given: &Bound<'_, PyAny>) -> PyResult<Vec<String>> {
    let py = given.py();
    let numpy = py.import(intern!(py, "numpy"))?;
    let objects = [("dtype", "object")].into_py_dict(py)?;
    let array = numpy.call_method(intern!(py, "asarray"), (given,), Some(&objects))?;
    let list = array.call_method0(intern!(py, "ravel"))?.call_method0(intern!(py, "tolist"))?;
    let problem = "ids are neither all whole numbers nor all str; give one kind";
    list.extract().map_err(|_| PyTypeError::new_err(problem))
}

/// Rows that are where Python has them.
pub(crate) struct Rows<'a> {
    /// `[rows, width]`.
    numbers: &'a [f32],
    width: usize,
    count: usize,
    ids: Option<Ids>,
    labels: Option<&'a [i64]>,
}

impl<'a> Rows<'a> {
    pub(crate) fn new(
        rows: &'a Array<'_, f32>,
        ids: Option<Ids>,
        labels: Option<&'a Array<'_, i64>>,
    ) -> PyResult<Self> {
        let (count, width) = (rows.shape()[0], rows.shape()[1]);
        let labels = labels.map(Array::numbers).transpose()?;
        Ok(Self { numbers: rows.numbers()?, width, count, ids, labels })
    }
}

impl Source for Rows<'_> {
    fn rows(&self) -> usize {
        self.count
    }

    fn width(&self) -> usize {
        self.width
    }

    fn ids(&self) -> Option<Cow<'_, Ids>> {
        self.ids.as_ref().map(Cow::Borrowed)
    }

    fn labels(&self) -> Option<Cow<'_, [i64]>> {
        self.labels.map(Cow::Borrowed)
    }

    fn visit(&self, visit: &mut Visit<'_>) -> Result<(), Error> {
        visit(self.numbers)
    }
}

/// A copy of the rows of one argument, with the labels of another, each with its name.
pub(crate) fn set(
    x: (&str, &Bound<'_, PyAny>),
    y: Option<(&str, &Bound<'_, PyAny>)>,
) -> PyResult<EmbeddingSet> {
    let rows = Array::rows(x.0, x.1)?;
    let set = EmbeddingSet::new(rows.numbers()?.to_vec(), rows.shape()[1]);
    let set = set.map_err(|error| value(format!("{}: {error}", x.0)))?;
    let Some((name, labels)) = y else { return Ok(set) };
    let labels = Array::labels(name, labels)?.numbers()?.to_vec();
    set.with_labels(labels).map_err(|error| value(format!("{name}: {error}")))
}

/// The choice that `given`, the argument `name`, is.
///
/// # Errors
/// `ValueError` when it is none.
pub(crate) fn choice<T: FromStr + VariantNames>(name: &str, given: &str) -> PyResult<T> {
    let choices = T::VARIANTS.join(", ");
    given.parse().map_err(|_| value(format!("{name} {given:?} is none of {choices}")))
}

/// An array of `shape` that takes the memory of `numbers`.
pub(crate) fn array<'py, T: Element>(
    py: Python<'py>,
    numbers: Vec<T>,
    shape: &[usize],
) -> PyResult<Bound<'py, PyAny>> {
    Ok(PyArray1::from_vec(py, numbers).reshape(shape)?.into_any())
}

/// An array of `shape`: numbers are `uint64`, names text as wide as the longest.
pub(crate) fn id_array<'py>(
    py: Python<'py>,
    ids: Vec<Id>,
    kind: IdKind,
    shape: &[usize],
) -> PyResult<Bound<'py, PyAny>> {
    match kind {
        IdKind::Numbers => {
            let number = |id| if let Id::Number(number) = id { Some(number) } else { None };
            array(py, ids.into_iter().filter_map(number).collect(), shape)
        }
        IdKind::Names => {
            let name = |id| if let Id::Name(name) = id { Some(name) } else { None };
            let names: Vec<String> = ids.into_iter().filter_map(name).collect();
            let numpy = py.import(intern!(py, "numpy"))?;
            let names = numpy.call_method1(intern!(py, "array"), (names, "U"))?;
            names.call_method1(intern!(py, "reshape"), (shape,))
        }
    }
}
