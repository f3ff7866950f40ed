#![expect(clippy::inline_always, reason = "what is not inlined is compiled for the narrowest vectors")]

use std::sync::{
    LazyLock,
    atomic::{AtomicU8, Ordering},
};

use pulp::{Arch, NullaryFnOnce, WithSimd};

use crate::{Level, SimdError};

/// The number of the level that the process uses.
static LEVEL: LazyLock<AtomicU8> = LazyLock::new(|| {
    #[cfg(not(feature = "test-env"))]
    let level = Level::widest();
    #[cfg(feature = "test-env")]
    let level = crate::test_env::level();
    AtomicU8::new(level as u8)
});

/// Makes all loops that start from now on, on every thread, use `level`. Until it is called, they use the widest level of the processor.
///
/// # Errors
/// The processor lacks `level`.
pub fn limit_simd(level: Level) -> Result<(), SimdError> {
    if level.arch().is_none() {
        return Err(SimdError::Unavailable { name: level.to_string() });
    }
    LEVEL.store(level as u8, Ordering::Relaxed);
    Ok(())
}

/// Runs `work` with the vectors of the level that the process uses. All that [`WithSimd::with_simd`] calls, and itself, must be
/// `#[inline(always)]`, or it is compiled for the narrowest.
#[inline(always)]
pub fn dispatch<W: WithSimd>(work: W) -> W::Output {
    arch().dispatch(work)
}

/// Runs `work`, compiled for each level, at the one that the process uses. All that `work` calls, and itself, must be
/// `#[inline(always)]`, or it is compiled for the narrowest; so are closures, where an iterator calls them.
#[inline(always)]
pub fn vectorised<R>(work: impl FnMut() -> R) -> R {
    dispatch(Work(work))
}

#[inline]
fn arch() -> Arch {
    Level::from_number(LEVEL.load(Ordering::Relaxed)).arch().unwrap_or(Arch::Scalar)
}

/// `pulp` takes closures as they are, but as `FnOnce`: most are then called by way of a function that the compiler makes
/// for it, which is not inlined.
struct Work<F>(F);

impl<R, F: FnMut() -> R> NullaryFnOnce for Work<F> {
    type Output = R;

    #[inline(always)]
    fn call(mut self) -> R {
        (self.0)()
    }
}

#[cfg(test)]
mod tests {
    use pulp::Simd;

    use super::*;

    /// Says how many `f32`s a vector has.
    struct Lanes;

    impl WithSimd for Lanes {
        type Output = usize;

        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) -> usize {
            S::F32_LANES
        }
    }

    /// One test, for the level is the process's.
    #[test]
    fn work_runs_at_the_level_that_was_set() {
        let mut sums = Vec::new();
        for level in Level::available() {
            limit_simd(level).unwrap();
            let lanes = match level {
                Level::Scalar => 1,
                Level::Neon => 4,
                Level::Avx2 => 8,
                Level::Avx512 => 16,
            };
            assert_eq!(dispatch(Lanes), lanes, "{level}");
            let sum: u64 = vectorised(
                #[inline(always)]
                || (0..1000u64).map(|number| number * number).sum(),
            );
            sums.push(sum);
        }
        assert!(sums.iter().all(|&sum| sum == 332_833_500), "{sums:?}");
        let missing = [Level::Neon, Level::Avx512].into_iter().filter(|level| level.arch().is_none());
        for level in missing {
            limit_simd(level).unwrap_err();
        }
        assert_eq!(dispatch(Lanes) > 1, Level::widest() != Level::Scalar, "a refused level changes nothing");
    }
}
