use std::path::Path;

use anyhow::{Result, anyhow};
use mrl_data::{IMAGE_FORMATS, is_image_file};
use mrl_embedding::{EmbeddingSet, Metadata, quoted};
use mrl_retrieve::{
    Error, Index, Schedule,
    postgres::{PostgresError, PostgresTable},
};
use mrl_vectors::ReadOptions;

use super::{EmbedQuery, hits::Rows, of_rows, push};
use crate::{
    UsageError,
    args::SearchArgs,
    commands::input,
    outputs::{HITS, OutputFile},
    progress::{answer, note},
};

pub(super) fn search(args: &SearchArgs, embed: EmbedQuery) -> Result<()> {
    if let Some(out) = &args.out {
        let out = OutputFile { option: "--out", path: out, kind: HITS, force: args.force };
        out.check(args.index.iter().chain([&args.queries]))?;
    }
    let (rows, schedule) = match (&args.index, push::server(&args.table)?) {
        (_, Some(server)) => in_table(args, embed, server.open(&args.table.table)?),
        (Some(path), None) => in_file(args, embed, &Index::open(path)?),
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

fn in_file(args: &SearchArgs, embed: EmbedQuery, index: &Index) -> Result<(Rows, Schedule)> {
    let queries = queries(args, embed, index.width(), &index.metadata())?;
    let schedule = schedule(args, index.schedule());
    let found = index.searcher()?.search(queries.embeddings(), args.k, &schedule);
    let found = of_rows(&args.queries, of_stored(args, found)?)?;
    Ok((Rows::new(index, &found, queries.len())?, schedule))
}

fn in_table(args: &SearchArgs, embed: EmbedQuery, mut table: PostgresTable) -> Result<(Rows, Schedule)> {
    let queries = queries(args, embed, table.width(), table.metadata())?;
    let schedule = schedule(args, table.schedule());
    let found = match table.search(queries.embeddings(), args.k, &schedule) {
        Err(PostgresError::Index(error)) => of_rows(&args.queries, of_stored(args, Err(error))?)?,
        found => found?,
    };
    Ok((Rows::of_table(found), schedule))
}

/// Says where a schedule comes from that the user has not written and that keeps too few rows.
fn of_stored<T>(args: &SearchArgs, found: Result<T, Error>) -> Result<Result<T, Error>> {
    match (&args.index, found) {
        (Some(index), Err(Error::KeepsTooFew { stage, k })) if args.schedule.is_none() => {
            let (shown, index) = (index.display(), quoted(index));
            let problem = format!(
                "{shown}: its search schedule was tuned for fewer hits: stage {stage} keeps fewer rows than --k {k}; add --schedule exact, or \
                 tune the index again: mrl index tune {index} --k {k}"
            );
            Err(UsageError(problem).into())
        }
        (_, found) => Ok(found),
    }
}

/// The schedule that was asked for, or that of the index.
fn schedule(args: &SearchArgs, stored: Option<&Schedule>) -> Schedule {
    args.schedule.as_ref().or(stored).cloned().unwrap_or_else(Schedule::exact)
}

/// What to search for in an index of this width and encoder.
fn queries(args: &SearchArgs, embed: EmbedQuery, width: usize, metadata: &Metadata) -> Result<EmbeddingSet> {
    let queries = read_queries(args, embed, metadata)?;
    check_alike(&args.queries, &queries, width, metadata)?;
    Ok(queries)
}

fn read_queries(args: &SearchArgs, embed: EmbedQuery, metadata: &Metadata) -> Result<EmbeddingSet> {
    if !is_image_file(&args.queries) {
        if args.run.is_some() {
            let problem = format!("is not an image ({IMAGE_FORMATS}), and --run embeds only images");
            return Err(UsageError(format!("{}: {problem}", args.queries.display())).into());
        }
        let options = ReadOptions { column: args.column.clone(), ..ReadOptions::default() };
        return input::read_set(&args.queries, &options);
    }
    let Some(run) = &args.run else {
        let encoder = metadata.encoder.as_deref().unwrap_or("an encoder unknown to it");
        let problem =
            format!("is an image, and the vectors of the index are of {encoder}; name its run with --run");
        return Err(UsageError(format!("{}: {problem}", args.queries.display())).into());
    };
    embed(args, run)
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
