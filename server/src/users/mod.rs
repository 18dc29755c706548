//! What can be done with users: preparing a signup, checking a password.

mod change_password;
mod decoy;
mod passwords;
mod sign_up;

use std::{net::IpAddr, time::Duration};

use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

pub use change_password::{ChangePasswordError, Confirmation, SessionUser};
use passwords::Client;
pub use passwords::{PasswordError, PasswordSettings, Passwords};
pub use sign_up::{FieldFault, PreparedSignup, SignupForm, SignupRejection};

use crate::{
    audit::{self, Attempt, Attempts, Outcome, PasswordOutcome},
    clock::Clock,
    limits::{self, Grant, LimitError, Limits},
    model::{Credentials, DeviceId, DeviceToken, Email, EmailKey, Password, PasswordHash, User, UserId},
    storage::{Store, StoreError},
};

/// What can be done with users.
#[derive(Clone)]
pub struct Users {
    store: Store,
    passwords: Passwords,
    limits: Limits,
    clock: Clock,
    tasks: TaskTracker,
    attempts: Attempts,
    email_key: EmailKey,
}

/// The parts of [`Users`].
pub struct UserDependencies {
    /// Storage.
    pub store: Store,
    /// The threads that hash.
    pub passwords: Passwords,
    /// Rate limits.
    pub limits: Limits,
    /// The clock.
    pub clock: Clock,
    /// Where work runs that no request waits for.
    pub tasks: TaskTracker,
    /// The key for hashes of emails.
    pub email_key: EmailKey,
}

/// What somebody presents to log in. It has no `Debug`: it holds a password.
#[derive(Clone, Copy)]
pub struct Credential<'a> {
    /// The email that they typed.
    pub email: &'a str,
    /// The password that they typed.
    pub password: &'a str,
    /// The device token that their browser holds.
    pub device_token: Option<&'a str>,
    /// The client's address, where it is known.
    pub from: Option<IpAddr>,
}

/// Whose password was right.
#[derive(Debug)]
pub struct Recognised {
    /// Who it is.
    pub user: User,
    /// The device in which they have signed in before, where they presented it.
    pub device: Option<DeviceId>,
    /// The try that was taken. A right password is no guess: the caller releases it.
    pub password_try: Grant,
}

/// Why an email and a password could not be checked.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// Too many were wrong.
    #[error("too many passwords were wrong")]
    TooOften {
        /// From when on another is compared.
        retry_after: Duration,
    },
    /// Passwords, or the threads that hash them.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// Storage.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<LimitError> for CheckError {
    fn from(error: LimitError) -> Self {
        match error {
            LimitError::UsedUp { retry_after } => Self::TooOften { retry_after },
            LimitError::Store(error) => Self::Store(error),
        }
    }
}

impl Users {
    /// Joins its parts.
    #[must_use]
    pub fn new(parts: UserDependencies) -> Self {
        let UserDependencies { store, passwords, limits, clock, tasks, email_key } = parts;
        let attempts = Attempts::new(store.clone(), clock.clone(), tasks.clone());
        Self { store, passwords, limits, clock, tasks, attempts, email_key }
    }

    /// Whose email and password these are; `None` where they are nobody's. Records the attempt.
    ///
    /// An unknown email costs what a wrong password costs: the same statements, and one hash of parameters that some user has
    /// (`decoy`). A try is taken before all that; where the password is right, the caller releases it.
    pub async fn check_password(
        &self,
        credential: &Credential<'_>,
    ) -> Result<Option<Recognised>, CheckError> {
        let email = Email::parse(credential.email).ok();
        let typed = credential.email.trim().to_lowercase();
        let whose = email.as_ref().map_or(typed.as_str(), Email::as_str);
        let device = self.find_device(email.as_ref(), credential.device_token).await;
        let is_known_device = matches!(device, Ok(Some(_)));
        let checked = match device {
            Ok(device) => self.check_password_of(whose, email.as_ref(), credential, device).await,
            Err(error) => Err(error.into()),
        };
        let attempt = Attempt {
            outcome: Outcome::Password(outcome(&checked)),
            email: Some(self.email_key.pseudonym(whose)),
            network: credential.from.map(limits::network),
            is_known_device,
            login: None,
        };
        self.attempts.record(attempt);
        checked
    }

