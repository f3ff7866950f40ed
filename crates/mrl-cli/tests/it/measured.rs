//! `mrl index tune --chart` and `mrl index bench`: what is measured and how it is shown.

use std::collections::HashMap;

use serde_json::Value;

use crate::{
    common::{fail, succeed, text},
    errors::says,
    index::indexed,
};

#[test]
fn the_trade_off_is_drawn_as_its_name_says() {
    let world = indexed("");
    let tune = "index tune pixels.index --k 3 --recall 0.9";
    let shown = text(&succeed(world.mrl(&format!("{tune} --chart tradeoff.svg"))).stdout);
    assert!(shown.lines().next().unwrap().contains(" mAP@3 "), "labels are on both sides: {shown}");
    let best =
        shown.lines().find_map(|line| line.strip_suffix(" <")).unwrap().split_whitespace().next().unwrap();
    let drawn = text(&world.read("tradeoff.svg"));
    assert!(drawn.contains(&format!(">stored: {best}<")), "the schedule that is stored is named");
    for words in [
        "What schedules find and cost, on 40 vectors of 144 numbers",
        "recall@3 by speed",
        "recall@3 by multiply-adds",
        "mAP@3 by speed",
        "mAP@3 by multiply-adds",
        "queries/s, many at once (log scale)",
        "Pareto front",
    ] {
        assert!(drawn.contains(&format!(">{words}<")), "{words} is not in the chart");
    }
    succeed(world.mrl(&format!("{tune} --queries test.safetensors --dry-run --chart tradeoff.PNG")));
    let bytes = world.read("tradeoff.PNG");
    let picture = image::load_from_memory(&bytes).unwrap().to_rgb8();
    assert!(picture.width() > 1000 && picture.pixels().any(|pixel| pixel.0 == [0x00, 0x72, 0xB2]));
}

#[test]
fn without_labels_there_is_no_precision_and_no_panel_of_it() {
    let world = indexed("");
    succeed(world.mrl("embed --pixels --dataset fashion-mnist --data-dir data --split test --out test.npy"));
    let words = "index tune pixels.index --queries test.npy --k 3 --dry-run --chart tradeoff.svg";
    let shown = text(&succeed(world.mrl(words)).stdout);
    let drawn = text(&world.read("tradeoff.svg"));
    assert!(!shown.contains("mAP") && !drawn.contains(">mAP"), "{shown}");
    assert!(drawn.contains(">recall@3 by speed<"));
    let best =
        shown.lines().find_map(|line| line.strip_suffix(" <")).unwrap().split_whitespace().next().unwrap();
    assert!(drawn.contains(&format!(">best: {best}<")), "nothing is stored by a dry run");
}

#[test]
fn a_chart_that_cannot_be_written_is_said_before_anything_is_measured() {
    let world = indexed("");
    let before = world.read("pixels.index");
    let message = fail(world.mrl("index tune none.index --chart tradeoff.pdf"), 2);
    says(&message, &["--chart tradeoff.pdf must end in .svg or .png"]);
    let message = fail(world.mrl("index tune pixels.index --chart none/tradeoff.png"), 1);
    says(&message, &["none: the folder is not there; make it first"]);
    assert_eq!(world.read("pixels.index"), before);
}

fn by_schedule(bench: &Value) -> HashMap<String, &Value> {
    let schedules = bench["schedules"].as_array().unwrap().iter();
    schedules.map(|of| (of["schedule"].as_str().unwrap().to_owned(), of)).collect()
}

#[test]
fn schedules_are_timed_beside_exact_answers_and_brute_force() {
    let world = indexed("");
    let words = "index bench pixels.index --queries test.safetensors --k 3 --repeats 3 --json \
                 --schedule 16:4 --schedule exact --schedule 16:40,144";
    let bench: Value = serde_json::from_slice(&succeed(world.mrl(words)).stdout).unwrap();
    assert_eq!((&bench["k"], &bench["repeats"]), (&3.into(), &3.into()));
    assert_eq!((&bench["single_queries"], &bench["batch_queries"]), (&20.into(), &20.into()));
    let timed = by_schedule(&bench);
    assert_eq!(bench["brute_force"], "t144:3");
    assert_eq!(timed.len(), bench["schedules"].as_array().unwrap().len(), "each once: {bench}");
    assert_eq!(timed.len(), 4);
    for schedule in ["t144:3", "exact", "16:40,144"] {
        assert_eq!(timed[schedule]["recall"], 1.0, "{schedule}");
    }
    assert!(timed["16:4"]["recall"].as_f64().unwrap() < 1.0, "{bench}");
    for way in ["single", "batch"] {
        let number = |of: &str, name: &str| timed[of][way][name].as_f64().unwrap();
        for of in ["t144:3", "exact", "16:4", "16:40,144"] {
            let [fastest, median, slowest] =
                ["fastest_s", "query_s", "slowest_s"].map(|name| number(of, name));
            assert!(0.0 < fastest && fastest <= median && median <= slowest, "{bench}");
            for (name, baseline) in [("to_brute_force", "t144:3"), ("to_exact", "exact")] {
                let ratio = number(of, "queries_per_s") / number(baseline, "queries_per_s");
                assert!((number(of, name) / ratio - 1.0).abs() < 1e-9, "{of} {name}: {bench}");
            }
        }
    }
}

#[test]
fn the_stored_schedule_is_timed_with_vectors_of_the_index() {
    let world = indexed("");
    let bench =
        |more: &str| succeed(world.mrl(&format!("index bench pixels.index --k 3 --repeats 1 {more}")));
    let output = bench("");
    assert!(text(&output.stderr).contains("`mrl index tune` finds one"), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout).lines().count(), 6, "{}", text(&output.stdout));
    succeed(world.mrl("index tune pixels.index --k 3 --recall 0.5"));
    let info: Value =
        serde_json::from_slice(&succeed(world.mrl("index info pixels.index --json")).stdout).unwrap();
    let stored = info["schedule"].as_str().unwrap();
    let output = bench("");
    let shown = text(&output.stdout);
    assert!(!text(&output.stderr).contains("index tune"));
    let starts = |word: &str| shown.lines().any(|line| line.starts_with(&format!("{word} ")));
    assert!(starts(stored) && starts("t144:4") && starts("exact"), "{stored} is not in: {shown}");
    says(&shown, &["one at a time", "all at once", "recall@3", "x brute", "x exact"]);
    says(
        &shown,
        &[
            "t144:4 is brute force: all 144 dims of 40 vectors",
            "Of a single round: 40 queries one at a time, 40 at once",
        ],
    );
}

#[test]
fn what_cannot_be_timed_is_said_with_its_cure() {
    let world = indexed("");
    for (more, code, parts) in [
        ("--schedule 16:10", 2, &["keeps 10 vectors", "--k 10", "give --queries", "keep 11"][..]),
        ("--schedule 16:5", 2, &["keeps fewer rows than k = 11"]),
        ("--schedule 20:30", 2, &["16, 64, 144"]),
        ("--k 0", 2, &["--k"]),
        ("--repeats 0", 2, &["--repeats"]),
        ("--queries none.npy", 1, &["none.npy"]),
    ] {
        says(&fail(world.mrl(&format!("index bench pixels.index {more}")), code), parts);
    }
}
