//! Watching a login: its present status first, then the newest after each change, until it is over.

use chrono::{DateTime, Utc};
use futures_util::{Stream, stream};

use super::{AWAY, LoginStatus, Logins};
use crate::{
    events::{Changed, Topic, Waking, Watcher},
    model::LoginToken,
    random,
    storage::StoreError,
};

struct Watch {
    logins: Logins,
    token: LoginToken,
    watcher: Watcher,
    sequence: Option<i32>,
    is_over: bool,
}

impl Logins {
    /// Watches a login. `None`: nobody knows this token.
    ///
    /// The stream ends after a terminal status, when the token is forgotten, or where the first status cannot be read.
    /// Later on it outlives a database that is away.
    pub async fn watch(
        &self,
        token: LoginToken,
    ) -> Result<Option<impl Stream<Item = Result<LoginStatus, StoreError>> + Send + 'static>, StoreError>
    {
        let Some(status) = self.find_status(&token).await? else {
            return Ok(None);
        };
        // Watching begins before the first status of the stream is read: nothing falls between the two.
        let watcher = self.events.watch(Topic::Login(status.login.id));
        let watch = Watch { logins: self.clone(), token, watcher, sequence: None, is_over: false };
        Ok(Some(stream::unfold(watch, Watch::next)))
    }

    /// Wakes watchers whose event was lost, until it is dropped.
    pub(super) async fn keep_following(self) {
        self.events.keep_looking(&self.clock, &self).await;
    }
}

impl Changed for Logins {
    async fn changed_since(&self, since: DateTime<Utc>) -> Result<Vec<Topic>, StoreError> {
        Ok(self.store.logins_changed_since(since).await?.into_iter().map(Topic::Login).collect())
    }
}

impl Watch {
    async fn next(mut self) -> Option<(Result<LoginStatus, StoreError>, Self)> {
        if self.is_over {
            return None;
        }
        loop {
            let waking = match self.sequence {
                Some(_) => Some(self.watcher.changed().await),
                None => None,
            };
            let found = loop {
                match self.logins.find_status(&self.token).await {
                    Ok(found) => break found,
                    Err(error) if self.sequence.is_none() => {
                        self.is_over = true;
                        return Some((Err(error), self));
                    }
                    Err(error) => {
                        tracing::debug!(%error, "a watched login cannot be read just now");
                        // Not all watchers at the same moment.
                        tokio::time::sleep(AWAY + AWAY.mul_f64(random::fraction())).await;
                    }
                }
            };
            let status = found?;
            // Otherwise a repeated hint.
            if self.sequence.is_none_or(|seen| status.login.sequence > seen) {
                waking.into_iter().for_each(Waking::count_learnt);
                self.sequence = Some(status.login.sequence);
                self.is_over = status.is_over();
                return Some((Ok(status), self));
            }
        }
    }
}
