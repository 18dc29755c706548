//! Queries on devices: browsers in which somebody has signed in before.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{
    Store, StoreError, change,
    columns::{At, read_optional},
    events::{new_event, record_events},
    find, on,
    schema::{account_events, devices, users},
    transact,
};
use crate::model::{AccountEvent, DeviceId, Email, EventKind, TokenHash, UserId};

/// How many devices of one user are known. Nobody has as many browsers; a program that signs in without its token might
/// seem to.
pub(super) const MAX_DEVICES: i64 = 20;

/// From now on the browser of this login is known by another token. One that was known before is the same device, and
/// keeps the older token until it presents the newer one; where it has been given one already and has not presented it, it
/// becomes another device, so that each of its tokens is good. Of a user's devices, those longest unseen make room.
macro_rules! know_device {
    ($conn:expr, $login:expr, $user_id:expr, $token_hash:expr, $how:expr) => {{
        let (login_id, user_id) = ($login.id.to_string(), $user_id.to_string());
        let expires_at = At($how.device_expires_at);
        let known = devices::table
            .find($login.device_id.map(|id| id.to_string()).unwrap_or_default())
            .filter(devices::user_id.eq(&user_id))
            .filter(devices::next_token_hash.is_null());
        let renew = diesel::update(known).set((
            devices::next_token_hash.eq(Some(&$token_hash)),
            devices::login_id.eq(&login_id),
            devices::expires_at.eq(expires_at),
        ));
        if renew.execute($conn).await? == 0 {
            let device = (
                devices::id.eq($how.device_id.to_string()),
                devices::user_id.eq(&user_id),
                devices::token_hash.eq(&$token_hash),
                devices::first_login_id.eq(&login_id),
                devices::login_id.eq(&login_id),
                devices::created_at.eq(At($how.at)),
                devices::expires_at.eq(expires_at),
            );
            diesel::insert_into(devices::table).values(device).execute($conn).await?;
            let too_many = devices::table
                .filter(devices::user_id.eq(&user_id))
                .order(devices::expires_at.desc())
                .offset(crate::storage::devices::MAX_DEVICES)
                .limit(crate::storage::devices::MAX_DEVICES)
                .select(devices::id);
            let too_many: Vec<String> = too_many.load($conn).await?;
            if !too_many.is_empty() {
                diesel::delete(devices::table.filter(devices::id.eq_any(too_many))).execute($conn).await?;
            }
        }
    }};
}

/// Forgets the devices that this login has made known or that this approval was started from: their client is not their user.
macro_rules! forget_devices_of {
    ($conn:expr, $approval:expr, $login_id:expr) => {{
        let login_id = $login_id;
        let begun_from = $approval.device_id.map(|id| id.to_string()).unwrap_or_default();
        let of_login = devices::first_login_id
            .eq(&login_id)
            .or(devices::login_id.eq(&login_id))
            .or(devices::id.eq(begun_from));
        diesel::delete(devices::table.filter(of_login)).execute($conn).await?
    }};
}

pub(super) use {forget_devices_of, know_device};

impl Store {
    /// Finds the device that presents this token and in which the user with this email has signed in.
    pub async fn find_device(
        &self,
        token: &TokenHash,
        email: &Email,
        now: DateTime<Utc>,
    ) -> Result<Option<DeviceId>, StoreError> {
        let query = devices::table
            .inner_join(users::table)
            .filter(devices::token_hash.eq(token.as_str()).or(devices::next_token_hash.eq(token.as_str())))
            .filter(devices::expires_at.gt(At(now)))
            .filter(users::email.eq(email.as_str()))
            .select(devices::id);
        let found: Option<String> = find!(self, query);
        read_optional(found.as_deref(), DeviceId::parse, "devices", "id")
    }

    /// A device has presented this token: where it is the newer one, the older one is forgotten.
    pub async fn record_device_token_seen(&self, id: DeviceId, token: &TokenHash) -> Result<(), StoreError> {
        let presented =
            devices::table.find(id.to_string()).filter(devices::next_token_hash.eq(token.as_str()));
        let update = diesel::update(presented)
            .set((devices::token_hash.eq(token.as_str()), devices::next_token_hash.eq(None::<String>)));
        change!(self, |conn| update.execute(conn).await?);
        Ok(())
    }

    /// Forgets all devices of a user. Returns how many, and what that added to the audit trail: nothing if there were none.
    pub async fn remove_devices_of(
        &self,
        user: UserId,
        now: DateTime<Utc>,
    ) -> Result<(usize, Option<AccountEvent>), StoreError> {
        let event = new_event(user, EventKind::DevicesForgotten, now);
        transact!(self, async |conn| {
            let of_user = devices::table.filter(devices::user_id.eq(user.to_string()));
            let removed = diesel::delete(of_user).execute(conn).await?;
            let events = if removed > 0 { std::slice::from_ref(&event) } else { &[] };
            record_events!(conn, events);
            Ok::<_, StoreError>((removed, events.first().cloned()))
        })
    }

    /// Forgets devices whose time ended before then. Returns how many.
    pub async fn remove_devices(&self, before: DateTime<Utc>, limit: i64) -> Result<usize, StoreError> {
        let old = devices::table
            .filter(devices::expires_at.lt(At(before)))
            .order(devices::expires_at)
            .limit(limit)
            .select(devices::id);
        let ids: Vec<String> = on!(self, |conn| old.load(conn).await?);
        // Somebody may have signed in in one of them since.
        let still_old =
            devices::table.filter(devices::id.eq_any(&ids)).filter(devices::expires_at.lt(At(before)));
        let delete = diesel::delete(still_old);
        Ok(if ids.is_empty() { 0 } else { change!(self, |conn| delete.execute(conn).await?) })
    }
}
