//! Judges a rotation without labels, by images that it was not fitted to.

use mrl_config::{FoldChoice, ResolvedConfig};
use mrl_data::Part;
use mrl_embedding::{EmbeddingSet, Nesting};

use super::Fold;
use crate::TrainError;

/// Images that a rotation is fitted to and judged by, at most: more would change little.
pub(crate) const IMAGES: usize = 11_000;

/// One of this many images is kept out of the fit.
const KEPT_OUT: usize = 11;

/// The smallest number of images: 22 give 20 to fit to, which is more than the ten neighbours that are searched for, and 2 to judge by.
const FEWEST: usize = 2 * KEPT_OUT;

/// Nearest images that a prefix is to find of each.
const NEIGHBOURS: usize = 10;

/// A rise of the mean that is no larger is no reason to fold, so that rounding decides nothing.
const LEAST_RISE: f64 = 1e-3;

/// The images for a run's fold, chosen from its training images. At most one is used for every 8 images that training processes, so that
/// embedding them with both networks costs only a few percent of the training.
pub(crate) fn sample(config: &ResolvedConfig, trained: &Part, total_steps: u64) -> Part {
    let of_a_step = (config.run.batch_size * config.run.grad_accum) as u64;
    let seen = total_steps.saturating_mul(of_a_step);
    trained.evenly(usize::try_from(seen / 8).map_or(IMAGES, |most| most.min(IMAGES)))
}

/// A rotation that was fitted to the features of some images, and the features of others to judge it by.
pub struct FoldTrial {
    fold: Fold,
    /// Those fitted to and those kept out, each `[any, d]`.
    before: [EmbeddingSet; 2],
    /// The same, rotated.
    after: [EmbeddingSet; 2],
    pub(super) dims: Vec<usize>,
}

impl FoldTrial {
    /// Fits to ten of eleven rows of `features` `[n, d]`. Prefixes will be judged at the dims of `nesting` below `d`, or at powers of
    /// two where it has none. For [`FoldChoice::None`] there is nothing to try.
    ///
    /// # Errors
    /// [`TrainError::Vectors`] when there are fewer than 22 rows, a feature is not finite, or nothing can be learned from them.
    pub fn new(
        choice: FoldChoice,
        features: &EmbeddingSet,
        nesting: &Nesting,
    ) -> Result<Option<Self>, TrainError> {
        if choice == FoldChoice::None {
            return Ok(None);
        }
        if features.len() < FEWEST {
            let few = features.len();
            let problem =
                format!("{few} images are too few to fit a rotation and to judge it; use {FEWEST} or more");
            return Err(TrainError::Vectors(problem));
        }
        let before = split(features)?;
        let dims = judged_dims(nesting)?;
        let fold = match choice {
            FoldChoice::Learned => Fold::learned(&before[0], &dims)?,
            _ => Fold::principal(&before[0], &dims)?,
        };
        let [fitted, kept_out] = &before;
        let after = [fold.applied(fitted)?, fold.applied(kept_out)?];
        Ok(Some(Self { fold, before, after, dims }))
    }

    /// The rotation.
    #[must_use]
    pub fn fold(&self) -> &Fold {
        &self.fold
    }

    /// Judges the rotation by `kept(whole, shortened, dims)`. For each of `dims`, it returns the share of the ten nearest rows of `whole` that are
    /// also among the ten nearest by that prefix of `shortened`. Both arguments are the rows to search and the queries.
    ///
    /// # Errors
    /// Those of `kept`.
    pub fn judge<E>(
        &self,
        mut kept: impl FnMut([&EmbeddingSet; 2], [&EmbeddingSet; 2], &[usize]) -> Result<Vec<f64>, E>,
    ) -> Result<FoldRecord, E> {
        let [whole, rotated] = [&self.before, &self.after].map(|[fitted, kept_out]| [fitted, kept_out]);
        Ok(FoldRecord {
            choice: self.fold.choice,
            dims: self.dims.clone(),
            before: kept(whole, whole, &self.dims)?,
            after: kept(whole, rotated, &self.dims)?,
            fitted: self.before[0].len(),
            kept_out: self.before[1].len(),
        })
    }
}

/// The judgement of a rotation. Shares are from 0 to 1, one for each dim.
#[derive(Clone, Debug, PartialEq)]
pub struct FoldRecord {
    /// The rotation.
    pub choice: FoldChoice,
    /// Leading numbers of a prefix; below the whole width.
    pub dims: Vec<usize>,
    /// The share of the ten nearest images by all numbers that a prefix finds, without the rotation.
    pub before: Vec<f64>,
    /// The same with it.
    pub after: Vec<f64>,
    /// Images that the rotation was fitted to, among which neighbours are looked for.
    pub fitted: usize,
    /// Images kept out of the fit, whose neighbours are looked for.
    pub kept_out: usize,
}

impl FoldRecord {
    /// The means over the dims, without the rotation and with it.
    #[must_use]
    pub fn means(&self) -> [f64; 2] {
        [&self.before, &self.after].map(|shares| shares.iter().sum::<f64>() / shares.len().max(1) as f64)
    }

    /// True when the mean with the rotation is higher by more than 0.001, and by more than chance: two standard errors of a share of as many
    /// neighbours as are looked for.
    #[must_use]
    pub fn helps(&self) -> bool {
        let [before, after] = self.means();
        let looked_for = (self.kept_out * NEIGHBOURS) as f64;
        let chance = 2.0 * (before * (1.0 - before) / looked_for.max(1.0)).sqrt();
        after > before + LEAST_RISE.max(chance)
    }
}

/// The rows to fit to, and one of eleven to judge by, evenly spaced.
fn split(features: &EmbeddingSet) -> Result<[EmbeddingSet; 2], TrainError> {
    let width = features.width();
    let (mut fitted, mut kept_out) = (Vec::new(), Vec::new());
    for (place, row) in features.embeddings().chunks_exact(width).enumerate() {
        let part = if place % KEPT_OUT == KEPT_OUT / 2 { &mut kept_out } else { &mut fitted };
        part.extend_from_slice(row);
    }
    Ok([EmbeddingSet::new(fitted, width)?, EmbeddingSet::new(kept_out, width)?])
}

/// The dims at which prefixes are judged.
fn judged_dims(nesting: &Nesting) -> Result<Vec<usize>, TrainError> {
    let below = |nesting: &Nesting| -> Vec<usize> {
        nesting.dims().iter().copied().filter(|&dim| dim < nesting.width()).collect()
    };
    let mut dims = below(nesting);
    if dims.is_empty() {
        dims = below(&Nesting::powers_of_two(nesting.width())?);
    }
    if dims.is_empty() {
        let problem = format!("features of {} numbers have no prefix that could be judged", nesting.width());
        return Err(TrainError::Vectors(problem));
    }
    Ok(dims)
}
