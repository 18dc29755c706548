//! Logging in with a code.

use std::time::Duration;

use countersign_client::{
    Begun, CodeChannel, LoginFailure, LoginState, LoginStep, ResendTokenErrorCode, VerifyTokenErrorCode,
};
use futures_util::future::join_all;
use harness::{Database, Person, World, on_both_databases};

/// A user whose phone has no app, and a login of theirs that waits for a code.
async fn awaiting_code(world: &World, person: &Person) -> Begun {
    world.sign_up(person).await;
    let device = world.device(person).await;
    world.phone.set_onetouch(device.authy_id, false).await.unwrap();
    let begun = world.begin_login(person).await;
    assert_eq!(begun.status.next_step, LoginStep::EnterCode);
    begun
}

/// A code that is not the right one.
fn wrong(code: &str) -> String {
    let last = code.bytes().last().unwrap();
    format!("{}{}", &code[..code.len() - 1], (last - b'0' + 1) % 10)
}

fn refused(reply: &countersign_client::VerifyTokenReply) -> (VerifyTokenErrorCode, Option<u64>) {
    let [error] = &reply.errors[..] else { panic!("{:?}", reply.errors) };
    (error.code.clone(), error.tries_left)
}

async fn without_the_app_a_code_is_sent_at_once(database: Database) {
    let (world, person) = (World::new(database).await, Person::new());
    let begun = awaiting_code(&world, &person).await;
    assert_eq!(begun.status.code_channel, Some(CodeChannel::Sms));
    // There is no push to compare it with.
    assert_eq!(begun.status.match_number, None);
    let code = world.sms_code(&person).await;
    assert_eq!(code.len(), 7);
    let typed = format!(" {}-{} ", &code[..3], &code[3..]);
    let status = world.client.verify_token(&begun.login_token, &typed).await.unwrap().into_result().unwrap();
    assert_eq!((status.state, status.next_step), (LoginState::Approved, LoginStep::None));
    let session = status.session.unwrap();
    // Again, with any code or none: the same answer, and nobody is asked.
    world.phone.forget_calls().await.unwrap();
    for code in [code.as_str(), "0000000", "nonsense", ""] {
        let again = world.client.verify_token(&begun.login_token, code).await.unwrap().into_result().unwrap();
        assert_eq!(again.session.as_ref(), Some(&session));
    }
    assert_eq!(world.phone.calls().await.unwrap().count("verify"), 0);
}

async fn the_code_of_the_app_signs_in_too(database: Database) {
    let (world, person) = (World::new(database).await, Person::new());
    world.sign_up(&person).await;
    let begun = world.begin_login(&person).await;
    let code = world.device(&person).await.app_code.unwrap();
    world.planted.plant("code", &code);
    let status = world.client.verify_token(&begun.login_token, &code).await.unwrap().into_result().unwrap();
    assert_eq!(status.state, LoginState::Approved);
}

async fn five_wrong_codes_fail_the_login_and_the_right_one_no_longer_helps(database: Database) {
    let (world, person) = (World::new(database).await, Person::new());
    let begun = awaiting_code(&world, &person).await;
    let code = world.sms_code(&person).await;
    for tries_left in [4, 3, 2, 1] {
        let reply = world.client.verify_token(&begun.login_token, &wrong(&code)).await.unwrap();
        assert_eq!(refused(&reply), (VerifyTokenErrorCode::InvalidCode, Some(tries_left)));
        assert_eq!(reply.errors[0].field.as_deref(), Some("input.code"));
    }
    let last = world.client.verify_token(&begun.login_token, &wrong(&code)).await.unwrap();
    assert_eq!(refused(&last), (VerifyTokenErrorCode::InvalidCode, Some(0)));
    let status = last.status.unwrap();
    assert_eq!((status.state, status.failure), (LoginState::Failed, Some(LoginFailure::TooManyWrongCodes)));
    let late = world.client.verify_token(&begun.login_token, &code).await.unwrap();
    assert_eq!(refused(&late).0, VerifyTokenErrorCode::LoginOver);
    assert_eq!(late.status.unwrap().session, None);
}

