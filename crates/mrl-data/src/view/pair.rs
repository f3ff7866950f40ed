use serde::{Deserialize, Serialize};

use super::{Augmentation, AugmentationPreset};
use crate::DataError;

/// How the two views of an image are drawn. The default is the reference's recipe for both.
///
/// In a file it is a section: `preset` names what to start from, any setting of [`Augmentation`] holds for both views, and the
/// subsections `first` and `second` hold settings of one view.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(try_from = "Section")]
pub struct Augmentations {
    /// The first view.
    pub first: Augmentation,
    /// The second view.
    pub second: Augmentation,
}

impl Augmentations {
    /// The same for both views.
    #[must_use]
    pub fn same(augmentation: Augmentation) -> Self {
        Self { first: augmentation.clone(), second: augmentation }
    }

    /// The first view's and the second's.
    #[must_use]
    pub fn both(&self) -> [&Augmentation; 2] {
        [&self.first, &self.second]
    }

    /// Checks the ranges of both.
    ///
    /// # Errors
    /// One sentence that names the setting, its value and what it may be.
    pub fn validate(&self) -> Result<(), DataError> {
        self.first.validate("augmentation")?;
        self.second.validate("augmentation.second")
    }
}

/// What is written: the first view's settings, and those of the second only where they differ.
impl Serialize for Augmentations {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Written<'a> {
            #[serde(flatten)]
            first: &'a Augmentation,
            #[serde(skip_serializing_if = "Option::is_none")]
            second: Option<&'a Augmentation>,
        }
        let second = (self.first != self.second).then_some(&self.second);
        Written { first: &self.first, second }.serialize(serializer)
    }
}

/// The section `augmentation`, or its subsection of one view, as it stands in a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    preset: Option<AugmentationPreset>,
    crop_scale: Option<[f64; 2]>,
    crop_ratio: Option<[f64; 2]>,
    flip_p: Option<f64>,
    jitter_p: Option<f64>,
    brightness: Option<f64>,
    contrast: Option<f64>,
    saturation: Option<f64>,
    hue: Option<f64>,
    grayscale_p: Option<f64>,
    blur_p: Option<f64>,
    blur_sigma: Option<[f64; 2]>,
    solarize_p: Option<f64>,
    solarize_threshold: Option<u8>,
    first: Option<Box<Section>>,
    second: Option<Box<Section>>,
}

impl Section {
    /// Puts the settings that are there over those of `view`.
    fn override_settings(&self, view: &mut Augmentation) {
        fn set<T: Copy>(slot: &mut T, given: Option<T>) {
            *slot = given.unwrap_or(*slot);
        }
        set(&mut view.crop_scale, self.crop_scale);
        set(&mut view.crop_ratio, self.crop_ratio);
        set(&mut view.flip_p, self.flip_p);
        set(&mut view.jitter_p, self.jitter_p);
        set(&mut view.brightness, self.brightness);
        set(&mut view.contrast, self.contrast);
        set(&mut view.saturation, self.saturation);
        set(&mut view.hue, self.hue);
        set(&mut view.grayscale_p, self.grayscale_p);
        set(&mut view.blur_p, self.blur_p);
        set(&mut view.blur_sigma, self.blur_sigma);
        set(&mut view.solarize_p, self.solarize_p);
        set(&mut view.solarize_threshold, self.solarize_threshold);
    }

    /// One view: its preset, then the settings of both views, then its own.
    fn view(
        &self,
        name: &str,
        own: Option<&Self>,
        pick: fn(Augmentations) -> Augmentation,
    ) -> Result<Augmentation, DataError> {
        if own.is_some_and(|own| own.first.is_some() || own.second.is_some()) {
            let problem = format!("augmentation.{name} has views of its own; it is one view");
            return Err(DataError::Setting(problem));
        }
        let preset = own.and_then(|own| own.preset).or(self.preset).unwrap_or_default();
        let mut view = pick(preset.augmentations());
        self.override_settings(&mut view);
        let Some(own) = own else {
            view.validate("augmentation")?;
            return Ok(view);
        };
        own.override_settings(&mut view);
        view.validate(&format!("augmentation.{name}"))?;
        Ok(view)
    }
}

impl TryFrom<Section> for Augmentations {
    type Error = DataError;

    fn try_from(section: Section) -> Result<Self, DataError> {
        let first = section.view("first", section.first.as_deref(), |views| views.first)?;
        let second = section.view("second", section.second.as_deref(), |views| views.second)?;
        Ok(Self { first, second })
    }
}
