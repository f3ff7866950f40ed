//! Nothing that is not `mrl`'s own is lost, and an output that cannot be written is told before work begins.

use std::{fs, path::Path};

use mrl_embedding::EmbeddingSet;

use crate::{
    common::{World, fail, snapshot, succeed, text},
    errors::says,
    evaluation::world,
};

/// Raw pixels as an embedding; the rest of the words is where they go.
pub(crate) const PIXELS: &str = "embed --pixels --dataset fashion-mnist --data-dir data --out";

/// The quickest report.
pub(crate) const REPORT: &str = "eval --train train.safetensors --test test.safetensors --dims 4 --measures knn1 --methods prefix --resamples 0";

/// A training of no steps.
pub(crate) const UNTRAINED: &str = "train --dataset fashion-mnist --data-dir data --width 0.125 --head-hidden 64 --batch-size 8 --max-steps 0 --out";

#[test]
#[ignore = "long: cargo xtask test --long"]
fn a_file_of_another_kind_is_replaced_by_force_alone() {
    let world = world();
    succeed(world.mrl("index build --input train.safetensors --dims 16 --out an.index"));
    succeed(world.mrl(&format!("{UNTRAINED} run")));
    succeed(world.mrl("adapt fit --input train.safetensors --epochs 1 --holdout 0 --out an.safetensors"));
    let vectors = |name: &str| {
        EmbeddingSet::new(vec![1.0, 2.0], 2).unwrap().write(world.path(name)).unwrap();
        world.read(name)
    };
    let (set, npy) = (vectors("foreign.safetensors"), vectors("foreign.npy"));
    let adapter = world.read("an.safetensors");
    let search = "index search an.index --queries test.safetensors --k 2 --out";
    let tune = "index tune an.index --k 2 --recall 0.5 --dry-run --chart";
    let unfold = "fold run --network target --with none --out";
    let fit = "adapt fit --input train.safetensors --epochs 1 --holdout 0 --out";
    let apply = "adapt apply --adapter an.safetensors --input test.safetensors --out";
    for (words, name, foreign, said) in [
        (PIXELS, "set.safetensors", &set[..], "is not an embedding set that mrl wrote"),
        (PIXELS, "adapter.safetensors", &adapter, "is not an embedding set that mrl wrote"),
        (PIXELS, "set.npy", &npy, "a .npy file does not say whether mrl wrote it"),
        (fit, "weights.safetensors", &set, "is not an mrl adapter"),
        (unfold, "encoder.safetensors", &adapter, "is not an mrl encoder"),
        (apply, "adapted.safetensors", &set, "is not an embedding set that mrl wrote"),
        (
            "index build --input train.safetensors --dims 16 --out",
            "notes.txt",
            b"of a week",
            "is not an mrl index",
        ),
        (search, "hits.json", br#"{"ids": [1, 2]}"#, "is not the hits of a search by mrl"),
        (search, "hits.npy", &npy, "is not the hits of a search by mrl"),
        (tune, "chart.svg", b"<svg></svg>", "is not a chart that mrl drew"),
        (tune, "chart.png", b"\x89PNG\r\n\x1a\n", "is not a chart that mrl drew"),
    ] {
        fs::write(world.path(name), foreign).unwrap();
        let words = format!("{words} {name}");
        let message = fail(world.mrl(&words), 1);
        says(
            &message,
            &[&format!("{name} exists and {said}; choose another --"), "or add --force to replace it"],
        );
        assert_eq!(world.read(name), foreign, "{words}");
        succeed(world.mrl(&format!("{words} --force")));
        let ours = world.read(name);
        assert_ne!(ours, foreign, "{words}");
        // What it wrote itself it writes anew, where that can be told; and an empty file holds nothing.
        if name == "set.npy" {
            fail(world.mrl(&words), 1);
        } else {
            succeed(world.mrl(&words));
        }
        fs::write(world.path(name), "").unwrap();
        succeed(world.mrl(&words));
        assert!(!world.read(name).is_empty(), "{words}");
    }
}

#[test]
fn a_profile_is_replaced_and_no_other_file() {
    let world = World::new();
    fs::write(world.path("trace.json"), "[1, 2]").unwrap();
    let train = |run: &str, more: &str| world.mrl(&format!("{UNTRAINED} {run} --profile trace.json {more}"));
    says(&fail(train("a", ""), 1), &["trace.json exists and is not a profile that mrl wrote", "add --force"]);
    assert_eq!(world.read("trace.json"), b"[1, 2]");
    assert!(!world.path("a").exists());
    succeed(train("a", "--force"));
    let ours = world.read("trace.json");
    assert!(ours.starts_with(b"[\n"), "{}", text(&ours));
    succeed(train("b", ""));
    says(&fail(world.mrl(&format!("{UNTRAINED} c --force")), 2), &["--profile"]);
}

#[test]
fn force_replaces_no_input() {
    let world = world();
    succeed(world.mrl(&format!("{UNTRAINED} run")));
    succeed(world.mrl("index build --input train.safetensors --dims 16 --out an.index"));
    fs::copy(world.path("an.index"), world.path("index.svg")).unwrap();
    for (words, input) in [
        ("index build --input train.safetensors --out ./train.safetensors", "train.safetensors"),
        ("embed --run run --out run/encoder.safetensors", "run/encoder.safetensors"),
        ("adapt fit --input train.safetensors --out train.safetensors", "train.safetensors"),
        ("index tune index.svg --chart index.svg", "index.svg"),
    ] {
        let before = world.read(input);
        let message = fail(world.mrl(&format!("{words} --force")), 2);
        says(&message, &[input, "is an input of this command; name another file"]);
        assert_eq!(world.read(input), before, "{words}");
    }
}

/// What a user keeps beside a paper, with names that a report has too.
fn paper(world: &World, folder: &str) {
    fs::create_dir(world.path(folder)).unwrap();
    for name in ["accuracy.png", "confusion.png", "rank.svg", "report.html", "paper.tex"] {
        fs::write(world.path(&format!("{folder}/{name}")), format!("my {name}")).unwrap();
    }
}

#[test]
fn a_report_replaces_nothing_in_a_folder_of_the_users() {
    let world = world();
    paper(&world, "paper");
    let before = snapshot(&world.path("paper"));
    fs::create_dir(world.path("figures")).unwrap();
    fs::write(world.path("figures/mine.svg"), "mine").unwrap();
    succeed(world.mrl(&format!("{REPORT} --out one")));
    succeed(world.mrl(&format!("{REPORT} --out two")));
    let compare = "eval --compare one two";
    let several = format!("{REPORT} --test test.safetensors");
    for words in [REPORT, &several, compare] {
        for folder in ["paper", "figures"] {
            let message = fail(world.mrl(&format!("{words} --out {folder}")), 1);
            says(
                &message,
                &[
                    &format!("{folder} is not empty and was not written by mrl eval"),
                    "another --out",
                    "--force",
                ],
            );
            assert!(!message.contains("evaluating"), "{message}");
        }
    }
    assert_eq!(snapshot(&world.path("paper")), before);
    assert_eq!(snapshot(&world.path("figures")).len(), 1);
    // Even with force only the files that are written replace others; a chart that this report lacks stays the user's.
    succeed(world.mrl(&format!("{REPORT} --out paper --force")));
    for name in ["accuracy.png", "confusion.png", "rank.svg", "paper.tex"] {
        assert_eq!(text(&world.read(&format!("paper/{name}"))), format!("my {name}"));
    }
    assert!(text(&world.read("paper/report.html")).contains("<meta name=\"generator\" content=\"mrl\">"));
    let message = fail(world.mrl(&format!("{REPORT} --out paper")), 1);
    says(&message, &["paper/accuracy.png exists, and mrl did not write it; move it, choose another --out"]);
    assert_eq!(world.read("paper/accuracy.png"), b"my accuracy.png");
}

#[test]
fn of_an_earlier_report_only_the_files_that_the_marker_lists_go() {
    let world = world();
    let with_chart = REPORT.replace("knn1", "knn1,probe");
    succeed(world.mrl(&format!("{with_chart} --l2 1 --out report")));
    fs::write(world.path("report/notes.svg"), "mine").unwrap();
    succeed(world.mrl("eval --compare report report/report.json --out report"));
    let has = |name: &str| world.path(&format!("report/{name}")).exists();
    assert!(has("accuracy.png") && has("compare.html"));
    succeed(world.mrl(&format!("{REPORT} --out report")));
    assert!(!has("accuracy.png") && !has("accuracy.svg") && has("neighbours.svg"), "what it lacks is gone");
    assert!(has("compare.html") && has("compare-neighbours.svg"), "another document's files stay");
    assert_eq!(world.read("report/notes.svg"), b"mine");
    // A file of the user's in the place of a chart that is gone.
    fs::write(world.path("report/accuracy.png"), "mine").unwrap();
    says(&fail(world.mrl(&format!("{with_chart} --l2 1 --out report")), 1), &["report/accuracy.png exists"]);
    assert_eq!(world.read("report/accuracy.png"), b"mine");
}

#[test]
fn a_marker_that_was_changed_leads_to_no_file_outside() {
    let world = world();
    succeed(world.mrl(&format!("{REPORT} --out report")));
    fs::write(world.path("victim.png"), "mine").unwrap();
    let marker = world.path("report/.mrl-files.json");
    let whole = fs::read_to_string(&marker).unwrap();
    let listing = |name: &str| whole.replace("report.html", name);
    let absolute = world.path("victim.png").display().to_string();
    let (unlisted, unusable) =
        ("report/report.html exists, and mrl did not write it", "report/.mrl-files.json: ");
    for (damaged, problem) in [
        (listing("../victim.png"), unlisted),
        (listing(&absolute), unlisted),
        (listing("notes.txt"), unlisted),
        (whole.replace("\"files\"", "\"more\""), unusable),
        (whole[..whole.len() / 2].to_owned(), unusable),
        (String::new(), unusable),
    ] {
        fs::write(&marker, &damaged).unwrap();
        let before = snapshot(&world.path("report"));
        let message = fail(world.mrl(&format!("{REPORT} --out report")), 1);
        says(&message, &[problem, "another --out", "--force"]);
        assert_eq!(snapshot(&world.path("report")), before);
        succeed(world.mrl(&format!("{REPORT} --out report --force")));
        assert_eq!(world.read("victim.png"), b"mine", "{damaged}");
        assert!(fs::read_to_string(&marker).unwrap() == whole, "the marker is whole again");
    }
    // Anyone can write a marker: a foreign file that it lists is not removed.
    fs::write(world.path("report/package.json"), "mine").unwrap();
    fs::write(&marker, listing("report.html\", \"package.json")).unwrap();
    succeed(world.mrl(&format!("{REPORT} --out report")));
    assert_eq!(world.read("report/package.json"), b"mine");
}

#[cfg(unix)]
#[test]
fn a_link_in_a_report_is_not_followed() {
    let world = world();
    succeed(world.mrl(&format!("{REPORT} --out report")));
    fs::write(world.path("site.html"), "mine").unwrap();
    for name in ["report.html", ".mrl-files.json"] {
        let path = world.path("report").join(name);
        let whole = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(world.path("site.html"), &path).unwrap();
        for force in ["", "--force"] {
            says(
                &fail(world.mrl(&format!("{REPORT} --out report {force}")), 1),
                &[name, "is a link or a folder"],
            );
        }
        assert_eq!(world.read("site.html"), b"mine");
        fs::remove_file(&path).unwrap();
        fs::write(&path, whole).unwrap();
    }
}

#[test]
#[ignore = "long: cargo xtask test --long"]
fn a_folder_without_a_run_is_never_made_one() {
    let world = World::new();
    let of = |folder: &str, files: &[(&str, &str)]| {
        for (name, contents) in files {
            let path = world.path(folder).join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, contents).unwrap();
        }
    };
    let no_run = "is not empty and holds no run; choose another --out";
    of("logs", &[("metrics.jsonl", "{\"step\": 1, \"mine\": true}\n")]);
    of("photos", &[("cat/1.png", "x"), ("dog/2.png", "y")]);
    of("site", &[("config.toml", "title = \"my site\"\n"), ("metrics.jsonl", "{}\n")]);
    of("preset", &[("config.toml", "[run]\nseed = 3\n")]);
    of("locked", &[(".lock", "of another program")]);
    let configured = "config.toml: is not the configuration of a run";
    for (folder, resumed) in [
        ("logs", no_run),
        ("photos", no_run),
        ("site", configured),
        ("preset", configured),
        ("locked", no_run),
    ] {
        let before = snapshot(&world.path(folder));
        for more in ["", "--resume"] {
            let message = fail(world.mrl(&format!("{UNTRAINED} {folder} {more}")), 1);
            says(&message, &[folder, if more.is_empty() { no_run } else { resumed }, "another --out"]);
        }
        let mut reference =
            world.command(env!("CARGO_BIN_EXE_mrl_train"), "--dataset_name cifar10 --dataset_path data");
        reference.args(["--ckpt_path", folder]);
        says(&fail(reference, 1), &[folder, resumed]);
        assert_eq!(snapshot(&world.path(folder)), before, "{folder}");
    }
    fail(world.mrl("train --resume --out site"), 1);
    // An empty folder is as good as none.
    fs::create_dir(world.path("empty")).unwrap();
    succeed(world.mrl(&format!("{UNTRAINED} empty --resume")));
}