async fn of_a_hundred_wrong_codes_at_once_five_reach_the_provider(database: Database) {
    let (world, person) = (World::new(database).await, Person::new());
    let begun = awaiting_code(&world, &person).await;
    let code = wrong(&world.sms_code(&person).await);
    let replies = join_all((0..100).map(|_| world.client.verify_token(&begun.login_token, &code))).await;
    let codes: Vec<_> = replies.iter().map(|reply| refused(reply.as_ref().unwrap()).0).collect();
    let judged = codes.iter().filter(|code| **code == VerifyTokenErrorCode::InvalidCode).count();
    assert_eq!(judged, 5, "{codes:?}");
    let others = [
        VerifyTokenErrorCode::InvalidCode,
        VerifyTokenErrorCode::RateLimited,
        VerifyTokenErrorCode::LoginOver,
    ];
    assert!(codes.iter().all(|code| others.contains(code)), "{codes:?}");
    assert_eq!(world.phone.calls().await.unwrap().count("verify"), 5);
    let status = world.client.login_status(&begun.login_token).await.unwrap().unwrap();
    assert_eq!(status.failure, Some(LoginFailure::TooManyWrongCodes));
}

/// Has one code typed for two logins at once; returns what came of each.
async fn race(world: &World, logins: [&Begun; 2], code: &str) {
    let both = logins.map(|begun| world.client.verify_token(&begun.login_token, code));
    let replies: Vec<_> = join_all(both).await.into_iter().map(Result::unwrap).collect();
    let signed_in = replies.iter().filter(|reply| reply.errors.is_empty()).count();
    let used = replies.iter().filter(|reply| !reply.errors.is_empty()).map(refused).next().unwrap().0;
    assert_eq!((signed_in, used), (1, VerifyTokenErrorCode::CodeAlreadyUsed));
}

async fn one_code_settles_one_of_two_logins(database: Database) {
    let (world, person) = (World::new(database).await, Person::new());
    let first = awaiting_code(&world, &person).await;
    let second = world.begin_login(&person).await;
    let code = world.sms_code(&person).await;
    race(&world, [&first, &second], &code).await;
}

async fn one_code_settles_one_of_two_accounts_on_one_phone(database: Database) {
    let (world, person) = (World::new(database).await, Person::new());
    let first = awaiting_code(&world, &person).await;
    let housemate = person.sharing_phone();
    let second = world.begin_signup(&housemate).await;
    assert_eq!(world.device(&person).await.authy_id, world.device(&housemate).await.authy_id);
    let code = world.sms_code(&housemate).await;
    race(&world, [&first, &second], &code).await;
}

async fn what_is_no_code_takes_no_try_and_reaches_nobody(database: Database) {
    let (world, person) = (World::new(database).await, Person::new());
    let begun = awaiting_code(&world, &person).await;
    world.phone.forget_calls().await.unwrap();
    let long = "1".repeat(4_096);
    for text in [
        "../sms",
        "0000000?x",
        &long,
        "①②③④⑤⑥⑦",
        "1234567 or 7654321",
        "",
        "12345",
        "123456789",
        "1234567/9",
        "12 34 5a7",
        "%31234567",
    ] {
        let reply = world.client.verify_token(&begun.login_token, text).await.unwrap();
        assert_eq!(refused(&reply), (VerifyTokenErrorCode::InvalidCode, Some(5)), "{text}");
        assert!(reply.errors[0].message.contains("6 to 8 digits"), "{text}: {}", reply.errors[0].message);
    }
    assert_eq!(world.phone.calls().await.unwrap().counts.values().sum::<u64>(), 0);
}

