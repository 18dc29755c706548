//! What every request of the sandbox has at hand: the key, the time, the state, the faults, the callbacks. It
//! wires and does nothing itself. One for each sandbox that runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::callbacks::Callbacks;
use super::calls::Calls;
use super::clock::Clock;
use super::faults::FaultBoard;
use super::ledger::Ledger;
use super::random::Random;
use super::state::Moment;

/// A running sandbox. No `Debug`: it holds the key and everybody's codes.
pub(super) struct Emulator {
    pub(super) api_key: String,
    pub(super) exposed: bool,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) random: Random,
    pub(super) ledger: Ledger,
    pub(super) calls: Calls,
    pub(super) faults: FaultBoard,
    pub(super) callbacks: Callbacks,
    /// Whether a phone that Authy sees for the first time has the app.
    pub(super) onetouch_by_default: AtomicBool,
    /// Delayed calls, callbacks and the writer of the state.
    pub(super) tasks: TaskTracker,
    /// The end of everything that waits.
    pub(super) shutdown: CancellationToken,
}

impl Emulator {
    /// Now.
    pub(super) fn moment(&self) -> Moment<'_> {
        let onetouch_by_default = self.onetouch_by_default.load(Ordering::Relaxed);
        Moment { now: self.clock.now(), random: &self.random, onetouch_by_default }
    }
}
