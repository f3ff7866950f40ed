//! Rotations in encoders: at the end of a run, by `mrl fold`, and taken out again.

use std::{fs, process::Command};

use mrl_embedding::EmbeddingSet;

use crate::{
    common::{World, fail, snapshot, succeed, text},
    errors::says,
};

/// A run long enough that all 40 images are used for its fold.
fn train(world: &World, out: &str, more: &str) -> Command {
    world.mrl(&format!(
        "train --dataset fashion-mnist --data-dir data --width 0.125 --precision f32 --batch-size 8 --max-steps 40 \
         --log-every 10 --checkpoint-every 20 --out {out} {more}"
    ))
}

fn embed(world: &World, words: &str, out: &str) -> EmbeddingSet {
    succeed(world.mrl(&format!("embed --split test --out {out} {words}")));
    EmbeddingSet::read(world.path(out)).unwrap()
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

#[test]
fn a_run_ends_with_the_rotation_that_mrl_fold_finds() {
    let world = World::new();
    let said = text(&succeed(train(&world, "folded", "--rotate-after 0")).stderr);
    says(
        &said,
        &[
            "target network: % of the 10 nearest images",
            "online network: % of the 10 nearest images",
            "by 4 images kept out of the fit to 36",
            "it helps, folded into the encoder",
        ],
    );
    let plain = text(&succeed(train(&world, "plain", "--rotate-after 0 --fold none")).stderr);
    assert!(!plain.contains("nearest"), "{plain}");

    let before = embed(&world, "--run plain --network online", "plain.safetensors");
    let answer = text(&succeed(world.mrl("fold plain")).stdout);
    says(&answer, &["plain/encoder.safetensors: folded, principal", "plain/online.safetensors: folded"]);
    let by_command = embed(&world, "--run plain --network online", "command.safetensors");
    let by_run = embed(&world, "--run folded --network online", "run.safetensors");
    assert_eq!(by_run.embeddings(), by_command.embeddings());
    assert_eq!(by_run.metadata.fold.as_deref(), Some("principal"));
    assert_eq!(by_run.metadata.weights, by_command.metadata.weights);

    let unfolded = embed(&world, "--run folded --network online --unfolded", "unfolded.safetensors");
    assert_eq!(unfolded.embeddings(), before.embeddings());
    assert_eq!((unfolded.metadata.fold, &unfolded.metadata.weights), (None, &before.metadata.weights));
    for (a, b) in (0..20).flat_map(|a| (0..20).map(move |b| (a, b))) {
        let [was, is] = [&before, &by_run].map(|set| cosine(set.row(a), set.row(b)));
        assert!((was - is).abs() < 1e-6, "{a} {b}: {was} {is}");
    }
}

/// Rows `[n, d]` of the tensor `name` in an encoder's file; none if it has no such tensor.
fn matrix(world: &World, file: &str, name: &str) -> Option<Vec<Vec<f64>>> {
    let bytes = world.read(file);
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let tensor = tensors.tensor(name).ok()?;
    let numbers =
        tensor.data().chunks_exact(4).map(|bytes| f64::from(f32::from_le_bytes(bytes.try_into().unwrap())));
    let numbers: Vec<f64> = numbers.collect();
    Some(numbers.chunks(tensor.shape()[1]).map(<[f64]>::to_vec).collect())
}

/// The checkpoint of step 20 is from before the rotation: a run that resumes there ends with the same bits.
fn resumes_over_the_rotation(world: &World, out: &str) {
    let whole = world.results(out);
    for name in ["encoder.safetensors", "online.safetensors", "checkpoints/step-000000040.safetensors"] {
        fs::remove_file(world.path(out).join(name)).unwrap();
    }
    succeed(world.mrl(&format!("train --resume --out {out}")));
    assert!(world.results(out) == whole);
}

#[test]
fn a_run_that_rotates_trains_prefixes_before_and_after() {
    let world = World::new();
    let rotated = "--rotate-after 0.5 --fold none";
    let said = text(&succeed(train(&world, "run", rotated)).stderr);
    says(&said, &["step 20: the features are rotated to their principal components"]);
    assert!(
        !text(&world.read("run/metrics.jsonl")).contains("null"),
        "every prefix is trained in every step"
    );
    resumes_over_the_rotation(&world, "run");
    assert_eq!(matrix(&world, "run/encoder.safetensors", "fc.weight").unwrap().len(), 64);
}

#[test]
fn a_run_that_nests_late_is_rotated_resumed_folded_and_unfolded() {
    let world = World::new();
    let late = "--nest-after 0.5 --fold none";
    let said = text(&succeed(train(&world, "late", late)).stderr);
    says(
        &said,
        &[
            "step 20: the features are rotated to their principal components",
            "step 20: the shorter prefixes are trained from now on",
        ],
    );
    let metrics = text(&world.read("late/metrics.jsonl"));
    let trained = |line: &str| line.matches("null").count();
    let lines: Vec<usize> = metrics.lines().map(trained).collect();
    assert!(lines[1] == lines[0] && lines[2] == 0 && lines[0] > 0, "{metrics}");

    resumes_over_the_rotation(&world, "late");

    let (before, file) = (embed(&world, "--run late", "before.safetensors"), "late/encoder.safetensors");
    let rotation = matrix(&world, file, "fc.weight").unwrap();
    assert_eq!((rotation.len(), matrix(&world, file, "fc.fold")), (64, None));
    let largest = rotation.iter().enumerate().map(|(place, row)| row[place].abs()).fold(0.0, f64::max);
    assert!(largest < 0.99, "the identity is no rotation to principal components");
    let unfolded = world.read(file);
    succeed(world.mrl("fold late --network target --always"));
    let after = embed(&world, "--run late", "after.safetensors");
    for (a, b) in (0..20).flat_map(|a| (0..20).map(move |b| (a, b))) {
        let [was, is] = [&before, &after].map(|set| cosine(set.row(a), set.row(b)));
        assert!((was - is).abs() < 1e-6, "{a} {b}: {was} {is}");
    }
    let [product, fold] = ["fc.weight", "fc.fold"].map(|name| matrix(&world, file, name).unwrap());
    assert_eq!(matrix(&world, file, "fc.rotation").unwrap(), rotation);
    for (row, fold) in product.iter().zip(&fold) {
        for (column, product) in row.iter().enumerate() {
            let expected: f64 = fold.iter().zip(&rotation).map(|(a, row)| a * row[column]).sum();
            assert!((product - expected).abs() < 1e-6, "{product} {expected}");
        }
    }
    let again = embed(&world, "--run late --unfolded", "again.safetensors");
    assert_eq!(again.embeddings(), before.embeddings());
    let said = text(&succeed(world.mrl("fold late --network target --with none")).stderr);
    says(&said, &["embedding sets and indexes made with this encoder before are out of date"]);
    assert!(world.read(file) == unfolded);
}

#[test]
#[ignore = "long: cargo xtask test --long"]
fn a_run_that_is_cut_before_its_encoders_ends_as_if_it_had_not_been() {
    let world = World::new();
    succeed(train(&world, "run", "--fold learned"));
    let whole = world.results("run");
    let says_fold = embed(&world, "--run run", "test.safetensors").metadata.fold;
    fs::remove_file(world.path("run/online.safetensors")).unwrap();
    succeed(world.mrl("train --resume --out run"));
    assert!(world.results("run") == whole, "the second encoder was written anew");
    for name in ["encoder.safetensors", "online.safetensors"] {
        fs::remove_file(world.path("run").join(name)).unwrap();
    }
    succeed(world.mrl("train --resume --out run"));
    assert!(world.results("run") == whole, "both encoders were written anew");
    assert_eq!(says_fold.as_deref(), Some("learned"));

    // Changes made since then stay.
    succeed(world.mrl("fold run --with none"));
    let unfolded = world.results("run");
    assert!(unfolded != whole);
    succeed(world.mrl("train --resume --out run"));
    assert!(world.results("run") == unfolded, "a finished run changed");
}

/// As a run that was begun before there was such a setting.
#[test]
#[ignore = "long: cargo xtask test --long"]
fn a_run_that_does_not_say_whether_to_fold_goes_on_without() {
    let world = World::new();
    succeed(train(&world, "run", "--fold none"));
    let whole = world.results("run");
    let config = world.path("run/config.toml");
    let without = text(&fs::read(&config).unwrap()).replace("fold = \"none\"\n", "");
    assert!(!without.contains("fold"));
    fs::write(&config, without).unwrap();
    for name in ["encoder.safetensors", "online.safetensors", "checkpoints/step-000000040.safetensors"] {
        fs::remove_file(world.path("run").join(name)).unwrap();
    }
    succeed(world.mrl("train --resume --out run"));
    assert!(world.results("run") == whole);
    let message = fail(world.mrl("train --resume --out run --fold principal"), 1);
    says(&message, &["run.fold is \"none\" there and \"principal\" now"]);
}

#[test]
fn too_short_a_run_says_that_it_is_not_folded() {
    let world = World::new();
    let said = text(&succeed(world.train("run", "")).stderr);
    says(
        &said,
        &[
            "no rotation is folded into the target network: 9 images are too few",
            "fold one later with: mrl fold run --network target",
        ],
    );
    succeed(world.mrl("fold run --network target"));
}

#[test]
#[ignore = "long: cargo xtask test --long"]
fn the_file_of_one_encoder_is_folded_elsewhere_and_back() {
    let world = World::new();
    succeed(train(&world, "run", "--fold none"));
    let before = snapshot(&world.path("run"));
    let fold = |words: &str| text(&succeed(world.mrl(&format!("fold {words}"))).stdout);
    let answer = fold("run --network online --out once.safetensors");
    says(&answer, &["online network", "once.safetensors: folded, principal"]);
    assert_eq!(snapshot(&world.path("run")), before, "--out leaves the run as it is");

    let once = embed(&world, "--run once.safetensors", "once-test.safetensors");
    assert_eq!(
        (once.metadata.fold.as_deref(), once.metadata.network.as_deref()),
        (Some("principal"), Some("online"))
    );
    // Prefixes that are principal components already do not get better, so nothing is written unless asked.
    let answer = fold("once.safetensors");
    says(&answer, &["it does not help", "once.safetensors: stays as it is, not folded; --always folds it"]);
    let answer = fold("once.safetensors --out same.safetensors");
    says(&answer, &["same.safetensors: written as it was, not folded"]);
    assert!(world.read("same.safetensors") == world.read("once.safetensors"));

    says(&fold("once.safetensors --with learned --always"), &["once.safetensors: folded, learned"]);
    let twice = embed(&world, "--run once.safetensors", "twice-test.safetensors");
    assert_eq!(twice.metadata.fold.as_deref(), Some("learned"));
    for (a, b) in (0..20).flat_map(|a| (0..20).map(move |b| (a, b))) {
        let [was, is] = [&once, &twice].map(|set| cosine(set.row(a), set.row(b)));
        assert!((was - is).abs() < 1e-6, "{a} {b}: {was} {is}");
    }

    says(&fold("once.safetensors --with none"), &["once.safetensors: no rotation any more"]);
    assert!(world.read("once.safetensors") == world.read("run/online.safetensors"));
    says(&fold("once.safetensors --with none"), &["no rotation is folded into it; it stays as it is"]);
}

#[test]
#[ignore = "long: cargo xtask test --long"]
fn a_report_says_that_prefixes_are_folded() {
    let world = World::new();
    succeed(train(&world, "run", ""));
    for split in ["train", "test"] {
        succeed(world.mrl(&format!("embed --run run --split {split} --out {split}.safetensors")));
    }
    let eval = "eval --methods prefix --measures knn1 --train train.safetensors";
    let table = text(&succeed(world.mrl(&format!("{eval} --test test.safetensors --out report"))).stdout);
    says(&table, &["Prefixes are folded: the encoder ends in a rotation (principal)."]);
    let report: serde_json::Value = serde_json::from_slice(&world.read("report/report.json")).unwrap();
    assert_eq!(report["fold"], "principal");
    says(&text(&world.read("report/report.html")), &["target network, folded: principal"]);
    says(&text(&world.read("report/neighbours.svg")), &["folded: principal"]);
    let several = "--train train.safetensors --test test.safetensors --test test.safetensors --out several";
    let table = text(&succeed(world.mrl(&format!("eval --methods prefix --measures knn1 {several}"))).stdout);
    says(&table, &["Prefixes are folded"]);

    succeed(world.mrl("embed --run run --split test --unfolded --out test.safetensors"));
    let message = fail(world.mrl(&format!("{eval} --test test.safetensors --out mixed")), 1);
    says(&message, &["the training set's fold is principal but the test set's is none"]);
    succeed(world.mrl("index build --input train.safetensors --out train.index"));
    says(&text(&succeed(world.mrl("index info train.index")).stdout), &["folded: principal"]);
    let message = fail(world.mrl("index search train.index --queries test.safetensors"), 1);
    says(&message, &["the queries are of other weights"]);
}

#[test]
#[ignore = "long: cargo xtask test --long"]
fn images_of_another_size_are_scaled_as_for_embedding() {
    let world = World::new();
    succeed(train(&world, "run", "--fold none"));
    fs::create_dir(world.path("photos")).unwrap();
    for i in 0..30u32 {
        let pixel = |x: u32, y: u32| image::Rgb([(x * 9 + i) as u8, (y * i) as u8, (x * y * i) as u8]);
        image::RgbImage::from_fn(20 + i, 40 - i, pixel).save(world.path(&format!("photos/{i}.png"))).unwrap();
    }
    let answer = text(&succeed(world.mrl("fold run --dataset folder --data-dir photos --always")).stdout);
    says(&answer, &["by 3 images kept out of the fit to 27", "run/online.safetensors: folded, principal"]);
}

#[test]
#[ignore = "long: cargo xtask test --long"]
fn what_cannot_be_folded_is_named_and_stays() {
    let world = World::new();
    succeed(train(&world, "run", "--fold none"));
    succeed(train(&world, "begun", "--fold none"));
    fs::remove_file(world.path("begun/encoder.safetensors")).unwrap();
    fs::create_dir(world.path("few")).unwrap();
    for i in 0..12u8 {
        image::RgbImage::from_pixel(8, 8, image::Rgb([i; 3]))
            .save(world.path(&format!("few/{i}.png")))
            .unwrap();
    }
    fs::write(world.path("mine.safetensors"), "mine").unwrap();
    let before = snapshot(world.folder.path());
    for (words, code, parts) in [
        ("nowhere", 1, vec!["nowhere/encoder.safetensors: is not there; name a run that is finished"]),
        ("data", 1, vec!["data/encoder.safetensors: is not there"]),
        ("begun", 1, vec!["begun/encoder.safetensors: is not there"]),
        (
            "run/checkpoints/step-000000040.safetensors",
            1,
            vec!["is no encoder; name a run's encoder.safetensors"],
        ),
        ("run/config.toml", 1, vec!["run/config.toml: is not a whole safetensors file"]),
        ("run --out new.safetensors", 2, vec!["the run has two encoders; add --network target"]),
        ("run --network target --out new.npy", 2, vec!["--out new.npy must end in .safetensors"]),
        (
            "run --network target --out mine.safetensors",
            1,
            vec!["mine.safetensors exists and is not an mrl encoder"],
        ),
        ("run/encoder.safetensors --network online", 2, vec!["is one encoder, and --network chooses"]),
        ("run --with none --split test", 2, vec!["--with none looks at no images"]),
        ("run --with none --always", 2, vec!["--with none looks at no images"]),
        ("run --with pca", 2, vec!["[possible values: none, principal, learned]"]),
        (
            "run --dataset folder --data-dir few",
            1,
            vec!["folder train: 12 images are too few to fit a rotation"],
        ),
        ("run --dataset mnist", 2, vec!["--data-dir is missing"]),
        ("run --data-dir nowhere", 1, vec!["nowhere"]),
    ] {
        says(&fail(world.mrl(&format!("fold {words}")), code), &parts);
    }
    let message = fail(world.mrl("embed --run run/online.safetensors --network target --out x.npy"), 2);
    says(&message, &["run/online.safetensors: is of the online network; leave --network out"]);
    assert_eq!(snapshot(world.folder.path()), before);
}
