//! Sessions in the plural, and the operations that need a confirmation.

use std::time::Duration;

use countersign_client::{
    ChangePasswordErrorCode, Client, ConfirmErrorCode, EndOtherSessionsErrorCode, EndSessionErrorCode,
    LoginErrorCode, LoginFailure, LoginState, LoginToken, SensitiveOperation, Session,
};
use harness::{Database, Person, World, on_both_databases};
use serde_json::json;

use SensitiveOperation::{ChangePassword, EndSessions, StepUp};

const NEW_PASSWORD: &str = "difference engine number two";

fn client_of(world: &World, session: &Session) -> Client {
    world.client.with_bearer(session.token.clone())
}

/// Whether somebody is signed in with this client.
async fn is_live(client: &Client) -> bool {
    client.me().await.unwrap().is_some()
}

async fn a_changed_password_ends_everything_that_the_old_one_opened(database: Database) {
    let (world, person) = (World::new(database).await, Person::new());
    world.planted.plant("new password", NEW_PASSWORD);
    let session = world.sign_up(&person).await;
    let ada = client_of(&world, &session);
    let other = client_of(&world, &world.log_in(&person).await);
    let open = world.begin_login(&person).await;
    let begun = world.begin_confirmation(&ada, &person, ChangePassword).await;
    let push = world.push(&person, &begun.status).await;
    assert_eq!(push.message, format!("Change the password of {}", person.email));
    world.approve(&person, &begun.status).await;
    world.wait_for_state(&begun.login_token, LoginState::Approved).await;
    assert_eq!(
        ada.change_password(Some(&begun.login_token), NEW_PASSWORD).await.unwrap().into_result(),
        Ok(1)
    );
    assert!(is_live(&ada).await && !is_live(&other).await);
    let ended = world.wait_for_state(&open.login_token, LoginState::Failed).await;
    assert_eq!(ended.failure, Some(LoginFailure::AccountChanged));
    let refused = world.client.login(person.login()).await.unwrap();
    assert_eq!(refused.errors[0].code, LoginErrorCode::WrongCredentials);
    let changed = Person { password: NEW_PASSWORD.to_owned(), ..person };
    world.log_in(&changed).await;
    // Its device is not known any more, so that a code cannot follow a denial.
    let begun = world.begin_login_from(&changed, &session.device_token).await;
    world.deny(&changed, &begun.status).await;
    assert_eq!(world.wait_for_denial(&begun.login_token).await.failure, Some(LoginFailure::Denied));
}

/// Each sensitive mutation is refused in this session with this token, and changes nothing.
async fn nothing_is_allowed(world: &World, client: &Client, person: &Person, token: Option<&LoginToken>) {
    let sessions = client.sessions().await.unwrap().unwrap();
    let other = sessions.iter().find(|session| !session.is_current).unwrap();
    let refused = client.change_password(token, NEW_PASSWORD).await.unwrap();
    assert_eq!(refused.errors[0].code, ChangePasswordErrorCode::ConfirmationRequired);
    let refused = client.end_session(token, &other.id).await.unwrap();
    assert_eq!(refused.errors[0].code, EndSessionErrorCode::ConfirmationRequired);
    let refused = client.end_other_sessions(token).await.unwrap();
    assert_eq!(refused.errors[0].code, EndOtherSessionsErrorCode::ConfirmationRequired);
    assert_eq!(client.sessions().await.unwrap().unwrap().len(), sessions.len());
    let begun = world.begin_login(person).await;
    world.client.cancel_login(&begun.login_token).await.unwrap();
}

