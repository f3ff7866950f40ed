//! Queries that are answered in a second, and how many of the true ten nearest are found: a line of JSON for each schedule.
//! `bench/search/peers.py` measures faiss and usearch doing the same.
//!
//! `cargo bench -p mrl-retrieve --bench search -- [BASE QUERIES [DTYPE [DIMS [GRAPH [SCHEDULE…]]]]]` with two embedding
//! sets; without them, rows made up of few directions. The schedules `tuned` and `tuned-graph` are what tuning finds for these
//! queries, without a graph and with one. Without `--bench`, as under `cargo test`, few rows are searched once.

#![expect(clippy::print_stdout, reason = "a program for the terminal")]

use std::{
    env,
    error::Error,
    hint::black_box,
    time::{Duration, Instant},
};

use mrl_embedding::{EmbeddingSet, Nesting};
use mrl_retrieve::{BuildOptions, Dtype, GraphChoice, Index, Rotate, Schedule, Searcher, TuneOptions};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;

const K: usize = 10;

/// How long each way is repeated. The fastest counts: what else the machine does only ever slows one down.
const DURATION: Duration = Duration::from_secs(1);

/// Queries that are answered one after the other for a time.
const SINGLE: usize = 200;

/// The prefix of the graph.
const GRAPH: usize = 64;

const SCHEDULES: [&str; 13] = [
    "exact",
    "16:100,512",
    "16:200,512",
    "32:30,512",
    "32:50,512",
    "32:100,512",
    "64:50,512",
    "16:200,64:30,512",
    "g64:32,512",
    "g64:64,512",
    "g64:128,512",
    TUNED,
    TUNED_GRAPH,
];

const TUNED: &str = "tuned";
const TUNED_GRAPH: &str = "tuned-graph";

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let measure = env::args().any(|argument| argument == "--bench");
    let (base, queries) = match &arguments[..] {
        [base, queries, ..] => (EmbeddingSet::read(base)?, EmbeddingSet::read(queries)?),
        _ if measure => (made_up(50_000, 512, 1)?, made_up(10_000, 512, 2)?),
        _ => (made_up(2_000, 512, 1)?, made_up(100, 512, 2)?),
    };
    let shortlist_dtype = match arguments.get(2).map(String::as_str) {
        None | Some("int8") => Dtype::Int8,
        Some("bf16") => Dtype::Bf16,
        Some("f32") => Dtype::F32,
        Some(other) => return Err(format!("{other} is no dtype; give int8, bf16 or f32").into()),
    };
    let dims = arguments.get(3).map_or(Ok(Nesting::powers_of_two(512)?), |dims| Nesting::parse(dims))?;
    let folder = tempfile::tempdir()?;
    let rotate = Rotate::Pca;
    let graph = arguments.get(4).map_or(Ok(GRAPH), |dim| dim.parse())?;
    let path = folder.path().join("index");
    let options =
        BuildOptions { rotate, shortlist_dtype, dims: dims.dims().to_vec(), ..BuildOptions::default() };
    let time = |options: &BuildOptions| -> Result<f64, Box<dyn Error>> {
        let start = Instant::now();
        options.build(&base, &path)?;
        Ok(start.elapsed().as_secs_f64())
    };
    let (plain_s, graph_s) =
        (time(&options)?, time(&BuildOptions { graph: Some(graph), ..options.clone() })?);
    let index = Index::open(&path)?;
    let searcher = index.searcher()?;
    let queries = queries.embeddings();
    let sample = &queries[..queries.len().min(1_000 * 512)];
    let truth = searcher.search(sample, K, &Schedule::exact())?;
    let given = arguments.get(5..).filter(|schedules| !schedules.is_empty());
    let schedules: Vec<&str> =
        given.map_or(SCHEDULES.to_vec(), |given| given.iter().map(String::as_str).collect());
    // Tuning takes its time, which no test has.
    for text in schedules.into_iter().filter(|text| measure || !text.starts_with(TUNED)) {
        let schedule: Schedule = match text {
            TUNED => tuned(&searcher, sample, GraphChoice::None)?,
            TUNED_GRAPH => tuned(&searcher, sample, GraphChoice::On(graph))?,
            text => text.parse()?,
        };
        let found = searcher.search(sample, K, &schedule)?;
        let recall = recall(truth.positions(), found.positions());
        let single = single(&searcher, sample, &schedule, measure)?;
        let batch = batch(&searcher, queries, &schedule, measure)?;
        let name = if text == schedule.to_string() { text.to_owned() } else { format!("{text}: {schedule}") };
        let build_s = if schedule.graph().is_some() { graph_s } else { plain_s };
        let line = json!({
            "name": format!("`mrl` {name}"), "build_s": build_s, "recall": recall, "single": single, "batch": batch,
        });
        println!("{line}");
    }
    Ok(())
}

