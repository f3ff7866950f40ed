//! The kinds of single files that commands write, and how each is recognised.

use std::{
    fs::File,
    io::{BufReader, Read},
    path::Path,
};

use mrl_embedding::EmbeddingSet;
use serde::{Deserialize, de::IgnoredAny};

use crate::file_name::has_extension;

/// What a command writes to a single file.
#[derive(Clone, Copy, Debug)]
pub struct FileKind {
    /// What it is, after "is not".
    pub name: &'static str,
    /// What its name must end in; without any, it may have any name.
    pub extensions: &'static [&'static str],
    /// Those of them whose files do not say who wrote them, so that they are replaced with `--force` alone.
    pub unmarked: &'static [&'static str],
    /// Whether the file at a path is of this kind. One that cannot be read is not.
    pub is_at: fn(&Path) -> bool,
}

/// Written by `mrl embed` and `mrl adapt apply`. A safetensors file names the encoder and version that made it; a `.npy` file does not.
pub const SET: FileKind = FileKind {
    name: "an embedding set that mrl wrote",
    extensions: &["safetensors", "npy"],
    unmarked: &["npy"],
    is_at: is_own_set,
};

/// Written by `mrl index build`.
pub const INDEX: FileKind = FileKind {
    name: "an mrl index",
    extensions: &[],
    unmarked: &[],
    is_at: |path| mrl_retrieve::is_index(path).unwrap_or(false),
};

/// Written by `mrl index search`.
pub const HITS: FileKind = FileKind {
    name: "the hits of a search by mrl",
    extensions: &["json", "npy"],
    unmarked: &[],
    is_at: |path| if has_extension(path, &["npy"]) { is_hits_npy(path) } else { is_hits_json(path) },
};

/// Written by `mrl index tune --chart`.
pub const CHART: FileKind = FileKind {
    name: "a chart that mrl drew",
    extensions: &["svg", "png"],
    unmarked: &[],
    is_at: |path| mrl_chart::is_chart(path).unwrap_or(false),
};

/// Whether the set at `path` says which encoder and which version of `mrl` made it. Sets of other programs do not.
fn is_own_set(path: &Path) -> bool {
    let is_own = |set: EmbeddingSet| set.metadata.encoder.is_some() && set.metadata.version.is_some();
    has_extension(path, &["safetensors"]) && EmbeddingSet::read(path).is_ok_and(is_own)
}

/// Whether the file is one object of `ids` and `scores`, a list of each for every query.
fn is_hits_json(path: &Path) -> bool {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Form {
        ids: Vec<Vec<IgnoredAny>>,
        scores: Vec<Vec<f64>>,
    }
    let Ok(file) = File::open(path) else { return false };
    let form: Result<Form, _> = serde_json::from_reader(BufReader::new(file));
    let lengths_agree = |form: Form| {
        form.ids.len() == form.scores.len()
            && form.ids.iter().zip(&form.scores).all(|(ids, scores)| ids.len() == scores.len())
    };
    form.is_ok_and(lengths_agree)
}

/// Whether the file's header is that of a structured array with the fields `id` and `score`.
fn is_hits_npy(path: &Path) -> bool {
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(256).read_to_end(&mut head));
    let text = String::from_utf8_lossy(&head);
    read.is_ok()
        && head.starts_with(b"\x93NUMPY\x01\x00")
        && text.contains("{'descr': [('id', '<")
        && text.contains("('score', '<f8')], 'fortran_order': False")
}

#[cfg(test)]
mod tests {
    use mrl_embedding::Metadata;

    use super::*;

    fn is_at(kind: FileKind, name: &str, bytes: &[u8]) -> bool {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        (kind.is_at)(&path)
    }

    #[test]
    fn hits_are_told_by_their_form() {
        let is_hits = |text: &str| is_at(HITS, "hits.json", text.as_bytes());
        assert!(
            is_hits(r#"{"ids":[[1,2],["a"]],"scores":[[0.5,0.25],[1.0]]}"#)
                && is_hits(r#"{"ids":[],"scores":[]}"#)
        );
        for other in [
            "",
            "{}",
            "[]",
            r#"{"ids":[[1]],"scores":[[0.5]],"mine":1}"#,
            r#"{"ids":[[1]],"scores":[]}"#,
            r#"{"ids":[[1]],"scores":[[0.5,0.25]]}"#,
            r#"{"ids":[[1]],"scores":[[0.5]]} and more"#,
        ] {
            assert!(!is_hits(other), "{other}");
        }
        let header = |text: &str| [b"\x93NUMPY\x01\x00\x76\x00", text.as_bytes()].concat();
        let of_search =
            "{'descr': [('id', '<U4'), ('score', '<f8')], 'fortran_order': False, 'shape': (2, 3), }";
        let of_user = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
        assert!(is_at(HITS, "hits.npy", &header(of_search)));
        assert!(!is_at(HITS, "hits.npy", &header(of_user)));
    }

    #[test]
    fn a_set_is_ours_if_it_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let mut set = EmbeddingSet::new(vec![1.0, 2.0], 2).unwrap();
        let is_own = |set: &EmbeddingSet, name: &str| {
            set.write(folder.path().join(name)).unwrap();
            (SET.is_at)(&folder.path().join(name))
        };
        assert!(!is_own(&set, "set.safetensors"));
        let known = |text: &str| Some(text.to_owned());
        set.metadata = Metadata { version: known("0.1.0"), ..Metadata::default() };
        assert!(!is_own(&set, "set.safetensors"));
        set.metadata.encoder = known("raw pixels");
        assert!(is_own(&set, "set.safetensors"));
        assert!(!is_own(&set, "set.npy"), "numbers alone say nothing");
    }
}
