//! Two programs that write to one place at once: the result is that of one of them, or of one after the other.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Output, Stdio},
};

use mrl_embedding::FolderLock;

use crate::{
    common::{World, succeed, text},
    errors::says,
    writers::{self, Writer, checked_rows, named_index},
};

/// How often both are started.
const ROUNDS: usize = 3;

/// Runs two commands at the same time.
fn both(world: &World, words: [&str; 2]) -> [Output; 2] {
    let children = words.map(|words| {
        let mut command = world.mrl(words);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    });
    children.map(|child| child.wait_with_output().unwrap())
}

/// At least one of two commands succeeds. A command that fails must name the other process. Returns the messages of the failed ones.
fn refusals(outputs: &[Output; 2]) -> Vec<String> {
    let failed = outputs.iter().filter(|output| !output.status.success());
    let messages: Vec<String> = failed.map(|output| text(&output.stderr)).collect();
    assert!(messages.len() < 2, "{messages:?}");
    for message in &messages {
        says(message, &["another process"]);
    }
    messages
}

/// Both write to one place, the second with an option more: one of the two whole results is there.
fn write_both(writer: &Writer, more: &str) {
    let world = &writer.world;
    let with_more = |folder: &str| format!("{} {more}", writer.words(folder));
    succeed(world.mrl(&writer.words("one")));
    succeed(world.mrl(&with_more("other")));
    let wholes = ["one", "other"].map(|folder| writer.written(folder));
    assert!(wholes[0] != wholes[1], "{more} changes nothing");
    for _ in 0..ROUNDS {
        refusals(&both(world, [&writer.words("both"), &with_more("both")]));
        let written = writer.written("both");
        assert!(
            wholes.contains(&written),
            "two of `mrl {}` at once: {:?}",
            writer.words("both"),
            written.keys()
        );
    }
}

#[test]
fn one_of_two_outputs_is_there_as_a_whole() {
    write_both(&writers::set(), "--split test");
    write_both(&writers::hits(), "--k 3");
    write_both(&writers::adapter(), "--seed 1");
    write_both(&writers::index(), "--shortlist-dtype f32");
    write_both(&writers::report(), "--methods prefix");
}

#[test]
fn a_report_waits_for_another_one() {
    let writer = writers::report();
    let words = writer.words(".");
    let report = writer.world.path("report");
    fs::create_dir(&report).unwrap();
    let lock = FolderLock::take(&report, || ());
    let mut child = writer.world.mrl(&words).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let said = BufReader::new(child.stderr.take().unwrap());
    // It ends here, or says at the end that it failed.
    let waits = said
        .lines()
        .map_while(Result::ok)
        .any(|line| line.contains("another process is writing there; waiting"));
    assert!(waits && fs::read_dir(&report).unwrap().next().is_none());
    drop(lock);
    assert!(child.wait().unwrap().success() && report.join("report.json").exists());
}

#[test]
fn two_changes_of_an_index_happen_one_after_the_other() {
    let world = named_index();
    let words = ["index add i.index --input new.safetensors", "index remove i.index --ids-from removed.txt"];
    let refused = refusals(&both(&world, words));
    // The count of rows shows which change was made.
    let rows = checked_rows(&world, "i.index");
    match (refused.len(), rows) {
        (0, _) => {}
        (_, 800) => drop(succeed(world.mrl(words[1]))),
        _ => drop(succeed(world.mrl(words[0]))),
    }
    assert_eq!(checked_rows(&world, "i.index"), 700);
}

#[test]
fn a_run_has_one_training_at_a_time() {
    let world = World::new();
    succeed(world.train("whole", ""));
    let train = "train --preset tiny.toml --data-dir data --out run --resume";
    refusals(&both(&world, [train; 2]));
    assert!(world.results("run") == world.results("whole"), "the run ends differently");
}
