//! Products and eigenvectors of row-major `f64` and `f32` matrices, by `faer`.

use faer::{Accum, MatMut, MatRef, Par, Side, linalg::matmul::matmul, traits::ComplexField};

use crate::EvalError;

/// A row-major matrix, read as it is or transposed.
pub(crate) struct Matrix<'a, T>(MatRef<'a, T>);

// Derived, these would ask the same of `T`.
impl<T> Clone for Matrix<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Matrix<'_, T> {}

impl<'a, T> Matrix<'a, T> {
    /// `values` is `[rows, columns]`.
    pub(crate) fn new(values: &'a [T], rows: usize, columns: usize) -> Self {
        Self(MatRef::from_row_major_slice(values, rows, columns))
    }

    pub(crate) fn transposed(self) -> Self {
        Self(self.0.transpose())
    }
}

/// `out = a b`, row-major `[a's rows, b's columns]`, on this thread.
pub(crate) fn multiply<T: ComplexField>(a: Matrix<'_, T>, b: Matrix<'_, T>, out: &mut [T]) {
    product(a, b, out, Accum::Replace, Par::Seq);
}

/// `out += a b`, on this thread.
pub(crate) fn multiply_add<T: ComplexField>(a: Matrix<'_, T>, b: Matrix<'_, T>, out: &mut [T]) {
    product(a, b, out, Accum::Add, Par::Seq);
}

/// `out += a b`, on all threads of the pool.
pub(crate) fn multiply_add_parallel<T: ComplexField>(a: Matrix<'_, T>, b: Matrix<'_, T>, out: &mut [T]) {
    product(a, b, out, Accum::Add, Par::rayon(0));
}

fn product<T: ComplexField>(a: Matrix<'_, T>, b: Matrix<'_, T>, out: &mut [T], accum: Accum, par: Par) {
    let out = MatMut::from_row_major_slice_mut(out, a.0.nrows(), b.0.ncols());
    matmul(out, accum, a.0, b.0, T::one_impl(), par);
}

/// The eigenvalues of the symmetric `matrix` `[d, d]`, from the smallest.
pub(crate) fn eigenvalues(matrix: &[f64], d: usize) -> Result<Vec<f64>, EvalError> {
    MatRef::from_row_major_slice(matrix, d, d)
        .self_adjoint_eigenvalues(Side::Lower)
        .map_err(|_| EvalError::Eigen(d))
}

/// The eigenvectors of a symmetric matrix.
pub(crate) struct Eigen {
    /// `[d]`, from the largest.
    pub(crate) values: Vec<f64>,
    /// `[d, d]` row-major: column `j` belongs to `values[j]`. Its largest entry is positive, which settles the sign.
    pub(crate) vectors: Vec<f64>,
}

/// Decomposes the symmetric `matrix` `[d, d]`.
pub(crate) fn eigen(matrix: &[f64], d: usize) -> Result<Eigen, EvalError> {
    let decomposition = MatRef::from_row_major_slice(matrix, d, d)
        .self_adjoint_eigen(Side::Lower)
        .map_err(|_| EvalError::Eigen(d))?;
    let (ascending, columns) = (decomposition.S().column_vector(), decomposition.U());
    let values = (0..d).rev().map(|j| ascending[j]).collect();
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
