//! Queries on users.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{
    Store, StoreError,
    columns::{At, read},
    confirmations::{
        Confirmed, ConfirmedFailure, LiveAt, if_confirmed, live, revoke_sessions, session_ids, usable,
        use_confirmation,
    },
    events::{new_event, record_events, sessions_ended},
    find,
    hash_parameters::count_hash_parameters,
    locked::Locked,
    on,
    schema::{account_events, approvals, confirmations, devices, hash_parameters, sessions, users},
    transact,
};
use crate::model::{
    AccountEvent, Credentials, Email, EventKind, FullName, PasswordHash, Phone, SensitiveOperation, Session,
    User, UserId,
};

/// A row of `users`, without what proves the password.
#[derive(Queryable, Selectable)]
#[diesel(table_name = users)]
pub(super) struct UserRow {
    id: String,
    full_name: String,
    email: String,
    country_code: String,
    phone: String,
    security_version: i32,
    created_at: At,
}

impl TryFrom<UserRow> for User {
    type Error = StoreError;

    fn try_from(row: UserRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: read(UserId::parse(&row.id), "users", "id")?,
            full_name: FullName::from_stored(row.full_name),
            email: Email::from_stored(row.email),
            phone: Phone::from_stored(row.country_code, row.phone),
            security_version: row.security_version,
            created_at: row.created_at.0,
        })
    }
}

fn credentials((row, hash): (UserRow, String)) -> Result<Credentials, StoreError> {
    Ok(Credentials { user: row.try_into()?, password_hash: PasswordHash::new(hash) })
}

/// How often hash parameters are used, one less and one more, in one order for all transactions: of two, one waits and none is stuck.
fn change_of_parameters<'a>(old: &'a PasswordHash, new: &'a PasswordHash) -> [(&'a str, i64); 2] {
    let mut changes = [(old.parameters(), -1), (new.parameters(), 1)];
    changes.sort_unstable();
    changes
}

fn password_changed(by: &Session, at: DateTime<Utc>) -> AccountEvent {
    AccountEvent { session: Some(by.id), ..new_event(by.user_id, EventKind::PasswordChanged, at) }
}

impl Store {
    /// Finds the user with this email, and what proves their password.
    pub async fn find_credentials(&self, email: &Email) -> Result<Option<Credentials>, StoreError> {
        let query = users::table.filter(users::email.eq(email.as_str()));
        let found: Option<(UserRow, String)> =
            find!(self, query.select((UserRow::as_select(), users::password_hash)));
        found.map(credentials).transpose()
    }

    /// Returns a page of users' ids and emails, in the order of emails: up to `count` of those behind `after`, which is empty
    /// for the first page.
    pub async fn emails_after(&self, after: &str, count: i64) -> Result<Vec<(UserId, Email)>, StoreError> {
        let page = users::table.filter(users::email.gt(after)).order(users::email).limit(count);
        let query = page.select((users::id, users::email));
        let found: Vec<(String, String)> = on!(self, |conn| query.load(conn).await?);
        let read = |(id, email): (String, String)| {
            Ok((read(UserId::parse(&id), "users", "id")?, Email::from_stored(email)))
        };
        found.into_iter().map(read).collect()
    }

    /// Finds a user by their id, and what their password is checked with.
    pub async fn find_credentials_of(&self, user: UserId) -> Result<Option<Credentials>, StoreError> {
        let query = users::table.find(user.to_string());
        let found: Option<(UserRow, String)> =
            find!(self, query.select((UserRow::as_select(), users::password_hash)));
        found.map(credentials).transpose()
    }

    /// Changes a user's password with a confirmation that `by` has for it: all other sessions and known devices end, and approvals that
    /// were started before cannot be approved any more. Returns what that added to the audit trail; `None` if it was not confirmed,
    /// and nothing changes.
    pub async fn change_password(
        &self,
        confirmed: &Confirmed<'_>,
        new: &PasswordHash,
        live: LiveAt,
    ) -> Result<Option<Vec<AccountEvent>>, StoreError> {
        let by = confirmed.session;
        let (this, user) = (by.id.to_string(), by.user_id.to_string());
        let changed: Result<_, ConfirmedFailure> = transact!(self, async |conn| {
            let old = loop {
                let old: String = users::table.find(&user).select(users::password_hash).first(conn).await?;
                // Guarded: the old password may be hashed anew at the same moment.
                let unchanged = users::table.find(&user).filter(users::password_hash.eq(&old));
                let update = diesel::update(unchanged).set((
                    users::password_hash.eq(new.as_str()),
                    users::security_version.eq(users::security_version + 1),
                ));
                if update.execute(conn).await? == 1 {
                    break PasswordHash::new(old);
                }
            };
            use_confirmation!(conn, confirmed, SensitiveOperation::ChangePassword, live);
            let others = sessions::table
                .filter(sessions::user_id.eq(&user))
                .filter(sessions::id.ne(&this))
                .filter(sessions::revoked_at.is_null())
                .filter(sessions::expires_at.gt(At(live.now)));
            let ended = revoke_sessions!(conn, others, live.now);
            diesel::delete(devices::table.filter(devices::user_id.eq(&user))).execute(conn).await?;
            for (parameters, change) in change_of_parameters(&old, new) {
                count_hash_parameters!(conn, parameters, change, live.now);
            }
            let mut events = sessions_ended(by.user_id, &session_ids(&ended)?, "PASSWORD_CHANGED", live.now);
            events.push(password_changed(by, live.now));
            record_events!(conn, &events);
            Ok(events)
        });
        if_confirmed(changed)
    }

    /// Replaces a password hash, unless it has changed meanwhile. Returns whether it did.
    pub async fn replace_password_hash(
        &self,
        user_id: UserId,
        old: &PasswordHash,
        new: &PasswordHash,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let user_id = user_id.to_string();
        let changes = change_of_parameters(old, new);
        transact!(self, async |conn| {
            let current = users::table.find(&user_id).filter(users::password_hash.eq(old.as_str()));
            let update = diesel::update(current).set(users::password_hash.eq(new.as_str()));
            if update.execute(conn).await? == 0 {
                return Ok(false);
            }
            for (parameters, change) in changes {
                count_hash_parameters!(conn, parameters, change, now);
            }
            Ok::<_, StoreError>(true)
        })
    }
}
