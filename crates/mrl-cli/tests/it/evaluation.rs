//! What `mrl eval` leaves behind, with all its ways of being called.

use serde_json::Value;

use crate::common::{World, fail, succeed, text};

/// A world with raw pixels as `train.safetensors` and `test.safetensors`, which all tests here evaluate.
pub(crate) fn world() -> World {
    let world = World::new();
    for split in ["train", "test"] {
        succeed(world.mrl(&format!(
            "embed --pixels --dataset fashion-mnist --data-dir data --split {split} --out {split}.safetensors"
        )));
    }
    world
}

pub(crate) const EVAL: &str =
    "eval --train train.safetensors --test test.safetensors --dims 4,16,64 --resamples 50";

fn json(world: &World, name: &str) -> Value {
    serde_json::from_slice(&world.read(name)).unwrap()
}

#[test]
fn everything_is_measured_and_drawn() {
    let world = world();
    let output = text(&succeed(world.mrl(&format!("{EVAL} --data-dir data --out report"))).stdout);
    for title in ["Logistic probe", "1-NN", "Weighted 40-NN", "calibration", "Retrieval", "Adaptive", "rank"]
    {
        assert!(output.contains(title), "{title} is not in: {output}");
    }
    let report = json(&world, "report/report.json");
    assert_eq!(report["schema"], 1);
    assert_eq!(report["dims"], serde_json::json!([4, 16, 64]));
    for method in ["prefix", "pca", "random-projection", "random-coordinates"] {
        let measures = &report["methods"][method];
        for list in ["logreg", "logreg_interval", "knn1", "knn", "probe", "retrieval", "effective_rank"] {
            assert_eq!(measures[list].as_array().map(Vec::len), Some(3), "{method} {list}");
        }
        for index in 0..3 {
            let accuracy = measures["logreg"][index].as_f64().unwrap();
            let ends = [0, 1].map(|end| measures["logreg_interval"][index][end].as_f64().unwrap());
            assert!(ends[0] <= accuracy && accuracy <= ends[1], "{method} {measures}");
            assert_eq!(measures["probe"][index]["converged"], true);
        }
    }
    assert!(report["methods"]["prefix"]["cascade"]["points"].is_array());
    assert!(report["methods"]["pca"]["cascade"].is_null());
    for chart in ["accuracy", "neighbours", "confusion", "reliability", "cascade", "variance", "rank"] {
        assert!(text(&world.read(&format!("report/{chart}.svg"))).contains("@font-face"), "{chart}");
        assert_eq!(world.read(&format!("report/{chart}.png"))[1..4], *b"PNG");
    }
    let page = text(&world.read("report/report.html"));
    assert_eq!(
        page.matches("data:image/png").count(),
        2 * 3 * 9,
        "two classes, three dims, nine images each"
    );
}

#[test]
fn the_same_input_gives_the_same_files() {
    let world = world();
    succeed(world.mrl(&format!("{EVAL} --out one")));
    let mut again = world.mrl(&format!("{EVAL} --out two"));
    again.env("RAYON_NUM_THREADS", "3");
    succeed(again);
    for file in ["report.json", "report.html", "accuracy.png"] {
        assert!(world.read(&format!("one/{file}")) == world.read(&format!("two/{file}")), "{file}");
    }
}

#[test]
fn charts_of_an_earlier_report_do_not_stay() {
    let world = world();
    succeed(world.mrl(&format!("{EVAL} --out report")));
    std::fs::write(world.path("report/mine.png"), "mine").unwrap();
    succeed(world.mrl(&format!("{EVAL} --measures knn1 --methods prefix --out report")));
    assert!(!world.path("report/confusion.svg").exists() && world.path("report/neighbours.svg").exists());
    assert_eq!(world.read("report/mine.png"), b"mine");
    let report = json(&world, "report/report.json");
    assert_eq!(report["methods"]["prefix"]["logreg"], serde_json::json!([]));
}

