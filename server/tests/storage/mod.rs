//! The contract of storage: what every database has to hold, whoever else is writing.
//!
//! Each test is told a database and runs on both: see `on_both_databases!`.

mod approvals;
mod background;
mod budgets;
mod clocks;
mod confirmations;
mod failover;
mod file;
mod networks;
mod people;
mod plans;
mod pooler;
mod providers;
mod readiness;
mod shared_work;

use std::{collections::HashSet, path::Path, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use countersign::{
    model::{
        AfterDenial, ApprovalFailure, ApprovalId, ApprovalState, ApprovalStep, CodeChannel, CodeHandle,
        CodeSource, CountryCode, Credentials, Decision, DeliveryMethod, DeviceId, Effect, Email, FullName,
        LoginToken, PasswordHash, PendingSignup, Phone, ProviderUserId, PushHandle, PushRecipient, SessionId,
        SessionSalt, TokenHash, UndeliveredSession, UserId, Verdict,
    },
    random,
    storage::{
        Consequence, Durability, Insertion, LimitChanges, LiveAt, NewApproval, NewSessionGrant, OverdueClaim,
        PollClaim, Settlement, Store, StoreSettings,
    },
};
use diesel_async::AsyncMigrationHarness;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use tempfile::TempDir;
use throwaway::{Cluster, require};

use self::people::{
    migrating_makes_one_key_for_all_instances, users_who_are_deleted_are_counted_until_the_next_migration,
};

const PROVIDER: &str = "authy";
/// The lease that keeps the pace of polling.
const PACE: &str = "polling authy";

/// The folders of `migrations/`.
fn migration_count() -> usize {
    let folders = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations")).unwrap();
    folders.filter(|entry| entry.as_ref().unwrap().path().is_dir()).count()
}

/// Waits until nobody else is connected to the database: by then, PostgreSQL has counted what they read.
const ALONE: &str = "do $$ begin
    while exists (select from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()) loop
        perform pg_sleep(0.01), pg_stat_clear_snapshot();
    end loop;";

/// A database of its own, with all migrations run.
pub(crate) struct Database {
    pub(crate) store: Store,
    pub(crate) now: DateTime<Utc>,
    url: String,
    home: Home,
}

/// Where a database is, as long as it is there.
enum Home {
    Folder(#[expect(dead_code, reason = "it is kept")] TempDir),
    Cluster(throwaway::Database),
}

impl Home {
    /// Executes statements of PostgreSQL.
    async fn execute(&self, statements: &str) -> Result<(), String> {
        match self {
            Self::Cluster(database) => database.execute(statements).await,
            Self::Folder(_) => panic!("this is SQLite"),
        }
    }
}

/// A login that has begun, and its token.
struct Begun {
    id: ApprovalId,
    token: LoginToken,
}

impl Database {
    pub(crate) async fn sqlite() -> Self {
        plans::remember_statements();
        let folder = TempDir::new().unwrap();
        let url = format!("sqlite:{}", folder.path().join("test.db").display());
        Self::open(&url, Home::Folder(folder)).await
    }

    /// None where there is no PostgreSQL on this machine. A query for which it knows an index uses it, however small the
    /// table is.
    pub(crate) async fn postgres() -> Option<Self> {
        let cluster = require("postgres", Cluster::shared().await)?;
        let database = cluster.create_database().await;
        let name = database.url().rsplit('/').next().unwrap();
        database.execute(&format!("alter database {name} set enable_seqscan = off")).await.unwrap();
        let url = database.url().to_owned();
        let migrated = Self::open(&url, Home::Cluster(database)).await;
        // What migrating has read does not count.
        let Self { store, now, url, home } = migrated;
        drop(store);
        home.execute(&format!("{ALONE} perform pg_stat_reset(); end $$")).await.unwrap();
        Some(Self { store: Store::open(&url, &settings()).unwrap(), now, url, home })
    }

    async fn open(url: &str, home: Home) -> Self {
        let store = Store::open(url, &settings()).unwrap();
        assert_eq!(store.migrate().await.unwrap().len(), migration_count());
        // A fraction that ends in zeros: text must sort as time does.
        let now = DateTime::parse_from_rfc3339("2026-11-22T10:00:00.120Z").unwrap().to_utc();
        Self { store, now, url: url.to_owned(), home }
    }

    /// Executes statements as an operator does who is connected to the database.
    async fn execute(&self, statements: &str) {
        match &self.home {
            Home::Cluster(database) => database.execute(statements).await.unwrap(),
            Home::Folder(_) => plans::execute(&self.url, statements),
        }
    }

    /// Fails where the database has read a whole table, for want of an index; or where SQLite would.
    pub(crate) async fn every_query_used_an_index(self) {
        drop(self.store);
        if let Home::Folder(_) = &self.home {
            return plans::ensure_nothing_is_read_as_a_whole(&self.url);
        }
        let check = format!(
            "{ALONE}
                if exists (select from pg_stat_user_tables where seq_scan > 0) then
                    raise exception 'read as a whole: %',
                        (select string_agg(relname, ', ') from pg_stat_user_tables where seq_scan > 0);
                end if;
                if (select sum(idx_scan) from pg_stat_user_tables) is not distinct from 0 then
                    raise exception 'nothing was counted';
                end if;
            end $$"
        );
        assert_eq!(self.home.execute(&check).await, Ok(()));
    }

    /// Migrations read whole tables, and may.
    async fn nothing_is_checked(self) {
        assert!(self.store.probe_write().await.is_ok());
    }

    /// Who refuses to write is asked nothing more.
    #[expect(clippy::unused_async, reason = "as the others")]
    pub(crate) async fn nothing_is_counted(self) {}

    async fn begin(&self, signup: &PendingSignup, match_number: &str) -> Option<Begun> {
        let (begun, inserted) = self.insert(signup, match_number, &LimitChanges::default()).await;
        matches!(inserted, Insertion::Stored(_)).then_some(begun)
    }

    /// Stores a signup's login with these changes of rate limits, or neither.
    async fn insert(
        &self,
        signup: &PendingSignup,
        match_number: &str,
        changes: &LimitChanges<'_>,
    ) -> (Begun, Insertion) {
        let (id, token) = (ApprovalId::new(random::id(self.now)), LoginToken::from_bytes(random::bytes()));
        let salt = SessionSalt::from_bytes(random::bytes());
        let consequence = Consequence::CreateUser(signup, grant(&token, &salt, DeliveryMethod::Bearer));
        let new = NewApproval {
            id,
            consequence: &consequence,
            phone: &signup.phone,
            token: token.hash(),
            match_number: Some(match_number),
            push_slot: Some(&budgets::key(budgets::PLACE)),
            device_id: None,
            network: None,
            push: Some(&push_recipient()),
            code: Some(&app_codes()),
            created_at: self.now,
            expires_at: self.now + TimeDelta::minutes(10),
        };
        (Begun { id, token }, self.store.start_approval(&new, changes).await.unwrap())
    }

    /// Begins a login whose push is asked about first after five seconds.
    async fn begin_with_push(&self, push: &str) -> Begun {
        let number = u64::from_le_bytes(random::bytes());
        let (email, phone) =
            (format!("{number}@example.com"), format!("201{:07}", 2_000_000 + number % 7_000_000));
        let begun = self.begin(&signup(&email, &phone), "42").await.unwrap();
        let next_poll_at = self.now + TimeDelta::seconds(5);
        self.store.record_push(begun.id, &PushHandle::new(push), next_poll_at).await.unwrap();
        begun
    }

    fn how(&self) -> Settlement {
        Settlement {
            at: self.now + TimeDelta::seconds(1),
            push: None,
            used_code: None,
            session_id: SessionId::new(random::id(self.now)),
            session_expires_at: self.now + TimeDelta::hours(12),
            user_id: UserId::new(random::id(self.now)),
            device_id: DeviceId::new(random::id(self.now)),
            device_expires_at: self.now + TimeDelta::days(180),
            after_denial: AfterDenial::Code,
            denial_charges: vec![budgets::denial()],
            idle_since: self.now - TimeDelta::hours(1),
            usable_until: self.now + TimeDelta::minutes(5),
        }
    }

    async fn settle(&self, id: ApprovalId, decision: Decision) -> Effect {
        self.store.settle(id, decision, &self.how()).await.unwrap().unwrap().effect
    }

    /// When sessions are live.
    fn live(&self) -> LiveAt {
        LiveAt { now: self.now, idle_since: self.now - TimeDelta::hours(1) }
    }

    async fn credentials(&self, email: &Email) -> Option<Credentials> {
        self.store.find_credentials(email).await.unwrap()
    }

    async fn state(&self, token: &LoginToken) -> ApprovalState {
        self.store.find_approval(&token.hash(), self.now).await.unwrap().unwrap().approval.state
    }
}

/// What a login opens its session with.
pub(crate) fn grant<'a>(
    token: &LoginToken,
    salt: &'a SessionSalt,
    delivery: DeliveryMethod,
) -> NewSessionGrant<'a> {
    NewSessionGrant {
        session_token: token.derive_session_token(salt).hash(),
        device_token: token.derive_device_token(salt).hash(),
        salt,
        delivery,
        browser: Some("Firefox on Linux"),
    }
}

