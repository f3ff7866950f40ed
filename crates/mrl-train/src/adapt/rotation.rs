//! Fitting a rotation: block by block along the principal components, and no prefix below them.

use mrl_embedding::Nesting;
use tch::{Device, Kind, Tensor};

use super::{
    AdaptOptions, AdaptStep, axes::of_all_numbers, judge::Judge, loss::Loss, mean::place_mean, steps::Steps,
    vectors::Vectors,
};
use crate::TrainError;

/// How much of the mean of gradients, and of their squares, is kept by a step, as in Adam (arXiv 1412.6980).
const MEAN: f64 = 0.9;
const SQUARE: f64 = 0.999;

/// Fits a rotation `[d, d]`, in `f64` and on the CPU, to rows that lie along their principal axes.
///
/// A rotation of the first `border` dims does not change the space that the prefixes of `border` dims or more span, so it does not change
/// their cosines. So the borders are tried from the second prefix to the whole vector. Each begins with the best rotation so far and fits
/// all prefixes below the border. It is kept where `judge` finds no prefix below the principal components, and the mean of all above the
/// best so far. Where it is worth more than all of these, the rotation of [`place_mean`] is taken instead.
pub(super) fn fit(
    fitted: &Vectors,
    judge: &Judge,
    nesting: &Nesting,
    options: &AdaptOptions,
    progress: &mut dyn FnMut(AdaptStep),
) -> Result<Tensor, TrainError> {
    let dims = nesting.dims();
    let device = fitted.rows.device();
    let mut steps = Steps::new(fitted, options, dims.len() - 1, progress);
    let mut loss = Loss::new(options.objective, dims.len(), device)?;
    let mut best = Block::extending(None, &dims[..1], device);
    let mut best_worth = judge.principal();
    for end in 1..dims.len() {
        let mut block = Block::extending(Some(&best), &dims[..=end], device);
        steps.stage(&mut |batch, rate| block.step(batch, &mut loss, &dims[..end], rate))?;
        let rotation = block.rotation().to_kind(Kind::Float).to_device(device);
        let worth = judge.worth(&|rows| block.first(rows).matmul(&rotation), block.border);
        if worth.is_better && worth.mean > best_worth {
            (best, best_worth) = (block, worth.mean);
        }
    }
    let (placed, placed_worth) = place_mean(&fitted.rows, judge, dims);
    if placed_worth > best_worth {
        return Ok(placed);
    }
    Ok(of_all_numbers(&best.rotation(), nesting.width() as i64))
}

/// A rotation of the first `border` numbers of rows while it is fitted.
///
/// Adam would scale each entry of the gradient alone. Here all are scaled by one number, so that a step does not depend on which axes
/// span a space that is rotated as a whole, and rounding is not scaled up where the gradient is zero.
struct Block {
    border: usize,
    /// `[border, border]`: the upper triangle of a skew-symmetric matrix.
    skew: Tensor,
    /// `[border, border]`: 1 where a number of a prefix is rotated into one beyond it, and 0 where that would change no prefix.
    crossing: Tensor,
    gradient: Tensor,
    square: f64,
    steps: i32,
}

impl Block {
    /// Rotates as `shorter` does, or not at all, until it is fitted. The last of `dims` is the border, the others are prefixes.
    fn extending(shorter: Option<&Self>, dims: &[usize], device: Device) -> Self {
        let border = dims[dims.len() - 1] as i64;
        let zeros = || Tensor::zeros([border, border], (Kind::Float, device));
        let (skew, crossing) = (zeros(), zeros());
        if let Some(shorter) = shorter {
            let length = shorter.border as i64;
            skew.narrow(0, 0, length).narrow(1, 0, length).copy_(&shorter.skew.detach());
        }
        for &dim in dims {
            let dim = dim as i64;
            let _ = crossing.narrow(0, 0, dim).narrow(1, dim, border - dim).fill_(1.0);
        }
        let gradient = zeros();
        Self {
            border: border as usize,
            skew: skew.set_requires_grad(true),
            crossing,
            gradient,
            square: 0.0,
            steps: 0,
        }
    }

    /// The numbers of `rows` `[n, d]` that are rotated, `[n, border]`.
    fn first(&self, rows: &Tensor) -> Tensor {
        rows.narrow(1, 0, self.border as i64)
    }

    /// The rotation, `[border, border]`, in `f64` and on the CPU.
    fn rotation(&self) -> Tensor {
        let skew = &self.skew.detach() * &self.crossing;
        orthogonal(&skew.to_device(Device::Cpu).to_kind(Kind::Double))
    }

    /// Improves the rotation for prefixes of `dims` of the rows of `batch`, and returns the loss, a scalar.
    fn step(&mut self, batch: &Vectors, loss: &mut Loss, dims: &[usize], rate: f64) -> Tensor {
        self.skew.zero_grad();
        let rotation = orthogonal(&(&self.skew * &self.crossing));
        let value = loss.backward(batch, &self.first(&batch.rows).matmul(&rotation), dims);
        tch::no_grad(|| self.descend(&self.skew.grad(), rate));
        value
    }

    fn descend(&mut self, gradient: &Tensor, rate: f64) {
        self.steps += 1;
        let entries = self.crossing.sum(Kind::Double).double_value(&[]);
        let square = gradient.square().sum(Kind::Float).double_value(&[]) / entries;
        self.gradient = &self.gradient * MEAN + gradient * (1.0 - MEAN);
        self.square = self.square * SQUARE + square * (1.0 - SQUARE);
        // Where prefixes lose nothing, as of rows that lie in a plane, there is no gradient, and nothing to divide by.
        if self.square == 0.0 {
            return;
        }
        let [mean, scale] = [MEAN, SQUARE].map(|kept| 1.0 - kept.powi(self.steps));
        let length = rate / mean / (self.square / scale).sqrt();
        let _ = self.skew.g_sub_(&(&self.gradient * length));
    }
}

/// An orthogonal matrix, by Cayley's transform of the skew-symmetric part of `skew` `[n, n]` (Helfrich et al., arXiv 1707.09520).
fn orthogonal(skew: &Tensor) -> Tensor {
    let skew = skew - skew.tr();
    let one = Tensor::eye(skew.size()[0], (skew.kind(), skew.device()));
    Tensor::linalg_solve(&(&one - &skew), &(&one + &skew), true)
}
