//! Logging in with a push.

use std::time::Duration;

use countersign_client::{
    Begun, CodeChannel, LoginErrorCode, LoginFailure, LoginInput, LoginState, LoginStep, VerifyTokenErrorCode,
};
use harness::{Database, Person, World, on_both_databases};

async fn an_approved_push_signs_in_and_the_watcher_is_told(database: Database) {
    let (world, person) = (World::new(database).await, Person::new());
    world.sign_up(&person).await;
    let begun = world.begin_login(&person).await;
    assert_eq!(
        (&begun.status.state, &begun.status.next_step),
        (&LoginState::Pending, &LoginStep::ApproveOnPhone)
    );
    let number = begun.status.match_number.clone().unwrap();
    assert!(number.len() == 2 && number.bytes().all(|byte| byte.is_ascii_digit()), "{number}");
    let push = world.push(&person, &begun.status).await;
    assert_eq!(push.message, format!("Log in as {}", person.email));
    let detail = |label: &str| push.details.get(label).and_then(|value| value.as_str()).unwrap().to_owned();
    assert_eq!((detail("Match number"), detail("From")), (number, "127.0.0.1".to_owned()));
    assert!(detail("Time").ends_with("UTC"));
    world.approve(&person, &begun.status).await;
    let session = world.session(&begun.login_token).await;
    let me = world.client.with_bearer(session.token).me().await.unwrap().unwrap();
    assert_eq!(me.email, person.email);
}

async fn after_a_denial_a_right_code_still_signs_in_on_a_known_device(database: Database) {
    let (world, person) = (World::new(database).await, Person::new());
    let device = world.sign_up(&person).await.device_token;
    let begun = world.begin_login_from(&person, &device).await;
    world.phone.forget_calls().await.unwrap();
    world.deny(&person, &begun.status).await;
    let denied = world.wait_for_state(&begun.login_token, LoginState::Denied).await;
    assert_eq!((denied.next_step, denied.failure, denied.session), (LoginStep::EnterCode, None, None));
    // None is sent by itself.
    assert_eq!(world.phone.calls().await.unwrap().count("sms"), 0);
    world.client.resend_token(&begun.login_token, None).await.unwrap().into_result().unwrap();
    let code = world.sms_code(&person).await;
    let status = world.client.verify_token(&begun.login_token, &code).await.unwrap().into_result().unwrap();
    assert_eq!(status.state, LoginState::Approved);
    assert!(world.client.with_bearer(status.session.unwrap().token).me().await.unwrap().is_some());
}

async fn a_code_from_before_a_denial_is_refused_after_it(database: Database) {
    let (world, person) = (World::new(database).await, Person::new());
    let device = world.sign_up(&person).await.device_token;
    let begun = world.begin_login_from(&person, &device).await;
    let token = &begun.login_token;
    // The person reads this code to whoever talks them into it, and denies the push.
    world.client.resend_token(token, None).await.unwrap().into_result().unwrap();
    let early = world.sms_code(&person).await;
    world.deny(&person, &begun.status).await;
    let denied = world.wait_for_state(token, LoginState::Denied).await;
    assert_eq!((denied.next_step, denied.code_channel), (LoginStep::EnterCode, None));
    world.phone.forget_calls().await.unwrap();
    let app_code = world.device(&person).await.app_code.unwrap();
    world.planted.plant("code", &app_code);
    for code in [&early, &app_code, "0000000", "no code"] {
        let refused = world.client.verify_token(token, code).await.unwrap();
        let [error] = &refused.errors[..] else { panic!("{:?}", refused.errors) };
        assert_eq!((&error.code, error.tries_left), (&VerifyTokenErrorCode::NoCodeSent, Some(5)));
        assert_eq!(refused.status.unwrap().state, LoginState::Denied);
    }
    assert_eq!(world.phone.calls().await.unwrap().count("verify"), 0, "the provider was asked");
    // The app shows codes without being asked: it counts as asked from the moment when the service was.
    world.advance(Duration::from_secs(31)).await;
    let resent = world.client.resend_token(token, Some(CodeChannel::App)).await.unwrap();
    assert_eq!(resent.into_result().unwrap().code_channel, Some(CodeChannel::App));
    let code = world.device(&person).await.app_code.unwrap();
    world.planted.plant("code", &code);
    let status = world.client.verify_token(token, &code).await.unwrap().into_result().unwrap();
    assert_eq!(status.state, LoginState::Approved);
}

