//! The database is away: callbacks are answered all the same, and what they said takes effect, and so does a right code.

use std::time::Duration;

use client_example::phone::{ApiFault, ApiFaultKind, Faults};
use countersign_client::{ClientError, LoginState};
use futures_util::{StreamExt, future::join_all};
use harness::{Database, Line, Person, World, in_time};
use tokio::time::{Instant, sleep_until};

const AWAY: Duration = Duration::from_secs(10);

/// Has phones answer while the line to the database is broken in some way.
async fn verdicts_during_an_outage(how: Line) {
    let Some(database) = Database::postgres().await else { return };
    let line = database.line().await;
    let world = World::builder(database).split().set("DATABASE_URL", line.url()).start().await;
    let people: Vec<_> = (0..6).map(|_| Person::new()).collect();
    let begun = join_all(people.iter().map(|person| world.begin_signup(person))).await;
    let pushes =
        join_all(people.iter().zip(&begun).map(|(person, begun)| world.push(person, &begun.status))).await;
    let mut watches: Vec<_> = begun.iter().map(|begun| world.watch(&begun.login_token)).collect();
    for watch in &mut watches {
        assert_eq!(watch.next().await.unwrap().unwrap().state, LoginState::Pending);
    }

    // Nobody can be asked what the phones said: only callbacks tell.
    let mute = ApiFault::new(ApiFaultKind::Status).in_paths(["approval_requests"]);
    world.phone.set_faults(&Faults::api(mute)).await.unwrap();
    line.set(how);
    // The outage is what this is about: it lasts as long as it is said to.
    let back = Instant::now() + AWAY;
    for (number, push) in pushes.iter().enumerate() {
        if number % 2 == 0 {
            world.phone.approve(&push.uuid).await.unwrap();
        } else {
            world.phone.deny(&push.uuid).await.unwrap();
        }
    }
    for push in &pushes {
        assert_eq!(in_time(world.answer_to_callback(&push.uuid)).await, 200);
    }
    assert!(Instant::now() < back, "the callbacks were answered when the outage was over");
    sleep_until(back).await;
    line.set(Line::Whole);

    for (number, watch) in watches.iter_mut().enumerate() {
        let expected = if number % 2 == 0 { LoginState::Approved } else { LoginState::Failed };
        let status = watch.next().await.unwrap().unwrap();
        assert_eq!(
            (status.state, status.session.is_some()),
            (expected.clone(), expected == LoginState::Approved)
        );
    }
}

#[tokio::test]
async fn while_the_database_refuses_connections_callbacks_are_answered_and_take_effect_later() {
    verdicts_during_an_outage(Line::Cut).await;
}

#[tokio::test]
async fn while_the_database_says_nothing_callbacks_are_answered_and_take_effect_later() {
    verdicts_during_an_outage(Line::Silent).await;
}

#[tokio::test]
async fn an_approval_that_was_heard_in_time_counts_although_the_database_was_away_past_the_deadline() {
    let Some(database) = Database::postgres().await else { return };
    let line = database.line().await;
    let world = World::builder(database).set("DATABASE_URL", line.url()).start().await;
    // A login without a push: its end tells that deadlines are met again.
    world.phone.set_default_onetouch(false).await.unwrap();
    let without_push = world.begin_signup(&Person::new()).await;
    world.phone.set_default_onetouch(true).await.unwrap();
    let people: Vec<_> = (0..6).map(|_| Person::new()).collect();
    let begun = join_all(people.iter().map(|person| world.begin_signup(person))).await;
    let pushes =
        join_all(people.iter().zip(&begun).map(|(person, begun)| world.push(person, &begun.status))).await;
    let mute = ApiFault::new(ApiFaultKind::Status).in_paths(["approval_requests"]);
    world.phone.set_faults(&Faults::api(mute)).await.unwrap();
    // Nothing that is heard can be stored before deadlines are met.
    let held = world.hold("select 1 from approvals where push_handle is not null for update").await;
    line.set(Line::Cut);
    for push in &pushes {
        world.phone.approve(&push.uuid).await.unwrap();
        assert_eq!(in_time(world.answer_to_callback(&push.uuid)).await, 200);
    }
    // Past the deadline, and past the grace.
    world.advance(Duration::from_mins(11)).await;
    line.set(Line::Whole);
    in_time(world.wait_for_state(&without_push.login_token, LoginState::Expired)).await;
    drop(held);
    let mut watches: Vec<_> = begun.iter().map(|begun| world.watch(&begun.login_token)).collect();
    for watch in &mut watches {
        let mut last = LoginState::Pending;
        while let Some(status) = in_time(watch.next()).await {
            last = status.unwrap().state;
        }
        assert_eq!(last, LoginState::Approved);
    }
}

#[tokio::test]
async fn a_right_code_is_not_lost_with_the_database() {
    let Some(database) = Database::postgres().await else { return };
    let line = database.line().await;
    let world = World::builder(database).split().set("DATABASE_URL", line.url()).start().await;
    let person = Person::new();
    let begun = world.begin_signup(&person).await;
    world.client.resend_token(&begun.login_token, None).await.unwrap().into_result().unwrap();
    let code = world.sms_code(&person).await;
    let mut watch = world.watch(&begun.login_token);
    assert_eq!(watch.next().await.unwrap().unwrap().state, LoginState::Pending);
    // The provider takes its time to judge; meanwhile the database goes.
    let slow = ApiFault { delay_ms: 1_500, ..ApiFault::new(ApiFaultKind::Delay).in_paths(["verify"]) };
    world.phone.set_faults(&Faults::api(slow)).await.unwrap();
    let verifying = world.client.verify_token(&begun.login_token, &code);
    let (verified, ()) = tokio::join!(verifying, async {
        in_time(async { while world.phone.calls().await.unwrap().count("verify") == 0 {} }).await;
        line.set(Line::Cut);
    });
    assert!(verified.is_err(), "the database was there when the code was judged");
    line.set(Line::Whole);
    let status = in_time(watch.next()).await.unwrap().unwrap();
    assert_eq!((status.state, status.session.is_some()), (LoginState::Approved, true));
}

#[tokio::test]
async fn whoever_logs_in_while_the_database_is_away_is_told_to_try_again() {
    let Some(database) = Database::postgres().await else { return };
    let line = database.line().await;
    let world = World::builder(database).split().set("DATABASE_URL", line.url()).start().await;
    let person = Person::new();
    world.sign_up(&person).await;
    line.set(Line::Cut);
    let refused = in_time(world.client.login(person.login())).await.unwrap_err();
    let ClientError::Graphql(errors) = refused else { panic!("{refused}") };
    assert!(errors.iter().all(|error| error.has_code("UNAVAILABLE")), "{errors:?}");
}
