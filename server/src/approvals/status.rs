//! What the holder of a login token sees: the one snapshot that every response and every event shows.

use super::Approvals;
use crate::{
    model::{Approval, LoginToken},
    storage::{FoundApproval, OpenedSession, StoreError},
};

/// An approval as its person may see it.
#[derive(Clone, Debug)]
pub struct ApprovalStatus {
    /// The approval.
    pub approval: Approval,
    /// The session that it opened, if it is approved and the session can still be delivered.
    pub opened: Option<OpenedSession>,
    /// How many more codes are checked.
    pub tries_left: i32,
}

impl Approvals {
    /// Returns the status of an approval. `None`: the token is unknown or forgotten.
    pub async fn find_status(&self, token: &LoginToken) -> Result<Option<ApprovalStatus>, StoreError> {
        let found = self.store.find_approval(&token.hash(), self.clock.now()).await?;
        Ok(found.map(|found| self.status_of(found)))
    }

    /// Returns the status of an approval that has opened nothing.
    pub(super) fn status_of_unsettled(&self, approval: Approval) -> ApprovalStatus {
        self.status_of(FoundApproval { approval, opened: None })
    }

    fn status_of(&self, FoundApproval { approval, opened }: FoundApproval) -> ApprovalStatus {
        let tries_left = (self.settings.wrong_codes_per_login - approval.tries_taken).max(0);
        ApprovalStatus { approval, opened, tries_left }
    }
}

impl ApprovalStatus {
    /// Whether it cannot change any more.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        !self.approval.state.is_open()
    }
}