/// Denies a login on the phone, and returns what becomes of it.
async fn denied(world: &World, person: &Person, begun: &Begun) -> (LoginState, Option<LoginFailure>) {
    world.deny(person, &begun.status).await;
    let status = world.wait_for_denial(&begun.login_token).await;
    // A code is sent where it can still approve, and nowhere else.
    let resent = world.client.resend_token(&begun.login_token, None).await.unwrap();
    assert_eq!(resent.errors.is_empty(), status.state == LoginState::Denied, "{:?}", resent.errors);
    (status.state, status.failure)
}

/// What becomes of a denied login from a known device and from an unknown one, under a setting: whether a code may follow.
/// A denied signup is over in any case.
async fn after_denials(database: Database, setting: &str, [known, unknown]: [bool; 2]) {
    let world = World::builder(database).set("AFTER_DENIAL", setting).start().await;
    let person = Person::new();
    let device = world.sign_up(&person).await.device_token;
    let expected = |is_open| {
        if is_open { (LoginState::Denied, None) } else { (LoginState::Failed, Some(LoginFailure::Denied)) }
    };
    let login = world.begin_login_from(&person, &device).await;
    assert_eq!(denied(&world, &person, &login).await, expected(known), "{setting}, known device");
    let login = world.begin_login(&person).await;
    assert_eq!(denied(&world, &person, &login).await, expected(unknown), "{setting}, unknown device");
    let stranger = person.sharing_phone();
    let signup = world.begin_signup(&stranger).await;
    assert_eq!(denied(&world, &stranger, &signup).await, expected(false), "{setting}, signup");
}

async fn a_denial_is_final_except_on_a_known_device(database: Database) {
    after_denials(database, "known_device", [true, false]).await;
}

#[tokio::test]
async fn a_setting_lets_a_code_follow_every_denial_or_none() {
    after_denials(Database::Sqlite, "code", [true, true]).await;
    after_denials(Database::Sqlite, "final", [false, false]).await;
}

async fn of_two_logins_at_the_same_time_approving_one_leaves_the_other_pending(database: Database) {
    let (world, person) = (World::new(database).await, Person::new());
    world.sign_up(&person).await;
    let (mine, theirs) = (world.begin_login(&person).await, world.begin_login(&person).await);
    assert_ne!(mine.status.match_number, theirs.status.match_number);
    world.approve(&person, &mine.status).await;
    world.session(&mine.login_token).await;
    let other = world.client.login_status(&theirs.login_token).await.unwrap().unwrap();
    assert_eq!((other.state, other.session), (LoginState::Pending, None));
    world.deny(&person, &theirs.status).await;
    world.wait_for_denial(&theirs.login_token).await;
    let first = world.client.login_status(&mine.login_token).await.unwrap().unwrap();
    assert_eq!(first.state, LoginState::Approved);
}

async fn a_cancelled_login_cannot_be_approved(database: Database) {
    let (world, person) = (World::new(database).await, Person::new());
    world.sign_up(&person).await;
    let begun = world.begin_login(&person).await;
    let cancelled = world.client.cancel_login(&begun.login_token).await.unwrap().unwrap();
    assert_eq!((&cancelled.state, &cancelled.failure), (&LoginState::Failed, &Some(LoginFailure::Cancelled)));
    assert_eq!(cancelled.resend_available_at, None);
    world.approve(&person, &begun.status).await;
    let again = world.client.cancel_login(&begun.login_token).await.unwrap().unwrap();
    assert_eq!(again, cancelled);
}

