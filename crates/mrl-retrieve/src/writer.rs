use std::{
    fs::File,
    path::{Path, PathBuf},
};

use mrl_embedding::{EmbeddingSet, Metadata};

use crate::{
    Error, Id, IdKind, Ids, Index, Schedule, Source, TuneOptions, Tuning, VERSION,
    build::{add_graph, check, ids, write_index},
    file::{Appender, Disk, Manifest, RemovedEntry, write_whole},
    lock::{lock, open_locked},
    segment::{words, write_segment},
    source::Rest,
};

/// Changes an index. There is one at a time; those who read keep what they opened.
///
/// Each change is there as a whole when its call returns, and after a crash at any moment either the index before or after it.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    /// Locked.
    file: File,
}

impl Writer {
    /// Opens the index at `path` to change it.
    ///
    /// # Errors
    /// When another process is changing it, it cannot be written, or as for [`Index::open`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref().to_owned();
        let file = open_locked(&path, File::options().read(true).write(true))?;
        let mut writer = Self { path, file };
        writer.index()?;
        Ok(writer)
    }

    /// The index as it is now. While it is there, so is the lock, also without the writer.
    ///
    /// # Errors
    /// As for [`Index::open`].
    pub fn index(&mut self) -> Result<Index, Error> {
        Index::read(&self.path, &self.file)
    }

    /// Adds the rows of `source` behind those of the index, stored like them.
    ///
    /// # Errors
    /// When the rows do not fit the index in width, labels, encoder or kind of ids, one is not finite, an id is there already,
    /// or the file cannot be written.
    pub fn add(&mut self, source: &dyn Source) -> Result<(), Error> {
        let index = self.index()?;
        add(&index, source, self.appender(&index)).inspect_err(|_| self.give_room_back())
    }

    /// Removes the rows that are called `ids`; all of them or, when one is not there, none.
    ///
    /// # Errors
    /// When ids are not there or of another kind than those of the index, or the file cannot be written.
    pub fn remove(&mut self, ids: &[Id]) -> Result<(), Error> {
        let index = self.index()?;
        remove(&index, ids, self.appender(&index)).inspect_err(|_| self.give_room_back())
    }

    /// Writes the rows that are left into a new file, as one segment in the same order, and puts it in the place of the old one. A
    /// graph is built anew.
    ///
    /// # Errors
    /// When the index is damaged or the new file cannot be written; the old one is then as it was.
    pub fn compact(&mut self) -> Result<(), Error> {
        let index = self.index()?;
        let rows = Rest::new(&index)?;
        let (graph, schedule) = (index.info().graph.filter(|_| !index.is_empty()), index.schedule().cloned());
        let manifest = Manifest {
            version: VERSION.to_owned(),
            segments: Vec::new(),
            graph: None,
            schedule: schedule.clone().filter(|schedule| schedule.graph().is_none()),
            ..index.manifest().clone()
        };
        let rotation = index.layout()?.shortlist.and_then(|shortlist| shortlist.rotation);
        let source = (!index.is_empty()).then_some((&rows as &dyn Source, &rows.ids));
        let mut locked = None;
        write_whole(&self.path, |file| {
            write_index(&self.path, file, manifest, rotation, index.generation() + 1, source)?;
            graph.map_or(Ok(()), |dim| add_graph(&self.path, file, dim, schedule))?;
            // Before anybody else can open it.
            let file = file.try_clone().map_err(Error::io(&self.path))?;
            locked = Some(lock(&self.path, file)?);
            Ok(())
        })?;
        if let Some(file) = locked {
            self.file = file;
        }
        Ok(())
    }

    /// Sets what searches follow that name no other schedule; without one, they are exact.
    ///
    /// # Errors
    /// When the schedule asks for prefixes that the index does not have, or the file cannot be written.
    pub fn set_schedule(&mut self, schedule: Option<Schedule>) -> Result<(), Error> {
        let index = self.index()?;
        if let Some(schedule) = &schedule {
            schedule.check(1, index.dims(), index.info().graph)?;
        }
        let manifest = Manifest { schedule, ..index.manifest().clone() };
        commit(self.appender(&index), manifest, &index).inspect_err(|_| self.give_room_back())
    }

    /// Measures schedules as [`crate::Searcher::tune`] does, and sets the best. The index gets the graph that this walks along, if it
    /// does, and loses any other.
    ///
    /// # Errors
    /// As those of [`crate::Searcher::tune`], or when the file cannot be written.
    pub fn tune(&mut self, queries: Option<&EmbeddingSet>, options: &TuneOptions) -> Result<Tuning, Error> {
        let index = self.index()?;
        let tuning = index.searcher()?.tune(queries, options)?;
        set_tuning(&index, &tuning, self.appender(&index)).inspect_err(|_| self.give_room_back())?;
        Ok(tuning)
    }

    fn appender(&self, index: &Index) -> Appender<'_, File> {
        Appender::new(&self.path, &self.file, index.end())
    }

    /// After a change that failed: what is behind the last commit, whichever that is now, only takes room.
    fn give_room_back(&mut self) {
        if let Ok(index) = self.index() {
            drop(self.file.set_len(index.end()));
        }
    }
}

