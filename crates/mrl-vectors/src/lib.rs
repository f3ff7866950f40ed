//! The one reader of vectors that a user gives: an embedding set (safetensors), rows of numbers (`.npy`), or a column of Parquet, with
//! labels in the file or beside it.
//!
//! The contents of a file say what it is, whatever its name.
//!
//! ```no_run
//! use mrl_vectors::{ReadOptions, Vectors};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let options = ReadOptions { labels: Some("classes.txt".into()), ..ReadOptions::default() };
//! let set = Vectors::open("photos.parquet", &options, &mut |note| eprintln!("{note}"))?.into_set()?;
//! println!("{} vectors of {} numbers", set.len(), set.width());
//! # Ok(())
//! # }
//! ```

mod columns;
mod parquet;

use std::path::{Path, PathBuf};

pub use mrl_embedding::Error;
use mrl_embedding::{Contents, EmbeddingSet, Labels};

pub use self::parquet::Parquet;

/// How a file of vectors is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// The column of vectors of a Parquet file: lists of floats or of whole numbers of 8 bits, all of the same length. Where none is named,
    /// the only one of lists of floats, or else of 8-bit integers.
    pub column: Option<String>,
    /// The column of ids of a Parquet file: whole numbers or text. Where none is named, rows get numbers.
    pub id_column: Option<String>,
    /// The column of labels of a Parquet file: whole numbers, also as floats or booleans, or text. Where none is named, rows have none.
    pub label_column: Option<String>,
    /// A file with a label for each row, in the place of those of the vectors' own file; see [`Labels::read`].
    pub labels: Option<PathBuf>,
    /// Classes that have a number already, their place in this list. Labels that are text get these numbers, and those after them.
    pub classes: Vec<String>,
}

impl ReadOptions {
    /// Whether a column is named, which only Parquet has.
    #[must_use]
    pub fn names_columns(&self) -> bool {
        self.column.is_some() || self.id_column.is_some() || self.label_column.is_some()
    }
}

/// Vectors in a file.
pub enum Vectors {
    /// Those of safetensors or `.npy`, in memory or mapped into it.
    Set(EmbeddingSet),
    /// Those of Parquet, which are read a part at a time.
    Parquet(Parquet),
}

impl Vectors {
    /// Opens the file at `path`. `note` is called with a message where whole numbers become `f32`.
    ///
    /// # Errors
    /// When a file cannot be read, is damaged or of another kind, has no such columns, or has not exactly one label a row.
    pub fn open(
        path: impl AsRef<Path>,
        options: &ReadOptions,
        note: &mut dyn FnMut(&str),
    ) -> Result<Self, Error> {
        let path = path.as_ref();
        let labels = |rows| labels_beside(options.labels.as_deref(), rows);
        if Contents::of_file(path).map_err(Error::io(path))? == Contents::Parquet {
            let parquet = Parquet::open(path, options, note)?;
            let labels = labels(parquet.rows())?;
            return Ok(Self::Parquet(parquet.labelled(labels, &options.classes)?));
        }
        let set = EmbeddingSet::read_noting(path, note)?;
        Ok(Self::Set(match labels(set.len())? {
            Some(labels) => set.labelled(labels, &options.classes)?,
            None => set,
        }))
    }

    /// All of them, in memory. Numbers that are ids become text.
    ///
    /// # Errors
    /// When they cannot be read, or values are missing.
    pub fn into_set(self) -> Result<EmbeddingSet, Error> {
        match self {
            Self::Set(set) => Ok(set),
            Self::Parquet(parquet) => parquet.into_set(),
        }
    }
}

/// The labels in the file at `path`, if there is to be one, for so many rows.
fn labels_beside(path: Option<&Path>, rows: usize) -> Result<Option<Labels>, Error> {
    let Some(path) = path else { return Ok(None) };
    let labels = Labels::read(path)?;
    if labels.len() == rows {
        return Ok(Some(labels));
    }
    let problem = format!("has {} labels for {rows} vectors; give one for each", labels.len());
    Err(Error::damaged(path, problem))
}
