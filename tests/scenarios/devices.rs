//! Known devices: a browser in which somebody has signed in before is not kept waiting by strangers, and stands for
//! neither factor.

use std::time::Duration;

use countersign_client::{DeviceToken, LoginErrorCode, LoginInput, LoginState, LoginStep, Session};
use harness::{Database, Person, World, on_both_databases};

/// A world in which the third wrong password in a row makes everybody wait who has no known device.
async fn strict(database: Database) -> World {
    World::builder(database).set("WRONG_PASSWORDS_PER_EMAIL", "2/1h").start().await
}

/// A stranger types wrong passwords until everybody else has to wait for a minute.
async fn guess_until_refused(world: &World, person: &Person) {
    let wrong = LoginInput { password: "not my password".to_owned(), ..person.login() };
    loop {
        let refused = world.client.login(wrong.clone()).await.unwrap();
        match (&refused.errors[0].code, refused.errors[0].retry_after_seconds) {
            (LoginErrorCode::WrongCredentials, _) => {}
            (LoginErrorCode::RateLimited, Some(wait)) if wait >= 55 => return,
            (LoginErrorCode::RateLimited, Some(wait)) => world.advance(Duration::from_secs(wait)).await,
            (other, _) => panic!("{other}"),
        }
    }
}

/// Whether a login from this device begins; otherwise it has to wait.
async fn begins_from(world: &World, person: &Person, device: &DeviceToken) -> bool {
    let reply = world.client.login(person.login_from(device)).await.unwrap();
    if reply.login_token.is_none() {
        assert_eq!(reply.errors[0].code, LoginErrorCode::RateLimited);
    }
    reply.login_token.is_some()
}

/// Logs in from a device, the finger included.
async fn log_in_from(world: &World, person: &Person, device: &DeviceToken) -> Session {
    let begun = world.client.login(person.login_from(device)).await.unwrap().into_result().unwrap();
    world.planted.plant("login token", begun.login_token.reveal());
    world.approve(person, &begun.status).await;
    world.session(&begun.login_token).await
}

async fn a_known_device_logs_in_at_once_while_everybody_else_has_to_wait(database: Database) {
    let (world, person) = (strict(database).await, Person::new());
    let session = world.sign_up(&person).await;
    let others = world.sign_up(&Person::new()).await;
    guess_until_refused(&world, &person).await;
    let refused = world.client.login(person.login()).await.unwrap();
    let wait = refused.errors[0].retry_after_seconds.unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert!(begins_from(&world, &person, &session.device_token).await);
    assert!(!begins_from(&world, &person, &DeviceToken::new("no token at all")).await);
    assert!(!begins_from(&world, &person, &DeviceToken::new("A".repeat(43))).await);
    // It knows its own user, and nobody else.
    assert!(!begins_from(&world, &person, &others.device_token).await);
    // Having waited, everybody may.
    world.advance(Duration::from_secs(wait)).await;
    assert!(world.client.login(person.login()).await.unwrap().login_token.is_some());
}

async fn a_device_token_stands_for_neither_factor(database: Database) {
    let (world, person) = (World::new(database).await, Person::new());
    let device = world.sign_up(&person).await.device_token;
    let wrong = LoginInput { password: "not my password".to_owned(), ..person.login_from(&device) };
    let refused = world.client.login(wrong).await.unwrap();
    assert_eq!(refused.errors[0].code, LoginErrorCode::WrongCredentials);
    let begun = world.client.login(person.login_from(&device)).await.unwrap().into_result().unwrap();
    assert_eq!((&begun.status.state, &begun.status.session), (&LoginState::Pending, &None));
    let bearer = countersign_client::SessionToken::new(device.reveal());
    assert_eq!(world.client.with_bearer(bearer).me().await.unwrap(), None);
}

async fn a_device_has_a_budget_of_its_own_and_no_more(database: Database) {
    let world = World::builder(database).set("WRONG_PASSWORDS_PER_DEVICE", "3/1h").start().await;
    let person = Person::new();
    let device = world.sign_up(&person).await.device_token;
    let wrong = LoginInput { password: "not my password".to_owned(), ..person.login_from(&device) };
    for _ in 0..3 {
        let refused = world.client.login(wrong.clone()).await.unwrap();
        assert_eq!(refused.errors[0].code, LoginErrorCode::WrongCredentials);
    }
    assert!(!begins_from(&world, &person, &device).await);
    // Whoever has stolen it uses up nobody else's.
    assert!(world.client.login(person.login()).await.unwrap().login_token.is_some());
}

async fn each_session_comes_with_a_new_token_and_the_old_one_is_good_until_that_was_seen(database: Database) {
    let (world, person) = (strict(database).await, Person::new());
    let first = world.sign_up(&person).await.device_token;
    let second = log_in_from(&world, &person, &first).await.device_token;
    assert_ne!(first, second);
    // The answer with the second was lost: the first still does, and whatever it was given is good.
    let third = log_in_from(&world, &person, &first).await.device_token;
    guess_until_refused(&world, &person).await;
    assert!(begins_from(&world, &person, &third).await);
    assert!(begins_from(&world, &person, &first).await);
    assert!(begins_from(&world, &person, &second).await);
    assert!(!begins_from(&world, &person, &first).await, "the second was seen");
    assert!(begins_from(&world, &person, &third).await);
}

