//! What can be done with users: preparing a signup, checking a password.

mod passwords;
mod sign_up;

use tokio_util::task::TaskTracker;

pub use passwords::{PasswordError, PasswordSettings, Passwords};
pub use sign_up::{FieldFault, SignupForm, SignupRejection};

use crate::{
    model::{Credentials, Email, Password, PasswordHash, User},
    storage::{Store, StoreError},
};

/// What can be done with users.
#[derive(Clone)]
pub struct Users {
    store: Store,
    passwords: Passwords,
    tasks: TaskTracker,
}

/// Why an email and a password could not be checked.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// Passwords, or the threads that hash them.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// Storage.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Users {
    /// Joins its parts. What need not be waited for runs in `tasks`.
    #[must_use]
    pub fn new(store: Store, passwords: Passwords, tasks: TaskTracker) -> Self {
        Self { store, passwords, tasks }
    }

    /// Whose email and password these are; `None` where they are nobody's.
    ///
    /// An unknown email costs what a wrong password costs: one hash, of the same parameters.
    pub async fn check_password(&self, email: &str, password: &str) -> Result<Option<User>, CheckError> {
        let credentials = match Email::parse(email) {
            Ok(email) => self.store.find_credentials(&email).await?,
            Err(_) => None,
        };
        let hash = credentials.as_ref().map(|found| &found.password_hash);
        if !self.passwords.verify(Password::offered(password), hash).await? {
            return Ok(None);
        }
        let Some(Credentials { user, password_hash }) = credentials else {
            return Ok(None);
        };
        if self.passwords.is_outdated(&password_hash)
            && let Some(password) = Password::offered(password)
        {
            self.rehash(&user, password_hash, password);
        }
        Ok(Some(user))
    }

    /// Hashes a password that was just right once more, with the parameters of today. Nobody waits for it.
    fn rehash(&self, user: &User, old: PasswordHash, password: Password) {
        let (this, user_id) = (self.clone(), user.id);
        self.tasks.spawn(async move {
            match this.passwords.hash(password).await {
                Ok(new) => match this.store.replace_password_hash(user_id, &old, &new).await {
                    Ok(_) => tracing::info!(user.id = %user_id, "password hashed with today's parameters"),
                    Err(error) => {
                        tracing::warn!(user.id = %user_id, %error, "a new password hash was not stored");
                    }
                },
                // The next login tries again.
                Err(error) => tracing::debug!(user.id = %user_id, %error, "a password was not hashed again"),
            }
        });
    }
}
