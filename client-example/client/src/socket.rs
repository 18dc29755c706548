//! One WebSocket that speaks graphql-transport-ws, from the connection to its end, with one subscription on it. It
//! does not connect twice: that is `watch`'s affair. Whatever ends it is either final or an interruption.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use futures_util::{
    StreamExt,
    future::{Either, select},
};
use graphql_client::Response;
use graphql_ws_client::{Client as Operations, ConnectionActor, graphql::StreamingOperation};
use http::{HeaderValue, header::SEC_WEBSOCKET_PROTOCOL};
use serde_json::json;
use tokio::time::timeout;
use tokio_tungstenite::{
    connect_async_with_config,
    tungstenite::{self, Message, client::IntoClientRequest, protocol::WebSocketConfig},
};

use crate::{
    client::LONGEST_ANSWER,
    error::GraphqlError,
    login::LoginStatus,
    operations::{WatchLogin, watch_login},
    token::{LoginToken, SessionToken},
    watch::{Interruption, Reader, Wants, WatchError},
};

/// How often a quiet connection is asked whether it is still there. After three unanswered rounds it is not.
const PING_INTERVAL: Duration = Duration::from_secs(10);
/// How long saying goodbye may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// Codes with which a server says that trying again is pointless: bad message, unauthorized, forbidden, sub-protocol
/// not acceptable, subscriber exists, too many initialisations.
const FINAL_CLOSE_CODES: [u16; 6] = [4400, 4401, 4403, 4406, 4409, 4429];
/// GraphQL errors that may be gone the next time.
const PASSING_ERROR_CODES: [&str; 5] = ["INTERNAL", "UNAVAILABLE", "BUSY", "RATE_LIMITED", TOO_MANY_WATCHERS];
/// The login is watched so often that the service has ended this watch for a newer one.
pub(crate) const TOO_MANY_WATCHERS: &str = "TOO_MANY_WATCHERS";

/// Why a connection ended before the login did.
pub(crate) enum Break {
    /// Trying again is pointless.
    Final(WatchError),
    /// Trying again may well help.
    Interruption(Interruption),
}

/// Where to connect to, and as whom.
pub(crate) struct Destination {
    pub(crate) url: String,
    pub(crate) bearer: Option<SessionToken>,
    pub(crate) connect_timeout: Duration,
}

/// A connection that the server has acknowledged.
pub(crate) struct Socket {
    operations: Operations,
    actor: ConnectionActor,
    closed_with: Arc<OnceLock<u16>>,
}

impl Socket {
    /// Connects and waits for the acknowledgement.
    pub(crate) async fn connect(destination: &Destination) -> Result<Self, Break> {
        timeout(destination.connect_timeout, Self::open(destination))
            .await
            .unwrap_or(Err(Break::Interruption(Interruption::ConnectTimeout)))
    }

    async fn open(destination: &Destination) -> Result<Self, Break> {
        let mut request = destination.url.as_str().into_client_request().map_err(refused_upgrade)?;
        let protocol = HeaderValue::from_static("graphql-transport-ws");
        request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, protocol);
        let limits = WebSocketConfig::default()
            .max_message_size(Some(LONGEST_ANSWER))
            .max_frame_size(Some(LONGEST_ANSWER));
        let (stream, _) =
            connect_async_with_config(request, Some(limits), true).await.map_err(refused_upgrade)?;

        let closed_with = Arc::new(OnceLock::new());
        let heard = Arc::clone(&closed_with);
        // The library ends its streams without a word about the close code, so it is overheard here.
        let stream = stream.inspect(move |message| {
            if let Ok(Message::Close(Some(frame))) = message {
                let _ = heard.set(frame.code.into());
            }
        });
        let mut builder = Operations::build(stream).keep_alive_interval(PING_INTERVAL).keep_alive_retries(0);
        if let Some(bearer) = &destination.bearer {
            let payload = json!({ "authorization": format!("Bearer {}", bearer.reveal()) });
            builder = builder.payload(payload).map_err(|_| Break::Final(WatchError::Malformed))?;
        }
        match builder.await {
            Ok((operations, actor)) => Ok(Self { operations, actor, closed_with }),
            Err(_) => Err(lost(&closed_with)),
        }
    }

    /// Subscribes to a login and hands each status to the reader, until one was the last, the connection ends, or
    /// the server says that there is no such login. Then says goodbye.
    pub(crate) async fn follow(self, login_token: &LoginToken, reader: &mut Reader) -> Result<(), Break> {
        let Self { operations, actor, closed_with } = self;
        let listening = Box::pin(listen(operations, login_token, reader));
        // The actor moves the bytes. When the listening ends first, it still has a close frame to send.
        let end = match select(listening, actor.into_future()).await {
            Either::Left((end, actor)) => {
                let _ = timeout(FAREWELL, actor).await;
                end
            }
            Either::Right(((), listening)) => listening.await,
        };
        match end {
            Err(Break::Interruption(Interruption::Ended)) => Err(lost(&closed_with)),
            end => end,
        }
    }
}

