//! What the holder of a login token sees: the one snapshot that every answer and every event shows.

use chrono::{DateTime, Utc};

use super::Logins;
use crate::{
    model::{
        DeliveryMethod, DeviceToken, Login, LoginState, LoginToken, SessionToken, UndeliveredSession, User,
    },
    storage::{OpenedLogin, StoreError},
};

/// A login as its person may see it.
#[derive(Clone, Debug)]
pub struct LoginStatus {
    /// The login.
    pub login: Login,
    /// What it opened, with [`LoginState::Approved`] only.
    pub session: Option<OpenSession>,
    /// Codes that may still be judged.
    pub tries_left: i32,
}

/// A session that the holder of the login token may have.
#[derive(Clone, Debug)]
pub struct OpenSession {
    /// Its token: the same each time, derived again.
    pub token: SessionToken,
    /// What its browser is known by from now on: the same each time.
    pub device_token: DeviceToken,
    /// When it ends by itself.
    pub expires_at: DateTime<Utc>,
    /// Whose it is.
    pub user: User,
    /// How it is delivered.
    pub delivery: DeliveryMethod,
    /// What has to be recorded when it is delivered; `None` where that is recorded.
    pub undelivered: Option<UndeliveredSession>,
}

impl Logins {
    /// How a login stands. `None`: nobody knows this token (any more).
    pub async fn find_status(&self, token: &LoginToken) -> Result<Option<LoginStatus>, StoreError> {
        let found = self.store.find_login(&token.hash(), self.clock.now()).await?;
        Ok(found.map(|opened| LoginStatus::derive(opened, token, self.settings.wrong_codes_per_login)))
    }

    /// How a login stands that has opened nothing.
    pub(super) fn status_of_unsettled(&self, login: Login, token: &LoginToken) -> LoginStatus {
        LoginStatus::derive(OpenedLogin { login, session: None }, token, self.settings.wrong_codes_per_login)
    }
}

impl LoginStatus {
    fn derive(OpenedLogin { login, session }: OpenedLogin, token: &LoginToken, tries: i32) -> Self {
        let session = match (login.state, session, &login.session_salt) {
            (LoginState::Approved, Some((session, user)), Some(salt)) => Some(OpenSession {
                token: token.derive_session_token(salt),
                device_token: token.derive_device_token(salt),
                expires_at: session.expires_at,
                user,
                delivery: login.session_delivery,
                undelivered: login.undelivered_session(),
            }),
            _ => None,
        };
        let tries_left = (tries - login.tries_taken).max(0);
        Self { login, session, tries_left }
    }

    /// Whether nothing will change any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        !self.login.state.is_open()
    }
}
