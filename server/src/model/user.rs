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
    /// Increases with each change of password, email, phone or factor.
    pub security_version: i32,
    /// When the phone was verified.
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

    /// What comes before salt and hash: the algorithm and its parameters. Empty for text that is not in PHC form.
    #[must_use]
    pub fn parameters(&self) -> &str {
        self.0.rsplitn(3, '$').nth(2).unwrap_or_default()
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

#[cfg(test)]
mod tests {
    use super::PasswordHash;

    #[test]
    fn the_parameters_of_a_hash_stand_before_its_salt() {
        let parameters = |hash: &str| PasswordHash::new(hash.to_owned()).parameters().to_owned();
        let prefix = "$argon2id$v=19$m=19456,t=2,p=1";
        assert_eq!(parameters(&format!("{prefix}$c2l4dGVlbiBieXRlcyBpdA$aGFzaA")), prefix);
        assert_eq!(parameters("no hash"), "");
    }
}
