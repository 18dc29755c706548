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
    /// When the session ends by itself.
    expires_at: DateTime<Utc>,
    /// Who is signed in.
    user: User,
}

impl From<OpenSession> for Session {
    fn from(session: OpenSession) -> Self {
        Self {
            token: session.token.reveal(),
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

/// Logging out.
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
}
