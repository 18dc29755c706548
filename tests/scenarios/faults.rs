//! The provider misbehaves: the person gets a code or a clear typed error, never a hang, and nothing half-written.

use std::time::Duration;

use client_example::phone::{ApiFault, ApiFaultKind, CallbackFaults, Faults};
use countersign_client::{
    LoginErrorCode, LoginFailure, LoginState, LoginStep, ResendTokenErrorCode, SignupErrorCode,
    VerifyTokenErrorCode,
};
use futures_util::future::join_all;
use harness::{Database, Person, World, in_time, on_both_databases};

/// Every way in which an answer can fail to come, or to make sense; and whether it says "too many requests".
fn all_faults() -> Vec<(&'static str, ApiFault, bool)> {
    let status = |status| ApiFault { status, ..ApiFault::new(ApiFaultKind::Status) };
    vec![
        ("late", ApiFault { delay_ms: 5_000, ..ApiFault::new(ApiFaultKind::Delay) }, false),
        ("silent", ApiFault::new(ApiFaultKind::Silent), false),
        ("500", status(500), false),
        ("503", status(503), false),
        ("429", status(429), true),
        ("HTML", ApiFault::new(ApiFaultKind::Html), false),
        ("cut off", ApiFault::new(ApiFaultKind::Cut), false),
    ]
}

/// A world that waits half a second for its provider, and in which a code may be asked for every second.
async fn impatient(database: Database) -> World {
    World::builder(database).set("PROVIDER_TIMEOUT", "500ms").set("RESEND_PAUSE", "1s").start().await
}

async fn set(world: &World, fault: &ApiFault, paths: &[&str]) {
    let fault = fault.clone().in_paths(paths.iter().copied());
    world.phone.set_faults(&Faults::api(fault)).await.unwrap();
}

async fn a_signup_without_provider_is_told_so_and_leaves_nothing_in_the_way(database: Database) {
    let world = impatient(database).await;
    for (name, fault, is_pause) in all_faults() {
        let person = Person::new();
        world.plant(&person);
        set(&world, &fault, &["users/new"]).await;
        let reply = in_time(world.client.signup(person.signup())).await.unwrap();
        let expected =
            if is_pause { SignupErrorCode::RateLimited } else { SignupErrorCode::ProviderUnavailable };
        assert_eq!((&reply.errors[0].code, reply.login_token), (&expected, None), "{name}");
        world.phone.clear_faults().await.unwrap();
        // After a 429 the provider is not asked about this phone for some seconds.
        world.advance(Duration::from_secs(6)).await;
        world.sign_up(&person).await;
    }
}

async fn without_a_push_the_person_gets_a_code(database: Database) {
    let (world, person) = (impatient(database).await, Person::new());
    world.sign_up(&person).await;
    for (name, fault, _) in all_faults() {
        set(&world, &fault, &["approval_requests"]).await;
        let begun = in_time(world.begin_login(&person)).await;
        assert_eq!(begun.status.next_step, LoginStep::EnterCode, "{name}");
        assert!(begun.status.code_channel.is_some(), "{name}");
        world.phone.clear_faults().await.unwrap();
        let code = world.device(&person).await.app_code.unwrap();
        world.planted.plant("code", &code);
        let reply = world.client.verify_token(&begun.login_token, &code).await.unwrap();
        assert_eq!(reply.into_result().unwrap().state, LoginState::Approved, "{name}");
        // The next code of the app is another one.
        world.advance(Duration::from_secs(30)).await;
    }
}

async fn without_push_and_code_the_login_goes_on_when_a_code_can_be_sent_again(database: Database) {
    let (world, person) = (impatient(database).await, Person::new());
    world.sign_up(&person).await;
    for (name, fault, is_pause) in all_faults() {
        set(&world, &fault, &["approval_requests", "sms"]).await;
        let reply = in_time(world.client.login(person.login())).await.unwrap();
        let expected =
            if is_pause { LoginErrorCode::RateLimited } else { LoginErrorCode::ProviderUnavailable };
        assert_eq!(reply.errors[0].code, expected, "{name}");
        let (token, status) = (reply.login_token.unwrap(), reply.status.unwrap());
        assert_eq!((status.state, status.next_step), (LoginState::Pending, LoginStep::EnterCode), "{name}");
        let again = in_time(world.client.resend_token(&token, None)).await.unwrap();
        let codes = [
            ResendTokenErrorCode::ProviderUnavailable,
            ResendTokenErrorCode::RateLimited,
            ResendTokenErrorCode::TooSoon,
        ];
        assert!(codes.contains(&again.errors[0].code), "{name}: {again:?}");
        world.phone.clear_faults().await.unwrap();
        world.advance(Duration::from_mins(1)).await;
        world.client.resend_token(&token, None).await.unwrap().into_result().unwrap();
        let code = world.sms_code(&person).await;
        let status = world.client.verify_token(&token, &code).await.unwrap().into_result().unwrap();
        assert_eq!(status.state, LoginState::Approved, "{name}");
    }
}

