//! Sessions: what a login opens, and logging out.

use async_graphql::{Context, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};

use super::{api, error::internal, signed_in, user::User};
use crate::logins::OpenSession;

/// Being signed in.
#[derive(Clone, SimpleObject)]
pub struct Session {
    /// The secret that signs the person in: `Authorization: Bearer …`, over HTTP and in `connection_init`.
    token: String,
    /// What this browser is known by from now on. Keep one for each `user.id`, in place of an older one, beyond the session,
    /// and present it as `LoginInput.deviceToken`. It signs nobody in. A secret all the same.
    device_token: String,
    /// When the session ends by itself. Using it does not put that off.
    expires_at: DateTime<Utc>,
    /// Who is signed in.
    user: User,
}

impl From<OpenSession> for Session {
    fn from(session: OpenSession) -> Self {
        Self {
            token: session.token.reveal(),
            device_token: session.device_token.reveal(),
            expires_at: session.expires_at,
            user: User::from(&session.user),
        }
    }
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
    /// Ends the session whose token stands in the `Authorization: Bearer …` header, and closes the sockets that were
    /// opened with it.
    async fn logout(&self, context: &Context<'_>) -> Result<LogoutPayload> {
        let Some(signed_in) = signed_in(context) else {
            return Ok(LogoutPayload { logged_out: false });
        };
        let revoked = api(context)?.sessions.revoke(signed_in.session.id).await;
        Ok(LogoutPayload { logged_out: revoked.map_err(|error| internal(context, &error))? })
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
