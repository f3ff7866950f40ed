use anyhow::{Result, anyhow};
use mrl_embedding::EmbeddingSet;
use mrl_retrieve::{Index, Schedule};
use mrl_train::Embedder;

use super::{hits, input::has_extension};
use crate::{UsageError, args::SearchArgs, commands::check_file, progress::answer};

pub(super) fn search(args: &SearchArgs) -> Result<()> {
    if let Some(out) = &args.out {
        if !has_extension(out, &["json", "npy"]) {
            return Err(UsageError(format!("--out {} must end in .json or .npy", out.display())).into());
        }
        check_file(out)?;
    }
    let index = Index::open(&args.index)?;
    let queries = queries(args, &index)?;
    check_alike(args, &queries, &index)?;
    let schedule =
        args.schedule.clone().or_else(|| index.schedule().cloned()).unwrap_or_else(Schedule::exact);
    let found = index.searcher()?.search(queries.embeddings(), args.k, &schedule)?;
    let rows = hits::Rows::new(&index, &found)?;
    match &args.out {
        None => answer(&rows.table()),
        Some(out) => {
            rows.write(out)?;
            answer(&format!(
                "{}: {} queries, {} hits each, by {schedule}",
                out.display(),
                queries.len(),
                found.k()
            ));
        }
    }
    Ok(())
}

/// The rows to search for.
fn queries(args: &SearchArgs, index: &Index) -> Result<EmbeddingSet> {
    if !has_extension(&args.queries, &["jpg", "jpeg", "png", "webp", "bmp"]) {
        if args.run.is_some() {
            let problem = "is no image (.jpg, .png, .webp or .bmp), and --run embeds images alone";
            return Err(UsageError(format!("{}: {problem}", args.queries.display())).into());
        }
        return Ok(EmbeddingSet::read(&args.queries)?);
    }
    let Some(run) = &args.run else {
        let encoder = index.info().metadata.encoder.unwrap_or_else(|| "an encoder unknown to it".to_owned());
        let problem =
            format!("is an image, and the vectors of the index are of {encoder}; name its run with --run");
        return Err(UsageError(format!("{}: {problem}", args.queries.display())).into());
    };
    Ok(Embedder::open(run, args.network)?.embed_image(&mrl_data::read_image(&args.queries)?)?)
}

/// Refuses queries of another encoder than the index is of.
fn check_alike(args: &SearchArgs, queries: &EmbeddingSet, index: &Index) -> Result<()> {
    let (given, expected) = (queries.width(), index.width());
    if given != expected {
        let problem = format!("are {given} wide but the index is {expected}; embed them with its encoder");
        return Err(anyhow!("{}: the queries {problem}", args.queries.display()));
    }
    match (&queries.metadata.weights, index.metadata().weights) {
        (Some(given), Some(expected)) if *given != expected => Err(anyhow!(
            "{}: the queries are of other weights ({given}) than the index ({expected}); embed both with the same",
            args.queries.display()
        )),
        _ => Ok(()),
    }
}