async fn a_confirmation_allows_one_operation_once_in_one_session(database: Database) {
    let (world, person) = (World::new(database).await, Person::new());
    let ada = client_of(&world, &world.sign_up(&person).await);
    let other = client_of(&world, &world.log_in(&person).await);
    nothing_is_allowed(&world, &ada, &person, None).await;
    // A login is none, however fresh.
    let login = world.begin_login(&person).await.login_token;
    nothing_is_allowed(&world, &ada, &person, Some(&login)).await;
    nothing_is_allowed(&world, &other, &person, Some(&LoginToken::new("no token"))).await;
    let of_other = world.confirm(&other, &person, EndSessions).await;
    nothing_is_allowed(&world, &ada, &person, Some(&of_other)).await;
    let step_up = world.confirm(&ada, &person, StepUp).await;
    nothing_is_allowed(&world, &ada, &person, Some(&step_up)).await;
    let confirmed = world.confirm(&ada, &person, EndSessions).await;
    // A thief in the same session does not know its token.
    nothing_is_allowed(&world, &ada, &person, Some(&step_up)).await;
    let refused = ada.change_password(Some(&confirmed), NEW_PASSWORD).await.unwrap();
    assert_eq!(refused.errors[0].code, ChangePasswordErrorCode::ConfirmationRequired);
    assert_eq!(ada.end_other_sessions(Some(&confirmed)).await.unwrap().into_result(), Ok(1));
    world.log_in(&person).await;
    nothing_is_allowed(&world, &ada, &person, Some(&confirmed)).await;
    // One that was not used in time is none.
    let late = world.confirm(&ada, &person, EndSessions).await;
    world.advance(Duration::from_mins(5)).await;
    nothing_is_allowed(&world, &ada, &person, Some(&late)).await;
}

async fn a_new_password_that_is_refused_leaves_its_confirmation_unused(database: Database) {
    let (world, person) = (World::new(database).await, Person::new());
    let ada = client_of(&world, &world.sign_up(&person).await);
    // What is cheap to see is said before anybody confirms.
    let refused = ada.change_password(None, "short").await.unwrap();
    assert_eq!(refused.errors[0].code, ChangePasswordErrorCode::InvalidPassword);
    let token = world.confirm(&ada, &person, ChangePassword).await;
    for (password, code) in [
        ("short", ChangePasswordErrorCode::InvalidPassword),
        ("Password1!", ChangePasswordErrorCode::CommonPassword),
        (&person.email, ChangePasswordErrorCode::CommonPassword),
    ] {
        let refused = ada.change_password(Some(&token), password).await.unwrap();
        assert_eq!(refused.errors[0].code, code, "{password}");
        assert_eq!(refused.errors[0].field.as_deref(), Some("input.newPassword"));
    }
    world.planted.plant("new password", NEW_PASSWORD);
    assert_eq!(ada.change_password(Some(&token), NEW_PASSWORD).await.unwrap().into_result(), Ok(0));
}

async fn a_confirmation_by_code_ends_one_other_session(database: Database) {
    let (world, person) = (World::new(database).await, Person::new());
    let ada = client_of(&world, &world.sign_up(&person).await);
    let [one, two] = [world.log_in(&person).await, world.log_in(&person).await];
    let (one, two) = (client_of(&world, &one), client_of(&world, &two));
    let stranger = client_of(&world, &world.sign_up(&Person::new()).await);
    let id_of = async |client: &Client| client.session().await.unwrap().unwrap().id;
    let begun = world.begin_confirmation(&ada, &person, EndSessions).await;
    world.client.resend_token(&begun.login_token, None).await.unwrap().into_result().unwrap();
    let code = world.sms_code(&person).await;
    let verified = world.client.verify_token(&begun.login_token, &code).await.unwrap();
    let status = verified.into_result().unwrap();
    assert_eq!((status.state, status.session), (LoginState::Approved, None));
    for unknown in [id_of(&stranger).await, "no id".to_owned()] {
        let refused = ada.end_session(Some(&begun.login_token), &unknown).await.unwrap();
        assert_eq!(refused.errors[0].code, EndSessionErrorCode::SessionNotFound);
    }
    let id = id_of(&one).await;
    assert_eq!(ada.end_session(Some(&begun.login_token), &id).await.unwrap().into_result(), Ok(1));
    assert!(!is_live(&one).await && is_live(&two).await && is_live(&stranger).await);
    // Once more, nothing changes, and no confirmation is needed.
    assert_eq!(ada.end_session(Some(&begun.login_token), &id).await.unwrap().into_result(), Ok(1));
}

