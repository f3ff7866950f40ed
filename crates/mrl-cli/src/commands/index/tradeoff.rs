use std::{cmp::Ordering, io::Write, path::Path};

use anyhow::{Result, anyhow};
use mrl_chart::{Axis, COLOURS, Drawing, Line, LineChart, Look, Note, Panels, Point, Scale};
use mrl_embedding::write_atomically;
use mrl_retrieve::{Index, Point as Measured, TuneOptions, Tuning, Workload};

use crate::file_name::has_extension;

/// How far apart points with notes are, across or else upwards, in shares of all that is drawn.
const APART: [f64; 2] = [0.3, 0.06];

/// What schedules find, by what they cost: a picture.
pub(super) struct Tradeoff<'t> {
    pub(super) tuning: &'t Tuning,
    pub(super) options: &'t TuneOptions,
    /// Whether the best is going to be stored.
    pub(super) stored: bool,
    pub(super) index: &'t Index,
}

/// What a schedule costs.
#[derive(Clone, Copy)]
enum Cost {
    /// Queries that are answered in a second: the more the better.
    Speed,
    /// Multiplications of two numbers for a query: the fewer the better.
    MultiplyAdds,
}

/// What a schedule finds: the more the better.
#[derive(Clone, Copy)]
enum Gain {
    Recall,
    Map,
}

impl Tradeoff<'_> {
    /// Draws it to a file of the format that its name says.
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let drawing = Drawing::Panels(self.panels());
        let bytes = if has_extension(path, &["png"]) {
            drawing.png().map_err(|problem| anyhow!("{}: cannot be drawn ({problem})", path.display()))?
        } else {
            drawing.svg().into_bytes()
        };
        write_atomically(path, |file| file.write_all(&bytes))
            .map_err(|error| anyhow!("{}: {error}", path.display()))
    }

    /// A row of panels for each gain that was measured, a column for each cost.
    fn panels(&self) -> Panels {
        let gains = [Gain::Recall, Gain::Map];
        let measured = |gain: &Gain| self.tuning.points.iter().any(|point| gain.of(point).is_some());
        let costs = [Cost::Speed, Cost::MultiplyAdds];
        let charts =
            gains.into_iter().filter(measured).flat_map(|gain| costs.map(|cost| self.chart(cost, gain)));
        let (rows, width) = (self.index.len(), self.index.width());
        Panels {
            title: format!("What schedules find and cost, on {rows} vectors of {width} numbers"),
            columns: costs.len(),
            charts: charts.collect(),
        }
    }

    fn chart(&self, cost: Cost, gain: Gain) -> LineChart {
        let front = front(&self.tuning.points, cost, gain);
        let best = self.tuning.points.iter().filter(|point| point.schedule == self.tuning.best);
        let (walks, scans): (Vec<&Measured>, Vec<&Measured>) =
            self.tuning.points.iter().partition(|point| point.schedule.graph().is_some());
        let kind = |stages: usize| {
            scans.iter().copied().filter(move |point| point.schedule.stages().len() == stages)
        };
        let line = |label: &str, colour: usize, look: Look, points: Vec<&Measured>| Line {
            label: label.to_owned(),
            colour: COLOURS[colour],
            look,
            points: points.into_iter().filter_map(|point| place(point, cost, gain)).collect(),
        };
        let lines = vec![
            line("Pareto front", 5, Look::Plain, front.clone()),
            line("one shortlist", 0, Look::Points, kind(1).collect()),
            line("two shortlists", 2, Look::Points, kind(2).collect()),
            line("a graph", 3, Look::Points, walks),
            line("exact", 6, Look::Points, kind(0).collect()),
            line(self.best_is(), 1, Look::Stars, best.clone().collect()),
        ];
        LineChart {
            title: format!("{} by {}", gain.label(self.options.k), cost.name()),
            subtitle: None,
            x: Axis { label: cost.label(self.options.workload), scale: Scale::Log10 },
            y: Axis { label: gain.axis(self.options.k), scale: Scale::Roomy },
            lines,
            notes: self.notes(&front, cost, gain),
        }
    }

    /// The best, which says what it is, and of the front what has room beside it: what finds most comes first.
    fn notes(&self, front: &[&Measured], cost: Cost, gain: Gain) -> Vec<Note> {
        let best = self.tuning.points.iter().filter(|point| point.schedule == self.tuning.best);
        let others = front.iter().rev().copied().filter(|point| point.schedule != self.tuning.best);
        let spans = [self.span(cost, gain, |at| at.x.ln()), self.span(cost, gain, |at| at.y)];
        let mut notes: Vec<Note> = Vec::new();
        for point in best.chain(others) {
            let Some(at) = place(point, cost, gain) else { continue };
            let is_far = |note: &Note| {
                (note.x / at.x).ln().abs() > APART[0] * spans[0]
                    || (note.y - at.y).abs() > APART[1] * spans[1]
            };
            if notes.iter().all(is_far) {
                let is_best = point.schedule == self.tuning.best;
                let prefix = if is_best { format!("{}: ", self.best_is()) } else { String::new() };
                notes.push(Note { x: at.x, y: at.y, text: format!("{prefix}{}", point.schedule) });
            }
        }
        notes
    }

    /// From the smallest to the largest of all points.
    fn span(&self, cost: Cost, gain: Gain, of: fn(Point) -> f64) -> f64 {
        let values = self.tuning.points.iter().filter_map(|point| place(point, cost, gain)).map(of);
        let (low, high) = values
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        high - low
    }

    fn best_is(&self) -> &'static str {
        if self.stored { "stored" } else { "best" }
    }
}