async fn reading_a_login_again_gives_the_same_device_token(database: Database) {
    let (world, person) = (World::new(database).await, Person::new());
    let begun = world.begin_signup(&person).await;
    world.approve(&person, &begun.status).await;
    let session = world.session(&begun.login_token).await;
    let read = world.client.login_status(&begun.login_token).await.unwrap().unwrap();
    assert_eq!(read.session, Some(session));
}

async fn forgotten_devices_are_strangers_and_sessions_go_on(database: Database) {
    let (world, person) = (strict(database).await, Person::new());
    let one = world.sign_up(&person).await;
    let other = {
        let begun = world.begin_login(&person).await;
        world.approve(&person, &begun.status).await;
        world.session(&begun.login_token).await
    };
    assert_eq!(world.client.forget_devices().await.unwrap(), 0, "nobody is signed in");
    let signed_in = world.client.with_bearer(one.token);
    assert_eq!(signed_in.forget_devices().await.unwrap(), 2);
    assert!(signed_in.me().await.unwrap().is_some());
    guess_until_refused(&world, &person).await;
    assert!(!begins_from(&world, &person, &one.device_token).await);
    assert!(!begins_from(&world, &person, &other.device_token).await);
}

async fn a_device_is_known_for_as_long_as_was_set_after_its_last_login(database: Database) {
    let world = World::builder(database)
        .set("WRONG_PASSWORDS_PER_EMAIL", "2/1h")
        .set("DEVICE_TTL", "10d")
        .start()
        .await;
    let person = Person::new();
    let mut device = world.sign_up(&person).await.device_token;
    let day = Duration::from_hours(24);
    world.advance(day * 9).await;
    device = log_in_from(&world, &person, &device).await.device_token;
    world.advance(day * 9).await;
    guess_until_refused(&world, &person).await;
    assert!(begins_from(&world, &person, &device).await);
    world.advance(day * 2).await;
    guess_until_refused(&world, &person).await;
    assert!(!begins_from(&world, &person, &device).await);
}

async fn whoever_got_in_by_a_phished_code_is_not_known_afterwards(database: Database) {
    let (world, person) = (strict(database).await, Person::new());
    world.sign_up(&person).await;
    // Somebody has the password, and talks the person into reading a code to them.
    let begun = world.begin_login(&person).await;
    assert_eq!(begun.status.next_step, LoginStep::ApproveOnPhone);
    world.client.resend_token(&begun.login_token, None).await.unwrap().into_result().unwrap();
    let code = world.sms_code(&person).await;
    let status = world.client.verify_token(&begun.login_token, &code).await.unwrap().into_result().unwrap();
    let phished = status.session.unwrap();
    world.planted.plant("device token", phished.device_token.reveal());
    // Then the person looks at the push.
    let push = world.push(&person, &begun.status).await;
    world.phone.deny(&push.uuid).await.unwrap();
    assert_eq!(world.answer_to_callback(&push.uuid).await, 200);
    assert_eq!(world.client.with_bearer(phished.token).me().await.unwrap(), None);
    guess_until_refused(&world, &person).await;
    assert!(!begins_from(&world, &person, &phished.device_token).await);
}

async fn many_devices_have_no_more_than_a_few_have(database: Database) {
    let world =
        World::builder(database).set("CODES_PER_PHONE", "2/1h").set("RESEND_PAUSE", "1ms").start().await;
    let person = Person::new();
    world.sign_up(&person).await;
    world.phone.set_default_onetouch(false).await.unwrap();
    world.phone.forget_calls().await.unwrap();
    // Whoever signs in without a token makes another device known each time.
    for _ in 0..8 {
        let begun = world.begin_login(&person).await;
        world.approve(&person, &begun.status).await;
        let device = world.session(&begun.login_token).await.device_token;
        let begun = world.client.login(person.login_from(&device)).await.unwrap().into_result().unwrap();
        for _ in 0..4 {
            let _ = world.client.resend_token(&begun.login_token, None).await.unwrap();
            world.advance(Duration::from_millis(2)).await;
        }
    }
    assert_eq!(world.phone.calls().await.unwrap().count("sms"), 2 * 3);
}

on_both_databases! {
    a_known_device_logs_in_at_once_while_everybody_else_has_to_wait,
    a_device_token_stands_for_neither_factor,
    a_device_has_a_budget_of_its_own_and_no_more,
    each_session_comes_with_a_new_token_and_the_old_one_is_good_until_that_was_seen,
    reading_a_login_again_gives_the_same_device_token,
    forgotten_devices_are_strangers_and_sessions_go_on,
    a_device_is_known_for_as_long_as_was_set_after_its_last_login,
    whoever_got_in_by_a_phished_code_is_not_known_afterwards,
    many_devices_have_no_more_than_a_few_have,
}