async fn cancelling_what_is_approved_changes_nothing(database: Database) {
    let (world, person) = (World::new(database).await, Person::new());
    let begun = world.begin_signup(&person).await;
    world.approve(&person, &begun.status).await;
    let session = world.session(&begun.login_token).await;
    let status = world.client.cancel_login(&begun.login_token).await.unwrap().unwrap();
    assert_eq!((status.state, status.session), (LoginState::Approved, Some(session)));
}

async fn a_wrong_password_and_an_unknown_email_get_the_same_answer(database: Database) {
    let (world, person) = (World::new(database).await, Person::new());
    world.sign_up(&person).await;
    world.phone.forget_calls().await.unwrap();
    let wrong = LoginInput { password: "not my password".to_owned(), ..person.login() };
    let unknown = Person::new();
    let absurd =
        LoginInput { email: "no address".to_owned(), password: "x".repeat(5_000), device_token: None };
    let mut replies = Vec::new();
    for input in [wrong, unknown.login(), absurd] {
        replies.push(world.client.login(input).await.unwrap());
    }
    assert_eq!(replies[0].errors[0].code, LoginErrorCode::WrongCredentials);
    assert!(replies.iter().all(|reply| *reply == replies[0]), "{replies:?}");
    assert_eq!(world.phone.calls().await.unwrap().counts.values().sum::<u64>(), 0);
}

async fn an_email_is_the_same_in_capitals_and_a_password_however_it_is_composed(database: Database) {
    let world = World::new(database).await;
    let person = Person { password: "cafe\u{301} au lait \u{e9}t\u{e9}".to_owned(), ..Person::new() };
    world.sign_up(&person).await;
    let typed = LoginInput {
        email: format!(" {} ", person.email.to_uppercase()),
        password: "caf\u{e9} au lait e\u{301}te\u{301}".to_owned(),
        device_token: None,
    };
    assert!(world.client.login(typed).await.unwrap().login_token.is_some());
}

async fn logging_out_ends_the_session_and_forgets_the_login(database: Database) {
    let (world, person) = (World::new(database).await, Person::new());
    let begun = world.begin_signup(&person).await;
    world.approve(&person, &begun.status).await;
    let session = world.session(&begun.login_token).await;
    let signed_in = world.client.with_bearer(session.token);
    assert!(signed_in.logout().await.unwrap());
    assert_eq!(signed_in.me().await.unwrap(), None);
    assert!(!signed_in.logout().await.unwrap());
    assert_eq!(world.client.login_status(&begun.login_token).await.unwrap(), None);
    assert!(!world.client.logout().await.unwrap());
}

async fn each_login_opens_a_session_of_its_own(database: Database) {
    let (world, person) = (World::new(database).await, Person::new());
    let first = world.sign_up(&person).await;
    let begun = world.begin_login(&person).await;
    world.approve(&person, &begun.status).await;
    let second = world.session(&begun.login_token).await;
    assert_ne!(first.token.reveal(), second.token.reveal());
    assert!(world.client.with_bearer(first.token).logout().await.unwrap());
    assert!(world.client.with_bearer(second.token).me().await.unwrap().is_some());
}

on_both_databases! {
    an_approved_push_signs_in_and_the_watcher_is_told,
    after_a_denial_a_right_code_still_signs_in_on_a_known_device,
    a_code_from_before_a_denial_is_refused_after_it,
    a_denial_is_final_except_on_a_known_device,
    of_two_logins_at_the_same_time_approving_one_leaves_the_other_pending,
    a_cancelled_login_cannot_be_approved,
    cancelling_what_is_approved_changes_nothing,
    a_wrong_password_and_an_unknown_email_get_the_same_answer,
    an_email_is_the_same_in_capitals_and_a_password_however_it_is_composed,
    logging_out_ends_the_session_and_forgets_the_login,
    each_login_opens_a_session_of_its_own,
}
