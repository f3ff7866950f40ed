use std::{fmt::Write, path::Path};

use anyhow::{Result, anyhow};
use mrl_embedding::{EmbeddingSet, quoted};
use mrl_retrieve::{Index, TuneOptions, Tuning, Writer};
use mrl_vectors::ReadOptions;

use super::{of_rows, search::check_alike, tradeoff::Tradeoff};
use crate::{
    args::TuneArgs,
    commands::input,
    outputs::{CHART, OutputFile},
    progress::{answer, note},
};

pub(super) fn tune(args: &TuneArgs) -> Result<()> {
    if let Some(chart) = &args.chart {
        let chart = OutputFile { option: "--chart", path: chart, kind: CHART, force: args.force };
        chart.check(args.queries.iter().chain([&args.index]))?;
    }
    let index = Index::open(&args.index)?;
    let reading = ReadOptions {
        column: args.column.clone(),
        label_column: args.label_column.clone(),
        labels: args.labels.clone(),
        classes: index.metadata().class_names.unwrap_or_default(),
        ..ReadOptions::default()
    };
    let queries = queries(args.queries.as_deref(), &reading, &index)?;
    if let (Some(path), Some(queries)) = (&args.queries, &queries) {
        check_classes(path, queries, &index, args.labels.is_some() || args.label_column.is_some())?;
    }
    let options = TuneOptions { k: args.k, recall: args.recall, workload: args.workload, graph: args.graph };
    let tuning = if args.dry_run {
        index.searcher()?.tune(queries.as_ref(), &options)
    } else {
        Writer::open(&args.index)?.tune(queries.as_ref(), &options)
    };
    let tuning = of_rows(args.queries.as_deref().unwrap_or(&args.index), tuning)?;
    answer(&table(&tuning, args.k));
    if let Some(seconds) = tuning.graph_build_s {
        answer(&format!("building the graph took {seconds:.1} s"));
    }
    if let Some(chart) = &args.chart {
        Tradeoff { tuning: &tuning, options: &options, stored: !args.dry_run, index: &index }.write(chart)?;
    }
    if !args.dry_run {
        answer(&format!("{}: searches follow {} from now on", args.index.display(), tuning.best));
        note(&format!("search with: mrl index search {} --queries QUERIES.safetensors", quoted(&args.index)));
    }
    Ok(())
}

/// Refuses queries whose labels mean other classes than those of `index`. `are_given` says that an option names the labels.
fn check_classes(path: &Path, queries: &EmbeddingSet, index: &Index, are_given: bool) -> Result<()> {
    let of_index = index.metadata();
    if queries.labels().is_none() || !index.info().labels {
        return Ok(());
    }
    if are_given {
        let are_text = queries.metadata.class_names.is_some();
        input::check_form(path, are_text, "the index", Some(of_index.class_names.is_some()))?;
    }
    match of_index.class_of_another_name(&queries.metadata) {
        Some((label, expected, given)) => Err(anyhow!(
            "{}: label {label} is {given:?}, and {expected:?} in the index; give the labels as text, with --labels",
            path.display()
        )),
        None => Ok(()),
    }
}

/// The queries at `path`, if there are to be some, which fit `index`.
pub(super) fn queries(
    path: Option<&Path>,
    options: &ReadOptions,
    index: &Index,
) -> Result<Option<EmbeddingSet>> {
    let Some(path) = path else { return Ok(None) };
    let queries = input::read_set(path, options)?;
    check_alike(path, &queries, index.width(), &index.metadata())?;
    Ok(Some(queries))
}

/// What was measured, from the fastest; the best is marked.
fn table(tuning: &Tuning, k: usize) -> String {
    let (recall, map) = (format!("recall@{k}"), format!("mAP@{k}"));
    let has_map = tuning.points.iter().any(|point| point.map.is_some());
    let map = if has_map { format!(" {map:>8}") } else { String::new() };
    let mut text = format!(
        "{:<28} {recall:>10} {:>8}{map} {:>12} {:>14}\n",
        "schedule", "at least", "queries/s", "multiply-adds"
    );
    for point in &tuning.points {
        let mark = if point.schedule == tuning.best { " <" } else { "" };
        let map = point.map.map(|map| format!(" {map:>8.4}")).unwrap_or_default();
        let _ = writeln!(
            text,
            "{:<28} {:>10.4} {:>8.4}{map} {:>12.0} {:>14.0}{mark}",
            point.schedule.to_string(),
            point.recall,
            point.recall_low,
            point.query_s.recip(),
            point.multiply_adds
        );
    }
    text.trim_end().to_owned()
}
