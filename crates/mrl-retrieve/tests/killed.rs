//! A writer that is killed at any moment loses nothing that it has committed.

use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use mrl_embedding::EmbeddingSet;
use mrl_retrieve::{BuildOptions, Id, Index, Writer};

const WIDTH: usize = 20;

/// Rows of an add, and those of them that are removed again.
const ADDED: usize = 7;
const REMOVED: usize = 2;

/// Rows whose numbers follow from their ids.
fn rows(start: usize) -> EmbeddingSet {
    let numbers = (0..ADDED * WIDTH).map(|place| ((start * WIDTH + place) % 1013) as f32 - 500.0);
    EmbeddingSet::new(numbers.collect(), WIDTH).unwrap()
}

/// The process that the other test kills. It repeats three steps: it adds rows, removes some of them, and prints both; every tenth time it also compacts.
/// The other test passes the index as an argument. Without that argument this test does nothing, so all ignored tests can run together.
#[test]
#[ignore = "runs until it is killed; the other test starts it"]
fn writer() {
    let Some(path) = std::env::args().skip(1).find(|argument| Path::new(argument).is_file()) else { return };
    let mut writer = Writer::open(path).unwrap();
    for step in 1.. {
        writer.add(&rows(step * ADDED)).unwrap();
        println!("added {step}");
        let ids: Vec<Id> = (0..REMOVED).map(|row| Id::Number((step * ADDED + row) as u64)).collect();
        writer.remove(&ids).unwrap();
        println!("removed {step}");
        if step % 10 == 0 {
            writer.compact().unwrap();
        }
    }
}

fn start(path: &Path) -> (Child, BufReader<ChildStdout>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["writer", "--exact", "--ignored", "--nocapture"])
        .arg(path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    (child, stdout)
}

/// What the writer says it has done before it is killed `after` its first commit: steps added, and removed from.
fn kill(path: &Path, after: Duration) -> (usize, usize) {
    let (mut child, mut stdout) = start(path);
    let mut said = String::new();
    let begun = Instant::now();
    while !said.contains("added 1\n") {
        assert!(stdout.read_line(&mut said).unwrap() > 0, "the writer ended: {said}");
        assert!(begun.elapsed() < Duration::from_secs(60), "the writer does nothing");
    }
    thread::sleep(after);
    child.kill().unwrap();
    child.wait().unwrap();
    stdout.read_to_string(&mut said).unwrap();
    // A last line may be cut in the middle.
    let whole = &said[..said.rfind('\n').map_or(0, |end| end + 1)];
    let last = |word: &str| {
        let steps = whole.lines().filter_map(|line| line.strip_prefix(word)?.trim().parse().ok());
        steps.max().unwrap_or(0)
    };
    (last("added "), last("removed "))
}

#[test]
fn nothing_committed_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    for round in 0..12u64 {
        BuildOptions::default().build(&rows(0), &path).unwrap();
        let (added, removed) = kill(&path, Duration::from_micros(1_500 * round * round));
        let index = Index::open(&path).unwrap();
        index.verify().unwrap();

        // It may have done one thing more than it could say.
        let live = index.len() - ADDED;
        let possible = [(added, removed), (added + 1, removed), (added, removed + 1)];
        let left = possible.map(|(added, removed)| (added * ADDED).saturating_sub(removed * REMOVED));
        assert!(left.contains(&live), "{live} rows, but it said {added} {removed}");
        for step in 0..=added {
            let set = rows(step * ADDED);
            for row in 0..ADDED {
                let position = index.position(&Id::Number((step * ADDED + row) as u64)).unwrap();
                let gone = step > 0 && row < REMOVED;
                match position {
                    Some(position) => assert_eq!(index.row(position).unwrap(), set.row(row)),
                    None => assert!(gone, "row {row} of {step}"),
                }
                assert!(!(gone && position.is_some() && step <= removed), "row {row} of {step} is back");
            }
        }
        // Its lock went with it.
        Writer::open(&path).unwrap();
    }
}
