use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use anyhow::Result;
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1},
    flag, low_level,
};

/// What the user or the system asked of the program.
#[derive(Clone)]
pub(crate) struct Signals {
    /// To end.
    end: Arc<AtomicBool>,
    /// To save, and to go on.
    save: Arc<AtomicBool>,
}

impl Signals {
    /// From now on the first SIGINT, SIGTERM or SIGHUP (a terminal that is closed) asks to end; the second ends the program at once.
    /// SIGUSR1, which Slurm sends before a job's time is over, asks to save.
    pub(crate) fn install() -> Result<Self> {
        let signals = Self { end: Arc::default(), save: Arc::default() };
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            let end = Arc::clone(&signals.end);
            // One exchange, since two threads may take two signals at the same moment.
            let take = move || {
                if end.swap(true, Ordering::Relaxed) {
                    low_level::exit(130);
                }
            };
            // SAFETY: an atomic exchange and `_exit` are all that the handler does; both may be called in one.
            unsafe { low_level::register(signal, take) }?;
        }
        flag::register(SIGUSR1, Arc::clone(&signals.save))?;
        Ok(signals)
    }

    /// True once it was asked to end.
    pub(crate) fn ask_to_end(&self) -> bool {
        self.end.load(Ordering::Relaxed)
    }

    /// True if it was asked to save since the last call.
    pub(crate) fn ask_to_save(&self) -> bool {
        self.save.swap(false, Ordering::Relaxed)
    }
}
