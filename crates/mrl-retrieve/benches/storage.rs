//! How long an index of many rows takes to build, open, search for an id, verify, add to and compact, and the memory of that.
//!
//! `cargo bench -p mrl-retrieve --bench storage -- [ROWS [WIDTH]]`; without `--bench`, as under `cargo test`, few rows.

#![expect(clippy::print_stdout, reason = "a program for the terminal")]

use std::{env, error::Error, fs, time::Instant};

use mrl_retrieve::{BuildOptions, Id, Index, Source, Visit, Writer};

/// Rows that are there at a time.
const PIECE: usize = 4096;

/// Rows that are added at a time.
const ADDED: usize = 1000;

fn main() -> Result<(), Box<dyn Error>> {
    let measure = env::args().any(|argument| argument == "--bench");
    let mut numbers = env::args().skip(1).filter_map(|argument| argument.parse().ok());
    let rows = numbers.next().unwrap_or(if measure { 1_000_000 } else { 3_000 });
    let width = numbers.next().unwrap_or(if measure { 512 } else { 24 });

    let folder = tempfile::tempdir()?;
    let path = folder.path().join("index");
    timed("build", || BuildOptions::default().build(&Made { rows, width, seed: 1 }, &path))?;
    println!("       {:.2} GB in the file", fs::metadata(&path)?.len() as f64 / 1e9);
    let index = timed("open", || Index::open(&path))?;
    timed("an id", || index.position(&Id::Number(rows as u64 / 3)))?;
    timed("verify", || index.verify())?;
    drop(index);
    let mut writer = Writer::open(&path)?;
    timed("add 1,000", || writer.add(&Made { rows: ADDED, width, seed: 2 }))?;
    timed("remove 1,000", || writer.remove(&(0..ADDED as u64).map(Id::Number).collect::<Vec<_>>()))?;
    timed("compact", || writer.compact())?;
    Ok(())
}

fn timed<T>(what: &str, run: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let value = run();
    println!("{what:>12} {:10.1} ms, {}", start.elapsed().as_secs_f64() * 1e3, memory());
    value
}

/// The most memory so far that no file is behind, and that files are in; where Linux tells.
fn memory() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mib = |key: &str| {
        let line = status.lines().find(|line| line.starts_with(key))?;
        line.split_whitespace().nth(1)?.parse().ok().map(|kib: f64| kib / 1024.0)
    };
    let [own, peak] = ["RssAnon", "VmHWM"].map(|key| mib(key).unwrap_or(f64::NAN));
    format!("{own:.0} MiB own, {peak:.0} MiB at most with mapped files")
}

/// Rows that are made when they are asked for: the first numbers are the largest, as they are after training.
struct Made {
    rows: usize,
    width: usize,
    seed: u64,
}

impl Source for Made {
    fn rows(&self) -> usize {
        self.rows
    }

    fn width(&self) -> usize {
        self.width
    }

    fn visit(&self, visit: &mut Visit<'_>) -> Result<(), mrl_retrieve::Error> {
        let mut state = self.seed;
        let mut piece = Vec::with_capacity(PIECE * self.width);
        for start in (0..self.rows).step_by(PIECE) {
            piece.clear();
            for _ in start..self.rows.min(start + PIECE) {
                piece.extend((0..self.width).map(|place| next(&mut state) / (8 + place) as f32));
            }
            visit(&piece)?;
        }
        Ok(())
    }
}

/// The next of evenly spread numbers around 0.
fn next(state: &mut u64) -> f32 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 40) as f32 / (1 << 23) as f32 - 1.0
}
