//! `mrl index push` and `search --postgres`, against a real server with pgvector.

mod cut;
mod errors;
mod server;
mod shards;
mod tls;

use std::path::{Path, PathBuf};

use mrl_embedding::EmbeddingSet;
use mrl_retrieve::{
    BuildOptions, Dtype, Id, Index, Metric, Rotate, Writer,
    postgres::{Ann, PostgresHits, PostgresTable, PushOptions, Pushed, Server, TableName},
};

use self::server::Postgres;
use crate::{
    common::{World, succeed, text},
    evaluation::world,
};

/// Numbers in a row.
const WIDTH: usize = 32;

/// `[n, WIDTH]`, the first numbers the largest, as in embeddings.
fn rows(n: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    let mut uniform = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u32 << 23) as f32 - 1.0
    };
    (0..n * WIDTH).map(|place| uniform() / (1.0 + (place % WIDTH) as f32).sqrt()).collect()
}

fn build(path: &Path, set: &EmbeddingSet, metric: Metric) -> Index {
    let options = BuildOptions {
        metric,
        dims: vec![8, 16, WIDTH],
        rotate: Rotate::None,
        shortlist_dtype: Dtype::F32,
        graph: None,
    };
    options.build(set, path).unwrap()
}

/// An index of numbered rows, and the folder that it lies in.
fn numbered(n: usize) -> (tempfile::TempDir, PathBuf, Index) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.index");
    let index = build(&path, &EmbeddingSet::new(rows(n, 1), WIDTH).unwrap(), Metric::Cosine);
    (folder, path, index)
}

fn push(postgres: &Postgres, index: &Index, table: &str, ann: Ann) -> Pushed {
    let server: Server = postgres.url().parse().unwrap();
    let options = PushOptions { prefix: Some(8), ann, ..PushOptions::default() };
    server.push(index, &name(table), &options, &mut |_, _| {}).unwrap()
}

fn open(postgres: &Postgres, table: &str) -> PostgresTable {
    postgres.url().parse::<Server>().unwrap().open(&name(table)).unwrap()
}

fn name(table: &str) -> TableName {
    table.parse().unwrap()
}

/// What the index itself finds.
fn local(index: &Index, queries: &[f32], k: usize, schedule: &str) -> PostgresHits {
    let hits = index.searcher().unwrap().search(queries, k, &schedule.parse().unwrap()).unwrap();
    let ids = |positions: &[usize]| positions.iter().map(|&position| index.id(position).unwrap()).collect();
    PostgresHits {
        ids: hits.positions().chunks(hits.k()).map(ids).collect(),
        scores: hits.scores().chunks(hits.k()).map(<[f64]>::to_vec).collect(),
    }
}

/// The share of the ids in `expected` that are in `found`.
fn recall(found: &PostgresHits, expected: &PostgresHits) -> f64 {
    let all = expected.ids.iter().flatten().count();
    let both = found.ids.iter().zip(&expected.ids).map(|(found, expected)| {
        let is_found = |id: &&Id| found.contains(id);
        expected.iter().filter(is_found).count()
    });
    both.sum::<usize>() as f64 / all as f64
}

fn assert_same(found: &PostgresHits, expected: &PostgresHits, what: &str) {
    assert_eq!(found.ids, expected.ids, "{what}");
    for (found, expected) in found.scores.iter().flatten().zip(expected.scores.iter().flatten()) {
        assert!((found - expected).abs() < 1e-5, "{what}: {found} instead of {expected}");
    }
}

/// An index with names, labels, a zero row, two segments and removed rows.
fn everything(path: &Path, metric: Metric) -> Index {
    let part = |start: usize, n: usize| {
        let mut numbers = rows(n, start as u64 + 7);
        numbers[..WIDTH].fill(0.0);
        let names = (start..start + n).map(|row| format!("row \"{row}\" ü")).collect();
        let set = EmbeddingSet::new(numbers, WIDTH).unwrap().with_ids(names).unwrap();
        set.with_labels((start as i64..).take(n).map(|row| -row).collect()).unwrap()
    };
    build(path, &part(0, 500), metric);
    let mut writer = Writer::open(path).unwrap();
    writer.add(&part(500, 100)).unwrap();
    writer.remove(&[3, 77, 501].map(|row| Id::Name(format!("row \"{row}\" ü")))).unwrap();
    Index::open(path).unwrap()
}

