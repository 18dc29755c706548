//! Having a code judged, with one log event and one count for the attempt.

use std::net::IpAddr;

use super::Logins;
use crate::{
    approvals::{ApprovalStatus, VerifyError},
    audit::{Attempt, CodeOutcome, Outcome},
    limits,
    model::{ApprovalId, EmailPseudonym, LoginToken},
};

impl Logins {
    /// Has a code judged, and records the attempt. A right code approves the login.
    pub async fn try_code(
        &self,
        token: &LoginToken,
        code: &str,
        from: Option<IpAddr>,
    ) -> Result<ApprovalStatus, VerifyError> {
        let result = self.approvals.verify_code(token, code, from).await;
        let (outcome, status) = match &result {
            Ok(status) => (CodeOutcome::Right, Some(status)),
            Err(error) => outcome(error),
        };
        let email = match status {
            Some(status) => self.pseudonym_of(status.approval.id).await,
            None => None,
        };
        let attempt = Attempt {
            outcome: Outcome::Code(outcome),
            email,
            network: from.map(limits::network),
            is_known_device: status.is_some_and(|status| status.approval.device_id.is_some()),
            login: status.map(|status| status.approval.id),
        };
        self.attempts.record(attempt);
        result
    }

    async fn pseudonym_of(&self, id: ApprovalId) -> Option<EmailPseudonym> {
        match self.store.find_email_of_approval(id).await {
            Ok(email) => email.map(|email| self.email_key.pseudonym(email.as_str())),
            Err(error) => {
                tracing::warn!(login.id = %id, %error, "the email of an attempt was not found");
                None
            }
        }
    }
}

/// What a code came to that did not sign anybody in, and how its login stands.
fn outcome(error: &VerifyError) -> (CodeOutcome, Option<&ApprovalStatus>) {
    match error {
        VerifyError::LoginNotFound => (CodeOutcome::NoLogin, None),
        VerifyError::LoginOver(status) => (CodeOutcome::NoLogin, Some(status)),
        VerifyError::NoCodeSent(status) => (CodeOutcome::NoCodeSent, Some(status)),
        VerifyError::UnreadableCode(status) => (CodeOutcome::Unreadable, Some(status)),
        VerifyError::InvalidCode(status) => (CodeOutcome::Wrong, Some(status)),
        VerifyError::CodeAlreadyUsed(status) => (CodeOutcome::AlreadyUsed, Some(status)),
        VerifyError::AllTriesTaken(status, _) | VerifyError::RateLimited(status, _) => {
            (CodeOutcome::RateLimited, Some(status))
        }
        VerifyError::Unavailable(status, _) => (CodeOutcome::Unavailable, Some(status)),
        VerifyError::Store(_) => (CodeOutcome::Failed, None),
    }
}
