//! Being signed in: whose session a bearer opens, and ending it.
//!
//! Sessions are opened where logins are settled, in the same transaction. Nothing is cached here: a revoked session is
//! out at once.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    clock::Clock,
    events::{Change, Changed, Events, Topic, Waking},
    model::{Session, SessionId, SessionToken, UndeliveredSession, User},
    storage::{Store, StoreError},
};

/// How long to wait for a database that is away.
const AWAY: Duration = Duration::from_secs(1);

/// Who is signed in, and by which session.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// The session.
    pub session: Session,
    /// Whose it is.
    pub user: User,
}

/// What can be done with sessions.
#[derive(Clone)]
pub struct Sessions {
    store: Store,
    clock: Clock,
    events: Events,
}

impl Sessions {
    /// Joins its parts.
    #[must_use]
    pub fn new(store: Store, clock: Clock, events: Events) -> Self {
        Self { store, clock, events }
    }

    /// Starts what goes on by itself: ending sockets whose session's end was told elsewhere, and not heard here.
    pub fn start(&self, tasks: &TaskTracker, shutdown: &CancellationToken) {
        let this = self.clone();
        let looking = async move { this.events.keep_looking(&this.clock, &this).await };
        tasks.spawn(shutdown.clone().run_until_cancelled_owned(looking));
    }

    /// The present instant, by the clock that sessions end by.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Whose session this token opens; `None` where it opens none (any more).
    pub async fn authenticate(&self, token: &str) -> Result<Option<SignedIn>, StoreError> {
        let Ok(token) = SessionToken::parse(token) else {
            return Ok(None);
        };
        let found = self.store.find_session(&token.hash(), self.clock.now()).await?;
        Ok(found.map(|(session, user)| SignedIn { session, user }))
    }

    /// Ends a session, and tells the sockets that live by it. Returns whether it was live.
    pub async fn revoke(&self, id: SessionId) -> Result<bool, StoreError> {
        let revoked = self.store.revoke_session(id, self.clock.now()).await?;
        self.events.publish(Topic::Session(id));
        Ok(revoked)
    }

    /// Records that a session was delivered: from the first delivery, the login token that can derive it again is known for two
    /// minutes.
    pub async fn record_delivered(&self, session: UndeliveredSession) -> Result<(), StoreError> {
        let until = UndeliveredSession::readable_until_after(self.clock.now());
        self.store.record_session_delivered(session, until).await.map(|_| ())
    }

    /// Returns when a session has ended: revoked, expired, or ended already.
    pub async fn wait_for_end(&self, session: Session) {
        // Watching begins before the session is read: its end cannot fall between the two.
        let mut watcher = self.events.watch(Topic::Session(session.id));
        let mut waking = None;
        loop {
            match self.store.is_session_live(session.id, self.clock.now()).await {
                Ok(false) => return waking.into_iter().for_each(Waking::count_learnt),
                Ok(true) => {}
                Err(error) => {
                    tracing::warn!(session.id = %session.id, %error, "a session cannot be read");
                    tokio::time::sleep(AWAY).await;
                    continue;
                }
            }
            tokio::select! {
                woken = watcher.changed() => waking = Some(woken),
                () = self.clock.sleep_until(session.expires_at) => waking = None,
            }
        }
    }
}

impl Changed for Sessions {
    async fn changed_since(&self, since: DateTime<Utc>) -> Result<Vec<Change>, StoreError> {
        let revoked = self.store.sessions_revoked_since(since).await?;
        // A session ends once.
        Ok(revoked.into_iter().map(|id| (Topic::Session(id), 1)).collect())
    }
}
