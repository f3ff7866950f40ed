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

    /// At most `most` of them, evenly spaced, and the others.
    pub(super) fn split(&self, most: usize) -> (Self, Self) {
        let taken = most.min(self.len());
        let is_taken = |row: usize| row * taken % self.len() < taken;
        let (some, others): (Vec<i64>, Vec<i64>) =
            (0..self.len() as i64).partition(|&row| is_taken(row as usize));
        (self.select(&some), self.select(&others))
    }
}
