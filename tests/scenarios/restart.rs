//! The service is killed: nothing is lost.

use std::time::Duration;

use client_example::phone::{CallbackFaults, Faults};
use countersign_client::LoginState;
use futures_util::StreamExt;
use harness::{Database, Person, World, in_time, on_both_databases};

async fn killed_right_after_it_answered_a_callback_it_remembers_the_verdict(database: Database) {
    let mut world = World::builder(database).split().start().await;
    let person = Person::new();
    let begun = world.begin_signup(&person).await;
    let push = world.push(&person, &begun.status).await;
    world.phone.approve(&push.uuid).await.unwrap();
    assert_eq!(world.answer_to_callback(&push.uuid).await, 200);
    world.kill_service().await;
    world.start_service().await;
    let status = world.client.login_status(&begun.login_token).await.unwrap().unwrap();
    assert_eq!(status.state, LoginState::Approved);
    let session = world.session(&begun.login_token).await;
    assert!(world.client.with_bearer(session.token).me().await.unwrap().is_some());
}

async fn killed_while_a_login_waits_it_asks_how_the_push_stands(database: Database) {
    let mut world = World::builder(database).split().start().await;
    let person = Person::new();
    let begun = world.begin_signup(&person).await;
    let mut watch = world.watch(&begun.login_token);
    assert_eq!(watch.next().await.unwrap().unwrap().state, LoginState::Pending);
    world.kill_service().await;
    // Nobody is there to be called back.
    world
        .phone
        .set_faults(&Faults::callbacks(CallbackFaults { drop: 1.0, ..CallbackFaults::default() }))
        .await
        .unwrap();
    world.approve(&person, &begun.status).await;
    world.start_service().await;
    let last = watch.map(Result::unwrap).collect::<Vec<_>>().await.pop().unwrap();
    assert_eq!(last.state, LoginState::Approved);
}

async fn after_a_restart_open_pushes_are_asked_about_at_once(database: Database) {
    let (mut world, person) = (World::builder(database).spawned().start().await, Person::new());
    let begun = world.begin_signup(&person).await;
    // The clock that is moved ends with the process: after the restart, the next asking is minutes away.
    world.advance(Duration::from_mins(5)).await;
    let lost = CallbackFaults { drop: 1.0, ..CallbackFaults::default() };
    world.phone.set_faults(&Faults::callbacks(lost)).await.unwrap();
    world.approve(&person, &begun.status).await;
    world.kill_service().await;
    world.start_service().await;
    // Or nobody asked.
    in_time(world.session(&begun.login_token)).await;
}

async fn a_session_outlives_the_process(database: Database) {
    let mut world = World::builder(database).split().start().await;
    let person = Person::new();
    let session = world.sign_up(&person).await;
    let begun = world.begin_login(&person).await;
    world.kill_service().await;
    world.start_service().await;
    let me = world.client.with_bearer(session.token).me().await.unwrap();
    assert_eq!(me, Some(session.user));
    world.approve(&person, &begun.status).await;
    world.session(&begun.login_token).await;
}

async fn a_restart_of_dev_forgets_nobody(database: Database) {
    let mut world = World::builder(database).spawned().start().await;
    let person = Person::new();
    let session = world.sign_up(&person).await;
    let device = world.device(&person).await;
    world.kill_service().await;
    world.start_service().await;
    assert_eq!(world.device(&person).await.authy_id, device.authy_id);
    assert!(world.client.with_bearer(session.token).me().await.unwrap().is_some());
    let begun = world.begin_login(&person).await;
    world.approve(&person, &begun.status).await;
    world.session(&begun.login_token).await;
}

async fn a_person_whom_the_provider_has_forgotten_is_registered_again_once(database: Database) {
    let mut world = World::builder(database).spawned().start().await;
    let person = Person::new();
    world.sign_up(&person).await;
    world.kill_service().await;
    let files = std::fs::read_dir(world.folder()).unwrap().map(|entry| entry.unwrap().path());
    let states: Vec<_> = files.filter(|path| path.to_str().unwrap().ends_with(".sandbox.json")).collect();
    assert_eq!(states.len(), 1);
    std::fs::remove_file(&states[0]).unwrap();
    world.start_service().await;
    let begun = world.begin_login(&person).await;
    assert_eq!(world.phone.calls().await.unwrap().count("users/new"), 1);
    world.approve(&person, &begun.status).await;
    world.session(&begun.login_token).await;
    world.begin_login(&person).await;
    assert_eq!(world.phone.calls().await.unwrap().count("users/new"), 1);
}

on_both_databases! {
    after_a_restart_open_pushes_are_asked_about_at_once,
    a_restart_of_dev_forgets_nobody,
    a_person_whom_the_provider_has_forgotten_is_registered_again_once,
    killed_right_after_it_answered_a_callback_it_remembers_the_verdict,
    killed_while_a_login_waits_it_asks_how_the_push_stands,
    a_session_outlives_the_process,
}
