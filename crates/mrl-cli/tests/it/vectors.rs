//! Vectors of other programs, in every form that is read, and what is said of files that hold none.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use mrl_embedding::EmbeddingSet;
use serde_json::Value;

use crate::{
    common::{World, fail, succeed, text},
    errors::says,
    evaluation::{EVAL, world},
};

fn set(world: &World, split: &str) -> EmbeddingSet {
    EmbeddingSet::read(world.path(&format!("{split}.safetensors"))).unwrap()
}

/// The classes of a set's rows, a name in each line.
fn names(set: &EmbeddingSet, classes: [&str; 2]) -> String {
    set.labels().unwrap().iter().map(|&label| classes[label as usize].to_owned() + "\n").collect()
}

/// Writes the numbers of both sets as `.npy`, and their classes beside them as text.
fn write_apart(world: &World) {
    for split in ["train", "test"] {
        let set = set(world, split);
        set.write(world.path(&format!("{split}.npy"))).unwrap();
        fs::write(world.path(&format!("{split}.txt")), names(&set, ["sandal", "boot"])).unwrap();
    }
}

#[test]
fn arrays_with_labels_beside_them_are_evaluated_as_a_set_is() {
    let world = world();
    write_apart(&world);
    let measures = "--measures probe,knn1,retrieval --methods prefix --l2 1";
    succeed(world.mrl(&format!("{EVAL} {measures} --out whole")));
    let apart = EVAL.replace(".safetensors", ".npy") + " --train-labels train.txt --test-labels test.txt";
    succeed(world.mrl(&format!("{apart} {measures} --out apart")));
    let report = |name: &str| -> Value { serde_json::from_slice(&world.read(name)).unwrap() };
    let (whole, apart) = (report("whole/report.json"), report("apart/report.json"));
    // "boot" comes before "sandal", so that the labels change places.
    assert_eq!(apart["class_names"], serde_json::json!(["boot", "sandal"]));
    for measure in ["knn1", "retrieval"] {
        assert_eq!(whole["methods"]["prefix"][measure], apart["methods"]["prefix"][measure], "{measure}");
    }
    let error =
        fail(world.mrl(&format!("{EVAL} --train-labels train.txt --train-labels test.txt --out x")), 2);
    says(&error, &["2 --train-labels for 1 --train", "give one for each"]);
    let error = fail(world.mrl(&format!("{EVAL} --train-labels test.txt --out x")), 1);
    says(&error, &["test.txt: has 20 labels for 40 vectors; give one for each"]);
}

#[test]
fn parquet_is_evaluated_with_its_own_labels_or_others() {
    let world = World::new();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../goldens/parquet/lists-snappy.parquet");
    // Without the ending: the contents say what it is.
    fs::copy(file, world.path("rows")).unwrap();
    fs::write(world.path("labels.txt"), "0\n1\n".repeat(25)).unwrap();
    let eval = "eval --train rows --test rows --measures knn1 --dims 2,4 --resamples 0 --out report";
    let labels = "--train-labels labels.txt --test-labels labels.txt";
    succeed(world.mrl(&format!("{eval} {labels} --column vector")));
    says(&fail(world.mrl(&format!("{eval} --label-column label --force")), 1), &["label -5"]);
    says(&fail(world.mrl(&format!("{eval} --label-column name {labels}")), 2), &["cannot be used with"]);
}

#[test]
fn classes_of_an_index_keep_their_numbers() {
    let world = world();
    write_apart(&world);
    succeed(world.mrl("index build --input train.npy --labels train.txt --out i.index"));
    let classes = || -> Value {
        let info = text(&succeed(world.mrl("index info i.index --json")).stdout);
        serde_json::from_str::<Value>(&info).unwrap()["metadata"]["class_names"].clone()
    };
    assert_eq!(classes(), serde_json::json!(["boot", "sandal"]));
    fs::write(world.path("other.txt"), names(&set(&world, "test"), ["sandal", "aglet"])).unwrap();
    succeed(world.mrl("index add i.index --input test.npy --labels other.txt"));
    assert_eq!(classes(), serde_json::json!(["boot", "sandal", "aglet"]));
    let tuned = succeed(world.mrl("index tune i.index --queries test.npy --labels test.txt --dry-run"));
    says(&text(&tuned.stdout), &["mAP@10"]);
    let mut renamed = set(&world, "train");
    renamed.metadata.class_names = Some(vec!["boot".into(), "cap".into()]);
    renamed.write(world.path("renamed.safetensors")).unwrap();
    let error = fail(world.mrl("index add i.index --input renamed.safetensors"), 1);
    says(&error, &["renamed.safetensors: label 1 is \"cap\" in the source and \"sandal\" in the index"]);
}

#[test]
fn queries_may_name_their_column() {
    let world = World::new();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../goldens/parquet/lists-snappy.parquet");
    fs::copy(file, world.path("rows.parquet")).unwrap();
    succeed(world.mrl("index build --input rows.parquet --label-column label --out i.index"));
    for command in
        ["search i.index --k 1", "tune i.index --dry-run --label-column label", "bench i.index --repeats 1"]
    {
        succeed(world.mrl(&format!("index {command} --queries rows.parquet --column vector")));
        let error = fail(world.mrl(&format!("index {command} --queries rows.parquet --column label")), 1);
        says(
            &error,
            &["column \"label\" is of type Int64; name a column of lists of floats or 8-bit integers"],
        );
    }
    says(&fail(world.mrl("index tune i.index --column vector"), 2), &["--queries"]);
}