async fn a_denied_confirmation_ends_the_session_that_asked(database: Database) {
    let (world, person) = (World::new(database).await, Person::new());
    let ada = client_of(&world, &world.sign_up(&person).await);
    let stolen = client_of(&world, &world.log_in(&person).await);
    let begun = world.begin_confirmation(&stolen, &person, ChangePassword).await;
    world.deny(&person, &begun.status).await;
    let status = world.wait_for_denial(&begun.login_token).await;
    assert_eq!((status.state, status.failure), (LoginState::Failed, Some(LoginFailure::Denied)));
    assert!(!is_live(&stolen).await && is_live(&ada).await);

    // After a code has approved it, too.
    let stolen = client_of(&world, &world.log_in(&person).await);
    let begun = world.begin_confirmation(&stolen, &person, ChangePassword).await;
    world.client.resend_token(&begun.login_token, None).await.unwrap().into_result().unwrap();
    let code = world.sms_code(&person).await;
    world.client.verify_token(&begun.login_token, &code).await.unwrap().into_result().unwrap();
    let push = world.push(&person, &begun.status).await;
    world.phone.deny(&push.uuid).await.unwrap();
    world.answer_to_callback(&push.uuid).await;
    assert!(!is_live(&stolen).await && is_live(&ada).await);
    let refused = stolen.change_password(Some(&begun.login_token), NEW_PASSWORD).await.unwrap();
    assert_eq!(refused.errors[0].code, ChangePasswordErrorCode::NotSignedIn);
}

/// The client gives up before the person has read the push.
async fn a_denial_after_a_confirmation_was_cancelled_ends_the_session(database: Database) {
    let (world, person) = (World::new(database).await, Person::new());
    let ada = client_of(&world, &world.sign_up(&person).await);
    let stolen = client_of(&world, &world.log_in(&person).await);
    let begun = world.begin_confirmation(&stolen, &person, ChangePassword).await;
    let push = world.push(&person, &begun.status).await;
    stolen.cancel_login(&begun.login_token).await.unwrap();
    world.phone.deny(&push.uuid).await.unwrap();
    world.answer_to_callback(&push.uuid).await;
    assert!(!is_live(&stolen).await && is_live(&ada).await);
}

async fn the_end_of_a_session_ends_what_was_started_in_it(database: Database) {
    let (world, person) = (World::new(database).await, Person::new());
    let session = client_of(&world, &world.sign_up(&person).await);
    let begun = world.begin_confirmation(&session, &person, ChangePassword).await;
    assert!(session.logout().await.unwrap());
    let status = world.wait_for_state(&begun.login_token, LoginState::Failed).await;
    assert_eq!(status.failure, Some(LoginFailure::SessionEnded));
    let refused = session.confirm(ChangePassword, Some(&person.password)).await.unwrap();
    assert_eq!(refused.errors[0].code, ConfirmErrorCode::NotSignedIn);
}

async fn the_fifth_wrong_password_of_a_session_ends_it(database: Database) {
    let (world, person) = (World::new(database).await, Person::new());
    let ada = client_of(&world, &world.sign_up(&person).await);
    let stolen = client_of(&world, &world.log_in(&person).await);
    let missing = stolen.confirm(ChangePassword, None).await.unwrap();
    assert_eq!(missing.errors[0].code, ConfirmErrorCode::PasswordRequired);
    for _ in 0..4 {
        let refused = stolen.confirm(ChangePassword, Some("not my password")).await.unwrap();
        assert_eq!(refused.errors[0].code, ConfirmErrorCode::WrongPassword);
        // A right one takes none.
        let begun = world.begin_confirmation(&ada, &person, StepUp).await;
        world.client.cancel_login(&begun.login_token).await.unwrap();
    }
    let refused = stolen.confirm(ChangePassword, Some("not my password")).await.unwrap();
    assert_eq!(refused.errors[0].code, ConfirmErrorCode::NotSignedIn);
    assert!(!is_live(&stolen).await && is_live(&ada).await);
}

