//! What the user sees while a command works, all but its answers on stderr: a bar on a terminal, now and then a line elsewhere.

use std::{
    cell::{Cell, RefCell},
    io::{self, ErrorKind, IsTerminal, Write},
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How far apart lines are when there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// A message in its own line. That nobody reads it any more is no reason to end.
pub fn note(message: &str) {
    let _ = writeln!(io::stderr(), "{}", printable(message));
}

/// The text with control characters written out, but for the ends of lines: names of files may hold any, and a terminal would obey.
pub fn printable(text: &str) -> String {
    let written = |letter: char| match letter {
        '\n' => "\n".to_owned(),
        letter if letter.is_control() => letter.escape_default().to_string(),
        letter => letter.to_string(),
    };
    text.chars().map(written).collect()
}

/// The error that ends the program, with its causes, in one line. The libraries' errors name their causes themselves.
pub fn error(error: &anyhow::Error) {
    let mut message = "error".to_owned();
    for cause in error.chain().map(ToString::to_string) {
        if !message.contains(&cause) {
            message = message + ": " + &cause;
        }
    }
    note(&message);
}

/// Whether an answer could not be written, and not because its reader had enough.
static LOST: AtomicBool = AtomicBool::new(false);

/// A result, on stdout. What goes on after it does so even if it cannot be written, which is said once.
pub fn answer(text: &str) {
    let Err(error) = writeln!(io::stdout(), "{}", text.trim_end()) else { return };
    if error.kind() != ErrorKind::BrokenPipe && !LOST.swap(true, Ordering::Relaxed) {
        note(&format!("error: stdout cannot be written ({error})"));
    }
}

/// Whether the program is to end as failed because an answer is lost.
pub fn lost_an_answer() -> bool {
    LOST.load(Ordering::Relaxed)
}

/// The progress of one thing.
pub struct Progress {
    what: String,
    bar: Option<ProgressBar>,
    last_line: Cell<Option<Instant>>,
}

impl Progress {
    /// Of this thing; nothing is shown yet.
    ///
    /// # Panics
    /// Never: the bar's template is well-formed.
    pub fn new(what: &str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{prefix} {wide_bar} {pos}/{len} {msg} (eta {eta})");
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.set_style(style.expect("the template is well-formed"));
            bar.set_prefix(what.to_owned());
            bar
        });
        Self { what: what.to_owned(), bar, last_line: Cell::new(None) }
    }

    /// `done` of `total`, which is 0 where nobody knows it; `message` says more.
    pub fn at(&self, done: u64, total: u64, message: &str) {
        if let Some(bar) = &self.bar {
            if total > 0 {
                bar.set_length(total);
            }
            bar.set_position(done);
            bar.set_message(message.to_owned());
        } else if is_all(done, total) || self.last_line.get().is_none_or(|last| last.elapsed() >= LINE_EVERY)
        {
            self.last_line.set(Some(Instant::now()));
            let separator = if message.is_empty() { "" } else { ", " };
            note(&format!("{}: {}{separator}{message}", self.what, share(done, total)));
        }
    }

    /// A message above the bar.
    pub fn note(&self, message: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| note(message)),
            None => note(message),
        }
    }

    /// Removes the bar.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// The progress of opening a data set: each of its phases is a bar of its own.
#[derive(Default)]
pub struct DataProgress(RefCell<Option<(String, Progress)>>);

impl DataProgress {
    /// Shows an event of opening.
    pub fn show(&self, progress: mrl_data::Progress<'_>) {
        use mrl_data::Progress as Data;
        match progress {
            Data::Download { file, done_bytes, total_bytes } => {
                self.phase(&format!("downloading {file} (bytes)"), done_bytes, total_bytes.unwrap_or(0));
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
            if is_all(done, total) {
                progress.finish();
            }
        }
    }
}

/// Whether nothing is left, as far as is known.
fn is_all(done: u64, total: u64) -> bool {
    total > 0 && done == total
}

/// `done` of `total`, where that is known.
fn share(done: u64, total: u64) -> String {
    if total > 0 { format!("{done}/{total}") } else { done.to_string() }
}

/// Bytes as a person reads them.
fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_known_total_is_never_all() {
        assert_eq!((share(7, 9), share(7, 0)), ("7/9".to_owned(), "7".to_owned()));
        assert!(is_all(9, 9) && !is_all(7, 9) && !is_all(0, 0) && !is_all(7, 0));
    }
}
