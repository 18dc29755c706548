//! A person's account, and what becomes one.

use std::fmt;

use chrono::{DateTime, Utc};

use super::{Email, FullName, Phone, UserId};

/// A person's account.
#[derive(Clone, Debug)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// What they call themselves.
    pub full_name: FullName,
    /// Unique among users.
    pub email: Email,
    /// Where codes and pushes go.
    pub phone: Phone,
    /// When the phone was proven.
    pub created_at: DateTime<Utc>,
}

/// An argon2id hash in PHC form. No secret on the wire of the database, but none for a log either.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Takes a hash in PHC form, fresh or stored.
    #[must_use]
    pub fn new(phc: String) -> Self {
        Self(phc)
    }

    /// The PHC form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PasswordHash(…)")
    }
}

/// A user with what proves their password.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Who it is.
    pub user: User,
    /// What their password was hashed to.
    pub password_hash: PasswordHash,
}

/// What is found where somebody says that an email is theirs.
#[derive(Clone, Debug)]
pub enum Claimed {
    /// A user has it.
    ByUser(Credentials),
    /// Nobody has it. With another user's hash, so that comparing takes as long as it does for those who are there, whatever
    /// parameters their passwords were hashed with; none where nobody is.
    ByNobody(Option<PasswordHash>),
}

impl Claimed {
    /// The hash to compare with, whatever comes of it.
    #[must_use]
    pub fn password_hash(&self) -> Option<&PasswordHash> {
        match self {
            Self::ByUser(credentials) => Some(&credentials.password_hash),
            Self::ByNobody(hash) => hash.as_ref(),
        }
    }
}

/// What becomes a user when the phone is proven.
#[derive(Clone, Debug)]
pub struct PendingSignup {
    /// What they call themselves.
    pub full_name: FullName,
    /// As typed; nobody has proven it, and it may belong to a user already.
    pub email: Email,
    /// The phone to prove.
    pub phone: Phone,
    /// What their password was hashed to.
    pub password_hash: PasswordHash,
}

/// How a provider knows a person. Authy: the `authy_id`, which is the same in every account for one phone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ProviderUserId(String);

impl ProviderUserId {
    /// Takes an id as the provider gave it. Each provider checks the form of its own before it puts one into a path.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The provider's handle of one approval request. Authy: the OneTouch `uuid`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ApprovalRequestId(String);

impl ApprovalRequestId {
    /// Takes a handle as the provider gave it.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// The handle as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
