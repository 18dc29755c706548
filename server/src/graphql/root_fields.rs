//! The fields at the roots of the schema: who may ask for them, what they cost, and what bounds them.
//!
//! One row a field; a query and a subscription of one name share it. The invariant: a field without a row is not in the
//! schema, and a field that needs no session has a rate limit.

/// A field at a root of the schema, and the rules for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RootField {
    /// As it stands in the schema.
    pub name: &'static str,
    /// Who gets an answer from it.
    pub caller: Caller,
    /// What the most expensive part of it is.
    pub cost: Cost,
    /// What limits how often it runs.
    pub limit: RateLimit,
    /// Which secret it takes among its arguments.
    pub token: TokenKind,
}

/// Who gets an answer from a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Everybody.
    Anyone,
    /// Clients that have a session; to others it says that there is none.
    Session,
    /// Clients that have the token of a login; to others it says that there is none.
    LoginToken,
}

/// What the most expensive part of a field is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cost {
    /// Nothing beyond finding the session.
    Free,
    /// Statements.
    Statements,
    /// A password hash.
    Hash,
    /// Having a code judged, which takes a try and may ask the provider.
    Judgement,
    /// A message to a phone.
    Message,
}

/// What limits how often a field runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateLimit {
    /// Nothing: only a client with a session makes it cost anything.
    None,
    /// The operations that one address may send (`OPERATIONS_PER_ADDRESS`), counted before anything runs. What a field brings
    /// about may have limits of its own.
    Address,
}

/// A secret among the arguments of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// None. A session's token is no argument: it comes with the request.
    None,
    /// A login's token.
    Login,
    /// The token of a known device.
    Device,
}

/// All of them.
pub const ROOT_FIELDS: &[RootField] = &[
    row("me", Caller::Session, Cost::Statements, RateLimit::None, TokenKind::None),
    row("loginStatus", Caller::LoginToken, Cost::Statements, RateLimit::Address, TokenKind::Login),
    row("signup", Caller::Anyone, Cost::Hash, RateLimit::Address, TokenKind::None),
    row("login", Caller::Anyone, Cost::Hash, RateLimit::Address, TokenKind::Device),
    row("cancelLogin", Caller::LoginToken, Cost::Statements, RateLimit::Address, TokenKind::Login),
    row("verifyToken", Caller::LoginToken, Cost::Judgement, RateLimit::Address, TokenKind::Login),
    row("resendToken", Caller::LoginToken, Cost::Message, RateLimit::Address, TokenKind::Login),
    row("session", Caller::Session, Cost::Statements, RateLimit::None, TokenKind::None),
    row("confirm", Caller::Session, Cost::Hash, RateLimit::Address, TokenKind::None),
    row("changePassword", Caller::Session, Cost::Hash, RateLimit::Address, TokenKind::Login),
    row("endSession", Caller::Session, Cost::Statements, RateLimit::Address, TokenKind::Login),
    row("endOtherSessions", Caller::Session, Cost::Statements, RateLimit::Address, TokenKind::Login),
    row("logout", Caller::Session, Cost::Statements, RateLimit::None, TokenKind::None),
    row("forgetDevices", Caller::Session, Cost::Statements, RateLimit::Address, TokenKind::None),
];

const fn row(
    name: &'static str,
    caller: Caller,
    cost: Cost,
    limit: RateLimit,
    token: TokenKind,
) -> RootField {
    RootField { name, caller, cost, limit, token }
}

impl RootField {
    /// Whether an operation may have at most one of all these fields: each is a guess, a message or a hash.
    #[must_use]
    pub fn is_exclusive(&self) -> bool {
        matches!(self.cost, Cost::Hash | Cost::Judgement | Cost::Message)
    }

    /// Whether an operation may have this field once at most, whatever its aliases.
    #[must_use]
    pub fn is_once(&self) -> bool {
        self.cost != Cost::Free || self.token != TokenKind::None
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use async_graphql::parser::{
        parse_schema,
        types::{FieldDefinition, TypeKind, TypeSystemDefinition},
    };

    use super::{Caller, ROOT_FIELDS, RateLimit, TokenKind};

    /// The fields at the roots, each with the text of its arguments' types.
    fn fields_of_the_schema() -> Vec<FieldDefinition> {
        let mut fields = Vec::new();
        for definition in parse_schema(crate::graphql::sdl()).unwrap().definitions {
            if let TypeSystemDefinition::Type(defined) = definition
                && ["Query", "Mutation", "Subscription"].contains(&defined.node.name.node.as_str())
                && let TypeKind::Object(object) = defined.node.kind
            {
                fields.extend(object.fields.into_iter().map(|field| field.node));
            }
        }
        fields
    }

    #[test]
    fn every_root_field_of_the_schema_has_one_row() {
        let in_schema: BTreeSet<_> =
            fields_of_the_schema().iter().map(|field| field.name.node.to_string()).collect();
        let rows: BTreeSet<_> = ROOT_FIELDS.iter().map(|field| field.name.to_owned()).collect();
        assert_eq!((in_schema, rows.len()), (rows, ROOT_FIELDS.len()));
    }

    #[test]
    fn every_field_that_needs_no_session_has_a_rate_limit_and_runs_once() {
        for field in ROOT_FIELDS {
            if field.caller != Caller::Session {
                assert_eq!(field.limit, RateLimit::Address, "{}", field.name);
                assert!(field.is_once(), "{}", field.name);
            }
        }
    }

    #[test]
    fn rows_say_which_token_the_schema_takes() {
        let sdl = crate::graphql::sdl();
        let has_field = |input: &str, field: &str| {
            let body = sdl.split(&format!("input {input} {{")).nth(1).unwrap();
            body.split('}').next().unwrap().contains(&format!("\t{field}:"))
        };
        for field in fields_of_the_schema() {
            let row = ROOT_FIELDS.iter().find(|row| row.name == field.name.node.as_str()).unwrap();
            let takes = |token: &str| {
                field.arguments.iter().any(|argument| {
                    let argument = &argument.node;
                    let input = argument.ty.node.to_string();
                    argument.name.node.as_str() == token
                        || (argument.name.node.as_str() == "input"
                            && has_field(input.trim_end_matches('!'), token))
                })
            };
            assert_eq!(row.token == TokenKind::Login, takes("loginToken"), "{}", row.name);
            assert_eq!(row.token == TokenKind::Device, takes("deviceToken"), "{}", row.name);
        }
    }
}
