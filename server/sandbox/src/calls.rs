//! How often each endpoint of Authy's API was asked, and the newest calls, for tests that count what the
//! provider was asked. Paths are kept without codes, keys and queries. Invariant: a call is counted when it
//! arrives, answered or not.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

const MAXIMAL_CALLS: usize = 500;

/// The counts of every endpoint, and the last 500 calls.
pub(super) struct Calls(Mutex<Counted>);

struct Counted {
    newest: VecDeque<Call>,
    next: u64,
    counts: BTreeMap<&'static str, u64>,
}

struct Call {
    number: u64,
    path: String,
    status: Option<u16>,
}

impl Calls {
    /// Nothing was asked yet, of any of these endpoints.
    pub(super) fn new(endpoints: &[&'static str]) -> Self {
        let counts = endpoints.iter().map(|name| (*name, 0)).collect();
        Self(Mutex::new(Counted { newest: VecDeque::new(), next: 0, counts }))
    }

    /// Counts a call. The number is for `answered`.
    pub(super) fn arrived(&self, endpoint: &'static str, path: String) -> u64 {
        let mut counted = self.lock();
        *counted.counts.entry(endpoint).or_default() += 1;
        let number = counted.next;
        counted.next += 1;
        if counted.newest.len() == MAXIMAL_CALLS {
            counted.newest.pop_front();
        }
        counted.newest.push_back(Call { number, path, status: None });
        number
    }

    /// Notes the status that a call was answered with.
    pub(super) fn answered(&self, number: u64, status: u16) {
        if let Some(call) = self.lock().newest.iter_mut().find(|call| call.number == number) {
            call.status = Some(status);
        }
    }

    /// All calls since the start, or since they were forgotten.
    pub(super) fn total(&self) -> u64 {
        self.lock().counts.values().sum()
    }

    /// Begins to count anew.
    pub(super) fn forget(&self) {
        let mut counted = self.lock();
        counted.newest.clear();
        counted.counts.values_mut().for_each(|count| *count = 0);
    }

    /// `{"calls": […], "counts": {…}}`
    pub(super) fn to_json(&self) -> Value {
        let counted = self.lock();
        let calls: Vec<Value> =
            counted.newest.iter().map(|call| json!({"path": call.path, "status": call.status})).collect();
        json!({"calls": calls, "counts": counted.counts})
    }

    fn lock(&self) -> MutexGuard<'_, Counted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_when_they_arrive_and_get_a_status_when_they_are_answered() {
        let calls = Calls::new(&["sms", "verify"]);
        let first = calls.arrived("sms", "/protected/json/sms/1".to_owned());
        calls.arrived("sms", "/protected/json/sms/2".to_owned());
        calls.answered(first, 200);
        let expected = json!({
            "calls": [{"path": "/protected/json/sms/1", "status": 200}, {"path": "/protected/json/sms/2",
            "status": null}],
            "counts": {"sms": 2, "verify": 0},
        });
        assert_eq!(calls.to_json(), expected);
        calls.forget();
        assert_eq!(calls.to_json(), json!({"calls": [], "counts": {"sms": 0, "verify": 0}}));
    }

    #[test]
    fn the_oldest_calls_make_room() {
        let calls = Calls::new(&[]);
        for _ in 0..=MAXIMAL_CALLS {
            calls.arrived("sms", String::new());
        }
        assert_eq!(calls.lock().newest.len(), MAXIMAL_CALLS);
        assert_eq!(calls.total(), 501);
    }
}
