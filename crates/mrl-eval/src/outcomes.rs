use std::collections::BTreeMap;

use mrl_embedding::tensor_bytes;
use safetensors::{Dtype, tensor::TensorView};

use crate::{Measure, Method, NamedFile};

/// The name of the file that [`Outcomes::file`] makes.
pub const OUTCOMES: &str = "outcomes.safetensors";

/// Which test rows were classified correctly, by method, measure and dim. Two evaluations on the same test rows can so be compared row by
/// row (paired), which is more exact than comparing two accuracies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcomes {
    rows: usize,
    dims: Vec<usize>,
    /// `[dims, rows]`.
    right: BTreeMap<(Method, Measure), Vec<bool>>,
}

impl Outcomes {
    pub(crate) fn new(rows: usize, dims: &[usize]) -> Self {
        Self { rows, dims: dims.to_vec(), right: BTreeMap::new() }
    }

    /// Each of `right` is `[dims, rows]`.
    pub(crate) fn insert(&mut self, method: Method, right: BTreeMap<Measure, Vec<bool>>) {
        self.right.extend(right.into_iter().map(|(measure, right)| ((method, measure), right)));
    }

    /// For each dim and each test row, true if the row was classified correctly: `[dims, rows]`, row-major. `None` if `method` and `measure` were
    /// not measured.
    #[must_use]
    pub fn right(&self, method: Method, measure: Measure) -> Option<&[bool]> {
        self.right.get(&(method, measure)).map(Vec::as_slice)
    }

    /// `outcomes.safetensors`: a tensor `METHOD.MEASURE` of `u8`, `[dims, rows]`, for each method and each of `probe`, `knn1` and `knn`
    /// that was measured, 1 where the row was right; and `dims`, `i64`.
    ///
    /// # Panics
    /// Never: the lists are made with the shapes that the file names.
    #[must_use]
    pub fn file(&self) -> NamedFile {
        let bytes = |right: &[bool]| right.iter().map(|&right| u8::from(right)).collect::<Vec<u8>>();
        let right: Vec<(String, Vec<u8>)> = self
            .right
            .iter()
            .map(|((method, measure), right)| (format!("{method}.{measure}"), bytes(right)))
            .collect();
        let dims: Vec<u8> = self.dims.iter().flat_map(|&dim| (dim as i64).to_le_bytes()).collect();
        let shape = vec![self.dims.len(), self.rows];
        let of_right = right.iter().map(|(name, right)| (name.clone(), Dtype::U8, shape.clone(), right));
        let of_dims = [("dims".to_owned(), Dtype::I64, vec![self.dims.len()], &dims)];
        let tensors = of_right.chain(of_dims).map(|(name, dtype, shape, bytes)| {
            (name, TensorView::new(dtype, shape, bytes).expect("the shapes are those of the lists"))
        });
        (OUTCOMES.to_owned(), tensor_bytes(tensors, &BTreeMap::new()))
    }
}

#[cfg(test)]
mod tests {
    use safetensors::SafeTensors;

    use super::*;

    #[test]
    fn the_file_has_a_row_for_each_dim() {
        let mut outcomes = Outcomes::new(3, &[8, 16]);
        let right = [true, false, true, true, true, false];
        outcomes.insert(Method::PcaUncentred, BTreeMap::from([(Measure::Knn1, right.to_vec())]));
        assert_eq!(outcomes.right(Method::PcaUncentred, Measure::Knn1), Some(&right[..]));
        assert_eq!(outcomes.right(Method::Pca, Measure::Knn1), None);

        let (name, bytes) = outcomes.file();
        assert_eq!(name, "outcomes.safetensors");
        let file = SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(file.names().len(), 2);
        let stored = file.tensor("pca-uncentred.knn1").unwrap();
        assert_eq!((stored.shape(), stored.data()), (&[2, 3][..], &[1, 0, 1, 1, 1, 0][..]));
        let dims = file.tensor("dims").unwrap();
        assert_eq!(
            (dims.dtype(), dims.data()),
            (Dtype::I64, &[8, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0][..])
        );
    }
}
