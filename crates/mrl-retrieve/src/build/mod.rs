mod rotate;

use std::{borrow::Cow, fs::File, io, path::Path};

use mrl_embedding::Nesting;
use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, VariantNames};

use crate::{
    Dtype, Error, Ids, Index, Metric, Schedule, VERSION,
    file::{Appender, HEAD, Manifest, is_replaceable, write_whole},
    layout::{Layout, Shortlist},
    lock::open_locked,
    rotation::Rotation,
    segment::write_segment,
    source::Source,
};

/// How an index is built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildOptions {
    /// What makes two rows alike.
    pub metric: Metric,
    /// The prefixes to store apart, increasing; the width is added. Without any, those that the encoder was trained with, or
    /// else the powers of two from 8.
    pub dims: Vec<usize>,
    /// Whether the shortlist is rotated. Where no prefix is stored apart, there is no shortlist.
    pub rotate: Rotate,
    /// How the shortlist is stored. Where it is neither rotated nor of fewer bits, the rows themselves serve.
    pub shortlist_dtype: Dtype,
    /// One of the prefixes that shortlist, which gets a graph to walk along. [`crate::Writer::tune`] adds one where it is faster.
    pub graph: Option<usize>,
}

/// Whether the shortlist is rotated onto the principal components of the rows. Rows keep their products, and prefixes say more
/// of them.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    Display,
    EnumString,
    VariantNames,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Rotate {
    /// No.
    None,
    /// Yes.
    Pca,
    /// If it finds more of the nearest rows of a sample.
    #[default]
    Auto,
}

impl Default for BuildOptions {
    fn default() -> Self {
        Self {
            metric: Metric::Cosine,
            dims: Vec::new(),
            rotate: Rotate::Auto,
            shortlist_dtype: Dtype::Int8,
            graph: None,
        }
    }
}

impl BuildOptions {
    /// Builds an index of the rows of `source` in the place of what may be at `path`, which stays as it is until all is written.
    ///
    /// # Errors
    /// When the dims are not usable, a row is not finite, an id comes twice, another process is changing an index at `path`,
    /// another file is there, or the file cannot be written.
    pub fn build(&self, source: &dyn Source, path: impl AsRef<Path>) -> Result<Index, Error> {
        self.build_at(source, path.as_ref(), Existing::IsIndex)
    }

    /// As [`BuildOptions::build`], and replaces also a file that is no index.
    ///
    /// # Errors
    /// As those of [`BuildOptions::build`].
    pub fn build_over(&self, source: &dyn Source, path: impl AsRef<Path>) -> Result<Index, Error> {
        self.build_at(source, path.as_ref(), Existing::IsAnyFile)
    }

    fn build_at(&self, source: &dyn Source, path: &Path, existing: Existing) -> Result<Index, Error> {
        let _lock = lock_existing(path, existing)?;
        check(source, 0)?;
        let dims = self.dims(source)?;
        let rotation = self.rotation(source, &dims)?;
        let stored_apart = dims.len() > 1 && (rotation.is_some() || self.shortlist_dtype != Dtype::F32);
        let dtype = stored_apart.then_some(self.shortlist_dtype);
        let short = shortlist_dims(&dims, dtype);
        if let Some(dim) = self.graph.filter(|dim| !short.contains(dim)) {
            return Err(Error::NoGraphHere { dim, dims: short.to_vec() });
        }
        let ids = ids(source, None)?;
        let metadata = source.metadata();
        let manifest = Manifest {
            version: VERSION.to_owned(),
            metric: self.metric,
            dims,
            dtype,
            rotation: None,
            ids: ids.kind(),
            largest_id: None,
            labels: source.labels().is_some(),
            nesting: metadata.nesting.as_ref().map(|nesting| nesting.dims().to_owned()),
            metadata,
            schedule: None,
            graph: None,
            segments: Vec::new(),
        };
        write_whole(path, |file| {
            write_index(path, file, manifest, rotation.as_ref(), 1, Some((source, &ids)))?;
            self.graph.map_or(Ok(()), |dim| add_graph(path, file, dim, None))
        })?;
        Index::open(path)
    }

    fn dims(&self, source: &dyn Source) -> Result<Vec<usize>, Error> {
        let width = source.width();
        if self.dims.is_empty() {
            let trained = source.metadata().nesting.filter(|nesting| nesting.width() == width);
            return Ok(trained.map_or_else(|| Nesting::powers_of_two(width), Ok)?.dims().to_owned());
        }
        let mut dims = self.dims.clone();
        if dims.last().is_some_and(|&last| last < width) {
            dims.push(width);
        }
        Ok(Nesting::new(dims, width)?.dims().to_owned())
    }
}

