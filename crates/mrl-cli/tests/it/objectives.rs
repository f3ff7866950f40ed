//! Every objective and every head, as a user runs them.

use std::fs;

use mrl_embedding::EmbeddingSet;

use crate::{
    common::{World, fail, succeed, text},
    errors::says,
};

/// A run of four steps; its last checkpoint but one is kept too.
fn train(world: &World, out: &str, options: &str) {
    succeed(short(world, out, options));
}

fn short(world: &World, out: &str, options: &str) -> std::process::Command {
    world.train(out, &format!("--max-steps 4 {options}"))
}

/// An objective and a head that share little with those of the other tests.
#[test]
fn a_run_resumes_to_the_same_bits() {
    resume_to_the_same_bits(&["--objective simclr --temperature 0.2 --decoupled --head mrl"]);
}

#[test]
#[ignore = "long: cargo xtask test --long"]
fn runs_resume_to_the_same_bits() {
    resume_to_the_same_bits(&[
        "--objective byol --predictor-hidden 32 --head-batch-norm --head-hidden 100",
        "--objective vicreg --head random-prefix --dim-weights 1,1,2,4 --head-batch-norm",
        "--objective barlow-twins --head fixed --projection-dim 16",
        "--objective supervised --head mrl --grad-accum 2",
        "--objective relic --dim-weights 4,2,1,1",
        "--objective relic --head-hidden 0 --freeze-batch-norm-after 3",
        "--objective byol --head mrl --head-hidden 0",
    ]);
}

fn resume_to_the_same_bits(runs: &[&str]) {
    let world = World::new();
    for (index, options) in runs.iter().enumerate() {
        let run = format!("run{index}");
        train(&world, &run, options);
        let whole = world.results(&run);
        assert_eq!(whole.2.len(), 4);
        for line in &whole.2 {
            assert!(line["loss"].as_f64().unwrap().is_finite(), "{options}: {line}");
        }
        fs::remove_file(world.path(&run).join("checkpoints/step-000000004.safetensors")).unwrap();
        fs::remove_file(world.path(&run).join("encoder.safetensors")).unwrap();
        // What was given is in the run's own configuration.
        succeed(world.mrl(&format!("train --resume --out {run}")));
        assert!(world.results(&run) == whole, "{options}: the resumed run ends differently");
    }
}

#[test]
fn metrics_show_what_an_objective_has() {
    let world = World::new();
    let metrics = |out: &str, options: &str| {
        train(&world, out, options);
        world.results(out).2
    };
    for line in metrics("relic", "--objective relic --dim-weights 4,2,1,0.5") {
        assert!(line["temperature"].is_number());
        let per_dim = line["loss_per_dim"].as_array().unwrap();
        let weighted =
            per_dim.iter().zip([4.0, 2.0, 1.0, 0.5]).map(|(loss, weight)| loss.as_f64().unwrap() * weight);
        assert!((line["loss"].as_f64().unwrap() - weighted.sum::<f64>()).abs() < 1e-9, "{line}");
    }
    let mut drawn = 0;
    for line in metrics("random", "--objective simclr --head random-prefix") {
        assert!(line.get("temperature").is_none());
        let per_dim = line["loss_per_dim"].as_array().unwrap();
        let trained: Vec<f64> = per_dim.iter().filter_map(serde_json::Value::as_f64).collect();
        assert_eq!((per_dim.len(), &trained[..]), (4, &[line["loss"].as_f64().unwrap()][..]), "{line}");
        drawn |= 1 << per_dim.iter().position(|loss| !loss.is_null()).unwrap();
    }
    assert!(i32::count_ones(drawn) > 1, "the same prefix was drawn four times");
    for line in metrics("fixed", "--head fixed") {
        assert_eq!(line["loss_per_dim"], serde_json::json!([line["loss"]]));
    }
}

