//! `mrl data`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use image::{Rgb, RgbImage};
use serde_json::Value;

use crate::{
    common::{World, fail, succeed, text},
    errors::says,
};

/// A picture of its own for each `seed`, in these levels.
fn picture(seed: u32, side: u32, brightness: f32) -> RgbImage {
    RgbImage::from_fn(side, side, |x, y| {
        let (x, y) = (x as f32 / side as f32, y as f32 / side as f32);
        let wave = 0.5 + 0.5 * (x * 9.0 + seed as f32 * 1.3).sin() * (y * 7.0 + seed as f32).cos();
        Rgb([(brightness * 255.0 * wave) as u8; 3])
    })
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> =
        entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect();
    found.sort();
    found
}

#[test]
fn a_folder_is_shown_with_its_faults() {
    let world = World::new();
    let save = |name: &str, image: RgbImage| {
        let path = world.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        image.save(path).unwrap();
    };
    for seed in 0..6 {
        save(&format!("photos/Train/cat/{seed}.png"), picture(seed, 32, 1.0));
    }
    save("photos/Train/dog/1.png", picture(40, 20, 1.0));
    save("photos/Train/dog/copy.bmp", picture(0, 32, 1.0));
    save("photos/val/cat/1.png", picture(50, 32, 1.0));
    save("photos/val/cat/darker.png", picture(3, 24, 0.8));
    fs::write(world.path("photos/val/cat/cut.jpg"), "no image").unwrap();
    fs::write(world.path("photos/Train/cat/notes.txt"), "").unwrap();

    let shown = text(&succeed(world.mrl("data photos")).stdout);
    let expected = "\
train: 8 images in 2 classes, from 2 (dog) to 6 (cat)
  sizes: from 20 x 20 to 32 x 32; 7 of one size, 32 x 32
  left out: `.txt` files: 1 (in cat)
test: 2 images in 1 class
  sizes: from 24 x 24 to 32 x 32; 1 of one size, 24 x 24
  corrupt: 1
    val/cat/cut.jpg: is not a JPEG, PNG, WebP, BMP, TIFF, GIF or PNM image
copies (the same pixels) within a split: 1
    Train/dog/copy.bmp = Train/cat/0.png
copies (the same pixels) in two splits: 0
near duplicates within a split: 0
near duplicates in two splits: 1
    val/cat/darker.png = Train/cat/3.png
";
    let before = files(&world.path("photos"));
    assert_eq!(shown, expected);

    let json: Value = serde_json::from_slice(&succeed(world.mrl("data photos --json")).stdout).unwrap();
    assert_eq!(json["splits"][0]["classes"][1], serde_json::json!({ "name": "dog", "images": 2 }));
    assert_eq!(json["splits"][1]["corrupt"][0]["file"], "val/cat/cut.jpg");
    assert_eq!(json["duplicates"][1]["splits"], serde_json::json!(["test", "train"]));
    let one = text(&succeed(world.mrl("data photos --split test")).stdout);
    assert!(one.starts_with("test: 2 images") && one.contains("in two splits: 0"), "{one}");
    assert_eq!(files(&world.path("photos")), before, "nothing is written beside the images");
}

#[test]
fn pictures_that_all_look_alike_are_said_to() {
    let world = World::new();
    fs::create_dir(world.path("photos")).unwrap();
    for side in [20, 24, 28, 32] {
        picture(1, side, 1.0).save(world.path(&format!("photos/{side}.png"))).unwrap();
    }
    let shown = text(&succeed(world.mrl("data photos")).stdout);
    says(
        &shown,
        &[
            "4 images without labels",
            "near duplicates within a split: 3",
            "3 of 4 images are near duplicates",
        ],
    );
}

#[test]
fn a_run_remembers_the_folder_of_its_split() {
    let world = World::new();
    for (folder, count) in [("good", 6), ("bad", 5)] {
        fs::create_dir_all(world.path(&format!("photos/{folder}/cat"))).unwrap();
        for seed in 0..count {
            picture(seed, 12, 1.0).save(world.path(&format!("photos/{folder}/cat/{seed}.png"))).unwrap();
        }
    }
    let train = "train --dataset folder --data-dir photos --width 0.125 --batch-size 4 --max-steps 0 --fold none --no-pixel-cache --out run";
    let output = succeed(world.mrl(&format!("{train} --split-folder good")));
    let said = text(&output.stderr);
    says(&said, &["folder train: 6 images in 1 class", "12 px", "mrl embed --run run --split train"]);
    let embedded = succeed(world.mrl("embed --run run --out set.safetensors"));
    says(&text(&embedded.stdout), &["6 embeddings"]);
    let other = succeed(world.mrl("embed --run run --split-folder bad --out other.safetensors"));
    says(&text(&other.stdout), &["5 embeddings"]);
    // The side that the images had is the run's, whatever they are now.
    succeed(world.mrl(&format!("{train} --split-folder good --resume")));
    let message = fail(
        world.mrl(
            "embed --run run --dataset fashion-mnist --data-dir data --split-folder x --out o.safetensors",
        ),
        2,
    );
    says(&message, &["--split-folder is for --dataset folder"]);
    let message = fail(world.mrl("train --dataset mnist --data-dir data --split-folder x --out other"), 2);
    says(&message, &["split-folder is for --dataset folder"]);
}

#[test]
fn other_data_sets_are_shown_too_and_what_is_not_there_is_said() {
    let world = World::new();
    let shown = text(&succeed(world.mrl("data data --dataset fashion-mnist")).stdout);
    says(&shown, &["train: 40 images in 10 classes", "test: 20 images in 10 classes", "sizes: all "]);
    says(&fail(world.mrl("data nowhere"), 1), &["nowhere: does not exist"]);
    says(&fail(world.mrl("data data --dataset cifar10"), 1), &["data: "]);
    fs::create_dir(world.path("empty")).unwrap();
    says(&fail(world.mrl("data empty"), 1), &["holds no images"]);
    says(&fail(world.mrl("data data --dataset idx --split-folder x"), 2), &["is for --dataset folder"]);
}
