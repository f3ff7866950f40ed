//! `mrl_train`, the reference's command line.

use crate::common::{World, fail, succeed, text};

fn mrl_train(world: &World, words: &str) -> std::process::Command {
    world.command(env!("CARGO_BIN_EXE_mrl_train"), words)
}

#[test]
fn the_help_has_the_references_options() {
    let world = World::new();
    let help = text(&succeed(mrl_train(&world, "--help")).stdout);
    for option in [
        "--dataset_path",
        "--dataset_name",
        "tiny_imagenet",
        "food101",
        "imagenet1k",
        "-m, --encoder_model_name",
        "-save_model_dir",
        "--num_epochs",
        "-b, --batch_size",
        "--learning_rate",
        "--weight_decay",
        "--fp16_precision",
        "--proj_out_dim",
        "--proj_hidden_dim",
        "--log_every_n_steps",
        "--gamma",
        "--alpha",
        "--update_gamma_after_step",
        "--update_gamma_every_n_steps",
        "--ckpt_path",
    ] {
        assert!(help.contains(option), "{option} is not in: {help}");
    }
}

#[test]
fn a_data_set_of_a_hub_is_trained_on_as_a_folder() {
    let world = World::new();
    let message = fail(mrl_train(&world, "--dataset_name tiny_imagenet -m resnet50 -save_model_dir tiny"), 2);
    let (_, command) = message.trim_end().split_once("run: ").unwrap();
    let expected = "mrl train --preset reference --dataset folder --data-dir tiny_imagenet --image-size 64 --stem imagenet \
                    --encoder resnet50 --out tiny";
    assert_eq!(command, expected);
    // The command is as it must be: what it lacks is the folder of the images.
    let message = fail(world.mrl(command.strip_prefix("mrl ").unwrap()), 1);
    assert!(message.contains("tiny_imagenet"), "{message}");
    for (name, size) in [("food101", 192), ("imagenet1k", 192)] {
        let message = fail(mrl_train(&world, &format!("--dataset_name {name}")), 2);
        assert!(message.contains(&format!("--data-dir {name} --image-size {size}")), "{message}");
    }
    assert!(!world.path("models").exists() && !world.path("tiny").exists());
}

#[test]
fn images_that_are_not_there_are_asked_for() {
    let world = World::new();
    let message = fail(mrl_train(&world, "--dataset_name nosuch"), 2);
    assert!(message.contains("nosuch") && message.contains("cifar10"), "{message}");
    for (words, part) in
        [("--num_epochs 0", "epochs is 0"), ("-b 1", "batch-size must be 2 or more"), ("-lr -1", "lr")]
    {
        let message = fail(mrl_train(&world, words), 2);
        assert!(message.contains(part), "{message}");
        assert!(!world.path("models").exists() && !world.path("data/stl10_binary").exists());
    }
    let message = fail(mrl_train(&world, "--ckpt_path nowhere"), 2);
    assert!(message.contains("--ckpt_path nowhere"), "{message}");
}

/// Two batches of CIFAR-10's binary layout, small enough for a test.
fn write_cifar10(world: &World) {
    let folder = world.path("data/cifar-10-batches-bin");
    std::fs::create_dir(&folder).unwrap();
    let record = |index: usize| {
        let mut record = vec![(index % 10) as u8];
        record.extend((0..3072).map(|place| (place * (index + 3) % 251) as u8));
        record
    };
    for name in ["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"]
    {
        std::fs::write(folder.join(format!("{name}.bin")), (0..4).flat_map(record).collect::<Vec<u8>>())
            .unwrap();
    }
}

/// Two steps of the whole network.
const WORDS: &str = "--dataset_name cifar10 --dataset_path data -save_model_dir models --num_epochs 1 -b 10 -lr 0.001 -wd 0.0 \
                     --proj_out_dim 16 --log_every_n_steps 1 --gamma 0.9 --alpha 0.5";

#[test]
fn its_options_reach_the_run() {
    let world = World::new();
    write_cifar10(&world);
    let output = succeed(mrl_train(&world, WORDS));
    assert!(!text(&output.stderr).contains("warning"), "{}", text(&output.stderr));
    let config = text(&world.read("models/config.toml"));
    for line in [
        "lr = 0.001",
        "gamma = 0.9",
        "alpha = 0.5",
        "head_hidden = 0",
        "projection_dim = 16",
        "batch_size = 10",
        "epochs = 1",
    ] {
        assert!(config.contains(line), "{line} is not in: {config}");
    }
    assert!(!config.contains("freeze_batch_norm_after"), "{config}");
    assert_eq!(world.results("models").2.len(), 2);
}

#[test]
#[ignore = "long: cargo xtask test --long"]
fn the_hidden_layer_changes_nothing_and_frozen_statistics_change_the_second_step() {
    let world = World::new();
    write_cifar10(&world);
    succeed(mrl_train(&world, WORDS));
    let (encoder, online, metrics) = world.results("models");
    // It is accepted, changes nothing, and a warning says so.
    let other = WORDS.replace("models", "hidden");
    let output = succeed(mrl_train(&world, &format!("{other} --proj_hidden_dim 7")));
    let message = text(&output.stderr);
    assert!(message.contains("warning: --proj_hidden_dim has no effect"), "{message}");
    assert!(world.results("hidden") == (encoder, online, metrics.clone()));

    let other = WORDS.replace("models", "frozen");
    succeed(mrl_train(&world, &format!("{other} --freeze_batch_norm_after 1")));
    assert!(text(&world.read("frozen/config.toml")).contains("freeze_batch_norm_after = 1"));
    let frozen = world.results("frozen").2;
    assert!(frozen[0] == metrics[0] && frozen[1] != metrics[1]);
}
