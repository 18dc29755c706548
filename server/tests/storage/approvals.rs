//! Settling logins, codes and pushes.

use countersign::storage::OpenedSession;

use super::*;

const PENDING: ApprovalState = ApprovalState::Pending;

async fn an_approved_signup_is_a_user_with_a_session(database: &Database) {
    let begun = database.begin(&signup("ada@example.com", "2015550123"), "42").await.unwrap();
    let email = Email::parse("ada@example.com").unwrap();
    assert!(database.credentials(&email).await.is_none());
    assert_eq!(database.settle(begun.id, Decision::RightCode).await, approved());
    let opened = database.store.find_approval(&begun.token.hash(), database.now).await.unwrap().unwrap();
    let OpenedSession { session, user, grant } = opened.opened.unwrap();
    let token = begun.token.derive_session_token(&grant.salt);
    let found = database.store.find_session(&token.hash(), database.live()).await.unwrap().unwrap();
    assert_eq!((found.0.id, found.1.id), (session.id, user.id));
    let credentials = database.credentials(&email).await.unwrap();
    assert_eq!(credentials.user.id, user.id);
    assert_eq!(user.phone.e164(), "+12015550123");
    let enrolled = database.store.enrollments_of(user.id).await.unwrap();
    assert_eq!(enrolled, [(PROVIDER.to_owned(), ProviderUserId::new("1000001"))]);
}

async fn two_hundred_decisions_at_once_settle_a_login_exactly_once(database: &Database) {
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
    assert_eq!(effects.iter().filter(|effect| effect.settles()).count(), 1, "{effects:?}");
    let found = database.store.find_approval(&begun.token.hash(), database.now).await.unwrap();
    // A code that won and was denied afterwards leaves nothing to be read.
    let was_denied = effects.contains(&Effect::EndSession);
    assert_eq!(found.is_none(), was_denied, "{effects:?}");
    assert!(found.is_none_or(|found| !found.approval.state.is_open()));
}

async fn of_two_signups_for_one_email_the_first_confirmed_wins(database: &Database) {
    let one = database.begin(&signup("ada@example.com", "2015550123"), "42").await.unwrap();
    let other = database.begin(&signup("ada@example.com", "2015550124"), "42").await.unwrap();
    let (first, second) = tokio::join!(
        database.settle(one.id, Decision::RightCode),
        database.settle(other.id, Decision::RightCode)
    );
    let effects = [first, second];
    assert_eq!(effects.iter().filter(|effect| **effect == approved()).count(), 1, "{effects:?}");
    assert_eq!(
        effects.iter().filter(|effect| **effect == Effect::fail(ApprovalFailure::EmailTaken)).count(),
        1,
        "{effects:?}"
    );
    let loser = if first == approved() { other } else { one };
    let found = database.store.find_approval(&loser.token.hash(), database.now).await.unwrap().unwrap();
    assert_eq!((found.approval.failure, found.opened.is_some()), (Some(ApprovalFailure::EmailTaken), false));
}

async fn a_hundred_tries_at_once_are_five(database: &Database) {
    let begun = database.begin(&signup("ada@example.com", "2015550123"), "42").await.unwrap();
    let racing = (0..100).map(|_| database.store.take_try(begun.id, 5, database.now));
    let taken = futures_util::future::join_all(racing).await;
    assert_eq!(taken.into_iter().filter(|taken| *taken.as_ref().unwrap()).count(), 5);
    database.store.give_back_try(begun.id).await.unwrap();
    assert!(database.store.take_try(begun.id, 5, database.now).await.unwrap());
    let late = database.now + TimeDelta::minutes(10);
    database.store.give_back_try(begun.id).await.unwrap();
    assert!(!database.store.take_try(begun.id, 5, late).await.unwrap());
}

async fn of_two_sendings_at_once_one_is_too_soon(database: &Database) {
    let begun = database.begin(&signup("ada@example.com", "2015550123"), "42").await.unwrap();
    let next = database.now + TimeDelta::seconds(30);
    let racing = (0..20).map(|_| database.store.take_sending(begun.id, PENDING, database.now, next));
    let taken = futures_util::future::join_all(racing).await;
    assert_eq!(taken.into_iter().filter(|taken| *taken.as_ref().unwrap()).count(), 1);
    let early = next - TimeDelta::microseconds(1);
    assert!(!database.store.take_sending(begun.id, PENDING, early, next).await.unwrap());
    let later = next + TimeDelta::seconds(30);
    assert!(database.store.take_sending(begun.id, PENDING, next, later).await.unwrap());
}

