//! Sessions in the plural, what is confirmed in them, and the change of a password.

use countersign::{
    model::{AccountEvent, EventKind, SensitiveOperation, Session, User},
    storage::{Confirmed, OpenedSession},
};

use super::*;

const CHANGE_PASSWORD: SensitiveOperation = SensitiveOperation::ChangePassword;
const END_SESSIONS: SensitiveOperation = SensitiveOperation::EndSessions;

/// Signs a user up. Returns the session that it opens.
async fn signed_up(database: &Database) -> OpenedSession {
    let begun = database.begin(&signup("ada@example.com", "2015550123"), "42").await.unwrap();
    opened(database, begun).await
}

/// Logs the user in once more. Returns the session that it opens.
async fn logged_in(database: &Database) -> OpenedSession {
    opened(database, people::begin_login(database, "ada@example.com", None).await).await
}

async fn opened(database: &Database, begun: Begun) -> OpenedSession {
    assert_eq!(database.settle(begun.id, Decision::RightCode).await, approved());
    let found = database.store.find_approval(&begun.token.hash(), database.now).await.unwrap().unwrap();
    found.opened.unwrap()
}

/// Starts a confirmation in a session.
async fn ask(database: &Database, user: &User, session: &Session, operation: SensitiveOperation) -> Begun {
    let (id, token) = (ApprovalId::new(random::id(database.now)), LoginToken::from_bytes(random::bytes()));
    let new = NewApproval {
        id,
        consequence: &Consequence::AllowOperation(user, session.id, operation),
        phone: &user.phone,
        token: token.hash(),
        match_number: None,
        push_slot: None,
        device_id: None,
        network: None,
        push: Some(&push_recipient()),
        code: Some(&app_codes()),
        created_at: database.now,
        expires_at: database.now + TimeDelta::minutes(10),
    };
    let stored = database.store.start_approval(&new, &LimitChanges::default()).await.unwrap();
    assert!(matches!(stored, Insertion::Stored(_)));
    Begun { id, token }
}

/// Confirms an operation in a session.
async fn confirm<'a>(
    database: &Database,
    of: &'a OpenedSession,
    operation: SensitiveOperation,
) -> Confirmed<'a> {
    let user = database.credentials(&of.user.email).await.unwrap().user;
    let asked = ask(database, &user, &of.session, operation).await;
    assert_eq!(database.settle(asked.id, Decision::RightCode).await, approved());
    confirmed(&of.session, &asked)
}

/// What a client presents that has asked for a confirmation.
fn confirmed<'a>(session: &'a Session, asked: &Begun) -> Confirmed<'a> {
    Confirmed { session, token: asked.token.hash() }
}

/// The sessions that ended with these events; `None` if the operation was not confirmed.
fn ended(events: Option<Vec<AccountEvent>>) -> Option<Vec<SessionId>> {
    let session = |event: AccountEvent| (event.kind == EventKind::SessionEnded).then_some(event.session)?;
    events.map(|events| events.into_iter().filter_map(session).collect())
}

async fn sessions_of(database: &Database, user: &User) -> Vec<SessionId> {
    let live = database.store.live_sessions(user.id, database.live()).await.unwrap();
    live.into_iter().map(|active| active.session.id).collect()
}

/// A hash that nothing verifies.
fn new_hash() -> PasswordHash {
    PasswordHash::new("$argon2id$changed".to_owned())
}

async fn a_confirmation_opens_no_session_and_knows_no_device(database: &Database) {
    let ada = signed_up(database).await;
    for decision in [Decision::RightCode, Decision::Verdict(Verdict::Approved)] {
        let asked = ask(database, &ada.user, &ada.session, CHANGE_PASSWORD).await;
        assert_eq!(database.settle(asked.id, decision).await, approved());
        let found = database.store.find_approval(&asked.token.hash(), database.now).await.unwrap().unwrap();
        assert!(found.opened.is_none());
    }
    assert_eq!(sessions_of(database, &ada.user).await, [ada.session.id]);
    assert_eq!(
        database.store.remove_devices_of(ada.user.id, database.now).await.unwrap().0,
        1,
        "the signup's"
    );
}

