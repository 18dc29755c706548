//! The operations, made from `operations/*.graphql` and `schema.graphql` at compile time, and their way into the
//! public types: the generator makes a type per operation, and the client has one for each idea. Private: no
//! generated type leaves this crate.

use chrono::{DateTime as Instant, Utc};
use graphql_client::GraphQLQuery;

use crate::{
    error::TokenWithheld,
    login::{CodeChannel, LoginFailure, LoginPurpose, LoginState, LoginStatus, LoginStep, Session, User},
    reply::{
        BeginReply, LoginErrorCode, PayloadError, ResendTokenErrorCode, SignupErrorCode, StatusReply,
        VerifyTokenErrorCode,
    },
    session::{
        ActiveSession, ChangePasswordErrorCode, ConfirmErrorCode, EndOtherSessionsErrorCode,
        EndSessionErrorCode, EndedReply, SensitiveOperation,
    },
    token::{DeviceToken, LoginToken, SessionToken},
};

// The generated modules look for the schema's scalar, as for its enums, in their parent.
type DateTime = Instant<Utc>;

// The generator makes cargo watch the operations, but not the schema that it checks them against.
const _: &str = include_str!("../../../schema.graphql");

// rustfmt indents the attribute further each time.
#[rustfmt::skip]
macro_rules! operation {
    ($name:ident, $query_path:tt) => {
        #[derive(GraphQLQuery)]
        #[graphql(
            schema_path = "../../schema.graphql",
            query_path = $query_path,
            extern_enums(
                "ChangePasswordErrorCode",
                "CodeChannel",
                "ConfirmErrorCode",
                "EndOtherSessionsErrorCode",
                "EndSessionErrorCode",
                "LoginErrorCode",
                "LoginFailure",
                "LoginPurpose",
                "LoginState",
                "LoginStep",
                "ResendTokenErrorCode",
                "SensitiveOperation",
                "SignupErrorCode",
                "VerifyTokenErrorCode"
            )
        )]
        pub(crate) struct $name;
    };
}

operation!(Signup, "operations/logins.graphql");
operation!(Login, "operations/logins.graphql");
operation!(VerifyToken, "operations/logins.graphql");
operation!(ResendToken, "operations/logins.graphql");
operation!(CancelLogin, "operations/logins.graphql");
operation!(Confirm, "operations/logins.graphql");
operation!(ReadLogin, "operations/logins.graphql");
operation!(WatchLogin, "watch.graphql");
operation!(Me, "operations/users.graphql");
operation!(ReadSession, "operations/sessions.graphql");
operation!(ListSessions, "operations/sessions.graphql");
operation!(ChangePassword, "operations/sessions.graphql");
operation!(EndSession, "operations/sessions.graphql");
operation!(EndOtherSessions, "operations/sessions.graphql");
operation!(Logout, "operations/sessions.graphql");
operation!(ForgetDevices, "operations/sessions.graphql");

/// Ways from what one operation's module generated for the three shared fragments into the public types.
macro_rules! fragments_of {
    ($($module:ident),+) => {$(
        impl TryFrom<$module::LoginStatusFields> for LoginStatus {
            type Error = TokenWithheld;

            fn try_from(fields: $module::LoginStatusFields) -> Result<Self, TokenWithheld> {
                Ok(Self {
                    sequence: fields.sequence,
                    state: fields.state,
                    next_step: fields.next_step,
                    purpose: fields.purpose,
                    failure: fields.failure,
                    match_number: fields.match_number,
                    code_channel: fields.code_channel,
                    expires_at: fields.expires_at,
                    resend_available_at: fields.resend_available_at,
                    session: fields.session.map(Session::try_from).transpose()?,
                })
            }
        }

        impl TryFrom<$module::SessionFields> for Session {
            type Error = TokenWithheld;

            fn try_from(fields: $module::SessionFields) -> Result<Self, TokenWithheld> {
                Ok(Self {
                    token: fields.token.map(SessionToken::new).ok_or(TokenWithheld)?,
                    device_token: DeviceToken::new(fields.device_token),
                    expires_at: fields.expires_at,
                    user: fields.user.into(),
                })
            }
        }

        user_fields_of!($module);
    )+};
}

macro_rules! user_fields_of {
    ($module:ident) => {
        impl From<$module::UserFields> for User {
            fn from(fields: $module::UserFields) -> Self {
                Self {
                    id: fields.id,
                    full_name: fields.full_name,
                    email: fields.email,
                    country_code: fields.country_code,
                    masked_phone: fields.masked_phone,
                    created_at: fields.created_at,
                }
            }
        }
    };
}

fragments_of!(signup, login, verify_token, resend_token, cancel_login, confirm, read_login, watch_login);
user_fields_of!(me);

