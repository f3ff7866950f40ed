//! Image data sets, augmented views and the loader that feeds training.

mod dataset;
mod download;
mod error;
mod image;
mod loader;
mod preprocess;
mod resize;
mod sampler;
mod view;

pub use dataset::{DatasetKind, ImageSet, OpenOptions, Progress, Skipped, Split, open};
pub use error::DataError;
pub use image::Image;
pub use loader::{Batches, ImageSource, LoaderOptions, ViewBatch, ViewLoader};
pub use preprocess::prepare;
pub use sampler::epoch_order;
pub use view::{Augmentation, ColourJitter, ColourOperator, CropBox, Scratch, ViewParams, render};