#[test]
fn ids_may_come_from_an_editor_and_hold_anything() {
    let world = World::new();
    let ids = ["a", "two\nlines", "\u{1b}[31mred", "last"].map(str::to_owned).to_vec();
    let set = EmbeddingSet::new((0..8u8).map(f32::from).collect(), 2).unwrap().with_ids(ids).unwrap();
    set.write(world.path("named.safetensors")).unwrap();
    succeed(world.mrl("index build --input named.safetensors --dims 2 --out i.index"));
    let shown = text(&succeed(world.mrl("index search i.index --queries named.safetensors --k 4")).stdout);
    assert_eq!(shown.lines().count(), 4, "{shown}");
    says(&shown, &["two\\nlines 1.0", "\\u{1b}[31mred 0.9"]);
    fs::write(world.path("ids.txt"), "\u{feff}a \r\n\r\n  last\r\n").unwrap();
    succeed(world.mrl("index remove i.index --ids-from ids.txt"));
    says(&text(&succeed(world.mrl("index info i.index")).stdout), &["vectors  2 of 2"]);
}

#[test]
fn whole_numbers_of_8_bits_are_read_with_a_note() {
    let world = World::new();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../goldens/sets/i1.npy");
    let built =
        succeed(world.mrl(&format!("index build --input {} --dims 2,4 --out i.index", file.display())));
    says(&text(&built.stderr), &["whole numbers of 8 bits are read as they are, as f32"]);
}

/// The shell's words after `before` in the line that has it, run in the folder with the programs and Python's numpy at hand.
fn paste(world: &World, said: &str, before: &str) -> Command {
    let line = said.lines().find_map(|line| line.split_once(before)).expect("the cure is there").1;
    let programs = Path::new(env!("CARGO_BIN_EXE_mrl")).parent().unwrap();
    // `cargo xtask test` makes it beside the profile's folder.
    let python = programs.parent().unwrap().join("python/bin");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = [python, programs.to_owned()].into_iter().chain(std::env::split_paths(&path));
    let mut command = Command::new("sh");
    command.args(["-c", line]).current_dir(world.folder.path());
    command.env("PATH", std::env::join_paths(path).unwrap());
    command
}

#[test]
fn a_table_is_converted_by_the_command_that_is_suggested() {
    let world = World::new();
    fs::write(world.path("my rows.csv"), "x,y\n1,2\n3,4.5\n").unwrap();
    let build = |input: &str| {
        let mut command = world.mrl("index build --dims 2 --out i.index --input");
        command.arg(input);
        command
    };
    let error = fail(build("my rows.csv"), 1);
    says(&error, &["my rows.csv: is a text file, and mrl reads vectors from", "convert it: python3 -c"]);
    let converted = paste(&world, &error, "convert it: ").output().unwrap();
    if text(&converted.stderr).contains("No module named 'numpy'") {
        eprintln!("skipped: numpy is not there (cargo xtask test installs it)");
        return;
    }
    assert!(converted.status.success(), "{}", text(&converted.stderr));
    assert_eq!(EmbeddingSet::read(world.path("my rows.npy")).unwrap().embeddings(), [1.0, 2.0, 3.0, 4.5]);
    succeed(build("my rows.npy"));
}

#[test]
fn files_of_other_kinds_are_named() {
    let world = World::new();
    succeed(world.train("run", "--max-steps 1"));
    for (bytes, problem) in [
        (
            &b"version https://git-lfs.github.com/spec/v1\noid"[..],
            "fetch it: git -C . lfs pull --include file",
        ),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "is a JPEG image"),
        (b"<!DOCTYPE html><p>404", "is a web page"),
        (b"", "is an empty file"),
    ] {
        fs::write(world.path("file"), bytes).unwrap();
        for command in [
            "index build --out i.index --input file",
            "eval --train file --test file --out report",
            "adapt fit --out adapter.safetensors --input file",
        ] {
            says(&fail(world.mrl(command), 1), &["file: ", problem]);
        }
    }
    let error = fail(world.mrl("index build --out i.index --input run/encoder.safetensors"), 1);
    says(&error, &["is an encoder, which holds no vectors; make some of images: mrl embed"]);
    let error = fail(world.mrl("embed --run file --dataset idx --data-dir data --out set.safetensors"), 1);
    says(&error, &["file: is an empty file, not a safetensors file"]);
}

#[test]
fn commands_that_are_suggested_work_when_pasted() {
    let world = World::new();
    let mut train = world.mrl("train --preset tiny.toml --data-dir data --out");
    train.arg("my run");
    let trained = succeed(train);
    let pasted = paste(&world, &text(&trained.stderr), "embed with: ").output().unwrap();
    assert!(pasted.status.success(), "{}", text(&pasted.stderr));
    assert_eq!(EmbeddingSet::read(world.path("test.safetensors")).unwrap().len(), 20);
    let built = succeed(paste(&world, &text(&pasted.stderr), "search with: "));
    succeed(paste(&world, &text(&built.stderr), "tune with: "));
    // From elsewhere, the folder of the images is not where the run says.
    let elsewhere = tempfile::tempdir().unwrap();
    let run: PathBuf = world.path("my run");
    let mut embed = world.mrl("embed --split test --out test.safetensors --run");
    embed.arg(&run).current_dir(elsewhere.path());
    let error = fail(embed, 1);
    says(&error, &["the run was trained on the images in data, which is not there; name it with --data-dir"]);
}