async fn a_confirmation_allows_its_operation_once_in_its_session(database: &Database) {
    let (ada, other) = (signed_up(database).await, logged_in(database).await);
    let end_others = async |by: &Confirmed<'_>| {
        ended(database.store.end_sessions(by, None, database.live()).await.unwrap())
    };
    let login = people::begin_login(database, "ada@example.com", None).await;
    assert_eq!(end_others(&confirmed(&ada.session, &login)).await, None, "a login is no confirmation");
    let other_operation = confirm(database, &ada, CHANGE_PASSWORD).await;
    assert_eq!(end_others(&other_operation).await, None);
    let other_session = confirm(database, &other, END_SESSIONS).await;
    let stolen = Confirmed { session: &ada.session, ..other_session };
    assert_eq!(end_others(&stolen).await, None, "it is for another session");
    assert_eq!(sessions_of(database, &ada.user).await.len(), 2);
    let right = confirm(database, &ada, END_SESSIONS).await;
    let thief = Confirmed { token: LoginToken::from_bytes(random::bytes()).hash(), ..right.clone() };
    assert_eq!(end_others(&thief).await, None, "another client in the session does not know the token");
    assert_eq!(end_others(&right).await, Some(vec![other.session.id]));
    assert_eq!(sessions_of(database, &ada.user).await, [ada.session.id]);
    assert_eq!(end_others(&right).await, None, "it is used");
}

async fn a_confirmation_ends_after_five_minutes(database: &Database) {
    let ada = signed_up(database).await;
    let by = confirm(database, &ada, END_SESSIONS).await;
    let is_confirmed = async |at| database.store.is_confirmed(&by, END_SESSIONS, at).await.unwrap();
    let end = database.how().usable_until;
    assert!(is_confirmed(end - TimeDelta::microseconds(1)).await);
    assert!(!is_confirmed(end).await);
    let late = LiveAt { now: end, ..database.live() };
    assert_eq!(database.store.end_sessions(&by, None, late).await.unwrap(), None);
}

async fn of_two_uses_of_one_confirmation_one_succeeds(database: &Database) {
    let ada = signed_up(database).await;
    let other_instance = Store::open(&database.url, &settings()).unwrap();
    for _ in 0..100 {
        let by = confirm(database, &ada, END_SESSIONS).await;
        let (one, other) = tokio::join!(
            database.store.end_sessions(&by, None, database.live()),
            other_instance.end_sessions(&by, None, database.live())
        );
        let used = [one.unwrap(), other.unwrap()].iter().filter(|used| used.is_some()).count();
        assert_eq!(used, 1);
    }
}

async fn a_session_that_ends_while_its_code_is_checked_confirms_nothing(database: &Database) {
    let ada = signed_up(database).await;
    for _ in 0..100 {
        let session = logged_in(database).await.session;
        let asked = ask(database, &ada.user, &session, END_SESSIONS).await;
        let (effect, revoked) = tokio::join!(
            database.settle(asked.id, Decision::RightCode),
            database.store.revoke_session(&session, "LOGGED_OUT", database.now)
        );
        assert_eq!(revoked.unwrap().len(), 1);
        // Whichever was first, nothing can be done with it.
        let by = confirmed(&session, &asked);
        assert_eq!(database.store.end_sessions(&by, None, database.live()).await.unwrap(), None);
        assert!(effect == approved() || effect == Effect::fail(ApprovalFailure::SessionEnded), "{effect:?}");
    }
    // And certainly once it has ended.
    let session = logged_in(database).await.session;
    let asked = ask(database, &ada.user, &session, END_SESSIONS).await;
    database.store.revoke_session(&session, "LOGGED_OUT", database.now).await.unwrap();
    let refused = Effect::fail(ApprovalFailure::SessionEnded);
    assert_eq!(database.settle(asked.id, Decision::RightCode).await, refused);
}

