//! The subscription: a login's status now, and after every change until it is over.

use async_graphql::{Context, Result};
use futures_util::{Stream, StreamExt};

use super::{
    api, coded,
    error::{internal, internal_in},
    login::LoginStatus,
    session::Handover,
};
use crate::model::LoginToken;

/// What can be followed, over a WebSocket that speaks `graphql-transport-ws`.
pub struct Subscription;

/// What can be followed, over a WebSocket that speaks `graphql-transport-ws`.
#[async_graphql::Subscription]
impl Subscription {
    /// How a login stands: at once, then after each change (close ones may merge; `sequence` only grows), until it is
    /// over. A client that lost its connection subscribes again and has missed nothing. An end without
    /// `nextStep: NONE` means: subscribe again. A login token that nobody knows, or no longer, is an error with
    /// `LOGIN_NOT_FOUND` as its `extensions.code`.
    async fn login_status(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The login's secret handle, as `signup` or `login` gave it.")] login_token: String,
    ) -> Result<impl Stream<Item = Result<LoginStatus>> + 'static> {
        let not_found = || coded("LOGIN_NOT_FOUND", "Nobody knows this login token (any more).");
        let token = LoginToken::parse(&login_token).map_err(|_| not_found())?;
        let watched = api(context)?.logins.watch(token).await.map_err(|error| internal(context, &error))?;
        let statuses = watched.ok_or_else(not_found)?;
        let request_id = context.data_opt().cloned();
        let handover = Handover::of(context)?;
        Ok(statuses.map(move |status| {
            let told = status.map(|status| LoginStatus::tell(status, &handover));
            told.map_err(|error| internal_in(request_id.as_ref(), &error))
        }))
    }
}
