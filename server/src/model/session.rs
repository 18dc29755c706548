//! Being signed in.

use chrono::{DateTime, Utc};

use super::{SessionId, UserId};

/// A session as it is stored. What opens it is its token.
#[derive(Clone, Copy, Debug)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Who is signed in.
    pub user_id: UserId,
    /// When it ends by itself.
    pub expires_at: DateTime<Utc>,
}
