use std::path::Path;

use anyhow::Result;
use mrl_embedding::EmbeddingSet;
use mrl_retrieve::{Parquet, ParquetColumns, Source};

use crate::{UsageError, args::InputArgs};

/// Opens what an index is built from or what is added to one.
pub(super) fn open(args: &InputArgs) -> Result<Box<dyn Source>> {
    let columns = ParquetColumns {
        vectors: args.column.clone(),
        ids: args.id_column.clone(),
        labels: args.label_column.clone(),
    };
    if has_extension(&args.input, &["parquet"]) {
        return Ok(Box::new(Parquet::open(&args.input, &columns)?));
    }
    if columns != ParquetColumns::default() {
        let problem = "has no columns; --column, --id-column and --label-column are for FILE.parquet";
        return Err(UsageError(format!("{}: {problem}", args.input.display())).into());
    }
    Ok(Box::new(EmbeddingSet::read(&args.input)?))
}

pub(super) fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str()).map(str::to_lowercase);
    extension.is_some_and(|extension| extensions.contains(&&*extension))
}
