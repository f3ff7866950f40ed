use std::{
    io,
    path::{Path, PathBuf},
};

use mrl_embedding::NestingError;

use crate::{Id, IdKind, Stage};

/// What can go wrong with an index, its sources and its queries.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// The file is not what its name says, or is damaged.
    #[error("{}: {problem}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was wrong, and the cure.
        problem: String,
    },
    /// Another writer holds the index.
    #[error(
        "{}: another process is changing this index; try again when it has ended (reading is possible meanwhile)",
        .0.display()
    )]
    Busy(PathBuf),
    /// Where an index is to be built there is another file.
    #[error("{} exists and is not an mrl index; it stays as it is: name another file, or delete it first", .0.display())]
    Occupied(PathBuf),
    /// The file of the source cannot be read.
    #[error(transparent)]
    Source(#[from] mrl_embedding::Error),
    /// The bands are not usable.
    #[error(transparent)]
    Nesting(#[from] NestingError),
    /// There is nothing to build from or to add.
    #[error("the source has no rows; give at least one")]
    Empty,
    /// The rows are not those of this index.
    #[error("the source is {given} wide but the index is {expected}; embed it with the encoder of the index")]
    Width {
        /// Numbers in a row of the source.
        given: usize,
        /// Numbers in a row of the index.
        expected: usize,
    },
    /// The rows were made by another encoder.
    #[error(
        "the source is of the encoder {given} but the index of {expected}; vectors of two encoders do not compare"
    )]
    OtherEncoder {
        /// What tells the source's weights from others.
        given: String,
        /// What tells those of the index from others.
        expected: String,
    },
    /// The classes of the rows have other names than those of the index.
    #[error(
        "label {label} is {given:?} in the source and {expected:?} in the index; embed both with the same classes, or give \
         labels as text"
    )]
    ClassNames {
        /// The first that differs.
        label: usize,
        /// What the source calls it.
        given: String,
        /// What the index calls it.
        expected: String,
    },
    /// A row holds NaN or infinity, or numbers too large to compute with.
    #[error("row {row} of the source has norm {norm:e}; give finite numbers, and norms up to 1e37")]
    NotFinite {
        /// The row, from 0.
        row: usize,
        /// Its norm.
        norm: f64,
    },
    /// More rows than positions that are told apart.
    #[error("{0} rows are more than an index holds; use several of at most 4294967295 rows")]
    TooMany(usize),
    /// The numbers of rows, ids and labels of a source differ.
    #[error("the source has {given} {what} for {rows} rows; give one for each")]
    Count {
        /// What there is too much or too little of.
        what: &'static str,
        /// How many there are.
        given: usize,
        /// The rows of the source.
        rows: usize,
    },
    /// An id is there already.
    #[error("the id {0} is in the index already; remove it first, or give the new row an id of its own")]
    Present(Id),
    /// An id comes twice in a source.
    #[error("the id {0} comes twice in the source; give each row an id of its own")]
    Duplicate(Id),
    /// Ids to remove that are not there.
    #[error("{}; nothing was removed", unknown(.0))]
    Unknown(Vec<Id>),
    /// Ids are numbers or names, not both.
    #[error("the ids of the index are {expected}, those given {given}; use one kind")]
    IdKind {
        /// The ids that came.
        given: IdKind,
        /// The ids that are there.
        expected: IdKind,
    },
    /// Generated ids have reached their end.
    #[error("the largest id is {0}, which leaves too few for the new rows; give them ids")]
    NoIdsLeft(u64),
    /// Some rows would have labels and others not.
    #[error("{} but {}; label all rows or none", labelled("the source", *.given), labelled("the index", !.given))]
    Labels {
        /// Whether the source has labels; the index has the opposite.
        given: bool,
    },
    /// Queries are not as wide as the rows.
    #[error(
        "{values} numbers are no queries of width {width}, that of the index; embed them with the encoder of the index"
    )]
    QueryWidth {
        /// Numbers of all queries together.
        values: usize,
        /// Numbers in a row.
        width: usize,
    },
    /// A query holds NaN or infinity.
    #[error("number {place} of query {query} is not finite; search with finite numbers")]
    QueryNotFinite {
        /// The query, from 0.
        query: usize,
        /// The number in it, from 0.
        place: usize,
    },
    /// A query has no direction.
    #[error("query {query} is zero in its first {dims} dims, so it has no cosine with any row; leave it out")]
    QueryZero {
        /// The query, from 0.
        query: usize,
        /// The dims that rank.
        dims: usize,
    },
    /// No rows are asked for.
    #[error("k is 0; ask for at least one row")]
    NoK,
    /// A schedule asks for a prefix that is not stored apart.
    #[error("the index has no prefix of {dim} dims; it has {}", list(.dims))]
    NoDim {
        /// The dim.
        dim: usize,
        /// Those there are.
        dims: Vec<usize>,
    },
    /// A schedule walks along a graph that is not there.
    #[error("the index has {}; let mrl index tune build one, or leave out the g", no_graph(*.dim, *.graph))]
    NoGraph {
        /// The prefix that it would be on.
        dim: usize,
        /// The prefix that the graph of the index is on, if it has one.
        graph: Option<usize>,
    },
    /// A graph cannot be on a prefix that does not shortlist.
    #[error("a graph cannot be on {dim} dims; it can be on a prefix that shortlists: {}", list(.dims))]
    NoGraphHere {
        /// The dims.
        dim: usize,
        /// The prefixes that shortlist.
        dims: Vec<usize>,
    },
    /// A schedule leaves fewer rows than are asked for.
    #[error("stage {stage} of the schedule keeps fewer rows than k = {k}; let it keep at least {k}")]
    KeepsTooFew {
        /// The stage.
        stage: Stage,
        /// Rows that are asked for.
        k: usize,
    },
    /// A share that is none.
    #[error("recall {0} cannot be; ask for one from 0 to 1")]
    Recall(f64),
    /// There is nothing to measure searches with.
    #[error("searches are measured on an index of at least two rows that are not zero; add some")]
    TooFewToTune,
    /// There are no queries to measure searches with.
    #[error("there are no queries; give at least one")]
    NoQueries,
    /// The principal components of the rows cannot be found.
    #[error("the principal components of rows of {width} numbers cannot be found; build without a rotation")]
    Rotation {
        /// Numbers in a row.
        width: usize,
    },
}

