use std::path::Path;

use anyhow::Result;
use mrl_embedding::EmbeddingSet;
use mrl_retrieve::{Id, Parquet, ParquetColumns, Source};

use crate::{UsageError, args::InputArgs};

/// Reads all vectors; numbers of a column of ids become text.
pub(super) fn read(args: &InputArgs) -> Result<EmbeddingSet> {
    if !has_extension(&args.input, &["parquet"]) {
        refuse_columns(args)?;
        return Ok(EmbeddingSet::read(&args.input)?);
    }
    let source = open(args)?;
    let mut values = Vec::with_capacity(source.rows() * source.width());
    source.visit(&mut |rows| {
        values.extend_from_slice(rows);
        Ok(())
    })?;
    let mut set = EmbeddingSet::new(values, source.width())?;
    if let Some(labels) = source.labels() {
        set = set.with_labels(labels.into_owned())?;
    }
    if let Some(ids) = source.ids() {
        let text = |row| match ids.get(row) {
            Id::Number(number) => number.to_string(),
            Id::Name(name) => name,
        };
        set = set.with_ids((0..ids.len()).map(text).collect())?;
    }
    Ok(set)
}

/// Opens what an index is built from or what is added to one.
pub(super) fn open(args: &InputArgs) -> Result<Box<dyn Source>> {
    if has_extension(&args.input, &["parquet"]) {
        return Ok(Box::new(Parquet::open(&args.input, &columns(args))?));
    }
    refuse_columns(args)?;
    Ok(Box::new(EmbeddingSet::read(&args.input)?))
}

fn columns(args: &InputArgs) -> ParquetColumns {
    ParquetColumns {
        vectors: args.column.clone(),
        ids: args.id_column.clone(),
        labels: args.label_column.clone(),
    }
}

fn refuse_columns(args: &InputArgs) -> Result<(), UsageError> {
    if columns(args) == ParquetColumns::default() {
        return Ok(());
    }
    let problem = "has no columns; --column, --id-column and --label-column are for FILE.parquet";
    Err(UsageError(format!("{}: {problem}", args.input.display())))
}

pub(super) fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str()).map(str::to_lowercase);
    extension.is_some_and(|extension| extensions.contains(&&*extension))
}
