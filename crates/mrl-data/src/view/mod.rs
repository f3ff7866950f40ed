//! Augmented views, operator by operator as torchvision makes them of PIL images.

mod colour;
mod crop;
mod params;
mod render;

pub use crop::CropBox;
pub use params::{Augmentation, ColourJitter, ColourOperator, ViewParams};
pub use render::{Scratch, render};