async fn a_denied_confirmation_ends_the_session_that_asked(database: &Database) {
    let ada = signed_up(database).await;
    let denied = Decision::Verdict(Verdict::Denied);
    for decisions in [&[denied][..], &[Decision::RightCode, denied], &[Decision::Cancelled, denied]] {
        let stolen = logged_in(database).await.session;
        let asked = ask(database, &ada.user, &stolen, CHANGE_PASSWORD).await;
        let mut ended = None;
        for &decision in decisions {
            let settled = database.store.settle(asked.id, decision, &database.how()).await.unwrap().unwrap();
            ended = settled.ended_session;
        }
        assert_eq!(ended, Some(stolen.id));
        let by = confirmed(&stolen, &asked);
        let changed = database.store.change_password(&by, &new_hash(), database.live()).await.unwrap();
        assert_eq!(changed, None);
        assert_eq!(sessions_of(database, &ada.user).await, [ada.session.id]);
    }
}

async fn a_changed_password_ends_other_sessions_devices_and_open_logins(database: &Database) {
    let (ada, other) = (signed_up(database).await, logged_in(database).await);
    let open = people::begin_login(database, "ada@example.com", None).await;
    let asked = ask(database, &ada.user, &ada.session, END_SESSIONS).await;
    let change = async |by: &Confirmed<'_>| {
        ended(database.store.change_password(by, &new_hash(), database.live()).await.unwrap())
    };
    assert_eq!(change(&confirmed(&ada.session, &asked)).await, None);
    let by = confirm(database, &ada, CHANGE_PASSWORD).await;
    assert_eq!(change(&by).await, Some(vec![other.session.id]));
    let credentials = database.credentials(&ada.user.email).await.unwrap();
    assert_eq!(credentials.password_hash, new_hash());
    assert_eq!(credentials.user.security_version, ada.user.security_version + 1);
    assert_eq!(database.store.remove_devices_of(ada.user.id, database.now).await.unwrap().0, 0);
    let waiting = database.store.open_approvals_of_user(ada.user.id).await.unwrap();
    assert_eq!(HashSet::from_iter(waiting), HashSet::from([open.id, asked.id]));
    for begun in [open, asked] {
        let refused = Effect::fail(ApprovalFailure::AccountChanged);
        assert_eq!(database.settle(begun.id, Decision::Verdict(Verdict::Approved)).await, refused);
    }
    assert_eq!(sessions_of(database, &ada.user).await, [ada.session.id]);
    assert_eq!(change(&by).await, None, "the confirmation is used");
}

/// The login is settled at the same moment as the password changes: it opens no session, or one that the change ends.
async fn a_login_from_before_a_change_of_password_leaves_no_session(database: &Database) {
    let ada = signed_up(database).await;
    for _ in 0..100 {
        let by = confirm(database, &ada, CHANGE_PASSWORD).await;
        let begun = people::begin_login(database, "ada@example.com", None).await;
        let new = new_hash();
        let (effect, changed) = tokio::join!(
            database.settle(begun.id, Decision::RightCode),
            database.store.change_password(&by, &new, database.live())
        );
        assert!(changed.unwrap().is_some());
        assert!(
            effect == approved() || effect == Effect::fail(ApprovalFailure::AccountChanged),
            "{effect:?}"
        );
        assert_eq!(sessions_of(database, &ada.user).await, [ada.session.id]);
    }
}

