use std::{
    fs::File,
    path::Path,
    sync::{Arc, OnceLock},
};

use mrl_embedding::{Metadata, Nesting};
use serde::Serialize;

use crate::{
    Dtype, Error, Id, IdKind, Metric, Schedule,
    file::{Checked, Column, Extent, Manifest, Mapped, Root},
    graph::{Graph, StoredGraph},
    layout::{Layout, Shortlist},
    rotation::Rotation,
    segment::{Shape, StoredSegment},
    space::Segment,
};

/// Rows of numbers in a file, to be searched.
///
/// It stays what it was when it was opened, whatever is added to the file or removed from it later. Opening reads little, however
/// large the file; every part is compared with its checksum when it is first used.
pub struct Index {
    file: Arc<Mapped>,
    root: Root,
    /// Which of its two slots hold it.
    roots: [bool; 2],
    manifest: Manifest,
    segments: Vec<StoredSegment>,
    /// The position of each segment's first row.
    starts: Vec<usize>,
    rotation: Option<StoredRotation>,
    graph: Option<StoredGraph>,
}

struct StoredRotation {
    region: Checked,
    column: Column,
    read: OnceLock<Rotation>,
}

/// What an index is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Info {
    /// How many can be found.
    pub rows: usize,
    /// How many are removed and still in the file.
    pub removed: usize,
    /// Builds and adds that the rows are of; compacting leaves one.
    pub segments: usize,
    /// Numbers in a row.
    pub width: usize,
    /// What makes two rows alike.
    pub metric: Metric,
    /// The prefixes that are stored apart; the last is the width.
    pub dims: Vec<usize>,
    /// How the shortlist is stored, where it is stored apart from the rows.
    pub shortlist_dtype: Option<Dtype>,
    /// Whether the shortlist is rotated.
    pub rotated: bool,
    /// What rows are called.
    pub ids: IdKind,
    /// Whether rows have labels.
    pub labels: bool,
    /// The dims that the encoder was trained with, where they are known.
    pub nesting: Option<Vec<usize>>,
    /// The prefix that there is a graph on, if there is one.
    pub graph: Option<usize>,
    /// What is known of the encoder.
    pub metadata: Metadata,
    /// What searches follow that name no other, where that was set.
    pub schedule: Option<Schedule>,
    /// Of the file, in bytes.
    pub bytes: usize,
    /// How many of the two copies of what leads to all parts are whole and up to date; one is enough, and the next change writes both.
    pub roots: usize,
    /// How often the file was changed.
    pub generation: u64,
    /// The version of the program that changed it last.
    pub version: String,
}

