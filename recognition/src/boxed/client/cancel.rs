//! Stopping a request from another thread.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::process::Signal;

/// Cancels requests of a [`BoxClient`](super::BoxClient) from any thread: the one in flight fails with
/// [`Loss::Interrupted`](pagemill_domain::outcome::Loss::Interrupted) at once, later ones without being tried.
#[derive(Debug, Clone, Default)]
pub struct Canceller(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    cancelled: bool,
    /// The newest child; a signal to one that has ended goes nowhere.
    child: Option<Arc<OwnedFd>>,
}

impl Canceller {
    /// Kills the child and keeps further ones from being started, until the client makes another canceller.
    pub fn cancel(&self) {
        let mut state = self.state();
        state.cancelled = true;
        if let Some(child) = &state.child {
            // It fails only for a child that has ended.
            let _ = rustix::process::pidfd_send_signal(child, Signal::KILL);
        }
    }

    /// Whether requests are cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.state().cancelled
    }

    /// From now on `child` is the one to kill; kills it where cancelling came first.
    pub(super) fn watch(&self, child: Arc<OwnedFd>) {
        let cancelled = {
            let mut state = self.state();
            state.child = Some(child);
            state.cancelled
        };
        if cancelled {
            self.cancel();
        }
    }

    /// Has nothing to kill any more: its requests are over.
    pub(super) fn retire(&self) {
        self.state().child = None;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code that holds the lock can panic half way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