/// The password is checked before the change, and the login is stored after it.
async fn a_login_that_is_stored_after_the_change_is_refused(database: &Database) {
    let ada = signed_up(database).await;
    let by = confirm(database, &ada, CHANGE_PASSWORD).await;
    assert!(database.store.change_password(&by, &new_hash(), database.live()).await.unwrap().is_some());
    // As the check has read it.
    let asked = ask(database, &ada.user, &ada.session, END_SESSIONS).await;
    let refused = Effect::fail(ApprovalFailure::AccountChanged);
    assert_eq!(database.settle(asked.id, Decision::RightCode).await, refused);
}

async fn a_step_up_marks_the_session_and_allows_nothing(database: &Database) {
    let ada = signed_up(database).await;
    let read =
        async || database.store.find_live_session(ada.session.id, database.live()).await.unwrap().unwrap();
    let asked = ask(database, &ada.user, &ada.session, SensitiveOperation::StepUp).await;
    let how = Settlement { at: database.now + TimeDelta::minutes(3), ..database.how() };
    let verdict = Decision::Verdict(Verdict::Approved);
    database.store.settle(asked.id, verdict, &how).await.unwrap().unwrap();
    assert_eq!((read().await.confirmed_at, read().await.amr.as_str()), (how.at, "pwd mca mfa"));
    for operation in [SensitiveOperation::StepUp, CHANGE_PASSWORD, END_SESSIONS] {
        assert!(
            !database.store.is_confirmed(&confirmed(&ada.session, &asked), operation, how.at).await.unwrap()
        );
    }
}

async fn a_session_ends_when_it_is_not_used(database: &Database) {
    let ada = signed_up(database).await;
    let opened_at = database.how().at;
    let is_live = async |minutes| {
        let now = opened_at + TimeDelta::minutes(minutes);
        let live = LiveAt { now, idle_since: now - TimeDelta::hours(1) };
        database.store.find_live_session(ada.session.id, live).await.unwrap().is_some()
    };
    assert!(is_live(59).await);
    assert!(!is_live(60).await);
    let record = async |minutes| {
        let now = opened_at + TimeDelta::minutes(minutes);
        let (since, live) =
            (Session::recorded_before(now), LiveAt { now, idle_since: now - TimeDelta::hours(1) });
        database.store.record_session_used(ada.session.id, since, live).await.unwrap();
    };
    record(30).await;
    assert!(is_live(89).await);
    assert!(!is_live(90).await);
    // An instance that is slow does not move it back, and use after its end does not revive it.
    record(0).await;
    assert!(is_live(89).await);
    record(90).await;
    assert!(!is_live(91).await);
}

async fn sessions_say_where_they_were_opened_and_how(database: &Database) {
    let ada = signed_up(database).await;
    let other = logged_in(database).await.session;
    let live = LiveAt { now: database.now + TimeDelta::minutes(2), ..database.live() };
    database.store.record_session_used(other.id, Session::recorded_before(live.now), live).await.unwrap();
    let live = database.store.live_sessions(ada.user.id, database.live()).await.unwrap();
    let [last_used, first] = &live[..] else { panic!("{live:?}") };
    assert_eq!((last_used.session.id, first.session.id), (other.id, ada.session.id));
    assert_eq!(last_used.network.as_deref(), Some("192.0.2.0/24"));
    assert_eq!(last_used.browser.as_deref(), Some("Firefox on Linux"));
    assert_eq!(last_used.amr, "pwd otp mfa");
    assert!(database.store.has_session(ada.user.id, other.id).await.unwrap());
    let stranger = UserId::new(random::id(database.now));
    assert!(!database.store.has_session(stranger, other.id).await.unwrap());
}

