//! Vectors that a user gives.

use std::path::Path;

use anyhow::{Result, anyhow};
use mrl_embedding::{Contents, EmbeddingSet, Error};
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
    if options.names_columns() && !is_parquet(path)? {
        let problem = "has no columns; --column, --id-column and --label-column are for Parquet";
        return Err(UsageError(format!("{}: {problem}", path.display())).into());
    }
    Ok(Vectors::open(path, options, &mut |text| note(text))?)
}

/// True if the file at `path` is Parquet. Other files have no columns.
pub(super) fn is_parquet(path: &Path) -> Result<bool> {
    Ok(Contents::of_file(path).map_err(Error::io(path))? == Contents::Parquet)
}

/// Refuses labels that are text where those of `other` are numbers, and the other way round: nothing says which number a name has. `are_text`
/// is of the labels that an option gave for the file at `path`, `are_names` of those of `other`, if it has some.
pub(super) fn check_form(path: &Path, are_text: bool, other: &str, are_names: Option<bool>) -> Result<()> {
    let (form, other_form) = match (are_text, are_names) {
        (true, Some(false)) => ("text", "numbers"),
        (false, Some(true)) => ("numbers", "names"),
        _ => return Ok(()),
    };
    let problem = format!("its labels are {form} and those of {other} are {other_form}; give {other_form}");
    Err(anyhow!("{}: {problem}", path.display()))
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
