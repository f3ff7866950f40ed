//! Loops compiled for each set of vector instructions, run with the widest that the processor has; products and eigenvectors of matrices.
//!
//! ```
//! use mrl_linalg::vectorised;
//!
//! let (a, mut b) = ([2.0f32; 100], [1.0f32; 100]);
//! vectorised(
//!     #[inline(always)]
//!     || b.iter_mut().zip(&a).for_each(|(b, a)| *b += a),
//! );
//! assert_eq!(b, [3.0; 100]);
//! ```
//!
//! [`limit_simd`] makes the process use narrower ones, to compute as another processor does:
//!
//! ```
//! use mrl_linalg::{Level, limit_simd};
//!
//! limit_simd(Level::Scalar)?;
//! # Ok::<(), mrl_linalg::SimdError>(())
//! ```

mod dispatch;
mod level;
mod matrix;
#[cfg(feature = "test-env")]
mod test_env;

pub use dispatch::{dispatch, limit_simd, vectorised};
pub use level::{Level, SimdError};
pub use matrix::{
    Eigen, EigenError, Matrix, Real, add_second_moment, eigen, eigenvalues, multiply, multiply_add,
    multiply_add_parallel,
};
pub use pulp::{Simd, WithSimd};
