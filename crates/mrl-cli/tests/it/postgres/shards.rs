//! Rows on two servers, searched through a third table: partitions by hash that are foreign tables.

use mrl_retrieve::postgres::{Ann, PushOptions, Server};

use super::{Postgres, WIDTH, assert_same, local, name, numbered, open, recall, rows};

const SHARD: &str = "CREATE EXTENSION vector; \
    CREATE TABLE shard (id bigint PRIMARY KEY, embedding vector(32) NOT NULL); \
    CREATE INDEX ON shard USING hnsw ((subvector(embedding, 1, 8)::vector(8)) vector_cosine_ops)";

const PARENT: &str = "CREATE EXTENSION postgres_fdw; \
    CREATE TABLE embeddings (id bigint NOT NULL, embedding vector(32) NOT NULL) PARTITION BY HASH (id)";

/// Makes the shard on `server` a partition of the table on `front`.
fn attach(front: &Postgres, server: &Postgres, remainder: usize) {
    let (name, port) = (format!("shard{remainder}"), server.port);
    front.run(&format!(
        "CREATE SERVER {name} FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '{port}', \
             dbname 'postgres', extensions 'vector', batch_size '1000', \
             options '-c hnsw.ef_search=200 -c hnsw.iterative_scan=strict_order'); \
         CREATE USER MAPPING FOR mrl SERVER {name} OPTIONS (user 'mrl', password 'secret'); \
         CREATE FOREIGN TABLE {name} PARTITION OF embeddings FOR VALUES WITH (MODULUS 2, REMAINDER {remainder}) \
             SERVER {name} OPTIONS (table_name 'shard')"
    ));
}

#[test]
#[ignore = "long: cargo xtask test --long"]
fn one_statement_searches_two_servers() {
    let (Some(front), Some(other)) = (Postgres::start(), Postgres::start()) else { return };
    let (_folder, _, index) = numbered(2000);
    for server in [&front, &other] {
        server.run(SHARD);
    }
    front.run(PARENT);
    attach(&front, &front, 0);
    attach(&front, &other, 1);

    // The shards have indexes of their own.
    let options = PushOptions { ann: Ann::None, ..PushOptions::default() };
    let server: Server = front.url().parse().unwrap();
    let pushed = server.push(&index, &name("embeddings"), &options, &mut |_, _| {}).unwrap();
    assert_eq!(pushed.new, 2000);
    let counts = [&front, &other].map(|server| server.number("SELECT count(*) FROM shard"));
    assert!(counts.iter().all(|&count| count > 800) && counts.iter().sum::<i64>() == 2000, "{counts:?}");

    let (queries, schedule) = (rows(50, 11), "8:100,32");
    let mut table = open(&front, "embeddings");
    let plan = table.explain(&queries[..WIDTH], 10, &schedule.parse().unwrap()).unwrap();
    assert_eq!(plan.matches("Foreign Scan").count(), 2, "{plan}");
    let ordered =
        "Remote SQL: SELECT id, embedding FROM public.shard ORDER BY (public.subvector(embedding, 1, 8)";
    assert_eq!(plan.matches(ordered).count(), 2, "{plan}");
    let on_shard = "EXPLAIN SELECT id FROM shard ORDER BY subvector(embedding, 1, 8)::vector(8) <=> \
                    '[1,2,3,4,5,6,7,8]' LIMIT 100";
    let plan = other.client().query(on_shard, &[]).unwrap();
    let plan: Vec<String> = plan.iter().map(|line| line.get(0)).collect();
    assert!(plan.join("\n").contains("Index Scan using shard_subvector_idx"), "{plan:?}");

    let found = table.search(&queries, 10, &schedule.parse().unwrap()).unwrap();
    assert!(recall(&found, &local(&index, &queries, 10, schedule)) >= 0.97);
    let exact = table.search(&queries, 10, &"exact".parse().unwrap()).unwrap();
    assert_same(&exact, &local(&index, &queries, 10, "exact"), "exact over two servers");
}
