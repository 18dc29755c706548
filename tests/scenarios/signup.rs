//! A signup becomes a user when its phone is proven, and not before.

use std::time::Duration;

use client_example::phone::{ApiFault, ApiFaultKind, Faults};
use countersign_client::{
    LoginErrorCode, LoginFailure, LoginPurpose, LoginState, LoginStatus, LoginStep, SignupErrorCode,
};
use harness::{Database, Person, World, on_both_databases};

/// Whether somebody's email and password get them a login.
async fn is_user(world: &World, person: &Person) -> bool {
    let reply = world.client.login(person.login()).await.unwrap();
    match reply.errors.first().map(|error| &error.code) {
        Some(LoginErrorCode::WrongCredentials) => false,
        None => true,
        Some(other) => panic!("{other:?}"),
    }
}

async fn a_signup_is_a_user_once_the_phone_approves(database: Database) {
    let (world, person) = (World::new(database).await, Person::new());
    let begun = world.begin_signup(&person).await;
    assert_eq!((&begun.status.state, &begun.status.purpose), (&LoginState::Pending, &LoginPurpose::Signup));
    assert_eq!(begun.status.next_step, LoginStep::ApproveOnPhone);
    assert!(!is_user(&world, &person).await);
    let push = world.push(&person, &begun.status).await;
    assert_eq!(push.message, format!("Create an account for {}", person.email));
    world.approve(&person, &begun.status).await;
    let session = world.session(&begun.login_token).await;
    assert_eq!((&session.user.email, &session.user.full_name), (&person.email, &person.full_name));
    assert!(session.user.masked_phone.ends_with(&person.phone[8..]));
    assert!(!session.user.masked_phone.contains(&person.phone[3..]));
    let me = world.client.with_bearer(session.token).me().await.unwrap();
    assert_eq!(me, Some(session.user));
    assert!(is_user(&world, &person).await);
}

async fn a_signup_is_a_user_once_a_code_is_right(database: Database) {
    let (world, person) = (World::new(database).await, Person::new());
    world.phone.set_default_onetouch(false).await.unwrap();
    let begun = world.begin_signup(&person).await;
    assert_eq!(begun.status.next_step, LoginStep::EnterCode);
    let code = world.sms_code(&person).await;
    let status = world.client.verify_token(&begun.login_token, &code).await.unwrap().into_result().unwrap();
    assert_eq!(status.state, LoginState::Approved);
    assert!(is_user(&world, &person).await);
}

async fn a_signup_that_nobody_confirms_leaves_no_user(database: Database) {
    let (world, person) = (World::new(database).await, Person::new());
    let begun = world.begin_signup(&person).await;
    world.advance(Duration::from_mins(10)).await;
    world.wait_for_state(&begun.login_token, LoginState::Expired).await;
    assert!(!is_user(&world, &person).await);
}

async fn a_signup_that_the_provider_refuses_leaves_no_user(database: Database) {
    let (world, person) = (World::new(database).await, Person::new());
    world.plant(&person);
    let refusal = ApiFault { status: 400, ..ApiFault::new(ApiFaultKind::Status) }.in_paths(["users/new"]);
    world.phone.set_faults(&Faults::api(refusal)).await.unwrap();
    let reply = world.client.signup(person.signup()).await.unwrap();
    assert_eq!(reply.login_token, None);
    let [error] = &reply.errors[..] else { panic!("{:?}", reply.errors) };
    assert_eq!(
        (&error.code, error.field.as_deref()),
        (&SignupErrorCode::ProviderRefused, Some("input.phone"))
    );
    world.phone.clear_faults().await.unwrap();
    assert!(!is_user(&world, &person).await);
    // Nothing is left in the way of a second try.
    world.sign_up(&person).await;
}

async fn a_taken_email_looks_the_same_and_is_told_to_who_proves_the_phone_only(database: Database) {
    let (world, owner) = (World::new(database).await, Person::new());
    world.sign_up(&owner).await;
    let stranger = Person { email: owner.email.clone(), ..Person::new() };
    let begun = world.begin_signup(&stranger).await;
    assert_eq!(
        (&begun.status.state, &begun.status.next_step),
        (&LoginState::Pending, &LoginStep::ApproveOnPhone)
    );
    assert!(begun.status.match_number.is_some());
    world.approve(&stranger, &begun.status).await;
    let status = world.wait_for(&begun.login_token, LoginStatus::is_over).await;
    assert_eq!((status.state, status.failure), (LoginState::Failed, Some(LoginFailure::EmailTaken)));
    assert_eq!(status.session, None);
    assert!(is_user(&world, &owner).await);
    assert!(!is_user(&world, &stranger).await);
}

async fn of_several_signups_for_one_email_the_first_confirmed_wins(database: Database) {
    let (world, one) = (World::new(database).await, Person::new());
    let other = Person { email: one.email.clone(), ..Person::new() };
    let (first, second) = (world.begin_signup(&one).await, world.begin_signup(&other).await);
    world.approve(&other, &second.status).await;
    let session = world.session(&second.login_token).await;
    assert!(session.user.masked_phone.ends_with(&other.phone[8..]));
    world.approve(&one, &first.status).await;
    let status = world.wait_for(&first.login_token, LoginStatus::is_over).await;
    assert_eq!(status.failure, Some(LoginFailure::EmailTaken));
    assert!(is_user(&world, &other).await);
    assert!(!is_user(&world, &one).await);
}

async fn a_right_code_for_a_taken_email_says_so_too(database: Database) {
    let (world, owner) = (World::new(database).await, Person::new());
    world.sign_up(&owner).await;
    world.phone.set_default_onetouch(false).await.unwrap();
    let stranger = Person { email: owner.email.clone(), ..Person::new() };
    let begun = world.begin_signup(&stranger).await;
    let code = world.sms_code(&stranger).await;
    let status = world.client.verify_token(&begun.login_token, &code).await.unwrap().into_result().unwrap();
    assert_eq!((status.state, status.failure), (LoginState::Failed, Some(LoginFailure::EmailTaken)));
}

on_both_databases! {
    a_signup_is_a_user_once_the_phone_approves,
    a_signup_is_a_user_once_a_code_is_right,
    a_signup_that_nobody_confirms_leaves_no_user,
    a_signup_that_the_provider_refuses_leaves_no_user,
    a_taken_email_looks_the_same_and_is_told_to_who_proves_the_phone_only,
    of_several_signups_for_one_email_the_first_confirmed_wins,
    a_right_code_for_a_taken_email_says_so_too,
}
