use rand::{RngExt, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::crop::{CropBox, sample_crop};
use crate::DataError;

/// How views are drawn: the distributions of torchvision's `RandomResizedCrop`, `RandomHorizontalFlip`, `ColorJitter`,
/// `RandomGrayscale`, `GaussianBlur` and `RandomSolarize`, applied in this order. The default is the reference's recipe:
/// [`AugmentationPreset::Reference`](crate::AugmentationPreset).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Augmentation {
    /// The crop's share of the image's area, between these.
    pub crop_scale: [f64; 2],
    /// The crop's width over its height, log-uniform between these.
    pub crop_ratio: [f64; 2],
    /// Probability of a horizontal flip.
    pub flip_p: f64,
    /// Probability of colour jitter.
    pub jitter_p: f64,
    /// Brightness is multiplied by `1 ±` up to this.
    pub brightness: f64,
    /// Contrast, likewise.
    pub contrast: f64,
    /// Saturation, likewise.
    pub saturation: f64,
    /// Hue is turned by up to this share of the circle, at most 0.5.
    pub hue: f64,
    /// Probability of grayscale.
    pub grayscale_p: f64,
    /// Probability of a Gaussian blur, whose kernel is a tenth of the view's side wide.
    pub blur_p: f64,
    /// The blur's standard deviation in pixels, between these.
    pub blur_sigma: [f64; 2],
    /// Probability of solarising.
    pub solarize_p: f64,
    /// Solarising inverts values from this on.
    pub solarize_threshold: u8,
}

impl Default for Augmentation {
    fn default() -> Self {
        Self {
            crop_scale: [0.08, 1.0],
            crop_ratio: [3.0 / 4.0, 4.0 / 3.0],
            flip_p: 0.5,
            jitter_p: 0.8,
            brightness: 0.8,
            contrast: 0.8,
            saturation: 0.8,
            hue: 0.2,
            grayscale_p: 0.2,
            blur_p: 1.0,
            blur_sigma: [0.1, 2.0],
            solarize_p: 0.5,
            solarize_threshold: 127,
        }
    }
}

/// What was drawn for one view.
#[derive(Clone, Debug, PartialEq)]
pub struct ViewParams {
    /// The part of the image that is resized to the view.
    pub crop: CropBox,
    /// Whether left and right are exchanged.
    pub flip: bool,
    /// Colour jitter, if any.
    pub jitter: Option<ColourJitter>,
    /// Whether the colours are dropped.
    pub grayscale: bool,
    /// The blur's standard deviation, if any.
    pub blur_sigma: Option<f64>,
    /// The threshold of solarising, if any.
    pub solarize: Option<u8>,
}

/// Factors of colour jitter, and the order in which they are applied.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ColourJitter {
    /// The order of the four operators.
    pub order: [ColourOperator; 4],
    /// 1 leaves the image as it is; 0 makes it black.
    pub brightness: f64,
    /// 1 leaves the image as it is; 0 makes it its mean gray.
    pub contrast: f64,
    /// 1 leaves the image as it is; 0 makes it gray.
    pub saturation: f64,
    /// The turn of the hue, as a share of the circle, -0.5 to 0.5. Nothing leaves the image as it is; a turn of 0 does not quite,
    /// for it too goes through 8-bit HSV.
    pub hue: Option<f64>,
}

/// One operator of colour jitter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColourOperator {
    /// Blend with black.
    Brightness,
    /// Blend with the mean gray.
    Contrast,
    /// Blend with the grayscale image.
    Saturation,
    /// Turn the hue.
    Hue,
}

/// The largest factor of brightness, contrast and saturation is 1 more; beyond it all is black or white.
const MOST_STRENGTH: f64 = 10.0;

const OPERATORS: [ColourOperator; 4] =
    [ColourOperator::Brightness, ColourOperator::Contrast, ColourOperator::Saturation, ColourOperator::Hue];

impl Augmentation {
    /// Checks the ranges; `section` is where the settings stand, for the error.
    ///
    /// # Errors
    /// One sentence that names the setting, its value and what it may be.
    pub fn validate(&self, section: &str) -> Result<(), DataError> {
        self.check_pairs(section)?;
        let probabilities = [
            ("flip_p", self.flip_p),
            ("jitter_p", self.jitter_p),
            ("grayscale_p", self.grayscale_p),
            ("blur_p", self.blur_p),
            ("solarize_p", self.solarize_p),
        ];
        for (key, p) in probabilities {
            check((0.0..=1.0).contains(&p), section, key, &p, "a probability from 0 to 1")?;
        }
        let strengths =
            [("brightness", self.brightness), ("contrast", self.contrast), ("saturation", self.saturation)];
        for (key, strength) in strengths {
            let holds = (0.0..=MOST_STRENGTH).contains(&strength);
            check(holds, section, key, &strength, "a strength from 0 to 10")?;
        }
        check(
            (0.0..=0.5).contains(&self.hue),
            section,
            "hue",
            &self.hue,
            "a share of the circle from 0 to 0.5",
        )
    }

    fn check_pairs(&self, section: &str) -> Result<(), DataError> {
        let within =
            |[low, high]: [f64; 2], [least, most]: [f64; 2]| least <= low && low <= high && high <= most;
        let pairs = [
            ("crop_scale", self.crop_scale, [1e-6, 1.0], "two increasing shares from 0.000001 to 1"),
            ("crop_ratio", self.crop_ratio, [0.01, 100.0], "two increasing ratios from 0.01 to 100"),
            ("blur_sigma", self.blur_sigma, [0.01, 100.0], "two increasing lengths from 0.01 to 100 pixels"),
        ];
        for (key, pair, limits, what) in pairs {
            check(within(pair, limits), section, key, &format_args!("{pair:?}"), what)?;
        }
        Ok(())
    }

    /// Draws the parameters of one view of an image of this size.
    pub fn sample(&self, rng: &mut ChaCha8Rng, width: usize, height: usize) -> ViewParams {
        ViewParams {
            crop: sample_crop(rng, width, height, self.crop_scale, self.crop_ratio),
            flip: rng.random_bool(self.flip_p),
            jitter: rng.random_bool(self.jitter_p).then(|| self.sample_jitter(rng)),
            grayscale: rng.random_bool(self.grayscale_p),
            blur_sigma: rng
                .random_bool(self.blur_p)
                .then(|| rng.random_range(self.blur_sigma[0]..=self.blur_sigma[1])),
            solarize: rng.random_bool(self.solarize_p).then_some(self.solarize_threshold),
        }
    }

    fn sample_jitter(&self, rng: &mut ChaCha8Rng) -> ColourJitter {
        let mut order = OPERATORS;
        order.shuffle(rng);
        let mut factor = |strength: f64| rng.random_range((1.0 - strength).max(0.0)..=1.0 + strength);
        let (brightness, contrast, saturation) =
            (factor(self.brightness), factor(self.contrast), factor(self.saturation));
        // Drawn in any case, so that the random stream is the same; torchvision's `ColorJitter` of hue 0 turns nothing.
        let turn = rng.random_range(-self.hue..=self.hue);
        let hue = (self.hue > 0.0).then_some(turn);
        ColourJitter { order, brightness, contrast, saturation, hue }
    }
}

/// An error unless the setting `key` of `section` holds.
fn check(
    holds: bool,
    section: &str,
    key: &str,
    value: &dyn std::fmt::Display,
    allowed: &str,
) -> Result<(), DataError> {
    if holds {
        return Ok(());
    }
    Err(DataError::Setting(format!("{section}.{key} is {value}; it must be {allowed}")))
}
