//! In which steps a search narrows down the rows.

use std::{fmt, num::NonZeroUsize, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::Error;

/// Prefixes that shortlist, from all rows to few, and the one that ranks what is left. Written `16:800,64:200,512`: by the
/// first 16 dims keep 800 rows, by the first 64 keep 200 of these, and rank them by 512. Without the last number, all dims rank.
/// Without any shortlist all rows are ranked: `exact` by all dims, `64` by the first 64.
///
/// ```
/// use mrl_retrieve::Schedule;
///
/// # fn main() -> Result<(), mrl_retrieve::ScheduleError> {
/// let schedule: Schedule = "64:200,t128:50,512".parse()?;
/// assert_eq!(schedule.stages().len(), 2);
/// assert_eq!(schedule.rank(), Some(512));
/// assert_eq!(schedule.to_string(), "64:200,t128:50,512");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Schedule {
    stages: Vec<Stage>,
    rank: Option<usize>,
}

/// A prefix and how many rows it keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stage {
    /// The length of the prefix.
    pub dim: usize,
    /// The rows that go on to the next stage.
    pub keep: NonZeroUsize,
    /// What finds these rows.
    pub by: By,
}

/// What a stage finds rows by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum By {
    /// The prefix of all rows that come to it, rotated or in fewer bits if the index has such.
    #[default]
    Prefix,
    /// The prefix of all rows that come to it, as they were given (written `t64:200`).
    TrainedPrefix,
    /// A walk along the graph that the index has on this prefix (written `g64:200`), which meets only some of the rows. Only the
    /// first stage can be one.
    Graph,
}

impl By {
    /// The space of the prefix: dims increase as long as it stays the same.
    fn is_trained(self) -> bool {
        self == Self::TrainedPrefix
    }

    /// What is written before the dim.
    fn letter(self) -> &'static str {
        match self {
            Self::Prefix => "",
            Self::TrainedPrefix => "t",
            Self::Graph => "g",
        }
    }
}

/// Why a text is no [`Schedule`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// A part is neither a stage nor, at the end, a dim.
    #[error("{0:?} is no stage of a schedule; write exact, or stages and a dim as in 64:200,512")]
    Part(String),
    /// A stage keeps more than the one before left.
    #[error(
        "a stage of the schedule keeps {next} rows of {previous}; let each keep fewer than the one before"
    )]
    Keeps {
        /// The rows before.
        previous: usize,
        /// The rows after.
        next: usize,
    },
    /// A stage is not longer than the one before.
    #[error("dim {next} of the schedule follows {previous}; let dims increase")]
    Dims {
        /// The dim before.
        previous: usize,
        /// The dim that should have been larger.
        next: usize,
    },
    /// A later stage would have to walk a graph of all rows.
    #[error("{0} follows another stage of the schedule; a graph can only be walked first")]
    Graph(Stage),
}

impl Schedule {
    /// The exact ranking of all rows by all dims.
    #[must_use]
    pub fn exact() -> Self {
        Self::default()
    }

    /// Shortlists by `stages`, then ranks by the first `rank` dims of the rows as they were given, or by all.
    ///
    /// # Errors
    /// When dims do not increase from stage to stage (those of the rows as given may begin anew), the rows that
    /// are kept do not decrease, or a graph is not the first.
    pub fn new(stages: Vec<Stage>, rank: Option<usize>) -> Result<Self, ScheduleError> {
        for pair in stages.windows(2) {
            let (previous, next) = (pair[0], pair[1]);
            if next.keep > previous.keep {
                return Err(ScheduleError::Keeps { previous: previous.keep.get(), next: next.keep.get() });
            }
            if next.by == By::Graph {
                return Err(ScheduleError::Graph(next));
            }
            if next.by.is_trained() == previous.by.is_trained() && next.dim <= previous.dim {
                return Err(ScheduleError::Dims { previous: previous.dim, next: next.dim });
            }
        }
        if let Some(zero) = stages.iter().map(|stage| stage.dim).chain(rank).find(|&dim| dim == 0) {
            return Err(ScheduleError::Part(zero.to_string()));
        }
        Ok(Self { stages, rank })
    }

    /// All `width` dims of all rows as they were given, in `f32`, of which the best `keep` are ranked: brute force, `t512:10` for ten
    /// rows of 512.
    ///
    /// # Panics
    /// When the width is 0.
    #[must_use]
    pub fn scan(width: usize, keep: NonZeroUsize) -> Self {
        Self::new(vec![Stage { dim: width, keep, by: By::TrainedPrefix }], None).expect("a dim that is not 0")
    }

    /// What shortlists, in order.
    #[must_use]
    pub fn stages(&self) -> &[Stage] {
        &self.stages
    }

    /// The prefix that ranks, where it is not all dims.
    #[must_use]
    pub fn rank(&self) -> Option<usize> {
        self.rank
    }

