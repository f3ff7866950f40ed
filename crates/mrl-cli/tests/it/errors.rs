//! Each mistake has its exit code and a sentence with the cure, and leaves what was there.

use std::fs;

use crate::common::{World, fail, snapshot, succeed};

#[track_caller]
pub(crate) fn says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "{part:?} is not in: {message}");
    }
}

#[test]
fn an_existing_run_is_never_overwritten() {
    let world = World::new();
    succeed(world.train("run", ""));
    let before = snapshot(&world.path("run"));
    says(&fail(world.train("run", ""), 1), &["run already holds a run", "--resume", "another --out"]);
    assert_eq!(snapshot(&world.path("run")), before);
}

#[test]
fn wrong_usage_ends_with_2() {
    let world = World::new();
    for (words, parts) in [
        ("train --dataset cifar11 --data-dir data --out run", vec!["cifar11", "cifar10"]),
        ("train --data-dir data --out run", vec!["--dataset is missing"]),
        (
            "train --dataset mnist --data-dir data --out run --device cuda:99",
            vec!["device cuda:99", "--device cpu"],
        ),
        ("train --dataset mnist --data-dir data --out run --lr 0", vec!["lr must be a positive number"]),
        (
            "embed --pixels --image-size 0 --dataset fashion-mnist --data-dir data --out x.npy",
            vec!["image-size 0"],
        ),
        ("embed --pixels --dataset mnist --data-dir data --out x.txt", vec![".safetensors or .npy"]),
        ("embed --out x.npy", vec!["--run"]),
    ] {
        says(&fail(world.mrl(words), 2), &parts);
    }
    assert!(!world.path("run").exists(), "wrong usage leaves no folder");
}

#[test]
fn wrong_options_of_a_training_are_refused_with_a_cure() {
    let world = World::new();
    for (options, parts) in [
        ("--nesting 8,1024", &["nesting dim 1024 exceeds the width 64; use dims up to 64"][..]),
        ("--nesting 16,8,64", &["nesting dim 8 follows 16"]),
        ("--nesting 8,8,64", &["nesting dim 8 follows 8"]),
        ("--epochs 1 --max-steps 1", &["cannot be used with"]),
        ("--preset nosuch", &["there is no preset \"nosuch\"", "demo", "file.toml"]),
        ("--device gpu", &["unknown device"]),
        ("--seed 18446744073709551615", &["a number is too large; use at most 9223372036854775807"]),
        ("--image-size 0", &["image-size 0 must be between 1 and 4096"]),
    ] {
        says(&world.refused(options), parts);
    }
}

#[test]
fn an_unknown_simd_level_ends_with_2_and_another_one_changes_no_result() {
    let world = World::new();
    for name in ["sse9", ""] {
        let mut command = world.train("run", "");
        command.env("MRL_SIMD", name);
        says(&fail(command, 2), &["MRL_SIMD: ", "choose one of: scalar", "or unset MRL_SIMD"]);
    }
    for run in ["run", "scalar"] {
        let mut command = world.train(run, "");
        command.env_remove("MRL_SIMD").envs((run == "scalar").then_some(("MRL_SIMD", "scalar")));
        succeed(command);
    }
    assert_eq!(world.results("scalar"), world.results("run"));
}

#[test]
fn wrong_usage_of_an_evaluation_ends_with_2() {
    let world = World::new();
    succeed(world.mrl("embed --pixels --dataset fashion-mnist --data-dir data --out p.safetensors"));
    for (words, part) in [
        ("--dims 0", "a prefix of 0 dims is empty"),
        ("--dims 145", "dim 145 exceeds the embeddings' width 144"),
        ("--methods pca,pca", "method pca is given twice"),
        ("--l2 0", "l2 cannot be 0"),
        ("--measures knn,knn", "measure knn is given twice"),
        ("--neighbours 0", "0 neighbours cannot vote"),
        ("--temperature 0", "temperature cannot be 0"),
        ("--hits 10,10", "hits cannot be [10, 10]"),
        ("--measures cascade,knn --methods pca", "add prefix to --methods, or leave cascade out"),
        ("--measures accuracy", "possible values: probe, cascade"),
        ("--measures knn1 --hits 3", "--hits is for retrieval; add that to --measures, or leave --hits out"),
        ("--measures knn --l2 1", "--l2 is for probe or cascade; add that to --measures"),
    ] {
        let eval = format!("eval --train p.safetensors --test p.safetensors --out report {words}");
        says(&fail(world.mrl(&eval), 2), &[part]);
    }
    assert!(!world.path("report").exists(), "wrong usage leaves no folder");
}

#[test]
fn an_unknown_preset_key_is_named() {
    let world = World::new();
    fs::write(world.path("mine.toml"), "[run]\nbatchsize = 3\n").unwrap();
    let message = fail(world.mrl("train --preset mine.toml --dataset mnist --data-dir data --out run"), 2);
    says(&message, &["mine.toml", "batchsize", "batch_size"]);
}

