//! Copies of indexes as tables in `PostgreSQL` with pgvector: shortlist and rerank in one statement.
//!
//! ```no_run
//! use mrl_retrieve::{Index, postgres::{PushOptions, Server}};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server: Server = "postgres://me:secret@db.example/photos".parse()?;
//! let table = "embeddings".parse()?;
//! server.push(&Index::open("photos.index")?, &table, &PushOptions::default(), &mut |_, _| {})?;
//!
//! let query = vec![0.5; 512];
//! let hits = server.open(&table)?.search(&query, 10, &"64:200,512".parse()?)?;
//! println!("{:?}", hits.ids[0]);
//! # Ok(())
//! # }
//! ```

mod error;
mod name;
mod push;
mod pushes;
mod server;
mod statement;
mod table;

pub use error::PostgresError;
pub use name::TableName;
pub use push::{Ann, PushOptions, Pushed};
pub use server::Server;
pub use table::{PostgresHits, PostgresTable};
