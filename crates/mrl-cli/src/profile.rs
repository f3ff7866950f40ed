//! `mrl train --profile`: the phases of each step as a Chrome trace, which Perfetto shows.

use std::{fs::File, io::Read, path::Path};

use anyhow::{Context, Result};
use tracing_chrome::{ChromeLayerBuilder, FlushGuard};
use tracing_subscriber::prelude::*;

/// Writes what happens until it is dropped.
pub(crate) struct Profile {
    _guard: FlushGuard,
}

impl Profile {
    /// Whether the file at `path` begins as a profile does. An empty one is one that was not begun.
    pub(crate) fn is_one(path: &Path) -> bool {
        let mut first = [0u8];
        let read = File::open(path).and_then(|mut file| file.read(&mut first));
        read.is_ok_and(|count| count == 0 || first == *b"[")
    }

    /// Begins to write to `path`, which is replaced if it is there.
    pub(crate) fn start(path: &Path) -> Result<Self> {
        let file = File::create(path).with_context(|| path.display().to_string())?;
        let (layer, guard) = ChromeLayerBuilder::new().writer(file).include_locations(false).build();
        tracing_subscriber::registry().with(layer).try_init().context("another profile is being written")?;
        Ok(Self { _guard: guard })
    }
}
