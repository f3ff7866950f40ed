//! Programs that are killed at random moments: what they write is as it was before, or whole, and the next call does its work.

use std::{
    fs,
    os::unix::process::ExitStatusExt,
    process::Stdio,
    thread::sleep,
    time::{Duration, Instant},
};

use crate::{
    common::{World, succeed},
    writers::{self, Writer, checked_rows, files, is_unfinished, named_index, restore},
};

/// Kills of each command: few, or all by `cargo xtask test --long`.
fn rounds() -> u32 {
    const ALL: u32 = 200;
    if mrl_testing::scaled(ALL) < ALL { 5 } else { ALL }
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
        sleep(whole.mul_f64(mrl_testing::moment(round)).max(Duration::from_millis(1)));
        child.kill().unwrap();
        hits += u32::from(child.wait().unwrap().signal() == Some(9));
        check(world);
    }
    assert!(hits > 0, "no kill hit `mrl {words}`");
    format!("`mrl {words}`: {hits} of {} kills hit it", rounds())
}

/// Kills a writer: each of its files must be there as a whole or not at all, and no others but unfinished ones.
fn kill_writer(writer: &Writer) -> String {
    let (world, words) = (&writer.world, writer.words("."));
    let before = files(world.folder.path());
    succeed(world.mrl(&words));
    let whole = writer.written(".");
    assert!(!whole.is_empty(), "{words}");
    restore(world.folder.path(), &before);
    kill(world, &words, |world| {
        for (name, bytes) in writer.written(".") {
            let is_whole = whole.get(&name) == Some(&bytes);
            assert!(is_whole || is_unfinished(&name), "`mrl {words}` left a part of {name}");
        }
        succeed(world.mrl(&words));
        let mut again = writer.written(".");
        again.retain(|name, _| !is_unfinished(name));
        assert!(again == whole, "`mrl {words}` writes something else after a kill");
    })
}

#[test]
fn sets_are_written_whole() {
    println!("{}", kill_writer(&writers::set()));
}

#[test]
fn reports_are_written_file_by_file_as_a_whole() {
    println!("{}", kill_writer(&writers::report()));
}

#[test]
fn adapters_are_written_whole() {
    println!("{}", kill_writer(&writers::adapter()));
}

#[test]
fn indexes_are_built_whole() {
    println!("{}", kill_writer(&writers::index()));
}

#[test]
fn caches_of_pixels_are_written_whole() {
    let world = World::new();
    writers::photos(&world);
    let train = "train --preset tiny.toml --dataset folder --data-dir photos --image-size 32 --max-steps 0 --fold none";
    let done = kill(&world, &format!("{train} --pixel-cache pixels --out run"), |world| {
        // Another run can use the cached pixels.
        succeed(world.mrl(&format!("{train} --pixel-cache pixels --out again")));
    });
    println!("{done}");
}

/// Kills a change of an index that makes of `before` rows `after`: it has happened or not, and can still happen.
fn kill_change(world: &World, words: &str, before: u64, after: u64) -> String {
    kill(world, words, |world| {
        let rows = checked_rows(world, "i.index");
        assert!([before, after].contains(&rows), "`mrl {words}` left {rows} rows");
        if rows == before {
            succeed(world.mrl(words));
            assert_eq!(checked_rows(world, "i.index"), after);
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

#[test]
fn trainings_go_on_to_the_same_bits() {
    // Kills of one run before it may finish.
    const KILLS_OF_A_RUN: u32 = 5;
    let world = World::new();
    let begin = Instant::now();
    succeed(world.train("whole", ""));
    let whole = begin.elapsed();
    let results = world.results("whole");
    let mut hits = 0;
    for round in 0..rounds() {
        let mut child =
            world.train("cut", "--resume").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        sleep(whole.mul_f64(mrl_testing::moment(round)));
        child.kill().unwrap();
        hits += u32::from(child.wait().unwrap().signal() == Some(9));
        if (round + 1) % KILLS_OF_A_RUN == 0 {
            succeed(world.train("cut", "--resume"));
            assert!(world.results("cut") == results, "the killed run ends differently");
            fs::remove_dir_all(world.path("cut")).unwrap();
        }
    }
    assert!(hits > 0, "no kill hit a training");
    println!("`mrl train`: {hits} of {} kills hit it", rounds());
}
