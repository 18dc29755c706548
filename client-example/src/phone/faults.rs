//! What can be made to go wrong between the service and the sandbox. A wish only: the sandbox carries it out.

use serde::Serialize;

/// What goes wrong from now on; nothing by default.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Faults {
    /// What goes wrong with answers of the provider's API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api: Option<ApiFault>,
    /// What goes wrong with callbacks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub callbacks: Option<CallbackFaults>,
}

impl Faults {
    /// Only the provider's API has a fault.
    #[must_use]
    pub fn api(fault: ApiFault) -> Self {
        Self { api: Some(fault), callbacks: None }
    }

    /// Only callbacks have faults.
    #[must_use]
    pub fn callbacks(faults: CallbackFaults) -> Self {
        Self { api: None, callbacks: Some(faults) }
    }
}

/// What goes wrong with answers of the provider's API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiFault {
    /// How.
    pub kind: ApiFaultKind,
    /// The HTTP status of [`ApiFaultKind::Status`].
    pub status: u16,
    /// The seconds of `Retry-After` of [`ApiFaultKind::Status`]; `None`: no such header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<u32>,
    /// Whether [`ApiFaultKind::Status`] names no person: a 429 without the code that is about one user.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub for_all: bool,
    /// The milliseconds of [`ApiFaultKind::Delay`].
    pub delay_ms: u64,
    /// Whether the delay comes before or after the call's effect.
    pub when: FaultTime,
    /// Parts of the paths that are struck, such as `sms`; none is all.
    pub paths: Vec<String>,
}

impl ApiFault {
    /// A fault of this kind in every path: status 500, no delay.
    #[must_use]
    pub fn new(kind: ApiFaultKind) -> Self {
        Self {
            kind,
            status: 500,
            retry_after_seconds: None,
            for_all: false,
            delay_ms: 0,
            when: FaultTime::Before,
            paths: Vec::new(),
        }
    }

    /// The same fault only where the path contains one of these.
    #[must_use]
    pub fn in_paths<'a>(self, paths: impl IntoIterator<Item = &'a str>) -> Self {
        Self { paths: paths.into_iter().map(str::to_owned).collect(), ..self }
    }
}

/// How an answer of the provider's API goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ApiFaultKind {
    /// The right answer, late.
    Delay,
    /// The effect happens, the answer never comes.
    Silent,
    /// An HTTP status instead of the effect.
    Status,
    /// A page instead of the effect.
    Html,
    /// The effect happens, the answer breaks off.
    Cut,
}

/// On which side of a call's effect its delay lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FaultTime {
    /// The effect is late too.
    Before,
    /// Only the answer is late.
    After,
}

/// What goes wrong with callbacks; nothing by default.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CallbackFaults {
    /// The part that is never sent, 0 to 1.
    pub drop: f64,
    /// How often each is sent once more.
    pub repeat: u32,
    /// Milliseconds before each is sent.
    pub delay_ms: u64,
    /// Whether they are signed with a wrong key.
    pub forge: bool,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn faults_are_spelled_as_the_sandbox_reads_them() {
        let fault = ApiFault { delay_ms: 5, ..ApiFault::new(ApiFaultKind::Delay).in_paths(["sms", "call"]) };
        assert_eq!(
            serde_json::to_value(Faults::api(fault)).unwrap(),
            json!({"api": {"kind": "delay", "status": 500, "delayMs": 5, "when": "before", "paths": ["sms", "call"]}})
        );
        let callbacks = CallbackFaults { drop: 0.5, forge: true, ..CallbackFaults::default() };
        assert_eq!(
            serde_json::to_value(Faults::callbacks(callbacks)).unwrap(),
            json!({"callbacks": {"drop": 0.5, "repeat": 0, "delayMs": 0, "forge": true}})
        );
    }
}