/// Whom the provider of these tests pushes to.
fn push_recipient() -> PushRecipient {
    PushRecipient { provider: PROVIDER.to_owned(), user: ProviderUserId::new("1000001") }
}

/// Where the codes of its app are checked.
fn app_codes() -> CodeSource {
    CodeSource { provider: PROVIDER.to_owned(), handle: CodeHandle::new("1000001") }
}

fn settings() -> StoreSettings {
    StoreSettings { durability: Durability::Process, database_pool_size: 4, ..StoreSettings::default() }
}

pub(crate) fn signup(email: &str, phone: &str) -> PendingSignup {
    PendingSignup {
        full_name: FullName::parse("Ada Lovelace").unwrap(),
        email: Email::parse(email).unwrap(),
        phone: Phone::parse(&CountryCode::parse("1").unwrap(), phone).unwrap(),
        password_hash: PasswordHash::new("$argon2id$test".to_owned()),
    }
}

/// What one instance claims at a time.
fn claim(now: DateTime<Utc>) -> PollClaim<'static> {
    let (until, leased_until) = (now + TimeDelta::seconds(1), now + TimeDelta::seconds(12));
    let farthest = now + TimeDelta::minutes(1);
    PollClaim { provider: PROVIDER, lease: PACE, now, until, farthest, leased_until, limit: 64 }
}

