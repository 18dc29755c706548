//! Sessions: what a login opens, and logging out.

use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::{Context, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};

use super::{
    api,
    error::internal,
    request::{CookieChange, TokenDelivery},
    signed_in,
    user::User,
};
use crate::{
    approvals::ApprovalStatus,
    logins::OpenSession,
    model::{self, DeliveryMethod, LoginToken, UndeliveredSession},
    sessions::Sessions,
};

/// Being signed in.
#[derive(Clone)]
pub struct Session {
    token: Option<String>,
    /// What is recorded as soon as the token is read.
    undelivered: Arc<Mutex<Option<UndeliveredSession>>>,
    device_token: String,
    expires_at: DateTime<Utc>,
    user: User,
}

/// Being signed in.
#[Object]
impl Session {
    /// The session token: send it as `Authorization: Bearer …`, over HTTP and in `connection_init`. Null if a page started the
    /// login and keeps its session in a cookie: the HTTP response that shows the approved login sets that cookie. A page that
    /// received the approval over a socket queries `loginStatus` once more by HTTP. The delivery is fixed when the login starts.
    async fn token(&self, context: &Context<'_>) -> Result<Option<&str>> {
        // Not held while it is recorded.
        let undelivered = self.undelivered.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(undelivered) = undelivered {
            record_delivered(&api(context)?.sessions, undelivered).await;
        }
        Ok(self.token.as_deref())
    }

    /// What this browser is known by from now on. Keep one for each `user.id`, in place of an older one, beyond the session,
    /// and present it as `LoginInput.deviceToken`. It signs nobody in. A secret all the same.
    async fn device_token(&self) -> &str {
        &self.device_token
    }

    /// When the session ends at the latest. It also ends if it is not used for an hour, unless the service is set otherwise.
    async fn expires_at(&self) -> DateTime<Utc> {
        self.expires_at
    }

    /// Who is signed in.
    async fn user(&self) -> &User {
        &self.user
    }
}

/// Records a delivery. The person is signed in although it fails: the login token is then known until the login's own end.
async fn record_delivered(sessions: &Sessions, undelivered: UndeliveredSession) {
    if let Err(error) = sessions.record_delivered(undelivered).await {
        tracing::warn!(login.id = %undelivered.login, %error, "session delivery not recorded; its login token stays valid for longer");
    }
}

/// How the session of a login is delivered: in the response body, in a cookie, or withheld.
#[derive(Clone)]
pub(super) struct SessionDelivery {
    delivery: TokenDelivery,
    sessions: Sessions,
    token: LoginToken,
}

impl SessionDelivery {
    /// `token`: the token of the login.
    pub(super) fn of(context: &Context<'_>, token: &LoginToken) -> Result<Self> {
        let delivery = context.data_opt::<TokenDelivery>().cloned().unwrap_or_default();
        Ok(Self { delivery, sessions: api(context)?.sessions.clone(), token: token.clone() })
    }

    /// The present instant, by the clock that logins and sessions end by.
    pub(super) fn now(&self) -> DateTime<Utc> {
        self.sessions.now()
    }

    /// Derives the session that the login opened, if any.
    pub(super) fn derive(&self, status: &ApprovalStatus) -> Option<OpenSession> {
        OpenSession::derive(status, &self.token)
    }

    /// Delivers the session. This is the one way to show one, so that no response has a token that belongs into a cookie. The login
    /// says how, and not the request: a client that has a login token may choose its headers.
    pub(super) async fn deliver(&self, session: OpenSession) -> Session {
        let OpenSession { token, device_token, expires_at, user, delivery, undelivered } = session;
        let (token, undelivered) = match (delivery, &self.delivery) {
            // Recorded when it is read: not every answer has it.
            (DeliveryMethod::Bearer, _) => (Some(token.reveal()), undelivered),
            (DeliveryMethod::Cookie, TokenDelivery::InCookie(slot)) => {
                let max_age_seconds = (expires_at - self.now()).num_seconds();
                slot.put(CookieChange::Set { token, max_age_seconds });
                if let Some(undelivered) = undelivered {
                    record_delivered(&self.sessions, undelivered).await;
                }
                (None, None)
            }
            (DeliveryMethod::Cookie, TokenDelivery::InAnswer | TokenDelivery::Withheld) => (None, None),
        };
        Session {
            token,
            undelivered: Arc::new(Mutex::new(undelivered)),
            device_token: device_token.reveal(),
            expires_at,
            user: User::from(&user),
        }
    }
}

/// Ends a session, its sockets, and what was started in it. Returns whether it was live.
pub(super) async fn end_session(
    context: &Context<'_>,
    session: &model::Session,
    reason: &'static str,
) -> Result<bool> {
    let api = api(context)?;
    let revoked = api.sessions.revoke(session, reason).await;
    let was_live = revoked.map_err(|error| internal(context, &error))?;
    api.logins.approvals.after_sessions_ended(&[session.id]).await;
    Ok(was_live)
}

/// What became of `logout`.
#[derive(Debug, SimpleObject)]
pub struct LogoutPayload {
    /// Whether a session was ended. False where nobody was signed in.
    logged_out: bool,
}

/// What became of `forgetDevices`.
#[derive(Debug, SimpleObject)]
pub struct ForgetDevicesPayload {
    /// How many browsers are no longer known. Zero where nobody was signed in.
    forgotten: i32,
}

/// Logging out, and being forgotten.
#[derive(Default)]
pub struct SessionMutation;

#[Object]
impl SessionMutation {
    /// Ends the session that the request comes with, as a bearer or in a cookie, and closes the sockets that were opened with
    /// it. A cookie is removed.
    async fn logout(&self, context: &Context<'_>) -> Result<LogoutPayload> {
        let logged_out = match signed_in(context) {
            Some(signed_in) => end_session(context, &signed_in.session, "LOGGED_OUT").await?,
            None => false,
        };
        // Also where it opened nothing any more, but not where the session may go on.
        if let Some(TokenDelivery::InCookie(slot)) = context.data_opt() {
            slot.put(CookieChange::Remove);
        }
        Ok(LogoutPayload { logged_out })
    }

    /// Forgets all browsers in which the user has signed in, this one included: their device tokens say nothing any more.
    /// For somebody who has lost one. Sessions go on: `logout` ends one.
    async fn forget_devices(&self, context: &Context<'_>) -> Result<ForgetDevicesPayload> {
        let Some(signed_in) = signed_in(context) else {
            return Ok(ForgetDevicesPayload { forgotten: 0 });
        };
        let forgotten = api(context)?.users.forget_devices(signed_in.user.id).await;
        let forgotten = forgotten.map_err(|error| internal(context, &error))?;
        Ok(ForgetDevicesPayload { forgotten: i32::try_from(forgotten).unwrap_or(i32::MAX) })
    }
}
