//! The linear map at the end of an encoder: a rotation of its features, by which prefixes become principal components and whole
//! vectors keep their cosines.

mod trial;

use mrl_config::{DeviceChoice, FoldChoice};
use mrl_embedding::EmbeddingSet;
use rayon::prelude::*;
use tch::{Kind, Tensor};

pub use self::trial::{FoldRecord, FoldTrial};
pub(crate) use self::trial::{IMAGES, sample};
use crate::{AdaptOptions, Adapter, TrainError, adapt::arranged_axes, torch_panic::catch_torch};

/// An orthogonal map of features `[d]` to embeddings `[d]`: torchvision's `fc` without a bias.
#[derive(Clone, Debug, PartialEq)]
pub struct Fold {
    /// `[d, d]`, row-major: row `i` is the axis along which number `i` is taken.
    weight: Vec<f32>,
    width: usize,
    /// The rotation that was folded in last; never [`FoldChoice::None`].
    choice: FoldChoice,
}

/// Rows that are multiplied at once: an axis is read once for all of them.
const BLOCK: usize = 16;

/// How far products of the axes may be from those of an orthonormal basis.
const TOLERANCE: f64 = 1e-4;

impl Fold {
    /// The uncentred principal components of `features` `[n, d]`, from the one with the largest mean square on. The direction of the
    /// mean comes after one of the prefixes `dims` where held-out rows keep more neighbours so. The largest entry of each axis
    /// is positive, so that every processor finds the same axes.
    ///
    /// # Errors
    /// [`TrainError::Vectors`] when a feature is not finite.
    pub fn principal(features: &EmbeddingSet, dims: &[usize]) -> Result<Self, TrainError> {
        check_finite(features)?;
        let width = features.width();
        let dims: Vec<usize> = dims.iter().copied().filter(|&dim| dim < width).collect();
        let mut weight = catch_torch(|| {
            let rows = Tensor::from_slice(features.embeddings()).view([-1, width as i64]);
            Ok(numbers(&arranged_axes(&rows, &dims).tr()))
        })?;
        for axis in weight.chunks_exact_mut(width) {
            point_upwards(axis);
        }
        Ok(Self { weight, width, choice: FoldChoice::Principal })
    }

    /// A rotation that is learned from `features` `[n, d]`, so that the prefixes `dims` keep what is near by all numbers. Rows of zeros
    /// are left out.
    ///
    /// # Errors
    /// [`TrainError::Vectors`] when a feature is not finite, or fewer than two rows are not zero.
    ///
    /// # Panics
    /// Never: an adapter's default form is a rotation.
    pub fn learned(features: &EmbeddingSet, dims: &[usize]) -> Result<Self, TrainError> {
        check_finite(features)?;
        let width = features.width();
        let rows = features.embeddings().chunks_exact(width).filter(|row| row.iter().any(|&x| x != 0.0));
        let rows = EmbeddingSet::new(rows.flatten().copied().collect(), width)?;
        let options =
            AdaptOptions { dims: dims.to_vec(), device: DeviceChoice::Cpu, ..AdaptOptions::default() };
        let adapter = Adapter::fit(&rows, &options, &mut |_| {})?;
        let axes = adapter.rotation().expect("the default form is a rotation");
        Ok(Self { weight: transposed(&axes, width), width, choice: FoldChoice::Learned })
    }

    /// The map `weight` `[d, d]` of a file.
    ///
    /// # Errors
    /// The fault, where the matrix is not finite or not orthogonal.
    pub(crate) fn stored(weight: &Tensor, choice: FoldChoice) -> Result<Self, String> {
        if weight.isfinite().all().int64_value(&[]) == 0 {
            return Err("holds a number that is not finite".to_owned());
        }
        let axes = weight.to_kind(Kind::Double);
        let unit = Tensor::eye(axes.size()[0], (Kind::Double, axes.device()));
        let away = (axes.matmul(&axes.tr()) - unit).abs().max().double_value(&[]);
        if away > TOLERANCE {
            return Err(format!("is not orthogonal: products of its rows are off by {away:.1e}"));
        }
        Ok(Self { weight: numbers(weight), width: weight.size()[0] as usize, choice })
    }

    /// This map after `first`, if there is one, as one map.
    #[must_use]
    pub fn after(&self, first: Option<&Self>) -> Self {
        let Some(first) = first else { return self.clone() };
        let [last, first] = [self, first].map(|fold| fold.tensor().to_kind(Kind::Double));
        Self { weight: numbers(&last.matmul(&first)), ..*self }
    }

    /// The rotation that was folded in last, principal or learned.
    #[must_use]
    pub fn choice(&self) -> FoldChoice {
        self.choice
    }

    /// Maps features `[n, d]` in place. Products are summed in `f64`, in the order of the features, so that every processor finds the same.
    pub(crate) fn apply(&self, features: &mut [f32]) {
        let width = self.width;
        // `[d, d]`: row `i` is what feature `i` adds to each number.
        let columns = transposed(&self.weight, width);
        features.par_chunks_mut(BLOCK * width).for_each(|rows| {
            let mut sums = vec![0.0f64; rows.len()];
            for (feature, column) in columns.chunks_exact(width).enumerate() {
                for (row, sums) in rows.chunks_exact(width).zip(sums.chunks_exact_mut(width)) {
                    let value = f64::from(row[feature]);
                    sums.iter_mut().zip(column).for_each(|(sum, &weight)| *sum += value * f64::from(weight));
                }
            }
            rows.iter_mut().zip(sums).for_each(|(row, sum)| *row = sum as f32);
        });
    }

    /// Maps the rows of a set.
    fn applied(&self, set: &EmbeddingSet) -> Result<EmbeddingSet, TrainError> {
        let mut values = set.embeddings().to_vec();
        self.apply(&mut values);
        Ok(EmbeddingSet::new(values, set.width())?)
    }

    /// `[d, d]`, f32.
    pub(crate) fn tensor(&self) -> Tensor {
        let width = self.width as i64;
        Tensor::from_slice(&self.weight).view([width, width])
    }
}

fn check_finite(features: &EmbeddingSet) -> Result<(), TrainError> {
    match features.not_finite() {
        None => Ok(()),
        Some(row) => Err(TrainError::Vectors(format!("row {row} of the features is not finite"))),
    }
}

/// The numbers of a tensor `[d, d]`, row by row.
fn numbers(tensor: &Tensor) -> Vec<f32> {
    let tensor = tensor.to_kind(Kind::Float).contiguous();
    let mut numbers = vec![0.0; tensor.numel()];
    tensor.copy_data(&mut numbers, tensor.numel());
    numbers
}

/// The transpose of `matrix` `[d, d]`, both row-major.
fn transposed(matrix: &[f32], width: usize) -> Vec<f32> {
    (0..matrix.len()).map(|place| matrix[place % width * width + place / width]).collect()
}

/// Chooses the sign of an axis by which its largest entry, the first of equals, is positive.
fn point_upwards(axis: &mut [f32]) {
    let largest = axis.iter().fold(0.0f32, |most, &x| if x.abs() > most.abs() { x } else { most });
    if largest < 0.0 {
        for entry in axis {
            *entry = -*entry;
        }
    }
}

#[cfg(test)]
mod tests;
