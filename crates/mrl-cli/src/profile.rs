//! `mrl train --profile`: the phases of each step as a Chrome trace, which Perfetto shows.

use std::{fs::File, io::Read, path::Path};

use anyhow::{Context, Result};
use serde_json::Value;
use tracing_chrome::{ChromeLayerBuilder, FlushGuard};
use tracing_subscriber::prelude::*;

/// Bytes that hold the first event of a profile.
const LONGEST_HEAD: u64 = 1 << 12;

/// Writes what happens until it is dropped.
pub(crate) struct Profile {
    _guard: FlushGuard,
}

impl Profile {
    /// Whether the file at `path` begins as a profile does: an array with an event a line, of process 1. One of a killed training may
    /// have no event yet.
    pub(crate) fn is_one(path: &Path) -> bool {
        let mut head = Vec::new();
        let read = File::open(path).and_then(|file| file.take(LONGEST_HEAD).read_to_end(&mut head));
        let head = String::from_utf8_lossy(&head);
        let mut lines = head.lines();
        if read.is_err() || lines.next() != Some("[") {
            return false;
        }
        match lines.next() {
            None => true,
            Some("") => lines.next() == Some("]"),
            Some(line) => is_event(line.trim_end_matches(',')),
        }
    }

    /// Begins to write to `path`, which is replaced if it is there.
    pub(crate) fn start(path: &Path) -> Result<Self> {
        let file = File::create(path).with_context(|| path.display().to_string())?;
        let (layer, guard) = ChromeLayerBuilder::new().writer(file).include_locations(false).build();
        tracing_subscriber::registry().with(layer).try_init().context("another profile is being written")?;
        Ok(Self { _guard: guard })
    }
}

fn is_event(line: &str) -> bool {
    let event: Value = serde_json::from_str(line).unwrap_or_default();
    event["ph"].is_string() && event["pid"] == 1 && event["tid"].is_u64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_told_by_its_first_event() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trace.json");
        let holds_one = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            Profile::is_one(&path)
        };
        let is_one = |text: &str| holds_one(text.as_bytes());
        let event = r#"{"cat":"mrl_train","name":"loss","ph":"B","pid":1,"tid":0,"ts":0.5}"#;
        for text in ["[\n", "[\n\n]", &format!("[\n{event}"), &format!("[\n{event},\n{event}\n]")] {
            assert!(is_one(text), "{text}");
        }
        for text in ["", "{}", "[]", "[1,2]", "[\n1,\n2\n]", "[\n{}\n]", &format!("[{event}]"), "[\n\nmine"] {
            assert!(!is_one(text), "{text}");
        }
        assert!(!holds_one(b"[\n\xff\xfe"));
        assert!(!Profile::is_one(&folder.path().join("none.json")));
    }
}