#[test]
fn an_encoder_says_by_what_it_was_trained() {
    let world = World::new();
    train(&world, "run", "--objective supervised --head fixed");
    assert!(
        text(&world.read("run/config.toml")).contains("[objective]\nname = \"supervised\"\nclasses = 10\n")
    );
    for network in ["target", "online"] {
        succeed(
            world.mrl(&format!(
                "embed --run run --network {network} --split test --out {network}.safetensors"
            )),
        );
        let set = EmbeddingSet::read(world.path(&format!("{network}.safetensors"))).unwrap();
        assert_eq!((set.width(), set.metadata.nesting.unwrap().dims()), (64, &[64][..]));
        assert!(set.metadata.config.unwrap().contains("supervised"));
    }
    let whole = world.read("target.safetensors");
    fs::remove_file(world.path("run/encoder.safetensors")).unwrap();
    succeed(world.mrl("embed --run run --split test --out target.safetensors"));
    assert!(world.read("target.safetensors") == whole, "the checkpoint's encoder is another");
}

#[test]
fn labels_that_are_not_there_are_missed_before_anything_else() {
    let world = World::new();
    let photos = world.path("photos");
    fs::create_dir(&photos).unwrap();
    for i in 0..4u8 {
        image::RgbImage::from_pixel(9, 9, image::Rgb([i, 3, 7]))
            .save(photos.join(format!("{i}.png")))
            .unwrap();
    }
    let message = fail(
        world.mrl(
            "train --dataset folder --data-dir photos --image-size 8 --batch-size 2 --max-steps 1 --width 0.125 \
             --objective supervised --out run",
        ),
        2,
    );
    says(&message, &["folder train has none", "a subfolder for each class"]);
    let stl10 = "train --dataset stl10 --data-dir data --objective supervised --out run --split unlabeled";
    says(&fail(world.mrl(stl10), 2), &["needs labels, which split unlabeled lacks; use --split train"]);
    assert!(!world.path("run").exists());
}

#[test]
fn options_that_do_not_go_together_are_refused() {
    let world = World::new();
    for (options, part) in [
        ("--objective moco", "possible values: relic, simclr, byol, vicreg, barlow-twins, supervised"),
        ("--objective simclr --alpha 1", "alpha is a setting of relic, not of the objective simclr"),
        ("--objective byol --decoupled", "decoupled is a setting of simclr, not of the objective byol"),
        ("--lambda 0.1", "lambda is a setting of barlow-twins, not of the objective vicreg"),
        ("--objective simclr --temperature 0", "temperature must be a positive number"),
        (
            "--objective supervised --head-batch-norm=false",
            "linear classifier as its head; leave head-hidden, head-nest-hidden",
        ),
        ("--objective simclr --temperature -1", "temperature must be a positive number"),
        ("--objective supervised --head-hidden 8", "linear classifier as its head; leave head-hidden"),
        ("--dim-weights 1,2", "there are 2 dim-weights for 4 nesting dims; give one for each"),
        ("--dim-weights 1,2,0,1", "dim-weight 0 must be a positive number"),
        ("--head fixed --nesting 8,64", "the head fixed trains the whole width alone; use nesting 64"),
        ("--head-hidden 65537", "head-hidden 65537 must be between 0 and 65536"),
        (
            "--head-hidden 0 --head-batch-norm",
            "head-batch-norm is a setting of the hidden layer, which head-hidden 0 leaves out",
        ),
        (
            "--head-hidden 0 --head-nest-hidden=false",
            "leave head-nest-hidden out, or give head-hidden 1 or more",
        ),
        (
            "--small-view-scale 0.5",
            "--small-view-scale has no effect without small views; add --small-views N",
        ),
        ("--small-crop-scale 0.1,0.3", "--small-crop-scale has no effect without small views"),
        ("--projection-dim 0", "projection-dim 0 must be between 1 and 65536"),
    ] {
        says(&world.refused(options), &[part]);
    }
    fs::write(world.path("mine.toml"), "[objective]\nname = \"simclr\"\nlambda = 1.0\n").unwrap();
    let message = fail(world.mrl("train --preset mine.toml --dataset mnist --data-dir data --out run"), 2);
    says(
        &message,
        &["preset mine.toml, line 1", "lambda is a setting of barlow-twins, not of the objective simclr"],
    );
    assert!(!world.path("run").exists());
}

#[test]
fn an_objective_stays_that_of_its_run() {
    let world = World::new();
    train(&world, "run", "--objective barlow-twins");
    let message = fail(short(&world, "run", "--objective simclr --resume"), 1);
    says(&message, &["objective.name is \"barlow-twins\" there and \"simclr\" now"]);
}
