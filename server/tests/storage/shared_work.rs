//! Work that instances share: claims, leases, turns, and removing what is over.

use super::*;

async fn an_overdue_login_is_claimed_at_its_deadline_by_one_of_many(database: &Database) {
    let begun = database.begin(&signup("ada@example.com", "2015550123"), "42").await.unwrap();
    let (deadline, grace) = (database.now + TimeDelta::minutes(10), TimeDelta::seconds(30));
    assert_eq!(database.store.next_deadline(grace).await.unwrap(), Some(deadline));
    let claim = |now| OverdueClaim {
        now,
        unheard_before: Some(now - grace),
        leased_until: now + TimeDelta::seconds(10),
        limit: 10,
    };
    let just_before = claim(deadline - TimeDelta::microseconds(1));
    assert!(database.store.claim_overdue(&just_before).await.unwrap().is_empty());
    let now = claim(deadline);
    let racing = (0..20).map(|_| database.store.claim_overdue(&now));
    let claimed = futures_util::future::join_all(racing).await;
    assert_eq!(claimed.into_iter().flat_map(Result::unwrap).collect::<Vec<_>>(), [begun.id]);
    // Whoever claimed it dies: it is due where pushes are, when the lease runs out.
    assert_eq!(database.store.next_poll(PROVIDER).await.unwrap(), Some(now.leased_until));
    database.settle(begun.id, Decision::Deadline).await;
    assert_eq!(database.store.next_deadline(grace).await.unwrap(), None);
    assert_eq!(database.store.next_poll(PROVIDER).await.unwrap(), None);
}

async fn a_login_with_an_open_push_is_overdue_only_when_its_grace_is_over(database: &Database) {
    let begun = database.begin_with_push("push-1").await;
    let (deadline, grace) = (database.now + TimeDelta::minutes(10), TimeDelta::seconds(30));
    let claim = |now| OverdueClaim {
        now,
        unheard_before: Some(now - grace),
        leased_until: now + TimeDelta::seconds(10),
        limit: 10,
    };
    assert_eq!(database.store.next_deadline(grace).await.unwrap(), Some(deadline + grace));
    assert!(database.store.claim_overdue(&claim(deadline)).await.unwrap().is_empty());
    let just_before = claim(deadline + grace - TimeDelta::microseconds(1));
    assert!(database.store.claim_overdue(&just_before).await.unwrap().is_empty());
    let nobody_could_ask = OverdueClaim { unheard_before: None, ..claim(deadline + grace) };
    assert!(database.store.claim_overdue(&nobody_could_ask).await.unwrap().is_empty());
    assert_eq!(database.store.claim_overdue(&claim(deadline + grace)).await.unwrap(), [begun.id]);
}

async fn a_login_that_is_over_is_asked_about_until_it_has_waited_long_enough(database: &Database) {
    let begun = database.begin_with_push("push-1").await;
    assert_eq!(database.settle(begun.id, Decision::RightCode).await, approved());
    let due = database.now + TimeDelta::seconds(5);
    assert_eq!(database.store.next_poll(PROVIDER).await.unwrap(), Some(due));
    let (deadline, now) = (database.now + TimeDelta::minutes(10), database.now + TimeDelta::minutes(11));
    let before = deadline - TimeDelta::microseconds(1);
    assert_eq!(database.store.stop_polling(PROVIDER, now, before, 10).await.unwrap(), 0);
    assert_eq!(database.store.stop_polling(PROVIDER, now, deadline, 10).await.unwrap(), 1);
    assert_eq!(database.store.next_poll(PROVIDER).await.unwrap(), None);
}

async fn an_asking_is_claimed_by_one_of_many_and_comes_back_when_its_lease_runs_out(database: &Database) {
    let begun = database.begin_with_push("push-1").await;
    let now = database.now + TimeDelta::seconds(5);
    database.store.ensure_turn(PACE, database.now, TimeDelta::milliseconds(100)).await.unwrap();
    assert!(database.store.claim_polls(&claim(database.now)).await.unwrap().pushes.is_empty());
    let claim = claim(now);
    let racing = (0..20).map(|_| database.store.claim_polls(&claim));
    let claimed = futures_util::future::join_all(racing).await;
    let claimed: Vec<_> = claimed.into_iter().flat_map(|claimed| claimed.unwrap().pushes).collect();
    let [(login, slot)] = &claimed[..] else { panic!("{claimed:?}") };
    assert_eq!((login.id, login.poll_count, login.due_at, *slot), (begun.id, 0, now, now));
    assert_eq!(database.store.next_poll(PROVIDER).await.unwrap(), Some(claim.leased_until));
    let next = now + TimeDelta::seconds(7);
    database.store.schedule_poll(begun.id, Some(next)).await.unwrap();
    assert_eq!(database.store.next_poll(PROVIDER).await.unwrap(), Some(next));
    database.settle(begun.id, Decision::Verdict(Verdict::Approved)).await;
    database.store.schedule_poll(begun.id, Some(next)).await.unwrap();
    assert_eq!(database.store.next_poll(PROVIDER).await.unwrap(), None);
}

