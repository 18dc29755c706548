//! A toy schema, and the parts of a service that the wire calls, with probes that tests wait on.

#![expect(clippy::unused_async, reason = "async-graphql takes async resolvers only")]

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context as TaskContext, Poll},
};

use async_graphql::{Context, Enum, Error, ErrorExtensions as _, InputObject, Object, Schema, Subscription};
use async_trait::async_trait;
use futures_util::{Stream, stream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::{
    graphql::Continuation,
    http::{
        Authenticated, Authenticator, Callback, CallbackAnswer, Callbacks, ClientAddress, Readiness,
        RequestId, Transport, Unavailable,
    },
};

/// The schema, as a service has it.
pub(super) fn toy(probes: &Arc<Probes>) -> Schema<Query, Mutation, Subscriptions> {
    Schema::build(Query, Mutation, Subscriptions)
        .data(probes.clone())
        .limit_recursive_depth(64)
        .limit_depth(30)
        .limit_complexity(950)
        .finish()
}

/// How many items `flood` has, of [`FLOOD_ITEM_BYTES`] each.
pub(super) const FLOOD_ITEMS: usize = 256;
const FLOOD_ITEM_BYTES: usize = 512 * 1024;

/// What tests wait on, and what they count.
#[derive(Default)]
pub(super) struct Probes {
    sessions: Mutex<HashMap<String, CancellationToken>>,
    pub(super) is_ready: AtomicBool,
    pub(super) flooded: AtomicUsize,
    pub(super) started: Signal,
    pub(super) release: Signal,
    pub(super) finished: Signal,
    pub(super) dropped: Signal,
}

impl Probes {
    /// The session of a bearer; cancelled when it ends.
    pub(super) fn session(&self, bearer: &str) -> CancellationToken {
        self.sessions.lock().unwrap().entry(bearer.to_owned()).or_default().clone()
    }
}

/// Something that happens a number of times and can be waited for.
pub(super) struct Signal(Semaphore);

impl Default for Signal {
    fn default() -> Self {
        Self(Semaphore::new(0))
    }
}

impl Signal {
    pub(super) fn give(&self) {
        self.0.add_permits(1);
    }

    /// How often it has happened and nobody has waited for it.
    pub(super) fn given(&self) -> usize {
        self.0.available_permits()
    }

    pub(super) async fn wait(&self) {
        super::harness::in_time(self.0.acquire()).await.unwrap().forget();
    }
}

#[derive(Clone)]
pub(super) struct Requester(pub(super) String);

pub(super) struct Query;

#[Object]
impl Query {
    async fn hello(&self, name: Option<String>) -> String {
        format!("Hello {}", name.unwrap_or_default())
    }

    async fn me(&self, context: &Context<'_>) -> Option<String> {
        context.data_opt::<Requester>().map(|requester| requester.0.clone())
    }

    async fn transport(&self, context: &Context<'_>) -> async_graphql::Result<String> {
        Ok(format!("{:?}", context.data::<Transport>()?))
    }

    async fn request_id(&self, context: &Context<'_>) -> async_graphql::Result<String> {
        Ok(context.data::<RequestId>()?.to_string())
    }

    async fn peer(&self, context: &Context<'_>) -> async_graphql::Result<String> {
        Ok(context.data::<ClientAddress>()?.0.to_string())
    }

    async fn held(&self, context: &Context<'_>) -> async_graphql::Result<bool> {
        hold(context).await
    }

    async fn again(&self) -> Self {
        Self
    }

    async fn fails(&self) -> async_graphql::Result<i32> {
        Err(refused())
    }

    /// An error as async-graphql makes them by itself: without a code.
    async fn fails_without_a_code(&self) -> async_graphql::Result<i32> {
        Err(Error::new("Refused."))
    }

    async fn panics(&self) -> i32 {
        planted_panic()
    }
}

/// Answers when it is released.
async fn hold(context: &Context<'_>) -> async_graphql::Result<bool> {
    let probes = context.data::<Arc<Probes>>()?;
    probes.started.give();
    probes.release.wait().await;
    probes.finished.give();
    Ok(true)
}

fn planted_panic() -> i32 {
    panic!("planted-panic")
}

fn refused() -> Error {
    Error::new("Refused.").extend_with(|_, extensions| extensions.set("code", "REFUSED"))
}

#[derive(Clone, Copy, Enum, PartialEq, Eq)]
enum Colour {
    Red,
    Blue,
}

#[derive(InputObject)]
struct Paint {
    colour: Colour,
    coats: i32,
    note: Option<String>,
}

pub(super) struct Mutation;

#[Object]
impl Mutation {
    async fn held(&self, context: &Context<'_>) -> async_graphql::Result<bool> {
        hold(context).await
    }

    /// Ends the requester's session, and answers only afterwards.
    async fn logout(&self, context: &Context<'_>) -> async_graphql::Result<bool> {
        let probes = context.data::<Arc<Probes>>()?;
        probes.session(&context.data::<Requester>()?.0).cancel();
        probes.release.wait().await;
        Ok(true)
    }

    async fn paint(&self, input: Paint) -> i32 {
        let half = if input.colour == Colour::Red && input.note.is_none() { 1 } else { 2 };
        input.coats * half
    }

    async fn panics(&self) -> i32 {
        planted_panic()
    }
}

pub(super) struct Subscriptions;

#[Subscription]
impl Subscriptions {
    async fn countdown(&self, from: i32) -> impl Stream<Item = i32> {
        stream::iter((0..from).rev())
    }

    async fn endless(&self, context: &Context<'_>) -> async_graphql::Result<impl Stream<Item = i32> + use<>> {
        let probes = context.data::<Arc<Probes>>()?.clone();
        probes.started.give();
        Ok(Watched { stream: stream::pending(), _alive: Alive(probes) })
    }

    async fn flood(
        &self,
        context: &Context<'_>,
    ) -> async_graphql::Result<impl Stream<Item = String> + use<>> {
        let probes = context.data::<Arc<Probes>>()?.clone();
        let counted = probes.clone();
        let items = std::iter::repeat_with(move || {
            counted.flooded.fetch_add(1, Ordering::Relaxed);
            "x".repeat(FLOOD_ITEM_BYTES)
        });
        Ok(Watched { stream: stream::iter(items.take(FLOOD_ITEMS)), _alive: Alive(probes) })
    }

    /// Counts up, one further each time that it is released. Between two numbers it sleeps, and is not executed.
    async fn released(
        &self,
        context: &Context<'_>,
        to: usize,
    ) -> async_graphql::Result<impl Stream<Item = usize> + use<>> {
        let probes = context.data::<Arc<Probes>>()?.clone();
        let continuation = context.data::<Continuation>()?.clone();
        let number = continuation.awake::<usize>().unwrap_or_default();
        if number < to {
            probes.started.give();
            let alive = Alive(probes.clone());
            continuation.sleep(async move {
                probes.release.wait().await;
                drop(alive);
                number + 1
            });
        }
        Ok(stream::iter([number]))
    }

    async fn panics_asleep(
        &self,
        context: &Context<'_>,
    ) -> async_graphql::Result<impl Stream<Item = i32> + use<>> {
        context.data::<Continuation>()?.clone().sleep(async { planted_panic() });
        Ok(stream::iter([0]))
    }

    async fn refused(&self) -> async_graphql::Result<stream::Empty<i32>> {
        Err(refused())
    }

    async fn panics(&self) -> impl Stream<Item = i32> {
        stream::once(async { planted_panic() })
    }
}

/// A stream that says when it is dropped.
struct Watched<S> {
    stream: S,
    _alive: Alive,
}

impl<S: Stream + Unpin> Stream for Watched<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<Option<S::Item>> {
        Pin::new(&mut self.stream).poll_next(context)
    }
}

