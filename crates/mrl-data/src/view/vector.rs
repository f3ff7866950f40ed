use pulp::{Arch, NullaryFnOnce};

/// Numbers that are treated side by side: two or four vectors of them.
pub(super) const LANES: usize = 32;

/// Runs `work`, compiled for each width of vectors, with the widest that the processor has. All that `work` calls, and
/// itself, must be `#[inline(always)]`, or it is compiled for the narrowest.
#[inline(always)]
pub(super) fn vectorised<R>(work: impl FnMut() -> R) -> R {
    Arch::new().dispatch(Work(work))
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
