use mrl_data::epoch_order;
use mrl_embedding::EmbeddingSet;
use tch::{Device, Tensor};

/// Rows of norm 1 along their principal axes, `[n, d]`, and their labels `[n]` if they have any, on one device.
pub(super) struct Vectors {
    pub(super) rows: Tensor,
    pub(super) labels: Option<Tensor>,
}

impl Vectors {
    /// `rows` `[n, d]` with the labels of `set`.
    pub(super) fn new(rows: &Tensor, set: &EmbeddingSet, device: Device) -> Self {
        Self {
            rows: rows.to_device(device),
            labels: set.labels().map(|labels| Tensor::from_slice(labels).to_device(device)),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.rows.size()[0] as usize
    }

    /// Those of `indices`, in this order.
    pub(super) fn select(&self, indices: &[i64]) -> Self {
        let indices = Tensor::from_slice(indices).to_device(self.rows.device());
        Self {
            rows: self.rows.index_select(0, &indices),
            labels: self.labels.as_ref().map(|labels| labels.index_select(0, &indices)),
        }
    }

    /// At most `most` of them, and the others. The choice is random but always the same: evenly spaced rows could all have one label.
    pub(super) fn split(&self, most: usize) -> (Self, Self) {
        let mut order: Vec<i64> = epoch_order(0, 0, self.len()).into_iter().map(|row| row as i64).collect();
        let (some, others) = order.split_at_mut(most.min(self.len()));
        some.sort_unstable();
        others.sort_unstable();
        (self.select(some), self.select(others))
    }
}
