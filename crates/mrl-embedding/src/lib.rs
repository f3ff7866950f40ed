//! The narrow waist of `mrl`: what training writes and evaluation and search read.
//!
//! An [`EmbeddingSet`] is `n` rows of `d` numbers with optional labels and ids, and the [`Metadata`] that say where
//! they come from; it lives in one safetensors file. A [`Nesting`] is the list of prefix lengths that were trained.
//! Nothing here knows about images or tensors libraries.
//!
//! ```
//! use mrl_embedding::{EmbeddingSet, Nesting};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("set.safetensors");
//! let mut set = EmbeddingSet::new(vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], 4)?;
//! set.metadata.nesting = Some(Nesting::new([2, 4], 4)?);
//! set.write(&path)?;
//!
//! let back = EmbeddingSet::read(&path)?;
//! assert_eq!(back.row(1), [4.0, 5.0, 6.0, 7.0]);
//! assert_eq!(back.metadata.nesting.unwrap().dims(), [2, 4]);
//! # Ok(())
//! # }
//! ```

mod atomic;
mod contents;
mod cure;
mod error;
mod file;
mod ids;
mod labels;
mod lock;
mod nesting;
mod npy;
mod numbers;
mod set;
mod signed;
mod tensors;
mod values;

pub use atomic::{check_writable, is_unfinished, remove_unfinished, write_atomically};
pub use contents::{Contents, INDEX_MAGIC};
pub use cure::quoted;
pub use error::Error;
pub use ids::{Id, IdKind, Ids};
pub use labels::Labels;
pub use lock::FolderLock;
pub use nesting::{Nesting, NestingError};
pub use set::{EmbeddingSet, Metadata};
pub use signed::{DIGEST, FileDigest, read_signed, short_digest};
pub use tensors::{read_tensors, tensor_bytes, write_tensors};
pub use values::{narrowed, of_whole_numbers};
