//! Sessions: finding, listing and ending them.
//!
//! Sessions are opened where logins are settled, in the same transaction. Nothing is cached here: a revoked session ends at once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use tokio_util::task::TaskTracker;

use crate::{
    audit,
    clock::Clock,
    events::{Change, Changed, Events, Topic, Waking},
    model::{
        ActiveSession, LoginToken, SensitiveOperation, Session, SessionId, SessionToken, UndeliveredSession,
        User,
    },
    storage::{Confirmed, LiveAt, Store, StoreError},
};

/// How long to wait for a database that does not respond.
const AWAY: Duration = Duration::from_secs(1);

/// A session and its user.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// The session.
    pub session: Session,
    /// Its user.
    pub user: User,
}

/// The result of ending sessions that needed a confirmation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndedSessions {
    /// These were live, and have ended.
    Ended(Vec<SessionId>),
    /// The session has no unused confirmation of it. Nothing changed.
    NotConfirmed,
    /// The user never had this session.
    NotFound,
}

/// Sessions. Clones share everything.
#[derive(Clone)]
pub struct Sessions {
    store: Store,
    clock: Clock,
    events: Events,
    tasks: TaskTracker,
    idle_ttl: TimeDelta,
}

impl Sessions {
    /// Joins the parts. `idle_ttl`: how long a session lasts that is not used.
    #[must_use]
    pub fn new(store: Store, clock: Clock, events: Events, tasks: TaskTracker, idle_ttl: Duration) -> Self {
        let idle_ttl = TimeDelta::from_std(idle_ttl).unwrap_or(TimeDelta::MAX);
        Self { store, clock, events, tasks, idle_ttl }
    }

    /// The present instant, by the clock that sessions end by.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// When a session ends if it is not used before.
    #[must_use]
    pub fn idle_end(&self, session: &Session) -> DateTime<Utc> {
        session.ends_at(self.idle_ttl)
    }

    /// When sessions are live, as of now.
    #[must_use]
    pub fn live(&self) -> LiveAt {
        let now = self.clock.now();
        LiveAt { now, idle_since: now - self.idle_ttl }
    }

    /// Finds the session of a token; `None` if it is unknown or has ended.
    pub async fn authenticate(&self, token: &str) -> Result<Option<SignedIn>, StoreError> {
        let Ok(token) = SessionToken::parse(token) else {
            return Ok(None);
        };
        let found = self.store.find_session(&token.hash(), self.live()).await?;
        Ok(found.map(|(session, user)| SignedIn { session, user }))
    }

    /// Returns what a client calls each time it uses the session: at most once a minute that is stored, by a task of its own.
    pub fn use_recorder(&self, session: Session) -> impl Fn() + Send + Sync + 'static {
        let (this, last) = (self.clone(), Arc::new(AtomicI64::new(session.last_used_at.timestamp_micros())));
        move || {
            let (now, before) = (this.clock.now(), last.load(Ordering::Relaxed));
            let last_used_at = DateTime::from_timestamp_micros(before).unwrap_or(session.last_used_at);
            let is_due = Session { last_used_at, ..session }.records_use_at(now);
            // Of concurrent operations one stores it.
            if is_due
                && last
                    .compare_exchange(before, now.timestamp_micros(), Ordering::Relaxed, Ordering::Relaxed)
                    .is_ok()
            {
                let (store, live) = (this.store.clone(), this.live());
                this.tasks.spawn(async move {
                    if let Err(error) =
                        store.record_session_used(session.id, Session::recorded_before(live.now), live).await
                    {
                        tracing::debug!(session.id = %session.id, %error, "session use not recorded");
                    }
                });
            }
        }
    }

    /// Reads a session; `None` if it has ended.
    pub async fn find(&self, id: SessionId) -> Result<Option<ActiveSession>, StoreError> {
        self.store.find_live_session(id, self.live()).await
    }

    /// Lists the live sessions of a user, last used first, at most 100.
    pub async fn list(&self, user: &User) -> Result<Vec<ActiveSession>, StoreError> {
        self.store.live_sessions(user.id, self.live()).await
    }

    /// Ends a session for this reason, a word for the audit trail. Returns whether it was live. The caller ends what was started in it.
    pub async fn revoke(&self, session: &Session, reason: &'static str) -> Result<bool, StoreError> {
        let events = self.store.revoke_session(session, reason, self.clock.now()).await?;
        audit::log(&events);
        Ok(!events.is_empty())
    }

    /// Ends another session of the user of `by`, which needs a confirmation in `by`, whose login token is `token`. The caller ends what was started in it.
    pub async fn end(
        &self,
        by: &Session,
        token: &LoginToken,
        id: SessionId,
    ) -> Result<EndedSessions, StoreError> {
        if !self.store.has_session(by.user_id, id).await? {
            return Ok(EndedSessions::NotFound);
        }
        let is_live = self.store.find_live_session(id, self.live()).await?.is_some();
        if !is_live {
            return Ok(EndedSessions::Ended(Vec::new()));
        }
        self.end_confirmed(by, token, Some(id)).await
    }

    /// Ends all other sessions of the user of `by`, which needs a confirmation in `by`, whose login token is `token`. The caller ends what was started in them.
    pub async fn end_others(&self, by: &Session, token: &LoginToken) -> Result<EndedSessions, StoreError> {
        self.end_confirmed(by, token, None).await
    }

    async fn end_confirmed(
        &self,
        session: &Session,
        token: &LoginToken,
        which: Option<SessionId>,
    ) -> Result<EndedSessions, StoreError> {
        let (confirmed, live) = (Confirmed { session, token: token.hash() }, self.live());
        // Without one, nothing is locked.
        if !self.store.is_confirmed(&confirmed, SensitiveOperation::EndSessions, live.now).await? {
            return Ok(EndedSessions::NotConfirmed);
        }
        let Some(events) = self.store.end_sessions(&confirmed, which, live).await? else {
            return Ok(EndedSessions::NotConfirmed);
        };
        audit::log(&events);
        Ok(EndedSessions::Ended(audit::ended_sessions(&events)))
    }

    /// Records that a session was delivered: from the first delivery, the login token that can derive it again is known for two
    /// minutes.
    pub async fn record_delivered(&self, session: UndeliveredSession) -> Result<(), StoreError> {
        let until = UndeliveredSession::readable_until_after(self.clock.now());
        self.store.record_session_delivered(session, until).await.map(|_| ())
    }

    /// Returns when a session has ended: revoked, expired, unused for too long, or ended already.
    pub async fn wait_for_end(&self, session: Session) {
        // Watching begins before the session is read: its end cannot fall between the two.
        let mut watcher = self.events.watch(Topic::Session(session.id));
        let mut waking = None;
        loop {
            let ends_at = match self.find(session.id).await {
                Ok(None) => return waking.into_iter().for_each(Waking::count_learnt),
                Ok(Some(live)) => self.idle_end(&live.session),
                Err(error) => {
                    tracing::warn!(session.id = %session.id, %error, "a session cannot be read");
                    tokio::time::sleep(AWAY).await;
                    continue;
                }
            };
            tokio::select! {
                woken = watcher.changed() => waking = Some(woken),
                () = self.clock.sleep_until(ends_at) => waking = None,
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