async fn open_logins_of_one_phone_have_different_numbers(database: &Database) {
    let first = database.begin(&signup("ada@example.com", "2015550123"), "42").await.unwrap();
    assert!(database.begin(&signup("bob@example.com", "2015550123"), "42").await.is_none());
    assert!(database.begin(&signup("eve@example.com", "2015550199"), "42").await.is_some());
    let phone = signup("ada@example.com", "2015550123").phone;
    assert_eq!(database.store.match_numbers_in_use(&phone).await.unwrap(), ["42"]);
    database.settle(first.id, Decision::Cancelled).await;
    assert!(database.begin(&signup("bob@example.com", "2015550123"), "42").await.is_some());
}

async fn a_push_is_found_by_its_handle_or_by_its_login_and_for_the_right_person_only(database: &Database) {
    let begun = database.begin(&signup("ada@example.com", "2015550123"), "42").await.unwrap();
    let (push, other) = (PushHandle::new("push-1"), PushHandle::new("push-2"));
    let (owner, stranger) = (ProviderUserId::new("1000001"), ProviderUserId::new("1000002"));
    let find = async |push: &PushHandle, login_id, user: &ProviderUserId| {
        database.store.find_approval_of_push(PROVIDER, push, login_id, user).await.unwrap()
    };
    assert_eq!(find(&push, None, &owner).await, None);
    assert_eq!(find(&push, Some(begun.id), &owner).await, Some(begun.id));
    assert_eq!(find(&push, Some(begun.id), &stranger).await, None);
    let next_poll_at = database.now + TimeDelta::seconds(5);
    database.store.record_push(begun.id, &push, next_poll_at).await.unwrap();
    assert_eq!(find(&push, None, &owner).await, Some(begun.id));
    assert_eq!(find(&push, Some(begun.id), &owner).await, Some(begun.id));
    assert_eq!(find(&other, Some(begun.id), &owner).await, None);
    assert_eq!(find(&push, None, &stranger).await, None);
    assert_eq!(database.store.next_poll(PROVIDER).await.unwrap(), Some(next_poll_at));
}

async fn a_push_that_is_out_gives_its_login_unless_the_phone_was_faster(database: &Database) {
    let begun = database.begin(&signup("ada@example.com", "2015550123"), "42").await.unwrap();
    let (push, next_poll_at) = (PushHandle::new("push-1"), database.now + TimeDelta::seconds(5));
    let recorded = database.store.record_push(begun.id, &push, next_poll_at).await.unwrap().unwrap();
    assert_eq!(
        (recorded.next_step, recorded.next_poll_at),
        (ApprovalStep::ApproveOnPhone, Some(next_poll_at))
    );
    let read = database.store.find_approval(&begun.token.hash(), database.now).await.unwrap().unwrap();
    assert_eq!(format!("{recorded:?}"), format!("{:?}", read.approval));

    let faster = database.begin(&signup("bob@example.com", "2015550124"), "42").await.unwrap();
    let push = PushHandle::new("push-2");
    let how = Settlement { push: Some(push.clone()), ..database.how() };
    let approved = Decision::Verdict(Verdict::Approved);
    database.store.settle(faster.id, approved, &how).await.unwrap().unwrap();
    assert!(database.store.record_push(faster.id, &push, next_poll_at).await.unwrap().is_none());
    assert_eq!(database.state(&faster.token).await, ApprovalState::Approved);
}

async fn a_login_that_is_kept_stands_as_it_stood(database: &Database) {
    let begun = database.begin(&signup("ada@example.com", "2015550123"), "42").await.unwrap();
    let found = async || {
        let found = database.store.find_approval(&begun.token.hash(), database.now).await.unwrap().unwrap();
        format!("{:?}", found.approval)
    };
    let before = found().await;
    let later = database.now + TimeDelta::microseconds(1);
    database.store.keep_approval(begun.id, later).await.unwrap();
    assert_eq!(found().await, before);
    let changed = database.store.approvals_changed_since(database.now).await.unwrap();
    assert_eq!(changed.len(), 1, "it was written");
}

async fn a_push_that_is_gone_is_asked_about_no_more_and_told_once(database: &Database) {
    let begun = database.begin_with_push("push-1").await;
    assert!(database.store.record_push_gone(begun.id, database.now).await.unwrap());
    assert!(!database.store.record_push_gone(begun.id, database.now).await.unwrap());
    assert_eq!(database.store.next_poll(PROVIDER).await.unwrap(), None);
    let other = database.begin_with_push("push-2").await;
    database
        .store
        .record_code_sent(other.id, PENDING, (CodeChannel::Sms, &app_codes()), database.now)
        .await
        .unwrap();
    assert!(!database.store.record_push_gone(other.id, database.now).await.unwrap());
    assert_eq!(database.store.next_poll(PROVIDER).await.unwrap(), None);
}

