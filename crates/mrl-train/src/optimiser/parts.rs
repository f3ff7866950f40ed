use tch::{Device, Tensor};

/// Numbers of an update that stay in the cache: 0.5 MiB of each of six vectors.
pub(super) const CACHED: i64 = 1 << 17;

/// A part of long vectors of one length.
#[derive(Clone, Copy)]
pub(super) struct Part {
    start: i64,
    length: i64,
}

impl Part {
    /// This part of `vector`.
    pub(super) fn of(self, vector: &Tensor) -> Tensor {
        vector.narrow(0, self.start, self.length)
    }
}

/// The parts in which vectors as long as `parameters` are updated. On a CPU an update is several passes over its numbers, and
/// all but the first find them in the cache.
pub(super) fn parts(parameters: &Tensor) -> impl Iterator<Item = Part> + use<> {
    let total = parameters.size()[0];
    let length = if parameters.device() == Device::Cpu { CACHED.min(total) } else { total };
    (0..total).step_by(length as usize).map(move |start| Part { start, length: length.min(total - start) })
}