#[test]
fn outcomes_say_which_rows_were_right() {
    let world = world();
    succeed(
        world.mrl(&format!("{EVAL} --methods pca-uncentred --measures probe,knn1 --outcomes --out report")),
    );
    let (report, bytes) = (json(&world, "report/report.json"), world.read("report/outcomes.safetensors"));
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let measures = &report["methods"]["pca-uncentred"];
    for (name, accuracies) in [("probe", &measures["logreg"]), ("knn1", &measures["knn1"])] {
        let right = file.tensor(&format!("pca-uncentred.{name}")).unwrap();
        assert_eq!(right.shape(), [3, report["test_size"].as_u64().unwrap() as usize]);
        for (right, accuracy) in right.data().chunks(right.shape()[1]).zip(accuracies.as_array().unwrap()) {
            let share = right.iter().map(|&right| f64::from(right)).sum::<f64>() / right.len() as f64;
            assert!((share - accuracy.as_f64().unwrap()).abs() < 1e-12, "{name} {share} {accuracy}");
        }
    }
    // An earlier call's are removed with its other files.
    succeed(world.mrl(&format!("{EVAL} --methods prefix --measures knn1 --out report")));
    assert!(!world.path("report/outcomes.safetensors").exists());
}

#[test]
fn several_tests_are_runs_with_mean_and_deviation() {
    let world = world();
    let output = succeed(world.mrl(&format!("{EVAL} --test train.safetensors --out runs")));
    assert!(text(&output.stdout).contains("Mean ± standard deviation of 2 runs"));
    let accuracy = |run: &str, dim: usize| {
        json(&world, &format!("runs/run-{run}/report.json"))["methods"]["prefix"]["logreg"][dim]
            .as_f64()
            .unwrap()
    };
    let pair = |dim: usize| (accuracy("1", dim), accuracy("2", dim));
    let dim = (0..3).find(|&dim| pair(dim).0 != pair(dim).1);
    let dim = dim.expect("the test means nothing when both are the same");
    let (one, two) = pair(dim);
    let spread = &json(&world, "runs/summary.json")["methods"]["prefix"]["logreg"][dim];
    assert!((spread["mean"].as_f64().unwrap() - f64::midpoint(one, two)).abs() < 1e-12);
    assert!((spread["std"].as_f64().unwrap() - (one - two).abs() / 2f64.sqrt()).abs() < 1e-12);
    assert!(text(&world.read("runs/summary.html")).contains("id=\"summary-accuracy\""));
    let message = fail(world.mrl(&format!("{EVAL} --train train.safetensors --test a --test b --out x")), 2);
    assert!(message.contains("2 --train for 3 --test; give one for each, or one for all"), "{message}");
}

/// Nothing is measured for a folder that cannot be written, or for a mean that cannot be taken.
#[test]
fn what_would_fail_at_the_end_is_found_before() {
    let world = world();
    std::fs::write(world.path("file"), "").unwrap();
    let several = format!("{EVAL} --measures knn1 --methods prefix --test test.safetensors --out runs");
    succeed(world.mrl(&several));
    std::fs::remove_dir_all(world.path("runs/run-2")).unwrap();
    std::fs::write(world.path("runs/run-2"), "").unwrap();
    succeed(world.mrl(
        "embed --pixels --image-size 4 --dataset fashion-mnist --data-dir data --out small.safetensors",
    ));
    let sets = "eval --train train.safetensors --test test.safetensors";
    let small = format!("{sets} --train small.safetensors --test small.safetensors");
    for (words, part) in [
        (
            format!("{EVAL} --out file"),
            "file: cannot be written (file is not a folder); choose another --out",
        ),
        (format!("{EVAL} --out file/below"), "file/below: cannot be written (file is not a folder)"),
        (several, "runs/run-2: cannot be written"),
        ("eval --compare a b --out file".to_owned(), "file: cannot be written"),
        (format!("{small} --out means"), "run 2 has other dims"),
    ] {
        let message = fail(world.mrl(&words), 1);
        assert!(message.contains(part) && !message.contains("evaluating"), "{words}: {message}");
    }
    assert!(!world.path("means").exists());
}

