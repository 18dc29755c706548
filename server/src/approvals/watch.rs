//! Watching an approval: its status first, then the newest one after each change, until it is settled.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use tracing::{Instrument as _, Span};

use super::{AWAY, ApprovalStatus, Approvals};
use crate::{
    events::{Change, Changed, Topic, Waking, Watcher},
    model::LoginToken,
    random,
    storage::StoreError,
};

/// How many may watch one login over this instance: windows of one person. The next one ends the oldest watch, because each
/// of them reads the login at each change.
const MAX_WATCHERS: usize = 16;

/// What a watch yields: a status, or why it ends before the login does.
pub type Watched = Result<ApprovalStatus, WatchError>;

/// Why a watch ends before its login does.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The login cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Sixteen newer watches of the same login run.
    #[error("too many watch this login")]
    Superseded,
}

/// A login that is watched. There may be tens of thousands of these, so it holds little.
pub struct Watch {
    approvals: Arc<Approvals>,
    token: LoginToken,
    watcher: Watcher,
    /// Of the status that was told last.
    sequence: Option<i32>,
    is_settled: bool,
}

impl Approvals {
    /// Watches a login. `None`: nobody knows this token.
    pub async fn watch(self: &Arc<Self>, token: LoginToken) -> Result<Option<Watch>, StoreError> {
        let Some(status) = self.find_status(&token).await? else {
            return Ok(None);
        };
        // Watching begins before the first status is read: nothing falls between the two.
        let watcher = self.events.watch_as_one_of(MAX_WATCHERS, Topic::Approval(status.approval.id));
        Ok(Some(Watch { approvals: self.clone(), token, watcher, sequence: None, is_settled: false }))
    }
}

impl Changed for Approvals {
    async fn changed_since(&self, since: DateTime<Utc>) -> Result<Vec<Change>, StoreError> {
        let changed = self.store.approvals_changed_since(since).await?;
        Ok(changed.into_iter().map(|(id, sequence)| (Topic::Approval(id), sequence)).collect())
    }
}

impl Watch {
    /// The present status, and from then on the newest one each time that there is a newer one. `None` after a terminal
    /// status, when the token is forgotten, after the first status could not be read (later ones outlive a database that is
    /// away), or after newer watches have superseded this one.
    pub async fn next(&mut self) -> Option<Watched> {
        while !self.is_settled {
            let (waking, delivery) = if self.sequence.is_some() {
                (Some(self.watcher.changed().await), tracing::debug_span!("delivery"))
            } else {
                (None, Span::none())
            };
            if waking == Some(Waking::Superseded) {
                self.is_settled = true;
                return Some(Err(WatchError::Superseded));
            }
            // In a box of its own: what reading takes is not held while nothing happens.
            let found = Box::pin(self.read().instrument(delivery)).await;
            let status = match found {
                Ok(Some(status)) => status,
                Ok(None) => {
                    self.is_settled = true;
                    return None;
                }
                Err(error) => {
                    self.is_settled = true;
                    return Some(Err(error.into()));
                }
            };
            // Otherwise a repeated hint.
            if self.sequence.is_none_or(|seen| status.approval.sequence > seen) {
                waking.into_iter().for_each(Waking::count_learnt);
                self.sequence = Some(status.approval.sequence);
                self.is_settled = status.is_settled();
                return Some(Ok(status));
            }
        }
        None
    }

    /// Whether there is nothing more to come.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.is_settled
    }

    /// Reads the status; once one was told, for as long as it takes.
    async fn read(&self) -> Result<Option<ApprovalStatus>, StoreError> {
        loop {
            match self.approvals.find_status(&self.token).await {
                Err(error) if self.sequence.is_some() => {
                    tracing::debug!(%error, "a watched login cannot be read just now");
                    // Not all watchers at the same moment.
                    tokio::time::sleep(AWAY + AWAY.mul_f64(random::fraction())).await;
                }
                found => return found,
            }
        }
    }
}