#[test]
fn a_table_finds_what_the_index_finds() {
    let Some(postgres) = Postgres::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let queries = rows(20, 99);
    for metric in [Metric::Cosine, Metric::Dot] {
        let table = format!("{metric} rows");
        let index = everything(&folder.path().join(&table), metric);
        let pushed = push(&postgres, &index, &table, Ann::None);
        assert_eq!((pushed.rows, pushed.new), (597, 597));
        let mut remote = open(&postgres, &table);
        for schedule in ["exact", "16", "8:597,32", "t8:597,t16:20,32", "8:100,16:30", "8:597,16:597"] {
            let found = remote.search(&queries, 10, &schedule.parse().unwrap()).unwrap();
            assert_same(&found, &local(&index, &queries, 10, schedule), &format!("{metric} {schedule}"));
        }
        // More than there are: all of them.
        let all = remote.search(&queries[..WIDTH], 1000, &"exact".parse().unwrap()).unwrap();
        assert_same(&all, &local(&index, &queries[..WIDTH], 1000, "exact"), "all rows");
        assert_eq!(
            postgres.number(&format!("SELECT sum(label)::bigint FROM \"{table}\"")),
            -(599 * 600 / 2 - 3 - 77 - 501)
        );
    }
}

#[test]
fn the_statement_uses_the_index_of_the_prefix() {
    let Some(postgres) = Postgres::start() else { return };
    let (_folder, _, index) = numbered(3000);
    let queries = rows(50, 5);
    for (ann, least) in [(Ann::Hnsw, 0.97), (Ann::Ivfflat, 0.5)] {
        let table = ann.to_string();
        push(&postgres, &index, &table, ann);
        let mut remote = open(&postgres, &table);
        for schedule in ["8:50,32", "t8:100,16:40,32"] {
            let schedule = schedule.parse().unwrap();
            let plan = remote.explain(&queries[..WIDTH], 10, &schedule).unwrap();
            assert!(plan.contains(&format!("Index Scan using {table}_8_{table} on")), "{plan}");
            assert_eq!(plan.matches("Scan using").count(), 1, "{plan}");
            let found = remote.search(&queries, 10, &schedule).unwrap();
            let recall = recall(&found, &local(&index, &queries, 10, &schedule.to_string()));
            assert!(recall >= least, "{ann} {schedule}: {recall}");
            assert!(found.ids.iter().all(|ids| ids.len() == 10));
        }
        // More rows are kept than a graph is searched for at once.
        let found = remote.search(&queries[..WIDTH], 1500, &"8:1500,32".parse().unwrap()).unwrap();
        assert_eq!(found.ids[0].len(), 1500);
        let plan = remote.explain(&queries[..WIDTH], 10, &"exact".parse().unwrap()).unwrap();
        assert!(!plan.contains("Index"), "{plan}");
    }
    // All dims may be the prefix, and are ranked exactly all the same.
    let server: Server = postgres.url().parse().unwrap();
    let options = PushOptions { prefix: Some(WIDTH), ..PushOptions::default() };
    let pushed = server.push(&index, &name("hnsw"), &options, &mut |_, _| {}).unwrap();
    assert_eq!(pushed.new, 0);
    let mut remote = open(&postgres, "hnsw");
    assert!(
        remote.explain(&queries[..WIDTH], 10, &"32:50".parse().unwrap()).unwrap().contains("hnsw_32_hnsw")
    );
    let found = remote.search(&queries, 10, &"exact".parse().unwrap()).unwrap();
    assert_same(&found, &local(&index, &queries, 10, "exact"), "beside an index of all dims");
}

/// Pushes the index of the pixels of the training images.
fn pushed(postgres: &Postgres) -> World {
    let world = world();
    succeed(world.mrl("index build --input train.safetensors --dims 16,64 --rotate none --out pixels.index"));
    let said = succeed(world.mrl(&format!("index push pixels.index --postgres {}", postgres.url()))).stdout;
    assert_eq!(text(&said).trim_end(), "\"embeddings\": 40 vectors, shortlists by 64 dims");
    world
}

#[test]
fn the_command_line_pushes_and_searches() {
    let Some(postgres) = Postgres::start() else { return };
    let world = pushed(&postgres);
    let again = succeed(world.mrl(&format!("index push pixels.index --postgres {}", postgres.url()))).stdout;
    assert!(text(&again).ends_with("dims; 40 were there\n"), "{}", text(&again));
    let mut search = world.mrl(&format!(
        "index search --postgres {} --queries test.safetensors --k 3 --schedule 16:40,144 --out table.json",
        postgres.url_of("mrl", "postgres")
    ));
    search.env("PGPASSWORD", "secret");
    let said = text(&succeed(search).stdout);
    assert_eq!(said.trim_end(), "table.json: 20 queries, 3 hits each, by 16:40,144");
    succeed(world.mrl("index search pixels.index --queries test.safetensors --k 3 --out file.json"));
    let [table, file] = ["table.json", "file.json"]
        .map(|file| serde_json::from_slice::<serde_json::Value>(&world.read(file)).unwrap());
    assert_eq!(table["ids"], file["ids"]);
}
