//! The database is away for ten seconds: callbacks are answered all the same, and what they said takes effect.

use std::time::Duration;

use client_example::{
    LoginState,
    phone::{ApiFault, ApiFaultKind, Faults},
};
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
        let expected = if number % 2 == 0 { LoginState::Approved } else { LoginState::Denied };
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