async fn another_code_is_sent_after_a_pause_by_the_channel_that_is_asked_for(database: Database) {
    let (world, person) = (World::new(database).await, Person::new());
    let begun = awaiting_code(&world, &person).await;
    let soon = world.client.resend_token(&begun.login_token, None).await.unwrap();
    let [error] = &soon.errors[..] else { panic!("{soon:?}") };
    assert_eq!(error.code, ResendTokenErrorCode::TooSoon);
    assert!((1..=30).contains(&error.retry_after_seconds.unwrap()), "{error:?}");
    for (channel, expected) in [(None, CodeChannel::Sms), (Some(CodeChannel::Voice), CodeChannel::Voice)] {
        world.advance(Duration::from_secs(30)).await;
        let reply = world.client.resend_token(&begun.login_token, channel).await.unwrap();
        assert_eq!(reply.into_result().unwrap().code_channel, Some(expected));
    }
    let calls = world.phone.calls().await.unwrap();
    assert_eq!((calls.count("sms"), calls.count("call")), (2, 1));
}

async fn of_twenty_wishes_for_a_code_at_once_one_is_sent(database: Database) {
    let (world, person) = (World::new(database).await, Person::new());
    world.sign_up(&person).await;
    let begun = world.begin_login(&person).await;
    let replies = join_all((0..20).map(|_| world.client.resend_token(&begun.login_token, None))).await;
    let sent = replies.iter().filter(|reply| reply.as_ref().unwrap().errors.is_empty()).count();
    assert_eq!((sent, world.phone.calls().await.unwrap().count("sms")), (1, 1));
}

async fn a_person_with_the_app_is_told_to_open_it_or_gets_a_text_message(database: Database) {
    let (world, person) = (World::new(database).await, Person::new());
    world.sign_up(&person).await;
    let begun = world.begin_login(&person).await;
    let reply = world.client.resend_token(&begun.login_token, Some(CodeChannel::App)).await.unwrap();
    assert_eq!(reply.into_result().unwrap().code_channel, Some(CodeChannel::App));
    world.advance(Duration::from_secs(30)).await;
    let status = world.client.resend_token(&begun.login_token, None).await.unwrap().into_result().unwrap();
    assert_eq!((status.code_channel, status.next_step), (Some(CodeChannel::Sms), LoginStep::EnterCode));
    // The push is still open, and counts.
    world.approve(&person, &begun.status).await;
    world.session(&begun.login_token).await;
}

async fn an_unknown_login_token_is_told_so(database: Database) {
    let world = World::new(database).await;
    let foreign = "A".repeat(43);
    for text in [foreign.as_str(), "", "../sms", &"x".repeat(4_096)] {
        let token = countersign_client::LoginToken::new(text);
        let verified = world.client.verify_token(&token, "1234567").await.unwrap();
        assert_eq!((refused(&verified).0, verified.status), (VerifyTokenErrorCode::LoginNotFound, None));
        let resent = world.client.resend_token(&token, None).await.unwrap();
        assert_eq!((&resent.errors[0].code, resent.status), (&ResendTokenErrorCode::LoginNotFound, None));
        assert_eq!(world.client.cancel_login(&token).await.unwrap(), None);
        assert_eq!(world.client.login_status(&token).await.unwrap(), None);
    }
}

on_both_databases! {
    without_the_app_a_code_is_sent_at_once,
    the_code_of_the_app_signs_in_too,
    five_wrong_codes_fail_the_login_and_the_right_one_no_longer_helps,
    of_a_hundred_wrong_codes_at_once_five_reach_the_provider,
    one_code_settles_one_of_two_logins,
    one_code_settles_one_of_two_accounts_on_one_phone,
    what_is_no_code_takes_no_try_and_reaches_nobody,
    another_code_is_sent_after_a_pause_by_the_channel_that_is_asked_for,
    of_twenty_wishes_for_a_code_at_once_one_is_sent,
    a_person_with_the_app_is_told_to_open_it_or_gets_a_text_message,
    an_unknown_login_token_is_told_so,
}
