//! `mrl index`: building, changing and searching an index, as a user would.

use std::fs;

use mrl_embedding::EmbeddingSet;
use serde_json::Value;

use crate::{
    common::{World, fail, succeed, text},
    errors::says,
    evaluation::world,
};

/// A world with an index of the training images' pixels.
pub(crate) fn indexed(more: &str) -> World {
    let world = world();
    succeed(
        world.mrl(&format!("index build --input train.safetensors --dims 16,64 --out pixels.index {more}")),
    );
    world
}

fn search(world: &World, more: &str) -> Value {
    succeed(
        world.mrl(&format!(
            "index search pixels.index --queries test.safetensors --k 3 --out hits.json {more}"
        )),
    );
    serde_json::from_slice(&world.read("hits.json")).unwrap()
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot =
        |a: &[f32], b: &[f32]| -> f64 { a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum() };
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

#[test]
fn the_best_by_plain_loops_are_found_whatever_the_way() {
    let world = indexed("");
    let [train, test] = ["train", "test"]
        .map(|split| EmbeddingSet::read(world.path(&format!("{split}.safetensors"))).unwrap());
    let hits = search(&world, "");
    for query in 0..test.len() {
        let mut all: Vec<(f64, usize)> =
            (0..train.len()).map(|row| (cosine(test.row(query), train.row(row)), row)).collect();
        all.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        for place in 0..3 {
            assert_eq!(hits["ids"][query][place], all[place].1, "query {query}");
            assert!((hits["scores"][query][place].as_f64().unwrap() - all[place].0).abs() < 1e-12);
        }
    }
    // A shortlist of all rows misses none.
    for schedule in ["16:40", "64:40,144", "t16:40,t64:40,144"] {
        assert_eq!(search(&world, &format!("--schedule {schedule}")), hits, "{schedule}");
    }
    for options in ["--rotate none --shortlist-dtype f32", "--rotate pca --shortlist-dtype bf16"] {
        assert_eq!(search(&indexed(options), ""), hits, "{options}");
    }
}

#[test]
fn vectors_come_and_go() {
    let world = indexed("");
    let before = search(&world, "");
    let nearest = before["ids"][0][0].as_u64().unwrap();
    let said = text(&succeed(world.mrl(&format!("index remove pixels.index {nearest}"))).stdout);
    assert_eq!(said.trim_end(), "pixels.index: 39 vectors of 144 numbers, 1 removed");
    assert_eq!(search(&world, "")["ids"][0][0], before["ids"][0][1]);
    succeed(world.mrl("index compact pixels.index"));
    assert_eq!(search(&world, "")["ids"][0][0], before["ids"][0][1]);
    succeed(world.mrl("index add pixels.index --input test.safetensors"));
    let hits = search(&world, "");
    assert!(hits["ids"][0][0].as_u64().unwrap() >= 40, "a query finds itself, under a new number: {hits}");
    assert!((hits["scores"][0][0].as_f64().unwrap() - 1.0).abs() < 1e-12);
    let info = text(&succeed(world.mrl("index info pixels.index --verify")).stdout);
    for line in ["59 of 144 numbers, cosine", "16,64,144", "raw pixels", "every part is what was written"] {
        assert!(info.contains(line), "{line} is not in: {info}");
    }
    let info: Value =
        serde_json::from_slice(&succeed(world.mrl("index info pixels.index --json")).stdout).unwrap();
    assert_eq!((&info["rows"], &info["segments"]), (&59.into(), &2.into()));
}

#[test]
fn hits_are_shown_or_written_for_numpy() {
    let world = indexed("");
    let shown =
        text(&succeed(world.mrl("index search pixels.index --queries test.safetensors --k 2")).stdout);
    assert_eq!(shown.lines().count(), 20, "{shown}");
    succeed(world.mrl("index search pixels.index --queries test.safetensors --k 2 --out hits.npy"));
    let bytes = world.read("hits.npy");
    let (header, rows) = bytes.split_at(128);
    let header = text(&header[10..]);
    assert!(header.contains("[('id', '<u8'), ('score', '<f8')]") && header.contains("(20, 2)"), "{header}");
    assert!(header.ends_with('\n'));
    assert_eq!(rows.len(), 20 * 2 * 16);
    let number = |at: usize| <[u8; 8]>::try_from(&rows[at..at + 8]).unwrap();
    let (id, score) = (u64::from_le_bytes(number(0)), f64::from_le_bytes(number(8)));
    assert!(shown.starts_with(&format!("     0  {id} {score:.4}")), "{shown}");
}

#[test]
fn an_image_is_a_query_of_the_run_that_made_the_vectors() {
    let world = World::new();
    let photo = |i: u32| {
        image::RgbImage::from_fn(20 + i, 40 - i, |x, y| {
            image::Rgb([(x * 9) as u8, (y * 7 * i) as u8, (x * y * i) as u8])
        })
    };
    fs::create_dir(world.path("photos")).unwrap();
    (0..8).for_each(|i| photo(i).save(world.path(&format!("photos/{i}.png"))).unwrap());
    succeed(world.mrl(
        "train --dataset folder --data-dir photos --image-size 12 --width 0.125 --batch-size 4 --max-steps 0 --out run",
    ));
    succeed(world.mrl("embed --run run --out set.safetensors"));
    succeed(world.mrl("index build --input set.safetensors --out photos.index"));
    let shown = succeed(world.mrl("index search photos.index --queries photos/5.png --run run --k 1")).stdout;
    assert!(text(&shown).starts_with("     0  5.png 1.0000"), "{}", text(&shown));
    succeed(world.mrl("index remove photos.index 5.png"));
    let message = fail(world.mrl("index search photos.index --queries photos/5.png"), 2);
    says(&message, &["is an image", "name its run with --run"]);
    fs::write(world.path("cut.png"), "no image").unwrap();
    let message = fail(world.mrl("index search photos.index --queries cut.png --run run"), 1);
    says(&message, &["cut.png: "]);
    let message = fail(world.mrl("index search photos.index --queries set.safetensors --run run"), 2);
    says(&message, &["is not an image"]);
}

#[test]
fn tuning_stores_a_schedule_that_searches_follow() {
    let world = indexed("");
    let before = world.read("pixels.index");
    let shown = text(&succeed(world.mrl("index tune pixels.index --k 3 --recall 0.9 --dry-run")).stdout);
    assert!(shown.starts_with("schedule") && shown.contains("exact") && shown.contains(" <"), "{shown}");
    let schedules: Vec<&str> = shown.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let different: std::collections::HashSet<&&str> = schedules.iter().collect();
    assert_eq!(different.len(), schedules.len(), "a schedule is measured twice: {shown}");
    assert_eq!(world.read("pixels.index"), before, "nothing is stored");
    let words = "index tune pixels.index --queries test.safetensors --k 3 --recall 1 --workload single";
    let shown = text(&succeed(world.mrl(words)).stdout);
    let best = shown.lines().last().unwrap().split("searches follow ").nth(1).unwrap();
    let best = best.strip_suffix(" from now on").unwrap();
    let info = text(&succeed(world.mrl("index info pixels.index")).stdout);
    assert!(info.contains(&format!("schedule  {best}")), "{info}");
    assert_eq!(search(&world, ""), search(&world, "--schedule exact"), "all of the true nearest are found");
    let message = fail(world.mrl("index tune pixels.index --recall 2"), 2);
    says(&message, &["from 0 to 1"]);
}

#[test]
fn a_graph_is_built_walked_and_kept() {
    let world = indexed("--graph 16");
    let info = |world: &World| text(&succeed(world.mrl("index info pixels.index")).stdout);
    assert!(info(&world).contains("graph  on 16 dims"), "{}", info(&world));
    // A walk for four of forty finds about what reading the prefix of all finds.
    let (walked, scanned) = (search(&world, "--schedule g16:4"), search(&world, "--schedule 16:4"));
    let ids = |hits: &Value, query: usize| hits["ids"][query].as_array().unwrap().clone();
    let same = |query: usize| {
        let found = ids(&walked, query);
        ids(&scanned, query).iter().filter(|id| found.contains(id)).count()
    };
    assert!((0..20).map(same).sum::<usize>() > 40, "{walked} {scanned}");
    let exact = search(&world, "--schedule exact");
    assert_eq!(search(&world, "--schedule g16:40"), exact, "that of all rows misses none");
    succeed(world.mrl("index remove pixels.index 3 4"));
    succeed(world.mrl("index compact pixels.index"));
    assert!(info(&world).contains("graph  on 16 dims"), "compacting builds it anew: {}", info(&world));
    let message =
        fail(world.mrl("index search pixels.index --queries test.safetensors --schedule g64:20"), 2);
    says(&message, &["a graph on 16 dims and none on 64", "mrl index tune"]);
    // Scanning forty rows is faster than a millisecond, so that the graph is given up.
    let shown = text(&succeed(world.mrl("index tune pixels.index --k 3 --recall 0.9")).stdout);
    assert!(!shown.contains(" g") && !info(&world).contains("graph  on"), "{shown}");
    let shown =
        text(&succeed(world.mrl("index tune pixels.index --k 3 --recall 0.5 --graph 16 --dry-run")).stdout);
    assert!(shown.contains("building the graph took"), "{shown}");
    let built = succeed(world.mrl("index build --input train.safetensors --dims 16,64 --out pixels.index"));
    says(
        &text(&built.stderr),
        &["the replaced index had the search schedule", "tune with: mrl index tune pixels.index"],
    );
    let message = fail(world.mrl("index tune pixels.index --graph 7"), 2);
    says(&message, &["cannot be on 7 dims", "16, 64"]);
    says(&fail(world.mrl("index tune pixels.index --graph some"), 2), &["auto, none or the dims"]);
}

#[test]
fn what_cannot_be_meant_is_said_with_its_cure() {
    let world = indexed("");
    for (words, code, parts) in [
        ("index search none.index --queries test.safetensors", 1, &["none.index: "][..]),
        ("index search train.safetensors --queries test.safetensors", 1, &["train.safetensors: "]),
        ("index search pixels.index --queries test.safetensors --k 0", 2, &["at least one"]),
        ("index search pixels.index --queries test.safetensors --schedule 20:30", 2, &["16, 64, 144"]),
        ("index search pixels.index --queries test.safetensors --schedule 16:x", 2, &["64:200,512"]),
        ("index search pixels.index --queries test.safetensors --schedule 16:5", 2, &["k = 10"]),
        ("index search pixels.index --queries test.safetensors --out hits.txt", 2, &[".json or .npy"]),
        ("index search pixels.index --queries test.safetensors --out none/hits.json", 1, &["make it first"]),
        ("index remove pixels.index 99", 1, &["the id 99 is not in the index"]),
        ("index remove pixels.index x", 2, &["whole numbers"]),
        ("index build --input train.safetensors --dims 64,16 --out other.index", 2, &["increas"]),
        ("index build --input train.safetensors --column x --out other.index", 2, &["are for Parquet"]),
        ("index build --input none.parquet --out other.index", 1, &["none.parquet: "]),
    ] {
        let message = fail(world.mrl(words), code);
        says(&message, parts);
    }
    assert!(!world.path("other.index").exists());
}

#[test]
fn no_file_that_is_read_is_written_over() {
    let world = indexed("");
    fs::copy(world.path("train.safetensors"), world.path("notes.txt")).unwrap();
    fs::copy(world.path("pixels.index"), world.path("pixels.svg")).unwrap();
    fs::write(world.path("encoder.safetensors"), "weights of a week").unwrap();
    let test = EmbeddingSet::read(world.path("test.safetensors")).unwrap();
    EmbeddingSet::new(test.embeddings().to_vec(), test.width())
        .unwrap()
        .write(world.path("test.npy"))
        .unwrap();
    for (words, code, part) in [
        ("index build --input train.safetensors --out train.safetensors", 2, "is an input of this command"),
        (
            "index build --input train.safetensors --out ./notes.txt",
            1,
            "notes.txt exists and is not an mrl index",
        ),
        (
            "embed --pixels --dataset fashion-mnist --data-dir data --split test --out encoder.safetensors",
            1,
            "encoder.safetensors exists and is not an embedding set that mrl wrote",
        ),
        ("index search pixels.index --queries test.npy --out ./test.npy", 2, "is an input of this command"),
        ("index tune pixels.svg --chart pixels.svg", 2, "is an input of this command"),
        (
            "adapt apply --input test.npy --adapter train.safetensors --out test.npy",
            2,
            "is an input of this command",
        ),
    ] {
        let read = world.path(words.rsplit(' ').next().unwrap());
        let before = fs::read(&read).unwrap();
        says(&fail(world.mrl(words), code), &[part]);
        assert_eq!(fs::read(&read).unwrap(), before, "{words}");
    }
    // An index may be built anew, damaged or not.
    let mut index = world.read("pixels.index");
    index[20] ^= 1;
    index[5000] ^= 1;
    fs::write(world.path("pixels.index"), index).unwrap();
    succeed(world.mrl("index build --input train.safetensors --out pixels.index"));
}

#[test]
fn the_file_at_fault_is_named() {
    let world = indexed("");
    let write = |name: &str, bad: f32| {
        let mut rows = vec![0.5; 3 * 144];
        rows[144..288].fill(bad);
        EmbeddingSet::new(rows, 144).unwrap().write(world.path(name)).unwrap();
    };
    write("nan.npy", f32::NAN);
    write("zero.npy", 0.0);
    EmbeddingSet::new(Vec::new(), 144).unwrap().write(world.path("empty.npy")).unwrap();
    fs::write(world.path("other.safetensors"), world.read("nan.npy")).unwrap();
    for (words, parts) in [
        ("index search pixels.index --queries nan.npy", ["nan.npy: number 0 of query 1 is not finite"]),
        ("index search pixels.index --queries zero.npy", ["zero.npy: query 1 is zero"]),
        ("index tune pixels.index --queries nan.npy", ["nan.npy: number 0 of query 1"]),
        ("index bench pixels.index --queries nan.npy", ["nan.npy: number 0 of query 1"]),
        ("index tune pixels.index --queries empty.npy", ["empty.npy: there are no queries"]),
        (
            "index search pixels.index --queries other.safetensors",
            ["other.safetensors: number 0 of query 1 is not finite"],
        ),
        (
            "index search pixels.index --queries test.safetensors --out nan.npy",
            ["nan.npy exists and is not the hits"],
        ),
        (
            "index add pixels.index --input nan.npy",
            ["nan.npy: the source has no labels but the index has labels"],
        ),
        ("index build --input nan.npy --out other.index", ["nan.npy: row 1 of the source"]),
        ("index remove pixels.index --ids-from pixels.index", ["pixels.index: give a text file"]),
    ] {
        says(&fail(world.mrl(words), 1), &parts);
    }
}

#[test]
fn rows_and_queries_may_come_from_parquet() {
    let world = indexed("");
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../goldens/parquet/halves-lz4.parquet");
    succeed(world.mrl(&format!("index build --input {file} --label-column label --out parquet.index")));
    let shown =
        succeed(world.mrl(&format!("index search parquet.index --queries {file} --k 1 --out hits.npy")));
    says(&text(&shown.stdout), &["hits.npy: 50 queries, 1 hits each"]);
}

#[test]
fn fewer_vectors_than_were_asked_for_are_told() {
    let world = indexed("");
    let words = "index search pixels.index --queries test.safetensors --out hits.json --k 50";
    let output = succeed(world.mrl(words));
    says(&text(&output.stderr), &["there are 40 vectors to find, fewer than --k 50"]);
    let ids = (0..40).map(|id| id.to_string()).collect::<Vec<_>>().join(" ");
    succeed(world.mrl(&format!("index remove pixels.index {ids}")));
    let shown = text(&succeed(world.mrl(words)).stdout);
    assert!(shown.contains(" queries, 0 hits each") && !shown.contains(": 0 queries"), "{shown}");
}

#[test]
fn a_damaged_head_is_told() {
    let world = indexed("");
    let mut index = world.read("pixels.index");
    index[4100] ^= 1;
    fs::write(world.path("pixels.index"), index).unwrap();
    let info = |world: &World| text(&succeed(world.mrl("index info pixels.index --verify")).stdout);
    says(&info(&world), &["one of the two heads", "every part but that head"]);
    succeed(world.mrl("index remove pixels.index 3"));
    assert!(!info(&world).contains("heads"), "{}", info(&world));
}

#[test]
fn a_damaged_index_is_an_error_and_no_answer() {
    let world = indexed("");
    let expected = search(&world, "");
    let whole = world.read("pixels.index");
    for place in (0..whole.len()).step_by(whole.len() / 20) {
        let mut bytes = whole.clone();
        bytes[place] ^= 0x10;
        fs::write(world.path("pixels.index"), bytes).unwrap();
        let output = world.mrl("index info pixels.index --verify").output().unwrap();
        let message = text(&output.stderr);
        if !output.status.success() {
            assert_eq!(output.status.code(), Some(1), "byte {place}: {message}");
            says(&message, &["pixels.index: "]);
        }
        let output = world
            .mrl("index search pixels.index --queries test.safetensors --k 3 --out hits.json")
            .output()
            .unwrap();
        if output.status.success() {
            let hits: Value = serde_json::from_slice(&world.read("hits.json")).unwrap();
            assert_eq!(hits, expected, "byte {place}");
        } else {
            assert_eq!(output.status.code(), Some(1), "byte {place}: {}", text(&output.stderr));
        }
    }
}

#[test]
fn ids_to_remove_may_come_from_a_file() {
    let world = indexed("");
    fs::write(world.path("ids.txt"), "3\n17\n\n").unwrap();
    let said = text(&succeed(world.mrl("index remove pixels.index --ids-from ids.txt")).stdout);
    assert_eq!(said.trim_end(), "pixels.index: 38 vectors of 144 numbers, 2 removed");
    let all = "index search pixels.index --queries test.safetensors --k 38 --schedule exact --out all.json";
    succeed(world.mrl(all));
    let hits: Value = serde_json::from_slice(&world.read("all.json")).unwrap();
    let first: Vec<u64> = hits["ids"][0].as_array().unwrap().iter().filter_map(Value::as_u64).collect();
    assert!(first.len() == 38 && !first.contains(&3) && !first.contains(&17), "{first:?}");
}

#[test]
fn the_largest_dot_products_are_found() {
    let world = indexed("--metric dot");
    let [train, test] = ["train", "test"]
        .map(|split| EmbeddingSet::read(world.path(&format!("{split}.safetensors"))).unwrap());
    let dot =
        |a: &[f32], b: &[f32]| -> f64 { a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum() };
    let hits = search(&world, "");
    for query in 0..test.len() {
        let products = (0..train.len()).map(|row| dot(test.row(query), train.row(row)));
        let largest = products.fold(f64::NEG_INFINITY, f64::max);
        let score = hits["scores"][query][0].as_f64().unwrap();
        assert!((score - largest).abs() < 1e-9 * largest.abs().max(1.0), "query {query}: {score} {largest}");
    }
}