impl Error {
    /// Whether the caller asked for something that cannot be meant, rather than that something went wrong.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::Nesting(_)
                | Self::NoK
                | Self::NoDim { .. }
                | Self::NoGraph { .. }
                | Self::NoGraphHere { .. }
                | Self::KeepsTooFew { .. }
                | Self::Recall(_)
        )
    }

    /// Whether it speaks of rows or queries that were given, which the caller knows the file of.
    #[must_use]
    pub fn is_of_rows(&self) -> bool {
        matches!(
            self,
            Self::Empty
                | Self::Width { .. }
                | Self::OtherEncoder { .. }
                | Self::ClassNames { .. }
                | Self::NotFinite { .. }
                | Self::Count { .. }
                | Self::Present(_)
                | Self::Duplicate(_)
                | Self::IdKind { .. }
                | Self::Labels { .. }
                | Self::QueryWidth { .. }
                | Self::QueryNotFinite { .. }
                | Self::QueryZero { .. }
                | Self::NoQueries
        )
    }

    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| Self::Io { path: path.to_owned(), source }
    }

    pub(crate) fn damaged(path: &Path, problem: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), problem: problem.into() }
    }
}

/// Ids of a long list that are named.
const NAMED: usize = 5;

fn list(dims: &[usize]) -> String {
    dims.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn unknown(ids: &[Id]) -> String {
    let named: Vec<String> = ids.iter().take(NAMED).map(ToString::to_string).collect();
    let more = match ids.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let (noun, verb) = if ids.len() == 1 { ("id", "is") } else { ("ids", "are") };
    format!("the {noun} {}{more} {verb} not in the index", named.join(", "))
}

fn no_graph(dim: usize, graph: Option<usize>) -> String {
    match graph {
        None => "no graph".to_owned(),
        Some(other) => format!("a graph on {other} dims and none on {dim}"),
    }
}

fn labelled(who: &str, has: bool) -> String {
    format!("{who} has {}", if has { "labels" } else { "no labels" })
}