/// Copies files and folders, which makes other times of change.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::write(target, fs::read(entry.path()).unwrap()).unwrap();
        }
    }
}

#[test]
fn a_run_goes_on_with_its_own_images_alone() {
    let world = World::new();
    copy(&world.path("data"), &world.path("copy"));
    copy(&world.path("data"), &world.path("other"));
    let file = world.path("other/train-images-idx3-ubyte");
    let mut pixels = fs::read(&file).unwrap();
    pixels[16..].iter_mut().for_each(|pixel| *pixel ^= 1);
    fs::write(file, pixels).unwrap();
    succeed(world.train("run", ""));
    let before = snapshot(&world.path("run"));
    let resume = |more: &str| world.mrl(&format!("train --resume --out run {more}"));
    let message = fail(resume("--data-dir other"), 1);
    let expected =
        ["run/images.json", "trained on 40 images of data (digest ", "40 images of other (digest "];
    says(&message, &expected);
    says(&message, &["resume it with --data-dir data, or start a new run in another --out"]);
    assert_eq!(snapshot(&world.path("run")), before);
    let said = text(&succeed(resume("--data-dir copy")).stderr);
    assert!(said.contains("continuing after step 9") && !said.contains("does not say which"), "{said}");

    // A run of an earlier version does not say; from then on it does.
    fs::remove_file(world.path("run/images.json")).unwrap();
    let said = text(&succeed(resume("")).stderr);
    says(&said, &["the run does not say which images it was trained on until now"]);
    says(&fail(resume("--data-dir other"), 1), &["run/images.json"]);
    fs::write(world.path("run/images.json"), "[]").unwrap();
    says(&fail(resume(""), 1), &["run/images.json: does not say which images", "restore it, or delete it"]);
}

