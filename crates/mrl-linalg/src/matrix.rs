//! Products and eigenvectors of row-major matrices, by `faer`. Its generic code is compiled here, once, for `f32` and `f64`.

use std::ops::Range;

use faer::{
    Accum, Mat, MatMut, MatRef, Par, Spec,
    diag::Diag,
    dyn_stack::{MemBuffer, MemStack},
    linalg::{
        evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch},
        matmul::{
            matmul,
            triangular::{self, BlockStructure},
        },
    },
};

/// A row-major matrix, read as it is or transposed.
pub struct Matrix<'a, T>(MatRef<'a, T>);

// `derive` would require `T: Clone` and `T: Copy`.
impl<T> Clone for Matrix<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Matrix<'_, T> {}

impl<'a, T> Matrix<'a, T> {
    /// `values` is `[rows, columns]`.
    ///
    /// # Panics
    /// When it holds another count of numbers.
    #[must_use]
    pub fn new(values: &'a [T], rows: usize, columns: usize) -> Self {
        Self(MatRef::from_row_major_slice(values, rows, columns))
    }

    /// The columns `range` of `values` `[rows, width]`.
    #[must_use]
    pub fn columns(values: &'a [T], width: usize, range: Range<usize>) -> Self {
        let whole = MatRef::from_row_major_slice(values, values.len() / width, width);
        Self(whole.subcols(range.start, range.len()))
    }

    /// Rows for columns.
    #[must_use]
    pub fn transposed(self) -> Self {
        Self(self.0.transpose())
    }
}

/// A number that matrices are made of: `f32` or `f64`.
pub trait Real: Copy + Sized + sealed::Sealed {
    #[doc(hidden)]
    fn product(a: Matrix<'_, Self>, b: Matrix<'_, Self>, out: &mut [Self], adds: bool, par: Parallel);
}

#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub enum Parallel {
    No,
    Yes,
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// `out = a b`, row-major `[a's rows, b's columns]`, on this thread.
pub fn multiply<T: Real>(a: Matrix<'_, T>, b: Matrix<'_, T>, out: &mut [T]) {
    T::product(a, b, out, false, Parallel::No);
}

/// `out += a b`, on this thread.
pub fn multiply_add<T: Real>(a: Matrix<'_, T>, b: Matrix<'_, T>, out: &mut [T]) {
    T::product(a, b, out, true, Parallel::No);
}

/// `out += a b`, on all threads of the pool.
pub fn multiply_add_parallel<T: Real>(a: Matrix<'_, T>, b: Matrix<'_, T>, out: &mut [T]) {
    T::product(a, b, out, true, Parallel::Yes);
}

macro_rules! real {
    ($number:ty) => {
        impl Real for $number {
            fn product(
                a: Matrix<'_, Self>,
                b: Matrix<'_, Self>,
                out: &mut [Self],
                adds: bool,
                parallel: Parallel,
            ) {
                let out = MatMut::from_row_major_slice_mut(out, a.0.nrows(), b.0.ncols());
                let accum = if adds { Accum::Add } else { Accum::Replace };
                let par = match parallel {
                    Parallel::No => Par::Seq,
                    Parallel::Yes => Par::rayon(0),
                };
                matmul(out, accum, a.0, b.0, 1.0, par);
            }
        }
    };
}

real!(f32);
real!(f64);

/// Adds to the lower triangle of `moment` `[d, d]` that of `rowsᵀ rows`, for `rows` `[n, d]`, on all threads of the pool.
pub fn add_second_moment(moment: &mut [f64], rows: &[f64], d: usize) {
    let rows = MatRef::from_row_major_slice(rows, rows.len() / d, d);
    triangular::matmul(
        MatMut::from_row_major_slice_mut(moment, d, d),
        BlockStructure::TriangularLower,
        Accum::Add,
        rows.transpose(),
        BlockStructure::Rectangular,
        rows,
        BlockStructure::Rectangular,
        1.0,
        Par::rayon(0),
    );
}

/// The eigenvectors of a symmetric matrix.
#[derive(Clone, Debug, PartialEq)]
pub struct Eigen {
    /// `[d]`, from the largest.
    pub values: Vec<f64>,
    /// `[d, d]` row-major: column `j` belongs to `values[j]`. Its largest entry is positive, which settles the sign.
    pub vectors: Vec<f64>,
}

/// A matrix whose eigenvalues cannot be found: it holds what is not finite, or the method does not converge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the eigenvalues of a matrix of {0} rows cannot be found")]
pub struct EigenError(pub usize);

/// The eigenvalues of the symmetric `matrix` `[d, d]`, of which the lower triangle is read, from the smallest.
///
/// # Errors
/// When they cannot be found.
pub fn eigenvalues(matrix: &[f64], d: usize) -> Result<Vec<f64>, EigenError> {
    let mut values = Diag::zeros(d);
    decompose(matrix, d, &mut values, None)?;
    Ok(values.column_vector().iter().copied().collect())
}

/// Decomposes the symmetric `matrix` `[d, d]`, of which the lower triangle is read.
///
/// # Errors
/// When that cannot be done.
pub fn eigen(matrix: &[f64], d: usize) -> Result<Eigen, EigenError> {
    let (mut ascending, mut columns) = (Diag::zeros(d), Mat::zeros(d, d));
    decompose(matrix, d, &mut ascending, Some(columns.as_mut()))?;
    let values = ascending.column_vector().iter().rev().copied().collect();
    let mut vectors = vec![0.0; d * d];
    for j in 0..d {
        let column = columns.col(d - 1 - j);
        let largest = (0..d).map(|i| column[i]).fold(0.0, |a: f64, b| if b.abs() > a.abs() { b } else { a });
        let sign = if largest < 0.0 { -1.0 } else { 1.0 };
        for i in 0..d {
            vectors[i * d + j] = sign * column[i];
        }
    }
    Ok(Eigen { values, vectors })
}

/// Eigenvalues from the smallest, and their eigenvectors as columns where they are wanted. Runs on one thread: with several, faer adds
/// partial sums, so the last bits would depend on the number of threads.
fn decompose(
    matrix: &[f64],
    d: usize,
    values: &mut Diag<f64>,
    vectors: Option<MatMut<'_, f64>>,
) -> Result<(), EigenError> {
    let wanted = if vectors.is_some() { ComputeEigenvectors::Yes } else { ComputeEigenvectors::No };
    let mut memory = MemBuffer::new(self_adjoint_evd_scratch::<f64>(d, wanted, Par::Seq, Spec::default()));
    let matrix = MatRef::from_row_major_slice(matrix, d, d);
    let stack = MemStack::new(&mut memory);
    self_adjoint_evd(matrix, values.as_mut(), vectors, Par::Seq, stack, Spec::default())
        .map_err(|_| EigenError(d))
}
