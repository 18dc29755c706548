//! The live sessions of a user: listing and ending them.

use async_graphql::{ComplexObject, Context, ID, InputObject, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};

use super::{
    api,
    change_password::confirmation,
    error::{
        CONFIRMATION_REQUIRED, EndOtherSessionsError, EndOtherSessionsErrorCode, EndSessionError,
        EndSessionErrorCode, NOT_SIGNED_IN, internal,
    },
    signed_in,
    user::User,
};
use crate::{
    model::{self, SessionId},
    sessions::{EndedSessions, Sessions},
};

/// A session as its user sees it. It contains no secret.
#[derive(Clone, Debug, SimpleObject)]
pub struct ActiveSession {
    /// The id of the session. It is not a secret.
    id: ID,
    /// When the session was opened.
    created_at: DateTime<Utc>,
    /// When the session ends at the latest.
    expires_at: DateTime<Utc>,
    /// The last full authentication: the login that opened the session, or a later `confirm` with `STEP_UP`. Other services compare it
    /// with a limit of their own before a sensitive action.
    confirmed_at: DateTime<Utc>,
    /// True for the session of this request.
    is_current: bool,
    /// When the session was last used, to the minute.
    last_used_at: DateTime<Utc>,
    /// When the session ends if it is not used before. An open socket does not count as use; its operations do.
    idle_expires_at: DateTime<Utc>,
    /// How the user was authenticated at `confirmedAt`: values of RFC 8176, such as `pwd`, `otp`, `sms`, `mca`, `mfa`.
    amr: Vec<String>,
    /// The browser and system that opened the session, such as `Firefox on Linux`. Clients can forge it. Null if unknown.
    browser: Option<String>,
    /// The network from which the session was opened, such as `192.0.2.0/24`. Null if unknown.
    network: Option<String>,
}

impl ActiveSession {
    fn of(active: model::ActiveSession, current: Option<SessionId>, sessions: &Sessions) -> Self {
        Self {
            id: active.session.id.to_string().into(),
            created_at: active.created_at,
            expires_at: active.session.expires_at,
            confirmed_at: active.confirmed_at,
            is_current: current == Some(active.session.id),
            last_used_at: active.session.last_used_at,
            idle_expires_at: sessions.idle_end(&active.session),
            amr: active.amr.split_whitespace().map(str::to_owned).collect(),
            browser: active.browser,
            network: active.network,
        }
    }
}

/// The session of this request.
#[derive(Default)]
pub struct SessionQuery;

#[Object]
impl SessionQuery {
    /// The session of this request. Null if no user is signed in.
    async fn session(&self, context: &Context<'_>) -> Result<Option<ActiveSession>> {
        let Some(signed_in) = signed_in(context) else { return Ok(None) };
        let (sessions, id) = (&api(context)?.sessions, signed_in.session.id);
        let found = sessions.find(id).await.map_err(|error| internal(context, &error))?;
        Ok(found.map(|active| ActiveSession::of(active, Some(id), sessions)))
    }
}

#[ComplexObject]
impl User {
    /// The live sessions, last used first, at most 100. Empty unless the request comes with a session of this user.
    // A statement each time that it is selected, by whatever alias: a document may have one.
    #[graphql(complexity = "600 + child_complexity")]
    async fn sessions(&self, context: &Context<'_>) -> Result<Vec<ActiveSession>> {
        // Not for the holder of a login token, who may not have the session.
        let Some(signed_in) = signed_in(context).filter(|signed_in| signed_in.user.id == self.user.id) else {
            return Ok(Vec::new());
        };
        let current = Some(signed_in.session.id);
        let sessions = &api(context)?.sessions;
        let listed = sessions.list(&self.user).await.map_err(|error| internal(context, &error))?;
        Ok(listed.into_iter().map(|active| ActiveSession::of(active, current, sessions)).collect())
    }
}

/// The session to end.
#[derive(InputObject)]
pub struct EndSessionInput {
    /// The `loginToken` of the confirmation: only the client that asked for it knows it. Without it, `CONFIRMATION_REQUIRED`.
    login_token: Option<String>,
    /// The id of the session.
    session_id: ID,
}

/// The confirmation of ending all other sessions.
#[derive(InputObject)]
pub struct EndOtherSessionsInput {
    /// The `loginToken` of the confirmation: only the client that asked for it knows it. Without it, `CONFIRMATION_REQUIRED`.
    login_token: Option<String>,
}