/// [`Writer::add`] by way of `appender`, which goes on where `index` ends.
pub(crate) fn add<D: Disk>(
    index: &Index,
    source: &dyn Source,
    mut appender: Appender<'_, D>,
) -> Result<(), Error> {
    let mut manifest = index.manifest().clone();
    check(source, index.positions())?;
    check_alike(&manifest, source)?;
    let ids = ids(source, manifest.largest_id)?;
    check_new(index, &ids)?;
    let segment = write_segment(&mut appender, &index.layout()?, &manifest.shape(), source, &ids)?;
    manifest.segments.push(segment);
    manifest.largest_id = manifest.largest_id.max(ids.largest());
    // New classes are appended to the index's list.
    if let (Some(ours), Some(theirs)) = (&mut manifest.metadata.class_names, source.metadata().class_names)
        && theirs.len() > ours.len()
    {
        *ours = theirs;
    }
    commit(appender, manifest, index)
}

/// [`Writer::remove`] by way of `appender`, which goes on where `index` ends.
pub(crate) fn remove<D: Disk>(index: &Index, ids: &[Id], mut appender: Appender<'_, D>) -> Result<(), Error> {
    let rows = rows_of(index, ids)?;
    let mut manifest = index.manifest().clone();
    for ((entry, segment), rows) in manifest.segments.iter_mut().zip(index.stored()).zip(rows) {
        if rows.is_empty() {
            continue;
        }
        let mut removed = segment.removed()?.map_or_else(|| vec![0u64; words(segment.rows)], <[u64]>::to_vec);
        for row in rows {
            removed[row / 64] |= 1 << (row % 64);
        }
        let rows = removed.iter().map(|word| word.count_ones() as usize).sum();
        entry.removed = Some(RemovedEntry { rows, region: appender.column(&removed)? });
    }
    commit(appender, manifest, index)
}

/// What [`Writer::tune`] sets, by way of `appender`, which goes on where `index` ends.
fn set_tuning<D: Disk>(index: &Index, tuning: &Tuning, mut appender: Appender<'_, D>) -> Result<(), Error> {
    let mut manifest = index.manifest().clone();
    manifest.graph = match (tuning.best.graph(), &tuning.graph) {
        (Some(_), Some(graph)) => Some(graph.write(&mut appender)?),
        (Some(_), None) => manifest.graph,
        (None, _) => None,
    };
    manifest.schedule = Some(tuning.best.clone());
    commit(appender, manifest, index)
}

/// Makes `manifest` what the file of `index` holds.
fn commit<D: Disk>(appender: Appender<'_, D>, mut manifest: Manifest, index: &Index) -> Result<(), Error> {
    VERSION.clone_into(&mut manifest.version);
    appender.commit(&manifest, index.generation() + 1, index.roots())
}

/// Refuses rows that are not like those of an index.
fn check_alike(manifest: &Manifest, source: &dyn Source) -> Result<(), Error> {
    let (given, expected) = (source.width(), manifest.width());
    if given != expected {
        return Err(Error::Width { given, expected });
    }
    if let (Some(given), Some(expected)) = (source.metadata().weights, &manifest.metadata.weights)
        && given != *expected
    {
        return Err(Error::OtherEncoder { given, expected: expected.clone() });
    }
    let given = source.labels().is_some();
    if given != manifest.labels {
        return Err(Error::Labels { given });
    }
    if given { check_classes(&manifest.metadata, &source.metadata()) } else { Ok(()) }
}

/// Refuses rows whose classes have other names than those of the index.
fn check_classes(ours: &Metadata, theirs: &Metadata) -> Result<(), Error> {
    match ours.class_of_another_name(theirs) {
        Some((label, expected, given)) => {
            Err(Error::ClassNames { label, given: given.to_owned(), expected: expected.to_owned() })
        }
        None => Ok(()),
    }
}

/// Refuses ids that are of another kind than those of `index`, or among them.
fn check_new(index: &Index, ids: &Ids) -> Result<(), Error> {
    check_kind(index, ids.kind())?;
    for row in 0..ids.len() {
        let id = ids.get(row);
        if index.position(&id)?.is_some() {
            return Err(Error::Present(id));
        }
    }
    Ok(())
}

fn check_kind(index: &Index, given: IdKind) -> Result<(), Error> {
    let expected = index.manifest().ids;
    if given == expected { Ok(()) } else { Err(Error::IdKind { given, expected }) }
}

/// The rows of each segment that `ids` call.
fn rows_of(index: &Index, ids: &[Id]) -> Result<Vec<Vec<usize>>, Error> {
    let mut rows: Vec<Vec<usize>> = index.stored().iter().map(|_| Vec::new()).collect();
    let mut unknown = Vec::new();
    for id in ids {
        match index.position(id)? {
            Some(position) => {
                let (segment, row) = index.place(position);
                rows[segment].push(row);
            }
            None => unknown.push(id.clone()),
        }
    }
    if unknown.is_empty() { Ok(rows) } else { Err(Error::Unknown(unknown)) }
}
