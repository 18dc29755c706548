//! What Authy's answers mean: its truth values, ids and error codes, reduced to what a caller can act on.
//!
//! Not how they arrive. The invariant: nothing of an answer's text gets any further, except an error code of digits.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use crate::provider::{ProviderError, RateLimitScope};

const MAX_ERROR_CODE_DIGITS: usize = 8;
const MAX_ID_DIGITS: usize = 20;

/// Which call an answer belongs to: where Authy's code says little, this decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// A push was to be sent; whatever hinders it, a code can be sent instead.
    RequestApproval,
    /// Anything else.
    Other,
}

/// An answer in JSON, whatever its status.
pub(super) struct Reply {
    /// The HTTP status.
    pub(super) status: u16,
    /// The members of the outermost object.
    pub(super) body: Map<String, Value>,
    /// What time it was there, where it was told.
    pub(super) date: Option<DateTime<Utc>>,
}

impl Reply {
    /// The answer's members if it says that the call succeeded, else what hindered it.
    pub(super) fn success(self, call: Call) -> Result<Success, ProviderError> {
        if self.status == 200 && is_true(self.body.get("success")) {
            return Ok(Success { body: self.body });
        }
        Err(self.into_error(call))
    }

    /// Authy's error code; none if it gave none, or not one of digits.
    pub(super) fn error_code(&self) -> Option<String> {
        digits(self.body.get("error_code")?, MAX_ERROR_CODE_DIGITS)
    }

    /// What hindered the call: first by Authy's code, which says most, then by the HTTP status.
    pub(super) fn into_error(self, call: Call) -> ProviderError {
        let code = self.error_code();
        if let Some(error) = code.as_deref().and_then(known) {
            return error;
        }
        let code = code.unwrap_or_else(|| "none".to_owned());
        match (self.status, call) {
            (401, _) => ProviderError::Unauthorized { code },
            (500.., _) => ProviderError::Nonsense { status: self.status, reason: "a failure of its own" },
            (_, Call::RequestApproval) => ProviderError::NoPush { code },
            (400 | 403, Call::Other) => ProviderError::Refused { code },
            (200, Call::Other) => {
                ProviderError::Nonsense { status: 200, reason: "neither success nor an error code" }
            }
            (status, Call::Other) => ProviderError::Nonsense { status, reason: "an unknown status" },
        }
    }
}

/// The members of an answer that says that the call succeeded.
pub(super) struct Success {
    body: Map<String, Value>,
}

impl Success {
    /// A member at a path of names.
    pub(super) fn find(&self, path: &[&str]) -> Option<&Value> {
        let (first, rest) = path.split_first()?;
        rest.iter().try_fold(self.body.get(*first)?, |value, name| value.get(*name))
    }

    /// The text at a path of names.
    pub(super) fn find_text(&self, path: &[&str]) -> Option<&str> {
        self.find(path)?.as_str()
    }

    /// The id at a path of names: a number, or text that is one.
    pub(super) fn find_id(&self, path: &[&str]) -> Option<String> {
        digits(self.find(path)?, MAX_ID_DIGITS)
    }
}

/// Authy writes truth as `true` and, where it is older, as `"true"`.
pub(super) fn is_true(value: Option<&Value>) -> bool {
    match value {
        Some(Value::Bool(value)) => *value,
        Some(Value::String(text)) => text == "true",
        _ => false,
    }
}

fn digits(value: &Value, most: usize) -> Option<String> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        _ => return None,
    };
    let is_short = (1..=most).contains(&text.len());
    (is_short && text.bytes().all(|byte| byte.is_ascii_digit())).then_some(text)
}