#[test]
fn runs_are_compared() {
    let world = world();
    succeed(world.mrl(&format!("{EVAL} --out one")));
    let sets = "eval --train train.safetensors --test test.safetensors";
    succeed(world.mrl(&format!("{sets} --dims 2,64 --l2 1 --out two")));
    let before = world.read("one/confusion.png");
    let output = text(&succeed(world.mrl("eval --compare one two/report.json --out one")).stdout);
    assert!(output.contains("one") && output.contains("two/report.json"), "{output}");
    assert!(output.contains("the runs differ in l2: cross-validated, 1"), "{output}");
    let compared = json(&world, "one/compare.json");
    assert_eq!(compared["runs"][1]["prefix"]["dims"], serde_json::json!([2, 64]));
    assert!(text(&world.read("one/compare.html")).contains("id=\"compare-accuracy\""));
    assert_eq!(world.read("one/compare-accuracy.png")[1..4], *b"PNG");
    assert_eq!(world.read("one/confusion.png"), before, "the report beside it stays");
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let world = world();
    succeed(world.mrl(&format!("{EVAL} --measures knn1 --out one")));
    succeed(world.mrl(&format!("{EVAL} --methods pca --measures knn1 --out pca")));
    std::fs::write(world.path("old.json"), "{\"dims\": []}").unwrap();
    let mut edited = json(&world, "one/report.json");
    edited["methods"]["prefix"]["knn1"][0] = 9.into();
    std::fs::write(world.path("edited.json"), edited.to_string()).unwrap();
    std::fs::write(world.path("cut.json"), &world.read("one/report.json")[..500]).unwrap();
    for (runs, code, part) in [
        ("one", 1, "give at least two runs"),
        ("one one", 1, "one is given twice"),
        ("one pca", 1, "pca: holds no measures of prefixes"),
        ("one none", 1, "none: "),
        ("one old.json", 1, "old.json: is not a report that can be used (it names no schema)"),
        ("one cut.json", 1, "cut.json: is not a report that can be used (EOF"),
        ("one train.safetensors", 1, "train.safetensors: is not a report"),
        (
            "one edited.json",
            1,
            "edited.json: is not a report that can be used (prefix: knn1 is 9, not from 0 to 1",
        ),
    ] {
        let message = fail(world.mrl(&format!("eval --out both --compare {runs}")), code);
        assert!(message.contains(part), "{runs}: {message}");
    }
    assert!(!world.path("both").exists());
}

#[test]
#[ignore = "long: cargo xtask test --long"]
fn baselines_come_from_sets_and_from_reports() {
    let world = world();
    succeed(world.mrl(
        "embed --pixels --image-size 4 --dataset fashion-mnist --data-dir data --out train4.safetensors",
    ));
    succeed(world.mrl(
        "embed --pixels --image-size 4 --dataset fashion-mnist --data-dir data --split test --out test4.safetensors",
    ));
    succeed(world.mrl("eval --train train.safetensors --test test.safetensors --dims 16,144 --out whole"));
    succeed(world.mrl("eval --train train.safetensors --test test.safetensors --dims 16 --out part"));
    let output = succeed(world.mrl(&format!(
        "{EVAL} --baseline small=train4.safetensors,test4.safetensors --baseline small=whole --out report"
    )));
    assert!(text(&output.stdout).contains("small"));
    let report = json(&world, "report/report.json");
    assert_eq!(report["baselines"]["small"]["dims"], serde_json::json!([16, 144]));
    assert_eq!(
        report["baselines"]["small"]["logreg"][1],
        json(&world, "whole/report.json")["methods"]["prefix"]["logreg"][1]
    );
    let with_comma = |from: &str, to: &str| std::fs::rename(world.path(from), world.path(to)).unwrap();
    with_comma("train4.safetensors", "train,4.safetensors");
    with_comma("whole", "whole,144");
    succeed(world.mrl(&format!(
        "{EVAL} --measures knn1 --baseline small=train,4.safetensors,test4.safetensors --baseline small=whole,144 --out again"
    )));
    let again = json(&world, "again/report.json");
    assert_eq!(again["baselines"]["small"]["knn1"], report["baselines"]["small"]["knn1"]);
    assert_eq!(again["baselines"]["small"]["logreg"], serde_json::json!([]), "what both have is compared");
    with_comma("whole,144", "whole");
    for (words, code, part) in [
        ("--baseline small=,x", 2, "write NAME=REPORT or NAME=TRAIN,TEST"),
        ("--baseline small=none,none", 1, "none: "),
        ("--baseline small", 2, "write NAME=REPORT or NAME=TRAIN,TEST"),
        ("--baseline pca=whole", 2, "pca is the name of a method"),
        ("--baseline small=none", 1, "none: "),
        ("--baseline small=part", 1, "baseline small is 144 wide, but was measured up to dim 16 alone"),
        (
            "--baseline small=whole --l2 1",
            1,
            "baseline small differs from the evaluation in l2: cross-validated, not 1",
        ),
        (
            "--baseline small=test4.safetensors,test4.safetensors",
            1,
            "baseline small differs from the evaluation in training set: fashion-mnist test, not fashion-mnist train",
        ),
    ] {
        let message = fail(world.mrl(&format!("{EVAL} --out bad {words}")), code);
        assert!(message.contains(part), "{words}: {message}");
    }
    let message = fail(world.mrl(&format!("{EVAL} --out whole --baseline small=whole")), 2);
    assert!(message.contains("whole would be replaced"), "{message}");
    let message = fail(world.mrl(&format!("{EVAL} --out whole --baseline small=whole/report.json")), 2);
    assert!(message.contains("report.json would be replaced"), "{message}");
}

