use std::{
    ffi::c_int,
    mem::MaybeUninit,
    ptr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::Result;
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1},
    flag, low_level,
};

/// Requests that reach the program as signals.
#[derive(Clone)]
pub(crate) struct Signals {
    /// To end.
    end: Arc<AtomicBool>,
    /// To save, and to go on.
    save: Arc<AtomicBool>,
}

impl Signals {
    /// From now on SIGUSR1, which Slurm can send before a job's time is over, asks to save. Other signals end the program.
    pub(crate) fn install() -> Result<Self> {
        let signals = Self { end: Arc::default(), save: Arc::default() };
        flag::register(SIGUSR1, Arc::clone(&signals.save))?;
        Ok(signals)
    }

    /// From now on the first SIGINT or SIGTERM asks to end; the second ends the program at once. SIGHUP (a terminal that is closed) asks to end however
    /// often it comes, since shell and kernel both send it.
    pub(crate) fn hold_endings(&self) -> Result<()> {
        for signal in [SIGINT, SIGTERM] {
            let end = Arc::clone(&self.end);
            // One exchange, since two threads may take two signals at the same moment.
            let take = move || {
                if end.swap(true, Ordering::Relaxed) {
                    low_level::exit(130);
                }
            };
            // SAFETY: an atomic exchange and `_exit` are all that the handler does; both may be called in one.
            unsafe { low_level::register(signal, take) }?;
        }
        if !is_ignored(SIGHUP) {
            flag::register(SIGHUP, Arc::clone(&self.end))?;
        }
        Ok(())
    }

    /// True once it was asked to end.
    pub(crate) fn should_end(&self) -> bool {
        self.end.load(Ordering::Relaxed)
    }

    /// True if it was asked to save since the last call.
    pub(crate) fn take_save_request(&self) -> bool {
        self.save.swap(false, Ordering::Relaxed)
    }
}

/// True if the program was started so that `signal` does nothing, as by `nohup`.
fn is_ignored(signal: c_int) -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: without a new action the call only writes the present one to `action`, which is read only where it succeeded.
    unsafe {
        libc::sigaction(signal, ptr::null(), action.as_mut_ptr()) == 0
            && action.assume_init().sa_sigaction == libc::SIG_IGN
    }
}