#[test]
fn a_batch_must_fit_the_data_set() {
    let world = World::new();
    let train = "train --dataset fashion-mnist --data-dir data --width 0.125 --max-steps 1 --out run";
    let message = fail(world.mrl(&format!("{train} --batch-size 41")), 1);
    says(&message, &["batch size 41", "40 images"]);
    let message = fail(world.mrl(&format!("{train} --batch-size 8 --subset-per-class 3")), 1);
    says(&message, &["0 images of class 2 (Pullover)", "put images there, or remove the class"]);
}

#[test]
fn damaged_images_are_named() {
    let world = World::new();
    let file = world.path("data/train-images-idx3-ubyte");
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..bytes.len() - 5]).unwrap();
    says(&fail(world.train("run", ""), 1), &["train-images-idx3-ubyte"]);
    fs::remove_file(&file).unwrap();
    says(&fail(world.train("run", ""), 1), &["train-images-idx3-ubyte"]);
}

#[test]
fn a_loss_that_is_not_finite_stops_the_run_and_keeps_the_checkpoint() {
    let world = World::new();
    let message = fail(world.train("run", "--lr 1e30"), 1);
    says(&message, &["at step", "earlier checkpoints stay", "learning rate"]);
    assert!(world.path("run/checkpoints").read_dir().unwrap().count() > 0);
    assert!(!world.path("run/encoder.safetensors").exists());
}

#[test]
fn embedding_names_what_is_missing() {
    let world = World::new();
    says(&fail(world.mrl("embed --run nowhere --out x.npy"), 1), &["nowhere", "mrl train"]);
    succeed(world.train("run", ""));
    let encoder = world.path("run/encoder.safetensors");
    let bytes = fs::read(&encoder).unwrap();
    fs::write(&encoder, &bytes[..1000]).unwrap();
    says(
        &fail(world.mrl("embed --run run --out x.npy"), 1),
        &["run/encoder.safetensors", "not a whole safetensors file"],
    );
    assert!(!world.path("x.npy").exists());
    fs::write(&encoder, bytes).unwrap();
    says(
        &fail(world.mrl("embed --run run --out no/x.npy"), 1),
        &["no: the folder is not there; make it first"],
    );
    says(
        &fail(world.mrl("embed --run run --out run/config.toml/x.npy"), 1),
        &["config.toml is not a folder"],
    );
    fs::create_dir(world.path("folder.npy")).unwrap();
    says(&fail(world.mrl("embed --run run --out folder.npy"), 1), &["folder.npy: is a folder; name a file"]);
}

#[test]
fn sets_of_different_weights_are_not_compared() {
    let world = World::new();
    succeed(world.train("run", ""));
    succeed(world.mrl("embed --run run --split train --out train.safetensors"));
    for name in ["encoder.safetensors", "checkpoints/step-000000009.safetensors"] {
        fs::remove_file(world.path("run").join(name)).unwrap();
    }
    succeed(world.mrl("embed --run run --split test --out test.safetensors"));
    let message = fail(world.mrl("eval --train train.safetensors --test test.safetensors --out report"), 1);
    says(&message, &["different weights of one run", "embed both with the same weights"]);
}

#[test]
fn evaluation_needs_labels() {
    let world = World::new();
    succeed(
        world.mrl("embed --pixels --dataset fashion-mnist --data-dir data --split test --out pixels.npy"),
    );
    let message = fail(world.mrl("eval --train pixels.npy --test pixels.npy --out report"), 1);
    says(&message, &["labels"]);
    assert!(!world.path("report").exists());
}

#[test]
fn a_missing_file_is_named_and_the_cause_is_said_once() {
    let message =
        fail(World::new().mrl("eval --train none.safetensors --test none.safetensors --out report"), 1);
    says(&message, &["error: none.safetensors: "]);
    assert_eq!(message.matches("os error").count(), 1, "{message}");
    let message = fail(World::new().mrl("eval --train data --test data --out report"), 1);
    says(&message, &["error: data: is a folder; name a file"]);
}

#[cfg(unix)]
#[test]
fn a_file_that_cannot_be_written_whole_is_named_and_nothing_is_lost() {
    let world = World::new();
    let limited = |words: &str| {
        // A limit on the size of files stands for a full disk: a write ends in the middle of a file.
        let script = r#"trap "" XFSZ; ulimit -f 100; exec "$0" "$@""#;
        let mut command = world.command("sh", "");
        command.args(["-c", script, env!("CARGO_BIN_EXE_mrl")]).args(words.split_whitespace());
        command
    };
    succeed(world.train("whole", ""));
    succeed(world.train("run", ""));
    for name in ["encoder.safetensors", "online.safetensors", "checkpoints/step-000000009.safetensors"] {
        fs::remove_file(world.path("run").join(name)).unwrap();
    }
    let before = snapshot(&world.path("run/checkpoints"));
    let message = fail(limited("train --resume --out run"), 1);
    says(&message, &["run/checkpoints/step-000000009.safetensors: "]);
    assert_eq!(snapshot(&world.path("run/checkpoints")), before);
    let message = fail(
        limited(
            "embed --pixels --image-size 24 --dataset fashion-mnist --data-dir data --out embeddings.safetensors",
        ),
        1,
    );
    says(&message, &["embeddings.safetensors: "]);
    assert!(!world.path("embeddings.safetensors").exists());
    succeed(world.mrl("train --resume --out run"));
    assert!(world.results("run") == world.results("whole"), "the run ends differently");
}
