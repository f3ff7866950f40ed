use std::{
    path::{Path, PathBuf, absolute},
    sync::{Arc, PoisonError, RwLock},
};

use mrl_retrieve::{BuildOptions, Error, GraphChoice, Hits, Schedule, Searcher, TuneOptions, Writer};
use pyo3::prelude::*;
use self_cell::self_cell;

use crate::{
    convert::{Array, Rows, ShapedIds, Whole, array, choice, id_array, ids, set},
    error::{retrieval, value},
    tuning::Tuning,
};

self_cell!(
    /// An index and what searches it.
    struct Snapshot {
        owner: mrl_retrieve::Index,
        #[covariant]
        dependent: Searcher,
    }
);

/// Rows of numbers in one file, to be searched by short prefixes, exactly or nearly.
///
/// It stays what it was when it was opened, whatever others do to the file, until it changes the file itself: then it is what
/// the file is. Opening reads little, however large the file. Searches run on all cores (RAYON_NUM_THREADS says on how many)
/// and let other Python threads run; an index may be used by several. Do not change an array while it is searched with or built
/// from in another thread.
///
/// Wherever numbers are taken, C-contiguous float32 arrays are used as they are; other layouts, floats and whole numbers are
/// copied.
///
/// All methods raise TypeError for numbers of another kind; ValueError for shapes and values that cannot be used; and OSError
/// when the file cannot be read or written or is damaged (FileNotFoundError and the like; BlockingIOError while another process
/// changes it).
#[pyclass(frozen, module = "mrl")]
pub(crate) struct Index {
    path: PathBuf,
    snapshot: RwLock<Arc<Snapshot>>,
}

