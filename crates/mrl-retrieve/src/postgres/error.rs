use crate::Error;

/// What can go wrong between an index and a server. No message holds a password.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// An index, queries or a schedule are wrong, wherever the rows are.
    #[error(transparent)]
    Index(#[from] Error),
    /// The URL cannot be read.
    #[error("{0}; write the URL of the server as postgres://USER:PASSWORD@HOST:PORT/DATABASE")]
    Url(String),
    /// A name that no table can have.
    #[error("{name:?} is no name of a table: {problem}")]
    Name {
        /// What was given.
        name: String,
        /// What is wrong with it, and the cure.
        problem: &'static str,
    },
    /// There is no way to the server.
    #[error("{server} cannot be reached ({problem}); start the server, or correct host and port")]
    Away {
        /// Host, port and database.
        server: String,
        /// What the system said.
        problem: String,
    },
    /// The connection cannot be encrypted.
    #[error(
        "{server}: {problem}; let the server have a certificate that this system trusts, or add sslmode=disable to the URL \
         to go without encryption"
    )]
    Tls {
        /// Host, port and database.
        server: String,
        /// What is missing.
        problem: String,
    },
    /// User or password are wrong.
    #[error("{server} does not let {user} in ({problem}); correct user and password")]
    Password {
        /// Host, port and database.
        server: String,
        /// Who tried.
        user: String,
        /// What the server said.
        problem: String,
    },
    /// The database is not there.
    #[error("{server}: the server has no such database; correct the URL, or make it with createdb")]
    NoDatabase {
        /// Host, port and database.
        server: String,
    },
    /// The connection ended in the middle.
    #[error(
        "the connection to {server} broke ({problem}); run this again when the server is back: a push goes on where it was"
    )]
    Broken {
        /// Host, port and database.
        server: String,
        /// What is known of it.
        problem: String,
    },
    /// The server cannot or will not do it.
    #[error("{server}: {problem}")]
    Refused {
        /// Host, port and database.
        server: String,
        /// What the server said.
        problem: String,
    },
    /// pgvector is not there.
    #[error(
        "{server} has no extension vector ({problem}); install pgvector 0.8 or later on the server, and run CREATE EXTENSION \
         vector in the database as one who may"
    )]
    NoExtension {
        /// Host, port and database.
        server: String,
        /// What the server said.
        problem: String,
    },
    /// pgvector is too old.
    #[error(
        "{server} has pgvector {version}; 0.8 or later is needed: install it, and run ALTER EXTENSION vector UPDATE"
    )]
    OldExtension {
        /// Host, port and database.
        server: String,
        /// The version that is there.
        version: String,
    },
    /// There is no such table.
    #[error("{server} has no table {table}; name another, or push an index to it first")]
    NoTable {
        /// Host, port and database.
        server: String,
        /// The table.
        table: String,
    },
    /// A table that no push has made.
    #[error("the table {0} holds rows that were not pushed from an index; name another table")]
    NotPushed(String),
    /// The table has other columns than the index needs.
    #[error("the table {table} has the columns {given} but the index needs {expected}; name another table")]
    Columns {
        /// The table.
        table: String,
        /// Names and types that are there.
        given: String,
        /// Those that must be there.
        expected: String,
    },
    /// The rows of the table have another width.
    #[error("the table {table} is {given} wide but the index is {expected}; name another table")]
    Width {
        /// The table.
        table: String,
        /// Numbers in a row of the table.
        given: usize,
        /// Numbers in a row of the index.
        expected: usize,
    },
    /// The table belongs to another index, or to another state of this one.
    #[error(
        "the table {0} is a copy of another index, or of this one before it was changed; push to another table, or drop \
         that one first"
    )]
    OtherIndex(String),
    /// What is written about the table cannot be read.
    #[error("the table {0} was pushed by another version of mrl; push to another table with this one")]
    OtherVersion(String),
    /// A push to the table has not come to its end.
    #[error(
        "the push to the table {table} has stopped at row {pushed} of {rows}; run it again, it goes on from there"
    )]
    Unfinished {
        /// The table.
        table: String,
        /// How far it came.
        pushed: usize,
        /// How far it had to go.
        rows: usize,
    },
    /// Another push is under way.
    #[error("another push to the table {0} is under way; wait for its end")]
    Busy(String),
    /// More dims than pgvector stores or indexes.
    #[error("pgvector {what} at most {most} dims, not {dims}; {cure}")]
    TooWide {
        /// What it would have to do.
        what: &'static str,
        /// The limit.
        most: usize,
        /// What was asked for.
        dims: usize,
        /// What helps.
        cure: &'static str,
    },
    /// An id is too large for `bigint`.
    #[error(
        "the id {0} is larger than the 9223372036854775807 that a bigint holds; give the rows smaller ids, or names"
    )]
    LargeId(u64),
}

impl PostgresError {
    /// Whether the caller asked for something that cannot be meant, rather than that something went wrong.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Index(error) => error.is_usage(),
            Self::Url(_) | Self::Name { .. } => true,
            _ => false,
        }
    }
}