/// The codes whose meaning does not depend on the call
/// (<https://www.twilio.com/docs/authy/api/return-and-error-codes>, and authy-java's list of names).
fn known(code: &str) -> Option<ProviderError> {
    let number: u32 = code.parse().ok()?;
    let code = code.to_owned();
    Some(match number {
        // The key, the application or the account behind it.
        60001 | 60008 | 60047 | 60056 | 60057 | 60060 | 60061 | 60063 | 60117 => {
            ProviderError::Unauthorized { code }
        }
        // "DoS protection: User has requested too many tokens in the last hour."
        60003 => ProviderError::RateLimited { retry_after: None, scope: RateLimitScope::Person },
        60016 | 60026 => ProviderError::NotEnrolled,
        // Messages or calls are switched off, or used up for the day or the month.
        60006 | 60007 | 60009..=60012 => ProviderError::ChannelDisabled { code },
        // They cannot reach this number.
        60014 | 60015 | 60082 | 60083 | 60120 => ProviderError::ChannelUnavailable { code },
        // Banned countries; suspended, disabled and blocked users; impossible users and numbers.
        60013 | 60017 | 60018 | 60027 | 60033 | 60038 | 60078 | 60106 | 60107 => {
            ProviderError::Refused { code }
        }
        60050..=60055 | 60064..=60066 => ProviderError::NoPush { code },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn reply(status: u16, body: Value) -> Reply {
        let Value::Object(body) = body else { panic!("no object") };
        Reply { status, body, date: None }
    }

    fn error(status: u16, body: Value, call: Call) -> String {
        let error = reply(status, body).success(call).err().expect("an error");
        format!("{error:?}").split([' ', '{']).next().unwrap_or_default().to_owned()
    }

    #[test]
    fn success_is_http_200_and_a_true_of_either_spelling() {
        assert!(reply(200, json!({"success": true})).success(Call::Other).is_ok());
        assert!(reply(200, json!({"success": "true"})).success(Call::Other).is_ok());
        for value in [json!(false), json!("false"), json!(1), json!("True"), json!(null), json!({})] {
            assert_eq!(error(200, json!({"success": value}), Call::Other), "Nonsense", "{value}");
        }
        assert_eq!(error(201, json!({"success": true}), Call::Other), "Nonsense");
        assert_eq!(error(302, json!({"success": true}), Call::Other), "Nonsense");
    }

    #[test]
    fn authys_code_says_what_hindered() {
        for (code, expected) in [
            ("60001", "Unauthorized"),
            ("60047", "Unauthorized"),
            ("60061", "Unauthorized"),
            ("60003", "RateLimited"),
            ("60016", "NotEnrolled"),
            ("60026", "NotEnrolled"),
            ("60006", "ChannelDisabled"),
            ("60007", "ChannelDisabled"),
            ("60009", "ChannelDisabled"),
            ("60012", "ChannelDisabled"),
            ("60014", "ChannelUnavailable"),
            ("60015", "ChannelUnavailable"),
            ("60082", "ChannelUnavailable"),
            ("60083", "ChannelUnavailable"),
            ("60013", "Refused"),
            ("60017", "Refused"),
            ("60027", "Refused"),
            ("60050", "NoPush"),
            ("60055", "NoPush"),
            ("60065", "NoPush"),
        ] {
            for status in [200, 400, 403, 404, 503] {
                for call in [Call::Other, Call::RequestApproval] {
                    let body = json!({"success": false, "error_code": code});
                    assert_eq!(error(status, body, call), expected, "{code} {status} {call:?}");
                }
            }
        }
    }

    #[test]
    fn without_a_known_code_the_status_decides() {
        for (status, expected, expected_of_push) in [
            (400, "Refused", "NoPush"),
            (403, "Refused", "NoPush"),
            (401, "Unauthorized", "Unauthorized"),
            (404, "Nonsense", "NoPush"),
            (302, "Nonsense", "NoPush"),
            (500, "Nonsense", "Nonsense"),
            (503, "Nonsense", "Nonsense"),
        ] {
            for body in [json!({}), json!({"error_code": "69999"}), json!({"error_code": "../x"})] {
                assert_eq!(error(status, body.clone(), Call::Other), expected, "{status} {body}");
                assert_eq!(
                    error(status, body.clone(), Call::RequestApproval),
                    expected_of_push,
                    "{status} {body}"
                );
            }
        }
    }

    #[test]
    fn only_digits_of_an_error_code_are_kept() {
        for (value, expected) in [
            (json!("60027"), Some("60027")),
            (json!(60027), Some("60027")),
            (json!("planted@example.com"), None),
            (json!("123456789"), None),
            (json!(-1), None),
            (json!(""), None),
            (json!(null), None),
        ] {
            let code = reply(400, json!({"error_code": value})).error_code();
            assert_eq!(code.as_deref(), expected, "{value}");
        }
    }

    #[test]
    fn an_id_is_a_number_or_text_of_digits() {
        for (value, expected) in [
            (json!(1000), Some("1000")),
            (json!("1000"), Some("1000")),
            (json!(u64::MAX), Some("18446744073709551615")),
            (json!(-1), None),
            (json!(1.5), None),
            (json!("1/../2"), None),
            (json!("١"), None),
            (json!(""), None),
            (json!("123456789012345678901"), None),
            (json!([1]), None),
        ] {
            let success = reply(200, json!({"success": true, "user": {"id": value}})).success(Call::Other);
            let id = success.ok().and_then(|success| success.find_id(&["user", "id"]));
            assert_eq!(id.as_deref(), expected, "{value}");
        }
    }
}