#[test]
fn a_run_on_a_part_of_a_folder_knows_its_images() {
    let world = World::new();
    for (folder, shade) in [("photos", 0), ("other", 99)] {
        for i in 0..24u32 {
            let path = world.path(folder).join(["cat", "dog"][i as usize % 2]);
            fs::create_dir_all(&path).unwrap();
            let pixel = |x: u32, y: u32| image::Rgb([(x * 9 + i * 5) as u8, (y * 7) as u8, shade]);
            image::RgbImage::from_fn(12, 12, pixel).save(path.join(format!("{i}.png"))).unwrap();
        }
    }
    copy(&world.path("photos"), &world.path("moved"));
    let train = |data: &str, more: &str| {
        world.mrl(&format!(
            "train --dataset folder --data-dir {data} --image-size 12 --width 0.125 --head-hidden 64 --precision f32 \
             --batch-size 4 --max-steps 2 --subset-per-class 8 --holdout 0.25 --out run {more}"
        ))
    };
    succeed(train("photos", ""));
    let before = snapshot(&world.path("run"));
    let message = fail(train("other", "--resume"), 1);
    says(&message, &["trained on 16 images of photos (digest ", "these are 16 images of other (digest "]);
    assert_eq!(snapshot(&world.path("run")), before);
    fs::remove_dir_all(world.path("photos")).unwrap();
    succeed(train("moved", "--resume"));
}

