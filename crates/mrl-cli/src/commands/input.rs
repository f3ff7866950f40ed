//! Vectors that a user gives.

use std::path::Path;

use anyhow::Result;
use mrl_embedding::EmbeddingSet;
use mrl_retrieve::Source;
use mrl_vectors::{ReadOptions, Vectors};

use crate::{UsageError, args::InputArgs, progress::note};

/// Reads all vectors of `args`.
///
/// # Errors
/// When the file cannot be read, or is not what its options say.
pub fn read(args: &InputArgs) -> Result<EmbeddingSet> {
    read_set(&args.input, &options(args, &[]))
}

/// Reads all vectors of the file at `path`.
pub(super) fn read_set(path: &Path, options: &ReadOptions) -> Result<EmbeddingSet> {
    Ok(open_vectors(path, options)?.into_set()?)
}

/// Opens what an index is built from or what is added to one. Labels that are text get the numbers that `classes` have.
pub(super) fn open(args: &InputArgs, classes: &[String]) -> Result<Box<dyn Source>> {
    Ok(match open_vectors(&args.input, &options(args, classes))? {
        Vectors::Set(set) => Box::new(set),
        Vectors::Parquet(parquet) => Box::new(parquet),
    })
}

fn open_vectors(path: &Path, options: &ReadOptions) -> Result<Vectors> {
    let vectors = Vectors::open(path, options, &mut |text| note(text))?;
    if matches!(vectors, Vectors::Set(_)) && options.names_columns() {
        let problem = "has no columns; --column, --id-column and --label-column are for Parquet";
        return Err(UsageError(format!("{}: {problem}", path.display())).into());
    }
    Ok(vectors)
}

fn options(args: &InputArgs, classes: &[String]) -> ReadOptions {
    ReadOptions {
        column: args.column.clone(),
        id_column: args.id_column.clone(),
        label_column: args.label_column.clone(),
        labels: args.labels.clone(),
        classes: classes.to_vec(),
    }
}
