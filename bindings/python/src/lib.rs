//! The Python module `mrl`: indexes of nested embeddings, and their probe, on numpy arrays.
//!
//! Only this crate knows Python. What a thing does is said where it is done, in `mrl-retrieve` and `mrl-eval`; here arrays and
//! errors are handed over.

// A test program would have to be linked with Python's library, which a machine that builds the rest of the workspace need not
// have; all tests are in Python.
#![cfg(not(test))]
#![allow(clippy::doc_markdown, reason = "`help` of Python shows documentation as it is written")]

mod convert;
mod error;
mod index;
mod probe;
mod tuning;

/// What the package `mrl` is made of.
#[pyo3::pymodule]
mod _mrl {
    #[pymodule_export]
    use crate::index::Index;
    #[pymodule_export]
    use crate::probe::probe;
    #[pymodule_export]
    use crate::tuning::{Point, Tuning};

    #[pymodule_export]
    #[allow(non_upper_case_globals, reason = "the name that Python has for it")]
    const __version__: &str = env!("CARGO_PKG_VERSION");
}
