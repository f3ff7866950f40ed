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
    /// True if the file at `path` starts like a profile of `mrl`: a JSON array with one event per line. Other programs write the same form,
    /// so one of the first events must have a category of `mrl`. A run that was killed early may have written no event, or only
    /// the names of threads.
    pub(crate) fn is_one(path: &Path) -> bool {
        let mut head = Vec::new();
        let read = File::open(path).and_then(|file| file.take(LONGEST_HEAD).read_to_end(&mut head));
        let head = String::from_utf8_lossy(&head);
        let mut lines = head.lines();
        if read.is_err() || lines.next() != Some("[") {
            return false;
        }
        let Some(first) = lines.next() else { return true };
        if first.is_empty() {
            return lines.next() == Some("]");
        }
        let events: Vec<Value> = std::iter::once(first).chain(lines).map_while(event).collect();
        let is_of_mrl =
            |event: &Value| event["cat"].as_str().is_some_and(|category| category.starts_with("mrl_"));
        !events.is_empty() && (events.iter().any(is_of_mrl) || events.iter().all(|event| event["ph"] == "M"))
    }

    /// Begins to write to `path`, which is replaced if it is there.
    pub(crate) fn start(path: &Path) -> Result<Self> {
        let file = File::create(path).with_context(|| path.display().to_string())?;
        let (layer, guard) = ChromeLayerBuilder::new().writer(file).include_locations(false).build();
        tracing_subscriber::registry().with(layer).try_init().context("another profile is being written")?;
        Ok(Self { _guard: guard })
    }
}

/// The event of a line, if the line is one.
fn event(line: &str) -> Option<Value> {
    let event: Value = serde_json::from_str(line.trim_end_matches(',')).ok()?;
    (event["ph"].is_string() && event["pid"] == 1 && event["tid"].is_u64()).then_some(event)
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
        let thread = r#"{"name":"thread_name","ph":"M","pid":1,"tid":0,"args":{"name":"main"}}"#;
        for text in [
            "[\n",
            "[\n\n]",
            &format!("[\n{event}"),
            &format!("[\n{event},\n{event}\n]"),
            &format!("[\n{thread}"),
            &format!("[\n{thread},\n{event},\n{{\"cut"),
        ] {
            assert!(is_one(text), "{text}");
        }
        let other = event.replace("mrl_train", "my_program");
        assert!(!is_one(&format!("[\n{thread},\n{other}\n]")), "another program writes the same form");
        for text in ["", "{}", "[]", "[1,2]", "[\n1,\n2\n]", "[\n{}\n]", &format!("[{event}]"), "[\n\nmine"] {
            assert!(!is_one(text), "{text}");
        }
        assert!(!holds_one(b"[\n\xff\xfe"));
        assert!(!Profile::is_one(&folder.path().join("none.json")));
    }
}
