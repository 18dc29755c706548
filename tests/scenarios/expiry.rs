//! Deadlines: ten minutes, told without being asked; and what was approved in time counts.

use std::time::Duration;

use client_example::phone::{ApiFault, ApiFaultKind, CallbackFaults, Faults};
use countersign_client::{LoginState, LoginStep, VerifyTokenErrorCode};
use futures_util::StreamExt;
use harness::{Database, Person, World, in_time, on_both_databases};

const TEN_MINUTES: Duration = Duration::from_mins(10);
/// The sandbox's name for asking how a push stands.
const ASKED: &str = "approval_request_status";

async fn after_ten_minutes_the_watcher_is_told(database: Database) {
    let (world, person) = (World::new(database).await, Person::new());
    world.sign_up(&person).await;
    let begun = world.begin_login(&person).await;
    let mut watch = world.watch(&begun.login_token);
    let first = watch.next().await.unwrap().unwrap();
    assert_eq!(first.state, LoginState::Pending);
    world.advance(TEN_MINUTES).await;
    let mut last = first;
    while let Some(status) = watch.next().await {
        let status = status.unwrap();
        assert!(status.sequence > last.sequence);
        last = status;
    }
    assert_eq!((last.state, last.next_step, last.session), (LoginState::Expired, LoginStep::None, None));
}

async fn an_approval_given_in_time_counts_although_its_callback_is_lost(database: Database) {
    let (world, person) = (World::new(database).await, Person::new());
    world.sign_up(&person).await;
    let begun = world.begin_login(&person).await;
    world
        .phone
        .set_faults(&Faults::callbacks(CallbackFaults { drop: 1.0, ..CallbackFaults::default() }))
        .await
        .unwrap();
    world.approve(&person, &begun.status).await;
    world.advance(TEN_MINUTES).await;
    world.session(&begun.login_token).await;
}

async fn a_right_code_after_the_deadline_does_not_help(database: Database) {
    let (world, person) = (World::new(database).await, Person::new());
    world.phone.set_default_onetouch(false).await.unwrap();
    let begun = world.begin_signup(&person).await;
    let code = world.sms_code(&person).await;
    world.advance(TEN_MINUTES).await;
    let reply = world.client.verify_token(&begun.login_token, &code).await.unwrap();
    assert_eq!(reply.errors[0].code, VerifyTokenErrorCode::LoginOver);
    assert_eq!(reply.status.unwrap().session, None);
}

async fn a_login_token_is_forgotten_at_the_deadline_where_nobody_fetched_its_session(database: Database) {
    let (world, person) = (World::new(database).await, Person::new());
    let begun = world.begin_signup(&person).await;
    let push = world.push(&person, &begun.status).await.uuid;
    world.phone.approve(&push).await.unwrap();
    assert_eq!(world.answer_to_callback(&push).await, 200);
    world.advance(TEN_MINUTES).await;
    assert_eq!(world.client.login_status(&begun.login_token).await.unwrap(), None);
}

async fn a_session_that_is_fetched_late_can_be_fetched_again_for_two_minutes(database: Database) {
    let (world, person) = (World::new(database).await, Person::new());
    let begun = world.begin_signup(&person).await;
    let push = world.push(&person, &begun.status).await.uuid;
    world.phone.approve(&push).await.unwrap();
    assert_eq!(world.answer_to_callback(&push).await, 200);
    world.advance(Duration::from_mins(9)).await;
    let session = world.session(&begun.login_token).await;
    world.advance(Duration::from_secs(119)).await;
    let again = world.client.login_status(&begun.login_token).await.unwrap().unwrap();
    assert_eq!(again.session.as_ref(), Some(&session));
    world.advance(Duration::from_secs(1)).await;
    assert_eq!(world.client.login_status(&begun.login_token).await.unwrap(), None);
    assert!(world.client.with_bearer(session.token).me().await.unwrap().is_some());
}

async fn a_session_ends_by_itself(database: Database) {
    let (world, person) =
        (World::builder(database).set("SESSION_IDLE_TTL", "1d").start().await, Person::new());
    let session = world.sign_up(&person).await;
    let signed_in = world.client.with_bearer(session.token);
    world.advance(Duration::from_mins(12 * 60 - 1)).await;
    assert!(signed_in.me().await.unwrap().is_some());
    world.advance(Duration::from_mins(1)).await;
    assert_eq!(signed_in.me().await.unwrap(), None);
}

async fn a_lost_callback_is_made_good_by_asking(database: Database) {
    let (world, person) = (World::new(database).await, Person::new());
    world.sign_up(&person).await;
    world
        .phone
        .set_faults(&Faults::callbacks(CallbackFaults { drop: 1.0, ..CallbackFaults::default() }))
        .await
        .unwrap();
    // Whenever the finger comes: fifteen seconds later the login is settled.
    for seconds in [0, 7, 45, 200] {
        let begun = world.begin_login(&person).await;
        world.advance(Duration::from_secs(seconds)).await;
        world.approve(&person, &begun.status).await;
        world.advance(Duration::from_secs(15)).await;
        world.session(&begun.login_token).await;
    }
}

