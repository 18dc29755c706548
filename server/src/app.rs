//! The service, joined from its parts.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::{net::TcpListener, task::JoinSet, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    clock::Clock,
    config::Settings,
    events::{Carrier, Events},
    graphql::{self, Api, ValidationMode},
    housekeeping::Housekeeping,
    http::{
        Admission, Authenticated, Authenticator, Callback, CallbackAnswer, Callbacks, Documents, HttpParts,
        HttpSettings, InputTypes, Listener, PerAddress, Readiness, Unavailable, Validating, router,
    },
    limits::Limits,
    logins::{Foundations, Hearing, IncomingCallback, Logins},
    provider::{
        authy::{Authy, AuthyConfig},
        measured::Measured,
    },
    random,
    sessions::Sessions,
    storage::Store,
    users::{Passwords, Users},
};

/// The service, built but not serving.
pub struct App {
    api: Api,
    carrier: Carrier,
    housekeeping: Housekeeping,
    tasks: TaskTracker,
    http: HttpSettings,
    second_socket: Option<TcpListener>,
}

/// When a service ends: first it only says so, then it does.
#[derive(Clone, Debug, Default)]
pub struct Ending {
    /// Cancelled when the service is about to end: it is not ready any longer, and still serves.
    pub announced: CancellationToken,
    /// Cancelled when it takes no further connection, and what runs is to finish.
    pub begun: CancellationToken,
}

impl App {
    /// Joins the parts. Nothing runs yet but the threads that hash passwords.
    pub fn build(settings: Settings, store: Store, clock: Clock) -> anyhow::Result<Self> {
        let (events, carrier) = Events::over(settings.events, &store);
        let tasks = TaskTracker::new();
        let authy = Authy::new(AuthyConfig {
            api_key: settings.authy.api_key,
            api_url: settings.authy.api_url,
            callback_url: settings.authy.callback_url,
            timeout: settings.logins.provider_timeout,
            logos: settings.authy.logos,
        })?;
        let limits = Limits::new(store.clone(), clock.clone(), settings.limits);
        let passwords = Passwords::new(settings.passwords)?;
        let users = Users::new(store.clone(), passwords, limits.clone(), clock.clone(), tasks.clone());
        let sessions = Sessions::new(store.clone(), clock.clone(), events.clone());
        let housekeeping = Housekeeping::new(store.clone(), clock.clone(), settings.retention);
        let provider = Arc::new(Measured(authy));
        let foundations = Foundations { store, provider, clock, events, limits };
        let logins = Arc::new(Logins::new(foundations, settings.logins));
        let mut http = settings.http;
        http.listener.drain_timeout = settings.shutdown_timeout;
        http.graphql.root_fields = graphql::ROOT_FIELDS;
        Ok(Self {
            api: Api { users, sessions, logins },
            carrier,
            housekeeping,
            tasks,
            http,
            second_socket: None,
        })
    }

    /// Serves on this socket too: the other address of a name that has two.
    #[must_use]
    pub fn also_on(self, socket: Option<TcpListener>) -> Self {
        Self { second_socket: socket, ..self }
    }

    /// Serves until its ending has begun, and until what runs then has ended, or its time is up.
    pub async fn serve(self, socket: TcpListener, ending: Ending) -> anyhow::Result<()> {
        let Self { api, carrier, housekeeping, tasks, http, second_socket } = self;
        let drain_timeout = http.listener.drain_timeout;
        let listener = Listener::over(socket, &http)?;
        let second = second_socket.map(|socket| Listener::over(socket, &http)).transpose()?;
        let Ending { announced, begun } = ending;
        api.logins.start(&tasks, &begun);
        api.sessions.start(&tasks, &begun);
        housekeeping.start(&tasks, &begun);
        let schema = |validation| graphql::schema(api.clone(), http.graphql.introspection, validation);
        let schema =
            Validating { strictly: schema(ValidationMode::Strict), fast: schema(ValidationMode::Fast) };
        let inputs = InputTypes::of(&schema.strictly.sdl());
        let router = router(HttpParts {
            schema: Arc::new(schema),
            authenticator: Arc::new(api.sessions),
            callbacks: api.logins.clone(),
            readiness: api.logins,
            admission: Admission::new(http.graphql.admission),
            sockets: PerAddress::new(http.websocket.max_per_address),
            documents: Documents::new(http.graphql.document, inputs),
            settings: http,
            tasks: tasks.clone(),
            leaving: announced,
            shutdown: begun.clone(),
            request_id: || uuid::Uuid::from_bytes(random::name()).simple().to_string(),
        });
        // To the last: what still runs may settle a login that another instance's watcher waits for.
        let mut carrying = JoinSet::new();
        carrying.spawn(carrier.run());
        let deadline = async {
            begun.cancelled().await;
            Instant::now() + drain_timeout
        };
        let serve_second = async {
            if let Some(second) = second {
                second.serve(router.clone(), begun.clone()).await;
            }
        };
        let ((), (), deadline) =
            tokio::join!(listener.serve(router.clone(), begun.clone()), serve_second, deadline);
        tasks.close();
        if tokio::time::timeout_at(deadline, tasks.wait()).await.is_err() {
            tracing::warn!("some work did not end in time");
        }
        Ok(())
    }
}

#[async_trait]
impl Authenticator for Sessions {
    async fn authenticate(&self, bearer: &str) -> Result<Option<Authenticated>, Unavailable> {
        let found = Self::authenticate(self, bearer).await.map_err(|error| {
            tracing::error!(%error, "a session cannot be read");
            Unavailable
        })?;
        Ok(found.map(|signed_in| {
            let (sessions, session) = (self.clone(), signed_in.session);
            Authenticated::new(signed_in, async move { sessions.wait_for_end(session).await })
        }))
    }
}

#[async_trait]
impl Callbacks for Logins {
    async fn hear(&self, callback: Callback) -> CallbackAnswer {
        let Callback { method, headers, query, body } = &callback;
        match Self::hear(self, &IncomingCallback { method, headers, query, body }).await {
            Hearing::Accepted => CallbackAnswer::Accepted,
            Hearing::Refused => CallbackAnswer::Refused,
        }
    }
}

#[async_trait]
impl Readiness for Logins {
    async fn is_ready(&self) -> bool {
        Self::is_ready(self).await
    }
}
