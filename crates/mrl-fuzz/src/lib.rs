//! What the fuzzers run: each reader of files that a user gives, on any bytes, and what is then done with what it read. Errors are
//! expected; a panic, a hang, or memory that the file's size does not explain is a finding.
//!
//! The fuzzers are in `fuzz/`; `tests/replay.rs` runs the same on the files that they left in `fuzz/corpus`.

mod images;
mod index;
mod tables;
mod vectors;

use std::{
    fs, panic,
    path::{Path, PathBuf},
    sync::Once,
};

use tempfile::TempDir;

/// One of the fuzzers.
pub struct Target {
    /// The name of its program, and of the folder of its files.
    pub name: &'static str,
    /// Reads these bytes.
    pub run: fn(&[u8]),
}

/// All of them.
pub const TARGETS: [Target; 13] = [
    Target { name: "npy", run: vectors::vectors },
    Target { name: "safetensors", run: vectors::vectors },
    Target { name: "parquet", run: vectors::parquet },
    Target { name: "labels", run: vectors::labels },
    Target { name: "tensor_file", run: vectors::tensor_file },
    Target { name: "index", run: index::index },
    Target { name: "schedule", run: index::schedule },
    Target { name: "pickle", run: images::pickle },
    Target { name: "idx", run: images::idx },
    Target { name: "binary", run: images::binary },
    Target { name: "image", run: images::image },
    Target { name: "report", run: tables::report },
    Target { name: "config", run: tables::config },
];

/// Runs the target called `name` on `bytes`.
///
/// # Panics
/// When there is none, or it has a finding.
pub fn run(name: &str, bytes: &[u8]) {
    // The fuzzer's own hook ends the program at any panic, also at one that a reader catches.
    static HOOK: Once = Once::new();
    HOOK.call_once(|| panic::set_hook(Box::new(|_| {})));
    let target = TARGETS.iter().find(|target| target.name == name).expect("it is one of the targets");
    (target.run)(bytes);
}

/// A folder in memory, where the system has one, whose files each input replaces.
struct Scratch(TempDir);

impl Scratch {
    fn new() -> Self {
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        Self(folder.expect("a temporary folder can be made"))
    }

    /// Writes a file of this name, which may be in a folder of it.
    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).expect("a temporary folder can be made");
        }
        // A new file: what was mapped of the last one stays as it was.
        let _ = fs::remove_file(&path);
        fs::write(&path, bytes).expect("a temporary file can be written");
        path
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

thread_local! {
    static SCRATCH: Scratch = Scratch::new();
}

fn with_file<T>(name: &str, bytes: &[u8], read: impl FnOnce(&Path) -> T) -> T {
    SCRATCH.with(|scratch| read(&scratch.file(name, bytes)))
}
