//! Tensor files that carry a digest of all that they say, so that changed bytes are an error.

use std::collections::{BTreeMap, HashMap};

use safetensors::SafeTensors;
use sha2::{Digest, Sha256};

use crate::read_tensors;

/// The text entry by which a file that was changed is known.
pub const DIGEST: &str = "digest";

/// The digest of text entries and tensors, each in the order of their names: the first 16 hexadecimal digits of a SHA-256.
pub struct FileDigest(Sha256);

impl FileDigest {
    /// Starts with the text entries; add the tensors next, in the order of their names.
    #[must_use]
    pub fn new(entries: &BTreeMap<String, String>) -> Self {
        let mut digest = Self(Sha256::new());
        for (key, value) in entries.iter().filter(|(key, _)| *key != DIGEST) {
            digest.part(key.as_bytes());
            digest.part(value.as_bytes());
        }
        digest
    }

    /// Adds the next tensor, as it is stored.
    pub fn tensor(&mut self, name: &str, shape: &[usize], bytes: &[u8]) {
        self.part(name.as_bytes());
        self.part(format!("{shape:?}").as_bytes());
        self.part(bytes);
    }

    /// With its length, so that no two lists of parts are alike.
    fn part(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    /// In words.
    #[must_use]
    pub fn finish(self) -> String {
        short_digest(self.0)
    }
}

/// The first 16 hexadecimal digits.
///
/// # Panics
/// Never: a SHA-256 has 32 bytes.
#[must_use]
pub fn short_digest(hash: Sha256) -> String {
    let digest = hash.finalize();
    let (first, _) = digest.split_first_chunk().expect("SHA-256 has 32 bytes");
    format!("{:016x}", u64::from_be_bytes(*first))
}

/// The tensors of a file and its text entries. A file without a digest, such as one of torchvision, is accepted. Under `cfg(fuzzing)` the
/// digest is not compared, because who makes a harmful file can compute it.
///
/// # Errors
/// When it is no safetensors file, a damaged one, or its digest is of something else; in words, with the cure.
pub fn read_signed(bytes: &[u8]) -> Result<(SafeTensors<'_>, HashMap<String, String>), String> {
    let (tensors, entries) = read_tensors(bytes)?;
    let Some(written) = entries.get(DIGEST) else { return Ok((tensors, entries)) };
    let sorted = entries.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    let mut digest = FileDigest::new(&sorted);
    for (name, view) in tensors.iter().collect::<BTreeMap<_, _>>() {
        digest.tensor(name, view.shape(), view.data());
    }
    if cfg!(fuzzing) || digest.finish() == *written {
        return Ok((tensors, entries));
    }
    Err("is not what was written: bytes of it were changed since; restore it from a copy (a file that you changed yourself must not keep \
         the text entry `digest`)"
        .to_owned())
}
