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

/// A schema, whatever its root types.
pub trait ExecutableSchema: Send + Sync + 'static {
    /// Executes a query or a mutation.
    fn execute(&self, request: Request) -> BoxFuture<'static, Response>;

    /// Executes any operation, with the data that all operations of one socket share.
    fn execute_stream(&self, request: Request, session: Arc<Data>) -> BoxStream<'static, Response>;
}

impl<Query, Mutation, Subscription> ExecutableSchema for Schema<Query, Mutation, Subscription>
where
    Query: ObjectType + 'static,
    Mutation: ObjectType + 'static,
    Subscription: SubscriptionType + 'static,
{
    fn execute(&self, request: Request) -> BoxFuture<'static, Response> {
        let schema = self.clone();
        async move { Schema::execute(&schema, request).await }.boxed()
    }

    fn execute_stream(&self, request: Request, session: Arc<Data>) -> BoxStream<'static, Response> {
        self.execute_stream_with_session_data(request, session)
    }
}
