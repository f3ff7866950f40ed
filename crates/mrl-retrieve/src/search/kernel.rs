//! Products of rows and queries, compiled for each width of vectors.

use mrl_linalg::Simd;

/// Vectors of rows that a step multiplies with each number of the queries.
const VECTORS: usize = 2;

/// Queries that are multiplied in one step, by the number of vector registers: they hold the sums.
const MANY: usize = 12;
const FEW: usize = 6;

/// Rows side by side in a panel.
pub(super) const fn panel<S: Simd>() -> usize {
    VECTORS * S::F32_LANES
}

/// Queries side by side in a group.
pub(super) const fn group<S: Simd>() -> usize {
    if S::REGISTER_COUNT >= 32 { MANY } else { FEW }
}

/// The products of all rows of `panels` `[panels, dims, panel]` and the queries of a `group` `[dims, group]`, to `out`
/// `[group, panels, panel]`.
#[inline(always)]
pub(super) fn multiply<S: Simd>(simd: S, panels: &[f32], group_of: &[f32], dims: usize, out: &mut [f32]) {
    if S::REGISTER_COUNT >= 32 {
        multiply_by::<S, MANY>(simd, panels, group_of, dims, out);
    } else {
        multiply_by::<S, FEW>(simd, panels, group_of, dims, out);
    }
}

#[inline(always)]
fn multiply_by<S: Simd, const GROUP: usize>(
    simd: S,
    panels: &[f32],
    group: &[f32],
    dims: usize,
    out: &mut [f32],
) {
    let (group, _) = group.as_chunks::<GROUP>();
    let rows = out.len() / GROUP;
    for (index, panel) in panels.chunks_exact(dims * VECTORS * S::F32_LANES).enumerate() {
        let (panel, _) = S::as_simd_f32s(panel);
        let mut sums = [[simd.splat_f32s(0.0); VECTORS]; GROUP];
        for (rows, queries) in panel.as_chunks::<VECTORS>().0.iter().zip(group) {
            for (sums, &query) in sums.iter_mut().zip(queries) {
                let query = simd.splat_f32s(query);
                for (sum, &rows) in sums.iter_mut().zip(rows) {
                    *sum = simd.mul_add_f32s(rows, query, *sum);
                }
            }
        }
        for (query, sums) in sums.iter().enumerate() {
            let start = query * rows + index * VECTORS * S::F32_LANES;
            let (out, _) = S::as_mut_simd_f32s(&mut out[start..start + VECTORS * S::F32_LANES]);
            out.copy_from_slice(sums);
        }
    }
}
