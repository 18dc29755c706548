//! One gate: closed to nothing until enough phones in enough networks have failed, then paused, then open to one probe.
//!
//! Pure: time is passed in. A gate knows nothing of what it guards.

use chrono::{DateTime, TimeDelta, Utc};

/// Failures that are older than this do not count.
const WINDOW: TimeDelta = TimeDelta::minutes(1);
/// Failures that a gate remembers; more than any threshold needs.
const REMEMBERED: usize = 32;
/// How long a pause that is over is remembered, so that the next one is longer.
const MEMORY: TimeDelta = TimeDelta::minutes(10);

/// When a gate pauses, and for how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// Different phones that have to fail without a success between them.
    pub(super) phones: usize,
    /// Different networks that these phones have to be in.
    pub(super) networks: usize,
    /// The first pause. Each failed probe doubles it.
    pub(super) first: TimeDelta,
    /// The longest pause without a request of the provider's.
    pub(super) longest: TimeDelta,
    /// The longest pause that the provider may request.
    pub(super) longest_requested: TimeDelta,
}

/// A call that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure<'a> {
    pub(super) phone: &'a str,
    pub(super) network: &'a str,
    pub(super) at: DateTime<Utc>,
    /// How long the provider asks to wait, if it does.
    pub(super) retry_after: Option<TimeDelta>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    Paused {
        until: DateTime<Utc>,
        length: TimeDelta,
    },
    /// One call is under way to find out; the others wait for it, at most until then.
    Probing {
        until: DateTime<Utc>,
        length: TimeDelta,
    },
}

/// A remembered failure.
#[derive(Debug)]
struct Seen {
    phone: String,
    network: String,
    at: DateTime<Utc>,
}

/// A gate, through which all calls pass at first.
#[derive(Debug)]
pub(super) struct Gate {
    state: State,
    seen: Vec<Seen>,
}

impl Default for Gate {
    fn default() -> Self {
        Self { state: State::Closed, seen: Vec::new() }
    }
}

impl Gate {
    /// How long a call has to wait here; `None` if it may pass now.
    pub(super) fn wait(&self, now: DateTime<Utc>) -> Option<TimeDelta> {
        match self.state {
            State::Closed => None,
            State::Paused { until, .. } | State::Probing { until, .. } => {
                Some(until - now).filter(|wait| *wait > TimeDelta::zero())
            }
        }
    }

    /// Lets a call pass that need not wait. Returns whether it is the probe, for which the others wait.
    pub(super) fn pass(&mut self, now: DateTime<Utc>, probe_within: TimeDelta) -> bool {
        match self.state {
            State::Closed => false,
            State::Paused { length, .. } | State::Probing { length, .. } => {
                self.state = State::Probing { until: now + probe_within, length };
                true
            }
        }
    }

    /// Records a success. Returns whether the pauses end with it: only the probe's success ends them.
    pub(super) fn succeed(&mut self, was_probe: bool) -> bool {
        match self.state {
            State::Closed => self.seen.clear(),
            State::Probing { .. } if was_probe => {
                *self = Self::default();
                return true;
            }
            State::Paused { .. } | State::Probing { .. } => {}
        }
        false
    }

    /// Records a failure. Returns the end of the pause that begins with it, if one does.
    pub(super) fn fail(
        &mut self,
        failure: &Failure<'_>,
        was_probe: bool,
        terms: &Terms,
    ) -> Option<DateTime<Utc>> {
        let length = match self.state {
            State::Closed => {
                self.remember(failure);
                if !self.is_enough(terms) {
                    return None;
                }
                terms.first
            }
            State::Probing { length, .. } if was_probe => (length * 2).min(terms.longest),
            // A call that began before the pause says nothing new.
            State::Paused { .. } | State::Probing { .. } => return None,
        };
        let requested = failure.retry_after.unwrap_or_default().min(terms.longest_requested);
        let until = failure.at + length.max(requested);
        self.seen.clear();
        self.state = State::Paused { until, length };
        Some(until)
    }

    /// The probe ended without an answer to its question: the next call is one.
    pub(super) fn release(&mut self, now: DateTime<Utc>) {
        if let State::Probing { length, .. } = self.state {
            self.state = State::Paused { until: now, length };
        }
    }

    /// Pauses until then because another instance was asked to. Returns whether that is news.
    pub(super) fn pause_until(&mut self, until: DateTime<Utc>, now: DateTime<Utc>, terms: &Terms) -> bool {
        let until = until.min(now + terms.longest_requested);
        if until <= now {
            return false;
        }
        let (was_closed, length) = match self.state {
            State::Closed => (true, terms.first),
            State::Paused { until: known, .. } if known >= until => return false,
            State::Paused { length, .. } | State::Probing { length, .. } => (false, length),
        };
        self.seen.clear();
        self.state = State::Paused { until, length };
        was_closed
    }

    /// Whether the gate holds nothing that matters any more.
    pub(super) fn is_idle(&self, now: DateTime<Utc>) -> bool {
        match self.state {
            State::Closed => self.seen.iter().all(|seen| seen.at + WINDOW < now),
            State::Paused { until, .. } | State::Probing { until, .. } => until + MEMORY < now,
        }
    }

    fn remember(&mut self, failure: &Failure<'_>) {
        // The window ends at both sides: a clock that was set back must not keep a failure for ever.
        self.seen.retain(|seen| (failure.at - seen.at).abs() <= WINDOW && seen.phone != failure.phone);
        if self.seen.len() >= REMEMBERED {
            self.seen.remove(0);
        }
        let (phone, network) = (failure.phone.to_owned(), failure.network.to_owned());
        self.seen.push(Seen { phone, network, at: failure.at });
    }

    fn is_enough(&self, terms: &Terms) -> bool {
        let mut networks: Vec<&str> = self.seen.iter().map(|seen| seen.network.as_str()).collect();
        networks.sort_unstable();
        networks.dedup();
        self.seen.len() >= terms.phones && networks.len() >= terms.networks
    }
}
