use super::{Augmentation, Augmentations};
use crate::DataError;

/// Small views beside those of the whole side: crops of a small part of an image, at few pixels, so that many cost little (multi-crop, arXiv
/// 2006.09882, section 3.3).
#[derive(Clone, Debug, PartialEq)]
pub struct SmallViews {
    /// How many of each image.
    pub count: usize,
    /// Their side, as a share of that of the other views.
    pub scale: f64,
    /// The crop's share of the image's area, between these. Everything else is drawn as for the other views.
    pub crop_scale: [f64; 2],
}

impl Default for SmallViews {
    /// None.
    fn default() -> Self {
        Self { count: 0, scale: 0.5, crop_scale: [0.05, 0.3] }
    }
}

impl SmallViews {
    /// Checks the ranges.
    ///
    /// # Errors
    /// One sentence that names the setting, its value and what it may be.
    pub fn validate(&self) -> Result<(), DataError> {
        let problem = |text: String| Err(DataError::Setting(text));
        let Self { scale, crop_scale: [low, high], .. } = *self;
        if !(scale > 0.0 && scale <= 1.0) {
            return problem(format!("small-view-scale {scale} must be above 0 and at most 1"));
        }
        if !(1e-6 <= low && low <= high && high <= 1.0) {
            let wanted = "two increasing shares from 0.000001 to 1";
            return problem(format!("small-crop-scale {low},{high} must be {wanted}"));
        }
        Ok(())
    }

    /// The side in pixels beside views of the side `size`.
    #[must_use]
    pub fn side(&self, size: usize) -> usize {
        ((size as f64 * self.scale).round() as usize).max(1)
    }

    /// How each of them is drawn: as the other views in turn, but for the crop.
    pub(crate) fn augmentations(&self, whole: &Augmentations) -> impl Iterator<Item = Augmentation> {
        let small = |view: &Augmentation| Augmentation { crop_scale: self.crop_scale, ..view.clone() };
        whole.both().map(small).into_iter().cycle().take(self.count)
    }
}
