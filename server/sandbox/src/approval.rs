//! An approval request as the phone holds it: what it asks, until when, and what the finger said. Its status
//! follows from these and the time, so nothing has to run when it expires. Invariant: answered at most once,
//! and never after its end.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

/// One push.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct ApprovalRequest {
    pub(super) uuid: Uuid,
    /// Authy's other id of the same thing: 24 hexadecimal digits.
    pub(super) id: String,
    pub(super) question: Question,
    pub(super) created_at: DateTime<Utc>,
    answer: Option<Answer>,
}

/// What is asked.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Question {
    pub(super) message: String,
    /// An object, or null where none was given.
    pub(super) details: Value,
    /// An object, or null where none was given.
    pub(super) hidden_details: Value,
    /// A list of `{res, url}`, or null where none was given.
    pub(super) logos: Value,
    /// 0 is for ever.
    pub(super) seconds_to_expire: u32,
}

#[derive(Clone, Serialize, Deserialize)]
struct Answer {
    verdict: Verdict,
    at: DateTime<Utc>,
}

/// What the finger said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    Approved,
    Denied,
}

/// How a request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Pending,
    Answered(Verdict),
    Expired,
}

/// The request is answered or expired.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotPending;

impl Verdict {
    /// Authy's word for it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Denied => "denied",
        }
    }
}

impl Status {
    /// Authy's word for it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Answered(verdict) => verdict.word(),
            Self::Expired => "expired",
        }
    }
}

impl ApprovalRequest {
    pub(super) fn new(uuid: Uuid, id: String, question: Question, now: DateTime<Utc>) -> Self {
        Self { uuid, id, question, created_at: now, answer: None }
    }

    /// When it ends unanswered; nothing for one that never does.
    pub(super) fn expires_at(&self) -> Option<DateTime<Utc>> {
        let seconds = i64::from(self.question.seconds_to_expire);
        (seconds > 0).then(|| self.created_at + TimeDelta::seconds(seconds))
    }

    /// How it stands at an instant.
    pub(super) fn status(&self, now: DateTime<Utc>) -> Status {
        match &self.answer {
            Some(answer) => Status::Answered(answer.verdict),
            None if self.expires_at().is_some_and(|end| end <= now) => Status::Expired,
            None => Status::Pending,
        }
    }

    /// When it ended: the answer, or the expiry.
    pub(super) fn processed_at(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match &self.answer {
            Some(answer) => Some(answer.at),
            None => self.expires_at().filter(|end| *end <= now),
        }
    }

    /// Records what the finger said.
    pub(super) fn answer(&mut self, verdict: Verdict, now: DateTime<Utc>) -> Result<(), NotPending> {
        if self.status(now) != Status::Pending {
            return Err(NotPending);
        }
        self.answer = Some(Answer { verdict, at: now });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    fn request(seconds_to_expire: u32) -> ApprovalRequest {
        let question = Question {
            message: "Log in?".to_owned(),
            details: Value::Null,
            hidden_details: Value::Null,
            logos: Value::Null,
            seconds_to_expire,
        };
        ApprovalRequest::new(Uuid::nil(), "0".repeat(24), question, at(0))
    }

    #[test]
    fn a_request_expires_by_the_clock_and_then_takes_no_answer() {
        let mut request = request(120);
        assert_eq!(request.status(at(119)), Status::Pending);
        assert_eq!(request.processed_at(at(119)), None);
        assert_eq!(request.status(at(120)), Status::Expired);
        assert_eq!(request.processed_at(at(500)), Some(at(120)));
        assert_eq!(request.answer(Verdict::Approved, at(120)), Err(NotPending));
    }

    #[test]
    fn an_answered_request_stays_as_it_was_answered() {
        let mut request = request(120);
        assert_eq!(request.answer(Verdict::Denied, at(7)), Ok(()));
        assert_eq!(request.answer(Verdict::Approved, at(8)), Err(NotPending));
        assert_eq!(request.status(at(500)), Status::Answered(Verdict::Denied));
        assert_eq!(request.processed_at(at(500)), Some(at(7)));
    }

    #[test]
    fn zero_seconds_are_for_ever() {
        let request = request(0);
        assert_eq!(request.status(at(1_000_000_000)), Status::Pending);
        assert_eq!(request.expires_at(), None);
    }
}