fn approved() -> Effect {
    Effect::Settle { state: ApprovalState::Approved, failure: None }
}

/// Makes two tests of each contract, one on each database. A contract that is not listed here is never run, and refused as
/// dead code.
macro_rules! on_both_databases {
    (afterwards $check:ident: $($contract:ident),+ $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $contract() {
                let database = super::Database::sqlite().await;
                super::$contract(&database).await;
                database.$check().await;
            })+
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $contract() {
                if let Some(database) = super::Database::postgres().await {
                    super::$contract(&database).await;
                    database.$check().await;
                }
            })+
        }
    };
}

pub(crate) use on_both_databases;

/// What a build before the first release has left in the list of migrations.
async fn a_database_from_before_the_first_release_is_refused(database: &Database) {
    database.execute("insert into __diesel_schema_migrations (version) values ('20261122000002')").await;
    for refused in [database.store.migrate().await, database.store.unknown_migrations().await] {
        let message = refused.unwrap_err().to_string();
        assert!(message.contains("before the first release"), "{message}");
    }
}

async fn migrations_run_once_and_are_known(database: &Database) {
    assert!(database.store.migrate().await.unwrap().is_empty());
    assert!(database.store.pending_migrations().await.unwrap().is_empty());
    assert!(database.store.unknown_migrations().await.unwrap().is_empty());
    assert!(database.store.probe_write().await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn of_those_who_open_a_new_file_at_once_none_is_refused() {
    for _ in 0..25 {
        let folder = TempDir::new().unwrap();
        let url = format!("sqlite:{}", folder.path().join("new.db").display());
        let opening = (0..8).map(|_| {
            let store = Store::open(&url, &settings()).unwrap();
            #[expect(clippy::disallowed_methods, reason = "it is waited for")]
            tokio::spawn(async move { store.pending_migrations().await.map(|pending| pending.len()) })
        });
        for opened in futures_util::future::join_all(opening).await {
            assert_eq!(opened.unwrap().unwrap(), migration_count());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_those_who_migrate_postgresql_at_once_each_waits_for_the_others() {
    let Some(database) = Database::postgres().await else { return };
    revert_all(&database.store).await;
    // As on the first day: nothing is there, not even the list of what has run.
    database.home.execute("drop table __diesel_schema_migrations").await.unwrap();
    assert_eq!(database.store.pending_migrations().await.unwrap().len(), migration_count());
    let listed = database.home.execute("select 1 from __diesel_schema_migrations").await;
    assert!(listed.is_err(), "asking what is pending has made a table");
    let migrating = (0..4).map(|_| {
        let store = Store::open(&database.url, &settings()).unwrap();
        #[expect(clippy::disallowed_methods, reason = "it is waited for")]
        tokio::spawn(async move { store.migrate().await.unwrap() })
    });
    let ran: Vec<String> =
        futures_util::future::join_all(migrating).await.into_iter().flat_map(Result::unwrap).collect();
    let different: HashSet<_> = ran.iter().collect();
    assert_eq!((ran.len(), different.len()), (migration_count(), migration_count()), "{ran:?}");
}

async fn a_database_whose_connections_are_all_in_use_is_ready(database: &Database) {
    let mut held = Vec::new();
    if let Store::Postgres(pool) = &database.store {
        for _ in 0..settings().database_pool_size {
            held.push(pool.get().await.unwrap());
        }
    }
    assert!(database.store.probe_write().await.is_ok());
}

async fn migrations_run_up_down_and_up_again(database: &Database) {
    revert_all(&database.store).await;
    assert_eq!(database.store.pending_migrations().await.unwrap().len(), migration_count());
    assert_eq!(database.store.migrate().await.unwrap().len(), migration_count());
}

async fn revert_all(store: &Store) {
    const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../migrations");
    let reverted = match store {
        Store::Sqlite(file) => {
            let mut harness = AsyncMigrationHarness::new(file.get_to_write().await.unwrap());
            harness.revert_all_migrations(MIGRATIONS).unwrap().len()
        }
        Store::Postgres(pool) => {
            let mut harness = AsyncMigrationHarness::new(pool.get().await.unwrap());
            harness.revert_all_migrations(MIGRATIONS).unwrap().len()
        }
    };
    assert_eq!(reverted, migration_count());
}

async fn a_transaction_that_is_cancelled_leaves_nothing_behind(database: &Database) {
    let begun = database.begin(&signup("ada@example.com", "2015550123"), "42").await.unwrap();
    for microseconds in (0..2_000).step_by(100) {
        let how = database.how();
        let settling = database.store.settle(begun.id, Decision::RightCode, &how);
        if tokio::time::timeout(Duration::from_micros(microseconds), settling).await.is_ok() {
            break;
        }
    }
    let settled = database.settle(begun.id, Decision::RightCode).await;
    assert!(settled == approved() || settled == Effect::Ignore);
    let opened = database.store.find_approval(&begun.token.hash(), database.now).await.unwrap().unwrap();
    assert!(opened.opened.is_some());
}

on_both_databases! {
    afterwards nothing_is_checked:
    migrations_run_once_and_are_known,
    a_database_from_before_the_first_release_is_refused,
    a_database_whose_connections_are_all_in_use_is_ready,
    migrations_run_up_down_and_up_again,
    migrating_makes_one_key_for_all_instances,
    users_who_are_deleted_are_counted_until_the_next_migration,
    a_transaction_that_is_cancelled_leaves_nothing_behind,
}
