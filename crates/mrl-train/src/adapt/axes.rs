//! The principal axes of rows, the same on every processor.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tch::{Kind, Tensor};

/// Eigenvalues that differ by less than this share of the largest are taken as equal: rounding in `f64` decides their eigenvectors.
const EQUAL: f64 = 1e-10;

/// The principal axes of `rows` `[n, d]` in `f64` and on the CPU, `[d, d]`, a column each, from the largest eigenvalue. Not centred, so
/// that products stay.
///
/// The eigenvectors of a matrix are known up to their signs, and those of equal eigenvalues up to a rotation, which both depend on the
/// processor. So each group of equal eigenvalues is given the basis of its space that is closest to fixed directions.
pub(super) fn principal_axes(rows: &Tensor) -> Tensor {
    let rows = rows.to_kind(Kind::Double);
    let (values, axes) = rows.tr().matmul(&rows).linalg_eigh("L");
    canonical(&values.flip([0i64]), &axes.flip([1i64]))
}

/// The rotation `[m, m]` of the first `m` of `width` numbers as one of all of them, `[width, width]`; the others stay.
pub(super) fn of_all_numbers(rotation: &Tensor, width: i64) -> Tensor {
    let m = rotation.size()[0];
    let whole = Tensor::eye(width, (rotation.kind(), rotation.device()));
    whole.narrow(0, 0, m).narrow(1, 0, m).copy_(rotation);
    whole
}

/// `axes` `[d, d]`, whose eigenvalues are `values` `[d]`, decreasing, with the basis of each group that is closest to fixed directions.
fn canonical(values: &Tensor, axes: &Tensor) -> Tensor {
    let values: Vec<f64> = (0..values.size()[0]).map(|i| values.double_value(&[i])).collect();
    let directions = directions(values.len() as i64);
    let close = EQUAL * values[0];
    let mut start = 0;
    let mut bases = Vec::new();
    for end in 1..=values.len() {
        if end < values.len() && values[end - 1] - values[end] <= close {
            continue;
        }
        let part = |matrix: &Tensor| matrix.narrow(1, start as i64, (end - start) as i64);
        let space = part(axes);
        // The orthogonal Procrustes problem (Schönemann, 1966).
        let (left, _, right) = space.tr().matmul(&part(&directions)).svd(true, true);
        bases.push(space.matmul(&left.matmul(&right.tr())));
        start = end;
    }
    Tensor::cat(&bases, 1)
}

/// Random directions `[d, d]`, always the same. Coordinate axes are not used, because they can be orthogonal to a principal axis of real
/// vectors.
fn directions(width: i64) -> Tensor {
    let mut random = ChaCha8Rng::seed_from_u64(0);
    let numbers: Vec<f64> = (0..width * width).map(|_| random.random_range(-1.0..1.0)).collect();
    Tensor::from_slice(&numbers).view([width, width])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_basis_of_equal_eigenvalues_does_not_depend_on_the_one_that_was_found() {
        let values = Tensor::from_slice(&[3.0, 2.0, 2.0, 2.0, 1.0, 0.0, 0.0]);
        let orthogonal = |matrix: &Tensor| {
            let (left, _, right) = matrix.svd(true, true);
            left.matmul(&right.tr())
        };
        let axes = orthogonal(&directions(7));
        let expected = canonical(&values, &axes);
        for seed in 0..5 {
            tch::manual_seed(seed);
            let other = Tensor::eye(7, (Kind::Double, tch::Device::Cpu));
            for (from, n) in [(0i64, 1i64), (1, 3), (4, 1), (5, 2)] {
                let basis = orthogonal(&Tensor::randn([n, n], (Kind::Double, tch::Device::Cpu)));
                other.narrow(0, from, n).narrow(1, from, n).copy_(&basis);
            }
            let found = canonical(&values, &axes.matmul(&other));
            assert!((&found - &expected).abs().max().double_value(&[]) < 1e-12, "{seed}");
        }
        let products = expected.tr().matmul(&expected) - Tensor::eye(7, (Kind::Double, tch::Device::Cpu));
        assert!(products.abs().max().double_value(&[]) < 1e-12);
    }
}
