//! What a step is made of: accumulated batches, and the profile of its phases.

use std::{collections::BTreeMap, fs};

use serde_json::Value;

use crate::common::{World, fail, succeed, text};

#[test]
fn accumulated_batches_are_one_step_and_resume_to_the_same_bits() {
    let world = World::new();
    // 5 batches make 2 steps an epoch; the fifth goes to the next.
    succeed(world.train("run", "--grad-accum 2"));
    let whole = world.results("run");
    assert_eq!(whole.2.len(), 9);
    succeed(world.train("plain", "--view-scales 1"));
    assert!(whole != world.results("plain"));
    fs::remove_file(world.path("run/checkpoints/step-000000009.safetensors")).unwrap();
    succeed(world.train("run", "--grad-accum 2 --resume"));
    assert!(world.results("run") == whole, "the resumed run ends differently");
}

#[test]
fn batches_that_no_epoch_has_are_refused() {
    let world = World::new();
    let message = fail(world.train("run", "--grad-accum 6"), 2);
    assert!(message.contains("grad-accum 6 does not fit the 5 batches of an epoch; use 1 to 5"), "{message}");
    let message = fail(world.train("run", "--grad-accum 0"), 2);
    assert!(message.contains("grad-accum must be 1 or more"), "{message}");
    assert!(!world.path("run").exists());
}

#[test]
#[ignore = "long: cargo xtask test --long"]
fn frozen_batch_norm_trains_and_resumes_to_the_same_bits() {
    let world = World::new();
    succeed(world.train_reference("plain", ""));
    succeed(world.train_reference("run", "--freeze-batch-norm-after 5"));
    let (plain, whole) = (world.results("plain"), world.results("run"));
    assert_eq!(plain.2[..5], whole.2[..5]);
    assert!((5..9).all(|step| plain.2[step] != whole.2[step]), "{:?}", whole.2);
    // From a checkpoint before the statistics are frozen, over that step.
    let train = |out: &str, more: &str| {
        world.train_reference(out, &format!("--checkpoint-every 3 --freeze-batch-norm-after 7 {more}"))
    };
    succeed(train("cut", ""));
    let whole = world.results("cut");
    for file in ["encoder.safetensors", "online.safetensors", "checkpoints/step-000000009.safetensors"] {
        fs::remove_file(world.path("cut").join(file)).unwrap();
    }
    let output = succeed(train("cut", "--resume"));
    assert!(text(&output.stderr).contains("continuing after step 6"), "{}", text(&output.stderr));
    assert!(world.results("cut") == whole, "the resumed run ends differently");
    let message = fail(world.train("refused", "--freeze-batch-norm-after 0"), 2);
    assert!(message.contains("freeze-batch-norm-after must be 1 or more"), "{message}");
    assert!(!world.path("refused").exists());
}

