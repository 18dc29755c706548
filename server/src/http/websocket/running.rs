//! The operations that run on one socket.
//!
//! They are polled by the socket's own task, in turn, and only when there is room to write. Mutations run in
//! tasks of their own, so that a peer that hangs up does not stop them half-way; each holds its slot until it
//! has ended, so that hanging up does not make room for more.

use std::{
    future::poll_fn,
    panic::AssertUnwindSafe,
    sync::Arc,
    task::{Context, Poll},
};

use async_graphql::{Data, Response, Value, parser::types::OperationType};
use futures_util::{
    FutureExt as _, StreamExt as _,
    stream::{self, BoxStream},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::Instrument as _;

use super::protocol::OperationId;
use crate::http::{
    answer::Outcome, counted::Counted, execution::Transport, operation::Operation, state::HttpState,
};

/// An operation panicked.
pub(super) struct Panicked;

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
    results: BoxStream<'static, Result<Response, Panicked>>,
}

/// The operations of one socket, at most as many as there are slots.
pub(super) struct RunningOperations {
    operations: Vec<Running>,
    slots: Arc<Semaphore>,
}

impl RunningOperations {
    pub(super) fn new(max_operations: usize) -> Self {
        Self { operations: Vec::new(), slots: Arc::new(Semaphore::new(max_operations)) }
    }

    pub(super) fn has(&self, id: &OperationId) -> bool {
        self.operations.iter().any(|running| running.id == *id)
    }

    /// A place for one more operation; `None`: there is none.
    pub(super) fn slot(&self) -> Option<OwnedSemaphorePermit> {
        self.slots.clone().try_acquire_owned().ok()
    }

    /// Begins an operation in the place that was taken for it.
    pub(super) fn begin(
        &mut self,
        (id, operation): (OperationId, Operation),
        state: &HttpState,
        session: Arc<Data>,
        slot: OwnedSemaphorePermit,
    ) {
        let kind = operation.kind;
        let counted = Counted::begin(operation.name, kind, Transport::Socket);
        let results = counted.follow(state.schema.execute_stream(operation.request, session));
        let results = match kind {
            OperationType::Mutation => in_a_task(results, state, slot),
            OperationType::Query | OperationType::Subscription => AssertUnwindSafe(results)
                .catch_unwind()
                .map(move |result| {
                    let _held_as_long_as_the_stream = &slot;
                    result.map_err(|_payload| Panicked)
                })
                .boxed(),
        };
        self.operations.push(Running { id, kind, has_begun: false, results });
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

    /// The next thing that comes of any operation; never, while none runs. May be dropped and called again.
    pub(super) async fn next(&mut self) -> (OperationId, Progress) {
        poll_fn(|context| self.poll_next(context)).await
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<(OperationId, Progress)> {
        for index in 0..self.operations.len() {
            let Poll::Ready(result) = self.operations[index].results.poll_next_unpin(context) else {
                continue;
            };
            // Whoever had its turn goes to the end, so that a busy operation does not starve the others.
            let mut running = self.operations.remove(index);
            let id = running.id.clone();
            let progress = running.progress(result);
            if matches!(progress, Progress::Next(_)) {
                self.operations.push(running);
            }
            return Poll::Ready((id, progress));
        }
        Poll::Pending
    }
}

impl Running {
    fn progress(&mut self, result: Option<Result<Response, Panicked>>) -> Progress {
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

fn in_a_task(
    mut results: BoxStream<'static, Response>,
    state: &HttpState,
    slot: OwnedSemaphorePermit,
) -> BoxStream<'static, Result<Response, Panicked>> {
    let task = async move {
        let response = results.next().await.unwrap_or_default();
        drop(slot);
        response
    };
    let task = state.tasks.spawn(task.in_current_span());
    stream::once(task.map(|joined| joined.map_err(|_panicked| Panicked))).boxed()
}

#[cfg(test)]
mod tests {
    use async_graphql::{Response, parser::types::OperationType};
    use futures_util::{StreamExt as _, stream};

    use super::{Running, RunningOperations};

    #[tokio::test]
    async fn operations_that_always_have_something_take_turns() {
        let mut running = RunningOperations::new(2);
        for id in ["a", "b"] {
            running.operations.push(Running {
                id: serde_json::from_value(id.into()).unwrap(),
                kind: OperationType::Subscription,
                has_begun: false,
                results: stream::repeat_with(|| Ok(Response::default())).boxed(),
            });
        }
        let mut turns = String::new();
        for _ in 0..6 {
            turns += running.next().await.0.as_str();
        }
        assert_eq!(turns, "ababab");
    }
}