/// The way from the generated session of a list into the public type.
macro_rules! active_session_of {
    ($($module:ident),+) => {$(
        impl From<$module::ActiveSessionFields> for ActiveSession {
            fn from(fields: $module::ActiveSessionFields) -> Self {
                Self {
                    id: fields.id,
                    created_at: fields.created_at,
                    expires_at: fields.expires_at,
                    confirmed_at: fields.confirmed_at,
                    is_current: fields.is_current,
                    last_used_at: fields.last_used_at,
                    idle_expires_at: fields.idle_expires_at,
                    amr: fields.amr,
                    browser: fields.browser,
                    network: fields.network,
                }
            }
        }
    )+};
}

active_session_of!(read_session, list_sessions);

/// The way from one generated error type into the public one, with the tries left where the operation tells them.
macro_rules! errors_of {
    ($($generated:path => $code:ty $(, $tries_left:ident)?;)+) => {$(
        impl From<$generated> for PayloadError<$code> {
            fn from(error: $generated) -> Self {
                Self {
                    code: error.code,
                    message: error.message,
                    field: error.field,
                    retry_after_seconds: error.retry_after_seconds.and_then(count),
                    tries_left: None$(.or(error.$tries_left).and_then(count))?,
                }
            }
        }
    )+};
}

errors_of! {
    signup::SignupSignupErrors => SignupErrorCode;
    login::LoginLoginErrors => LoginErrorCode;
    verify_token::VerifyTokenVerifyTokenErrors => VerifyTokenErrorCode, tries_left;
    resend_token::ResendTokenResendTokenErrors => ResendTokenErrorCode;
    confirm::ConfirmConfirmErrors => ConfirmErrorCode;
    change_password::ChangePasswordChangePasswordErrors => ChangePasswordErrorCode;
    end_session::EndSessionEndSessionErrors => EndSessionErrorCode;
    end_other_sessions::EndOtherSessionsEndOtherSessionsErrors => EndOtherSessionsErrorCode;
}

impl TryFrom<confirm::ResponseData> for BeginReply<ConfirmErrorCode> {
    type Error = TokenWithheld;

    fn try_from(data: confirm::ResponseData) -> Result<Self, TokenWithheld> {
        Ok(Self {
            login_token: data.confirm.login_token.map(LoginToken::new),
            status: data.confirm.status.map(LoginStatus::try_from).transpose()?,
            errors: data.confirm.errors.into_iter().map(PayloadError::from).collect(),
        })
    }
}

impl From<change_password::ResponseData> for EndedReply<ChangePasswordErrorCode> {
    fn from(data: change_password::ResponseData) -> Self {
        Self {
            ended_sessions: count(data.change_password.ended_sessions).unwrap_or_default(),
            errors: data.change_password.errors.into_iter().map(PayloadError::from).collect(),
        }
    }
}

impl From<end_session::ResponseData> for EndedReply<EndSessionErrorCode> {
    fn from(data: end_session::ResponseData) -> Self {
        Self {
            ended_sessions: data.end_session.is_ended.into(),
            errors: data.end_session.errors.into_iter().map(PayloadError::from).collect(),
        }
    }
}

impl From<end_other_sessions::ResponseData> for EndedReply<EndOtherSessionsErrorCode> {
    fn from(data: end_other_sessions::ResponseData) -> Self {
        Self {
            ended_sessions: count(data.end_other_sessions.ended_sessions).unwrap_or_default(),
            errors: data.end_other_sessions.errors.into_iter().map(PayloadError::from).collect(),
        }
    }
}

impl TryFrom<signup::ResponseData> for BeginReply<SignupErrorCode> {
    type Error = TokenWithheld;

    fn try_from(data: signup::ResponseData) -> Result<Self, TokenWithheld> {
        Ok(Self {
            login_token: data.signup.login_token.map(LoginToken::new),
            status: data.signup.status.map(LoginStatus::try_from).transpose()?,
            errors: data.signup.errors.into_iter().map(PayloadError::from).collect(),
        })
    }
}

impl TryFrom<login::ResponseData> for BeginReply<LoginErrorCode> {
    type Error = TokenWithheld;

    fn try_from(data: login::ResponseData) -> Result<Self, TokenWithheld> {
        Ok(Self {
            login_token: data.login.login_token.map(LoginToken::new),
            status: data.login.status.map(LoginStatus::try_from).transpose()?,
            errors: data.login.errors.into_iter().map(PayloadError::from).collect(),
        })
    }
}

impl TryFrom<verify_token::ResponseData> for StatusReply<VerifyTokenErrorCode> {
    type Error = TokenWithheld;

    fn try_from(data: verify_token::ResponseData) -> Result<Self, TokenWithheld> {
        Ok(Self {
            status: data.verify_token.status.map(LoginStatus::try_from).transpose()?,
            errors: data.verify_token.errors.into_iter().map(PayloadError::from).collect(),
        })
    }
}

impl TryFrom<resend_token::ResponseData> for StatusReply<ResendTokenErrorCode> {
    type Error = TokenWithheld;

