//! The service, joined from its parts.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    clock::Clock,
    config::Settings,
    events::Events,
    graphql::{self, Api},
    http::{
        Authenticated, Authenticator, Callback, CallbackAnswer, Callbacks, GraphqlSettings, HttpSettings,
        HttpState, Listener, Readiness, Unavailable, router,
    },
    logins::{Hearing, IncomingCallback, Logins},
    provider::authy::{Authy, AuthyConfig},
    random,
    sessions::Sessions,
    storage::Store,
    users::{Passwords, Users},
};

/// The service, built but not serving.
pub struct App {
    api: Api,
    tasks: TaskTracker,
    http: HttpSettings,
}

impl App {
    /// Joins the parts. Nothing runs yet but the threads that hash passwords.
    pub fn build(settings: Settings, store: Store, clock: Clock) -> anyhow::Result<Self> {
        let (events, tasks) = (Events::default(), TaskTracker::new());
        let authy = Authy::new(AuthyConfig {
            api_key: settings.authy.api_key,
            api_url: settings.authy.api_url,
            callback_url: settings.authy.callback_url,
            timeout: settings.logins.provider_timeout,
            logos: settings.authy.logos,
        })?;
        let users = Users::new(store.clone(), Passwords::new(settings.passwords)?, tasks.clone());
        let sessions = Sessions::new(store.clone(), clock.clone(), events.clone());
        let logins = Logins::new(store, Arc::new(authy), clock, events, settings.logins);
        let graphql = GraphqlSettings { graphiql: settings.graphiql, ..GraphqlSettings::default() };
        let http = HttpSettings { graphql, ..HttpSettings::default() };
        Ok(Self { api: Api { users, sessions, logins }, tasks, http })
    }

    /// Serves until `shutdown`, and until what runs then has ended, or its time is up.
    pub async fn serve(self, socket: TcpListener, shutdown: CancellationToken) -> anyhow::Result<()> {
        let Self { api, tasks, http } = self;
        let drain_timeout = http.listener.drain_timeout;
        let listener = Listener::over(socket, http.listener.clone())?;
        api.logins.start(&tasks, &shutdown);
        let router = router(HttpState {
            schema: Arc::new(graphql::schema(api.clone())),
            authenticator: Arc::new(api.sessions),
            callbacks: Arc::new(api.logins.clone()),
            readiness: Arc::new(api.logins),
            settings: Arc::new(http),
            tasks: tasks.clone(),
            shutdown: shutdown.clone(),
            request_id: || uuid::Uuid::from_bytes(random::bytes()).simple().to_string(),
        });
        listener.serve(router, shutdown).await;
        tasks.close();
        if tokio::time::timeout(drain_timeout, tasks.wait()).await.is_err() {
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