async fn a_session_that_is_not_used_for_an_hour_ends(database: Database) {
    let (world, person) = (World::new(database).await, Person::new());
    let (used, idle) = (world.sign_up(&person).await, world.log_in(&person).await);
    let (used, idle) = (client_of(&world, &used), client_of(&world, &idle));
    world.advance(Duration::from_mins(59)).await;
    assert!(is_live(&used).await);
    // The use is stored by a task of its own: the list shows when it is.
    loop {
        let session = used.session().await.unwrap().unwrap();
        if session.last_used_at - session.created_at > chrono::TimeDelta::minutes(58) {
            assert_eq!(session.idle_expires_at - session.last_used_at, chrono::TimeDelta::hours(1));
            break;
        }
    }
    world.advance(Duration::from_mins(2)).await;
    assert!(is_live(&used).await && !is_live(&idle).await);
}

async fn sessions_name_their_browser_and_network_and_which_is_current(database: Database) {
    let (world, person) = (World::new(database).await, Person::new());
    let ada = client_of(&world, &world.sign_up(&person).await);
    // A browser logs in.
    let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0";
    let query = "mutation($i: LoginInput!) { login(input: $i) { loginToken status { matchNumber } } }";
    let input = json!({ "i": { "email": person.email, "password": person.password } });
    let request = world.http.post(format!("{}/graphql", world.service_address()));
    let request = request.header("user-agent", firefox).json(&json!({ "query": query, "variables": input }));
    let answer: serde_json::Value = request.send().await.unwrap().json().await.unwrap();
    let login = &answer["data"]["login"];
    let token = LoginToken::new(login["loginToken"].as_str().unwrap());
    world.planted.plant("login token", token.reveal());
    let device = world.device(&person).await;
    let number = login["status"]["matchNumber"].as_str().unwrap();
    world.phone.approve(&device.pending_request(number).unwrap().uuid).await.unwrap();
    let browser = client_of(&world, &world.session(&token).await);
    let sessions = browser.sessions().await.unwrap().unwrap();
    let [current, other] = &sessions[..] else { panic!("{sessions:?}") };
    assert_eq!((current.browser.as_deref(), current.is_current), (Some("Firefox on Linux"), true));
    assert_eq!((other.browser.as_deref(), other.is_current), (None, false));
    assert_eq!(current.network.as_deref(), Some("127.0.0.0/24"));
    assert_eq!(current.amr, ["pwd", "mca", "mfa"]);
    assert_eq!(ada.session().await.unwrap().unwrap().id, other.id);
    world.advance(Duration::from_mins(10)).await;
    world.confirm(&browser, &person, StepUp).await;
    let stepped_up = browser.session().await.unwrap().unwrap();
    assert!(stepped_up.confirmed_at - current.confirmed_at >= chrono::TimeDelta::minutes(10));
    assert_eq!(world.client.sessions().await.unwrap(), None);
    assert_eq!(world.client.session().await.unwrap(), None);
}

on_both_databases! {
    a_changed_password_ends_everything_that_the_old_one_opened,
    a_confirmation_allows_one_operation_once_in_one_session,
    a_new_password_that_is_refused_leaves_its_confirmation_unused,
    a_confirmation_by_code_ends_one_other_session,
    a_denied_confirmation_ends_the_session_that_asked,
    a_denial_after_a_confirmation_was_cancelled_ends_the_session,
    the_end_of_a_session_ends_what_was_started_in_it,
    the_fifth_wrong_password_of_a_session_ends_it,
    a_session_that_is_not_used_for_an_hour_ends,
    sessions_name_their_browser_and_network_and_which_is_current,
}
