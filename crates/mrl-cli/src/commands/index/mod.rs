//! `mrl index`: a function for each of its commands.

mod bench;
mod change;
mod hits;
mod info;
mod push;
mod search;
mod tradeoff;
mod tune;

use std::path::Path;

use anyhow::Result;
use mrl_embedding::EmbeddingSet;

use super::of_file;
use crate::{
    Ending,
    args::{IndexCommand, SearchArgs},
};

/// Names the file whose rows, or queries, are at fault.
fn of_rows<T>(file: &Path, result: Result<T, mrl_retrieve::Error>) -> Result<T> {
    of_file(file.display(), result, mrl_retrieve::Error::is_of_rows)
}

/// Embeds the image of a search by a run.
pub(crate) type EmbedQuery = fn(&SearchArgs, &Path) -> Result<EmbeddingSet>;

/// `mrl index`. `embed` embeds the image that is searched for, by a run.
///
/// # Errors
/// Those of the command. Each is one sentence that says what is wrong and how to mend it.
pub fn index(command: &IndexCommand, embed: EmbedQuery) -> Result<Ending> {
    match command {
        IndexCommand::Build(args) => change::build(args),
        IndexCommand::Add(args) => change::add(args),
        IndexCommand::Remove(args) => change::remove(args),
        IndexCommand::Compact { index } => change::compact(index),
        IndexCommand::Info(args) => info::info(args),
        IndexCommand::Search(args) => search::search(args, embed),
        IndexCommand::Tune(args) => tune::tune(args),
        IndexCommand::Bench(args) => bench::bench(args),
        IndexCommand::Push(args) => push::push(args),
    }?;
    Ok(Ending::Done)
}
