//! Products and eigenvectors of row-major `f64` and `f32` matrices, by `faer`.

use std::ops::Range;

use faer::{
    Accum, Mat, MatMut, MatRef, Par, Spec,
    diag::Diag,
    dyn_stack::{MemBuffer, MemStack},
    linalg::{
        evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch},
        matmul::matmul,
    },
    traits::ComplexField,
};

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

    /// The columns `range` of `values` `[rows, width]`.
    pub(crate) fn columns(values: &'a [T], width: usize, range: Range<usize>) -> Self {
        let whole = MatRef::from_row_major_slice(values, values.len() / width, width);
        Self(whole.subcols(range.start, range.len()))
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
    let mut values = Diag::zeros(d);
    decompose(matrix, d, &mut values, None)?;
    Ok(values.column_vector().iter().copied().collect())
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

/// Eigenvalues from the smallest, and their eigenvectors as columns where they are wanted. On this thread: on several, faer
/// adds up what each has, and the last bits would depend on their number.
fn decompose(
    matrix: &[f64],
    d: usize,
    values: &mut Diag<f64>,
    vectors: Option<MatMut<'_, f64>>,
) -> Result<(), EvalError> {
    let wanted = if vectors.is_some() { ComputeEigenvectors::Yes } else { ComputeEigenvectors::No };
    let mut memory = MemBuffer::new(self_adjoint_evd_scratch::<f64>(d, wanted, Par::Seq, Spec::default()));
    let matrix = MatRef::from_row_major_slice(matrix, d, d);
    let stack = MemStack::new(&mut memory);
    self_adjoint_evd(matrix, values.as_mut(), vectors, Par::Seq, stack, Spec::default())
        .map_err(|_| EvalError::Eigen(d))
}

#[cfg(test)]
mod tests {
    use crate::{linear::eigen, rows::Rows, standardise::Moments};

    /// Wide enough for faer to share its work out.
    #[test]
    fn covariances_and_eigenvectors_do_not_depend_on_the_number_of_threads() {
        let d = 400;
        let values: Vec<f32> = (0..3 * d * d).map(|i| ((i * 7_919 + i * i % 31) % 1_009) as f32).collect();
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let moments = Moments::of(Rows::new(&values, d));
                let found = eigen(moments.covariance(), d).unwrap();
                (moments.covariance().to_vec(), found.values, found.vectors)
            })
        };
        let alone = on(1);
        assert!(on(2) == alone && on(5) == alone);
    }
}