#[pymethods]
impl Index {
    /// Builds an index at path. An index that is there is replaced once all is written; any other file raises FileExistsError.
    ///
    /// Args:
    ///     x: float32 [rows, width].
    ///     path: the file.
    ///     ids: whole numbers or str [rows], each once; by default the numbers from 0.
    ///     labels: whole numbers [rows], to be kept with the rows.
    ///     dims: the prefixes that can shortlist, increasing; by default the powers of two from 8. The width is added.
    ///     metric: "cosine" or "dot".
    ///     rotate: whether shortlists use principal components: "none", "pca", or "auto" for what finds more of the nearest
    ///         rows of a sample.
    ///     shortlist_dtype: how shortlists are stored: "f32", "bf16" or "int8". Scores are always computed from x.
    ///     graph: a prefix that gets a graph to walk along, as in the schedule "g64:100"; tune adds one where it is faster.
    #[staticmethod]
    #[pyo3(signature = (
        x, path, ids=None, labels=None, dims=None, metric="cosine", rotate="auto", shortlist_dtype="int8", graph=None
    ))]
    #[allow(clippy::too_many_arguments, reason = "Python names them")]
    fn build(
        x: &Bound<'_, PyAny>,
        path: PathBuf,
        ids: Option<&Bound<'_, PyAny>>,
        labels: Option<&Bound<'_, PyAny>>,
        dims: Option<Vec<Whole>>,
        metric: &str,
        rotate: &str,
        shortlist_dtype: &str,
        graph: Option<Whole>,
    ) -> PyResult<Self> {
        let options = BuildOptions {
            metric: choice("metric", metric)?,
            dims: dims.unwrap_or_default().into_iter().map(|Whole(dim)| dim).collect(),
            rotate: choice("rotate", rotate)?,
            shortlist_dtype: choice("shortlist_dtype", shortlist_dtype)?,
            graph: graph.map(|Whole(dim)| dim),
        };
        with_rows(x, ids, labels, |rows| Self::new(path, |path| options.build(rows, path)))
    }

    /// Opens the index at path, as its last change left it.
    #[staticmethod]
    fn open(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        py.detach(|| Self::new(path, |path| mrl_retrieve::Index::open(path))).map_err(retrieval)
    }

    /// The best k rows, or all if there are fewer, for each query.
    ///
    /// Args:
    ///     q: float32 [queries, width], or one query [width].
    ///     k: rows for each query.
    ///     schedule: how to narrow down the rows. "64:200,512" keeps 200 by the first 64 numbers and ranks these by 512; there
    ///         may be several such stages. "t64:200" shortlists by the rows' own prefix where the index has rotated ones.
    ///         "exact" is the exact answer, "64" that by the first 64 numbers. By default, that of the index.
    ///
    /// Returns:
    ///     ids, uint64 or str, and scores, float64: both [queries, k], or [k] for one query, from the best. Of equal scores,
    ///     the row that was added first comes first.
    #[pyo3(signature = (q, k=Whole(10), schedule=None), text_signature = "($self, q, k=10, schedule=None)")]
    fn search<'py>(
        &self,
        q: &Bound<'py, PyAny>,
        k: Whole,
        schedule: Option<&str>,
    ) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
        let py = q.py();
        let snapshot = self.snapshot();
        let index = snapshot.borrow_owner();
        let schedule = match schedule {
            Some(text) => text.parse().map_err(value)?,
            None => stored_schedule(index),
        };
        let queries = Array::queries("q", q)?;
        check_width(&queries, index.width())?;
        let numbers = queries.numbers()?;
        let search = || -> Result<_, Error> {
            let hits = snapshot.borrow_dependent().search(numbers, k.0, &schedule)?;
            let ids =
                hits.positions().iter().map(|&position| index.id(position)).collect::<Result<_, _>>()?;
            Ok((ids, hits))
        };
        let (ids, hits): (Vec<_>, Hits) = py.detach(search).map_err(retrieval)?;
        let shape = [&queries.shape()[..queries.shape().len() - 1], &[hits.k()]].concat();
        Ok((id_array(py, ids, index.info().ids, &shape)?, array(py, hits.scores().to_vec(), &shape)?))
    }

    /// Adds rows behind those of the index, stored like them.
    ///
    /// Args:
    ///     x: float32 [rows, width].
    ///     ids: [rows], of the kind of those of the index and not among them; by default the numbers after the largest.
    ///     labels: whole numbers [rows], if the index has labels.
    #[pyo3(signature = (x, ids=None, labels=None))]
    fn add(
        &self,
        x: &Bound<'_, PyAny>,
        ids: Option<&Bound<'_, PyAny>>,
        labels: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        with_rows(x, ids, labels, |rows| self.change(|writer| writer.add(rows)))
    }

    /// Removes the rows that are called ids [any]: all or, when one is not there, none.
    ///
    /// They take room until the index is compacted.
    fn remove(&self, py: Python<'_>, ids: &Bound<'_, PyAny>) -> PyResult<()> {
        let ids = ShapedIds::new(ids)?.list();
        py.detach(|| self.change(|writer| writer.remove(&ids))).map_err(retrieval)
    }

    /// Writes the file anew without what was removed, as if all rows had been added at once.
    fn compact(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| self.change(Writer::compact)).map_err(retrieval)
    }

    /// Makes schedule that which searches follow by default; None for exact ones. It is kept in the file.
    fn set_schedule(&self, py: Python<'_>, schedule: Option<&str>) -> PyResult<()> {
        let schedule = schedule.map(str::parse).transpose().map_err(value)?;
        py.detach(|| self.change(|writer| writer.set_schedule(schedule))).map_err(retrieval)
    }

    /// Measures schedules and says which is the fastest that finds enough, "exact" if no shortlist is faster.
    ///
    /// Args:
    ///     queries: float32 [queries, width], like those to come; by default some rows of the index, none of which may find itself.
    ///         At most 500 are used, evenly spaced.
    ///     k: rows that a search is to find.
    ///     recall: how many of the true k best rows a search must find on average, from 0 to 1. The recall_low of the best reaches it,
    ///         so that it holds for queries to come, too.
    ///     workload: how queries will come: "batch" for many at once, "single" for one after the other.
    ///     store: whether searches follow the best from now on; then it is kept in the file.
    ///     labels: whole numbers [queries], those of the queries. With them, or without queries, map is measured too if the index
    ///         has labels.
    ///     graph: whether a graph is tried, which takes minutes to build for a million rows: "none", "auto" (if a query takes longer
    ///         than a millisecond without one), or the dims of its prefix. It is kept if it wins and store is set.
    ///
    /// Returns:
    ///     A Tuning: what was measured of each schedule, and the best.
    #[pyo3(
        signature = (queries=None, k=Whole(10), recall=0.99, workload="batch", store=true, labels=None, graph=None),
        text_signature = "($self, queries=None, k=10, recall=0.99, workload='batch', store=True, labels=None, graph='auto')"
    )]
    #[allow(clippy::too_many_arguments, reason = "Python names them")]
    fn tune(
        &self,
        py: Python<'_>,
        queries: Option<&Bound<'_, PyAny>>,
        k: Whole,
        recall: f64,
        workload: &str,
        store: bool,
        labels: Option<&Bound<'_, PyAny>>,
        graph: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Tuning> {
        let graph = match graph {
            Some(graph) => {
                graph.str()?.to_str()?.parse().map_err(|problem| value(format!("graph: {problem}")))?
            }
            None => GraphChoice::Auto,
        };
        let options = TuneOptions { k: k.0, recall, workload: choice("workload", workload)?, graph };
        let queries = match (queries, labels) {
            (Some(queries), labels) => {
                Some(set(("queries", queries), labels.map(|labels| ("labels", labels)))?)
            }
            (None, None) => None,
            (None, Some(_)) => return Err(value("labels are those of queries; give queries too")),
        };
        let tune = || -> Result<_, Error> {
            if store {
                self.change(|writer| writer.tune(queries.as_ref(), &options))
            } else {
                self.snapshot().borrow_dependent().tune(queries.as_ref(), &options)
            }
        };
        Tuning::new(py, &py.detach(tune).map_err(retrieval)?)
    }

    /// The labels of the rows that are called ids, int64 of the shape of ids, which may be that of hits.
    fn labels<'py>(&self, ids: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let snapshot = self.snapshot();
        let index = snapshot.borrow_owner();
        if !index.info().labels {
            return Err(value("the index has no labels; build it with labels"));
        }
        let given = ShapedIds::new(ids)?;
        let label = |id: mrl_retrieve::Id| {
            let position = index.position(&id)?.ok_or_else(|| Error::Unknown(vec![id]))?;
            index.label(position)
        };
        let labels =
            ids.py().detach(|| given.list().into_iter().map(label).collect::<Result<Option<_>, _>>());
        array(ids.py(), labels.map_err(retrieval)?.unwrap_or_default(), &given.shape)
    }

    /// Compares every part of the file with its checksum. Raises OSError when something is not what was written.
    fn verify(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| self.snapshot().borrow_owner().verify()).map_err(retrieval)
    }

    /// All that is known of the index, as plain values; the same as `mrl index info --json`.
    fn info<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let text = serde_json::to_string(&self.snapshot().borrow_owner().info()).map_err(value)?;
        py.import("json")?.call_method1("loads", (text,))
    }

    /// The file.
    #[getter]
    fn path(&self) -> &Path {
        &self.path
    }

    /// Numbers in a row.
    #[getter]
    fn width(&self) -> usize {
        self.snapshot().borrow_owner().width()
    }

    /// The prefixes that can shortlist, increasing, and the width.
    #[getter]
    fn dims(&self) -> Vec<usize> {
        self.snapshot().borrow_owner().dims().to_owned()
    }

    /// What makes two rows alike: "cosine" or "dot".
    #[getter]
    fn metric(&self) -> String {
        self.snapshot().borrow_owner().metric().to_string()
    }

    /// What searches follow by default.
    #[getter]
    fn schedule(&self) -> String {
        stored_schedule(self.snapshot().borrow_owner()).to_string()
    }

    /// Rows that can be found.
    fn __len__(&self) -> usize {
        self.snapshot().borrow_owner().len()
    }

    fn __repr__(&self) -> String {
        let (rows, width) = (self.__len__(), self.width());
        format!("<mrl.Index {}: {rows} rows of {width} numbers, {}>", self.path.display(), self.metric())
    }
}

