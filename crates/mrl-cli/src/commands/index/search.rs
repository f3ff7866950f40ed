use std::path::Path;

use anyhow::{Result, anyhow};
use mrl_embedding::{EmbeddingSet, Metadata};
use mrl_retrieve::{
    Index, Schedule,
    postgres::{PostgresError, PostgresTable},
};
use mrl_train::Embedder;

use super::{hits::Rows, of_rows, push};
use crate::{
    UsageError,
    args::SearchArgs,
    commands::input,
    file_name::has_extension,
    outputs::{FileKind, OutputFile},
    progress::{answer, note},
};

pub(super) fn search(args: &SearchArgs) -> Result<()> {
    if let Some(out) = &args.out {
        let out = OutputFile { option: "--out", path: out, kind: FileKind::Hits, force: args.force };
        out.check(args.index.iter().chain([&args.queries]))?;
    }
    let (rows, schedule) = match (&args.index, push::server(&args.table)?) {
        (_, Some(server)) => in_table(args, server.open(&args.table.table)?),
        (Some(path), None) => in_file(args, &Index::open(path)?),
        (None, None) => Err(UsageError("name an index, or a database with --postgres URL".to_owned()).into()),
    }?;
    let (queries, (fewest, most)) = (rows.queries(), rows.hits());
    if queries > 0 && fewest < args.k {
        let found = if fewest == most { "there are" } else { "for some queries there are" };
        note(&format!("{found} {fewest} vectors to find, fewer than --k {}", args.k));
    }
    match &args.out {
        None => answer(&rows.table()),
        Some(out) => {
            rows.write(out)?;
            let hits = if fewest == most { most.to_string() } else { format!("{fewest} to {most}") };
            answer(&format!("{}: {queries} queries, {hits} hits each, by {schedule}", out.display()));
        }
    }
    Ok(())
}

fn in_file(args: &SearchArgs, index: &Index) -> Result<(Rows, Schedule)> {
    let queries = queries(args, index.width(), &index.metadata())?;
    let schedule = schedule(args, index.schedule());
    let found = index.searcher()?.search(queries.embeddings(), args.k, &schedule);
    let found = of_rows(&args.queries, found)?;
    Ok((Rows::new(index, &found, queries.len())?, schedule))
}

fn in_table(args: &SearchArgs, mut table: PostgresTable) -> Result<(Rows, Schedule)> {
    let queries = queries(args, table.width(), table.metadata())?;
    let schedule = schedule(args, table.schedule());
    let found = match table.search(queries.embeddings(), args.k, &schedule) {
        Err(PostgresError::Index(error)) => of_rows(&args.queries, Err(error))?,
        found => found?,
    };
    Ok((Rows::of_table(found), schedule))
}

/// The schedule that was asked for, or that of the index.
fn schedule(args: &SearchArgs, stored: Option<&Schedule>) -> Schedule {
    args.schedule.as_ref().or(stored).cloned().unwrap_or_else(Schedule::exact)
}

/// What to search for in an index of this width and encoder.
fn queries(args: &SearchArgs, width: usize, metadata: &Metadata) -> Result<EmbeddingSet> {
    let queries = read_queries(args, metadata)?;
    check_alike(&args.queries, &queries, width, metadata)?;
    Ok(queries)
}

fn read_queries(args: &SearchArgs, metadata: &Metadata) -> Result<EmbeddingSet> {
    if !has_extension(&args.queries, &["jpg", "jpeg", "png", "webp", "bmp"]) {
        if args.run.is_some() {
            let problem = "is no image (.jpg, .png, .webp or .bmp), and --run embeds images alone";
            return Err(UsageError(format!("{}: {problem}", args.queries.display())).into());
        }
        return input::read_queries(&args.queries);
    }
    let Some(run) = &args.run else {
        let encoder = metadata.encoder.as_deref().unwrap_or("an encoder unknown to it");
        let problem =
            format!("is an image, and the vectors of the index are of {encoder}; name its run with --run");
        return Err(UsageError(format!("{}: {problem}", args.queries.display())).into());
    };
    Ok(Embedder::open(run, args.network)?.embed_image(&mrl_data::read_image(&args.queries)?)?)
}

/// Refuses queries of another encoder than the index is of.
pub(super) fn check_alike(
    path: &Path,
    queries: &EmbeddingSet,
    expected: usize,
    metadata: &Metadata,
) -> Result<()> {
    let given = queries.width();
    if given != expected {
        let problem = format!("are {given} wide but the index is {expected}; embed them with its encoder");
        return Err(anyhow!("{}: the queries {problem}", path.display()));
    }
    match (&queries.metadata.weights, &metadata.weights) {
        (Some(given), Some(expected)) if given != expected => Err(anyhow!(
            "{}: the queries are of other weights ({given}) than the index ({expected}); embed both with the same",
            path.display()
        )),
        _ => Ok(()),
    }
}
