use std::{fmt::Write, num::NonZeroUsize};

use anyhow::Result;
use mrl_retrieve::{Bench, BenchOptions, Benchmark, Index, Pace, Schedule};
use mrl_vectors::ReadOptions;
use serde_json::{Value, json};

use super::{of_rows, tune::queries};
use crate::{
    UsageError,
    args::BenchArgs,
    progress::{Progress, answer, note},
};

pub(super) fn bench(args: &BenchArgs) -> Result<()> {
    let index = Index::open(&args.index)?;
    let reading = ReadOptions { column: args.column.clone(), ..ReadOptions::default() };
    let queries = queries(args.queries.as_deref(), &reading, &index)?;
    let options = BenchOptions { k: args.k.get(), repeats: args.repeats };
    // A vector that stands in for a query is found too, and left out.
    let asked = if queries.is_some() { args.k } else { args.k.saturating_add(1) };
    let schedules = schedules(args, &index, asked);
    check(args, &schedules, asked)?;
    let progress = Progress::new("timing");
    let bench = index.searcher()?.bench(queries.as_ref(), &schedules, &options, &mut |done, all| {
        progress.at(done as u64, all as u64, "");
    });
    let bench = of_rows(args.queries.as_deref().unwrap_or(&args.index), bench)?;
    progress.finish();
    answer(&if args.json { serde_json::to_string_pretty(&values(&bench))? } else { table(&bench, &index) });
    if args.schedule.is_empty() && index.schedule().is_none() {
        note("the index has no schedule; `mrl index tune` finds one, --schedule names others");
    }
    Ok(())
}

/// Brute force and exact answers, then what was asked for or is stored, each once.
fn schedules(args: &BenchArgs, index: &Index, asked: NonZeroUsize) -> Vec<Schedule> {
    let stored = index.schedule().filter(|_| args.schedule.is_empty());
    let mut schedules = vec![Schedule::scan(index.width(), asked), Schedule::exact()];
    for schedule in args.schedule.iter().chain(stored) {
        if !schedules.contains(schedule) {
            schedules.push(schedule.clone());
        }
    }
    schedules
}

/// Refuses schedules that are long enough for `k` vectors, and too short by the one that stands in for the query.
fn check(args: &BenchArgs, schedules: &[Schedule], asked: NonZeroUsize) -> Result<(), UsageError> {
    let stages = schedules.iter().flat_map(Schedule::stages);
    match stages.map(|stage| stage.keep).min() {
        Some(least) if args.k <= least && least < asked => Err(UsageError(format!(
            "a stage keeps {least} vectors, too few for --k {} without the vector that stands in for each query; give --queries, or \
             let it keep {asked}",
            args.k
        ))),
        _ => Ok(()),
    }
}

/// Brute force and exact answers, which the others are compared with.
fn baselines(bench: &Bench) -> [&Benchmark; 2] {
    [&bench.schedules[0], &bench.schedules[1]]
}

/// How many times as many queries are answered as by brute force and by exact answers.
fn ratios(bench: &Bench, benchmark: &Benchmark, pace: impl Fn(&Benchmark) -> Pace) -> [f64; 2] {
    baselines(bench).map(|baseline| pace(baseline).query_s / pace(benchmark).query_s)
}

fn table(bench: &Bench, index: &Index) -> String {
    let mut text = format!("{:>39} {:^30}   {:^30}\n", "", "one at a time", "all at once");
    let speed = format!("{:>12} {:>8} {:>8}", "queries/s", "x brute", "x exact");
    let recall = format!("recall@{}", bench.k);
    let _ = writeln!(text, "{:<28} {recall:>10} {speed}   {speed}", "schedule");
    for benchmark in &bench.schedules {
        let [single, batch] = [|of: &Benchmark| of.single, |of: &Benchmark| of.batch].map(|pace| {
            let [brute, exact] = ratios(bench, benchmark, pace);
            format!("{:>12.0} {brute:>8.2} {exact:>8.2}", pace(benchmark).query_s.recip())
        });
        let schedule = benchmark.schedule.to_string();
        let _ = writeln!(text, "{schedule:<28} {:>10.4} {single}   {batch}", benchmark.recall);
    }
    let (brute, width, rows) = (&baselines(bench)[0].schedule, index.width(), index.len());
    let (single, batch) = (bench.single_queries, bench.batch_queries);
    let rounds = match bench.repeats {
        1 => "Of a single round".to_owned(),
        several => format!("Medians of {several} rounds"),
    };
    text + &format!(
        "{brute} is brute force: all {width} dims of {rows} vectors. exact leaves out what bounds prove.\n\
         {rounds}: {single} queries one at a time, {batch} at once."
    )
}

fn values(bench: &Bench) -> Value {
    let speed = |benchmark: &Benchmark, pace: fn(&Benchmark) -> Pace| {
        let [brute, exact] = ratios(bench, benchmark, pace);
        let times = pace(benchmark);
        json!({
            "queries_per_s": times.query_s.recip(),
            "query_s": times.query_s,
            "fastest_s": times.fastest_s,
            "slowest_s": times.slowest_s,
            "to_brute_force": brute,
            "to_exact": exact,
        })
    };
    let schedule = |benchmark: &Benchmark| {
        json!({
            "schedule": benchmark.schedule,
            "recall": benchmark.recall,
            "single": speed(benchmark, |benchmark| benchmark.single),
            "batch": speed(benchmark, |benchmark| benchmark.batch),
        })
    };
    json!({
        "k": bench.k,
        "repeats": bench.repeats,
        "single_queries": bench.single_queries,
        "batch_queries": bench.batch_queries,
        "brute_force": baselines(bench)[0].schedule,
        "schedules": bench.schedules.iter().map(schedule).collect::<Vec<_>>(),
    })
}