impl Index {
    /// What `open` finds or makes at `path`, which names the same file wherever the program goes.
    fn new(
        path: PathBuf,
        open: impl FnOnce(&Path) -> Result<mrl_retrieve::Index, Error>,
    ) -> Result<Self, Error> {
        let path = absolute(&path).map_err(|source| Error::Io { path, source })?;
        let snapshot = RwLock::new(snapshot(open(&path)?)?);
        Ok(Self { path, snapshot })
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes the file, and then is what it became.
    fn change<T>(&self, change: impl FnOnce(&mut Writer) -> Result<T, Error>) -> Result<T, Error> {
        let result = change(&mut Writer::open(&self.path)?)?;
        // Opened while no other thread can put what it opened here, so that the index is never older than a change of its own.
        let mut current = self.snapshot.write().unwrap_or_else(PoisonError::into_inner);
        // Opened anew, for an index of the writer's own would keep its lock as long as it is mapped.
        *current = snapshot(mrl_retrieve::Index::open(&self.path)?)?;
        Ok(result)
    }
}

fn snapshot(index: mrl_retrieve::Index) -> Result<Arc<Snapshot>, Error> {
    Snapshot::try_new(index, mrl_retrieve::Index::searcher).map(Arc::new)
}

fn stored_schedule(index: &mrl_retrieve::Index) -> Schedule {
    index.schedule().cloned().unwrap_or_else(Schedule::exact)
}

/// Rows of queries that are as many numbers together as others would be are still of the wrong width.
fn check_width(queries: &Array<'_, f32>, width: usize) -> PyResult<()> {
    match queries.shape().last() {
        Some(&given) if given != width => Err(retrieval(Error::QueryWidth { values: given, width })),
        _ => Ok(()),
    }
}

/// Takes the rows of three arguments while other threads of Python run.
fn with_rows<T: Send>(
    x: &Bound<'_, PyAny>,
    given_ids: Option<&Bound<'_, PyAny>>,
    labels: Option<&Bound<'_, PyAny>>,
    take: impl FnOnce(&Rows<'_>) -> Result<T, Error> + Send,
) -> PyResult<T> {
    let numbers = Array::rows("x", x)?;
    let labels = labels.map(|labels| Array::labels("labels", labels)).transpose()?;
    let rows = Rows::new(&numbers, given_ids.map(ids).transpose()?, labels.as_ref())?;
    x.py().detach(|| take(&rows)).map_err(retrieval)
}
