//! Image data sets, augmented views and the loader that feeds training.
//!
//! ```no_run
//! use std::{path::Path, sync::Arc};
//!
//! use mrl_data::{Augmentations, DatasetKind, LoaderOptions, OpenOptions, Split, ViewLoader, open};
//!
//! # fn main() -> Result<(), mrl_data::DataError> {
//! let images = open(DatasetKind::Cifar10, Path::new("data"), Split::Train, &OpenOptions::default(), &|_| {})?;
//! println!("{}: {} images", images.name(), images.len());
//!
//! let loader = ViewLoader::new(Arc::new(images), Augmentations::default(), LoaderOptions::default())?;
//! for batch in loader.start(0).take(loader.batches_per_epoch()) {
//!     let views = batch?.views; // two, both [256, 32, 32, 3]
//!     assert_eq!(views[0].pixels.len(), views[1].pixels.len());
//! }
//! # Ok(())
//! # }
//! ```

mod dataset;
mod download;
mod error;
mod image;
mod loader;
mod look;
mod part;
mod preprocess;
mod sampler;
mod thumbnail;
mod view;
mod view_size;

pub use dataset::{
    DatasetKind, IMAGE_FORMATS, ImageSet, LeftOut, MAX_MEGAPIXELS, OpenOptions, Progress, Skipped, Split,
    is_image_file, open, read_image, splits_of_folder,
};
pub use error::DataError;
pub use image::Image;
pub use loader::{Batches, ImageSource, LoaderOptions, ViewBatch, ViewLoader, ViewPixels};
pub use look::{Look, Repeat, repeats};
pub use part::Part;
pub use preprocess::prepare;
pub use sampler::epoch_order;
pub use view::{
    Augmentation, AugmentationPreset, Augmentations, ColourJitter, ColourOperator, CropBox, Scratch,
    SmallViews, ViewParams, render,
};
pub use view_size::ViewSize;