#[test]
#[ignore = "long: cargo xtask test --long"]
fn growing_views_train_and_resume_to_the_same_bits() {
    let world = World::new();
    succeed(world.train("run", "--view-scales 0.7,1"));
    let whole = world.results("run");
    succeed(world.train("plain", "--view-scales 1"));
    assert!(whole != world.results("plain"));
    fs::remove_file(world.path("run/checkpoints/step-000000009.safetensors")).unwrap();
    succeed(world.train("run", "--view-scales 0.7,1 --resume"));
    assert!(world.results("run") == whole, "the resumed run ends differently");
    succeed(world.train("same", "--view-scales 1,0.99"));
    assert!(world.results("same").2 == world.results("plain").2, "both are 12 pixels");
    for (options, part) in [
        ("--view-scales 0", "view-scales 0 must be above 0 and at most 1"),
        ("--view-scales 0.5,1.5", "view-scales 1.5 must be above 0 and at most 1"),
    ] {
        let message = fail(world.train("refused", options), 2);
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn several_views_train_and_resume_to_the_same_bits() {
    let world = World::new();
    let many = "--views 3 --small-views 2 --small-crop-scale 0.1,0.4";
    let said = succeed(world.train("run", many));
    assert!(text(&said.stderr).contains("3 views and 2 small, "), "{}", text(&said.stderr));
    let whole = world.results("run");
    fs::remove_file(world.path("run/checkpoints/step-000000009.safetensors")).unwrap();
    succeed(world.train("run", &format!("{many} --resume")));
    assert!(world.results("run") == whole, "the resumed run ends differently");
    let message = fail(world.train("run", "--views 3 --small-views 1 --resume"), 1);
    assert!(message.contains("run.small_views is 2 there and 1 now"), "{message}");
    for (options, part) in [
        ("--views 1", "views must be 2 or more for the objective"),
        ("--views 60 --small-views 5", "views and small-views are 65 together; use at most 64"),
        ("--small-views 1 --small-view-scale 2", "small-view-scale 2 must be above 0 and at most 1"),
        (
            "--small-views 1 --small-crop-scale 0.4,0.1",
            "small-crop-scale 0.4,0.1 must be two increasing shares",
        ),
        ("--small-crop-scale 0.4", "it has 1 number; give two, as 0.05,0.3"),
    ] {
        let message = fail(world.train("refused", options), 2);
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn a_profile_shows_the_phases_of_each_step_and_changes_nothing() {
    let world = World::new();
    succeed(world.train_reference("plain", ""));
    succeed(world.train_reference("run", "--profile trace.json"));
    assert!(world.results("run") == world.results("plain"));
    let events: Vec<Value> = serde_json::from_slice(&world.read("trace.json")).unwrap();
    let mut begun = BTreeMap::new();
    for event in events.iter().filter(|event| event["ph"] == "B") {
        *begun.entry(event["name"].as_str().unwrap()).or_insert(0) += 1;
    }
    for (phase, times) in [
        ("wait for views", 9),
        ("views to device", 9),
        ("target forward", 9),
        ("online forward", 18),
        ("loss", 18),
        ("backward", 18),
        ("optimiser", 9),
        ("target update", 9),
    ] {
        assert_eq!(begun.get(phase), Some(&times), "{phase}: {begun:?}");
    }
    assert!(begun["make views"] >= 9 && begun["checkpoint"] >= 9, "{begun:?}");
}

#[test]
fn a_profile_that_cannot_be_written_is_said_before_anything_else() {
    let world = World::new();
    let message = fail(world.train("run", "--profile nowhere/trace.json"), 1);
    assert!(message.contains("nowhere: the folder is not there"), "{message}");
    std::fs::write(world.path("mine.toml"), "[run]\n").unwrap();
    let words = "train --preset mine.toml --dataset mnist --data-dir data --out run --profile mine.toml";
    let message = fail(world.mrl(words), 2);
    assert!(message.contains("--profile mine.toml must end in .json"), "{message}");
    assert_eq!(world.read("mine.toml"), b"[run]\n");
    assert!(!world.path("run").exists());
}

#[test]
fn a_profile_replaces_no_file_that_is_none_and_none_before_all_is_checked() {
    let world = World::new();
    let write = |name: &str, text: &str| fs::write(world.path(name), text).unwrap();
    fs::create_dir(world.path("run")).unwrap();
    write("run/notes.txt", "of a week");
    write("notes.json", "{}");
    let trace = r#"[
{"cat":"mrl_train","ph":"B","pid":1,"tid":0}"#;
    write("trace.json", trace);
    for (words, code, part) in [
        ("--profile notes.json", 1, "notes.json exists and is not a profile that mrl wrote"),
        ("--resume --profile run/trace.json", 2, "--profile run/trace.json is in the run folder"),
        ("--profile trace.json", 1, "run is not empty and holds no run"),
        ("--profile trace.json --lr 0", 2, "lr must be a positive number"),
    ] {
        let message = fail(world.train("run", words), code);
        assert!(message.contains(part), "{words}: {message}");
    }
    fail(world.mrl("train --dataset mnist --data-dir nowhere --out other --profile trace.json"), 1);
    assert_eq!(
        (text(&world.read("notes.json")), text(&world.read("trace.json"))),
        ("{}".to_owned(), trace.to_owned())
    );
    assert_eq!(fs::read_dir(world.path("run")).unwrap().count(), 1);
}

/// The default on processors and GPUs that compute in it; others emulate it.
#[test]
fn a_step_in_bf16_is_close_to_one_in_f32() {
    let world = World::new();
    let steps = |run: &str, precision: &str| {
        succeed(world.train(run, &format!("--max-steps 2 --fold none --precision {precision}")));
        world.results(run).2
    };
    let (single, half) = (steps("f32", "f32"), steps("bf16", "bf16"));
    let loss = |lines: &[Value]| lines[0]["loss"].as_f64().unwrap();
    assert!((loss(&half) / loss(&single) - 1.0).abs() < 0.05, "{half:?} {single:?}");
    assert!(half != single);
    assert!(text(&world.read("bf16/config.toml")).contains("precision = \"bf16\""));
}
