use mrl_config::{AdaptObjective, AdapterForm};
use mrl_embedding::{EmbeddingSet, Nesting};
use tch::{Kind, Tensor};

use super::{
    AdaptOptions, AdaptStep,
    axes::principal_axes,
    check::{check_rows, directions},
    form::Map,
    judge::Judge,
    mean::place_mean,
    residual, rotation,
    vectors::Vectors,
};
use crate::{
    TrainError,
    device::{present, torch_device},
};

/// A quarter of the rows is kept out of the fit, but at most 1,000, which show gains of half a point. Small sets need the
/// large share: where few rows judge, rounding decides.
const HELD_OUT: (usize, usize) = (4, 1_000);

/// The map that `options` ask for, fitted to the rows of `set`. A part of them chooses how far to go: on these, no prefix is below the
/// principal components of all.
pub(super) fn fit(
    set: &EmbeddingSet,
    nesting: &Nesting,
    options: &AdaptOptions,
    progress: &mut dyn FnMut(AdaptStep),
) -> Result<Map, TrainError> {
    options.check(set)?;
    let device = torch_device(present(options.device)?);
    let rows = unit_rows(set)?;
    let axes = principal_axes(&rows);
    // The rows are mapped once, so that no gradient flows through the first axes.
    let vectors = Vectors::new(&rows.matmul(&axes.to_kind(Kind::Float)), set, device);
    let (held_out, fitted) = held_out(&vectors);
    let judge = Judge::new(held_out, &fitted, options.objective, judged(nesting.dims(), options));
    let stored = |axes: Tensor| axes.to_kind(Kind::Float).contiguous();
    let map = match options.form {
        AdapterForm::Rotation => {
            let rotation = rotation::fit(&fitted, &judge, nesting, options, progress)?;
            Map { axes: stored(axes.matmul(&rotation)), residual: None }
        }
        AdapterForm::Residual => {
            let residual = residual::fit(&fitted, &judge, nesting, options, progress)?;
            Map { axes: stored(axes), residual: Some(residual) }
        }
    };
    let is_finite = |tensor: &Tensor| tensor.isfinite().all().int64_value(&[]) == 1;
    if map.tensors().into_iter().all(|(_, tensor)| is_finite(tensor)) {
        return Ok(map);
    }
    Err(TrainError::Usage(
        "the last step left numbers that are not finite; lower the learning rate".to_owned(),
    ))
}

/// The dims by which maps are judged. The width is left out, because principal components keep all cosines of full vectors. It is judged
/// only for a residual network that learns labels, or if it is the only dim.
fn judged<'a>(dims: &'a [usize], options: &AdaptOptions) -> &'a [usize] {
    let is_whole_judged =
        options.form == AdapterForm::Residual && options.objective == AdaptObjective::Labels;
    match dims {
        [shorter @ .., _] if !shorter.is_empty() && !is_whole_judged => shorter,
        all => all,
    }
}

/// The principal components of the rows of `set`.
pub(super) fn principal(set: &EmbeddingSet) -> Result<Map, TrainError> {
    let axes = principal_axes(&unit_rows(set)?);
    Ok(Map { axes: axes.to_kind(Kind::Float).contiguous(), residual: None })
}

/// The principal axes of `rows` `[n, d]`, `[d, d]` in `f64`, a column each. The direction of the mean comes after one of the prefixes `dims`
/// where this helps: see [`place_mean`].
pub(crate) fn arranged_axes(rows: &Tensor, dims: &[usize]) -> Tensor {
    let axes = principal_axes(rows);
    if dims.is_empty() {
        return axes;
    }
    let along = Vectors { rows: rows.matmul(&axes.to_kind(Kind::Float)), labels: None };
    let (held_out, fitted) = held_out(&along);
    let judge = Judge::new(held_out, &fitted, AdaptObjective::Similarity, dims);
    let whole = [rows.size()[1] as usize];
    let (rotation, _) = place_mean(&fitted.rows, &judge, &[dims, &whole].concat());
    axes.matmul(&rotation)
}

/// The rows that choose, and those that are fitted to.
fn held_out(vectors: &Vectors) -> (Vectors, Vectors) {
    let (part, most) = HELD_OUT;
    vectors.split((vectors.len() / part).min(most))
}

/// The rows of `set`, of norm 1, `[n, d]`.
///
/// # Errors
/// When a row is zero, not finite or too long.
pub(super) fn unit_rows(set: &EmbeddingSet) -> Result<Tensor, TrainError> {
    check_rows(set)?;
    let (rows, _) = directions(set.embeddings(), set.width());
    Ok(Tensor::from_slice(&rows).view([-1, set.width() as i64]))
}
