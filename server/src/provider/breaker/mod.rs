//! The circuit breaker of one provider operation: which calls are made while the provider fails.
//!
//! Pure: time is passed in. Three kinds of gates, so that a failure pauses those that it is about: one for each phone that
//! was told to wait, one for each network in which several phones fail, one for all. Everybody's gate pauses only after
//! failures from five phones in three networks without a success between them: a stranger with one phone delays no other.

mod gate;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};

use self::gate::{Failure, Gate, Terms};

/// The longest pause that a provider may request: it is cut to this where the answer is read, too.
const LONGEST_REQUESTED: TimeDelta = TimeDelta::hours(1);
/// Gates of one kind that are kept. Idle ones are removed first; beyond that, new ones are not kept.
const MOST_GATES: usize = 10_000;

const OF_PHONE: Terms = Terms {
    phones: 1,
    networks: 1,
    first: TimeDelta::seconds(5),
    longest: TimeDelta::minutes(5),
    longest_requested: LONGEST_REQUESTED,
};
const OF_NETWORK: Terms = Terms { phones: 5, networks: 1, longest: TimeDelta::minutes(1), ..OF_PHONE };
const OF_ALL: Terms = Terms { phones: 5, networks: 3, longest: TimeDelta::minutes(1), ..OF_PHONE };

/// Which calls a refusal is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PauseScope {
    /// Calls for this phone.
    Phone,
    /// Calls for clients of this network.
    Network,
    /// All calls of the operation.
    All,
}

impl PauseScope {
    /// Returns its name in logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Phone => "phone",
            Self::Network => "network",
            Self::All => "all",
        }
    }
}

/// Whom a call is made for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caller<'a> {
    pub(super) phone: &'a str,
    pub(super) network: &'a str,
}

/// The right to make one call, to be given back with its outcome.
#[derive(Clone, Copy, Debug)]
#[must_use = "a probe whose outcome is never recorded makes others wait"]
pub(super) struct Permit {
    probes_phone: bool,
    probes_network: bool,
    probes_all: bool,
}

impl Permit {
    /// Whether everybody waits for this call.
    pub(super) const fn is_probe(self) -> bool {
        self.probes_all
    }
}

/// Why a call is not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) retry_after: TimeDelta,
    pub(super) scope: PauseScope,
}

/// What a call says of the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It answers. Whether the answer is yes does not matter.
    Answered,
    /// It asks for a pause for this person.
    TooManyForPerson(Option<TimeDelta>),
    /// It asks for a pause, and does not say for whom.
    TooMany(Option<TimeDelta>),
    /// It fails: 5xx, no connection, no answer, nonsense.
    Failed,
}

/// What an outcome changed for all calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transition {
    /// All calls are paused until then.
    Opened { until: DateTime<Utc>, is_requested: bool },
    /// The probe succeeded.
    Closed,
}

/// The breaker of one operation.
#[derive(Debug)]
pub(super) struct Breaker {
    phones: HashMap<String, Gate>,
    networks: HashMap<String, Gate>,
    all: Gate,
    /// No pause is longer than this.
    longest: Option<TimeDelta>,
    /// By then a probe has an outcome.
    probe_within: TimeDelta,
}

impl Breaker {
    /// `longest` caps every pause, also those that the provider requests. `probe_within`: how long one call takes at most.
    pub(super) fn new(longest: Option<TimeDelta>, probe_within: TimeDelta) -> Self {
        let (phones, networks, all) = <_>::default();
        Self { phones, networks, all, longest, probe_within }
    }

    /// Whether this call is to be made now.
    pub(super) fn admit(&mut self, caller: Caller<'_>, now: DateTime<Utc>) -> Result<Permit, Refusal> {
        if let Some(refusal) = self.refusal(caller, now) {
            return Err(refusal);
        }
        let phone = self.phones.get_mut(caller.phone);
        let network = self.networks.get_mut(caller.network);
        let probe_within = self.probe_within;
        Ok(Permit {
            probes_phone: phone.is_some_and(|gate| gate.pass(now, probe_within)),
            probes_network: network.is_some_and(|gate| gate.pass(now, probe_within)),
            probes_all: self.all.pass(now, probe_within),
        })
    }