/// The prefixes that shortlist, of `dims`.
pub(crate) fn shortlist_dims(dims: &[usize], dtype: Option<Dtype>) -> &[usize] {
    if dtype.is_some() { &dims[..dims.len() - 1] } else { dims }
}

/// Writes all of an index: `manifest` says what it is, and not yet where its parts are.
pub(crate) fn write_index(
    path: &Path,
    file: &File,
    mut manifest: Manifest,
    rotation: Option<&Rotation>,
    generation: u64,
    rows: Option<(&dyn Source, &Ids)>,
) -> Result<(), Error> {
    let mut appender = Appender::new(path, file, HEAD);
    manifest.rotation = rotation.map(|rotation| appender.column(&rotation.axes())).transpose()?;
    if let Some((source, ids)) = rows {
        let shortlist = manifest.dtype.map(|dtype| Shortlist { rotation, dtype });
        let layout = Layout { metric: manifest.metric, dims: &manifest.dims, shortlist };
        let segment = write_segment(&mut appender, &layout, &manifest.shape(), source, ids)?;
        manifest.segments.push(segment);
        manifest.largest_id = manifest.largest_id.max(ids.largest());
    }
    appender.commit(&manifest, generation, [false; 2])
}

/// Gives the index in `file`, which has no graph, one on `dim` dims, and sets the schedule, which may walk along it.
pub(crate) fn add_graph(
    path: &Path,
    file: &File,
    dim: usize,
    schedule: Option<Schedule>,
) -> Result<(), Error> {
    let index = Index::read(path, file)?;
    let mut appender = Appender::new(path, file, index.end());
    let graph = Some(index.searcher()?.build_graph(dim)?.write(&mut appender)?);
    let manifest = Manifest { schedule, graph, ..index.manifest().clone() };
    appender.commit(&manifest, index.generation() + 1, index.roots())
}

/// Refuses a source that no index can hold behind `positions` rows.
pub(crate) fn check(source: &dyn Source, positions: usize) -> Result<(), Error> {
    let rows = source.rows();
    if rows == 0 {
        return Err(Error::Empty);
    }
    let all = positions.saturating_add(rows);
    if all > u32::MAX as usize {
        return Err(Error::TooMany(all));
    }
    source.labels().map_or(Ok(()), |labels| check_count("labels", labels.len(), rows))
}

fn check_count(what: &'static str, given: usize, rows: usize) -> Result<(), Error> {
    if given == rows { Ok(()) } else { Err(Error::Count { what, given, rows }) }
}

/// The ids of `source`, or else those that follow `largest`.
pub(crate) fn ids(source: &dyn Source, largest: Option<u64>) -> Result<Cow<'_, Ids>, Error> {
    if let Some(ids) = source.ids() {
        check_count("ids", ids.len(), source.rows())?;
        return Ok(ids);
    }
    let start = largest.map_or(Some(0), |largest| largest.checked_add(1));
    let end = start.and_then(|start| start.checked_add(source.rows() as u64));
    match (start, end) {
        (Some(start), Some(end)) => Ok(Cow::Owned(Ids::Numbers((start..end).collect()))),
        _ => Err(Error::NoIdsLeft(largest.unwrap_or(0))),
    }
}

/// What a file must be that is replaced.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Existing {
    IsIndex,
    IsAnyFile,
}

/// Whether the file at `path` is one that [`BuildOptions::build`] replaces: an index of any format, whole or damaged, or an empty
/// file.
///
/// # Errors
/// When the file cannot be read.
pub fn is_index(path: &Path) -> io::Result<bool> {
    is_replaceable(&File::open(path)?)
}

/// Keeps writers from an index that is there already, if there is one, until it is dropped: what they would write from now on
/// is lost. Refuses any other file, unless that may be lost.
fn lock_existing(path: &Path, existing: Existing) -> Result<Option<File>, Error> {
    let file = match open_locked(path, File::options().read(true)) {
        Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
        result => result?,
    };
    let may_go = match existing {
        Existing::IsIndex => is_replaceable(&file),
        Existing::IsAnyFile => file.metadata().map(|about| about.is_file()),
    };
    if may_go.map_err(Error::io(path))? { Ok(Some(file)) } else { Err(Error::Occupied(path.to_owned())) }
}