impl Cost {
    fn of(self, point: &Measured) -> f64 {
        match self {
            Self::Speed => point.query_s.recip(),
            Self::MultiplyAdds => point.multiply_adds,
        }
    }

    /// From the cheapest.
    fn order(self, a: &Measured, b: &Measured) -> Ordering {
        let order = self.of(a).total_cmp(&self.of(b));
        match self {
            Self::Speed => order.reverse(),
            Self::MultiplyAdds => order,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Speed => "speed",
            Self::MultiplyAdds => "multiply-adds",
        }
    }

    fn label(self, workload: Workload) -> String {
        match (self, workload) {
            (Self::Speed, Workload::Batch) => "queries/s, many at once (log scale)".to_owned(),
            (Self::Speed, Workload::Single) => "queries/s, one after the other (log scale)".to_owned(),
            (Self::MultiplyAdds, _) => "multiply-adds for a query (log scale)".to_owned(),
        }
    }
}

impl Gain {
    fn of(self, point: &Measured) -> Option<f64> {
        match self {
            Self::Recall => Some(point.recall),
            Self::Map => point.map,
        }
    }

    fn axis(self, k: usize) -> String {
        match self {
            Self::Recall => format!("share of the {k} nearest that is found"),
            Self::Map => format!("mean average precision of {k} hits"),
        }
    }

    fn label(self, k: usize) -> String {
        match self {
            Self::Recall => format!("recall@{k}"),
            Self::Map => format!("mAP@{k}"),
        }
    }
}

fn place(point: &Measured, cost: Cost, gain: Gain) -> Option<Point> {
    Some(Point::new(cost.of(point), gain.of(point)?))
}

/// Those for which no other finds as much for less, from the cheapest.
fn front(points: &[Measured], cost: Cost, gain: Gain) -> Vec<&Measured> {
    let mut gained: Vec<(f64, &Measured)> =
        points.iter().filter_map(|point| Some((gain.of(point)?, point))).collect();
    gained.sort_by(|a, b| cost.order(a.1, b.1).then(b.0.total_cmp(&a.0)));
    let mut most = f64::NEG_INFINITY;
    gained.retain(|&(gain, _)| {
        let is_more = gain > most;
        most = most.max(gain);
        is_more
    });
    gained.into_iter().map(|(_, point)| point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(schedule: &str, recall: f64, query_s: f64, multiply_adds: f64) -> Measured {
        Measured {
            schedule: schedule.parse().unwrap(),
            recall,
            recall_low: recall,
            map: None,
            query_s,
            multiply_adds,
        }
    }

    fn names(points: &[&Measured]) -> Vec<String> {
        points.iter().map(|point| point.schedule.to_string()).collect()
    }

    #[test]
    fn the_front_is_what_nothing_beats() {
        let points = [
            point("exact", 1.0, 1e-3, 9e6),
            point("8:20", 0.8, 1e-5, 1e6),
            point("8:30", 0.9, 2e-5, 2e6),
            point("16:20", 0.9, 3e-5, 1.5e6),
            point("16:30", 0.85, 4e-5, 3e6),
        ];
        assert_eq!(names(&front(&points, Cost::Speed, Gain::Recall)), ["8:20", "8:30", "exact"]);
        assert_eq!(names(&front(&points, Cost::MultiplyAdds, Gain::Recall)), ["8:20", "16:20", "exact"]);
        assert!(front(&points, Cost::Speed, Gain::Map).is_empty(), "nothing was measured");
    }
}