async fn a_late_denial_ends_the_session_that_a_code_opened(database: &Database) {
    let begun = database.begin(&signup("ada@example.com", "2015550123"), "42").await.unwrap();
    let push = PushHandle::new("push-1");
    database.store.record_push(begun.id, &push, database.now + TimeDelta::seconds(5)).await.unwrap();
    database.settle(begun.id, Decision::RightCode).await;
    let how = Settlement { push: Some(push), ..database.how() };
    let denied = Decision::Verdict(Verdict::Denied);
    let settled = database.store.settle(begun.id, denied, &how).await.unwrap().unwrap();
    assert_eq!(settled.effect, Effect::EndSession);
    let session = settled.ended_session.unwrap();
    assert!(database.store.find_live_session(session, database.live()).await.unwrap().is_none());
    assert!(database.store.find_approval(&begun.token.hash(), database.now).await.unwrap().is_none());
    let again = database.store.settle(begun.id, denied, &how).await.unwrap().unwrap();
    assert_eq!((again.effect, again.ended_session), (Effect::Ignore, None));
}

/// Signs somebody up, and begins a login of theirs.
async fn login_of_user(database: &Database, device: Option<DeviceId>) -> Begun {
    let begun = database.begin(&signup("ada@example.com", "2015550123"), "42").await.unwrap();
    database.settle(begun.id, Decision::RightCode).await;
    people::begin_login(database, "ada@example.com", device).await
}

async fn a_code_from_before_a_denial_is_not_taken_after_it(database: &Database) {
    let begun = login_of_user(database, None).await;
    let found = async || {
        database.store.find_approval(&begun.token.hash(), database.now).await.unwrap().unwrap().approval
    };
    let record = async |state| {
        database
            .store
            .record_code_sent(begun.id, state, (CodeChannel::Sms, &app_codes()), database.now)
            .await
            .unwrap();
        found().await.code_channel
    };
    assert_eq!(record(PENDING).await, Some(CodeChannel::Sms));
    let denied = Effect::Settle { state: ApprovalState::Denied, failure: None };
    assert_eq!(database.settle(begun.id, Decision::Verdict(Verdict::Denied)).await, denied);
    let login = found().await;
    assert_eq!((login.code_channel, login.next_step), (None, ApprovalStep::EnterCode));
    assert!(login.needs_new_code());
    // One that was being judged, or that was being sent, when the phone denied.
    assert_eq!(database.settle(begun.id, Decision::RightCode).await, Effect::Ignore);
    assert_eq!(record(PENDING).await, None);
    let next = database.now + TimeDelta::seconds(30);
    assert!(!database.store.take_sending(begun.id, PENDING, database.now, next).await.unwrap());
    assert!(database.store.take_sending(begun.id, ApprovalState::Denied, database.now, next).await.unwrap());
    assert_eq!(database.settle(begun.id, Decision::RightCodeAfterDenial).await, Effect::Ignore);
    assert_eq!(record(ApprovalState::Denied).await, Some(CodeChannel::Sms));
    assert_eq!(database.settle(begun.id, Decision::RightCode).await, Effect::Ignore);
    assert_eq!(database.settle(begun.id, Decision::RightCodeAfterDenial).await, approved());
}

async fn after_a_denial_the_device_of_a_login_decides(database: &Database) {
    for (device, is_open) in [(None, false), (Some(DeviceId::new(random::id(database.now))), true)] {
        let begun = login_of_user(database, device).await;
        let how = Settlement { after_denial: AfterDenial::KnownDevice, ..database.how() };
        let denied = Decision::Verdict(Verdict::Denied);
        let settled = database.store.settle(begun.id, denied, &how).await.unwrap().unwrap();
        assert_eq!(settled.approval.state.is_open(), is_open);
        assert_eq!(settled.approval.failure, (!is_open).then_some(ApprovalFailure::Denied));
    }
}

async fn a_login_token_is_forgotten_two_minutes_after_the_end_or_at_the_deadline(database: &Database) {
    let begun = database.begin(&signup("ada@example.com", "2015550123"), "42").await.unwrap();
    database.settle(begun.id, Decision::RightCode).await;
    let deadline = database.now + TimeDelta::minutes(10);
    let is_known = async |at| database.store.find_approval(&begun.token.hash(), at).await.unwrap().is_some();
    assert!(is_known(deadline - TimeDelta::microseconds(1)).await);
    assert!(!is_known(deadline).await);
    assert_eq!(
        database.store.forget_login_tokens(deadline - TimeDelta::microseconds(1), 10).await.unwrap(),
        0
    );
    assert_eq!(database.store.forget_login_tokens(deadline, 10).await.unwrap(), 1);
    assert!(!is_known(database.now).await);
}

