//! Images a second that the loader makes two views of, from a folder of photographs: from its files, and from its pixel cache.
//! `bench/train/folder.py` measures torchvision's data set and torch's loader doing the same.
//!
//! `cargo bench -p mrl-data --bench folder -- --folder DIR`; without `--bench`, as under `cargo test`, on two small images.

#![expect(clippy::print_stdout, reason = "a program for the terminal")]

use std::{
    env,
    error::Error,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use mrl_data::{Augmentations, DatasetKind, LoaderOptions, OpenOptions, Split, ViewLoader, open};
use serde_json::json;

const SIZE: usize = 96;
const BATCH: usize = 64;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().collect();
    let scratch = tempfile::tempdir()?;
    let named = arguments.iter().position(|argument| argument == "--folder");
    let folder = match named.and_then(|at| arguments.get(at + 1)) {
        Some(folder) => PathBuf::from(folder),
        None => two_images(scratch.path())?,
    };
    let cache = scratch.path().join("cache");
    let (_, decoded) = epoch(&folder, None)?;
    let (build_s, _) = epoch(&folder, Some(&cache))?;
    let (open_s, mapped) = epoch(&folder, Some(&cache))?;
    let line = json!({
        "decoded_images_per_s": decoded, "cached_images_per_s": mapped, "build_s": build_s, "open_s": open_s,
    });
    println!("{line}");
    Ok(())
}

/// Seconds to open the folder, and images a second of an epoch of it.
fn epoch(folder: &Path, cache: Option<&Path>) -> Result<(f64, f64), Box<dyn Error>> {
    let start = Instant::now();
    let options = OpenOptions {
        view_size: Some(SIZE),
        pixel_cache: cache.map(Path::to_owned),
        cache_bytes: 0,
        ..OpenOptions::default()
    };
    let images = open(DatasetKind::Folder, folder, Split::Train, &options, &|_| {})?;
    let (open_s, batch_size) = (start.elapsed().as_secs_f64(), BATCH.min(images.len()));
    let options = LoaderOptions { size: SIZE.into(), batch_size, ..LoaderOptions::default() };
    let loader = ViewLoader::new(Arc::new(images), Augmentations::default(), options)?;
    let (batches, start) = (loader.batches_per_epoch(), Instant::now());
    for batch in loader.start(0).take(batches) {
        batch?;
    }
    Ok((open_s, (batches * batch_size) as f64 / start.elapsed().as_secs_f64()))
}

fn two_images(folder: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let folder = folder.join("images");
    fs::create_dir(&folder)?;
    for name in ["first.png", "second.png"] {
        image::RgbImage::from_pixel(120, 100, image::Rgb([90, 120, 40])).save(folder.join(name))?;
    }
    Ok(folder)
}