impl Index {
    /// Opens the index at `path`, as its last commit left it.
    ///
    /// # Errors
    /// When the file cannot be read, is no index or is damaged where it says what it holds.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        Self::read(path, &File::open(path).map_err(Error::io(path))?)
    }

    /// The index in `file`, which `path` is the name of.
    pub(crate) fn read(path: &Path, file: &File) -> Result<Self, Error> {
        let (root, roots) = Root::read(path, file)?;
        let manifest = Manifest::read(path, file, &root)?;
        let file = Arc::new(Mapped::new(path, file, &root)?);
        let shape = manifest.shape();
        let segment = |entry| StoredSegment::new(&file, &shape, entry);
        let segments = manifest.segments.iter().map(segment).collect::<Result<Vec<_>, _>>()?;
        let start = |start: &mut usize, segment: &StoredSegment| {
            let this = *start;
            *start += segment.rows;
            Some(this)
        };
        let starts = segments.iter().scan(0, start).collect();
        let rotation = StoredRotation::new(&file, &manifest)?;
        let graph = manifest.graph.map(|entry| StoredGraph::new(&file, entry)).transpose()?;
        Ok(Self { file, root, roots, manifest, segments, starts, rotation, graph })
    }

    /// What the index is.
    #[must_use]
    pub fn info(&self) -> Info {
        let manifest = self.manifest.clone();
        Info {
            rows: self.len(),
            removed: self.positions() - self.len(),
            segments: self.segments.len(),
            width: self.width(),
            metric: manifest.metric,
            shortlist_dtype: manifest.dtype,
            rotated: manifest.rotation.is_some(),
            ids: manifest.ids,
            labels: manifest.labels,
            graph: manifest.graph.map(|graph| graph.dim),
            metadata: manifest.metadata,
            schedule: manifest.schedule,
            bytes: self.file.len(),
            roots: self.roots.into_iter().filter(|&holds| holds).count(),
            generation: self.root.generation,
            version: manifest.version,
            dims: manifest.dims,
            nesting: manifest.nesting,
        }
    }

    /// Where the embeddings come from.
    ///
    /// # Panics
    /// Never: the dims were checked when the index was opened.
    #[must_use]
    pub fn metadata(&self) -> Metadata {
        let nesting = |dims| Nesting::new(dims, self.width()).expect("checked when opened");
        Metadata { nesting: self.manifest.nesting.clone().map(nesting), ..self.manifest.metadata.clone() }
    }

    /// Compares every part of the file with its checksum, and what is said twice.
    ///
    /// # Errors
    /// When something is not what was written.
    pub fn verify(&self) -> Result<(), Error> {
        if let Some(rotation) = &self.rotation {
            rotation.region.verify()?;
        }
        if let Some(graph) = &self.graph {
            graph.verify()?;
        }
        self.segments.iter().try_for_each(StoredSegment::verify)
    }

    /// How many rows can be found.
    #[must_use]
    pub fn len(&self) -> usize {
        self.positions() - self.manifest.removed()
    }

    /// Whether no rows can be found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Numbers in a row.
    #[must_use]
    pub fn width(&self) -> usize {
        self.dims()[self.dims().len() - 1]
    }

    /// The prefixes that are stored apart, increasing; the last is the width.
    #[must_use]
    pub fn dims(&self) -> &[usize] {
        &self.manifest.dims
    }

    /// What makes two rows alike.
    #[must_use]
    pub fn metric(&self) -> Metric {
        self.manifest.metric
    }

    /// What searches follow that name no other, where that was set.
    #[must_use]
    pub fn schedule(&self) -> Option<&Schedule> {
        self.manifest.schedule.as_ref()
    }

    /// One more than the largest position: the rows, those that are removed too.
    #[must_use]
    pub fn positions(&self) -> usize {
        self.manifest.positions()
    }

    /// What the row at `position` is called.
    ///
    /// # Errors
    /// When the file is damaged there.
    ///
    /// # Panics
    /// When `position` is not below [`Index::positions`].
    pub fn id(&self, position: usize) -> Result<Id, Error> {
        let (segment, row) = self.place(position);
        self.segments[segment].id(row)
    }

    /// The numbers of the row at `position`, as they were given, `[width]`.
    ///
    /// # Errors
    /// When the file is damaged there.
    ///
    /// # Panics
    /// When `position` is not below [`Index::positions`].
    pub fn row(&self, position: usize) -> Result<Vec<f32>, Error> {
        let (segment, row) = self.place(position);
        let mut numbers = Vec::with_capacity(self.width());
        self.segments[segment].read_row(row, &mut numbers)?;
        Ok(numbers)
    }

    /// Whether the row at `position` is removed.
    ///
    /// # Errors
    /// When the file is damaged there.
    ///
    /// # Panics
    /// When `position` is not below [`Index::positions`].
    pub fn is_removed(&self, position: usize) -> Result<bool, Error> {
        let (segment, row) = self.place(position);
        self.segments[segment].is_removed(row)
    }

    /// The label of the row at `position`, where there are labels.
    ///
    /// # Errors
    /// When the file is damaged there.
    ///
    /// # Panics
    /// When `position` is not below [`Index::positions`].
    pub fn label(&self, position: usize) -> Result<Option<i64>, Error> {
        let (segment, row) = self.place(position);
        self.segments[segment].label(row)
    }

    /// The position of the row that is called `id`, if there is one.
    ///
    /// # Errors
    /// When `id` is not of the kind of the index, or the file is damaged.
    pub fn position(&self, id: &Id) -> Result<Option<usize>, Error> {
        if id.kind() != self.manifest.ids {
            return Err(Error::IdKind { given: id.kind(), expected: self.manifest.ids });
        }
        for (segment, start) in self.segments.iter().zip(&self.starts) {
            if let Some(row) = segment.find(id)? {
                return Ok(Some(start + row));
            }
        }
        Ok(None)
    }

    /// The segment and its row at `position`.
    pub(crate) fn place(&self, position: usize) -> (usize, usize) {
        let segment = self.starts.partition_point(|&start| start <= position) - 1;
        (segment, position - self.starts[segment])
    }

    /// What search reads, in the order of positions.
    pub(crate) fn segments(&self) -> Result<Vec<Segment<'_>>, Error> {
        self.segments.iter().map(StoredSegment::view).collect()
    }

    pub(crate) fn layout(&self) -> Result<Layout<'_>, Error> {
        let rotation = self.rotation.as_ref().map(|rotation| rotation.get(self.width())).transpose()?;
        let shortlist = self.manifest.dtype.map(|dtype| Shortlist { rotation, dtype });
        Ok(Layout { metric: self.metric(), dims: self.dims(), shortlist })
    }

    pub(crate) fn graph(&self) -> Option<Graph<'_>> {
        self.graph.as_ref().map(StoredGraph::view)
    }

    pub(crate) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    pub(crate) fn stored(&self) -> &[StoredSegment] {
        &self.segments
    }

    pub(crate) fn generation(&self) -> u64 {
        self.root.generation
    }

    /// Which slots hold the root.
    pub(crate) fn roots(&self) -> [bool; 2] {
        self.roots
    }

    /// Where what was committed ends, in bytes.
    pub(crate) fn end(&self) -> u64 {
        self.file.len() as u64
    }
}

impl StoredRotation {
    fn new(file: &Arc<Mapped>, manifest: &Manifest) -> Result<Option<Self>, Error> {
        let Some(region) = manifest.rotation else { return Ok(None) };
        let width = manifest.width();
        let beyond = || file.damaged(format!("a rotation of {width} dims cannot be; build it again"));
        let numbers = width.checked_mul(width).ok_or_else(beyond)?;
        let (extent, column) = Extent::of(numbers, 4).ok_or_else(beyond)?;
        Ok(Some(Self { region: Checked::new(file, region, extent)?, column, read: OnceLock::new() }))
    }

    fn get(&self, width: usize) -> Result<&Rotation, Error> {
        let axes = self.region.all(self.column)?;
        Ok(self.read.get_or_init(|| Rotation::of(axes, width)))
    }
}

impl Manifest {
    pub(crate) fn shape(&self) -> Shape {
        Shape { dims: self.dims.clone(), dtype: self.dtype, ids: self.ids, labels: self.labels }
    }
}
