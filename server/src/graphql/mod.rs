//! The schema: what frontends see of users, sessions and logins.
//!
//! By noun, not by query and mutation. Outcomes that a person or a client can act on are data in the payloads; errors of
//! GraphQL are for requests that are wrong, and for faults of ours ([`error`]). Whatever carries a secret is refused by
//! GET: a URL ends in logs.

pub mod active_session;
pub mod change_password;
pub mod code;
pub mod confirm;
mod continuation;
pub mod error;
pub mod login;
mod request;
mod root_fields;
pub mod session;
pub mod signup;
pub mod user;
pub mod watch;

use async_graphql::{Context, Guard, MergedObject, SDLExportOptions, Schema, SchemaBuilder};
use chrono::{DateTime, Utc};

pub use continuation::{Asleep, Awake, Continuation};
pub use error::coded;
pub use request::{
    ClientAddress, ClientBrowser, CookieChange, CookieSlot, RequestId, SessionToken, TokenDelivery, Transport,
};
pub use root_fields::{Caller, Cost, ROOT_FIELDS, RateLimit, RootField, TokenKind};

use crate::{
    logins::{ClientInfo, Logins},
    model::DeliveryMethod,
    sessions::{Sessions, SignedIn},
    users::Users,
};

/// How deep a document may nest. The introspection query that tools send has 15 levels, everything else five.
const MAX_DEPTH: usize = 16;
/// How many fields a document may ask for. That introspection query asks for some 400.
const MAX_COMPLEXITY: usize = 1_000;

/// The directives that are part of GraphQL itself.
const BUILT_IN_DIRECTIVES: &[&str] = &["skip", "include", "deprecated", "specifiedBy", "oneOf"];

/// The schema with all its parts.
pub type ApiSchema = Schema<Query, Mutation, watch::Subscription>;

/// What the resolvers stand on.
#[derive(Clone)]
pub struct Api {
    /// Users.
    pub users: Users,
    /// Sessions.
    pub sessions: Sessions,
    /// Logins.
    pub logins: Logins,
}

/// What can be asked.
#[derive(Default, MergedObject)]
pub struct Query(user::UserQuery, active_session::SessionQuery, login::LoginQuery);

/// What can be done. What people and programs can act on is in a payload's `errors`; GraphQL's own errors are for requests
/// that are wrong and for faults of the service. One operation asks for one of `signup`, `login`, `verifyToken`,
/// `resendToken`, `confirm` and `changePassword`, once, and for each other field once.
#[derive(Default, MergedObject)]
pub struct Mutation(
    signup::SignupMutation,
    login::LoginMutation,
    code::CodeMutation,
    confirm::ConfirmMutation,
    change_password::ChangePasswordMutation,
    active_session::EndSessionMutation,
    session::SessionMutation,
);

/// Joins the schema. Where `introspection` is off it does not help to guess its names either.
#[must_use]
pub fn schema(api: Api, introspection: bool) -> ApiSchema {
    let builder = builder().data(api);
    if introspection {
        builder.finish()
    } else {
        builder.disable_introspection().disable_suggestions().finish()
    }
}

/// Returns the schema in GraphQL's schema definition language, as it stands in `schema.graphql`.
#[must_use]
pub fn sdl() -> String {
    let sdl = builder().finish().sdl_with_options(SDLExportOptions::new().include_specified_by());
    without_built_in_directives(&sdl)
}

/// Removes the definitions of the directives that the specification defines (section 3.13: a schema in this language should
/// leave them out; some tools refuse a second definition).
fn without_built_in_directives(sdl: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for line in sdl.lines() {
        let directive = line.strip_prefix("directive @").and_then(|rest| rest.split('(').next());
        if directive.is_some_and(|name| BUILT_IN_DIRECTIVES.contains(&name.trim())) {
            // Its description is a block whose marks have lines of their own.
            if kept.pop_if(|line| *line == "\"\"\"").is_some() {
                while kept.pop().is_some_and(|line| line != "\"\"\"") {}
            }
        } else {
            kept.push(line);
        }
    }
    kept.join("\n") + "\n"
}

fn builder() -> SchemaBuilder<Query, Mutation, watch::Subscription> {
    Schema::build(Query::default(), Mutation::default(), watch::Subscription)
        .limit_depth(MAX_DEPTH)
        .limit_complexity(MAX_COMPLEXITY)
        .override_output_type_description::<DateTime<Utc>>(
            "An instant in RFC 3339, in UTC, to the microsecond at most: `2026-11-22T10:00:00.123456+00:00`.",
        )
}

/// Refuses a field by GET: its arguments are secrets, and URLs end in logs.
struct NotInUrl;

impl Guard for NotInUrl {
    async fn check(&self, context: &Context<'_>) -> async_graphql::Result<()> {
        match context.data_opt::<Transport>() {
            Some(Transport::Get) => Err(coded(
                "METHOD_NOT_ALLOWED",
                "This field takes a secret, which must not stand in a URL: use POST.",
            )),
            _ => Ok(()),
        }
    }
}

/// A schema that stands on nothing.
#[derive(Debug, thiserror::Error)]
#[error("the schema was joined without its parts")]
struct NotJoined;

fn api<'a>(context: &Context<'a>) -> async_graphql::Result<&'a Api> {
    context.data_opt().ok_or_else(|| error::internal(context, &NotJoined))
}

/// Whose session the request's bearer opens.
fn signed_in<'a>(context: &Context<'a>) -> Option<&'a SignedIn> {
    context.data_opt()
}

fn client_info(context: &Context<'_>) -> ClientInfo {
    ClientInfo {
        address: context.data_opt::<ClientAddress>().map(|client| client.0),
        browser: context.data_opt::<ClientBrowser>().map(|browser| browser.0.to_string()),
        delivery: context.data_opt::<TokenDelivery>().map_or(DeliveryMethod::Bearer, TokenDelivery::method),
    }
}

#[cfg(test)]
mod tests {
    use super::{builder, without_built_in_directives};

    #[tokio::test]
    async fn a_schema_without_its_parts_is_a_fault_of_ours() {
        let query = "mutation { login(input: { email: \"\", password: \"\" }) { loginToken } }";
        let answer = serde_json::to_value(builder().finish().execute(query).await).unwrap();
        assert_eq!(answer["errors"][0]["extensions"]["code"], "INTERNAL", "{answer}");
    }

    #[test]
    fn only_the_definitions_of_built_in_directives_are_removed() {
        let sdl = "\"\"\"\nA type.\n\"\"\"\ntype Query {\n\ta: Int\n}\n\n\"\"\"\nOurs.\n\"\"\"\ndirective @ours on FIELD\n\"\"\"\nTheirs.\n\nOf \
                   GraphQL.\n\"\"\"\ndirective @skip(if: Boolean!) on FIELD\ndirective @include(if: Boolean!) on FIELD\nschema {\n\tquery: Query\n}\n\n";
        let kept = "\"\"\"\nA type.\n\"\"\"\ntype Query {\n\ta: Int\n}\n\n\"\"\"\nOurs.\n\"\"\"\ndirective @ours on FIELD\nschema {\n\tquery: Query\n}\n";
        assert_eq!(without_built_in_directives(sdl).trim_end(), kept.trim_end());
    }
}
