//! Operations, counted and measured, whatever they come over.
//!
//! The invariant: an operation is named by a field of our own schema. What a peer calls it, and fields that are not
//! there, never become a label: each label is kept for as long as the process lives.

use async_graphql::{Response, ServerError, Value, parser::types::OperationType};
use metrics::{counter, gauge, histogram};
use tokio::time::Instant;

use super::execution::Transport;
use crate::graphql::RootField;

/// The codes of errors that say a fault of ours. Whatever has another one, or none, would go well if it were asked otherwise.
const FAULTS_OF_OURS: [&str; 2] = ["INTERNAL", "UNAVAILABLE"];

/// What an operation asks for: the one field at its root that is of `ours`, however often it stands there.
pub(super) fn name_of(root_fields: &[&str], ours: &'static [RootField]) -> &'static str {
    let mut names = root_fields.iter().map(|field| match *field {
        "__schema" | "__type" => "introspection",
        "__typename" => "typename",
        field => ours.iter().find(|known| known.name == field).map_or("unknown", |known| known.name),
    });
    let first = names.next().unwrap_or("unknown");
    if names.all(|name| name == first) { first } else { "several" }
}

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// With a result without errors; those of people stand in the payload.
    Fine,
    /// Its peer asked for what is wrong, not there or not allowed.
    Refused,
    /// With a fault of ours, or a panic.
    Error,
    /// Its peer stopped it, or went.
    Stopped,
}

impl End {
    fn word(self) -> &'static str {
        match self {
            Self::Fine => "ok",
            Self::Refused => "refused",
            Self::Error => "error",
            Self::Stopped => "stopped",
        }
    }

    fn of(response: &Response) -> Self {
        if response.errors.is_empty() {
            Self::Fine
        } else if response.errors.iter().any(is_ours) {
            Self::Error
        } else {
            Self::Refused
        }
    }
}

fn is_ours(error: &ServerError) -> bool {
    let code = error.extensions.as_ref().and_then(|extensions| extensions.get("code"));
    matches!(code, Some(Value::String(code)) if FAULTS_OF_OURS.contains(&code.as_str()))
}

/// An operation that has begun. It is counted when it is dropped; until something else is said, as refused.
pub(super) struct Counted {
    name: &'static str,
    kind: OperationType,
    transport: Transport,
    end: End,
    since: Instant,
}

impl Counted {
    /// Begins an operation that was read.
    pub(super) fn begin(name: &'static str, kind: OperationType, transport: Transport) -> Self {
        if kind == OperationType::Subscription {
            gauge!("countersign_subscriptions_open").increment(1);
        }
        Self { name, kind, transport, end: End::Refused, since: Instant::now() }
    }

    /// Counts an operation that was refused before anybody knew what it asks for.
    pub(super) fn unread(transport: Transport) {
        count("unread", "unread", transport, End::Refused);
    }

    /// It ends by a fault of ours.
    pub(super) fn fail(mut self) {
        self.end = End::Error;
    }

    /// Executes it.
    pub(super) async fn execute(self, execution: impl Future<Output = Response>) -> Response {
        let mut counted = self.goes_on();
        let response = execution.await;
        counted.end = End::of(&response);
        response
    }

    /// Nothing refuses it any more: what ends it before its result is heard is its peer.
    pub(super) fn goes_on(mut self) -> Self {
        self.end = End::Stopped;
        self
    }

