//! Augmented views, operator by operator as torchvision makes them of PIL images.

#![expect(
    clippy::inline_always,
    reason = "what is not inlined into `vectorised` is compiled without the vectors that the processor has"
)]

mod blur;
mod colour;
mod crop;
mod hue;
mod level;
mod pair;
mod params;
#[cfg(test)]
mod plain;
mod planes;
mod preset;
mod render;
mod resample;
mod small;
mod taps;

pub use crop::CropBox;
pub use pair::Augmentations;
pub use params::{Augmentation, ColourJitter, ColourOperator, ViewParams};
pub use preset::AugmentationPreset;
pub use render::{Scratch, render};
pub use small::SmallViews;
