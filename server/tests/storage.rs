//! The contract of storage: what every database has to hold, whoever else is writing.
//!
//! Each test is told a database and runs on both: see `on_both_databases!` at the end.

use std::{collections::HashSet, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use countersign::{
    model::{
        ApprovalRequestId, CountryCode, Decision, Effect, Email, FullName, LoginFailure, LoginId, LoginState,
        LoginToken, PasswordHash, PendingSignup, Phone, ProviderUserId, SessionId, SessionSalt, UserId,
        Verdict,
    },
    random,
    storage::{Durability, NewLogin, Settlement, Store},
};
use diesel_async::AsyncMigrationHarness;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use tempfile::TempDir;
use throwaway::{Cluster, require};

const PROVIDER: &str = "authy";

/// A database of its own, with all migrations run.
struct Database {
    store: Store,
    now: DateTime<Utc>,
    _home: Home,
}

/// Where a database is, as long as it is there.
enum Home {
    Folder(#[expect(dead_code, reason = "it is kept")] TempDir),
    Cluster(#[expect(dead_code, reason = "it is kept")] throwaway::Database),
}

/// A login that has begun, and its token.
struct Begun {
    id: LoginId,
    token: LoginToken,
}

impl Database {
    async fn sqlite() -> Self {
        let folder = TempDir::new().unwrap();
        let url = format!("sqlite:{}", folder.path().join("test.db").display());
        Self::open(&url, Home::Folder(folder)).await
    }

    /// None where there is no PostgreSQL on this machine.
    async fn postgres() -> Option<Self> {
        let cluster = require("postgres", Cluster::shared().await)?;
        let database = cluster.create_database().await;
        let url = database.url().to_owned();
        Some(Self::open(&url, Home::Cluster(database)).await)
    }

    async fn open(url: &str, home: Home) -> Self {
        let store = Store::open(url, Durability::Process).unwrap();
        assert_eq!(store.migrate().await.unwrap().len(), 3);
        // A fraction that ends in zeros: text must sort as time does.
        let now = DateTime::parse_from_rfc3339("2026-11-22T10:00:00.120Z").unwrap().to_utc();
        Self { store, now, _home: home }
    }

    async fn begin(&self, signup: &PendingSignup, match_number: &str) -> Option<Begun> {
        let (id, token) = (LoginId::new(random::id(self.now)), LoginToken::from_bytes(random::bytes()));
        let salt = SessionSalt::from_bytes(random::bytes());
        let new = NewLogin {
            id,
            user_id: None,
            signup: Some(signup),
            phone: &signup.phone,
            login_token: token.hash(),
            session_token: token.derive_session_token(&salt).hash(),
            session_salt: &salt,
            match_number: Some(match_number),
            provider: PROVIDER,
            provider_user_id: &ProviderUserId::new("1000001"),
            created_at: self.now,
            expires_at: self.now + TimeDelta::minutes(10),
        };
        self.store.begin_login(&new).await.unwrap().then_some(Begun { id, token })
    }

    fn how(&self) -> Settlement {
        Settlement {
            at: self.now + TimeDelta::seconds(1),
            push: None,
            session_id: SessionId::new(random::id(self.now)),
            session_expires_at: self.now + TimeDelta::hours(12),
            user_id: UserId::new(random::id(self.now)),
        }
    }

    async fn settle(&self, id: LoginId, decision: Decision) -> Effect {
        self.store.settle(id, decision, &self.how()).await.unwrap().unwrap().effect
    }

    async fn state(&self, token: &LoginToken) -> LoginState {
        self.store.find_login(&token.hash(), self.now).await.unwrap().unwrap().login.state
    }
}

fn signup(email: &str, phone: &str) -> PendingSignup {
    PendingSignup {
        full_name: FullName::parse("Ada Lovelace").unwrap(),
        email: Email::parse(email).unwrap(),
        phone: Phone::parse(&CountryCode::parse("1").unwrap(), phone).unwrap(),
        password_hash: PasswordHash::new("$argon2id$test".to_owned()),
    }
}

fn approved() -> Effect {
    Effect::Settle { state: LoginState::Approved, failure: None }
}

async fn migrations_run_once_and_are_known(database: Database) {
    assert!(database.store.migrate().await.unwrap().is_empty());
    assert!(database.store.pending_migrations().await.unwrap().is_empty());
    assert!(database.store.unknown_migrations().await.unwrap().is_empty());
    assert!(database.store.is_reachable().await);
}

async fn migrations_run_up_down_and_up_again(database: Database) {
    const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../migrations");
    let reverted = match &database.store {
        Store::Sqlite(pool) => {
            let mut harness = AsyncMigrationHarness::new(pool.get().await.unwrap());
            harness.revert_all_migrations(MIGRATIONS).unwrap().len()
        }
        Store::Postgres(pool) => {
            let mut harness = AsyncMigrationHarness::new(pool.get().await.unwrap());
            harness.revert_all_migrations(MIGRATIONS).unwrap().len()
        }
    };
    assert_eq!(reverted, 3);
    assert_eq!(database.store.pending_migrations().await.unwrap().len(), 3);
    assert_eq!(database.store.migrate().await.unwrap().len(), 3);
}

async fn an_approved_signup_is_a_user_with_a_session(database: Database) {
    let begun = database.begin(&signup("ada@example.com", "2015550123"), "42").await.unwrap();
    let email = Email::parse("ada@example.com").unwrap();
    assert!(database.store.find_credentials(&email).await.unwrap().is_none());
    assert_eq!(database.settle(begun.id, Decision::RightCode).await, approved());
    let opened = database.store.find_login(&begun.token.hash(), database.now).await.unwrap().unwrap();
    let (session, user) = opened.session.unwrap();
    let token = begun.token.derive_session_token(opened.login.session_salt.as_ref().unwrap());
    let found = database.store.find_session(&token.hash(), database.now).await.unwrap().unwrap();
    assert_eq!((found.0.id, found.1.id), (session.id, user.id));
    let credentials = database.store.find_credentials(&email).await.unwrap().unwrap();
    assert_eq!(credentials.user.id, user.id);
    assert_eq!(user.phone.e164(), "+12015550123");
    let known = database.store.find_enrollment(user.id, PROVIDER).await.unwrap();
    assert_eq!(known, Some(ProviderUserId::new("1000001")));
}

async fn two_hundred_decisions_at_once_settle_a_login_exactly_once(database: Database) {
    let begun = database.begin(&signup("ada@example.com", "2015550123"), "42").await.unwrap();
    let decisions = [
        Decision::Verdict(Verdict::Approved),
        Decision::Verdict(Verdict::Denied),
        Decision::RightCode,
        Decision::Cancelled,
        Decision::Deadline,
    ];
    let racing = (0..200).map(|number| database.settle(begun.id, decisions[number % decisions.len()]));
    let effects = futures_util::future::join_all(racing).await;
    assert_eq!(effects.iter().filter(|effect| effect.ends_the_login()).count(), 1, "{effects:?}");
    assert!(!database.state(&begun.token).await.is_open());
}

async fn of_two_signups_for_one_email_the_first_confirmed_wins(database: Database) {
    let one = database.begin(&signup("ada@example.com", "2015550123"), "42").await.unwrap();
    let other = database.begin(&signup("ada@example.com", "2015550124"), "42").await.unwrap();
    let (first, second) = tokio::join!(
        database.settle(one.id, Decision::RightCode),
        database.settle(other.id, Decision::RightCode)
    );
    let effects = [first, second];
    assert_eq!(effects.iter().filter(|effect| **effect == approved()).count(), 1, "{effects:?}");
    assert_eq!(effects.iter().filter(|effect| **effect == Effect::EMAIL_TAKEN).count(), 1, "{effects:?}");
    let loser = if first == approved() { other } else { one };
    let found = database.store.find_login(&loser.token.hash(), database.now).await.unwrap().unwrap();
    assert_eq!((found.login.failure, found.session.is_some()), (Some(LoginFailure::EmailTaken), false));
}

async fn a_hundred_tries_at_once_are_five(database: Database) {
    let begun = database.begin(&signup("ada@example.com", "2015550123"), "42").await.unwrap();
    let racing = (0..100).map(|_| database.store.take_try(begun.id, database.now));
    let taken: Vec<i32> =
        futures_util::future::join_all(racing).await.into_iter().filter_map(Result::unwrap).collect();
    assert_eq!(taken.iter().copied().collect::<HashSet<_>>(), HashSet::from([4, 3, 2, 1, 0]));
    assert_eq!(taken.len(), 5);
    database.store.give_back_try(begun.id).await.unwrap();
    assert_eq!(database.store.take_try(begun.id, database.now).await.unwrap(), Some(0));
    let late = database.now + TimeDelta::minutes(10);
    database.store.give_back_try(begun.id).await.unwrap();
    assert_eq!(database.store.take_try(begun.id, late).await.unwrap(), None);
}

async fn of_two_sendings_at_once_one_is_too_soon(database: Database) {
    let begun = database.begin(&signup("ada@example.com", "2015550123"), "42").await.unwrap();
    let next = database.now + TimeDelta::seconds(30);
    let racing = (0..20).map(|_| database.store.take_sending(begun.id, database.now, next));
    let taken = futures_util::future::join_all(racing).await;
    assert_eq!(taken.into_iter().filter(|taken| *taken.as_ref().unwrap()).count(), 1);
    assert!(!database.store.take_sending(begun.id, next - TimeDelta::microseconds(1), next).await.unwrap());
    assert!(database.store.take_sending(begun.id, next, next + TimeDelta::seconds(30)).await.unwrap());
}

async fn open_logins_of_one_phone_have_different_numbers(database: Database) {
    let first = database.begin(&signup("ada@example.com", "2015550123"), "42").await.unwrap();
    assert!(database.begin(&signup("bob@example.com", "2015550123"), "42").await.is_none());
    assert!(database.begin(&signup("eve@example.com", "2015550199"), "42").await.is_some());
    let phone = signup("ada@example.com", "2015550123").phone;
    assert_eq!(database.store.match_numbers_in_use(&phone).await.unwrap(), ["42"]);
    database.settle(first.id, Decision::Cancelled).await;
    assert!(database.begin(&signup("bob@example.com", "2015550123"), "42").await.is_some());
}

async fn a_push_is_found_by_its_handle_or_by_its_login_and_for_the_right_person_only(database: Database) {
    let begun = database.begin(&signup("ada@example.com", "2015550123"), "42").await.unwrap();
    let (push, other) = (ApprovalRequestId::new("push-1"), ApprovalRequestId::new("push-2"));
    let (owner, stranger) = (ProviderUserId::new("1000001"), ProviderUserId::new("1000002"));
    let find = async |push: &ApprovalRequestId, login_id, user: &ProviderUserId| {
        database.store.find_login_of_push(PROVIDER, push, login_id, user).await.unwrap()
    };
    assert_eq!(find(&push, None, &owner).await, None);
    assert_eq!(find(&push, Some(begun.id), &owner).await, Some(begun.id));
    assert_eq!(find(&push, Some(begun.id), &stranger).await, None);
    let ask_at = database.now + TimeDelta::seconds(5);
    database.store.record_push(begun.id, &push, ask_at).await.unwrap();
    assert_eq!(find(&push, None, &owner).await, Some(begun.id));
    assert_eq!(find(&push, Some(begun.id), &owner).await, Some(begun.id));
    assert_eq!(find(&other, Some(begun.id), &owner).await, None);
    assert_eq!(find(&push, None, &stranger).await, None);
    assert_eq!(database.store.next_asking().await.unwrap(), Some(ask_at));
}

async fn a_late_denial_ends_the_session_that_a_code_opened(database: Database) {
    let begun = database.begin(&signup("ada@example.com", "2015550123"), "42").await.unwrap();
    let push = ApprovalRequestId::new("push-1");
    database.store.record_push(begun.id, &push, database.now + TimeDelta::seconds(5)).await.unwrap();
    database.settle(begun.id, Decision::RightCode).await;
    let how = Settlement { push: Some(push), ..database.how() };
    let denied = Decision::Verdict(Verdict::Denied);
    let settled = database.store.settle(begun.id, denied, &how).await.unwrap().unwrap();
    assert_eq!(settled.effect, Effect::EndSession);
    let session = settled.ended_session.unwrap();
    assert!(!database.store.is_session_live(session, database.now).await.unwrap());
    assert!(database.store.find_login(&begun.token.hash(), database.now).await.unwrap().is_none());
    let again = database.store.settle(begun.id, denied, &how).await.unwrap().unwrap();
    assert_eq!((again.effect, again.ended_session), (Effect::Ignore, None));
}

async fn a_login_token_is_forgotten_two_minutes_after_the_end_or_at_the_deadline(database: Database) {
    let begun = database.begin(&signup("ada@example.com", "2015550123"), "42").await.unwrap();
    database.settle(begun.id, Decision::RightCode).await;
    let deadline = database.now + TimeDelta::minutes(10);
    let is_known = async |at| database.store.find_login(&begun.token.hash(), at).await.unwrap().is_some();
    assert!(is_known(deadline - TimeDelta::microseconds(1)).await);
    assert!(!is_known(deadline).await);
    assert_eq!(database.store.erase_salts(deadline - TimeDelta::microseconds(1)).await.unwrap(), 0);
    assert_eq!(database.store.erase_salts(deadline).await.unwrap(), 1);
    assert!(!is_known(database.now).await);
}

async fn a_revoked_session_takes_its_login_token_with_it(database: Database) {
    let begun = database.begin(&signup("ada@example.com", "2015550123"), "42").await.unwrap();
    database.settle(begun.id, Decision::Verdict(Verdict::Approved)).await;
    let opened = database.store.find_login(&begun.token.hash(), database.now).await.unwrap().unwrap();
    let session = opened.session.unwrap().0;
    assert!(database.store.revoke_session(session.id, database.now).await.unwrap());
    assert!(!database.store.revoke_session(session.id, database.now).await.unwrap());
    assert!(database.store.find_login(&begun.token.hash(), database.now).await.unwrap().is_none());
}

async fn overdue_logins_are_found_at_their_deadline_and_not_before(database: Database) {
    let begun = database.begin(&signup("ada@example.com", "2015550123"), "42").await.unwrap();
    let deadline = database.now + TimeDelta::minutes(10);
    assert_eq!(database.store.next_deadline().await.unwrap(), Some(deadline));
    let just_before = deadline - TimeDelta::microseconds(1);
    assert!(database.store.overdue_logins(just_before, 10).await.unwrap().is_empty());
    let overdue = database.store.overdue_logins(deadline, 10).await.unwrap();
    assert_eq!(overdue.iter().map(|login| login.id).collect::<Vec<_>>(), [begun.id]);
    database.settle(begun.id, Decision::Deadline).await;
    assert_eq!(database.store.next_deadline().await.unwrap(), None);
}

async fn an_asking_is_taken_by_one_of_many(database: Database) {
    let begun = database.begin(&signup("ada@example.com", "2015550123"), "42").await.unwrap();
    let ask_at = database.now + TimeDelta::seconds(5);
    database.store.record_push(begun.id, &ApprovalRequestId::new("push-1"), ask_at).await.unwrap();
    assert!(database.store.logins_to_ask(database.now, 10).await.unwrap().is_empty());
    let due = database.store.logins_to_ask(ask_at, 10).await.unwrap();
    let next = Some(ask_at + TimeDelta::seconds(5));
    let racing = (0..20).map(|_| database.store.take_asking(&due[0], next));
    let taken = futures_util::future::join_all(racing).await;
    assert_eq!(taken.into_iter().filter(|taken| *taken.as_ref().unwrap()).count(), 1);
    assert_eq!(database.store.next_asking().await.unwrap(), next);
    assert_eq!(database.store.ask_about_all(database.now).await.unwrap(), 1);
    assert_eq!(database.store.next_asking().await.unwrap(), Some(database.now));
}

async fn changes_are_found_by_time(database: Database) {
    let begun = database.begin(&signup("ada@example.com", "2015550123"), "42").await.unwrap();
    let changed = database.how().at;
    assert!(database.store.logins_changed_since(database.now).await.unwrap().is_empty());
    database.settle(begun.id, Decision::Cancelled).await;
    assert_eq!(database.store.logins_changed_since(database.now).await.unwrap(), [begun.id]);
    assert!(database.store.logins_changed_since(changed).await.unwrap().is_empty());
}

async fn a_password_hash_is_replaced_unless_it_has_changed(database: Database) {
    let begun = database.begin(&signup("ada@example.com", "2015550123"), "42").await.unwrap();
    database.settle(begun.id, Decision::RightCode).await;
    let email = Email::parse("ada@example.com").unwrap();
    let found = database.store.find_credentials(&email).await.unwrap().unwrap();
    let new = PasswordHash::new("$argon2id$new".to_owned());
    let replace =
        async || database.store.replace_password_hash(found.user.id, &found.password_hash, &new).await;
    assert!(replace().await.unwrap());
    assert!(!replace().await.unwrap());
    let found = database.store.find_credentials(&email).await.unwrap().unwrap();
    assert_eq!(found.password_hash.as_str(), "$argon2id$new");
}

async fn a_transaction_that_is_cancelled_leaves_nothing_behind(database: Database) {
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
    let opened = database.store.find_login(&begun.token.hash(), database.now).await.unwrap().unwrap();
    assert!(opened.session.is_some());
}

/// Makes two tests of each contract, one on each database. A contract that is not listed here is never run, and refused as
/// dead code.
macro_rules! on_both_databases {
    ($($contract:ident),+ $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $contract() {
                super::$contract(super::Database::sqlite().await).await;
            })+
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $contract() {
                if let Some(database) = super::Database::postgres().await {
                    super::$contract(database).await;
                }
            })+
        }
    };
}

on_both_databases! {
    migrations_run_once_and_are_known,
    migrations_run_up_down_and_up_again,
    an_approved_signup_is_a_user_with_a_session,
    two_hundred_decisions_at_once_settle_a_login_exactly_once,
    of_two_signups_for_one_email_the_first_confirmed_wins,
    a_hundred_tries_at_once_are_five,
    of_two_sendings_at_once_one_is_too_soon,
    open_logins_of_one_phone_have_different_numbers,
    a_push_is_found_by_its_handle_or_by_its_login_and_for_the_right_person_only,
    a_late_denial_ends_the_session_that_a_code_opened,
    a_login_token_is_forgotten_two_minutes_after_the_end_or_at_the_deadline,
    a_revoked_session_takes_its_login_token_with_it,
    overdue_logins_are_found_at_their_deadline_and_not_before,
    an_asking_is_taken_by_one_of_many,
    changes_are_found_by_time,
    a_password_hash_is_replaced_unless_it_has_changed,
    a_transaction_that_is_cancelled_leaves_nothing_behind,
}