    /// Whether it walks along a graph, and on which prefix.
    #[must_use]
    pub fn graph(&self) -> Option<usize> {
        self.stages.first().filter(|stage| stage.by == By::Graph).map(|stage| stage.dim)
    }

    /// Whether it finds `k` rows of an index with these prefixes, the last of which is the width, and a graph on the prefix `graph`;
    /// the dims that rank.
    pub(crate) fn check(&self, k: usize, dims: &[usize], graph: Option<usize>) -> Result<usize, Error> {
        if k == 0 {
            return Err(Error::NoK);
        }
        let rank = self.rank.unwrap_or(dims[dims.len() - 1]);
        let asked = std::iter::once(rank).chain(self.stages.iter().map(|stage| stage.dim));
        if let Some(dim) = asked.into_iter().find(|dim| !dims.contains(dim)) {
            return Err(Error::NoDim { dim, dims: dims.to_vec() });
        }
        if let Some(dim) = self.graph().filter(|&dim| Some(dim) != graph) {
            return Err(Error::NoGraph { dim, graph });
        }
        match self.stages.iter().find(|stage| stage.keep.get() < k) {
            Some(&stage) => Err(Error::KeepsTooFew { stage, k }),
            None => Ok(rank),
        }
    }
}

impl FromStr for Schedule {
    type Err = ScheduleError;

    fn from_str(text: &str) -> Result<Self, ScheduleError> {
        if text.trim() == "exact" {
            return Ok(Self::exact());
        }
        let mut parts: Vec<&str> = text.split(',').map(str::trim).collect();
        let rank = match parts.last() {
            Some(last) if !last.contains(':') => {
                Some(last.parse().map_err(|_| ScheduleError::Part((*last).to_owned()))?)
            }
            _ => None,
        };
        parts.truncate(parts.len() - usize::from(rank.is_some()));
        Self::new(parts.into_iter().map(str::parse).collect::<Result<_, _>>()?, rank)
    }
}

impl FromStr for Stage {
    type Err = ScheduleError;

    fn from_str(text: &str) -> Result<Self, ScheduleError> {
        let wrong = || ScheduleError::Part(text.to_owned());
        let marked = |by: &By| text.strip_prefix(by.letter()).map(|rest| (*by, rest));
        let (by, rest) = [By::TrainedPrefix, By::Graph].iter().find_map(marked).unwrap_or((By::Prefix, text));
        let (dim, keep) = rest.split_once(':').ok_or_else(wrong)?;
        let dim = dim.trim().parse().map_err(|_| wrong())?;
        let keep = keep.trim().parse().map_err(|_| wrong())?;
        Ok(Self { dim, keep, by })
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::exact() {
            return f.write_str("exact");
        }
        let stages = self.stages.iter().map(ToString::to_string);
        let parts: Vec<String> = stages.chain(self.rank.map(|dim| dim.to_string())).collect();
        f.write_str(&parts.join(","))
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}:{}", self.by.letter(), self.dim, self.keep)
    }
}

impl TryFrom<String> for Schedule {
    type Error = ScheduleError;

    fn try_from(text: String) -> Result<Self, ScheduleError> {
        text.parse()
    }
}

impl From<Schedule> for String {
    fn from(schedule: Schedule) -> Self {
        schedule.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_and_parse_are_inverse() {
        for text in [
            "exact",
            "64",
            "64:200",
            "64:200,512",
            "16:800,32:400,64:200,128:50,512",
            "64:30,t16:20,128",
            "g64:30,t16:20,128",
        ] {
            assert_eq!(text.parse::<Schedule>().unwrap().to_string(), text);
        }
        assert_eq!(" 64 : 200 , 512 ".parse::<Schedule>().unwrap().to_string(), "64:200,512");
    }

    #[test]
    fn each_mistake_has_its_own_sentence() {
        let message = |text: &str| text.parse::<Schedule>().unwrap_err().to_string();
        let no_stage = |part| {
            format!("{part:?} is no stage of a schedule; write exact, or stages and a dim as in 64:200,512")
        };
        for text in ["", "x", "64:0,512", "-1:3", "64:", ":5", "64:200,5x"] {
            assert_eq!(message(text), no_stage(text.rsplit(',').find(|part| *part != "512").unwrap()));
        }
        assert_eq!(message("64:200,0"), no_stage("0"));
        assert_eq!(message("0:200,64"), no_stage("0"));
        assert_eq!(message("64,128:3"), no_stage("64"));
        assert_eq!(
            message("64:20,128:30"),
            "a stage of the schedule keeps 30 rows of 20; let each keep fewer than the one before"
        );
        assert_eq!(
            message("64:20,g128:10"),
            "g128:10 follows another stage of the schedule; a graph can only be walked first"
        );
        assert_eq!(message("64:20,64:10"), "dim 64 of the schedule follows 64; let dims increase");
    }
}
