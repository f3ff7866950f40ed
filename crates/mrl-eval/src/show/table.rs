use std::collections::BTreeSet;

use super::curve::Curve;
use crate::Interval;

/// A table for the terminal and for the page. The first column names the rows; all others are numbers.
pub(crate) struct Table {
    pub(crate) title: String,
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<Vec<Cell>>,
}

pub(crate) struct Cell {
    pub(crate) text: String,
    /// The best of its row, or one of those that are.
    pub(crate) best: bool,
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self { text, best: false }
    }
}

/// A fraction in percent, with half its interval where there is one.
pub(crate) fn percent(fraction: f64, interval: Option<Interval>) -> String {
    let half = interval.map_or_else(String::new, |[low, high]| format!(" ±{:.2}", 50.0 * (high - low)));
    format!("{:.2}{half}", 100.0 * fraction)
}

impl Table {
    /// Rows are all dims of the curves, columns the curves; the best of each row is marked, where there is a choice.
    pub(crate) fn of_curves(title: String, curves: &[Curve]) -> Self {
        let points = || curves.iter().flat_map(|curve| &curve.points);
        let dims: BTreeSet<usize> = points().map(|point| point.dim).collect();
        let columns = std::iter::once("dim".to_owned()).chain(curves.iter().map(|curve| curve.name.clone()));
        let row = |&dim: &usize| {
            let of_row = || points().filter(|point| point.dim == dim);
            let best = of_row().map(|point| point.value).fold(f64::NEG_INFINITY, f64::max);
            let choice = of_row().count() > 1;
            let mark = if of_row().any(|point| point.untrained) { "~" } else { "" };
            let cell = |curve: &Curve| {
                let point = curve.points.iter().find(|point| point.dim == dim);
                point.map_or_else(
                    || String::new().into(),
                    |point| {
                        let text = percent(point.value, point.interval);
                        Cell { text, best: choice && point.value == best }
                    },
                )
            };
            std::iter::once(format!("{mark}{dim}").into()).chain(curves.iter().map(cell)).collect()
        };
        Self { title, columns: columns.collect(), rows: dims.iter().map(row).collect() }
    }

    /// All tables, and the notes below them.
    pub(crate) fn texts(tables: &[Self], notes: &[String]) -> String {
        let tables: Vec<String> = tables.iter().map(Self::text).collect();
        tables.join("\n") + "\n" + &notes.join("\n") + "\n"
    }

    /// Aligned plain text; the best of a row has a star.
    fn text(&self) -> String {
        let plain = |cell: &Cell| format!("{}{}", cell.text, if cell.best { "*" } else { " " });
        let header = self.columns.iter().map(|name| format!("{name} ")).collect::<Vec<_>>();
        let body = self.rows.iter().map(|row| row.iter().map(plain).collect::<Vec<_>>());
        let lines: Vec<Vec<String>> = std::iter::once(header).chain(body).collect();
        let length = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..self.columns.len()).map(length).collect();
        let line = |line: &Vec<String>| {
            let cells = line.iter().zip(&widths).map(|(cell, &width)| format!("{cell:>width$}"));
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        let lines: Vec<String> = std::iter::once(self.title.clone()).chain(lines.iter().map(line)).collect();
        lines.join("\n") + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::curve::CurvePoint;

    #[test]
    fn numbers_are_aligned_and_the_best_of_a_row_is_marked() {
        let curve = |name: &str, values: [Option<f64>; 3]| {
            let point = |(dim, value): (usize, Option<f64>)| {
                let value = value?;
                Some(CurvePoint {
                    dim,
                    value,
                    interval: Some([value - 0.01, value + 0.01]),
                    untrained: dim == 16,
                })
            };
            let points = [8, 16, 128].into_iter().zip(values).filter_map(point).collect();
            Curve { name: name.to_owned(), series: 0, points }
        };
        let curves = [
            curve("prefix", [Some(0.1), Some(0.5), Some(1.0)]),
            curve("fixed", [None, Some(0.75), Some(1.0)]),
        ];
        let text = Table::texts(&[Table::of_curves("Probe".to_owned(), &curves)], &["Note.".to_owned()]);
        let lines = [
            "Probe",
            "dim         prefix          fixed",
            "  8    10.00 ±1.00",
            "~16    50.00 ±1.00    75.00 ±1.00*",
            "128   100.00 ±1.00*  100.00 ±1.00*",
            "",
            "Note.",
            "",
        ];
        assert_eq!(text, lines.join("\n"));
    }
}
