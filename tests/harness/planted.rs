//! Secrets that a scenario has seen, and the search for them in what was logged.
//!
//! A secret in a log is found plain, percent-encoded, as JSON and in base64, at whichever of the three offsets a longer
//! text would put it.

use std::sync::{Mutex, PoisonError};

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// The secrets of one world.
#[derive(Debug, Default)]
pub struct Planted {
    secrets: Mutex<Vec<(&'static str, String)>>,
}

impl Planted {
    /// Remembers a secret, and what kind it is.
    pub fn plant(&self, kind: &'static str, secret: &str) {
        assert!(secret.len() >= 6, "a {kind} of {} bytes stands in any log by chance", secret.len());
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner).push((kind, secret.to_owned()));
    }

    /// The kinds of secrets that stand in the log, and how they are written there.
    #[must_use]
    pub fn search(&self, log: &str) -> Vec<String> {
        let secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = Vec::new();
        for (kind, secret) in secrets.iter() {
            for (form, written) in forms(secret) {
                if stands_in(log, &written) {
                    found.push(format!("{kind} ({form})"));
                }
            }
        }
        found
    }

    /// How many secrets there are to search for.
    #[must_use]
    pub fn len(&self) -> usize {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The ways in which a secret may be written.
fn forms(secret: &str) -> Vec<(&'static str, String)> {
    let json = serde_json::to_string(secret).unwrap();
    let mut forms = vec![
        ("plain", secret.to_owned()),
        ("percent-encoded", utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string()),
        ("form-encoded", url::form_urlencoded::byte_serialize(secret.as_bytes()).collect()),
        ("JSON", json.trim_matches('"').to_owned()),
    ];
    // A short number has too few bytes for its middle to be told from chance.
    if secret.len() >= 10 {
        for offset in 0..3 {
            let padded = [&vec![0; offset][..], secret.as_bytes()].concat();
            let encoded = STANDARD_NO_PAD.encode(&padded);
            // The first and last characters also hold bits of the neighbours.
            let middle = &encoded[if offset == 0 { 0 } else { 4 }..encoded.len() - encoded.len() % 4 - 4];
            forms.push(("base64", middle.to_owned()));
            forms.push(("base64url", middle.replace('+', "-").replace('/', "_")));
        }
    }
    forms
}

/// Whether the text stands in the log; a number only where it is not a part of a longer one, such as an id.
fn stands_in(log: &str, text: &str) -> bool {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    let is_part = |character: Option<char>| {
        character.is_some_and(|character| character.is_ascii_alphanumeric() || character == '-')
    };
    log.match_indices(text).any(|(start, _)| {
        let (before, after) = (log[..start].chars().next_back(), log[start + text.len()..].chars().next());
        !is_number || !(is_part(before) || is_part(after))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_however_it_is_written() {
        let planted = Planted::default();
        let secret = "correct horse/battery+\"staple";
        planted.plant("password", secret);
        for written in [
            secret.to_owned(),
            serde_json::to_string(&serde_json::json!({ "password": secret })).unwrap(),
            format!("?password={}", utf8_percent_encode(secret, NON_ALPHANUMERIC)),
            format!(
                "password={}",
                url::form_urlencoded::byte_serialize(secret.as_bytes()).collect::<String>()
            ),
            STANDARD_NO_PAD.encode(secret),
            STANDARD_NO_PAD.encode(format!("a{secret}b")),
            STANDARD_NO_PAD.encode(format!("ab{secret}bc")),
        ] {
            assert!(!planted.search(&format!("10:00 INFO {written} and so on")).is_empty(), "{written}");
        }
        assert!(planted.search("10:00 INFO nothing of it").is_empty());
    }

    #[test]
    fn a_code_is_found_unless_it_is_a_part_of_an_id() {
        let planted = Planted::default();
        planted.plant("code", "1234567");
        assert_eq!(
            planted.search("verify/1234567/9"),
            ["code (plain)", "code (percent-encoded)", "code (form-encoded)", "code (JSON)"]
        );
        assert!(planted.search("login.id=01981234567a").is_empty());
    }
}
