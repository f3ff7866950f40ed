//! What errors of the libraries are in Python: those of files `OSError`, all others `ValueError`.

use std::io;

use mrl_retrieve::Error;
use pyo3::{
    PyErr,
    exceptions::{PyBlockingIOError, PyFileExistsError, PyOSError, PyValueError},
};

/// The exception that `error` is. Those of the operating system carry its number and the file, from which Python makes
/// `FileNotFoundError` and the like.
pub(crate) fn retrieval(error: Error) -> PyErr {
    match error {
        Error::Io { path, source } => match source.raw_os_error() {
            Some(code) => PyOSError::new_err((code, words(&source, code), path.into_os_string())),
            None => io::Error::new(source.kind(), format!("{}: {source}", path.display())).into(),
        },
        Error::Occupied(_) => PyFileExistsError::new_err(error.to_string()),
        Error::Busy(_) => PyBlockingIOError::new_err(error.to_string()),
        Error::Damaged { .. } => PyOSError::new_err(error.to_string()),
        _ => value(error),
    }
}

/// A `ValueError` that says what `error` says.
#[expect(clippy::needless_pass_by_value, reason = "errors are mapped by it")]
pub(crate) fn value(error: impl ToString) -> PyErr {
    PyValueError::new_err(error.to_string())
}

/// What the operating system says, without the number, which Python adds.
fn words(error: &io::Error, code: i32) -> String {
    let text = error.to_string();
    text.strip_suffix(&format!(" (os error {code})")).unwrap_or(&text).to_owned()
}
