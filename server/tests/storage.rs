//! The contract of storage: what every database has to hold, whoever else is writing.

use std::{collections::HashSet, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use countersign::{
    model::{
        ApprovalRequestId, CodeChannel, CountryCode, Decision, Effect, Email, FullName, LoginFailure,
        LoginId, LoginState, LoginToken, PasswordHash, PendingSignup, Phone, ProviderUserId, SessionId,
        SessionSalt, UserId, Verdict,
    },
    random,
    storage::{AskingClaim, Durability, NewLogin, OverdueClaim, Settlement, Store},
};
use diesel_async::AsyncMigrationHarness;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use tempfile::TempDir;

const PROVIDER: &str = "authy";
/// The folders of `migrations/`.
const MIGRATION_COUNT: usize = 4;
/// The turn that keeps the pace of asking.
const PACE: &str = "asking authy";

/// A database of its own, with all migrations run.
struct Database {
    store: Store,
    now: DateTime<Utc>,
    _folder: TempDir,
}

/// A login that has begun, and its token.
struct Begun {
    id: LoginId,
    token: LoginToken,
}

impl Database {
    async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let url = format!("sqlite:{}", folder.path().join("test.db").display());
        let store = Store::open(&url, Durability::Process).unwrap();
        assert_eq!(store.migrate().await.unwrap().len(), MIGRATION_COUNT);
        // A fraction that ends in zeros: text must sort as time does.
        let now = DateTime::parse_from_rfc3339("2026-11-22T10:00:00.120Z").unwrap().to_utc();
        Self { store, now, _folder: folder }
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

    /// Begins a login whose push is asked about first after five seconds.
    async fn begin_with_push(&self, push: &str) -> Begun {
        let number = u64::from_le_bytes(random::bytes());
        let (email, phone) =
            (format!("{number}@example.com"), format!("201{:07}", 2_000_000 + number % 7_000_000));
        let begun = self.begin(&signup(&email, &phone), "42").await.unwrap();
        let ask_at = self.now + TimeDelta::seconds(5);
        self.store.record_push(begun.id, &ApprovalRequestId::new(push), ask_at).await.unwrap();
        begun
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

/// What one instance claims at a time.
fn claim(now: DateTime<Utc>) -> AskingClaim<'static> {
    let (until, leased_until) = (now + TimeDelta::seconds(1), now + TimeDelta::seconds(12));
    AskingClaim { turn: PACE, now, until, leased_until, limit: 64 }
}

fn approved() -> Effect {
    Effect::Settle { state: LoginState::Approved, failure: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn migrations_run_once_and_are_known() {
    let database = Database::new().await;
    assert!(database.store.migrate().await.unwrap().is_empty());
    assert!(database.store.pending_migrations().await.unwrap().is_empty());
    assert!(database.store.unknown_migrations().await.unwrap().is_empty());
    assert!(database.store.is_reachable().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn migrations_run_up_down_and_up_again() {
    const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../migrations");
    let database = Database::new().await;
    let Store::Sqlite(pool) = &database.store else { panic!("another database was opened") };
    let mut harness = AsyncMigrationHarness::new(pool.get().await.unwrap());
    assert_eq!(harness.revert_all_migrations(MIGRATIONS).unwrap().len(), MIGRATION_COUNT);
    drop(harness);
    assert_eq!(database.store.pending_migrations().await.unwrap().len(), MIGRATION_COUNT);
    assert_eq!(database.store.migrate().await.unwrap().len(), MIGRATION_COUNT);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approved_signup_is_a_user_with_a_session() {
    let database = Database::new().await;
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

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_decisions_at_once_settle_a_login_exactly_once() {
    let database = Database::new().await;
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

#[tokio::test(flavor = "multi_thread")]
async fn of_two_signups_for_one_email_the_first_confirmed_wins() {
    let database = Database::new().await;
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

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_tries_at_once_are_five() {
    let database = Database::new().await;
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

#[tokio::test(flavor = "multi_thread")]
async fn of_two_sendings_at_once_one_is_too_soon() {
    let database = Database::new().await;
    let begun = database.begin(&signup("ada@example.com", "2015550123"), "42").await.unwrap();
    let next = database.now + TimeDelta::seconds(30);
    let racing = (0..20).map(|_| database.store.take_sending(begun.id, database.now, next));
    let taken = futures_util::future::join_all(racing).await;
    assert_eq!(taken.into_iter().filter(|taken| *taken.as_ref().unwrap()).count(), 1);
    assert!(!database.store.take_sending(begun.id, next - TimeDelta::microseconds(1), next).await.unwrap());
    assert!(database.store.take_sending(begun.id, next, next + TimeDelta::seconds(30)).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn open_logins_of_one_phone_have_different_numbers() {
    let database = Database::new().await;
    let first = database.begin(&signup("ada@example.com", "2015550123"), "42").await.unwrap();
    assert!(database.begin(&signup("bob@example.com", "2015550123"), "42").await.is_none());
    assert!(database.begin(&signup("eve@example.com", "2015550199"), "42").await.is_some());
    let phone = signup("ada@example.com", "2015550123").phone;
    assert_eq!(database.store.match_numbers_in_use(&phone).await.unwrap(), ["42"]);
    database.settle(first.id, Decision::Cancelled).await;
    assert!(database.begin(&signup("bob@example.com", "2015550123"), "42").await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_is_found_by_its_handle_or_by_its_login_and_for_the_right_person_only() {
    let database = Database::new().await;
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

#[tokio::test(flavor = "multi_thread")]
async fn a_late_denial_ends_the_session_that_a_code_opened() {
    let database = Database::new().await;
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

#[tokio::test(flavor = "multi_thread")]
async fn a_login_token_is_forgotten_two_minutes_after_the_end_or_at_the_deadline() {
    let database = Database::new().await;
    let begun = database.begin(&signup("ada@example.com", "2015550123"), "42").await.unwrap();
    database.settle(begun.id, Decision::RightCode).await;
    let deadline = database.now + TimeDelta::minutes(10);
    let is_known = async |at| database.store.find_login(&begun.token.hash(), at).await.unwrap().is_some();
    assert!(is_known(deadline - TimeDelta::microseconds(1)).await);
    assert!(!is_known(deadline).await);
    assert_eq!(database.store.erase_salts(deadline - TimeDelta::microseconds(1), 10).await.unwrap(), 0);
    assert_eq!(database.store.erase_salts(deadline, 10).await.unwrap(), 1);
    assert!(!is_known(database.now).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_session_takes_its_login_token_with_it() {
    let database = Database::new().await;
    let begun = database.begin(&signup("ada@example.com", "2015550123"), "42").await.unwrap();
    database.settle(begun.id, Decision::Verdict(Verdict::Approved)).await;
    let opened = database.store.find_login(&begun.token.hash(), database.now).await.unwrap().unwrap();
    let session = opened.session.unwrap().0;
    assert!(database.store.revoke_session(session.id, database.now).await.unwrap());
    assert!(!database.store.revoke_session(session.id, database.now).await.unwrap());
    let just_before = database.now - TimeDelta::microseconds(1);
    assert_eq!(database.store.sessions_revoked_since(just_before).await.unwrap(), [session.id]);
    assert!(database.store.sessions_revoked_since(database.now).await.unwrap().is_empty());
    assert!(database.store.find_login(&begun.token.hash(), database.now).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overdue_login_is_claimed_at_its_deadline_by_one_of_many() {
    let database = Database::new().await;
    let begun = database.begin(&signup("ada@example.com", "2015550123"), "42").await.unwrap();
    let (deadline, grace) = (database.now + TimeDelta::minutes(10), TimeDelta::seconds(30));
    assert_eq!(database.store.next_deadline(grace).await.unwrap(), Some(deadline));
    let claim = |now| OverdueClaim { now, grace, leased_until: now + TimeDelta::seconds(10), limit: 10 };
    let just_before = claim(deadline - TimeDelta::microseconds(1));
    assert!(database.store.claim_overdue(&just_before).await.unwrap().is_empty());
    let now = claim(deadline);
    let racing = (0..20).map(|_| database.store.claim_overdue(&now));
    let claimed = futures_util::future::join_all(racing).await;
    assert_eq!(claimed.into_iter().flat_map(Result::unwrap).collect::<Vec<_>>(), [begun.id]);
    // Whoever claimed it dies: it is due where pushes are, when the lease runs out.
    assert_eq!(database.store.next_asking().await.unwrap(), Some(now.leased_until));
    database.settle(begun.id, Decision::Deadline).await;
    assert_eq!(database.store.next_deadline(grace).await.unwrap(), None);
    assert_eq!(database.store.next_asking().await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_with_an_open_push_is_overdue_only_when_its_grace_is_over() {
    let database = Database::new().await;
    let begun = database.begin_with_push("push-1").await;
    let (deadline, grace) = (database.now + TimeDelta::minutes(10), TimeDelta::seconds(30));
    let claim = |now| OverdueClaim { now, grace, leased_until: now + TimeDelta::seconds(10), limit: 10 };
    assert_eq!(database.store.next_deadline(grace).await.unwrap(), Some(deadline + grace));
    assert!(database.store.claim_overdue(&claim(deadline)).await.unwrap().is_empty());
    let just_before = claim(deadline + grace - TimeDelta::microseconds(1));
    assert!(database.store.claim_overdue(&just_before).await.unwrap().is_empty());
    assert_eq!(database.store.claim_overdue(&claim(deadline + grace)).await.unwrap(), [begun.id]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_asking_is_claimed_by_one_of_many_and_comes_back_when_its_lease_runs_out() {
    let database = Database::new().await;
    let begun = database.begin_with_push("push-1").await;
    let now = database.now + TimeDelta::seconds(5);
    database.store.ensure_turn(PACE, database.now, TimeDelta::milliseconds(100)).await.unwrap();
    assert!(database.store.claim_askings(&claim(database.now)).await.unwrap().logins.is_empty());
    let claim = claim(now);
    let racing = (0..20).map(|_| database.store.claim_askings(&claim));
    let claimed = futures_util::future::join_all(racing).await;
    let claimed: Vec<_> = claimed.into_iter().flat_map(|claimed| claimed.unwrap().logins).collect();
    let [(login, slot)] = &claimed[..] else { panic!("{claimed:?}") };
    assert_eq!((login.id, login.asks, login.due_at, *slot), (begun.id, 0, now, now));
    assert_eq!(database.store.next_asking().await.unwrap(), Some(claim.leased_until));
    let next = now + TimeDelta::seconds(7);
    database.store.plan_asking(begun.id, Some(next)).await.unwrap();
    assert_eq!(database.store.next_asking().await.unwrap(), Some(next));
    database.settle(begun.id, Decision::Verdict(Verdict::Approved)).await;
    database.store.plan_asking(begun.id, Some(next)).await.unwrap();
    assert_eq!(database.store.next_asking().await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pace_of_asking_is_one_for_all_who_ask() {
    let database = Database::new().await;
    for number in 0..60 {
        database.begin_with_push(&format!("push-{number}")).await;
    }
    let now = database.now + TimeDelta::seconds(5);
    database.store.ensure_turn(PACE, database.now, TimeDelta::milliseconds(100)).await.unwrap();
    let (first, later) = (claim(now), claim(now + TimeDelta::seconds(1)));
    for claim in [first, later] {
        let racing = (0..8).map(|_| database.store.claim_askings(&claim));
        let claimed = futures_util::future::join_all(racing).await;
        let mut slots: Vec<_> = claimed
            .into_iter()
            .flat_map(|claimed| claimed.unwrap().logins)
            .map(|(_, slot)| slot - claim.now)
            .collect();
        slots.sort();
        let tenths: Vec<_> = (0..10).map(|tenth| TimeDelta::milliseconds(100 * tenth)).collect();
        assert_eq!(slots, tenths);
    }
    let (fast, slow) = (TimeDelta::milliseconds(100), TimeDelta::milliseconds(200));
    let racing = (0..5).map(|_| database.store.change_turn_interval(PACE, fast, slow));
    let changed = futures_util::future::join_all(racing).await;
    assert_eq!(changed.into_iter().filter(|changed| *changed.as_ref().unwrap()).count(), 1);
    let claimed = database.store.claim_askings(&claim(now + TimeDelta::seconds(2))).await.unwrap();
    assert_eq!((claimed.logins.len(), claimed.interval), (5, slow));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_open_pushes_are_asked_about_at_once() {
    let database = Database::new().await;
    database.begin_with_push("push-1").await;
    assert_eq!(database.store.ask_about_open_pushes(database.now, 10).await.unwrap(), 1);
    assert_eq!(database.store.next_asking().await.unwrap(), Some(database.now));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_is_gone_is_asked_about_no_more_and_told_once() {
    let database = Database::new().await;
    let begun = database.begin_with_push("push-1").await;
    assert!(database.store.record_push_gone(begun.id, database.now).await.unwrap());
    assert!(!database.store.record_push_gone(begun.id, database.now).await.unwrap());
    assert_eq!(database.store.next_asking().await.unwrap(), None);
    let other = database.begin_with_push("push-2").await;
    database.store.record_code_sent(other.id, CodeChannel::Sms, database.now).await.unwrap();
    assert!(!database.store.record_push_gone(other.id, database.now).await.unwrap());
    assert_eq!(database.store.next_asking().await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_is_taken_by_one_of_many() {
    let database = Database::new().await;
    let next = database.now + TimeDelta::minutes(1);
    let ensure = || database.store.ensure_turn("chore", database.now, TimeDelta::minutes(1));
    ensure().await.unwrap();
    let racing = (0..20).map(|_| database.store.take_turn("chore", database.now, next));
    let taken = futures_util::future::join_all(racing).await;
    assert_eq!(taken.into_iter().filter(|taken| *taken.as_ref().unwrap()).count(), 1);
    ensure().await.unwrap();
    assert!(!database.store.take_turn("chore", next - TimeDelta::microseconds(1), next).await.unwrap());
    assert!(database.store.take_turn("chore", next, next + TimeDelta::minutes(1)).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_over_is_removed_in_batches_and_takes_nothing_with_it() {
    let database = Database::new().await;
    let mut sessions = Vec::new();
    for number in 0..3 {
        let email = format!("ada{number}@example.com");
        let begun = database.begin(&signup(&email, "2015550123"), "42").await.unwrap();
        database.settle(begun.id, Decision::RightCode).await;
        let opened = database.store.find_login(&begun.token.hash(), database.now).await.unwrap().unwrap();
        sessions.push(opened.session.unwrap().0.id);
    }
    let open = database.begin(&signup("eve@example.com", "2015550123"), "42").await.unwrap();
    let (ended, far) = (database.how().at, database.now + TimeDelta::days(400));
    assert_eq!(database.store.remove_logins(ended, 10).await.unwrap(), 0);
    assert_eq!(database.store.remove_logins(far, 2).await.unwrap(), 2);
    assert_eq!(database.store.remove_logins(far, 2).await.unwrap(), 1);
    assert_eq!(database.store.remove_logins(far, 2).await.unwrap(), 0);
    assert_eq!(database.state(&open.token).await, LoginState::Pending);
    for session in sessions {
        assert!(database.store.is_session_live(session, database.now).await.unwrap());
    }
    assert_eq!(database.store.remove_sessions(database.how().session_expires_at, 10).await.unwrap(), 0);
    assert_eq!(database.store.remove_sessions(far, 2).await.unwrap(), 2);
    assert_eq!(database.store.remove_sessions(far, 2).await.unwrap(), 1);
    let email = Email::parse("ada0@example.com").unwrap();
    assert!(database.store.find_credentials(&email).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_found_by_time() {
    let database = Database::new().await;
    let begun = database.begin(&signup("ada@example.com", "2015550123"), "42").await.unwrap();
    let changed = database.how().at;
    assert!(database.store.logins_changed_since(database.now).await.unwrap().is_empty());
    database.settle(begun.id, Decision::Cancelled).await;
    assert_eq!(database.store.logins_changed_since(database.now).await.unwrap(), [begun.id]);
    assert!(database.store.logins_changed_since(changed).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_hash_is_replaced_unless_it_has_changed() {
    let database = Database::new().await;
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

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_is_cancelled_leaves_nothing_behind() {
    let database = Database::new().await;
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