async fn listen(operations: Operations, login_token: &LoginToken, reader: &mut Reader) -> Result<(), Break> {
    let variables = watch_login::Variables { login_token: login_token.reveal().to_owned() };
    let subscription = operations.subscribe(StreamingOperation::<WatchLogin>::new(variables)).await;
    let Ok(mut answers) = subscription else {
        return Err(Break::Interruption(Interruption::Ended));
    };
    while let Some(answer) = answers.next().await {
        // The library's error may quote the answer, so it goes no further.
        let answer = answer.map_err(|_| Break::Final(WatchError::Malformed))?;
        if reader.take(status_of(answer)?).await == Wants::NoMore {
            return Ok(());
        }
    }
    Err(Break::Interruption(Interruption::Ended))
}

fn status_of(answer: Response<watch_login::ResponseData>) -> Result<LoginStatus, Break> {
    let errors: Vec<GraphqlError> = answer.errors.unwrap_or_default().into_iter().map(Into::into).collect();
    if !errors.is_empty() {
        return Err(broken_by(errors));
    }
    let data = answer.data.ok_or(Break::Final(WatchError::Malformed))?;
    LoginStatus::try_from(data.login_status).map_err(|withheld| Break::Final(withheld.into()))
}

fn broken_by(errors: Vec<GraphqlError>) -> Break {
    if errors.iter().any(|error| error.has_code("LOGIN_NOT_FOUND")) {
        return Break::Final(WatchError::LoginNotFound);
    }
    let is_passing = |error: &GraphqlError| PASSING_ERROR_CODES.iter().any(|code| error.has_code(code));
    if errors.iter().all(is_passing) {
        return Break::Interruption(Interruption::Fault(errors));
    }
    Break::Final(WatchError::Graphql(errors))
}

/// What a connection that ended was ended by.
fn lost(closed_with: &OnceLock<u16>) -> Break {
    match closed_with.get() {
        Some(&4401) => Break::Final(WatchError::SessionEnded),
        Some(&code) if FINAL_CLOSE_CODES.contains(&code) => Break::Final(WatchError::Closed(code)),
        Some(&code) => Break::Interruption(Interruption::Closed(code)),
        None => Break::Interruption(Interruption::Ended),
    }
}

/// What an upgrade that failed means: a server that refuses it for good says so with a 4xx.
fn refused_upgrade(error: tungstenite::Error) -> Break {
    match error {
        tungstenite::Error::Http(response) => {
            let status = response.status();
            let is_passing = !status.is_client_error() || matches!(status.as_u16(), 408 | 425 | 429);
            if is_passing {
                Break::Interruption(Interruption::Status(status.as_u16()))
            } else {
                Break::Final(WatchError::Status(status.as_u16()))
            }
        }
        tungstenite::Error::Protocol(error) => Break::Interruption(Interruption::Connect(Box::new(error))),
        error => Break::Interruption(Interruption::Connect(Box::new(error))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: Option<&str>) -> GraphqlError {
        GraphqlError { message: "a message".to_owned(), code: code.map(str::to_owned), request_id: None }
    }

    fn closed(code: u16) -> Break {
        lost(&OnceLock::from(code))
    }

    fn upgrade(status: u16) -> Break {
        let response = http::Response::builder().status(status).body(None).unwrap();
        refused_upgrade(tungstenite::Error::Http(Box::new(response)))
    }

    #[test]
    fn an_unknown_login_is_final() {
        let end = broken_by(vec![error(Some("LOGIN_NOT_FOUND"))]);
        assert!(matches!(end, Break::Final(WatchError::LoginNotFound)));
    }

    #[test]
    fn a_fault_of_the_service_passes_and_a_wrong_request_does_not() {
        for code in ["INTERNAL", "TOO_MANY_WATCHERS"] {
            assert!(matches!(broken_by(vec![error(Some(code))]), Break::Interruption(_)), "{code}");
        }
        assert!(matches!(broken_by(vec![error(Some("BAD_REQUEST"))]), Break::Final(WatchError::Graphql(_))));
        assert!(matches!(broken_by(vec![error(None)]), Break::Final(WatchError::Graphql(_))));
        let both = vec![error(Some("INTERNAL")), error(Some("BAD_REQUEST"))];
        assert!(matches!(broken_by(both), Break::Final(_)));
    }

    #[test]
    fn a_close_that_refuses_is_final_and_any_other_is_not() {
        assert!(matches!(closed(4401), Break::Final(WatchError::SessionEnded)));
        assert!(matches!(closed(4400), Break::Final(WatchError::Closed(4400))));
        assert!(matches!(closed(1001), Break::Interruption(Interruption::Closed(1001))));
        assert!(matches!(closed(4408), Break::Interruption(_)));
        assert!(matches!(lost(&OnceLock::new()), Break::Interruption(Interruption::Ended)));
    }

    #[test]
    fn an_upgrade_refused_with_a_4xx_is_final_unless_it_says_later() {
        assert!(matches!(upgrade(404), Break::Final(WatchError::Status(404))));
        assert!(matches!(upgrade(429), Break::Interruption(Interruption::Status(429))));
        assert!(matches!(upgrade(503), Break::Interruption(Interruption::Status(503))));
    }

    #[test]
    fn an_answer_with_neither_status_nor_error_is_malformed() {
        let answer = Response { data: None, errors: None, extensions: None };
        assert!(matches!(status_of(answer), Err(Break::Final(WatchError::Malformed))));
    }
}