    /// Records what became of a call.
    pub(super) fn record(
        &mut self,
        permit: Permit,
        caller: Caller<'_>,
        outcome: Outcome,
        now: DateTime<Utc>,
    ) -> Option<Transition> {
        self.record_for_phone(permit, caller, outcome, now);
        match outcome {
            Outcome::Answered => {
                if let Some(gate) = self.networks.get_mut(caller.network) {
                    gate.succeed(permit.probes_network);
                }
                self.all.succeed(permit.probes_all).then_some(Transition::Closed)
            }
            // It answers, but says nothing of others. Only whoever waits for this call has to know that it answers.
            Outcome::TooManyForPerson(_) => {
                if permit.probes_network
                    && let Some(gate) = self.networks.get_mut(caller.network)
                {
                    gate.succeed(true);
                }
                (permit.probes_all && self.all.succeed(true)).then_some(Transition::Closed)
            }
            Outcome::TooMany(retry_after) => self.fail(permit, caller, retry_after, now),
            Outcome::Failed => self.fail(permit, caller, None, now),
        }
    }

    /// Pauses all calls until then because another instance was asked to. Returns whether that is news.
    pub(super) fn pause_until(&mut self, until: DateTime<Utc>, now: DateTime<Utc>) -> bool {
        let terms = self.terms(OF_ALL);
        self.all.pause_until(until, now, &terms)
    }

    /// Why a call would not be made now: the longest pause of those that are due.
    pub(super) fn refusal(&self, caller: Caller<'_>, now: DateTime<Utc>) -> Option<Refusal> {
        let phone = self.phones.get(caller.phone).and_then(|gate| gate.wait(now));
        let network = self.networks.get(caller.network).and_then(|gate| gate.wait(now));
        let waits = [
            (PauseScope::Phone, phone),
            (PauseScope::Network, network),
            (PauseScope::All, self.all.wait(now)),
        ];
        let refusals =
            waits.into_iter().filter_map(|(scope, wait)| Some(Refusal { retry_after: wait?, scope }));
        refusals.max_by_key(|refusal| refusal.retry_after)
    }

    fn record_for_phone(&mut self, permit: Permit, caller: Caller<'_>, outcome: Outcome, now: DateTime<Utc>) {
        match outcome {
            Outcome::TooMany(retry_after) | Outcome::TooManyForPerson(retry_after) => {
                let terms = self.terms(OF_PHONE);
                let Some(gate) = gate_of(&mut self.phones, caller.phone, now) else { return };
                gate.fail(&failure(caller, retry_after, now), permit.probes_phone, &terms);
            }
            Outcome::Answered => {
                if let Some(gate) = self.phones.get_mut(caller.phone) {
                    gate.succeed(permit.probes_phone);
                }
            }
            Outcome::Failed => {
                if permit.probes_phone
                    && let Some(gate) = self.phones.get_mut(caller.phone)
                {
                    gate.release(now);
                }
            }
        }
    }

    fn fail(
        &mut self,
        permit: Permit,
        caller: Caller<'_>,
        retry_after: Option<TimeDelta>,
        now: DateTime<Utc>,
    ) -> Option<Transition> {
        let failure = failure(caller, retry_after, now);
        let (of_network, of_all) = (self.terms(OF_NETWORK), self.terms(OF_ALL));
        if let Some(gate) = gate_of(&mut self.networks, caller.network, now) {
            // What the provider requests may be about one phone of them.
            let failure = Failure { retry_after: None, ..failure.clone() };
            gate.fail(&failure, permit.probes_network, &of_network);
        }
        let until = self.all.fail(&failure, permit.probes_all, &of_all)?;
        Some(Transition::Opened { until, is_requested: retry_after.is_some() })
    }

    fn terms(&self, terms: Terms) -> Terms {
        let Some(most) = self.longest else { return terms };
        Terms {
            longest: terms.longest.min(most),
            longest_requested: terms.longest_requested.min(most),
            ..terms
        }
    }
}

fn failure(caller: Caller<'_>, retry_after: Option<TimeDelta>, at: DateTime<Utc>) -> Failure<'_> {
    Failure { phone: caller.phone, network: caller.network, at, retry_after }
}

/// The gate of this name, a new one if there is none; `None` if too many are in use.
fn gate_of<'a>(gates: &'a mut HashMap<String, Gate>, name: &str, now: DateTime<Utc>) -> Option<&'a mut Gate> {
    if !gates.contains_key(name) {
        if gates.len() >= MOST_GATES {
            gates.retain(|_, gate| !gate.is_idle(now));
        }
        if gates.len() >= MOST_GATES {
            return None;
        }
    }
    Some(gates.entry(name.to_owned()).or_default())
}