/// What `mrl index tune --recall 0.99` would find with some of `queries`.
fn tuned(searcher: &Searcher<'_>, queries: &[f32], graph: GraphChoice) -> Result<Schedule, Box<dyn Error>> {
    let queries = EmbeddingSet::new(queries.to_vec(), 512)?;
    Ok(searcher.tune(Some(&queries), &TuneOptions { graph, ..TuneOptions::default() })?.best)
}

fn single(
    searcher: &Searcher<'_>,
    queries: &[f32],
    schedule: &Schedule,
    measure: bool,
) -> Result<f64, Box<dyn Error>> {
    let queries = &queries[..queries.len().min(SINGLE * 512)];
    fastest(queries.len() / 512, measure, || {
        for query in queries.chunks_exact(512) {
            black_box(searcher.search(query, K, schedule)?);
        }
        Ok(())
    })
}

fn batch(
    searcher: &Searcher<'_>,
    queries: &[f32],
    schedule: &Schedule,
    measure: bool,
) -> Result<f64, Box<dyn Error>> {
    fastest(queries.len() / 512, measure, || {
        black_box(searcher.search(queries, K, schedule)?);
        Ok(())
    })
}

/// Of `n` queries that `search` answers, those a second.
fn fastest(
    n: usize,
    measure: bool,
    search: impl Fn() -> Result<(), Box<dyn Error>>,
) -> Result<f64, Box<dyn Error>> {
    let (start, mut best) = (Instant::now(), Duration::MAX);
    while best == Duration::MAX || measure && start.elapsed() < DURATION {
        let round = Instant::now();
        search()?;
        best = best.min(round.elapsed());
    }
    Ok(n as f64 / best.as_secs_f64())
}

fn recall(truth: &[usize], found: &[usize]) -> f64 {
    let both = |(truth, found): (&[usize], &[usize])| truth.iter().filter(|row| found.contains(row)).count();
    truth.chunks(K).zip(found.chunks(K)).map(both).sum::<usize>() as f64 / truth.len() as f64
}

/// Rows that a few directions make up, and a little of all others, from the same distribution for each `seed`.
fn made_up(n: usize, width: usize, seed: u64) -> Result<EmbeddingSet, mrl_embedding::Error> {
    let mut random = ChaCha8Rng::seed_from_u64(0);
    let directions: Vec<f32> = numbers(&mut random).take(width * width).collect();
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut rows = vec![0.0; n * width];
    for row in rows.chunks_exact_mut(width) {
        for (rank, direction) in directions.chunks_exact(width).enumerate().take(64) {
            let share = numbers(&mut random).next().unwrap_or(0.0) / (1 + rank) as f32;
            row.iter_mut().zip(direction).for_each(|(value, direction)| *value += share * direction);
        }
        row.iter_mut().zip(numbers(&mut random)).for_each(|(value, noise)| *value += 0.02 * noise);
    }
    EmbeddingSet::new(rows, width)
}

fn numbers(random: &mut impl Rng) -> impl Iterator<Item = f32> {
    std::iter::repeat_with(|| random.random_range(-1.0f32..1.0))
}