/// Waits until the provider has been asked how pushes stand so often since its calls were forgotten.
async fn asked(world: &World, times: u64) {
    while world.phone.calls().await.unwrap().count(ASKED) < times {
        tokio::task::yield_now().await;
    }
}

async fn a_provider_that_fails_at_the_deadline_costs_no_approval(database: Database) {
    let (world, person) = (World::new(database).await, Person::new());
    world.sign_up(&person).await;
    let begun = world.begin_login(&person).await;
    let faults = Faults {
        callbacks: Some(CallbackFaults { drop: 1.0, ..CallbackFaults::default() }),
        ..Faults::api(ApiFault::new(ApiFaultKind::Status))
    };
    world.phone.set_faults(&faults).await.unwrap();
    world.approve(&person, &begun.status).await;
    world.phone.forget_calls().await.unwrap();
    world.advance(TEN_MINUTES).await;
    in_time(asked(&world, 1)).await;
    world.phone.set_faults(&Faults { api: None, ..faults }).await.unwrap();
    let status = world.client.login_status(&begun.login_token).await.unwrap().unwrap();
    assert_eq!(status.state, LoginState::Pending);
    world.advance(Duration::from_secs(5)).await;
    in_time(world.session(&begun.login_token)).await;
}

async fn a_provider_that_fails_for_longer_than_the_grace_ends_the_login(database: Database) {
    let (world, person) = (World::new(database).await, Person::new());
    world.sign_up(&person).await;
    let begun = world.begin_login(&person).await;
    world.phone.set_faults(&Faults::api(ApiFault::new(ApiFaultKind::Status))).await.unwrap();
    let mut watch = world.watch(&begun.login_token);
    assert_eq!(watch.next().await.unwrap().unwrap().state, LoginState::Pending);
    world.advance(TEN_MINUTES + Duration::from_secs(30)).await;
    let last = in_time(watch.next()).await.unwrap().unwrap();
    // At once, without a moment in which a code is asked for.
    assert_eq!((last.state, last.sequence), (LoginState::Expired, begun.status.sequence + 1));
}

async fn a_push_that_nobody_answers_expires_without_asking_for_a_code_first(database: Database) {
    let (world, person) = (World::new(database).await, Person::new());
    world.sign_up(&person).await;
    let begun = world.begin_login(&person).await;
    let mut watch = world.watch(&begun.login_token);
    assert_eq!(watch.next().await.unwrap().unwrap().next_step, LoginStep::ApproveOnPhone);
    world.advance(TEN_MINUTES).await;
    let told: Vec<_> = in_time(watch.map(|status| status.unwrap().state).collect()).await;
    assert_eq!(told, [LoginState::Expired]);
}

async fn what_is_over_is_removed_when_it_is_old_and_takes_nothing_with_it(database: Database) {
    let world = World::builder(database)
        .set("LOGIN_RETENTION", "1h")
        .set("SESSION_RETENTION", "1h")
        .set("SESSION_IDLE_TTL", "1d")
        .set("DEVICE_TTL", "5h")
        .start()
        .await;
    let person = Person::new();
    let session = world.sign_up(&person).await;
    let logged = async |text: &str| {
        while !world.log().contains(text) {
            tokio::task::yield_now().await;
        }
    };
    let cleaned = async |table: &str| logged(&format!("table=\"{table}\" deleted=1")).await;
    world.advance(Duration::from_mins(62)).await;
    in_time(cleaned("approvals")).await;
    in_time(logged("table=\"rate_limits\"")).await;
    assert!(world.client.with_bearer(session.token).me().await.unwrap().is_some());
    world.advance(Duration::from_hours(12)).await;
    in_time(cleaned("sessions")).await;
    in_time(cleaned("devices")).await;
    let begun = world.begin_login(&person).await;
    world.approve(&person, &begun.status).await;
    world.session(&begun.login_token).await;
}

on_both_databases! {
    a_provider_that_fails_at_the_deadline_costs_no_approval,
    a_provider_that_fails_for_longer_than_the_grace_ends_the_login,
    a_push_that_nobody_answers_expires_without_asking_for_a_code_first,
    what_is_over_is_removed_when_it_is_old_and_takes_nothing_with_it,
    after_ten_minutes_the_watcher_is_told,
    an_approval_given_in_time_counts_although_its_callback_is_lost,
    a_right_code_after_the_deadline_does_not_help,
    a_login_token_is_forgotten_at_the_deadline_where_nobody_fetched_its_session,
    a_session_that_is_fetched_late_can_be_fetched_again_for_two_minutes,
    a_session_ends_by_itself,
    a_lost_callback_is_made_good_by_asking,
}
