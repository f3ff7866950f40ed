//! Programs that are killed at random moments: what they write is as it was before, or whole, and the next call does its work.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::process::ExitStatusExt,
    path::Path,
    process::Stdio,
    thread::sleep,
    time::{Duration, Instant},
};

use mrl_embedding::EmbeddingSet;
use serde_json::Value;

use crate::{
    common::{World, succeed, text},
    evaluation::world,
};

/// Kills of each command: few, or all by `cargo xtask test --long`.
fn rounds() -> u64 {
    const ALL: u32 = 200;
    if mrl_testing::scaled(ALL) < ALL { 5 } else { ALL.into() }
}

/// All files below a folder, by their path in it.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            let below = files(&entry.path());
            found.extend(below.into_iter().map(|(path, bytes)| (format!("{name}/{path}"), bytes)));
        } else {
            found.insert(name, fs::read(entry.path()).unwrap());
        }
    }
    found
}

/// Puts a folder back into the state `before`.
fn restore(folder: &Path, before: &BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.unwrap();
    }
    for (name, bytes) in before {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

/// A share from 0 to 1 that follows from `round`: the fractions of multiples of the golden ratio are spread evenly.
fn moment(round: u64) -> f64 {
    (round as f64 * 0.618_033_988_749_895 + 0.3).fract()
}

/// Kills `mrl` with these words at random moments, each time in the world as it is now, and hands the world to `check`. At least one kill must
/// hit the program at work. Gives what was done.
fn kill(world: &World, words: &str, check: impl Fn(&World)) -> String {
    let folder = world.folder.path();
    let before = files(folder);
    let begin = Instant::now();
    succeed(world.mrl(words));
    let whole = begin.elapsed();
    let mut hits = 0;
    for round in 0..rounds() {
        restore(folder, &before);
        let mut child = world.mrl(words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        sleep(whole.mul_f64(moment(round)).max(Duration::from_millis(1)));
        child.kill().unwrap();
        hits += u64::from(child.wait().unwrap().signal() == Some(9));
        check(world);
    }
    assert!(hits > 0, "no kill hit `mrl {words}`");
    format!("`mrl {words}`: {hits} of {} kills hit it", rounds())
}

/// True if a killed writer has not finished the file at `path`.
fn is_unfinished(path: &str) -> bool {
    Path::new(path).file_name().is_some_and(mrl_embedding::is_unfinished)
}

/// Kills a command whose output is files that are equal each time: each must be there as a whole or not at all, and no others but unfinished
/// ones.
fn kill_writer(world: &World, words: &str, out: &str) -> String {
    let of_output = |world: &World| {
        let mut all = files(world.folder.path());
        all.retain(|name, _| name.starts_with(out));
        all
    };
    let before = files(world.folder.path());
    succeed(world.mrl(words));
    let whole = of_output(world);
    assert!(!whole.is_empty(), "{words}");
    restore(world.folder.path(), &before);
    kill(world, words, |world| {
        for (name, bytes) in of_output(world) {
            assert!(
                is_unfinished(&name) || whole.get(&name) == Some(&bytes),
                "`mrl {words}` left a part of {name}"
            );
        }
        succeed(world.mrl(words));
        let mut again = of_output(world);
        again.retain(|name, _| !is_unfinished(name));
        assert!(again == whole, "`mrl {words}` writes something else after a kill");
    })
}

#[test]
fn sets_are_written_whole() {
    let words = "embed --pixels --dataset fashion-mnist --data-dir data --split train --out set.safetensors";
    println!("{}", kill_writer(&World::new(), words, "set.safetensors"));
}

#[test]
fn reports_are_written_file_by_file_as_a_whole() {
    let words = "eval --train train.safetensors --test test.safetensors --measures knn1,retrieval --dims 4,16 --out report";
    println!("{}", kill_writer(&world(), words, "report"));
}

#[test]
fn adapters_are_written_whole() {
    let words = "adapt fit --input train.safetensors --epochs 1 --dims 8,144 --out adapter.safetensors";
    println!("{}", kill_writer(&world(), words, "adapter.safetensors"));
}

#[test]
fn indexes_are_built_whole() {
    let words = "index build --input train.safetensors --dims 16,64 --out i.index";
    println!("{}", kill_writer(&world(), words, "i.index"));
}

#[test]
fn caches_of_pixels_are_written_whole() {
    let world = World::new();
    for (class, level) in [("cat", 40u8), ("dog", 200)] {
        fs::create_dir_all(world.path(&format!("photos/{class}"))).unwrap();
        for image in 0..40u8 {
            let picture = image::RgbImage::from_pixel(64, 64, image::Rgb([level, image, 0]));
            picture.save(world.path(&format!("photos/{class}/{image}.png"))).unwrap();
        }
    }
    let train = "train --preset tiny.toml --dataset folder --data-dir photos --image-size 32 --max-steps 0 --fold none";
    let done = kill(&world, &format!("{train} --pixel-cache pixels --out run"), |world| {
        // Another run can use the cached pixels.
        succeed(world.mrl(&format!("{train} --pixel-cache pixels --out again")));
    });
    println!("{done}");
}

/// An index with ids, and sets to add to it.
fn named_index() -> World {
    let world = World::new();
    for (name, first) in [("old", 0), ("new", 400)] {
        let rows: Vec<f32> = (0..400 * 16).map(|place| ((place + first) as f32 * 0.37).sin()).collect();
        let ids = (first..first + 400).map(|row| format!("row {row}")).collect();
        let set = EmbeddingSet::new(rows, 16).unwrap().with_ids(ids).unwrap();
        set.write(world.path(&format!("{name}.safetensors"))).unwrap();
    }
    let removed: Vec<String> = (0..100).map(|row| format!("row {row}")).collect();
    fs::write(world.path("removed.txt"), removed.join("\n")).unwrap();
    succeed(world.mrl("index build --input old.safetensors --dims 4,8 --out i.index"));
    world
}

/// Vectors of the index, every byte of which is checked.
fn checked_rows(world: &World) -> u64 {
    succeed(world.mrl("index info i.index --verify"));
    let info: Value =
        serde_json::from_str(&text(&succeed(world.mrl("index info i.index --json")).stdout)).unwrap();
    info["rows"].as_u64().unwrap()
}

/// Kills a change of an index that makes of `before` rows `after`: it has happened or not, and can still happen.
fn kill_change(world: &World, words: &str, before: u64, after: u64) -> String {
    kill(world, words, |world| {
        let rows = checked_rows(world);
        assert!([before, after].contains(&rows), "`mrl {words}` left {rows} rows");
        if rows == before {
            succeed(world.mrl(words));
            assert_eq!(checked_rows(world), after);
        }
    })
}

#[test]
fn indexes_are_changed_as_a_whole() {
    let world = named_index();
    println!("{}", kill_change(&world, "index add i.index --input new.safetensors", 400, 800));
    let world = named_index();
    println!("{}", kill_change(&world, "index remove i.index --ids-from removed.txt", 400, 300));
    succeed(world.mrl("index build --input old.safetensors --dims 4,8 --out i.index"));
    succeed(world.mrl("index remove i.index --ids-from removed.txt"));
    println!("{}", kill_change(&world, "index compact i.index", 300, 300));
}

#[test]
fn a_tuning_that_is_killed_leaves_the_schedule_as_it_was_or_the_new_one() {
    let world = named_index();
    println!("{}", kill_change(&world, "index tune i.index --graph none", 400, 400));
}
