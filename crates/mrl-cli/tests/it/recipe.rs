//! Optimisers, schedules and augmentations: each trains, resumes to the same bits, and is refused where it makes no sense.

use std::fs;

use crate::{
    common::{World, fail, succeed, text},
    errors::says,
};

/// The keys and values of a run's configuration.
fn config(world: &World, run: &str) -> String {
    text(&world.read(&format!("{run}/config.toml")))
}

#[test]
#[ignore = "long: cargo xtask test --long"]
fn every_optimiser_resumes_to_the_same_bits() {
    let world = World::new();
    succeed(world.train("plain", ""));
    let mut seen = vec![world.results("plain").1];
    for (run, options) in [
        ("adamw", "--weight-decay 0.2"),
        (
            "sgd",
            "--optimiser sgd --lr 0.002 --weight-decay 0 --nesterov --momentum 0.8 --decay-norms-and-biases=false",
        ),
        (
            "lars",
            "--optimiser lars --lr 1 --weight-decay 0 --trust-coefficient 0.01 --schedule cosine --min-lr 0.1 --warmup-epochs 0.6",
        ),
    ] {
        succeed(world.train(run, options));
        let whole = world.results(run);
        assert!(!seen.contains(&whole.1), "{run} trains as another one does");
        seen.push(whole.1.clone());
        for file in ["encoder.safetensors", "online.safetensors", "checkpoints/step-000000009.safetensors"] {
            fs::remove_file(world.path(run).join(file)).unwrap();
        }
        succeed(world.train(run, &format!("{options} --resume")));
        assert!(world.results(run) == whole, "the resumed {run} ends differently");
    }
    // 40 images in batches of 8 are 5 steps an epoch, of which 0.6 warm up.
    let rates: Vec<f64> = world.results("lars").2.iter().map(|line| line["lr"].as_f64().unwrap()).collect();
    assert_eq!(rates[2..4], [1.0, 1.0]);
    assert!((rates[0] - 1.0 / 3.0).abs() < 1e-12 && (rates[6] - 0.55).abs() < 1e-12, "{rates:?}");
    assert!(config(&world, "sgd").contains("kind = \"sgd\""));
}

#[test]
fn wrong_optimisers_end_with_2() {
    let world = World::new();
    for (options, part) in [
        ("--optimiser adagrad", "[possible values: adam, adamw, sgd, lars]"),
        ("--momentum 0.9", "--momentum is a setting of sgd and lars, not of the optimiser adamw"),
        (
            "--optimiser sgd --lr 0.1 --weight-decay 0 --trust-coefficient 0.1",
            "--trust-coefficient is a setting of lars",
        ),
        ("--optimiser sgd --lr 0.1 --weight-decay 0 --momentum 1", "momentum must be from 0 to below 1"),
        ("--decay-norms-and-biases=maybe", "[possible values: true, false]"),
        ("--schedule constant --min-lr 0.0001", "min_lr is where a cosine ends"),
        ("--schedule cosine --min-lr 1", "min_lr must be between 0 and lr"),
        ("--warmup-epochs 1 --warmup-steps 1", "cannot be used with"),
        (
            "--optimiser lars",
            "the optimiser lars needs values of its own: lr 0.002 and weight_decay 0.1 are for adamw; give --lr and --weight-decay",
        ),
        ("--lr -1", "lr must be a positive number"),
    ] {
        says(&world.refused(options), &[part]);
    }
    let message = fail(world.train("run", "--warmup-epochs 3"), 2);
    says(&message, &["the learning rate warms up for 15 steps, but the run has 9"]);
    assert!(!world.path("run").exists(), "wrong usage leaves no folder");
}

#[test]
#[ignore = "long: cargo xtask test --long"]
fn an_augmentation_is_chosen_by_name_and_changed_by_key() {
    let world = World::new();
    let mine = "[augmentation]\npreset = \"byol\"\nhue = 0.05\nsecond.blur_p = 0.3\n";
    let mut seen = Vec::new();
    for (run, more, options) in [
        ("reference", "", ""),
        ("simclr-cifar", "", "--augmentation simclr-cifar"),
        ("byol", "", "--augmentation byol"),
        ("imagenet", "", "--augmentation imagenet"),
        ("mine", mine, ""),
    ] {
        succeed(world.train_preset("extends = \"reference\"", more, run, options));
        let online = world.results(run).1;
        assert!(!seen.contains(&online), "{run} has the views of another one");
        seen.push(online);
    }
    assert_eq!(config(&world, "byol").matches("hue = 0.1").count(), 2);
    assert!(!config(&world, "imagenet").contains("[augmentation.second]"));
    let changed = config(&world, "mine");
    assert_eq!(changed.matches("hue = 0.05").count(), 2, "{changed}");
    assert!(changed.contains("[augmentation.second]") && changed.contains("blur_p = 0.3"), "{changed}");
    // The name replaces all that the preset says of views.
    succeed(world.train_preset("extends = \"reference\"", mine, "named", "--augmentation byol"));
    assert!(world.results("named").1 == seen[2]);
}

#[test]
fn wrong_augmentations_name_file_key_and_range() {
    let world = World::new();
    for (line, parts) in [
        ("blur_p = 1.5", vec!["augmentation.blur_p is 1.5; it must be a probability from 0 to 1"]),
        (
            "second.crop_scale = [0.5, 1.5]",
            vec!["augmentation.second.crop_scale is [0.5, 1.5]", "from 0.000001 to 1"],
        ),
        ("blur = 1.0", vec!["unknown field `blur`", "blur_p"]),
        ("preset = \"moco\"", vec!["moco", "simclr-cifar"]),
    ] {
        fs::write(world.path("mine.toml"), format!("[augmentation]\n{line}\n")).unwrap();
        let message = world.refused(&format!("--preset {}", world.path("mine.toml").display()));
        says(&message, &[&["mine.toml", "line "], parts.as_slice()].concat());
    }
    let message = world.refused("--augmentation moco");
    says(&message, &["[possible values: reference, simclr-cifar, byol, imagenet]"]);
}
