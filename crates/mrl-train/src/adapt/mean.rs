//! The place of the mean row's direction among principal axes.

use tch::{Device, Kind, Tensor};

use super::{
    axes::{of_all_numbers, principal_axes},
    judge::Judge,
};

/// Moves the direction of the mean row after one of the prefixes `dims`, which increase up to `d`, where `judge` finds that this helps.
/// `rows` `[n, d]` lie along their principal axes. Returns a rotation of them, `[d, d]` in `f64` and on the CPU, and its
/// worth.
///
/// Features after a `ReLU` have a large mean, so it is their first principal axis. All rows are alike along it, so a short prefix
/// keeps more neighbours without it. For each prefix, the numbers below the next one are rotated: first come the principal axes of
/// what is orthogonal to the mean, as many as the prefix has, then the mean, then the others. The next prefix and all longer
/// ones span the same space as before, so their cosines stay those of the principal components.
pub(super) fn place_mean(rows: &Tensor, judge: &Judge, dims: &[usize]) -> (Tensor, f64) {
    let width = rows.size()[1];
    let (mut best, mut best_worth) = (Tensor::eye(width, (Kind::Double, Device::Cpu)), judge.principal());
    for pair in dims.windows(2) {
        let (prefix, border) = (pair[0] as i64, pair[1] as i64);
        let rotation = mean_after(prefix, &rows.narrow(1, 0, border));
        let map = rotation.to_kind(Kind::Float).to_device(rows.device());
        let worth = judge.worth(&|rows| rows.narrow(1, 0, border).matmul(&map), pair[1]);
        if worth.is_better && worth.mean > best_worth {
            (best, best_worth) = (of_all_numbers(&rotation, width), worth.mean);
        }
    }
    (best, best_worth)
}

/// The rotation `[m, m]` by which number `prefix` of `rows` `[n, m]`, counted from 0, is along their mean, and those before it are along the
/// principal axes of what is orthogonal to the mean.
fn mean_after(prefix: i64, rows: &Tensor) -> Tensor {
    let rows = rows.to_device(Device::Cpu).to_kind(Kind::Double);
    let mean = rows.mean_dim([0i64].as_slice(), true, Kind::Double); // [1, m]
    let mean = &mean / mean.norm().clamp_min(f64::MIN_POSITIVE);
    // The direction of the mean has the eigenvalue 0, so that it comes last.
    let axes = principal_axes(&(&rows - rows.matmul(&mean.tr()).matmul(&mean)));
    let last = axes.size()[1] - 1;
    let part = |from: i64, to: i64| axes.narrow(1, from, to - from);
    Tensor::cat(&[part(0, prefix), part(last, last + 1), part(prefix, last)], 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_comes_after_the_prefix_and_nothing_before_it_lies_along_it() {
        let rows = Tensor::from_slice(&[
            3.0f32, 1.0, 0.2, 0.1, 2.0, -1.0, 0.4, 0.0, 2.5, 0.3, -0.5, 0.2, 2.0, -0.5, 0.0, -0.4,
        ])
        .view([4, 4]);
        let rotation = mean_after(2, &rows);
        let products = rotation.tr().matmul(&rotation) - Tensor::eye(4, (Kind::Double, Device::Cpu));
        assert!(products.abs().max().double_value(&[]) < 1e-12);
        let mean =
            rows.to_kind(Kind::Double).mean_dim([0i64].as_slice(), true, Kind::Double).matmul(&rotation);
        for number in [0, 1, 3] {
            assert!(mean.double_value(&[0, number]).abs() < 1e-12, "{number}");
        }
        assert!(mean.double_value(&[0, 2]).abs() > 2.0);
    }
}
