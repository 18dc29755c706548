//! One socket, from its first message to its farewell.
//!
//! A single loop reacts to one event at a time. The invariant: it hears and tells only while nothing waits to be
//! written, so that nothing piles up for a peer which does not read. Operations that have begun come to their next
//! result whatever the peer does, and stand still there until it is told. While nothing happens the loop does nothing
//! but ping.

use std::{
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use async_graphql::{Data, ServerError};
use axum::extract::ws::{Message, WebSocket};
use futures_util::{
    FutureExt as _, StreamExt as _,
    future::{self, BoxFuture},
    stream::SplitStream,
};
use serde_json::{Map, Value};
use tokio::time::{Interval, Sleep, sleep, timeout};
use tokio_util::sync::WaitForCancellationFutureOwned;
use zeroize::Zeroizing;

use super::{
    close::Close,
    idle::Idleness,
    memory::SocketMemory,
    open::OpenSocket,
    outgoing::Outgoing,
    pings,
    protocol::{ClientMessage, OperationId, ServerMessage},
    running::{Progress, RunningOperations, Shared},
};
use crate::graphql::{ClientBrowser, TokenDelivery};
use crate::http::{
    admission::{TooMuch, Work},
    answer::{self, Outcome},
    client_address::ClientAddress,
    counted::Counted,
    execution::Transport,
    listener::ConnectionGuard,
    operation::{Operation, Parameters},
    request_id::{RequestId, log_panic},
    requester::{Authenticated, LiveSession, Unavailable, bearer_of_payload},
    state::HttpState,
};

/// What a socket keeps of the request that it began with.
pub(super) struct Handshake {
    pub(super) request_id: RequestId,
    pub(super) client: Option<ClientAddress>,
    pub(super) browser: Option<ClientBrowser>,
    /// The token that the upgrade request carried. Counts where `connection_init` brings no bearer.
    pub(super) token: Option<Zeroizing<String>>,
    /// Whether sessions that are opened here live in a cookie: then their tokens are not told.
    pub(super) keeps_in_cookie: bool,
    /// Counts the connection, and says when it has to end.
    pub(super) guard: Option<Arc<ConnectionGuard>>,
}

/// How far the handshake of the protocol has come.
enum Phase {
    /// `connection_init` has not come.
    Expected,
    /// It has come, and its bearer is being looked up.
    Authenticating(BoxFuture<'static, Result<Option<Authenticated>, Unavailable>>),
    /// `connection_ack` was sent; the future completes when the session ends.
    Acknowledged(Arc<Data>, LiveSession),
}

enum Event {
    ShuttingDown,
    Evicted,
    SessionEnded,
    Authenticated(Result<Option<Authenticated>, Unavailable>),
    InitTimeout,
    PingDue,
    Flushed(Result<(), axum::Error>),
    Heard(Option<Result<Message, axum::Error>>),
    Progressed(OperationId, Progress),
}

/// How a conversation ended.
enum End {
    /// The peer has gone, or nothing reaches it.
    Gone,
    /// The server closes the socket.
    Closed(Close),
}

pub(super) struct Connection {
    state: HttpState,
    handshake: Handshake,
    outgoing: Outgoing,
    incoming: SplitStream<WebSocket>,
    phase: Phase,
    /// Until `connection_init` was acknowledged.
    init_timeout: Option<Pin<Box<Sleep>>>,
    pings: Interval,
    /// Whether anything was heard since the last ping.
    was_heard: bool,
    /// Whether the incoming half broke: the peer's farewell cannot be read.
    is_deaf: bool,
    operations: RunningOperations,
    idleness: Idleness,
    counted: OpenSocket,
}

impl Connection {
    pub(super) fn new(socket: WebSocket, state: HttpState, handshake: Handshake) -> Self {
        let (sink, incoming) = socket.split();
        let settings = &state.settings.websocket;
        let address = handshake.client.map(|client| client.0);
        let memory = SocketMemory::new(settings.max_bytes, state.socket_memory.clone(), address);
        Self {
            outgoing: Outgoing::new(sink),
            incoming,
            phase: Phase::Expected,
            init_timeout: Some(Box::pin(sleep(settings.init_timeout))),
            pings: pings::every(settings.ping_interval),
            was_heard: true,
            is_deaf: false,
            operations: RunningOperations::new(settings.max_operations, memory),
            idleness: Idleness::begin(handshake.guard.clone()),
            counted: OpenSocket::begin(),
            state,
            handshake,
        }
    }

    /// Talks until either side has had enough.
    pub(super) async fn serve(mut self) {
        // One future for the life of the socket. To wait anew with each event moves it in the list of all that wait, and so
        // touches the memory of its neighbours there.
        let mut shutdown = pin!(self.state.shutdown.clone().cancelled_owned());
        let end = loop {
            let event = self.next_event(shutdown.as_mut()).await;
            if let Err(end) = self.react(event) {
                break end;
            }
            self.idleness.note(!self.operations.is_empty());
        };
        let End::Closed(close) = end else { return };
        self.counted.close(&close);
        self.stop_polling();
        let settings = &self.state.settings;
        match close {
            // What runs may take as long as everything else that is to finish, but for the farewell.
            Close::ShuttingDown => {
                let farewell = settings.websocket.closing_timeout;
                self.finish_mutations(settings.listener.drain_timeout.saturating_sub(farewell)).await;
            }
            // Another client waits for the place.
            Close::Evicted => return self.say_goodbye_at_once(&close),
            Close::SessionEnded => self.finish_mutations(settings.websocket.closing_timeout).await,
            _ => {}
        }
        self.say_farewell(&close).await;
    }

    /// Endings first, so that a session which is over is not served once more.
    async fn next_event(&mut self, shutdown: Pin<&mut WaitForCancellationFutureOwned>) -> Event {
        // Nor does a peer that never stops talking keep its operations where they are.
        self.operations.advance().await;
        let is_flushed = self.outgoing.is_flushed();
        tokio::select! {
            biased;
            () = shutdown => Event::ShuttingDown,
            () = self.idleness.evicted() => Event::Evicted,
            event = self.phase.next_event() => event,
            () = elapsed(&mut self.init_timeout) => Event::InitTimeout,
            _ = self.pings.tick() => Event::PingDue,
            flushed = self.outgoing.flush(), if !is_flushed => Event::Flushed(flushed),
            heard = self.incoming.next(), if is_flushed => Event::Heard(heard),
            (id, progress) = self.operations.next(is_flushed) => Event::Progressed(id, progress),
        }
    }

    fn react(&mut self, event: Event) -> Result<(), End> {
        match event {
            Event::ShuttingDown => Err(End::Closed(Close::ShuttingDown)),
            Event::Evicted => Err(End::Closed(Close::Evicted)),
            Event::SessionEnded => Err(End::Closed(Close::SessionEnded)),
            Event::Authenticated(outcome) => self.acknowledge(outcome),
            Event::InitTimeout => Err(End::Closed(match self.phase {
                Phase::Expected => Close::InitTimeout,
                Phase::Authenticating(_) | Phase::Acknowledged(..) => Close::Unavailable,
            })),
            Event::PingDue => self.ping(),
            Event::Flushed(flushed) => flushed.map_err(|_| End::Gone),
            Event::Heard(None) => Err(End::Gone),
            Event::Heard(Some(Ok(message))) => self.hear(&message),
            Event::Heard(Some(Err(error))) => {
                self.is_deaf = true;
                Err(Close::of_error(error).map_or(End::Gone, End::Closed))
            }
            Event::Progressed(id, progress) => {
                self.tell_progress(&id, &progress);
                Ok(())
            }
        }
    }

    fn hear(&mut self, message: &Message) -> Result<(), End> {
        self.was_heard = true;
        match message {
            Message::Text(text) if text.len() > self.state.settings.websocket.message_limit_bytes => {
                Err(End::Closed(Close::TooLarge))
            }
            Message::Text(text) => match serde_json::from_str(text) {
                Ok(message) => self.obey(message),
                Err(_nonsense) => Err(End::Closed(Close::Nonsense)),
            },
            Message::Binary(_) => Err(End::Closed(Close::Nonsense)),
            // The library below has prepared its answer, and after a close it ends the stream by itself.
            Message::Ping(_) | Message::Close(_) => {
                self.outgoing.flush_needed();
                Ok(())
            }
            Message::Pong(_) => Ok(()),
        }
    }

    fn obey(&mut self, message: ClientMessage) -> Result<(), End> {
        match message {
            ClientMessage::ConnectionInit { payload } => self.initialise(payload.as_ref()),
            ClientMessage::Ping { payload } => {
                self.tell(&ServerMessage::Pong { payload });
                Ok(())
            }
            ClientMessage::Pong { .. } => Ok(()),
            ClientMessage::Subscribe { id, payload } => self.subscribe(id, payload),
            ClientMessage::Complete { id } => {
                self.operations.stop(&id);
                Ok(())
            }
        }
    }

    fn initialise(&mut self, payload: Option<&Map<String, Value>>) -> Result<(), End> {
        if !matches!(self.phase, Phase::Expected) {
            return Err(End::Closed(Close::SecondInit));
        }
        let carried = self.handshake.token.take();
        let bearer = payload.and_then(bearer_of_payload).map(|bearer| Zeroizing::new(bearer.to_owned()));
        let Some(token) = bearer.or(carried) else {
            return self.acknowledge(Ok(None));
        };
        let (state, client) = (self.state.clone(), self.handshake.client);
        let found = async move {
            let _permit = state.admission.permit(client, Work::Statements).await.map_err(|_| Unavailable)?;
            state.authenticator.authenticate(&token).await
        };
        self.phase = Phase::Authenticating(found.boxed());
        Ok(())
    }

    fn acknowledge(&mut self, outcome: Result<Option<Authenticated>, Unavailable>) -> Result<(), End> {
        let authenticated = outcome.map_err(|_| End::Closed(Close::Unavailable))?;
        let mut data = Data::default();
        data.insert(Transport::Socket);
        if self.handshake.keeps_in_cookie {
            data.insert(TokenDelivery::Withheld);
        }
        data.insert(self.handshake.request_id.clone());
        if let Some(client) = self.handshake.client {
            data.insert(client);
        }
        if let Some(browser) = self.handshake.browser.take() {
            data.insert(browser);
        }
        let session = match authenticated {
            Some(authenticated) => authenticated.insert_into(&mut data),
            None => LiveSession::none(),
        };
        self.phase = Phase::Acknowledged(Arc::new(data), session);
        self.init_timeout = None;
        self.tell(&ServerMessage::ConnectionAck);
        Ok(())
    }

    fn subscribe(&mut self, id: OperationId, parameters: Parameters) -> Result<(), End> {
        let Phase::Acknowledged(data, session) = &self.phase else {
            return Err(End::Closed(Close::NotAcknowledged));
        };
        if id.as_str().len() > OperationId::MAX_BYTES {
            return Err(End::Closed(Close::IdTooLong));
        }
        if self.operations.has(&id) {
            return Err(End::Closed(Close::DuplicateId(id)));
        }
        let Some(slot) = self.operations.slot() else {
            let message = "Too many operations run on this socket: complete one first.";
            self.refuse(&id, answer::error("TOO_MANY_OPERATIONS", message));
            return Ok(());
        };
        let prepared = Operation::prepare(parameters, &self.state.settings.graphql, &self.state.documents);
        let counted = prepared.and_then(|operation| {
            let counted = self.state.admission.count(self.handshake.client, operation.demand);
            counted.map(|()| operation).map_err(TooMuch::into_error)
        });
        match counted {
            Ok(operation) => {
                let Some(place) = self.operations.place(slot, &id, &operation) else {
                    let message = "Your sockets keep too much: complete an operation first, or send less with this one.";
                    self.refuse(&id, answer::error("SOCKET_MEMORY_LIMIT", message));
                    return Ok(());
                };
                session.record_use();
                let shared = Shared { session: data.clone(), client: self.handshake.client };
                self.operations.begin((id, operation), &self.state, shared, place);
            }
            Err(error) => self.refuse(&id, error),
        }
        Ok(())
    }

    /// Rejects an operation before it begins.
    fn refuse(&mut self, id: &OperationId, error: ServerError) {
        Counted::unread(Transport::Socket);
        self.tell_progress(id, &Progress::Failed(Outcome::refused(error)));
    }

    /// A round without any sign of the peer is one too many: it is dead, or does not read.
    fn ping(&mut self) -> Result<(), End> {
        if !std::mem::take(&mut self.was_heard) {
            return Err(End::Closed(Close::Silent));
        }
        if self.idleness.is_overdue(&self.state.settings.websocket) {
            return Err(End::Closed(Close::Idle));
        }
        if self.outgoing.is_flushed() {
            self.outgoing.push(Message::Ping(axum::body::Bytes::new()));
        }
        Ok(())
    }

    fn tell_progress(&mut self, id: &OperationId, progress: &Progress) {
        match progress {
            Progress::Next(outcome) => self.tell(&ServerMessage::Next { id, payload: outcome.result() }),
            Progress::Failed(outcome) => self.tell(&ServerMessage::Error { id, payload: outcome.errors() }),
            Progress::Complete => self.tell(&ServerMessage::Complete { id }),
            Progress::Panicked => {
                log_panic("a GraphQL operation", &self.handshake.request_id);
                let internal = answer::internal_error(&self.handshake.request_id);
                self.tell(&ServerMessage::Error { id, payload: &[internal] });
            }
        }
    }

    fn tell(&mut self, message: &ServerMessage<'_>) {
        match serde_json::to_string(message) {
            Ok(text) => self.outgoing.push(Message::text(text)),
            Err(error) => tracing::error!(%error, "A message to a socket could not be written as JSON."),
        }
    }

    /// Drops what waits for the database: nobody goes on with it during the farewell, and what it holds is others' to use.
    fn stop_polling(&mut self) {
        self.operations.stop_all_but_mutations();
        self.phase = Phase::Expected;
    }

    /// Lets mutations that have begun end and tells what came of them: a `logout` ends the session of its own
    /// socket, and still wants its answer.
    async fn finish_mutations(&mut self, limit: Duration) {
        let finished = async {
            while !self.operations.is_empty() {
                let (id, progress) = self.operations.next(true).await;
                self.tell_progress(&id, &progress);
            }
        };
        if timeout(limit, finished).await.is_err() {
            tracing::debug!("A socket closes while its mutations still run; they end unheard.");
        }
    }

    /// Says why, as far as the system takes it at once, and waits for nothing.
    fn say_goodbye_at_once(&mut self, close: &Close) {
        self.outgoing.push(Message::Close(Some(close.frame())));
        let _unless_it_is_blocked = self.outgoing.flush().now_or_never();
    }

    /// Says why, and gives the peer time to hear it: a connection that is dropped while something unread lies
    /// in it is reset, and takes the reason with it.
    async fn say_farewell(&mut self, close: &Close) {
        let limit = self.state.settings.websocket.closing_timeout;
        self.outgoing.push(Message::Close(Some(close.frame())));
        let farewell = async {
            if self.outgoing.flush().await.is_ok() {
                while let Some(Ok(_unheard)) = self.incoming.next().await {}
                if self.is_deaf {
                    future::pending::<()>().await;
                }
            }
        };
        if timeout(limit, farewell).await.is_err() {
            tracing::debug!("A socket was dropped without its peer's farewell.");
        }
    }
}

/// Completes at the time, if there is one.
async fn elapsed(time: &mut Option<Pin<Box<Sleep>>>) {
    match time {
        Some(time) => time.await,
        None => future::pending().await,
    }
}

impl Phase {
    /// What the handshake or the session comes to; never, where nothing is awaited.
    async fn next_event(&mut self) -> Event {
        match self {
            Self::Expected => future::pending().await,
            Self::Authenticating(outcome) => Event::Authenticated(outcome.await),
            Self::Acknowledged(_, session) => {
                (&mut session.ended).await;
                Event::SessionEnded
            }
        }
    }
}