async fn each_event_of_an_account_is_one_row_of_its_trail(database: &Database) {
    let ada = signed_up(database).await;
    let failing = people::begin_login(database, "ada@example.com", None).await;
    database.settle(failing.id, Decision::TooManyWrongCodes).await;
    let other = logged_in(database).await;
    let denied = people::begin_login(database, "ada@example.com", None).await;
    database.settle(denied.id, Decision::Verdict(Verdict::Denied)).await;
    database.settle(denied.id, Decision::Cancelled).await;
    for _ in 0..2 {
        database.store.remove_devices_of(ada.user.id, database.now).await.unwrap();
    }
    let by = confirm(database, &ada, CHANGE_PASSWORD).await;
    database.store.change_password(&by, &new_hash(), database.live()).await.unwrap();
    database.store.revoke_session(&ada.session, "LOGGED_OUT", database.now).await.unwrap();
    let trail = database.store.account_events(ada.user.id, 100).await.unwrap();
    let of_kind = |kind| trail.iter().filter(|event| event.kind == kind).collect::<Vec<_>>();
    let [failed] = of_kind(EventKind::LoginFailed)[..] else { panic!("{trail:?}") };
    assert_eq!((failed.approval, failed.detail.as_deref()), (Some(failing.id), Some("TOO_MANY_WRONG_CODES")));
    let [logged_in] = of_kind(EventKind::LoggedIn)[..] else { panic!("{trail:?}") };
    assert_eq!(logged_in.network.as_deref(), Some("192.0.2.0/24"));
    let ends: HashSet<_> = of_kind(EventKind::SessionEnded).iter().map(|event| event.session).collect();
    assert_eq!(ends, HashSet::from([Some(other.session.id), Some(ada.session.id)]));
    for kind in EventKind::ALL {
        let expected = if *kind == EventKind::SessionEnded { 2 } else { 1 };
        assert_eq!(of_kind(*kind).len(), expected, "{kind:?} in {trail:?}");
    }
    let (early, late) = (database.now, database.now + TimeDelta::minutes(1));
    assert_eq!(database.store.remove_account_events(early, 100).await.unwrap(), 0);
    assert_eq!(database.store.remove_account_events(late, 100).await.unwrap(), trail.len());
}

async fn failed_attempts_are_one_row_for_an_email_a_network_and_an_hour(database: &Database) {
    let key = database.store.find_email_key().await.unwrap().unwrap();
    let (known, unknown) = (key.pseudonym("ada@example.com"), key.pseudonym("nobody@example.com"));
    let hour = database.now;
    for at in [hour, hour + TimeDelta::minutes(59), hour + TimeDelta::minutes(60)] {
        for (email, network) in [(&known, Some("192.0.2.0/24")), (&known, None), (&unknown, None)] {
            database.store.count_failed_attempt(email, network, at).await.unwrap();
        }
    }
    let counted = async |email, since| database.store.failed_attempts(email, since).await.unwrap();
    let rows = |network: &str| [(network.to_owned(), 2), (network.to_owned(), 1)];
    assert_eq!(counted(&unknown, hour).await, rows("unknown"));
    assert_eq!(counted(&known, hour).await, [rows("192.0.2.0/24"), rows("unknown")].concat());
    assert_eq!(database.store.remove_failed_attempts(hour + TimeDelta::minutes(60), 100).await.unwrap(), 3);
    assert_eq!(counted(&known, hour).await.len(), 2);
}

on_both_databases! {
    afterwards every_query_used_an_index:
    a_confirmation_opens_no_session_and_knows_no_device,
    a_confirmation_allows_its_operation_once_in_its_session,
    a_confirmation_ends_after_five_minutes,
    of_two_uses_of_one_confirmation_one_succeeds,
    a_session_that_ends_while_its_code_is_checked_confirms_nothing,
    a_denied_confirmation_ends_the_session_that_asked,
    a_changed_password_ends_other_sessions_devices_and_open_logins,
    a_login_from_before_a_change_of_password_leaves_no_session,
    a_login_that_is_stored_after_the_change_is_refused,
    a_step_up_marks_the_session_and_allows_nothing,
    a_session_ends_when_it_is_not_used,
    sessions_say_where_they_were_opened_and_how,
    each_event_of_an_account_is_one_row_of_its_trail,
    failed_attempts_are_one_row_for_an_email_a_network_and_an_hour,
}