#[test]
#[ignore = "long: cargo xtask test --long"]
fn the_commands_of_the_readme_may_be_repeated() {
    let world = World::new();
    let embed = |split: &str| format!("embed --run run --split {split} --out {split}.safetensors");
    succeed(world.mrl(&format!("{UNTRAINED} run")));
    let commands = [
        embed("train"),
        embed("test"),
        format!("{REPORT} --out report"),
        format!("{REPORT} --data-dir data --out report"),
        format!("{REPORT} --test test.safetensors --out seeds"),
        "eval --compare report seeds/run-1 --out compared".to_owned(),
        "index build --input train.safetensors --out train.index".to_owned(),
        "index tune train.index --recall 0.5 --chart tradeoff.png".to_owned(),
        "index search train.index --queries test.safetensors --k 10 --out hits.json".to_owned(),
        "index search train.index --queries test.safetensors --k 10 --out hits.npy".to_owned(),
        "adapt fit --input train.safetensors --epochs 1 --out adapter.safetensors".to_owned(),
        "adapt apply --adapter adapter.safetensors --input train.safetensors --out adapted.safetensors"
            .to_owned(),
    ];
    for round in 0..2 {
        for words in &commands {
            let output = world.mrl(words).output().unwrap();
            assert!(output.status.success(), "round {round}: {words}: {}", text(&output.stderr));
        }
    }
}
