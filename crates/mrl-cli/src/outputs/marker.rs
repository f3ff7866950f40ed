//! The marker of a folder: which of its files `mrl` wrote.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use mrl_embedding::write_atomically;
use mrl_eval::Document;
use serde::{Deserialize, Serialize};

/// The name of its file.
const NAME: &str = ".mrl-files.json";

/// A marker lists tens of names: a larger file is something else.
const MOST_BYTES: u64 = 1 << 16;

/// The files in a folder that `mrl` wrote, grouped by document: report, comparison or summary.
///
/// Anyone can write such a file, so it is not trusted: only names that a document of ours can have are replaced or removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Marker {
    /// The program and its version.
    written_by: String,
    /// The names of the files of each document.
    files: BTreeMap<String, Vec<String>>,
}

impl Marker {
    /// A marker that lists no file.
    pub(super) fn new() -> Self {
        Self { written_by: concat!("mrl ", env!("CARGO_PKG_VERSION")).to_owned(), files: BTreeMap::new() }
    }

    /// Where the marker of `folder` lies.
    pub(super) fn path(folder: &Path) -> PathBuf {
        folder.join(NAME)
    }

    /// The marker of `folder`, if there is one.
    ///
    /// # Errors
    /// Returns a description of the fault if the file is too large, a link or not valid JSON of this form, or cannot be read.
    pub(super) fn read(folder: &Path) -> Result<Option<Self>, String> {
        let path = Self::path(folder);
        match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.to_string()),
            Ok(about) if !about.is_file() => return Err("it is a link or a folder".to_owned()),
            Ok(_) => {}
        }
        let mut bytes = Vec::new();
        let read = File::open(path).and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes));
        read.map_err(|error| error.to_string())?;
        if bytes.len() as u64 > MOST_BYTES {
            return Err(format!("it has more than {MOST_BYTES} bytes"));
        }
        Self::parse(&bytes).map(Some)
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(bytes).map_err(|error| error.to_string())
    }

    /// Writes the marker of `folder`; it appears whole or not at all.
    pub(super) fn write(&self, folder: &Path) -> io::Result<()> {
        write_atomically(&Self::path(folder), |file| {
            serde_json::to_writer_pretty(&mut *file, self)?;
            file.write_all(b"\n")
        })
    }

    /// Whether `mrl` wrote the file `name`.
    pub(super) fn lists(&self, name: &str) -> bool {
        self.files.values().flatten().any(|listed| listed == name)
    }

    /// Lists `names` as the files of `document`. Returns its other files that were listed before.
    pub(super) fn replace(&mut self, document: Document, names: Vec<String>) -> Vec<String> {
        let mut before = self.files.remove(document.name()).unwrap_or_default();
        let possible = document.file_names();
        before.retain(|name| possible.contains(name) && !names.contains(name));
        self.files.insert(document.name().to_owned(), names);
        before
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample() -> Marker {
        let mut marker = Marker::new();
        for document in [Document::Report, Document::Comparison, Document::Summary] {
            assert!(marker.replace(document, document.file_names()).is_empty());
        }
        marker
    }

    fn written(marker: &Marker) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        marker.write(folder.path()).unwrap();
        assert_eq!(Marker::read(folder.path()).unwrap().as_ref(), Some(marker));
        fs::read(Marker::path(folder.path())).unwrap()
    }

    #[test]
    fn every_name_that_we_give_can_be_listed() {
        assert_eq!(Marker::parse(&written(&sample())).unwrap(), sample());
        assert_eq!(Marker::read(Path::new("nowhere")).unwrap(), None);
    }

    #[test]
    fn files_of_one_document_are_stale_when_it_has_them_no_more() {
        let mut marker = sample();
        let few = vec!["report.json".to_owned(), "rank.svg".to_owned()];
        let stale = marker.replace(Document::Report, few);
        assert!(stale.contains(&"rank.png".to_owned()) && !stale.contains(&"rank.svg".to_owned()));
        assert!(stale.iter().all(|name| !marker.lists(name)) && marker.lists("compare.json"));
    }

    #[test]
    fn a_name_that_no_document_of_ours_has_is_never_removed() {
        let foreign = [
            "../accuracy.png",
            "/accuracy.png",
            "a/accuracy.png",
            "..",
            "",
            "package.json",
            "index.html",
            "logo.png",
            "compare.json",
            "accuracy.PNG",
            ".mrl-files.json",
        ];
        let listed =
            serde_json::json!({"written_by": "x", "files": {"report": foreign, "notes": ["notes.html"]}});
        let mut marker = Marker::parse(listed.to_string().as_bytes()).unwrap();
        let stale = marker.replace(Document::Report, vec!["report.json".to_owned()]);
        assert!(stale.is_empty(), "{stale:?}");
    }

    proptest! {
        #[test]
        fn a_damaged_marker_is_an_error_or_makes_only_our_files_stale(
            cut in 0usize..3_000, at in 0usize..3_000, value: Vec<u8>,
        ) {
            let mut bytes = written(&sample());
            let at = at % bytes.len();
            let end = (at + value.len()).min(bytes.len());
            bytes.splice(at..end, value);
            bytes.truncate(bytes.len().saturating_sub(cut.saturating_sub(2_000)));
            if let Ok(mut marker) = Marker::parse(&bytes) {
                for document in [Document::Report, Document::Comparison, Document::Summary] {
                    let possible = document.file_names();
                    let stale = marker.replace(document, Vec::new());
                    prop_assert!(stale.iter().all(|name| possible.contains(name)), "{:?}", stale);
                }
            }
        }

        #[test]
        fn any_text_in_the_place_of_a_marker_is_no_panic(text: String) {
            let _ = Marker::parse(text.as_bytes());
        }
    }
}
