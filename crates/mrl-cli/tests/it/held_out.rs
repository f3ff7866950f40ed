//! Images that are held out, and what they say while training goes on.

use std::fs;

use serde_json::Value;

use crate::{
    common::{World, fail, succeed, text},
    errors::says,
};

/// The numbers of all tensors in a run's last checkpoint, and its state beside them.
fn trained(world: &World, run: &str) -> (Vec<u8>, Value) {
    let bytes = world.read(&format!("{run}/checkpoints/step-000000009.safetensors"));
    let (length, rest) = bytes.split_first_chunk().unwrap();
    let (header, numbers) = rest.split_at(u64::from_le_bytes(*length) as usize);
    let header: Value = serde_json::from_slice(header).unwrap();
    (numbers.to_vec(), header["__metadata__"]["state"].clone())
}

/// Lines of a run's metrics: those of steps, and those of evaluations.
fn metrics(world: &World, run: &str) -> (Vec<Value>, Vec<Value>) {
    world.results(run).2.into_iter().partition(|line| line["loss"].is_number())
}

/// 32 of the 40 images are trained on: 4 steps an epoch.
const HOLD_OUT: &str = "--holdout 0.2";

#[test]
fn looking_changes_nothing_of_what_is_trained() {
    let world = World::new();
    succeed(world.train("blind", HOLD_OUT));
    let said = text(&succeed(world.train("watched", &format!("{HOLD_OUT} --eval-every 1"))).stderr);
    assert!(said.contains("32 images, 8 held out, 4 steps an epoch, 9 steps in all"), "{said}");
    assert!(trained(&world, "blind") == trained(&world, "watched"), "looking has changed the training");

    let ((blind, nothing), (watched, evaluations)) = (metrics(&world, "blind"), metrics(&world, "watched"));
    assert_eq!(blind, watched);
    assert!(nothing.is_empty());
    let steps: Vec<_> =
        evaluations.iter().map(|line| (line["step"].clone(), line["epoch"].clone())).collect();
    assert_eq!(steps, [(4.into(), 1.0.into()), (8.into(), 2.0.into()), (9.into(), 2.25.into())]);
    for line in &evaluations {
        for network in ["online_knn1", "online_pca_knn1", "target_knn1", "target_pca_knn1"] {
            let shares = line[network].as_array().unwrap();
            assert_eq!(shares.len(), 4);
            // Of 8 images, so that a share is a number of eighths.
            assert!(shares.iter().all(|share| (share.as_f64().unwrap() * 8.0).fract() == 0.0), "{line}");
        }
    }
    assert_eq!(said.matches("1-NN of held-out images in %").count(), 3, "{said}");
    // Without an image less it is another training.
    succeed(world.train("all", ""));
    assert!(trained(&world, "all").0 != trained(&world, "blind").0);
}

#[test]
fn a_watched_run_resumes_to_the_same_lines() {
    let world = World::new();
    let options = format!("{HOLD_OUT} --eval-every 2");
    succeed(world.train("run", &options));
    let whole = world.results("run");
    assert_eq!(metrics(&world, "run").1.len(), 2, "behind step 8 and at the end");
    for file in ["encoder.safetensors", "online.safetensors", "checkpoints/step-000000009.safetensors"] {
        fs::remove_file(world.path("run").join(file)).unwrap();
    }
    succeed(world.train("run", &format!("{options} --resume")));
    assert!(world.results("run") == whole, "the resumed run ends differently");
}

#[test]
fn held_out_images_must_be_there() {
    let world = World::new();
    for (options, part) in [
        (
            "--eval-every 1",
            "eval-every needs images that are not trained on; hold some out, e.g. with --holdout 0.1",
        ),
        ("--holdout 0.1 --eval-every 0", "eval-every must be 1 or more"),
        ("--holdout 0 --eval-every 1", "eval-every needs images that are not trained on"),
        ("--holdout -0.1", "holdout must be a share above 0 and below 1"),
        ("--holdout 1", "holdout must be a share above 0 and below 1"),
    ] {
        says(&world.refused(options), &[part]);
    }
    let message = fail(world.mrl("train --dataset stl10 --data-dir nowhere --holdout 0.1 --out run"), 2);
    says(&message, &["holdout needs labels", "--split train or train+unlabeled"]);

    fs::create_dir(world.path("photos")).unwrap();
    for i in 0..4 {
        image::RgbImage::new(12, 12).save(world.path(&format!("photos/{i}.png"))).unwrap();
    }
    let words = "train --dataset folder --data-dir photos --image-size 12 --batch-size 2 --max-steps 1 --holdout 0.5 --out run";
    says(&fail(world.mrl(words), 2), &["has no class of two images or more", "leave --holdout out"]);
    assert!(!world.path("run").exists(), "wrong usage leaves no folder");
}
