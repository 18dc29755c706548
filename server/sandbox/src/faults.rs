//! The faults that `PUT /phone/faults` asks for: what goes wrong with answers of Authy's API, and with
//! callbacks. This is the wish; the API and the callbacks carry it out. Invariant: no chance anywhere, a
//! dropped callback is dropped by counting.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

/// The longest delay that can be asked for, in milliseconds: ten minutes.
const MAXIMAL_DELAY: u64 = 600_000;
/// The most repetitions of one callback that can be asked for.
const MAXIMAL_REPEATS: u32 = 100;

/// What goes wrong; nothing by default.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Faults {
    pub(super) api: Option<ApiFault>,
    pub(super) callbacks: Option<CallbackFaults>,
}

/// What goes wrong with answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct ApiFault {
    pub(super) kind: ApiFaultKind,
    /// The status of kind `status`.
    #[serde(default = "internal_error")]
    pub(super) status: u16,
    /// The header `Retry-After` of kind `status`, in seconds; none without.
    #[serde(default)]
    pub(super) retry_after_seconds: Option<u32>,
    /// Whether kind `status` names no person: a 429 without the code that is about one user.
    #[serde(default)]
    pub(super) for_all: bool,
    /// Milliseconds, of kind `delay`.
    #[serde(default)]
    pub(super) delay_ms: u64,
    /// Whether the delay comes before or after the call's effect.
    #[serde(default)]
    pub(super) when: When,
    /// Parts of the paths that are struck; none is all.
    #[serde(default)]
    pub(super) paths: Vec<String>,
}

/// How an answer goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ApiFaultKind {
    /// The right answer, late.
    Delay,
    /// The effect happens, the answer never comes.
    Silent,
    /// A status instead of the effect.
    Status,
    /// A page instead of the effect.
    Html,
    /// The effect happens, the answer breaks off.
    Cut,
}

/// On which side of the effect a delay is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum When {
    #[default]
    Before,
    After,
}

/// What goes wrong with callbacks.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct CallbackFaults {
    /// The part of the callbacks that is never sent, 0 to 1.
    pub(super) drop: f64,
    /// How often each is sent once more.
    pub(super) repeat: u32,
    /// Milliseconds before each is sent.
    pub(super) delay_ms: u64,
    /// Signed with a wrong key.
    pub(super) forge: bool,
}

/// The faults in force.
pub(super) struct FaultBoard(Mutex<Board>);

#[derive(Default)]
struct Board {
    faults: Faults,
    /// Callbacks since the faults were set.
    callbacks: u32,
}

fn internal_error() -> u16 {
    500
}

impl Faults {
    /// Says what is wrong with the wish, if anything.
    pub(super) fn complaint(&self) -> Option<&'static str> {
        let api = self.api.as_ref();
        let callbacks = self.callbacks.as_ref();
        let delays = [api.map_or(0, |api| api.delay_ms), callbacks.map_or(0, |callbacks| callbacks.delay_ms)];
        if api.is_some_and(|api| !(200..=599).contains(&api.status)) {
            Some("status must be 200 to 599")
        } else if delays.iter().any(|delay| *delay > MAXIMAL_DELAY) {
            Some("delayMs must be at most 600000")
        } else if callbacks.is_some_and(|callbacks| !(0.0..=1.0).contains(&callbacks.drop)) {
            Some("drop must be 0 to 1")
        } else if callbacks.is_some_and(|callbacks| callbacks.repeat > MAXIMAL_REPEATS) {
            Some("repeat must be at most 100")
        } else {
            None
        }
    }
}

impl FaultBoard {
    pub(super) fn new() -> Self {
        Self(Mutex::default())
    }

    /// Puts these faults in the place of all others, and begins to count callbacks anew.
    pub(super) fn set(&self, faults: Faults) {
        *self.lock() = Board { faults, callbacks: 0 };
    }

    pub(super) fn current(&self) -> Faults {
        self.lock().faults.clone()
    }

    /// The fault that strikes a path, if one does.
    pub(super) fn for_path(&self, path: &str) -> Option<ApiFault> {
        let fault = self.lock().faults.api.clone()?;
        let is_struck = fault.paths.is_empty() || fault.paths.iter().any(|part| path.contains(part.as_str()));
        is_struck.then_some(fault)
    }

    /// What is to go wrong with the next callback; nothing when it is to be dropped.
    pub(super) fn for_next_callback(&self) -> Option<CallbackFaults> {
        let mut board = self.lock();
        let faults = board.faults.callbacks.clone().unwrap_or_default();
        let before = f64::from(board.callbacks) * faults.drop;
        board.callbacks = board.callbacks.saturating_add(1);
        let after = f64::from(board.callbacks) * faults.drop;
        (after.floor() <= before.floor()).then_some(faults)
    }

    fn lock(&self) -> MutexGuard<'_, Board> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn dropped(part: f64) -> Vec<bool> {
        let board = FaultBoard::new();
        let callbacks = CallbackFaults { drop: part, ..CallbackFaults::default() };
        board.set(Faults { callbacks: Some(callbacks), ..Faults::default() });
        (0..4).map(|_| board.for_next_callback().is_none()).collect()
    }

    #[test]
    fn callbacks_are_dropped_by_counting() {
        assert_eq!(dropped(0.0), [false; 4]);
        assert_eq!(dropped(0.5), [false, true, false, true]);
        assert_eq!(dropped(1.0), [true; 4]);
    }

    #[test]
    fn members_are_optional_and_unknown_ones_are_refused() {
        let faults: Faults = serde_json::from_value(json!({"api": {"kind": "status"}})).unwrap();
        assert_eq!(faults.api.unwrap().status, 500);
        assert!(faults.callbacks.is_none());
        assert!(serde_json::from_value::<Faults>(json!({"api": {"kind": "status", "delay": 3}})).is_err());
        assert!(serde_json::from_value::<Faults>(json!({"apis": {}})).is_err());
    }

    #[test]
    fn a_fault_strikes_the_paths_that_contain_its_parts() {
        let board = FaultBoard::new();
        let set = |paths: serde_json::Value| {
            board.set(serde_json::from_value(json!({"api": {"kind": "silent", "paths": paths}})).unwrap());
        };
        set(json!(["sms", "verify"]));
        assert!(board.for_path("/protected/json/sms/1").is_some());
        assert!(board.for_path("/protected/json/call/1").is_none());
        set(json!([]));
        assert!(board.for_path("/protected/json/call/1").is_some());
    }

    #[test]
    fn impossible_wishes_are_complained_about() {
        for wish in [
            json!({"api": {"kind": "status", "status": 99}}),
            json!({"api": {"kind": "delay", "delayMs": 600_001}}),
            json!({"callbacks": {"drop": 1.5}}),
            json!({"callbacks": {"repeat": 101}}),
        ] {
            assert!(serde_json::from_value::<Faults>(wish).unwrap().complaint().is_some());
        }
    }
}
