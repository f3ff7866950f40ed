//! `mrl`'s own steps on request, for `cargo xtask bench train`: reads `steps N` from stdin, makes N steps on views that lie in
//! memory, answers with a line of JSON. With `--test`, or as a part of `cargo test`, it makes one small step.
#![allow(clippy::print_stdout, missing_docs, reason = "a program for a script")]

use std::{error::Error, io::stdin, time::Instant};

use clap::Parser;
use mrl_config::{Config, Encoder, Objective, Precision};
use mrl_train::StepBench;
use serde_json::json;

#[derive(Parser)]
struct Args {
    #[arg(long, default_value = "resnet18")]
    encoder: Encoder,
    #[arg(long, default_value = "auto")]
    precision: Precision,
    #[arg(long, default_value_t = 256)]
    batch: usize,
    #[arg(long, default_value_t = 32)]
    size: usize,
    /// One without labels.
    #[arg(long, default_value = "relic")]
    objective: Objective,
    #[arg(long, default_value_t = 2)]
    views: usize,
    #[arg(long, default_value_t = 0)]
    small_views: usize,
    /// Cargo gives it when it is asked for benchmarks.
    #[arg(long)]
    bench: bool,
    #[arg(long)]
    test: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    mrl_cli::memory::keep_freed_pages();
    let args = Args::parse();
    let mut config = Config::preset("reference")?;
    config.model.encoder = args.encoder;
    config.run.precision = args.precision;
    config.objective.loss = args.objective;
    config.run.batch_size = args.batch;
    (config.run.views, config.run.small_views) = (args.views, args.small_views);
    if !args.bench || args.test {
        (config.model.width, config.run.batch_size) = (0.125, 4);
        println!("{}", answer(&mut StepBench::new(config.check()?, 8)?, 1)?);
        return Ok(());
    }
    let mut bench = StepBench::new(config.check()?, args.size)?;
    for line in stdin().lines() {
        let line = line?;
        let steps = line.strip_prefix("steps ").ok_or("write `steps N`")?.trim().parse()?;
        let mut answer = answer(&mut bench, steps)?;
        (answer["device"], answer["precision"]) = (json!(bench.run().device), json!(bench.run().precision));
        println!("{answer}");
    }
    Ok(())
}

fn answer(bench: &mut StepBench, steps: usize) -> Result<serde_json::Value, Box<dyn Error>> {
    let start = Instant::now();
    for _ in 0..steps {
        bench.step()?;
    }
    Ok(json!({ "seconds": start.elapsed().as_secs_f64(), "peak_mib": peak_mib() }))
}

/// The largest resident size so far.
fn peak_mib() -> f64 {
    // SAFETY: all zeros is a valid `rusage`, and `getrusage` writes one to the place that it is given.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &raw mut usage);
        usage
    };
    usage.ru_maxrss as f64 / if cfg!(target_os = "macos") { 1_048_576.0 } else { 1024.0 }
}