    fn try_from(data: resend_token::ResponseData) -> Result<Self, TokenWithheld> {
        Ok(Self {
            status: data.resend_token.status.map(LoginStatus::try_from).transpose()?,
            errors: data.resend_token.errors.into_iter().map(PayloadError::from).collect(),
        })
    }
}

/// A negative count is nonsense, and none is told.
fn count(number: i64) -> Option<u64> {
    number.try_into().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SCHEMA: &str = include_str!("../../../schema.graphql");

    /// The values of an enum in `schema.graphql`, whether it stands in one line or has descriptions between them.
    fn values_of(name: &str) -> Vec<String> {
        let document = without_descriptions(SCHEMA);
        let (_, rest) = document.split_once(&format!("enum {name} {{")).expect(name);
        let (values, _) = rest.split_once('}').expect("the enum has an end");
        values.split_whitespace().map(str::to_owned).collect()
    }

    fn without_descriptions(document: &str) -> String {
        let outside_blocks: Vec<&str> = document.split("\"\"\"").step_by(2).collect();
        let lines = outside_blocks.concat();
        lines.lines().filter(|line| !line.trim_start().starts_with(['"', '#'])).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn every_value_of_the_schema_has_a_name_of_its_own_here() {
        macro_rules! holds {
            ($($name:ident),+) => {$(
                let values = values_of(stringify!($name));
                assert!(values.len() > 1, "{}", stringify!($name));
                for value in values {
                    let read = $name::from(value.as_str());
                    assert!(!matches!(read, $name::Other(_)), "{} has no {value}", stringify!($name));
                    assert_eq!(read.as_str(), value);
                }
            )+};
        }
        holds!(CodeChannel, LoginFailure, LoginPurpose, LoginState, LoginStep);
        holds!(LoginErrorCode, ResendTokenErrorCode, SignupErrorCode, VerifyTokenErrorCode);
        holds!(SensitiveOperation, ConfirmErrorCode, ChangePasswordErrorCode);
        holds!(EndSessionErrorCode, EndOtherSessionsErrorCode);
    }

    fn status_json(state: &str, session: &serde_json::Value) -> serde_json::Value {
        json!({
            "sequence": 3, "state": state, "nextStep": "NONE", "purpose": "LOGIN", "failure": null,
            "matchNumber": "07", "codeChannel": "SMS", "expiresAt": "2026-11-22T10:00:00.000001Z",
            "resendAvailableAt": null, "session": session,
        })
    }

    #[test]
    fn an_approved_login_is_read_with_its_session_and_user() {
        let user = json!({"id": "u1", "fullName": "Ada", "email": "ada@example.com", "countryCode": "44",
            "maskedPhone": "•••07", "createdAt": "2026-11-22T09:00:00Z"});
        let session =
            json!({"token": "t", "deviceToken": "d", "expiresAt": "2026-11-22T22:00:00Z", "user": user});
        let data: read_login::ResponseData =
            serde_json::from_value(json!({"loginStatus": status_json("APPROVED", &session)})).unwrap();
        let status = LoginStatus::try_from(data.login_status.unwrap()).unwrap();
        assert_eq!(status.state, LoginState::Approved);
        assert_eq!(status.code_channel, Some(CodeChannel::Sms));
        let session = status.session.unwrap();
        assert_eq!(session.token, SessionToken::new("t"));
        assert_eq!(session.device_token, DeviceToken::new("d"));
        assert_eq!(session.user.full_name, "Ada");
    }

    #[test]
    fn a_session_whose_token_is_withheld_is_an_error() {
        let user = json!({"id": "u1", "fullName": "Ada", "email": "ada@example.com", "countryCode": "44",
            "maskedPhone": "•••07", "createdAt": "2026-11-22T09:00:00Z"});
        let session =
            json!({"token": null, "deviceToken": "d", "expiresAt": "2026-11-22T22:00:00Z", "user": user});
        let data: read_login::ResponseData =
            serde_json::from_value(json!({"loginStatus": status_json("APPROVED", &session)})).unwrap();
        assert_eq!(LoginStatus::try_from(data.login_status.unwrap()), Err(TokenWithheld));
    }

    #[test]
    fn values_newer_than_this_client_are_kept_as_they_came() {
        let data: verify_token::ResponseData = serde_json::from_value(json!({"verifyToken": {
            "status": status_json("SUSPENDED", &json!(null)),
            "errors": [{"code": "MOON_TOO_FULL", "message": "wait", "field": "input.code",
                "retryAfterSeconds": 60, "triesLeft": 4}],
        }}))
        .unwrap();
        let reply = StatusReply::try_from(data).unwrap();
        assert_eq!(reply.status.unwrap().state, LoginState::Other("SUSPENDED".to_owned()));
        assert_eq!(reply.errors[0].code, VerifyTokenErrorCode::Other("MOON_TOO_FULL".to_owned()));
        assert_eq!(reply.errors[0].retry_after_seconds, Some(60));
        assert_eq!(reply.errors[0].tries_left, Some(4));
    }
}
