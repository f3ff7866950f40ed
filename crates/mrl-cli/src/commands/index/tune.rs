use std::fmt::Write;

use anyhow::Result;
use mrl_embedding::EmbeddingSet;
use mrl_retrieve::{Index, TuneOptions, Tuning, Writer};

use super::search::check_alike;
use crate::{args::TuneArgs, progress::answer};

pub(super) fn tune(args: &TuneArgs) -> Result<()> {
    let index = Index::open(&args.index)?;
    let queries = args.queries.as_ref().map(EmbeddingSet::read).transpose()?;
    if let (Some(path), Some(queries)) = (&args.queries, &queries) {
        check_alike(path, queries, index.width(), &index.metadata())?;
    }
    let queries = queries.as_ref().map(EmbeddingSet::embeddings);
    let options = TuneOptions { k: args.k, recall: args.recall, workload: args.workload, graph: args.graph };
    let tuning = if args.dry_run {
        index.searcher()?.tune(queries, &options)?
    } else {
        Writer::open(&args.index)?.tune(queries, &options)?
    };
    answer(&table(&tuning, args.k));
    if let Some(seconds) = tuning.graph_build_s {
        answer(&format!("building the graph took {seconds:.1} s"));
    }
    if !args.dry_run {
        answer(&format!("{}: searches follow {} from now on", args.index.display(), tuning.best));
    }
    Ok(())
}

/// What was measured, from the fastest; the best is marked.
fn table(tuning: &Tuning, k: usize) -> String {
    let recall = format!("recall@{k}");
    let mut text = format!("{:<28} {recall:>10} {:>12} {:>14}\n", "schedule", "queries/s", "multiply-adds");
    for point in &tuning.points {
        let mark = if point.schedule == tuning.best { " <" } else { "" };
        let _ = writeln!(
            text,
            "{:<28} {:>10.4} {:>12.0} {:>14.0}{mark}",
            point.schedule.to_string(),
            point.recall,
            point.query_s.recip(),
            point.multiply_adds
        );
    }
    text.trim_end().to_owned()
}
