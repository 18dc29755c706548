//! The codes of one phone: which were sent, which were spent, and whether one is right. An app code is the
//! token of its step, and one step earlier or later is accepted; a code that was sent stays right for ten
//! minutes. Invariant: a code is right once.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::random::Random;
use super::totp::{Secret, step};

/// How long a code in a message stays right.
const SENT_CODE_LIFE: TimeDelta = TimeDelta::minutes(10);
/// How long a spent code is remembered, so that it is "used recently" and not merely wrong.
const SPENT_CODE_MEMORY: TimeDelta = TimeDelta::minutes(15);
/// Messages with codes that one phone gets within an hour; Authy publishes no number.
const HOURLY_SENDS: usize = 60;
/// Steps after the present one whose codes may be sent; more than the codes that can have been spent of them.
const LATER_STEPS: i64 = 1_000;

/// One phone's secret and what became of its codes. No `Debug`.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Codes {
    secret: Secret,
    sent: Vec<SentCode>,
    spent: Vec<SpentCode>,
    sends: Vec<DateTime<Utc>>,
}

#[derive(Clone, Serialize, Deserialize)]
struct SentCode {
    code: String,
    action: Option<String>,
    at: DateTime<Utc>,
}

#[derive(Clone, Serialize, Deserialize)]
struct SpentCode {
    code: String,
    at: DateTime<Utc>,
}

/// Where a right code came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// The Authy app made it.
    App,
    /// It was sent by SMS or said in a call.
    Message,
}

/// What a typed code is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judgement {
    /// Right, and spent by this very judgement.
    Right(Source),
    /// It was right once.
    Used,
    /// None of this phone's codes, or bound to another action.
    Wrong,
}

impl Codes {
    pub(super) fn new(random: &Random) -> Self {
        Self { secret: Secret::new(random), sent: Vec::new(), spent: Vec::new(), sends: Vec::new() }
    }

    /// What the Authy app shows.
    pub(super) fn app_code(&self, now: DateTime<Utc>) -> String {
        self.secret.code(step(now))
    }

    /// Makes a code for a message, or nothing when the phone had too many within an hour. It is the token of
    /// the moment, or that of a later step where the former is spent: a message never brings a code that
    /// cannot be used.
    pub(super) fn send(&mut self, now: DateTime<Utc>, action: Option<String>) -> Option<String> {
        self.forget_old(now);
        if self.sends.len() >= HOURLY_SENDS {
            return None;
        }
        let step = step(now);
        let mut codes = (step..=step + LATER_STEPS).map(|step| self.secret.code(step));
        let code = codes.find(|code| !self.is_spent(code))?;
        self.sends.push(now);
        self.sent.push(SentCode { code: code.clone(), action, at: now });
        Some(code)
    }

    /// Judges a typed code, and spends it when it is right. Only a phone with the app makes codes that nobody
    /// sent. A code that was asked for with an action is right with that action only; one asked for without
    /// is right with any.
    pub(super) fn judge(
        &mut self,
        now: DateTime<Utc>,
        code: &str,
        action: Option<&str>,
        has_app: bool,
    ) -> Judgement {
        self.forget_old(now);
        if self.is_spent(code) {
            return Judgement::Used;
        }
        let mut sent = self.sent.iter().filter(|sent| is_same(&sent.code, code)).peekable();
        let source = if sent.peek().is_some() {
            sent.any(|sent| sent.action.is_none() || sent.action.as_deref() == action)
                .then_some(Source::Message)
        } else {
            let steps = step(now) - 1..=step(now) + 1;
            let is_app_code =
                has_app && steps.map(|step| self.secret.code(step)).any(|made| is_same(&made, code));
            is_app_code.then_some(Source::App)
        };
        let Some(source) = source else {
            return Judgement::Wrong;
        };
        self.spent.push(SpentCode { code: code.to_owned(), at: now });
        Judgement::Right(source)
    }

    fn is_spent(&self, code: &str) -> bool {
        self.spent.iter().any(|spent| is_same(&spent.code, code))
    }

    fn forget_old(&mut self, now: DateTime<Utc>) {
        self.sent.retain(|sent| now - sent.at < SENT_CODE_LIFE);
        self.spent.retain(|spent| now - spent.at < SPENT_CODE_MEMORY);
        self.sends.retain(|at| now - at < TimeDelta::hours(1));
    }
}

fn is_same(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    fn codes() -> Codes {
        Codes::new(&Random::from_system().unwrap())
    }

    #[test]
    fn an_app_code_is_right_one_step_around_its_own_and_no_further() {
        let codes = codes();
        let code = codes.app_code(at(0));
        for (seconds, judgement) in [
            (-31, Judgement::Wrong),
            (-30, Judgement::Right(Source::App)),
            (0, Judgement::Right(Source::App)),
            (59, Judgement::Right(Source::App)),
            (60, Judgement::Wrong),
        ] {
            assert_eq!(codes.clone().judge(at(seconds), &code, None, true), judgement, "{seconds}");
        }
    }

    #[test]
    fn a_phone_without_the_app_has_no_app_codes() {
        let mut codes = codes();
        let code = codes.app_code(at(0));
        assert_eq!(codes.judge(at(0), &code, None, false), Judgement::Wrong);
    }

    #[test]
    fn a_sent_code_is_the_token_of_the_moment_and_stays_right_for_ten_minutes() {
        let mut codes = codes();
        let code = codes.send(at(0), None).unwrap();
        assert_eq!(code, codes.app_code(at(0)));
        assert_eq!(codes.clone().judge(at(600), &code, None, false), Judgement::Wrong);
        assert_eq!(codes.judge(at(599), &code, None, false), Judgement::Right(Source::Message));
    }

    #[test]
    fn a_code_is_right_once() {
        let mut codes = codes();
        let code = codes.send(at(0), None).unwrap();
        assert_eq!(codes.judge(at(1), &code, None, true), Judgement::Right(Source::Message));
        assert_eq!(codes.judge(at(2), &code, None, true), Judgement::Used);
        assert_eq!(codes.judge(at(600), &code, None, true), Judgement::Used);
        assert_eq!(codes.judge(at(901), &code, None, true), Judgement::Wrong);
    }

    #[test]
    fn a_message_never_brings_a_spent_code() {
        let mut codes = codes();
        let first = codes.send(at(0), None).unwrap();
        codes.judge(at(0), &first, None, false);
        let second = codes.send(at(0), None).unwrap();
        assert_ne!(first, second);
        assert_eq!(codes.judge(at(0), &second, None, false), Judgement::Right(Source::Message));
    }

    #[test]
    fn a_code_asked_for_with_an_action_is_right_with_that_action_only() {
        let mut codes = codes();
        let code = codes.send(at(0), Some("login".to_owned())).unwrap();
        assert_eq!(codes.judge(at(0), &code, None, true), Judgement::Wrong);
        assert_eq!(codes.judge(at(0), &code, Some("payment"), true), Judgement::Wrong);
        assert_eq!(codes.judge(at(0), &code, Some("login"), true), Judgement::Right(Source::Message));
    }

    #[test]
    fn the_sends_of_an_hour_are_limited() {
        let mut codes = codes();
        for _ in 0..HOURLY_SENDS {
            assert!(codes.send(at(0), None).is_some());
        }
        assert_eq!(codes.send(at(3599), None), None);
        assert!(codes.send(at(3600), None).is_some());
    }
}