/// Says when it is dropped.
struct Alive(Arc<Probes>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.dropped.give();
    }
}

/// Bearers that begin with `session-` are known; `faulty` cannot be looked up, `stuck` never is.
pub(super) struct Sessions(pub(super) Arc<Probes>);

#[async_trait]
impl Authenticator for Sessions {
    async fn authenticate(&self, bearer: &str) -> Result<Option<Authenticated>, Unavailable> {
        match bearer {
            "faulty" => Err(Unavailable),
            "stuck" => {
                let _alive = Alive(self.0.clone());
                self.0.started.give();
                std::future::pending().await
            }
            _ if bearer.starts_with("session-") => {
                let ended = self.0.session(bearer).cancelled_owned();
                Ok(Some(Authenticated::new(Requester(bearer.to_owned()), || (), ended)))
            }
            _ => Ok(None),
        }
    }
}

/// Takes `POST authentic` and `GET ?a=b%20c` with its header for authentic.
pub(super) struct Provider;

#[async_trait]
impl Callbacks for Provider {
    fn has(&self, provider: &str) -> bool {
        provider == "authy"
    }

    async fn handle(&self, provider: &str, callback: Callback) -> CallbackAnswer {
        assert_eq!(provider, "authy");
        assert_ne!(&callback.body[..], b"planted-panic");
        let is_authentic = match callback.method.as_str() {
            "POST" => &callback.body[..] == b"authentic",
            _ => callback.query == "a=b%20c" && callback.headers.contains_key("x-signature"),
        };
        if is_authentic { CallbackAnswer::Accepted } else { CallbackAnswer::Refused }
    }
}

pub(super) struct Parts(pub(super) Arc<Probes>);

#[async_trait]
impl Readiness for Parts {
    async fn is_ready(&self) -> bool {
        self.0.is_ready.load(Ordering::Relaxed)
    }
}
