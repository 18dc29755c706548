//! What the wire needs of a schema: executing one operation, whatever its root types are.
//!
//! It keeps the schema's three type parameters out of every other file of this folder.

use std::sync::Arc;

use async_graphql::{Data, ObjectType, Request, Response, Schema, SubscriptionType};
use futures_util::{
    future::{BoxFuture, FutureExt as _},
    stream::BoxStream,
};

pub use crate::graphql::Transport;

/// What is known of a document before it is executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// Nothing: it is validated.
    Unknown,
    /// It is valid.
    Known,
}

/// A schema, whatever its root types.
pub trait ExecutableSchema: Send + Sync + 'static {
    /// Executes a query or a mutation.
    fn execute(&self, request: Request, validity: Validity) -> BoxFuture<'static, Response>;

    /// Executes any operation, with the data that all operations of one socket share.
    fn execute_stream(&self, request: Request, session: Arc<Data>) -> BoxStream<'static, Response>;
}

/// A schema twice, since how a schema validates is settled when it is built.
pub struct Validating<Query, Mutation, Subscription> {
    /// By every rule ([`ValidationMode::Strict`](async_graphql::ValidationMode)).
    pub strictly: Schema<Query, Mutation, Subscription>,
    /// By those alone that say what a document costs ([`ValidationMode::Fast`](async_graphql::ValidationMode)).
    pub fast: Schema<Query, Mutation, Subscription>,
}

impl<Query, Mutation, Subscription> ExecutableSchema for Validating<Query, Mutation, Subscription>
where
    Query: ObjectType + 'static,
    Mutation: ObjectType + 'static,
    Subscription: SubscriptionType + 'static,
{
    fn execute(&self, request: Request, validity: Validity) -> BoxFuture<'static, Response> {
        let schema = match validity {
            Validity::Unknown => self.strictly.clone(),
            Validity::Known => self.fast.clone(),
        };
        async move { Schema::execute(&schema, request).await }.boxed()
    }

    fn execute_stream(&self, request: Request, session: Arc<Data>) -> BoxStream<'static, Response> {
        self.strictly.execute_stream_with_session_data(request, session)
    }
}
