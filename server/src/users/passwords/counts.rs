//! What is counted of the threads that hash passwords.
//!
//! Who waits and what runs is counted by what holds the place, so that no panic leaves a count too high.

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use tokio::time::Instant;

/// What a thread does with a password.
#[derive(Clone, Copy, Debug)]
pub(super) enum Work {
    /// Says whether it may be one.
    Judge,
    /// Hashes a new one.
    Hash,
    /// Compares it with a hash.
    Compare,
}

impl Work {
    fn word(self) -> &'static str {
        match self {
            Self::Judge => "judge",
            Self::Hash => "hash",
            Self::Compare => "compare",
        }
    }
}

/// The counts of one pool. Clones share them.
#[derive(Clone)]
pub(super) struct Counts {
    refused: Counter,
    waiting: Gauge,
    in_use: Gauge,
    waited: Histogram,
}

impl Counts {
    /// Of a pool with so many threads.
    pub(super) fn of(threads: usize) -> Self {
        let threads = u32::try_from(threads).unwrap_or(u32::MAX);
        gauge!("countersign_password_threads").set(threads);
        Self {
            refused: counter!("countersign_passwords_refused_total"),
            waiting: gauge!("countersign_passwords_waiting"),
            in_use: gauge!("countersign_password_threads_in_use"),
            waited: histogram!("countersign_password_wait_seconds"),
        }
    }

    /// There was no room.
    pub(super) fn refuse(&self) {
        self.refused.increment(1);
    }

    /// A password begins to wait for a thread.
    pub(super) fn wait(&self) -> Waiting {
        self.waiting.increment(1);
        Waiting { counts: self.clone(), since: Instant::now() }
    }
}

/// A password that waits.
pub(super) struct Waiting {
    counts: Counts,
    since: Instant,
}

impl Waiting {
    /// A thread has come to it.
    pub(super) fn begin(self, work: Work) -> Working {
        self.counts.waited.record(self.since.elapsed());
        self.counts.in_use.increment(1);
        Working { in_use: self.counts.in_use.clone(), work, since: Instant::now() }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.counts.waiting.decrement(1);
    }
}

/// A thread that works on a password.
pub(super) struct Working {
    in_use: Gauge,
    work: Work,
    since: Instant,
}

impl Drop for Working {
    fn drop(&mut self) {
        self.in_use.decrement(1);
        histogram!("countersign_password_work_seconds", "work" => self.work.word())
            .record(self.since.elapsed());
    }
}
