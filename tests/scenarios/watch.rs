//! Watching a login: nothing is missed, whenever the line breaks.

use countersign_client::{LoginState, LoginToken, WatchError};
use futures_util::StreamExt;
use harness::{Database, Person, World, on_both_databases};

async fn whoever_comes_late_gets_the_present_state_first(database: Database) {
    let (world, person) = (World::new(database).await, Person::new());
    let begun = world.begin_signup(&person).await;
    world.approve(&person, &begun.status).await;
    let session = world.session(&begun.login_token).await;
    let statuses: Vec<_> = world.watch(&begun.login_token).map(Result::unwrap).collect().await;
    let [status] = &statuses[..] else { panic!("{statuses:?}") };
    assert_eq!((&status.state, status.session.as_ref()), (&LoginState::Approved, Some(&session)));
}

async fn many_watchers_of_one_login_are_given_one_session(database: Database) {
    let (world, person) = (World::new(database).await, Person::new());
    let begun = world.begin_signup(&person).await;
    // More than watch it at a time: those that are ended come back by themselves.
    let mut watches: Vec<_> = (0..20).map(|_| world.watch(&begun.login_token)).collect();
    for watch in &mut watches {
        assert_eq!(watch.next().await.unwrap().unwrap().state, LoginState::Pending);
    }
    world.approve(&person, &begun.status).await;
    let mut tokens = std::collections::HashSet::new();
    for watch in watches {
        let last = watch.map(Result::unwrap).collect::<Vec<_>>().await.pop().unwrap();
        tokens.insert(last.session.unwrap().token.reveal().to_owned());
    }
    assert_eq!(tokens.len(), 1);
}

async fn a_socket_that_drops_before_the_approval_comes_back_by_itself(database: Database) {
    let world = World::builder(database).split().start().await;
    let mut world = world;
    let person = Person::new();
    let begun = world.begin_signup(&person).await;
    let mut watch = world.watch(&begun.login_token);
    assert_eq!(watch.next().await.unwrap().unwrap().state, LoginState::Pending);
    world.kill_service().await;
    world.start_service().await;
    world.approve(&person, &begun.status).await;
    let last = watch.map(Result::unwrap).collect::<Vec<_>>().await.pop().unwrap();
    assert_eq!(last.state, LoginState::Approved);
}

async fn a_socket_that_drops_between_approval_and_delivery_gets_the_same_session(database: Database) {
    let (world, person) = (World::new(database).await, Person::new());
    let begun = world.begin_signup(&person).await;
    let mut dropped = world.watch(&begun.login_token);
    assert_eq!(dropped.next().await.unwrap().unwrap().state, LoginState::Pending);
    world.approve(&person, &begun.status).await;
    drop(dropped);
    let session = world.session(&begun.login_token).await;
    let again = world.session(&begun.login_token).await;
    assert_eq!(session, again);
    assert!(world.client.with_bearer(session.token).me().await.unwrap().is_some());
}

async fn an_unknown_login_token_is_an_error_and_the_end(database: Database) {
    let world = World::new(database).await;
    for text in ["A".repeat(43), String::new(), "nonsense".to_owned()] {
        let mut watch = world.watch(&LoginToken::new(text));
        let first = watch.next().await.unwrap();
        assert!(matches!(first, Err(WatchError::LoginNotFound)), "{first:?}");
        assert!(watch.next().await.is_none());
    }
}

async fn a_socket_ends_with_the_session_that_opened_it(database: Database) {
    let (world, person) = (World::new(database).await, Person::new());
    let session = world.sign_up(&person).await;
    let signed_in = world.client.with_bearer(session.token);
    let begun = world.begin_login(&person).await;
    let mut watch = signed_in.watch(&begun.login_token);
    assert_eq!(watch.next().await.unwrap().unwrap().state, LoginState::Pending);
    assert!(signed_in.logout().await.unwrap());
    let last = watch.next().await.unwrap();
    assert!(matches!(last, Err(WatchError::SessionEnded)), "{last:?}");
    // Without that bearer the login itself can still be watched.
    let status = world.client.login_status(&begun.login_token).await.unwrap().unwrap();
    assert_eq!(status.state, LoginState::Pending);
}

async fn a_bearer_that_is_nobodys_is_nobody(database: Database) {
    let (world, person) = (World::new(database).await, Person::new());
    let session = world.sign_up(&person).await;
    let signed_out = world.client.with_bearer(session.token);
    assert!(signed_out.logout().await.unwrap());
    let begun = world.begin_login(&person).await;
    let mut watch = signed_out.watch(&begun.login_token);
    assert_eq!(watch.next().await.unwrap().unwrap().state, LoginState::Pending);
    assert!(signed_out.login_status(&begun.login_token).await.unwrap().is_some());
    assert_eq!(signed_out.me().await.unwrap(), None);
}

on_both_databases! {
    whoever_comes_late_gets_the_present_state_first,
    many_watchers_of_one_login_are_given_one_session,
    a_socket_that_drops_before_the_approval_comes_back_by_itself,
    a_socket_that_drops_between_approval_and_delivery_gets_the_same_session,
    an_unknown_login_token_is_an_error_and_the_end,
    a_socket_ends_with_the_session_that_opened_it,
    a_bearer_that_is_nobodys_is_nobody,
}
