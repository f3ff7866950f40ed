use pyo3::prelude::*;

/// What a schedule achieves.
#[pyclass(frozen, get_all, module = "mrl")]
#[derive(Clone)]
pub(crate) struct Point {
    /// The schedule, such as "64:200".
    schedule: String,
    /// How many of the true best rows it finds on average, from 0 to 1.
    recall: f64,
    /// What the recall is at least for other queries of the same kind, with a confidence of 95 %; that of "exact" is 1. Of many
    /// schedules that are measured by the same queries, some may still fall short of it.
    recall_low: f64,
    /// Seconds for a query, on all cores.
    query_s: f64,
    /// Multiplications of two numbers for a query, at least.
    multiply_adds: f64,
    /// The mean average precision of the k rows that it finds, from 0 to 1, where queries and rows have labels; else None. A row
    /// is relevant when it has the label of its query. Of a query, the precision at each relevant hit is summed, and divided by k or
    /// by the relevant rows where these are fewer; queries without relevant rows are left out.
    map: Option<f64>,
}

/// What was measured of each schedule, and the best.
#[pyclass(frozen, get_all, module = "mrl")]
pub(crate) struct Tuning {
    /// All schedules that were measured, from the fastest.
    points: Vec<Py<Point>>,
    /// The fastest whose recall_low reaches the recall that was asked for.
    best: Py<Point>,
    /// Seconds that building a graph took, where one was built.
    graph_build_s: Option<f64>,
}

#[pymethods]
impl Point {
    fn __repr__(&self) -> String {
        let map = self.map.map(|map| format!(", map={map:.4}")).unwrap_or_default();
        format!(
            "<mrl.Point {}: recall={:.4}{map}, query_s={:.3e}, multiply_adds={:.0}>",
            self.schedule, self.recall, self.query_s, self.multiply_adds
        )
    }
}

#[pymethods]
impl Tuning {
    fn __repr__(&self, py: Python<'_>) -> String {
        let best = &self.best.bind(py).get().schedule;
        format!("<mrl.Tuning: {best} is the best of {} schedules>", self.points.len())
    }
}

impl Tuning {
    pub(crate) fn new(py: Python<'_>, tuning: &mrl_retrieve::Tuning) -> PyResult<Self> {
        let point = |point: &mrl_retrieve::Point| {
            Py::new(
                py,
                Point {
                    schedule: point.schedule.to_string(),
                    recall: point.recall,
                    recall_low: point.recall_low,
                    query_s: point.query_s,
                    multiply_adds: point.multiply_adds,
                    map: point.map,
                },
            )
        };
        let points = tuning.points.iter().map(point).collect::<PyResult<Vec<_>>>()?;
        let best = tuning.points.iter().position(|point| point.schedule == tuning.best);
        let best = points[best.expect("the best was measured")].clone_ref(py);
        Ok(Self { points, best, graph_build_s: tuning.graph_build_s })
    }
}