async fn the_first_of_many_deliveries_says_when_a_login_token_is_forgotten(database: &Database) {
    let begun = login_of_user(database, None).await;
    let found = async |at| database.store.find_approval(&begun.token.hash(), at).await.unwrap();
    let login = found(database.now).await.unwrap().approval;
    assert_eq!(login.undelivered_session(), None);
    database.settle(begun.id, Decision::RightCode).await;
    let opened = found(database.now).await.unwrap().opened.unwrap();
    assert_eq!(opened.grant.delivery, DeliveryMethod::Cookie);
    let undelivered = found(database.now).await.unwrap().approval.undelivered_session().unwrap();
    let delivered_at = |instance: i64| database.now + TimeDelta::seconds(5 + instance);
    let racing = (0_i64..20).map(async |instance| {
        let until = UndeliveredSession::readable_until_after(delivered_at(instance));
        let is_first = database.store.record_session_delivered(undelivered, until).await.unwrap();
        is_first.then_some(until)
    });
    let recorded: Vec<_> = futures_util::future::join_all(racing).await.into_iter().flatten().collect();
    let [until] = recorded[..] else { panic!("{recorded:?}") };
    let just_before = found(until - TimeDelta::microseconds(1)).await.unwrap();
    assert_eq!(just_before.approval.undelivered_session(), None);
    assert!(just_before.opened.is_some());
    assert!(found(until).await.is_none());
    assert_eq!(database.store.forget_login_tokens(until - TimeDelta::microseconds(1), 10).await.unwrap(), 0);
    assert_eq!(database.store.forget_login_tokens(until, 10).await.unwrap(), 1);
    assert!(found(database.now).await.is_none());
}

async fn a_delivery_after_the_end_of_its_session_brings_nothing_back(database: &Database) {
    let begun = login_of_user(database, None).await;
    database.settle(begun.id, Decision::RightCode).await;
    let found = async || database.store.find_approval(&begun.token.hash(), database.now).await.unwrap();
    let opened = found().await.unwrap();
    let undelivered = opened.approval.undelivered_session().unwrap();
    // Signed out, before the response was sent.
    let session = opened.opened.unwrap().session;
    database.store.revoke_session(&session, "LOGGED_OUT", database.now).await.unwrap();
    assert!(found().await.is_none());
    let until = UndeliveredSession::readable_until_after(database.now);
    database.store.record_session_delivered(undelivered, until).await.unwrap();
    assert!(found().await.is_none());
}

async fn changes_are_found_by_time(database: &Database) {
    let begun = database.begin(&signup("ada@example.com", "2015550123"), "42").await.unwrap();
    let changed = database.how().at;
    assert!(database.store.approvals_changed_since(database.now).await.unwrap().is_empty());
    let sequence = database
        .store
        .find_approval(&begun.token.hash(), database.now)
        .await
        .unwrap()
        .unwrap()
        .approval
        .sequence;
    database.settle(begun.id, Decision::Cancelled).await;
    let found = database.store.approvals_changed_since(database.now).await.unwrap();
    assert_eq!(found, [(begun.id, sequence + 1)]);
    assert!(database.store.approvals_changed_since(changed).await.unwrap().is_empty());
}

on_both_databases! {
    afterwards every_query_used_an_index:
    an_approved_signup_is_a_user_with_a_session,
    two_hundred_decisions_at_once_settle_a_login_exactly_once,
    of_two_signups_for_one_email_the_first_confirmed_wins,
    a_hundred_tries_at_once_are_five,
    of_two_sendings_at_once_one_is_too_soon,
    open_logins_of_one_phone_have_different_numbers,
    a_push_is_found_by_its_handle_or_by_its_login_and_for_the_right_person_only,
    a_push_that_is_out_gives_its_login_unless_the_phone_was_faster,
    a_login_that_is_kept_stands_as_it_stood,
    a_push_that_is_gone_is_asked_about_no_more_and_told_once,
    a_late_denial_ends_the_session_that_a_code_opened,
    a_code_from_before_a_denial_is_not_taken_after_it,
    after_a_denial_the_device_of_a_login_decides,
    a_login_token_is_forgotten_two_minutes_after_the_end_or_at_the_deadline,
    the_first_of_many_deliveries_says_when_a_login_token_is_forgotten,
    a_delivery_after_the_end_of_its_session_brings_nothing_back,
    changes_are_found_by_time,
}