/// The result of `endSession`.
#[derive(SimpleObject)]
pub struct EndSessionPayload {
    /// True if the session is over now. A second call changes nothing.
    is_ended: bool,
    /// Empty if the session is over.
    errors: Vec<EndSessionError>,
}

/// The result of `endOtherSessions`.
#[derive(SimpleObject)]
pub struct EndOtherSessionsPayload {
    /// The number of sessions that were ended.
    ended_sessions: i32,
    /// Empty if no other session is left.
    errors: Vec<EndOtherSessionsError>,
}

/// Ending sessions.
#[derive(Default)]
pub struct EndSessionMutation;

#[Object]
impl EndSessionMutation {
    /// Ends a session of the user on all instances and closes its sockets. Needs `confirm` with `END_SESSIONS`.
    async fn end_session(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The session.")] input: EndSessionInput,
    ) -> Result<EndSessionPayload> {
        let Some(signed_in) = signed_in(context) else {
            return Ok(EndSessionPayload::of_error(EndSessionError::not_signed_in()));
        };
        let Some(id) = SessionId::parse(&input.session_id) else {
            return Ok(EndSessionPayload::of_error(EndSessionError::not_found()));
        };
        let Some(token) = confirmation(input.login_token.as_deref()) else {
            return Ok(EndSessionPayload::of_error(EndSessionError::not_confirmed()));
        };
        let ended = api(context)?.sessions.end(&signed_in.session, &token, id).await;
        Ok(match ended.map_err(|error| internal(context, &error))? {
            EndedSessions::Ended(ended) => {
                api(context)?.logins.approvals.after_sessions_ended(&ended).await;
                EndSessionPayload { is_ended: true, errors: Vec::new() }
            }
            EndedSessions::NotConfirmed => EndSessionPayload::of_error(EndSessionError::not_confirmed()),
            EndedSessions::NotFound => EndSessionPayload::of_error(EndSessionError::not_found()),
        })
    }

    /// Ends all sessions of the user except the session of this request. Needs `confirm` with `END_SESSIONS`.
    async fn end_other_sessions(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The confirmation.")] input: Option<EndOtherSessionsInput>,
    ) -> Result<EndOtherSessionsPayload> {
        let refused = |error| EndOtherSessionsPayload { ended_sessions: 0, errors: vec![error] };
        let Some(signed_in) = signed_in(context) else {
            return Ok(refused(EndOtherSessionsError::not_signed_in()));
        };
        let Some(token) = confirmation(input.and_then(|input| input.login_token).as_deref()) else {
            return Ok(refused(EndOtherSessionsError::not_confirmed()));
        };
        let ended = api(context)?.sessions.end_others(&signed_in.session, &token).await;
        Ok(match ended.map_err(|error| internal(context, &error))? {
            EndedSessions::Ended(ended) => {
                api(context)?.logins.approvals.after_sessions_ended(&ended).await;
                let ended_sessions = i32::try_from(ended.len()).unwrap_or(i32::MAX);
                EndOtherSessionsPayload { ended_sessions, errors: Vec::new() }
            }
            EndedSessions::NotConfirmed | EndedSessions::NotFound => {
                refused(EndOtherSessionsError::not_confirmed())
            }
        })
    }
}

impl EndSessionPayload {
    fn of_error(error: EndSessionError) -> Self {
        Self { is_ended: false, errors: vec![error] }
    }
}

impl EndSessionError {
    fn not_signed_in() -> Self {
        Self::new(EndSessionErrorCode::NotSignedIn, NOT_SIGNED_IN)
    }

    fn not_confirmed() -> Self {
        Self::new(EndSessionErrorCode::ConfirmationRequired, CONFIRMATION_REQUIRED)
    }

    fn not_found() -> Self {
        let error = Self::new(EndSessionErrorCode::SessionNotFound, "This session does not exist.");
        Self { field: Some("input.sessionId".to_owned()), ..error }
    }
}

impl EndOtherSessionsError {
    fn not_signed_in() -> Self {
        Self::new(EndOtherSessionsErrorCode::NotSignedIn, NOT_SIGNED_IN)
    }

    fn not_confirmed() -> Self {
        Self::new(EndOtherSessionsErrorCode::ConfirmationRequired, CONFIRMATION_REQUIRED)
    }
}
