use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{
    Contents, Error, Labels, Nesting,
    cure::no_vectors,
    file, npy,
    values::{self, Values},
};

/// `n` embeddings of `d` numbers, row by row, with what is known about them.
#[derive(Clone, Debug, PartialEq)]
pub struct EmbeddingSet {
    /// `[n, d]`, row-major.
    embeddings: Values,
    width: usize,
    labels: Option<Vec<i64>>,
    ids: Option<Vec<String>>,
    /// Where the embeddings come from.
    pub metadata: Metadata,
}

/// Where embeddings come from. Everything is optional: a set may come from another program.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Metadata {
    /// The prefix lengths that were trained.
    #[serde(skip)]
    pub nesting: Option<Nesting>,
    /// The encoder, e.g. `resnet18`, with its stem and width.
    pub encoder: Option<String>,
    /// Which of the two networks of a run: `target` or `online`.
    pub network: Option<String>,
    /// What tells the encoder's weights from others, such as those of the same run some steps later.
    pub weights: Option<String>,
    /// The rotation that was folded into the encoder last, `principal` or `learned`; none where its prefixes are as they were trained.
    pub fold: Option<String>,
    /// How an image became the encoder's input.
    pub preprocessing: Option<String>,
    /// The data set and its split, e.g. `cifar10 test`.
    pub dataset: Option<String>,
    /// The resolved configuration of the run, as TOML.
    pub config: Option<String>,
    /// The version of the program that wrote the set.
    pub version: Option<String>,
    /// The names of the classes: label `i` is `class_names[i]`.
    pub class_names: Option<Vec<String>>,
}

impl Metadata {
    /// The first label that has a name here and another in `other`, with both names. Folders number the classes that they have: a class that
    /// only one of two splits has moves the labels of the classes after it.
    #[must_use]
    pub fn class_of_another_name<'a>(&'a self, other: &'a Self) -> Option<(usize, &'a str, &'a str)> {
        let (ours, theirs) = (self.class_names.as_ref()?, other.class_names.as_ref()?);
        let named = ours.iter().zip(theirs).enumerate().find(|(_, (ours, theirs))| ours != theirs);
        named.map(|(label, (ours, theirs))| (label, ours.as_str(), theirs.as_str()))
    }
}

impl EmbeddingSet {
    /// A set of `embeddings.len() / width` rows.
    ///
    /// # Errors
    /// When `width` is 0 or does not divide the number of values.
    pub fn new(embeddings: Vec<f32>, width: usize) -> Result<Self, Error> {
        Self::of(Values::Owned(embeddings), width)
    }

    pub(crate) fn of(embeddings: Values, width: usize) -> Result<Self, Error> {
        if width == 0 {
            return Err(Error::Shape(
                "rows of no numbers are no embeddings; give at least one number a row".into(),
            ));
        }
        if !embeddings.len().is_multiple_of(width) {
            let values = embeddings.len();
            return Err(Error::Shape(format!("{values} values do not make rows of width {width}")));
        }
        Ok(Self { embeddings, width, labels: None, ids: None, metadata: Metadata::default() })
    }

    /// Adds a label for each row.
    ///
    /// # Errors
    /// When there is not exactly one label a row.
    pub fn with_labels(mut self, labels: Vec<i64>) -> Result<Self, Error> {
        self.check_count("labels", labels.len())?;
        self.labels = Some(labels);
        Ok(self)
    }

    /// Gives each row a label, and the set the list of classes that comes with them, if they are names. The `known` classes come first in
    /// it, so that several sets have the same numbers.
    ///
    /// # Errors
    /// When there is not exactly one label a row.
    pub fn labelled(mut self, labels: Labels, known: &[String]) -> Result<Self, Error> {
        let (numbers, classes) = labels.numbered(known);
        self = self.with_labels(numbers)?;
        self.metadata.class_names = classes;
        Ok(self)
    }

    /// Adds an id for each row.
    ///
    /// # Errors
    /// When there is not exactly one id a row.
    pub fn with_ids(mut self, ids: Vec<String>) -> Result<Self, Error> {
        self.check_count("ids", ids.len())?;
        self.ids = Some(ids);
        Ok(self)
    }

    fn check_count(&self, what: &str, count: usize) -> Result<(), Error> {
        if count == self.len() {
            return Ok(());
        }
        Err(Error::Shape(format!("{count} {what} for {} embeddings; give one for each", self.len())))
    }

    /// Reads a set from safetensors, or from `.npy` (embeddings alone); the contents say which it is. Numbers of type `f32` stay in the
    /// file and are mapped into memory, so that a set may be larger than that; do not write into the file while the set is in use. A
    /// file that is replaced, as [`EmbeddingSet::write`] does, changes nothing. Floats of 16 and 64 bits and whole numbers of 8 bits
    /// become `f32` in memory.
    ///
    /// # Errors
    /// When the file cannot be read, is damaged, or holds no matrix of such numbers, in safetensors called `embeddings`.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::read_noting(path.as_ref(), &mut |_| {})
    }

    /// As [`EmbeddingSet::read`]; `note` is called with a message where whole numbers become `f32`.
    ///
    /// # Errors
    /// Those of [`EmbeddingSet::read`].
    pub fn read_noting(path: &Path, note: &mut dyn FnMut(&str)) -> Result<Self, Error> {
        let map = values::map(path).map_err(Error::io(path))?;
        let kind = Contents::of(&map);
        if let Some(problem) = no_vectors(kind, path, &map) {
            return Err(Error::damaged(path, problem));
        }
        match kind {
            Contents::Parquet => Err(Error::damaged(
                path,
                "is a Parquet file, which is not read here; store the vectors as .npy, with numpy.save",
            )),
            Contents::Npy => npy::read(path, &map, note),
            // A file that is cut within its first bytes.
            Contents::Unknown if npy::is_npy(path) => npy::read(path, &map, note),
            _ => file::read(path, &map, note),
        }
    }

    /// Writes the set to safetensors, or its embeddings alone to `.npy`. The file appears whole or not at all.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        let path = path.as_ref();
        if npy::is_npy(path) { npy::write(self, path) } else { file::write(self, path) }
    }

    /// The number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.embeddings.len() / self.width
    }

    /// Whether there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.embeddings.is_empty()
    }

    /// The numbers in a row.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// All rows, `[n, d]` row-major.
    #[must_use]
    pub fn embeddings(&self) -> &[f32] {
        &self.embeddings
    }

    /// Row `index`, `[d]`.
    ///
    /// # Panics
    /// When `index` is not below [`EmbeddingSet::len`].
    #[must_use]
    pub fn row(&self, index: usize) -> &[f32] {
        &self.embeddings[index * self.width..][..self.width]
    }

    /// The first row with a number that is not finite, if there is one.
    #[must_use]
    pub fn not_finite(&self) -> Option<usize> {
        Some(self.embeddings.iter().position(|value| !value.is_finite())? / self.width)
    }

    /// A label a row, where they are known.
    #[must_use]
    pub fn labels(&self) -> Option<&[i64]> {
        self.labels.as_deref()
    }

    /// An id a row, where they are known.
    #[must_use]
    pub fn ids(&self) -> Option<&[String]> {
        self.ids.as_deref()
    }
}
