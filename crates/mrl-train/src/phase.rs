use tch::{Cuda, Device};
use tracing::span::EnteredSpan;

/// A named stretch of time, for whoever listens to `tracing`'s spans (`mrl train --profile`); it ends when dropped.
pub(crate) struct Phase {
    span: EnteredSpan,
    device: Device,
}

impl Phase {
    /// Begins the phase of `span`, which computes on `device`.
    pub(crate) fn enter(span: tracing::Span, device: Device) -> Self {
        Self { span: span.entered(), device }
    }
}

impl Drop for Phase {
    /// A GPU works on after it was told what to do: whoever listens waits for it, so that the time goes to the right phase.
    fn drop(&mut self) {
        if let Device::Cuda(index) = self.device
            && !self.span.is_disabled()
        {
            Cuda::synchronize(index as i64);
        }
    }
}

/// `phase!("backward", device)`.
macro_rules! phase {
    ($name:literal, $device:expr) => {
        $crate::phase::Phase::enter(tracing::info_span!($name), $device)
    };
}
pub(crate) use phase;
