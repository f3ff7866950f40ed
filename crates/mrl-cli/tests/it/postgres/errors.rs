//! What goes wrong is said with its cure, and no password.

use std::net::TcpListener;

use mrl_retrieve::postgres::{PostgresError, PushOptions, Server};

use super::{Postgres, name, numbered, pushed};
use crate::{
    common::{fail, succeed},
    errors::says,
};

#[test]
fn a_server_that_cannot_be_used_is_named_with_the_cure() {
    let Some(postgres) = Postgres::start() else { return };
    let (folder, _, _) = numbered(20);
    let world = crate::common::World { folder };
    let nowhere = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    postgres.run("CREATE ROLE guest LOGIN PASSWORD 'secret'");
    postgres.run("CREATE DATABASE plain");
    for (url, code, parts) in [
        (
            format!("postgres://mrl:secret@127.0.0.1:{nowhere}/x"),
            1,
            &["cannot be reached", "start the server"][..],
        ),
        (
            postgres.url_of("mrl:secrets", "postgres"),
            1,
            &["does not let mrl in", "correct user and password"],
        ),
        (postgres.url_of("mrl", "postgres"), 1, &["a password is needed", "correct user and password"]),
        (postgres.url_of("mrl:secret", "none"), 1, &["no such database", "createdb"]),
        (postgres.url() + "?sslmode=require", 1, &["TLS", "sslmode=disable"]),
        (postgres.url_of("guest:secret", "plain"), 1, &["no extension vector", "install pgvector 0.8"]),
        ("here".to_owned(), 2, &["postgres://USER:PASSWORD@HOST:PORT/DATABASE"]),
    ] {
        let message = fail(world.mrl(&format!("index push rows.index --postgres {url}")), code);
        says(&message, parts);
        assert!(!message.contains("secret"), "{message}");
    }
}

#[test]
fn a_table_of_something_else_is_refused() {
    let Some(postgres) = Postgres::start() else { return };
    let world = pushed(&postgres);
    let url = postgres.url();
    postgres.run(
        "CREATE TABLE mine (id bigint, label bigint, embedding vector(144)); INSERT INTO mine VALUES (1, 2)",
    );
    postgres.run("CREATE TABLE wrong (id bigint, label bigint, words text)");
    postgres.run("ALTER TABLE mine ALTER embedding SET DEFAULT NULL");
    for (input, dims) in [("train", "16,32"), ("test", "16,64")] {
        succeed(
            world.mrl(&format!("index build --input {input}.safetensors --dims {dims} --out {input}.index")),
        );
    }
    let (_folder, narrow, _) = numbered(20);
    let narrow = narrow.display();
    let queries = format!("--queries test.safetensors --postgres {url}");
    for (words, code, parts) in [
        (
            format!("index push {narrow} --postgres {url}"),
            1,
            &["144 wide", "is 32", "name another table"][..],
        ),
        (
            format!("index push test.index --postgres {url}"),
            1,
            &["copy of another index", "push to another table"],
        ),
        (
            format!("index push train.index --postgres {url}"),
            1,
            &["copy of another index", "push to another table"],
        ),
        (format!("index push pixels.index --postgres {url} --table mine"), 1, &["not pushed from an index"]),
        (
            format!("index push pixels.index --postgres {url} --table wrong"),
            1,
            &["words text", "vector(144)"],
        ),
        (format!("index push pixels.index --postgres {url} --prefix 20"), 2, &["16, 64, 144"]),
        ("index push pixels.index".to_owned(), 2, &["--postgres URL"]),
        (format!("index push pixels.index --postgres {url} --table a.b.c"), 2, &["SCHEMA.NAME"]),
        (format!("index search {queries} --table none"), 1, &["no table", "push an index to it"]),
        (format!("index search {queries} --table mine"), 1, &["not pushed from an index"]),
        (format!("index search pixels.index {queries}"), 2, &["cannot be used with"]),
        (format!("index search {queries} --schedule 20:30"), 2, &["16, 64, 144"]),
        (format!("index search {queries} --schedule 16:5"), 2, &["k = 10"]),
        (format!("index search {queries} --k 0"), 2, &["at least one"]),
    ] {
        says(&fail(world.mrl(&words), code), parts);
    }
    assert_eq!(postgres.number("SELECT count(*) FROM embeddings"), 40);
    std::fs::write(world.path("narrow.npy"), npy(&[1.0, 2.0])).unwrap();
    let words = format!("index search --queries narrow.npy --postgres {url}");
    says(&fail(world.mrl(&words), 1), &["2 wide", "144"]);
}

/// A file of one row.
fn npy(row: &[f32]) -> Vec<u8> {
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': (1, {}), }}", row.len());
    let mut bytes = b"\x93NUMPY\x01\x00\x75\x00".to_vec();
    bytes.extend(format!("{header:<116}\n").bytes());
    bytes.extend(row.iter().flat_map(|number| number.to_le_bytes()));
    bytes
}

#[test]
fn a_table_of_another_width_and_a_second_push_are_refused() {
    let Some(postgres) = Postgres::start() else { return };
    let (_folder, _, index) = numbered(20);
    let server: Server = postgres.url().parse().unwrap();
    postgres.run("CREATE EXTENSION vector; CREATE TABLE wide (id bigint, embedding vector(64))");
    let push = |table: &str| server.push(&index, &name(table), &PushOptions::default(), &mut |_, _| {});
    let error = push("wide").unwrap_err().to_string();
    assert_eq!(error, "the table \"wide\" is 64 wide but the index is 32; name another table");
    assert_eq!(
        postgres.number("SELECT count(*) FROM pg_class WHERE relname = 'mrl_pushes'"),
        0,
        "nothing is left"
    );

    let mut busy = None;
    let mut again = |_, _| busy = Some(push("rows").unwrap_err());
    server.push(&index, &name("rows"), &PushOptions::default(), &mut again).unwrap();
    assert!(matches!(busy, Some(PostgresError::Busy(_))), "{busy:?}");
    postgres.run("UPDATE mrl_pushes SET about = '{}'");
    assert!(push("rows").unwrap_err().to_string().contains("another version of mrl; push to another table"));
    // A table that the user has made, empty, is filled; one that is dropped is made again.
    postgres.run("DROP TABLE wide, rows; CREATE TABLE rows (id bigint, embedding vector(32), more text)");
    assert_eq!(push("rows").unwrap().new, 20);
}
