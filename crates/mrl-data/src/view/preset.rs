use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, VariantNames};

use super::{Augmentation, Augmentations};

/// Published ways to make the two views of an image. In all of them crops are 8 to 100 % of the image's area with sides of 3:4 to
/// 4:3, and half of the views are flipped. Brightness is multiplied, as torchvision's `ColorJitter` does.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Display, EnumString, VariantNames,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum AugmentationPreset {
    /// The reference implementation's (`mrl-pytorch`): colours as `Imagenet`; every view is blurred, every other one
    /// solarised.
    #[default]
    Reference,
    /// `SimCLR`'s for CIFAR-10 (arXiv 2002.05709, appendix B.9): half as strong colour jitter, no blur.
    SimclrCifar,
    /// BYOL's (arXiv 2006.07733, appendix B): the first view is always blurred, the second seldom, and sometimes solarised.
    Byol,
    /// `SimCLR`'s for `ImageNet` (arXiv 2002.05709, appendix A): strong colour jitter, every other view blurred.
    Imagenet,
}

impl AugmentationPreset {
    /// What the name stands for.
    #[must_use]
    pub fn augmentations(self) -> Augmentations {
        match self {
            Self::Reference => Augmentations::same(Augmentation::default()),
            Self::SimclrCifar => Augmentations::same(Augmentation { blur_p: 0.0, ..simclr(0.5) }),
            Self::Byol => byol(),
            Self::Imagenet => Augmentations::same(Augmentation { blur_p: 0.5, ..simclr(1.0) }),
        }
    }
}

/// `SimCLR`'s colour distortion of this strength, without solarising.
fn simclr(strength: f64) -> Augmentation {
    Augmentation {
        brightness: 0.8 * strength,
        contrast: 0.8 * strength,
        saturation: 0.8 * strength,
        hue: 0.2 * strength,
        solarize_p: 0.0,
        ..Augmentation::default()
    }
}

fn byol() -> Augmentations {
    let first = Augmentation {
        brightness: 0.4,
        contrast: 0.4,
        saturation: 0.2,
        hue: 0.1,
        blur_p: 1.0,
        solarize_p: 0.0,
        // Half of the range: BYOL inverts from 0.5 on.
        solarize_threshold: 128,
        ..Augmentation::default()
    };
    let second = Augmentation { blur_p: 0.1, solarize_p: 0.2, ..first.clone() };
    Augmentations { first, second }
}
