//! A right password starts a limited number of logins, and a login sends a limited number of app hints.

use std::time::Duration;

use countersign_client::{CodeChannel, LoginErrorCode, LoginInput, LoginReply, ResendTokenErrorCode};
use futures_util::future::join_all;
use harness::{Database, Person, World, on_both_databases, report};

/// One more login than an attacker started in one second before there was a limit.
const STARTED_AT_ONCE: usize = 58;

/// A world in which logins may come from other addresses and only the limit under test is as in production.
async fn world(database: Database, changes: &[(&str, &str)]) -> World {
    let world = World::builder(database).set("TRUSTED_PROXIES", "127.0.0.1");
    changes.iter().fold(world, |world, (variable, value)| world.set(variable, value)).start().await
}

async fn login(world: &World, from: &str, input: LoginInput) -> LoginReply {
    let reply = world.client_from(from.parse().unwrap()).login(input).await.unwrap();
    if let Some(token) = &reply.login_token {
        world.planted.plant("login token", token.reveal());
    }
    reply
}

/// The code of an answer that started nothing, and its wait.
fn refusal(reply: &LoginReply) -> (&LoginErrorCode, Option<u64>) {
    assert_eq!((&reply.login_token, &reply.status), (&None, &None));
    (&reply.errors[0].code, reply.errors[0].retry_after_seconds)
}

async fn a_right_password_starts_thirty_logins_an_hour_from_one_network(database: Database) {
    let world = world(database, &[("STARTED_LOGINS_PER_USER_AND_NETWORK", "30/1h")]).await;
    let (person, unknown) = (Person::new(), Person::new());
    let device = world.sign_up(&person).await.device_token;
    world.plant(&unknown);
    world.phone.forget_calls().await.unwrap();
    let attempts = (0..STARTED_AT_ONCE).map(|_| login(&world, "203.0.113.7", person.login()));
    let replies = join_all(attempts).await;
    let refused: Vec<_> = replies.iter().filter(|reply| reply.login_token.is_none()).map(refusal).collect();
    let pushes = world.phone.calls().await.unwrap().count("approval_requests");
    report(&format!(
        "{STARTED_AT_ONCE} right passwords at once: {} logins, {pushes} pushes",
        STARTED_AT_ONCE - refused.len()
    ));
    assert_eq!((STARTED_AT_ONCE - refused.len(), pushes), (30, 30));
    for (code, wait) in refused {
        assert_eq!(code, &LoginErrorCode::RateLimited);
        assert!(wait.is_some_and(|wait| (1..=120).contains(&wait)), "{wait:?}");
    }
    // Clients without the password see no difference between this email and an unknown one.
    for email in [&person.email, &unknown.email] {
        let wrong = LoginInput { email: email.clone(), ..unknown.login() };
        let reply = login(&world, "203.0.113.7", wrong).await;
        assert_eq!(refusal(&reply), (&LoginErrorCode::WrongCredentials, None));
    }
    // Other networks and the known device have limits of their own.
    assert!(login(&world, "198.51.100.7", person.login()).await.login_token.is_some());
    assert!(login(&world, "203.0.113.7", person.login_from(&device)).await.login_token.is_some());
    // The wait is the truth.
    let reply = login(&world, "203.0.113.7", person.login()).await;
    world.advance(Duration::from_secs(refusal(&reply).1.unwrap())).await;
    assert!(login(&world, "203.0.113.7", person.login()).await.login_token.is_some());
}

async fn a_known_device_starts_as_many_logins_and_no_more(database: Database) {
    let limits = [("STARTED_LOGINS_PER_DEVICE", "3/1h"), ("WRONG_PASSWORDS_PER_DEVICE", "2/1h")];
    let world = world(database, &limits).await;
    let (person, other) = (Person::new(), Person::new());
    world.plant(&other);
    let device = world.sign_up(&person).await.device_token;
    for _ in 0..3 {
        assert!(login(&world, "203.0.113.7", person.login_from(&device)).await.login_token.is_some());
    }
    // The device's limit follows it into every network.
    for from in ["203.0.113.7", "198.51.100.7"] {
        let reply = login(&world, from, person.login_from(&device)).await;
        assert_eq!(refusal(&reply).0, &LoginErrorCode::RateLimited);
    }
    // A right password is no guess, whether a login starts or not.
    let wrong = LoginInput { password: other.login().password, ..person.login_from(&device) };
    let reply = login(&world, "203.0.113.7", wrong).await;
    assert_eq!(refusal(&reply), (&LoginErrorCode::WrongCredentials, None));
    assert!(login(&world, "203.0.113.7", person.login()).await.login_token.is_some());
}

async fn app_hints_are_limited_and_leave_text_messages_possible(database: Database) {
    let world = world(database, &[("APP_HINTS_PER_LOGIN", "2/1h"), ("RESEND_PAUSE", "1s")]).await;
    let person = Person::new();
    world.sign_up(&person).await;
    let begun = world.begin_login(&person).await;
    let resend = async |channel| {
        world.advance(Duration::from_secs(2)).await;
        world.client.resend_token(&begun.login_token, channel).await.unwrap()
    };
    for _ in 0..2 {
        let status = resend(Some(CodeChannel::App)).await.into_result().unwrap();
        assert_eq!(status.code_channel, Some(CodeChannel::App));
    }
    world.phone.forget_calls().await.unwrap();
    let refused = resend(Some(CodeChannel::App)).await;
    assert_eq!(refused.errors[0].code, ResendTokenErrorCode::RateLimited);
    assert!(refused.errors[0].retry_after_seconds.is_some_and(|wait| (1..=1_800).contains(&wait)));
    assert_eq!(world.phone.calls().await.unwrap().count("sms"), 0);
    let status = resend(None).await.into_result().unwrap();
    assert_eq!(status.code_channel, Some(CodeChannel::Sms));
}

async fn people_without_the_app_use_up_no_app_hints(database: Database) {
    let world = world(database, &[("APP_HINTS_PER_LOGIN", "1/1h"), ("RESEND_PAUSE", "1s")]).await;
    world.phone.set_default_onetouch(false).await.unwrap();
    let begun = world.begin_signup(&Person::new()).await;
    for _ in 0..3 {
        world.advance(Duration::from_secs(2)).await;
        let reply = world.client.resend_token(&begun.login_token, Some(CodeChannel::App)).await.unwrap();
        assert_eq!(reply.into_result().unwrap().code_channel, Some(CodeChannel::Sms));
    }
}

on_both_databases! {
    a_right_password_starts_thirty_logins_an_hour_from_one_network,
    a_known_device_starts_as_many_logins_and_no_more,
    app_hints_are_limited_and_leave_text_messages_possible,
    people_without_the_app_use_up_no_app_hints,
}
