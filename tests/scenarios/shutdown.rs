//! Ending a service: first it says so, then it takes nobody new, finishes what runs, and ends in time.

use countersign_client::LoginState;
use futures_util::StreamExt;
use harness::{Database, Person, World, in_time, on_both_databases};

async fn ready(world: &World) -> u16 {
    let url = format!("{}/health/ready", world.service_address());
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    http.get(url).send().await.unwrap().status().as_u16()
}

/// Waits until the service says that it is about to end.
async fn announced(world: &World) {
    while ready(world).await != 503 {
        tokio::task::yield_now().await;
    }
}

async fn a_service_that_is_about_to_end_says_so_and_still_serves(database: Database) {
    let mut world = World::builder(database).split().set("SHUTDOWN_DELAY", "8s").start().await;
    let person = Person::new();
    let begun = world.begin_signup(&person).await;
    let mut watch = world.watch(&begun.login_token);
    assert_eq!(watch.next().await.unwrap().unwrap().state, LoginState::Pending);
    assert_eq!(ready(&world).await, 200);
    world.signal_service().await;
    in_time(announced(&world)).await;
    // All of it by connections that the service takes now.
    let other = Person::new();
    world.sign_up(&other).await;
    world.approve(&person, &begun.status).await;
    assert_eq!(watch.next().await.unwrap().unwrap().state, LoginState::Approved);
    assert_eq!(in_time(world.end_of_service()).await, Some(0));
    assert!(world.client.me().await.is_err(), "it still listens");
    assert!(!world.log().contains("did not end in time"), "something was cut");
    world.start_service().await;
    assert_eq!(ready(&world).await, 200);
}

async fn a_watcher_that_waits_does_not_hold_up_the_end(database: Database) {
    let mut world = World::builder(database).split().start().await;
    let person = Person::new();
    let begun = world.begin_signup(&person).await;
    let mut watch = world.watch(&begun.login_token);
    assert_eq!(watch.next().await.unwrap().unwrap().state, LoginState::Pending);
    assert_eq!(in_time(world.terminate_service()).await, Some(0));
    assert!(!world.log().contains("did not end in time"), "something was cut");
    world.start_service().await;
    world.approve(&person, &begun.status).await;
    assert_eq!(in_time(watch.next()).await.unwrap().unwrap().state, LoginState::Approved);
}

async fn a_second_signal_ends_it_at_once(database: Database) {
    let mut world = World::builder(database).split().set("SHUTDOWN_DELAY", "1h").start().await;
    world.signal_service().await;
    in_time(announced(&world)).await;
    world.signal_service().await;
    assert_eq!(in_time(world.end_of_service()).await, Some(1));
}

on_both_databases! {
    a_service_that_is_about_to_end_says_so_and_still_serves,
    a_watcher_that_waits_does_not_hold_up_the_end,
    a_second_signal_ends_it_at_once,
}
