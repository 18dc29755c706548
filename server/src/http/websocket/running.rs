//! The operations that run on one socket.
//!
//! They are polled by the socket's own task, each until it has come to something; that is handed over in turn, when there is
//! room to write it. The invariant: an operation is never left where it stands because of its peer. It may hold a connection
//! to the database there, and a few peers that do not read would hold all of them. Mutations run in tasks of their own, so
//! that a peer that hangs up does not stop them half-way; each holds its slot until it has ended, so that hanging up does not
//! make room for more. A subscription that has told something and waits is not held as an execution, but as what it takes to
//! execute it again: people who wait are many, and wait long.

use std::{
    future::poll_fn,
    mem,
    panic::AssertUnwindSafe,
    sync::Arc,
    task::{Context, Poll, ready},
};

use async_graphql::{Data, Response, Value, parser::types::OperationType};
use futures_util::{
    FutureExt as _, Stream, StreamExt as _,
    future::CatchUnwind,
    stream::{self, BoxStream},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::{Instrument as _, Span};

use super::{
    memory::{Reserved, SocketMemory},
    protocol::OperationId,
};
use crate::{
    graphql::{Asleep, Awake, Continuation},
    http::{
        answer::{self, Outcome},
        client_address::ClientAddress,
        counted::Counted,
        document::Document,
        execution::{ExecutableSchema, Transport},
        operation::{Operation, Repeatable},
        state::HttpState,
    },
};

/// An operation panicked.
pub(super) struct Panicked;

/// What an operation has come to; `None`: nothing more.
type Reached = Option<Result<Response, Panicked>>;

/// What came of an operation.
pub(super) enum Progress {
    /// A result; more may come.
    Next(Outcome),
    /// The operation failed, and is over.
    Failed(Outcome),
    /// The operation panicked, and is over.
    Panicked,
    /// All results have been given.
    Complete,
}

struct Running {
    id: OperationId,
    kind: OperationType,
    has_begun: bool,
    doing: Doing,
    /// What is to be told before it goes on. In a box, for most of those who wait have nothing to tell.
    untold: Option<Box<Reached>>,
    /// A mutation's are held by its task.
    held: Option<(Counted, Place)>,
}

/// What an operation is doing.
enum Doing {
    /// Being executed; and, where that is possible, how it goes on when it has told something.
    Executing(BoxStream<'static, Result<Response, Panicked>>, Option<(Continuation, Box<Subscribed>)>),
    /// Waiting until it has something to tell.
    Sleeping(CatchUnwind<AssertUnwindSafe<Asleep>>, Box<Subscribed>),
    /// Nothing more.
    Over,
}

/// A subscription, and all that it takes to execute it again.
struct Subscribed {
    operation: Repeatable,
    session: Arc<Data>,
    schema: Arc<dyn ExecutableSchema>,
}

/// What an operation holds of its socket's limits.
pub(super) struct Place {
    _slot: OwnedSemaphorePermit,
    _own: Reserved,
    /// The document of a subscription, which it keeps until it ends.
    document: Option<KeptDocument>,
}

/// A document that subscriptions of one socket keep together.
#[derive(Clone)]
struct KeptDocument {
    document: Arc<Document>,
    _reserved: Arc<Reserved>,
}

/// What all operations of a socket share.
pub(super) struct Shared {
    pub(super) session: Arc<Data>,
    pub(super) client: Option<ClientAddress>,
}

/// The operations of one socket, at most as many as there are slots, and within the limit of its memory.
pub(super) struct RunningOperations {
    operations: Vec<Running>,
    slots: Arc<Semaphore>,
    memory: SocketMemory,
}

impl RunningOperations {
    pub(super) fn new(max_operations: usize, memory: SocketMemory) -> Self {
        Self { operations: Vec::new(), slots: Arc::new(Semaphore::new(max_operations)), memory }
    }

    pub(super) fn has(&self, id: &OperationId) -> bool {
        self.operations.iter().any(|running| running.id == *id)
    }

    /// A place for one more operation; `None`: there is none.
    pub(super) fn slot(&self) -> Option<OwnedSemaphorePermit> {
        self.slots.clone().try_acquire_owned().ok()
    }

    /// Reserves what an operation takes; `None`: there is not so much memory for this socket, or for its address.
    pub(super) fn place(
        &self,
        slot: OwnedSemaphorePermit,
        id: &OperationId,
        operation: &Operation,
    ) -> Option<Place> {
        let own = self.memory.reserve(operation.bytes() + id.as_str().len())?;
        let document = match operation.kind {
            OperationType::Subscription => Some(self.kept(operation.document())?),
            OperationType::Query | OperationType::Mutation => None,
        };
        Some(Place { _slot: slot, _own: own, document })
    }

    /// A document that another subscription of this socket keeps already takes no more memory.
    fn kept(&self, document: &Arc<Document>) -> Option<KeptDocument> {
        let places = self.operations.iter().filter_map(|running| running.held.as_ref());
        let mut kept = places.filter_map(|(_, place)| place.document.as_ref());
        if let Some(kept) = kept.find(|kept| Arc::ptr_eq(&kept.document, document)) {
            return Some(kept.clone());
        }
        let reserved = Arc::new(self.memory.reserve(document.bytes())?);
        Some(KeptDocument { document: document.clone(), _reserved: reserved })
    }

    /// Begins an operation in the place that was taken for it.
    pub(super) fn begin(
        &mut self,
        (id, operation): (OperationId, Operation),
        state: &HttpState,
        Shared { session, client }: Shared,
        place: Place,
    ) {
        let kind = operation.kind;
        let work = operation.demand.work;
        let gate = |results| state.admission.gate((client, work), results);
        let counted = Counted::begin(operation.counted_as, kind, Transport::Socket);
        let span = tracing::debug_span!("operation", graphql.operation.r#type = %kind, otel.name = %kind);
        let (doing, held) = if let Some(operation) = operation.repeatable() {
            let schema = state.schema.clone();
            let subscribed = Box::new(Subscribed { operation, session, schema });
            let doing = Doing::execute(subscribed, Continuation::default(), gate, span);
            (doing, Some((counted.goes_on(), place)))
        } else {
            let results = gate(state.schema.execute_stream(operation.into_request(), session));
            if kind == OperationType::Mutation {
                let result = counted.execute(only(results)).instrument(span.or_current());
                (Doing::Executing(in_a_task(result, state, place), None), None)
            } else {
                let results = caught(until_first(results, span));
                (Doing::Executing(results, None), Some((counted.goes_on(), place)))
            }
        };
        // Most sockets have one, and nobody else pays for those that have more.
        self.operations.reserve_exact(1);
        self.operations.push(Running { id, kind, has_begun: false, doing, untold: None, held });
    }

    /// Stops an operation; nothing more comes of it. A mutation runs on, unheard.
    pub(super) fn stop(&mut self, id: &OperationId) {
        self.operations.retain(|running| running.id != *id);
    }

    /// Stops everything but mutations.
    pub(super) fn stop_all_but_mutations(&mut self) {
        self.operations.retain(|running| running.kind == OperationType::Mutation);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// Lets each operation come as far as it can without having told what it has come to.
    pub(super) async fn advance(&mut self) {
        poll_fn(|context| {
            self.poll_advance(context);
            Poll::Ready(())
        })
        .await;
    }

    /// The next thing that comes of any operation, where there is room to tell it; never, while there is none or none runs.
    /// Meanwhile all go on. May be dropped and called again.
    pub(super) async fn next(&mut self, has_room: bool) -> (OperationId, Progress) {
        poll_fn(|context| {
            self.poll_advance(context);
            let told = has_room.then(|| self.tell_one()).flatten();
            told.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    fn poll_advance(&mut self, context: &mut Context<'_>) {
        for running in &mut self.operations {
            if running.untold.is_none()
                && let Poll::Ready(reached) = running.poll_result(context)
            {
                running.untold = Some(Box::new(reached));
            }
        }
    }

    fn tell_one(&mut self) -> Option<(OperationId, Progress)> {
        let index = self.operations.iter().position(|running| running.untold.is_some())?;
        // Whoever had its turn goes to the end, so that a busy operation does not starve the others.
        let mut running = self.operations.remove(index);
        let (id, reached) = (running.id.clone(), running.untold.take()?);
        let progress = running.progress(*reached);
        if matches!(progress, Progress::Next(_)) {
            self.operations.push(running);
        }
        Some((id, progress))
    }
}

impl Doing {
    fn execute(
        subscribed: Box<Subscribed>,
        continuation: Continuation,
        gate: impl FnOnce(BoxStream<'static, Response>) -> BoxStream<'static, Response>,
        span: Span,
    ) -> Self {
        let request = subscribed.operation.request().data(continuation.clone());
        let results = gate(subscribed.schema.execute_stream(request, subscribed.session.clone()));
        Self::Executing(caught(until_first(results, span)), Some((continuation, subscribed)))
    }

    /// After its results have ended: asleep, where it left something that wakes it.
    fn rest(self) -> Self {
        let Self::Executing(results, Some((continuation, subscribed))) = self else { return Self::Over };
        drop(results);
        match continuation.into_asleep() {
            Some(asleep) => Self::Sleeping(AssertUnwindSafe(asleep).catch_unwind(), subscribed),
            None => Self::Over,
        }
    }

    fn wake(self, awake: Awake) -> Self {
        match self {
            // What wakes it has a span of its own.
            Self::Sleeping(_, subscribed) => {
                // What it has to tell was read already.
                Self::execute(subscribed, Continuation::woken_with(awake), |results| results, Span::none())
            }
            other => other,
        }
    }
}

impl Running {
    fn poll_result(&mut self, context: &mut Context<'_>) -> Poll<Reached> {
        loop {
            match &mut self.doing {
                Doing::Executing(results, _) => match ready!(results.poll_next_unpin(context)) {
                    None => self.doing = mem::replace(&mut self.doing, Doing::Over).rest(),
                    // It may wait for long until the client reads.
                    Some(Ok(response)) => return Poll::Ready(Some(Ok(answer::bounded_refusal(response)))),
                    panicked => return Poll::Ready(panicked),
                },
                Doing::Sleeping(asleep, _) => match ready!(asleep.poll_unpin(context)) {
                    Ok(awake) => self.doing = mem::replace(&mut self.doing, Doing::Over).wake(awake),
                    Err(_payload) => {
                        self.doing = Doing::Over;
                        return Poll::Ready(Some(Err(Panicked)));
                    }
                },
                Doing::Over => return Poll::Ready(None),
            }
        }
    }

    /// Whether nothing follows what it has just come to, as far as that is known.
    fn is_last(&self) -> bool {
        match &self.doing {
            Doing::Executing(_, Some((continuation, _))) => !continuation.is_asleep(),
            Doing::Executing(_, None) => self.kind != OperationType::Subscription,
            Doing::Sleeping(..) => false,
            Doing::Over => true,
        }
    }

    fn progress(&mut self, result: Reached) -> Progress {
        let is_last = self.is_last();
        if let Some((counted, _place)) = &mut self.held {
            counted.hear(result.as_ref(), is_last);
        }
        let is_first = !std::mem::replace(&mut self.has_begun, true);
        match result {
            None => Progress::Complete,
            Some(Err(Panicked)) => Progress::Panicked,
            Some(Ok(response)) => {
                // A subscription whose source cannot be opened is a failed request (specification, section
                // 6.2.3.1); async-graphql gives it the path of the field, as if it had been executed.
                let has_no_source = is_first
                    && self.kind == OperationType::Subscription
                    && response.data == Value::Null
                    && !response.errors.is_empty();
                match Outcome::from(response) {
                    refused @ Outcome::Refused(_) => Progress::Failed(refused),
                    executed if has_no_source => Progress::Failed(executed),
                    executed => Progress::Next(executed),
                }
            }
        }
    }
}

fn caught(
    results: impl Stream<Item = Response> + Send + 'static,
) -> BoxStream<'static, Result<Response, Panicked>> {
    AssertUnwindSafe(results).catch_unwind().map(|result| result.map_err(|_payload| Panicked)).boxed()
}

/// Has a span around the first result. A subscription waits for minutes for the next ones.
fn until_first(
    mut results: BoxStream<'static, Response>,
    span: Span,
) -> impl Stream<Item = Response> + Send + 'static {
    let mut span = Some(span);
    stream::poll_fn(move |context| {
        let polled = match &span {
            Some(span) => span.in_scope(|| results.poll_next_unpin(context)),
            None => results.poll_next_unpin(context),
        };
        if polled.is_ready() {
            span = None;
        }
        polled
    })
}

/// The one result of what is no subscription.
async fn only(mut results: BoxStream<'static, Response>) -> Response {
    results.next().await.unwrap_or_default()
}

fn in_a_task(
    result: impl Future<Output = Response> + Send + 'static,
    state: &HttpState,
    place: Place,
) -> BoxStream<'static, Result<Response, Panicked>> {
    let task = state.tasks.spawn(async move {
        let response = result.await;
        drop(place);
        response
    });
    stream::once(task.map(|joined| joined.map_err(|_panicked| Panicked))).boxed()
}

#[cfg(test)]
mod tests {
    use async_graphql::{Response, parser::types::OperationType};
    use futures_util::{StreamExt as _, stream};

    use super::{Doing, Running, RunningOperations, SocketMemory};
    use crate::http::PerAddress;

    #[tokio::test]
    async fn operations_that_always_have_something_take_turns() {
        let memory = SocketMemory::new(0, PerAddress::new(0), None);
        let mut running = RunningOperations::new(2, memory);
        for id in ["a", "b"] {
            running.operations.push(Running {
                id: serde_json::from_value(id.into()).unwrap(),
                kind: OperationType::Subscription,
                has_begun: false,
                doing: Doing::Executing(stream::repeat_with(|| Ok(Response::default())).boxed(), None),
                untold: None,
                held: None,
            });
        }
        let mut turns = String::new();
        for _ in 0..6 {
            turns += running.next(true).await.0.as_str();
        }
        assert_eq!(turns, "ababab");
    }
}
