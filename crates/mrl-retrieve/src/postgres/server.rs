use std::{error::Error as _, str::FromStr, time::Duration};

use postgres::{
    Client, Config, NoTls,
    config::{Host, SslMode},
    error::SqlState,
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{PostgresError, PostgresTable, PushOptions, Pushed, TableName, push};
use crate::Index;

/// The oldest pgvector whose scans go on until there are enough rows.
const OLDEST: (u32, u32) = (0, 8);

/// How long a server may take to answer, unless the URL says so (`connect_timeout`).
const PATIENCE: Duration = Duration::from_secs(30);

/// A database that can hold copies of indexes: a URL as libpq knows it, `postgres://USER:PASSWORD@HOST:PORT/DATABASE`.
///
/// Connections are encrypted where the server can (`sslmode=prefer`), or must be (`require`); certificates are those that the
/// system trusts.
#[derive(Clone, Debug)]
pub struct Server {
    config: Config,
}

/// A connection, and what messages call its other end.
pub(super) struct Session {
    pub(super) client: Client,
    server: String,
}

impl FromStr for Server {
    type Err = PostgresError;

    fn from_str(url: &str) -> Result<Self, PostgresError> {
        let mut config: Config = url.parse().map_err(|error| PostgresError::Url(with_causes(&error)))?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(PostgresError::Url("the URL names no host".to_owned()));
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(PATIENCE);
        }
        Ok(Self { config })
    }
}

impl Server {
    /// Uses `password` if the URL has none.
    pub fn or_password(&mut self, password: &str) {
        if self.config.get_password().is_none() {
            self.config.password(password);
        }
    }

    /// Copies `index` to `table`, which is made if it is not there, and indexes a prefix for shortlists. A push that was cut
    /// goes on from the last rows that were committed; one that is finished only writes the schedule anew. `progress` is told how
    /// many positions of how many are done, after every commit.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses, the table belongs to something else, or `index` is damaged where it is
    /// read. What was committed stays.
    pub fn push(
        &self,
        index: &Index,
        table: &TableName,
        options: &PushOptions,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Pushed, PostgresError> {
        push::push(|| self.connect(), index, table, options, progress)
    }

    /// Opens a table that an index was pushed to.
    ///
    /// # Errors
    /// When the server cannot be reached, there is no such table, or its push is not finished.
    pub fn open(&self, table: &TableName) -> Result<PostgresTable, PostgresError> {
        PostgresTable::open(self.connect()?, table)
    }

    fn connect(&self) -> Result<Session, PostgresError> {
        let connected = match self.config.get_ssl_mode() {
            SslMode::Disable => self.config.connect(NoTls),
            _ => match MakeRustlsConnect::with_native_certs() {
                Ok((tls, _)) => self.config.connect(tls),
                // Without any certificates there is no encryption; where it is required, that is an error.
                Err(_) => self.config.connect(NoTls),
            },
        };
        let client = connected.map_err(|error| self.not_connected(&error))?;
        Ok(Session { client, server: self.words() })
    }

    fn not_connected(&self, error: &postgres::Error) -> PostgresError {
        let (server, problem) = (self.words(), with_causes(error));
        let password = |problem| {
            let user = self.config.get_user().unwrap_or("the user of this system").to_owned();
            PostgresError::Password { server: server.clone(), user, problem }
        };
        match error.code() {
            Some(code)
                if [SqlState::INVALID_PASSWORD, SqlState::INVALID_AUTHORIZATION_SPECIFICATION]
                    .contains(code) =>
            {
                password(problem)
            }
            Some(code) if *code == SqlState::INVALID_CATALOG_NAME => PostgresError::NoDatabase { server },
            None if problem.contains("password missing") => password("a password is needed".to_owned()),
            None if problem.contains("TLS") => PostgresError::Tls { server, problem },
            _ => PostgresError::Away { server, problem },
        }
    }

    /// Host, port and database.
    fn words(&self) -> String {
        let host = match self.config.get_hosts().first() {
            Some(Host::Tcp(host)) => host.clone(),
            Some(Host::Unix(path)) => path.display().to_string(),
            None => self.config.get_hostaddrs().first().map(ToString::to_string).unwrap_or_default(),
        };
        let port = self.config.get_ports().first().copied().unwrap_or(5432);
        let database = self.config.get_dbname().map(|name| format!("/{name}")).unwrap_or_default();
        format!("{host}:{port}{database}")
    }
}

impl Session {
    pub(super) fn server(&self) -> String {
        self.server.clone()
    }

    /// Makes sure of pgvector; where it is missing, `make` says whether to create the extension.
    pub(super) fn require_vector(&mut self, make: bool) -> Result<(), PostgresError> {
        let find = "SELECT extversion FROM pg_extension WHERE extname = 'vector'";
        let server = self.server();
        let missing = |problem| PostgresError::NoExtension { server: server.clone(), problem };
        let mut found = self.client.query_opt(find, &[]).map_err(self.failed())?;
        if found.is_none() && make {
            match self.client.batch_execute("CREATE EXTENSION vector") {
                Err(error) if error.as_db_error().is_some() => return Err(missing(with_causes(&error))),
                done => done.map_err(self.failed())?,
            }
            found = self.client.query_opt(find, &[]).map_err(self.failed())?;
        }
        let version: String = found.ok_or_else(|| missing("it was not created".to_owned()))?.get(0);
        let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
        if (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) < OLDEST {
            return Err(PostgresError::OldExtension { server, version });
        }
        Ok(())
    }

    /// What it means that the server did not do what it was told.
    pub(super) fn failed(&self) -> impl Fn(postgres::Error) -> PostgresError + use<> {
        let server = self.server();
        move |error| {
            let (server, problem) = (server.clone(), with_causes(&error));
            let ended = [SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN, SqlState::CANNOT_CONNECT_NOW];
            if error.code().is_none_or(|code| ended.contains(code)) {
                return PostgresError::Broken { server, problem };
            }
            PostgresError::Refused { server, problem }
        }
    }
}

/// In one line, with what the server adds.
fn with_causes(error: &postgres::Error) -> String {
    if let Some(refused) = error.as_db_error() {
        let more = [refused.detail(), refused.hint()].into_iter().flatten().map(|more| format!("; {more}"));
        return refused.message().to_owned() + &more.collect::<String>();
    }
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !text.contains(&words) {
            text = text + ": " + &words;
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_url_is_refused_without_the_password() {
        for url in ["", "here", "postgres://me:secret@/db", "postgres://me:secret@host:x/db"] {
            let message = url.parse::<Server>().unwrap_err().to_string();
            assert!(message.contains("postgres://USER:PASSWORD@HOST:PORT/DATABASE"), "{message}");
            assert!(!message.contains("secret"), "{message}");
        }
    }

    #[test]
    fn a_server_is_called_by_host_port_and_database() {
        for (url, words) in [
            ("postgres://me:secret@db.example:99/photos", "db.example:99/photos"),
            ("postgres://127.0.0.1", "127.0.0.1:5432"),
            ("host=/run/postgres dbname=x", "/run/postgres:5432/x"),
        ] {
            assert_eq!(url.parse::<Server>().unwrap().words(), words);
        }
    }
}
