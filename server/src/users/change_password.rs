//! The password of a signed-in user: checking it once more, and changing it.

use std::net::IpAddr;

use super::{CheckError, Client, Users, outcome_of_error};
use crate::{
    audit::{self, Attempt, Outcome, PasswordOutcome},
    limits::{self, Grant},
    model::{
        FamiliarWords, InvalidPassword, LoginToken, Password, SensitiveOperation, Session, SessionId, User,
    },
    storage::{Confirmed, LiveAt, StoreError},
    users::PasswordError,
};

/// A signed-in user and their client.
#[derive(Clone, Copy, Debug)]
pub struct SessionUser<'a> {
    /// The session.
    pub session: &'a Session,
    /// Its user.
    pub user: &'a User,
    /// The client's address, if known.
    pub from: Option<IpAddr>,
}

/// The result of checking a password that confirms an operation.
#[derive(Debug)]
pub enum Confirmation {
    /// It is right.
    Right {
        /// The user as they are now: what a socket knows of them may be old.
        user: User,
        /// What it took, which the caller releases.
        password_try: Grant,
    },
    /// It is wrong.
    Wrong,
    /// Too many were wrong in this session: the caller ends it.
    TooManyWrong,
}

/// Why a password was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangePasswordError {
    /// The session has no unused confirmation of it, or has ended.
    #[error("changing the password is not confirmed")]
    NotConfirmed,
    /// The new password breaks a rule.
    #[error("the new password is not accepted")]
    Invalid(InvalidPassword),
    /// The threads that hash.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// Storage.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Users {
    /// Checks the password of the user of a session, and records the attempt. The session may send five wrong ones.
    pub async fn confirm_password(
        &self,
        by: SessionUser<'_>,
        password: &str,
    ) -> Result<Confirmation, CheckError> {
        let SessionUser { user, from, .. } = by;
        let checked = self.check_password_of_session(by, password).await;
        let outcome = match &checked {
            Ok(Confirmation::Right { .. }) => PasswordOutcome::Right,
            Ok(Confirmation::Wrong | Confirmation::TooManyWrong) => PasswordOutcome::Wrong,
            Err(error) => outcome_of_error(error),
        };
        let attempt = Attempt {
            outcome: Outcome::Password(outcome),
            email: Some(self.email_key.pseudonym(user.email.as_str())),
            network: from.map(limits::network),
            is_known_device: false,
            login: None,
        };
        self.attempts.record(attempt);
        checked
    }

    async fn check_password_of_session(
        &self,
        SessionUser { session, user, from }: SessionUser<'_>,
        password: &str,
    ) -> Result<Confirmation, CheckError> {
        let grant = match self.limits.take_confirmation_password(session.id).await {
            Ok(grant) => grant,
            // Others may be right, and not released yet.
            Err(error) => return Err(error.into()),
        };
        let verified = async {
            let Some(found) = self.store.find_credentials_of(user.id).await? else { return Ok(None) };
            let (offered, client) = (Password::offered(password), Client::known(&user.email, from));
            let is_right = self.passwords.verify(offered, &found.password_hash, &client).await?;
            Ok::<_, CheckError>(is_right.then_some(found.user))
        };
        match verified.await {
            Ok(Some(user)) => Ok(Confirmation::Right { user, password_try: grant }),
            Ok(None) if grant.is_last(self.clock.now()) => Ok(Confirmation::TooManyWrong),
            Ok(None) => Ok(Confirmation::Wrong),
            Err(error) => {
                // It was not compared.
                self.limits.give_back(grant).await;
                Err(error)
            }
        }
    }

    /// Changes a user's password, which needs a confirmation in this session, whose login token is `token`. All other sessions and known devices end. Returns which
    /// sessions. The caller ends the user's open approvals, which cannot be approved any more.
    pub async fn change_password(
        &self,
        SessionUser { session, user, from }: SessionUser<'_>,
        token: Option<&LoginToken>,
        new: &str,
        live: LiveAt,
    ) -> Result<Vec<SessionId>, ChangePasswordError> {
        Password::check_form(new).map_err(ChangePasswordError::Invalid)?;
        let token = token.ok_or(ChangePasswordError::NotConfirmed)?;
        let confirmed = Confirmed { session, token: token.hash() };
        // Without one, no thread is used. Whether it can be used is found out in the transaction.
        if !self.store.is_confirmed(&confirmed, SensitiveOperation::ChangePassword, live.now).await? {
            return Err(ChangePasswordError::NotConfirmed);
        }
        let client = Client::known(&user.email, from);
        let familiar = FamiliarWords::of([
            user.email.as_str(),
            user.full_name.as_str(),
            user.phone.e164(),
            user.phone.national_digits(),
        ]);
        let parsed = self.passwords.parse(new, familiar, &client).await?;
        let password = parsed.map_err(ChangePasswordError::Invalid)?;
        let hash = self.passwords.hash(password, &client).await?;
        let events = self.store.change_password(&confirmed, &hash, live).await?;
        let events = events.ok_or(ChangePasswordError::NotConfirmed)?;
        audit::log(&events);
        Ok(audit::ended_sessions(&events))
    }
}
