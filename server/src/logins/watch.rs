//! Watching a login: its present status first, then the newest after each change, until it is over.

use std::time::Duration;

use chrono::TimeDelta;
use futures_util::{Stream, stream};

use super::{LoginStatus, Logins};
use crate::{
    events::{Topic, Watcher},
    model::LoginToken,
    storage::StoreError,
};

/// How often a process looks for changes whose event it has missed.
const LOOK: Duration = Duration::from_secs(3);
/// By how much one look overlaps the one before: for transactions that took their time.
const OVERLAP: TimeDelta = TimeDelta::seconds(10);

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
    /// The stream ends after a terminal status, when the token is forgotten, or after an error.
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

    /// Wakes watchers whose event was lost: asks every few seconds what has changed, in one query for all of them.
    pub(super) async fn keep_following(self) {
        let mut since = self.clock.now();
        loop {
            tokio::time::sleep(LOOK).await;
            let now = self.clock.now();
            if self.events.is_idle() {
                since = now;
                continue;
            }
            match self.store.logins_changed_since(since - OVERLAP).await {
                Ok(changed) => {
                    for id in changed {
                        self.publish(id);
                    }
                    since = now;
                }
                Err(error) => tracing::warn!(%error, "what changed cannot be read"),
            }
        }
    }
}

impl Watch {
    async fn next(mut self) -> Option<(Result<LoginStatus, StoreError>, Self)> {
        if self.is_over {
            return None;
        }
        loop {
            if self.sequence.is_some() {
                self.watcher.changed().await;
            }
            match self.logins.find_status(&self.token).await {
                Ok(Some(status)) if self.sequence.is_none_or(|seen| status.login.sequence > seen) => {
                    self.sequence = Some(status.login.sequence);
                    self.is_over = status.is_over();
                    return Some((Ok(status), self));
                }
                // A repeated hint.
                Ok(Some(_)) => {}
                Ok(None) => return None,
                Err(error) => {
                    self.is_over = true;
                    return Some((Err(error), self));
                }
            }
        }
    }
}
