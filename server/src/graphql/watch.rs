//! The subscription: a login's status now, and after every change until it is over.

use async_graphql::{Context, Error, Result};
use futures_util::{Stream, StreamExt, future::Either, stream};

use super::{
    api, coded,
    continuation::Continuation,
    error::{internal, internal_in},
    login::LoginStatus,
    session::SessionDelivery,
};
use crate::{
    approvals::{Watch, WatchError, Watched},
    model::LoginToken,
};

/// What a watch has come to, and the watch.
type Woken = (Option<Watched>, Watch);

/// What can be followed, over a WebSocket that speaks `graphql-transport-ws`.
pub struct Subscription;

/// What can be followed, over a WebSocket that speaks `graphql-transport-ws`.
#[async_graphql::Subscription]
impl Subscription {
    /// How a login stands: at once, then after each change (close ones may merge; `sequence` only grows), until it is
    /// over. A client that lost its connection subscribes again and has missed nothing. An end without
    /// `nextStep: NONE` means: subscribe again. Sixteen may watch a login over one instance: the next one ends the oldest
    /// with `TOO_MANY_WATCHERS` as the error's `extensions.code`, after which a client polls. A login token that nobody
    /// knows, or no longer, is an error with `LOGIN_NOT_FOUND` as its `extensions.code`.
    async fn login_status(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The login's secret handle, as `signup` or `login` gave it.")] login_token: String,
    ) -> Result<impl Stream<Item = Result<LoginStatus>> + 'static> {
        let continuation = context.data_opt::<Continuation>();
        let woken = match continuation.and_then(Continuation::awake::<Woken>) {
            Some(woken) => woken,
            None => next(begin(context, &login_token).await?).await,
        };
        let statuses = match continuation.cloned() {
            Some(continuation) => Either::Left(one_at_a_time(woken, continuation)),
            None => Either::Right(all(woken)),
        };
        let request_id = context.data_opt().cloned();
        let token = LoginToken::parse(&login_token).map_err(|_| not_found())?;
        let delivery = SessionDelivery::of(context, &token)?;
        Ok(statuses.then(move |status| {
            let (delivery, request_id) = (delivery.clone(), request_id.clone());
            async move {
                match status {
                    Ok(status) => Ok(LoginStatus::of(status, &delivery).await),
                    Err(WatchError::Store(error)) => Err(internal_in(request_id.as_ref(), &error)),
                    Err(WatchError::Superseded) => {
                        Err(coded("TOO_MANY_WATCHERS", "This login is open in too many windows."))
                    }
                }
            }
        }))
    }
}

fn not_found() -> Error {
    coded("LOGIN_NOT_FOUND", "Nobody knows this login token (any more).")
}

async fn begin(context: &Context<'_>, login_token: &str) -> Result<Watch> {
    let token = LoginToken::parse(login_token).map_err(|_| not_found())?;
    let watched =
        api(context)?.logins.approvals.watch(token).await.map_err(|error| internal(context, &error))?;
    watched.ok_or_else(not_found)
}

async fn next(mut watch: Watch) -> Woken {
    (watch.next().await, watch)
}

/// What it was woken with, and no more: until there is something else to tell, it sleeps.
fn one_at_a_time(
    (told, watch): Woken,
    continuation: Continuation,
) -> impl Stream<Item = Watched> + Send + 'static {
    if !watch.is_settled() {
        continuation.sleep(next(watch));
    }
    stream::iter(told)
}

/// What it was woken with, and whatever follows.
fn all((told, watch): Woken) -> impl Stream<Item = Watched> + Send + 'static {
    let following = stream::unfold(watch, async |watch| {
        let (told, watch) = next(watch).await;
        told.map(|told| (told, watch))
    });
    stream::iter(told).chain(following)
}