    /// Whether a result is the last of a subscription is known before its end: peers that have heard it may go at once.
    /// What went wrong stays so.
    pub(super) fn hear<Panicked>(&mut self, result: Option<&Result<Response, Panicked>>, is_last: bool) {
        let heard = match result {
            Some(Ok(response)) => End::of(response),
            Some(Err(_panicked)) => End::Error,
            None => End::Fine,
        };
        let tells = is_last || result.is_none() || heard != End::Fine;
        if tells && matches!(self.end, End::Stopped | End::Fine) {
            self.end = heard;
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let is_subscription = self.kind == OperationType::Subscription;
        if is_subscription {
            gauge!("countersign_subscriptions_open").decrement(1);
        } else {
            histogram!("countersign_graphql_operation_seconds", "operation" => self.name)
                .record(self.since.elapsed());
        }
        let end = if std::thread::panicking() { End::Error } else { self.end };
        let kind = match self.kind {
            OperationType::Query => "query",
            OperationType::Mutation => "mutation",
            OperationType::Subscription => "subscription",
        };
        count(kind, self.name, self.transport, end);
    }
}

fn count(kind: &'static str, name: &'static str, transport: Transport, end: End) {
    let labels =
        [("kind", kind), ("operation", name), ("transport", word(transport)), ("outcome", end.word())];
    counter!("countersign_graphql_operations_total", &labels).increment(1);
}

fn word(transport: Transport) -> &'static str {
    match transport {
        Transport::Post => "post",
        Transport::Get => "get",
        Transport::Socket => "socket",
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::{PathSegment, Response, ServerError, Value, parser::types::OperationType};

    use super::{Counted, End, Transport, name_of};
    use crate::{graphql::ROOT_FIELDS, http::answer};

    #[test]
    fn an_operation_is_named_by_our_fields_and_by_nothing_that_a_peer_makes_up() {
        for (fields, name) in [
            (&["login"][..], "login"),
            (&["me", "me"], "me"),
            (&["me", "login"], "several"),
            (&["__schema", "__type"], "introspection"),
            (&["__typename"], "typename"),
            (&["evil-1"], "unknown"),
            (&["evil-1", "evil-2"], "unknown"),
            (&[], "unknown"),
        ] {
            assert_eq!(name_of(fields, ROOT_FIELDS), name, "{fields:?}");
        }
    }

    fn end(kind: OperationType, results: &[(Option<Result<Response, ()>>, bool)]) -> End {
        let mut counted = Counted::begin("me", kind, Transport::Socket).goes_on();
        for (result, is_last) in results {
            counted.hear(result.as_ref(), *is_last);
        }
        counted.end
    }

    /// The result of an operation of which one field came to nothing.
    fn of_field(error: ServerError) -> Response {
        Response::from_errors(vec![error.with_path(vec![PathSegment::Field("me".to_owned())])])
    }

    #[test]
    fn only_a_fault_of_ours_is_an_error_whether_a_field_came_to_nothing_or_all() {
        for code in ["INTERNAL", "UNAVAILABLE"] {
            let ours = || answer::error(code, "No.");
            let theirs = ServerError::new("Variable $a is not defined.", None);
            assert_eq!(End::of(&of_field(ours())), End::Error, "{code}");
            assert_eq!(End::of(&Response::from_errors(vec![theirs, ours()])), End::Error, "{code}");
        }
        for code in ["LOGIN_NOT_FOUND", "METHOD_NOT_ALLOWED", "BAD_REQUEST"] {
            assert_eq!(End::of(&of_field(answer::error(code, "No."))), End::Refused, "{code}");
        }
        assert_eq!(End::of(&of_field(ServerError::new("Variable $a is not defined.", None))), End::Refused);
        assert_eq!(End::of(&Response::from_errors(vec![ServerError::new("No.", None)])), End::Refused);
        assert_eq!(End::of(&Response::new(Value::Null)), End::Fine);
    }

    #[test]
    fn a_subscription_is_fine_once_it_has_told_its_last_and_a_query_with_its_result() {
        let fine = || Some(Ok(Response::new(Value::from("fine"))));
        let refused = || Some(Ok(of_field(ServerError::new("No.", None))));
        let failed = || Some(Ok(of_field(answer::error("INTERNAL", "No."))));
        let panicked = || Some(Err(()));
        let (query, subscription) = (OperationType::Query, OperationType::Subscription);
        assert_eq!(end(query, &[]), End::Stopped);
        assert_eq!(end(query, &[(fine(), true)]), End::Fine);
        assert_eq!(end(query, &[(refused(), true)]), End::Refused);
        assert_eq!(end(query, &[(failed(), true), (None, true)]), End::Error);
        assert_eq!(end(query, &[(panicked(), true)]), End::Error);
        assert_eq!(end(subscription, &[(fine(), false), (panicked(), false)]), End::Error);
        assert_eq!(end(subscription, &[(fine(), false), (fine(), false)]), End::Stopped);
        assert_eq!(end(subscription, &[(fine(), false), (fine(), true)]), End::Fine);
        assert_eq!(end(subscription, &[(fine(), false), (None, true)]), End::Fine);
        assert_eq!(end(subscription, &[(fine(), true), (failed(), true)]), End::Error);
        assert_eq!(end(subscription, &[(refused(), true), (None, true)]), End::Refused);
        assert_eq!(end(subscription, &[(failed(), false), (fine(), false), (None, true)]), End::Error);
    }
}