async fn the_pace_of_asking_is_one_for_all_who_ask(database: &Database) {
    for number in 0..60 {
        database.begin_with_push(&format!("push-{number}")).await;
    }
    let now = database.now + TimeDelta::seconds(5);
    database.store.ensure_turn(PACE, database.now, TimeDelta::milliseconds(100)).await.unwrap();
    let (first, later) = (claim(now), claim(now + TimeDelta::seconds(1)));
    for claim in [first, later] {
        let racing = (0..8).map(|_| database.store.claim_polls(&claim));
        let claimed = futures_util::future::join_all(racing).await;
        let mut slots: Vec<_> = claimed
            .into_iter()
            .flat_map(|claimed| claimed.unwrap().pushes)
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
    let claimed = database.store.claim_polls(&claim(now + TimeDelta::seconds(2))).await.unwrap();
    assert_eq!((claimed.pushes.len(), claimed.interval), (5, slow));
}

async fn a_clock_that_was_wrong_holds_nobody_up(database: &Database) {
    let begun = database.begin_with_push("push-1").await;
    let (now, wrong) = (database.now + TimeDelta::seconds(5), database.now + TimeDelta::minutes(5));
    for turn in [PACE, "chore"] {
        database.store.ensure_turn(turn, wrong, TimeDelta::milliseconds(100)).await.unwrap();
    }
    let claimed = database.store.claim_polls(&claim(now)).await.unwrap();
    assert_eq!(
        claimed.pushes.iter().map(|(login, slot)| (login.id, *slot)).collect::<Vec<_>>(),
        [(begun.id, now)]
    );
    assert!(database.store.take_turn("chore", now, now + TimeDelta::minutes(1)).await.unwrap());
    assert!(!database.store.take_turn("chore", now, now + TimeDelta::minutes(1)).await.unwrap());
}

async fn after_a_restart_open_pushes_are_asked_about_at_once(database: &Database) {
    database.begin_with_push("push-1").await;
    assert_eq!(database.store.poll_open_pushes(PROVIDER, database.now, 10).await.unwrap(), 1);
    assert_eq!(database.store.next_poll(PROVIDER).await.unwrap(), Some(database.now));
}

async fn a_turn_is_taken_by_one_of_many(database: &Database) {
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

async fn a_turn_is_extended_and_never_shortened(database: &Database) {
    const NAME: &str = "pause test send_code";
    let (store, now) = (&database.store, database.now);
    let (at, farthest) = (|seconds| now + TimeDelta::seconds(seconds), now + TimeDelta::hours(1));
    let found = async || store.find_turns(&[NAME, "pause test check_code"]).await.unwrap();
    assert_eq!(found().await, []);
    for (until, expected) in [(at(30), at(30)), (at(10), at(30)), (at(60), at(60))] {
        store.extend_turn(NAME, until, farthest).await.unwrap();
        assert_eq!(found().await, [(NAME.to_owned(), expected)]);
    }
    let racing = (0..20).map(|number| store.extend_turn(NAME, at(60 + number), farthest));
    futures_util::future::join_all(racing).await.into_iter().for_each(Result::unwrap);
    assert_eq!(found().await, [(NAME.to_owned(), at(79))]);
    // What a wrong clock wrote gives way to what is right.
    store.extend_turn(NAME, now + TimeDelta::days(400), now + TimeDelta::days(401)).await.unwrap();
    store.extend_turn(NAME, at(5), farthest).await.unwrap();
    assert_eq!(found().await, [(NAME.to_owned(), at(5))]);
}

async fn what_is_over_is_removed_in_batches_and_takes_nothing_with_it(database: &Database) {
    let mut sessions = Vec::new();
    for number in 0..3 {
        let email = format!("ada{number}@example.com");
        let begun = database.begin(&signup(&email, "2015550123"), "42").await.unwrap();
        database.settle(begun.id, Decision::RightCode).await;
        let opened = database.store.find_approval(&begun.token.hash(), database.now).await.unwrap().unwrap();
        sessions.push(opened.opened.unwrap().session.id);
    }
    let open = database.begin(&signup("eve@example.com", "2015550123"), "42").await.unwrap();
    let (ended, far) = (database.how().at, database.now + TimeDelta::days(400));
    assert_eq!(database.store.remove_approvals(ended, 10).await.unwrap(), 0);
    assert_eq!(database.store.remove_approvals(far, 2).await.unwrap(), 2);
    assert_eq!(database.store.remove_approvals(far, 2).await.unwrap(), 1);
    assert_eq!(database.store.remove_approvals(far, 2).await.unwrap(), 0);
    assert_eq!(database.state(&open.token).await, ApprovalState::Pending);
    for session in sessions {
        assert!(database.store.find_live_session(session, database.live()).await.unwrap().is_some());
    }
    assert_eq!(database.store.remove_sessions(database.how().session_expires_at, 10).await.unwrap(), 0);
    assert_eq!(database.store.remove_sessions(far, 2).await.unwrap(), 2);
    assert_eq!(database.store.remove_sessions(far, 2).await.unwrap(), 1);
    let email = Email::parse("ada0@example.com").unwrap();
    assert!(database.credentials(&email).await.is_some());
}

on_both_databases! {
    afterwards every_query_used_an_index:
    an_overdue_login_is_claimed_at_its_deadline_by_one_of_many,
    a_login_with_an_open_push_is_overdue_only_when_its_grace_is_over,
    a_login_that_is_over_is_asked_about_until_it_has_waited_long_enough,
    an_asking_is_claimed_by_one_of_many_and_comes_back_when_its_lease_runs_out,
    the_pace_of_asking_is_one_for_all_who_ask,
    after_a_restart_open_pushes_are_asked_about_at_once,
    a_clock_that_was_wrong_holds_nobody_up,
    a_turn_is_taken_by_one_of_many,
    a_turn_is_extended_and_never_shortened,
    what_is_over_is_removed_in_batches_and_takes_nothing_with_it,
}
