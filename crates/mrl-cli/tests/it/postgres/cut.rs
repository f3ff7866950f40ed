//! A push is cut, by the server or by the client, and goes on.

use std::{
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use mrl_retrieve::postgres::{PostgresError, PushOptions, Server};

use super::{Postgres, local, name, numbered, open, recall, rows};
use crate::common::{World, succeed, text};

const ROWS: usize = 1000;

/// Fails if a row is lost or doubled.
fn assert_whole(postgres: &Postgres, rows: i64) {
    for sql in ["SELECT count(*) FROM embeddings", "SELECT count(DISTINCT id) FROM embeddings"] {
        assert_eq!(postgres.number(sql), rows, "{sql}");
    }
}

#[test]
fn a_push_goes_on_where_it_was_cut() {
    let Some(mut postgres) = Postgres::start() else { return };
    let (_folder, _, index) = numbered(ROWS);
    let server: Server = postgres.url().parse().unwrap();
    let (table, options) = (name("embeddings"), PushOptions { batch: Some(100), ..PushOptions::default() });

    let mut crash = |done, _| {
        if done == 300 {
            postgres.crash();
        }
    };
    let error = server.push(&index, &table, &options, &mut crash).unwrap_err();
    assert!(matches!(error, PostgresError::Broken { .. }), "{error:?}");
    assert!(error.to_string().contains("a push goes on where it was"), "{error}");
    postgres.up();
    assert_whole(&postgres, 300);
    let error = server.open(&table).err().unwrap().to_string();
    assert!(error.contains("stopped at row 300 of 1000; run it again"), "{error}");

    // The connection alone is cut.
    let drop_connections = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                            WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
    let mut first = None;
    let mut terminate = |done, _| {
        first.get_or_insert(done);
        if done == 600 {
            assert_eq!(postgres.number(drop_connections), 1);
        }
    };
    let error = server.push(&index, &table, &options, &mut terminate).unwrap_err();
    assert!(matches!(error, PostgresError::Broken { .. }), "{error:?}");
    assert_eq!(first, Some(400), "the push has gone on from 300");
    assert_whole(&postgres, 600);

    let pushed = server.push(&index, &table, &options, &mut |_, _| {}).unwrap();
    assert_eq!((pushed.rows, pushed.new), (ROWS, 400));
    assert_whole(&postgres, ROWS as i64);
    let again = server.push(&index, &table, &options, &mut |_, _| panic!("nothing is left to push")).unwrap();
    assert_eq!((again.rows, again.new), (ROWS, 0));
    let (queries, schedule) = (rows(20, 3), "16:100,32");
    let found = open(&postgres, "embeddings").search(&queries, 10, &schedule.parse().unwrap()).unwrap();
    assert!(recall(&found, &local(&index, &queries, 10, schedule)) >= 0.97);
}

#[test]
fn a_program_that_is_killed_loses_and_doubles_nothing() {
    let Some(postgres) = Postgres::start() else { return };
    let (folder, _, _) = numbered(ROWS);
    let world = World { folder };
    let words = format!("index push rows.index --batch 5 --postgres {}", postgres.url());
    let mut cut = 0;
    for least in [100, 350, 700] {
        let mut child = world.mrl(&words).stderr(Stdio::null()).spawn().unwrap();
        let start = Instant::now();
        let mut client = postgres.client();
        // There is no table at first.
        let mut there = || -> i64 {
            client.query_one("SELECT count(*) FROM embeddings", &[]).map_or(0, |row| row.get(0))
        };
        while there() < least && start.elapsed() < Duration::from_secs(60) {
            thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        cut += usize::from(!child.wait().unwrap().success());
        let rows = postgres.number("SELECT count(*) FROM embeddings");
        assert!(rows >= least && rows % 5 == 0, "{rows}");
    }
    assert!(cut > 0, "no push was cut");
    // The server may take a moment to see that the last one is gone.
    while postgres.number("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") > 0 {
        thread::sleep(Duration::from_millis(10));
    }
    let said = text(&succeed(world.mrl(&words)).stdout);
    assert!(said.starts_with("\"embeddings\": 1000 vectors"), "{said}");
    assert_whole(&postgres, ROWS as i64);
}