#[test]
fn test_rows_are_sought_among_the_others() {
    let world = world();
    let words = "--measures knn1,retrieval --methods prefix --hits 1,5";
    succeed(world.mrl(&format!("{EVAL} {words} --database test --out among-test")));
    succeed(world.mrl(&format!("{EVAL} {words} --out among-train")));
    let [test, train] = ["among-test", "among-train"]
        .map(|run| json(&world, &format!("{run}/report.json"))["methods"]["prefix"].clone());
    // 19 other test rows and 40 training rows, 4 numbers each.
    assert_eq!(test["retrieval"][0]["multiply_adds"], 76);
    assert_eq!(train["retrieval"][0]["multiply_adds"], 160);
    assert_ne!(test["retrieval"][2]["at"], train["retrieval"][2]["at"]);
    assert_eq!(test["knn1"], train["knn1"], "classes come from the training rows");
    // The nearest training row's class decides both.
    assert_eq!(train["retrieval"][2]["at"][0]["precision"], train["knn1"][2]);
}

#[test]
fn options_that_a_comparison_does_not_have_are_refused() {
    let world = World::new();
    let message = fail(world.mrl("eval --compare a b --l2 1 --out both"), 2);
    assert!(message.contains("--l2"), "{message}");
}

#[test]
fn a_page_without_the_images_says_so() {
    let world = world();
    std::fs::create_dir(world.path("elsewhere")).unwrap();
    let output = succeed(world.mrl(&format!("{EVAL} --measures knn1 --data-dir elsewhere --out report")));
    assert!(text(&output.stderr).contains("no images in the report"), "{}", text(&output.stderr));
    assert!(!text(&world.read("report/report.html")).contains("data:image/png"));
}

#[cfg(unix)]
#[test]
fn a_report_is_written_whether_or_not_its_table_can_be_shown() {
    let world = world();
    let words = |out: &str| format!("{EVAL} --measures knn1 --methods prefix --out {out}");
    let mut unread = world.mrl(&words("unread"));
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = unread.stdout(writer).output().unwrap();
    assert!(output.status.success() && !text(&output.stderr).contains("stdout"), "{}", text(&output.stderr));
    assert_eq!(json(&world, "unread/report.json")["schema"], 1);
    if cfg!(target_os = "linux") {
        let mut full = world.mrl(&words("full"));
        full.stdout(std::fs::File::options().write(true).open("/dev/full").unwrap());
        let message = fail(full, 1);
        assert_eq!(message.matches("stdout cannot be written").count(), 1, "{message}");
        assert_eq!(json(&world, "full/report.json"), json(&world, "unread/report.json"));
    }
}

#[test]
fn of_a_folder_only_the_images_that_a_page_shows_are_read() {
    let world = World::new();
    for i in 0..12u32 {
        let folder = world.path(["photos/cat", "photos/dog"][i as usize % 2]);
        std::fs::create_dir_all(&folder).unwrap();
        let pixel = |x: u32, y: u32| image::Rgb([(x * 9 + i * 20) as u8, (y * 7) as u8, (x * y * i) as u8]);
        image::RgbImage::from_fn(6, 5, pixel).save(folder.join(format!("{i}.png"))).unwrap();
    }
    let embed = "embed --pixels --image-size 4 --dataset folder --data-dir photos --out photos.safetensors";
    succeed(world.mrl(embed));
    // What came later belongs to no row.
    std::fs::write(world.path("photos/cat/new.png"), "no image").unwrap();
    std::fs::copy(world.path("photos/dog/1.png"), world.path("photos/dog/newer.png")).unwrap();
    let words =
        "eval --train photos.safetensors --test photos.safetensors --dims 4 --measures knn1 --methods prefix";
    let said = text(&succeed(world.mrl(&format!("{words} --data-dir photos --out report"))).stderr);
    assert!(!said.contains("no images") && !said.contains("decoding") && !said.contains("skipped"), "{said}");
    assert!(text(&world.read("report/report.html")).contains("data:image/png"));
}