async fn a_try_is_given_back_only_where_the_code_was_certainly_not_judged(database: Database) {
    let (world, person) = (impatient(database).await, Person::new());
    world.sign_up(&person).await;
    for (name, fault, is_pause) in all_faults() {
        let begun = world.begin_login(&person).await;
        set(&world, &fault, &["verify"]).await;
        let reply = in_time(world.client.verify_token(&begun.login_token, "0000000")).await.unwrap();
        let [error] = &reply.errors[..] else { panic!("{name}: {reply:?}") };
        let expected = if is_pause {
            (&VerifyTokenErrorCode::RateLimited, Some(5))
        } else {
            (&VerifyTokenErrorCode::ProviderUnavailable, Some(4))
        };
        assert_eq!((&error.code, error.tries_left), expected, "{name}");
        world.phone.clear_faults().await.unwrap();
        world.approve(&person, &begun.status).await;
        world.session(&begun.login_token).await;
        // After a 429 the provider is not asked about this phone for some seconds.
        world.advance(Duration::from_secs(6)).await;
    }
}

async fn five_codes_of_which_nothing_was_heard_end_the_login(database: Database) {
    let (world, person) = (impatient(database).await, Person::new());
    world.sign_up(&person).await;
    let begun = world.begin_login(&person).await;
    set(&world, &ApiFault::new(ApiFaultKind::Html), &["verify"]).await;
    for tries_left in [4, 3, 2, 1, 0] {
        let reply = world.client.verify_token(&begun.login_token, "0000000").await.unwrap();
        assert_eq!(reply.errors[0].tries_left, Some(tries_left));
    }
    let status = world.client.login_status(&begun.login_token).await.unwrap().unwrap();
    assert_eq!((status.state, status.failure), (LoginState::Failed, Some(LoginFailure::TooManyWrongCodes)));
}

async fn a_right_code_whose_judgement_was_lost_is_replaced_by_the_next(database: Database) {
    let (world, person) = (impatient(database).await, Person::new());
    world.phone.set_default_onetouch(false).await.unwrap();
    let begun = world.begin_signup(&person).await;
    let code = world.sms_code(&person).await;
    set(&world, &ApiFault::new(ApiFaultKind::Silent), &["verify"]).await;
    let reply = in_time(world.client.verify_token(&begun.login_token, &code)).await.unwrap();
    assert_eq!(reply.errors[0].code, VerifyTokenErrorCode::ProviderUnavailable);
    world.phone.clear_faults().await.unwrap();
    let again = world.client.verify_token(&begun.login_token, &code).await.unwrap();
    assert_eq!(again.errors[0].code, VerifyTokenErrorCode::CodeAlreadyUsed);
    world.advance(Duration::from_mins(1)).await;
    world.client.resend_token(&begun.login_token, None).await.unwrap().into_result().unwrap();
    let code = world.sms_code(&person).await;
    let status = world.client.verify_token(&begun.login_token, &code).await.unwrap().into_result().unwrap();
    assert_eq!(status.state, LoginState::Approved);
}

async fn a_provider_that_is_not_there_is_told_at_once(database: Database) {
    let nowhere = "http://127.0.0.1:9";
    let world = World::builder(database).split().set("AUTHY_API_URL", nowhere).start().await;
    let person = Person::new();
    world.plant(&person);
    let reply = in_time(world.client.signup(person.signup())).await.unwrap();
    assert_eq!(reply.errors[0].code, SignupErrorCode::ProviderUnavailable);
    assert_eq!((reply.login_token, reply.status), (None, None));
}

async fn whatever_becomes_of_callbacks_every_login_ends_as_its_phone_said(database: Database) {
    let world = World::new(database).await;
    for (name, faults) in [
        ("half lost", CallbackFaults { drop: 0.5, ..CallbackFaults::default() }),
        ("all lost", CallbackFaults { drop: 1.0, ..CallbackFaults::default() }),
        ("repeated", CallbackFaults { repeat: 2, ..CallbackFaults::default() }),
        ("late and half lost", CallbackFaults { delay_ms: 300, drop: 0.5, ..CallbackFaults::default() }),
    ] {
        world.phone.clear_faults().await.unwrap();
        let people: Vec<Person> = (0..6).map(|_| Person::new()).collect();
        join_all(people.iter().map(|person| world.sign_up(person))).await;
        world.phone.set_faults(&Faults::callbacks(faults)).await.unwrap();
        let begun = join_all(people.iter().map(|person| world.begin_login(person))).await;
        for (number, (person, begun)) in people.iter().zip(&begun).enumerate() {
            if number % 2 == 0 {
                world.approve(person, &begun.status).await;
            } else {
                world.deny(person, &begun.status).await;
            }
        }
        world.advance(Duration::from_secs(15)).await;
        let mut tokens = std::collections::HashSet::new();
        for (number, begun) in begun.iter().enumerate() {
            if number % 2 == 0 {
                tokens.insert(world.session(&begun.login_token).await.token.reveal().to_owned());
            } else {
                let denied = world.wait_for_denial(&begun.login_token).await;
                assert_eq!(denied.session, None, "{name}");
            }
        }
        assert_eq!(tokens.len(), 3, "{name}");
    }
}

on_both_databases! {
    a_signup_without_provider_is_told_so_and_leaves_nothing_in_the_way,
    without_a_push_the_person_gets_a_code,
    without_push_and_code_the_login_goes_on_when_a_code_can_be_sent_again,
    a_try_is_given_back_only_where_the_code_was_certainly_not_judged,
    five_codes_of_which_nothing_was_heard_end_the_login,
    a_right_code_whose_judgement_was_lost_is_replaced_by_the_next,
    a_provider_that_is_not_there_is_told_at_once,
    whatever_becomes_of_callbacks_every_login_ends_as_its_phone_said,
}
