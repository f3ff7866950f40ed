use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use anyhow::Result;
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    low_level,
};

/// True once the user or the system has asked the program to end.
#[derive(Clone)]
pub(crate) struct StopSignal(Arc<AtomicBool>);

impl StopSignal {
    /// From now on the first SIGINT or SIGTERM asks; the second ends the program at once.
    pub(crate) fn install() -> Result<Self> {
        let asked = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            let asked = Arc::clone(&asked);
            // One exchange, since two threads may take two signals at the same moment.
            let take = move || {
                if asked.swap(true, Ordering::Relaxed) {
                    low_level::exit(130);
                }
            };
            // SAFETY: an atomic exchange and `_exit` are all that the handler does; both may be called in one.
            unsafe { low_level::register(signal, take) }?;
        }
        Ok(Self(asked))
    }

    pub(crate) fn asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
