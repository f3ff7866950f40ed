//! Image data sets, augmented views and the loader that feeds training.

mod image;

pub use image::Image;
