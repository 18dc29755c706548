//! The service, joined from its parts.

use std::{
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::Context as _;
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::{net::TcpListener, task::JoinSet, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    approvals::{ApprovalDependencies, Approvals, CallbackOutcome, IncomingCallback},
    background::{Driver, Statuses, Task},
    clock::Clock,
    config::Settings,
    events::{Carrier, Events},
    graphql::{self, Api},
    housekeeping::{
        DeleteAccountEvents, DeleteApprovals, DeleteDevices, DeleteFailedAttempts, DeleteRateLimits,
        DeleteSessions, DeleteSmsConversions, DeleteUsedCodes, Retention,
    },
    http::{
        Admission, Authenticated, Authenticator, Callback, CallbackAnswer, Callbacks, Documents, Health,
        HttpParts, HttpSettings, InputTypes, Listener, PerAddress, Readiness, ReadinessProbe, Unavailable,
        router,
    },
    limits::Limits,
    logins::Logins,
    provider::{Providers, guarded::SharedPauses},
    random,
    sessions::Sessions,
    storage::Store,
    timekeeping::TimeKeeping,
    users::{Passwords, UserDependencies, Users},
};

/// No provider requests a longer pause: what is read of its answers is cut to that.
const LONGEST_SHARED_PAUSE: TimeDelta = TimeDelta::hours(1);

/// The service, built but not serving.
pub struct App {
    api: Api,
    carrier: Carrier,
    background: Driver,
    periodic: Vec<Box<dyn Task>>,
    time_keeping: TimeKeeping,
    readiness: ReadinessProbe,
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
    pub async fn build(settings: Settings, store: Store, clock: Clock) -> anyhow::Result<Self> {
        let (events, carrier) = Events::over(settings.events, &store);
        let tasks = TaskTracker::new();
        let pauses: Arc<dyn SharedPauses> =
            Arc::new(StoredPauses { store: store.clone(), clock: clock.clone() });
        let timeout = settings.logins.provider_timeout;
        let providers = Providers::from_settings(settings.providers, &pauses, &clock, timeout)?;
        let limits = Limits::new(store.clone(), clock.clone(), settings.limits);
        let passwords = Passwords::new(settings.passwords)?;
        let email_key =
            store.find_email_key().await?.context("the table `keys` is empty; run `countersign migrate`")?;
        let users = Users::new(UserDependencies {
            store: store.clone(),
            passwords,
            limits: limits.clone(),
            clock: clock.clone(),
            tasks: tasks.clone(),
            email_key: email_key.clone(),
        });
        let idle_ttl = settings.logins.session_idle_ttl;
        let sessions = Sessions::new(store.clone(), clock.clone(), events.clone(), tasks.clone(), idle_ttl);
        let time_keeping = TimeKeeping::new(store.clone(), clock.clone());
        let can_serve =
            CanServe { store: store.clone(), clock: clock.clone(), has_failed: AtomicBool::new(false) };
        let readiness = ReadinessProbe::new(Arc::new(can_serve), tasks.clone());
        let parts = ApprovalDependencies {
            store: store.clone(),
            providers: providers.clone(),
            clock: clock.clone(),
            events: events.clone(),
            limits,
        };
        let approvals = Arc::new(Approvals::new(parts, settings.logins));
        let periodic =
            periodic_tasks(&store, settings.retention, &approvals, &sessions, (&events, providers));
        let background = Driver::new(store.clone(), clock.clone());
        let logins = Logins::new(approvals, store, clock, tasks.clone(), email_key);
        let mut http = settings.http;
        http.listener.drain_timeout = settings.shutdown_timeout;
        http.graphql.root_fields = graphql::ROOT_FIELDS;
        Ok(Self {
            api: Api { users, sessions, logins },
            carrier,
            background,
            periodic,
            time_keeping,
            readiness,
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

    /// The health of the service until that ending, for the operator's listener.
    #[must_use]
    pub fn health(&self, ending: &Ending) -> Health {
        let (leaving, shutdown) = (ending.announced.clone(), ending.begun.clone());
        Health { probe: self.readiness.clone(), leaving, shutdown }
    }

    /// The statuses of the periodic tasks, for the operator's listener.
    #[must_use]
    pub fn background(&self) -> Statuses {
        self.background.statuses()
    }

    /// Serves until its ending has begun, and until what runs then has ended, or its time is up.
    pub async fn serve(self, socket: TcpListener, ending: Ending) -> anyhow::Result<()> {
        let Self {
            api,
            carrier,
            background,
            mut periodic,
            mut time_keeping,
            readiness,
            tasks,
            http,
            second_socket,
        } = self;
        // Deadlines and limits of all instances go by the database's time: without it nothing may begin.
        time_keeping.measure_first(&ending.begun).await;
        let drain_timeout = http.listener.drain_timeout;
        let listener = Listener::over(socket, &http)?;
        let second = second_socket.map(|socket| Listener::over(socket, &http)).transpose()?;
        let Ending { announced, begun } = ending;
        api.logins.approvals.start_tasks(&tasks, &begun);
        periodic.push(Box::new(time_keeping));
        background.start(periodic, &tasks, &begun);
        let schema = graphql::schema(api.clone(), http.graphql.introspection);
        let inputs = InputTypes::of(&schema.sdl());
        let router = router(HttpParts {
            schema: Arc::new(schema),
            authenticator: Arc::new(api.sessions),
            callbacks: api.logins.approvals.clone(),
            readiness,
            admission: Admission::new(http.graphql.admission),
            sockets: PerAddress::new(http.websocket.max_per_address),
            socket_memory: PerAddress::new(http.websocket.max_bytes_per_address),
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

/// All periodic tasks but the one that measures the time: it has to run once before the others may start.
fn periodic_tasks(
    store: &Store,
    retention: Retention,
    approvals: &Approvals,
    sessions: &Sessions,
    (events, providers): (&Events, Providers),
) -> Vec<Box<dyn Task>> {
    let store = || store.clone();
    let polling = approvals.polling().map(|task| -> Box<dyn Task> { Box::new(task) });
    let others: Vec<Box<dyn Task>> = vec![
        Box::new(approvals.expiring()),
        Box::new(events.catch_up("catch_up_approvals", approvals.clone())),
        Box::new(events.catch_up("catch_up_sessions", sessions.clone())),
        Box::new(providers),
        Box::new(DeleteApprovals { store: store(), retention }),
        Box::new(DeleteSessions { store: store(), retention }),
        Box::new(DeleteAccountEvents { store: store(), retention }),
        Box::new(DeleteDevices { store: store() }),
        Box::new(DeleteFailedAttempts { store: store() }),
        Box::new(DeleteRateLimits::new(store())),
        Box::new(DeleteSmsConversions { store: store() }),
        Box::new(DeleteUsedCodes { store: store() }),
    ];
    polling.chain(others).collect()
}

/// The pauses that the provider requested, as turns in the database.
struct StoredPauses {
    store: Store,
    clock: Clock,
}

#[async_trait]
impl SharedPauses for StoredPauses {
    async fn extend(&self, name: &str, until: DateTime<Utc>) -> Result<(), Box<dyn Error + Send + Sync>> {
        let farthest = self.clock.now() + LONGEST_SHARED_PAUSE;
        Ok(self.store.extend_turn(name, until, farthest).await?)
    }

    async fn read(
        &self,
        names: &[&str],
    ) -> Result<Vec<(String, DateTime<Utc>)>, Box<dyn Error + Send + Sync>> {
        Ok(self.store.find_turns(names).await?)
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
            let on_use = self.use_recorder(session);
            Authenticated::new(signed_in, on_use, async move { sessions.wait_for_end(session).await })
        }))
    }
}

#[async_trait]
impl Callbacks for Approvals {
    fn has(&self, provider: &str) -> bool {
        self.has_callback(provider)
    }

    async fn handle(&self, provider: &str, callback: Callback) -> CallbackAnswer {
        let Callback { method, headers, query, body } = &callback;
        match self.handle_callback(provider, &IncomingCallback { method, headers, query, body }).await {
            CallbackOutcome::Accepted => CallbackAnswer::Accepted,
            CallbackOutcome::Refused | CallbackOutcome::UnknownProvider => CallbackAnswer::Refused,
        }
    }
}

/// What a login needs of the service: that it knows the time, and that the database takes what is written.
struct CanServe {
    store: Store,
    clock: Clock,
    /// Whether the last probe failed, so that a change is logged once.
    has_failed: AtomicBool,
}

#[async_trait]
impl Readiness for CanServe {
    async fn is_ready(&self) -> bool {
        if self.store.is_shared() && !self.clock.is_following() {
            return false;
        }
        let probed = self.store.probe_write().await;
        let had_failed = self.has_failed.swap(probed.is_err(), Ordering::Relaxed);
        match &probed {
            Err(error) if !had_failed => {
                let cause = std::error::Error::source(error).map(ToString::to_string);
                tracing::warn!(%error, cause, "not ready: the database takes no writes");
            }
            Ok(()) if had_failed => tracing::info!("ready again: the database takes writes"),
            _ => {}
        }
        probed.is_ok()
    }
}
