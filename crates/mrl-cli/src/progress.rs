//! What the user sees while a command works, all of it on stderr: a bar on a terminal, now and then a line elsewhere.

use std::{
    cell::{Cell, RefCell},
    io::{self, IsTerminal, Write},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How far apart lines are when there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// A message in its own line. That nobody reads it any more is no reason to end.
pub(crate) fn note(message: &str) {
    let _ = writeln!(io::stderr(), "{message}");
}

/// The error that ends the program, with its causes, in one line. The libraries' errors name their causes themselves.
pub(crate) fn error(error: &anyhow::Error) {
    let mut message = "error".to_owned();
    for cause in error.chain().map(ToString::to_string) {
        if !message.contains(&cause) {
            message = message + ": " + &cause;
        }
    }
    note(&message);
}

/// A result, on stdout.
#[expect(clippy::print_stdout, reason = "this is where the program answers")]
pub(crate) fn answer(text: &str) {
    println!("{}", text.trim_end());
}

/// The progress of one thing.
pub(crate) struct Progress {
    what: String,
    bar: Option<ProgressBar>,
    last_line: Cell<Option<Instant>>,
}

impl Progress {
    pub(crate) fn new(what: &str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{prefix} {wide_bar} {pos}/{len} {msg} (eta {eta})");
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.set_style(style.expect("the template is well-formed"));
            bar.set_prefix(what.to_owned());
            bar
        });
        Self { what: what.to_owned(), bar, last_line: Cell::new(None) }
    }

    /// `done` of `total`; `message` says more.
    pub(crate) fn at(&self, done: u64, total: u64, message: &str) {
        if let Some(bar) = &self.bar {
            bar.set_length(total);
            bar.set_position(done);
            bar.set_message(message.to_owned());
        } else if done == total || self.last_line.get().is_none_or(|last| last.elapsed() >= LINE_EVERY) {
            self.last_line.set(Some(Instant::now()));
            let separator = if message.is_empty() { "" } else { ", " };
            note(&format!("{}: {done}/{total}{separator}{message}", self.what));
        }
    }

    /// A message above the bar.
    pub(crate) fn note(&self, message: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| note(message)),
            None => note(message),
        }
    }

    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// The progress of opening a data set: each of its phases is a bar of its own.
#[derive(Default)]
pub(crate) struct DataProgress(RefCell<Option<(String, Progress)>>);

impl DataProgress {
    pub(crate) fn show(&self, progress: mrl_data::Progress<'_>) {
        use mrl_data::Progress as Data;
        match progress {
            Data::Download { file, done_bytes, total_bytes } => {
                self.phase(
                    &format!("downloading {file} (bytes)"),
                    done_bytes,
                    total_bytes.unwrap_or(done_bytes),
                );
            }
            Data::Retry { file, problem, attempt } => {
                note(&format!("{file}: {problem}; trying again (attempt {attempt})"));
            }
            Data::Wait { file } => note(&format!("{file}: another process is fetching it; waiting")),
            Data::Verify { file } => note(&format!("{file}: checking")),
            Data::Unpack { file, entry } => note(&format!("{file}: unpacking {entry}")),
            Data::Decode { done, total } => self.phase("decoding images", done as u64, total as u64),
            Data::CacheWait { folder } => {
                note(&format!("{}: another process is caching pixels there; waiting", folder.display()));
            }
            Data::CacheDamaged { path, problem } => {
                note(&format!("{}: {problem}; building it again", path.display()));
            }
            Data::CacheBuilt { path, bytes } => note(&format!(
                "{}: pixels cached ({}); later runs on these images need not decode; delete it whenever you like",
                path.display(),
                size(bytes)
            )),
            Data::CacheUnusable { folder, problem } => note(&format!(
                "{}: no pixels can be cached there ({problem}), so images are decoded each time; make room, or name \
                 another folder with --pixel-cache",
                folder.display()
            )),
            _ => {}
        }
    }

    fn phase(&self, what: &str, done: u64, total: u64) {
        let mut current = self.0.borrow_mut();
        if current.as_ref().is_none_or(|(name, _)| name != what) {
            *current = Some((what.to_owned(), Progress::new(what)));
        }
        if let Some((_, progress)) = current.as_ref() {
            progress.at(done, total, "");
            if done == total {
                progress.finish();
            }
        }
    }
}

/// Bytes as a person reads them.
fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}
