//! What libtorch throws. `tch` makes a panic of it in most of its functions; here it becomes an error again.

use std::{
    any::Any,
    panic::{self, AssertUnwindSafe},
};

use tch::TchError;

use crate::TrainError;

/// Whether a panic carries an error of libtorch. Those inside this crate's functions become a [`TrainError`], so that a
/// program may keep quiet about the panic itself.
#[must_use]
pub fn is_torch_panic(payload: &(dyn Any + Send)) -> bool {
    thrown(payload).is_some()
}

/// Does work on tensors; what libtorch throws there becomes an error.
pub(crate) fn catch_torch<T>(work: impl FnOnce() -> Result<T, TrainError>) -> Result<T, TrainError> {
    panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| match thrown(&*payload) {
        Some(message) => Err(to_error(message)),
        None => panic::resume_unwind(payload),
    })
}

/// The first line of libtorch's message.
fn thrown(payload: &(dyn Any + Send)) -> Option<&str> {
    let (_, error) = payload.downcast_ref::<String>()?.split_once("Torch(\"")?;
    // The error is there in its debug form, with line ends as `\n`.
    error.split("\\n").next()
}

fn to_error(message: &str) -> TrainError {
    let memory = ["out of memory", "not enough memory", "can't allocate memory"];
    if memory.iter().any(|sign| message.to_lowercase().contains(sign)) {
        let cure = "take smaller batches, or a device with more memory";
        TrainError::OutOfMemory { message: message.to_owned(), cure }
    } else {
        TrainError::Torch(TchError::Torch(message.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind, Tensor};

    use super::*;

    fn caught(work: impl FnOnce() -> Tensor) -> TrainError {
        catch_torch(|| Ok(work())).unwrap_err()
    }

    #[test]
    fn memory_that_is_not_there_is_an_error_with_the_cure() {
        let error = caught(|| Tensor::zeros([1 << 50], (Kind::Float, Device::Cpu)));
        assert!(matches!(error, TrainError::OutOfMemory { .. }), "{error}");
        assert!(error.to_string().ends_with("or a device with more memory"), "{error}");
    }

    #[test]
    fn what_libtorch_refuses_is_an_error() {
        let error = caught(|| Tensor::zeros([2], (Kind::Float, Device::Cpu)).view([3]));
        assert!(matches!(error, TrainError::Torch(_)), "{error}");
        assert!(error.to_string().contains("shape '[3]' is invalid"), "{error}");
    }

    #[test]
    #[should_panic(expected = "a fault of our own")]
    fn other_panics_stay_panics() {
        let _ = catch_torch(|| -> Result<(), _> { panic!("a fault of our own") });
    }
}