    /// [`Self::check_password`] for an email, normalised where it is one, and the known device that was presented.
    async fn check_password_of(
        &self,
        whose: &str,
        email: Option<&Email>,
        credential: &Credential<'_>,
        device: Option<(DeviceId, DeviceToken)>,
    ) -> Result<Option<Recognised>, CheckError> {
        let device_id = device.as_ref().map(|(id, _)| *id);
        let grant = self.limits.take_password_try(whose, credential.from, device_id).await?;
        let credentials = match email {
            Some(email) => self.store.find_credentials(email).await?,
            None => None,
        };
        // Whoever has the email, the statements are the same.
        let in_use = self.store.used_hash_parameters().await?;
        let parameters = decoy::parameters_at(&in_use, self.email_key.decoy_position(whose));
        let decoy = self.passwords.decoy(parameters);
        let client = match (email, &device) {
            (Some(user), Some(_)) => Client::known(user, credential.from),
            _ => Client::stranger(credential.from),
        };
        let password = Password::offered(credential.password);
        let hash = credentials.as_ref().map_or(&decoy, |credentials| &credentials.password_hash);
        let verified = self.passwords.verify(password, hash, &client).await;
        let (user, password_hash) = match (verified, credentials) {
            (Ok(true), Some(Credentials { user, password_hash })) => (user, password_hash),
            (Ok(_), _) => return Ok(None),
            (Err(error), _) => {
                // Without an answer it was no guess.
                self.limits.give_back(grant).await;
                return Err(error.into());
            }
        };
        if self.passwords.is_outdated(&password_hash)
            && let Some(password) = Password::offered(credential.password)
        {
            self.rehash(&user, password_hash, password, client);
        }
        if let Some((device, token)) = &device
            && let Err(error) = self.store.record_device_token_seen(*device, &token.hash()).await
        {
            self.limits.give_back(grant).await;
            return Err(error.into());
        }
        Ok(Some(Recognised { user, device: device_id, password_try: grant }))
    }

    /// The device that presents this token, where the user with this email has signed in in it. A token that says nothing
    /// is as good as none.
    async fn find_device(
        &self,
        email: Option<&Email>,
        token: Option<&str>,
    ) -> Result<Option<(DeviceId, DeviceToken)>, StoreError> {
        let (Some(email), Some(Ok(token))) = (email, token.map(DeviceToken::parse)) else {
            return Ok(None);
        };
        let found = self.store.find_device(&token.hash(), email, self.clock.now()).await?;
        Ok(found.map(|id| (id, token)))
    }

    /// Forgets all devices in which a user has signed in. Returns how many.
    pub async fn forget_devices(&self, user_id: UserId) -> Result<usize, StoreError> {
        let (forgotten, event) = self.store.remove_devices_of(user_id, self.clock.now()).await?;
        audit::log(event.as_slice());
        Ok(forgotten)
    }

    /// Hashes a password that was just right once more, with the parameters of today. Nobody waits for it.
    fn rehash(&self, user: &User, old: PasswordHash, password: Password, client: Client) {
        let (this, user_id) = (self.clone(), user.id);
        let hashing = async move {
            match this.passwords.hash(password, &client).await {
                Ok(new) => {
                    let now = this.clock.now();
                    match this.store.replace_password_hash(user_id, &old, &new, now).await {
                        Ok(_) => {
                            tracing::info!(user.id = %user_id, "password hashed with today's parameters");
                        }
                        Err(error) => {
                            tracing::warn!(user.id = %user_id, %error, "a new password hash was not stored");
                        }
                    }
                }
                // The next login tries again.
                Err(error) => tracing::debug!(user.id = %user_id, %error, "a password was not hashed again"),
            }
        };
        self.tasks.spawn(hashing.in_current_span());
    }
}

/// The outcome of a password check.
fn outcome(checked: &Result<Option<Recognised>, CheckError>) -> PasswordOutcome {
    match checked {
        Ok(Some(_)) => PasswordOutcome::Right,
        Ok(None) => PasswordOutcome::Wrong,
        Err(error) => outcome_of_error(error),
    }
}

fn outcome_of_error(error: &CheckError) -> PasswordOutcome {
    match error {
        CheckError::TooOften { .. } => PasswordOutcome::RateLimited,
        CheckError::Password(PasswordError::Busy { .. }) => PasswordOutcome::Busy,
        CheckError::Password(_) | CheckError::Store(_) => PasswordOutcome::Failed,
    }
}
