//! A client that was built long ago: its operations are compiled against `schemas/1.graphql`, and it has to read whatever
//! today's server says to it. It is not `countersign-client`, which grows with the schema.

use std::time::Duration;

use chrono::{DateTime as Instant, Utc};
use futures_util::StreamExt;
use graphql_client::{GraphQLQuery, Response};
use graphql_ws_client::{Client as Operations, Subscription, graphql::StreamingOperation};
use harness::{Database, Person, World, on_both_databases};
use serde_json::json;
use tokio_tungstenite::{
    connect_async,
    tungstenite::{client::IntoClientRequest, http::HeaderValue},
};

// The generated modules look for the schema's scalar in their parent.
type DateTime = Instant<Utc>;

#[rustfmt::skip]
macro_rules! operation {
    ($name:ident, $query_path:tt) => {
        #[derive(GraphQLQuery)]
        #[graphql(
            schema_path = "schemas/1.graphql",
            query_path = $query_path,
            normalization = "rust",
            response_derives = "Debug, PartialEq"
        )]
        struct $name;
    };
}

operation!(Signup, "schemas/1/logins.graphql");
operation!(Login, "schemas/1/logins.graphql");
operation!(VerifyToken, "schemas/1/logins.graphql");
operation!(ResendToken, "schemas/1/logins.graphql");
operation!(CancelLogin, "schemas/1/logins.graphql");
operation!(ReadLogin, "schemas/1/logins.graphql");
operation!(WatchLogin, "schemas/1/logins.graphql");
operation!(Me, "schemas/1/users.graphql");
operation!(Logout, "schemas/1/sessions.graphql");

/// The client. It knows the service's address, and who is signed in.
struct OlderClient<'a> {
    world: &'a World,
    bearer: Option<String>,
}

impl<'a> OlderClient<'a> {
    fn new(world: &'a World) -> Self {
        Self { world, bearer: None }
    }

    /// Asks, and reads the answer as it did then: an answer with errors, or one that does not fit, ends the story.
    async fn ask<Operation: GraphQLQuery>(&self, variables: Operation::Variables) -> Operation::ResponseData {
        let url = format!("{}/graphql", self.world.service_address());
        let mut request = self.world.http.post(url).json(&Operation::build_query(variables));
        if let Some(bearer) = &self.bearer {
            request = request.bearer_auth(bearer);
        }
        let text = request.send().await.unwrap().text().await.unwrap();
        let answer: Response<Operation::ResponseData> =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert!(answer.errors.is_none(), "{text}");
        answer.data.unwrap()
    }

    /// Subscribes to a login, on a socket of its own.
    async fn watch(&self, login_token: &str) -> Subscription<StreamingOperation<WatchLogin>> {
        let address = self.world.service_address().replacen("http", "ws", 1);
        let mut request = format!("{address}/graphql").into_client_request().unwrap();
        let protocol = HeaderValue::from_static("graphql-transport-ws");
        request.headers_mut().insert("sec-websocket-protocol", protocol);
        let (socket, _) = connect_async(request).await.unwrap();
        let variables = watch_login::Variables { login_token: login_token.to_owned() };
        Operations::build(socket).subscribe(StreamingOperation::new(variables)).await.unwrap()
    }

    async fn sign_up(&self, person: &Person) -> signup::SignupSignup {
        let Person { full_name, email, country_code, phone, password } = person.clone();
        let input = signup::SignupInput { full_name, email, country_code, phone, password };
        let begun = self.ask::<Signup>(signup::Variables { input }).await.signup;
        self.plant("login token", begun.login_token.as_deref());
        begun
    }

    async fn log_in(&self, person: &Person) -> login::LoginLogin {
        let Person { email, password, .. } = person.clone();
        let input = login::LoginInput { email, password };
        let begun = self.ask::<Login>(login::Variables { input }).await.login;
        self.plant("login token", begun.login_token.as_deref());
        begun
    }

    async fn verify(&self, login_token: &str, code: &str) -> verify_token::VerifyTokenVerifyToken {
        let input =
            verify_token::VerifyTokenInput { login_token: login_token.to_owned(), code: code.to_owned() };
        self.ask::<VerifyToken>(verify_token::Variables { input }).await.verify_token
    }

    async fn resend(&self, login_token: &str) -> resend_token::ResendTokenResendToken {
        let channel = Some(resend_token::CodeChannel::Sms);
        let input = resend_token::ResendTokenInput { login_token: login_token.to_owned(), channel };
        self.ask::<ResendToken>(resend_token::Variables { input }).await.resend_token
    }

    async fn cancel(&self, login_token: &str) -> Option<cancel_login::LoginStatusFields> {
        let input = cancel_login::CancelLoginInput { login_token: login_token.to_owned() };
        self.ask::<CancelLogin>(cancel_login::Variables { input }).await.cancel_login.status
    }

    async fn read(&self, login_token: &str) -> Option<read_login::LoginStatusFields> {
        let variables = read_login::Variables { login_token: login_token.to_owned() };
        self.ask::<ReadLogin>(variables).await.login_status
    }

    async fn me(&self) -> Option<me::UserFields> {
        self.ask::<Me>(me::Variables).await.me
    }

    async fn log_out(&self) -> bool {
        self.ask::<Logout>(logout::Variables).await.logout.logged_out
    }

    fn plant(&self, kind: &'static str, secret: Option<&str>) {
        if let Some(secret) = secret {
            self.world.planted.plant(kind, secret);
        }
    }

    /// The push with this number on somebody's phone.
    async fn push(&self, person: &Person, match_number: Option<&String>) -> String {
        let device = self.world.device(person).await;
        device.pending_request(match_number.unwrap()).unwrap().uuid.clone()
    }
}

/// The next status that a subscription tells.
async fn next(watch: &mut Subscription<StreamingOperation<WatchLogin>>) -> watch_login::LoginStatusFields {
    let answer = watch.next().await.unwrap().unwrap();
    assert!(answer.errors.is_none(), "{:?}", answer.errors);
    answer.data.unwrap().login_status
}

/// A service, a person who is not known to it yet, and nobody signed in.
async fn world_and_person(database: Database) -> (World, Person) {
    let (world, person) = (World::new(database).await, Person::new());
    world.plant(&person);
    (world, person)
}

async fn it_signs_up_and_in_and_out(database: Database) {
    let (world, person) = world_and_person(database).await;
    let mut older = OlderClient::new(&world);
    let begun = older.sign_up(&person).await;
    assert_eq!(begun.errors, []);
    let status = begun.status.unwrap();
    assert_eq!((status.state, status.purpose), (signup::LoginState::Pending, signup::LoginPurpose::Signup));
    assert_eq!(status.next_step, signup::LoginStep::ApproveOnPhone);
    assert_eq!(status.match_number.as_ref().unwrap().len(), 2);
    assert!(status.resend_available_at.unwrap() < status.expires_at);

    let login_token = begun.login_token.unwrap();
    let mut watch = older.watch(&login_token).await;
    let first = next(&mut watch).await;
    assert_eq!((first.state, first.sequence), (watch_login::LoginState::Pending, status.sequence));
    let push = older.push(&person, status.match_number.as_ref()).await;
    world.phone.approve(&push).await.unwrap();
    let last = next(&mut watch).await;
    assert_eq!(
        (last.state, last.next_step),
        (watch_login::LoginState::Approved, watch_login::LoginStep::None)
    );
    assert!(last.sequence > first.sequence);
    assert!(watch.next().await.is_none());

    let session = last.session.unwrap();
    older.plant("session token", Some(&session.token));
    assert!(session.expires_at > session.user.created_at);
    older.bearer = Some(session.token.clone());
    let me = older.me().await.unwrap();
    assert_eq!(
        (&me.email, &me.full_name, &me.country_code),
        (&person.email, &person.full_name, &person.country_code)
    );
    assert_eq!((&me.id, me.created_at), (&session.user.id, session.user.created_at));
    assert!(me.masked_phone.ends_with(&person.phone[8..]));
    let read = older.read(&login_token).await.unwrap();
    assert_eq!(read.session.unwrap().token, session.token);
    assert!(older.log_out().await);
    assert_eq!(older.me().await, None);
    assert!(!older.log_out().await);
}

async fn it_is_denied_and_types_a_code(database: Database) {
    // It presents no device token: it is older than those.
    let world = World::builder(database).set("AFTER_DENIAL", "code").start().await;
    let person = Person::new();
    world.plant(&person);
    world.sign_up(&person).await;
    let mut older = OlderClient::new(&world);
    let begun = older.log_in(&person).await;
    assert_eq!(begun.errors, []);
    let (login_token, status) = (begun.login_token.unwrap(), begun.status.unwrap());
    assert_eq!((status.state, status.purpose), (login::LoginState::Pending, login::LoginPurpose::Login));
    let mut watch = older.watch(&login_token).await;
    next(&mut watch).await;
    let push = older.push(&person, status.match_number.as_ref()).await;
    world.phone.deny(&push).await.unwrap();
    let denied = next(&mut watch).await;
    assert_eq!(denied.state, watch_login::LoginState::Denied);
    assert_eq!((denied.next_step, denied.session), (watch_login::LoginStep::EnterCode, None));

    let resent = older.resend(&login_token).await;
    assert_eq!(resent.errors, []);
    assert_eq!(resent.status.unwrap().code_channel, Some(resend_token::CodeChannel::Sms));
    let again = older.resend(&login_token).await;
    let [error] = &again.errors[..] else { panic!("{:?}", again.errors) };
    assert_eq!(error.code, resend_token::ResendTokenErrorCode::TooSoon);
    assert!(error.retry_after_seconds.is_some_and(|seconds| (1..=30).contains(&seconds)));

    let code = world.sms_code(&person).await;
    let wrong = if code == "0000000" { "1111111" } else { "0000000" };
    let refused = older.verify(&login_token, wrong).await;
    let [error] = &refused.errors[..] else { panic!("{:?}", refused.errors) };
    assert_eq!(error.code, verify_token::VerifyTokenErrorCode::InvalidCode);
    assert_eq!((error.field.as_deref(), error.tries_left), (Some("input.code"), Some(4)));
    let verified = older.verify(&login_token, &code).await;
    assert_eq!(verified.errors, []);
    let status = verified.status.unwrap();
    assert_eq!(status.state, verify_token::LoginState::Approved);
    let session = status.session.unwrap();
    older.plant("session token", Some(&session.token));
    older.bearer = Some(session.token);
    assert_eq!(older.me().await.unwrap().id, session.user.id);
}

async fn it_is_told_what_was_wrong(database: Database) {
    let (world, person) = world_and_person(database).await;
    world.sign_up(&person).await;
    let older = OlderClient::new(&world);
    let nonsense = Person { email: "nobody".to_owned(), phone: "12".to_owned(), ..person.clone() };
    let refused = older.sign_up(&nonsense).await;
    assert_eq!((refused.login_token, refused.status), (None, None));
    let mut faults: Vec<_> =
        refused.errors.into_iter().map(|error| (error.field.unwrap(), error.code)).collect();
    faults.sort_by(|one, other| one.0.cmp(&other.0));
    let expected = [
        ("input.email".to_owned(), signup::SignupErrorCode::InvalidEmail),
        ("input.phone".to_owned(), signup::SignupErrorCode::InvalidPhone),
    ];
    assert_eq!(faults, expected);

    let stranger = Person { password: "not the password".to_owned(), ..person.clone() };
    let refused = older.log_in(&stranger).await;
    assert_eq!((refused.login_token, refused.status), (None, None));
    let [error] = &refused.errors[..] else { panic!("{:?}", refused.errors) };
    assert_eq!((&error.code, &error.field), (&login::LoginErrorCode::WrongCredentials, &None));
    assert!(!error.message.is_empty());

    let begun = older.log_in(&person).await;
    let login_token = begun.login_token.unwrap();
    let cancelled = older.cancel(&login_token).await.unwrap();
    assert_eq!(cancelled.failure, Some(cancel_login::LoginFailure::Cancelled));
    assert_eq!((cancelled.state, cancelled.resend_available_at), (cancel_login::LoginState::Failed, None));
    let verified = older.verify(&login_token, "1234567").await;
    assert_eq!(verified.errors[0].code, verify_token::VerifyTokenErrorCode::LoginOver);
    assert_eq!(verified.status.unwrap().state, verify_token::LoginState::Failed);
    let resent = older.resend(&login_token).await;
    assert_eq!(resent.errors[0].code, resend_token::ResendTokenErrorCode::LoginOver);
    assert_eq!(resent.status.unwrap().next_step, resend_token::LoginStep::None);
}

async fn it_is_told_that_nobody_knows_its_login(database: Database) {
    let world = World::new(database).await;
    let older = OlderClient::new(&world);
    let unknown = "A".repeat(43);
    assert_eq!(older.read(&unknown).await, None);
    assert_eq!(older.cancel(&unknown).await, None);
    let verified = older.verify(&unknown, "1234567").await;
    assert_eq!(verified.errors[0].code, verify_token::VerifyTokenErrorCode::LoginNotFound);
    assert_eq!((verified.status, verified.errors[0].tries_left), (None, None));
    let resent = older.resend(&unknown).await;
    assert_eq!(resent.errors[0].code, resend_token::ResendTokenErrorCode::LoginNotFound);
    assert_eq!(resent.status, None);
    let answer = older.watch(&unknown).await.next().await.unwrap().unwrap();
    let [error] = &answer.errors.unwrap()[..] else { panic!("one error says it") };
    assert_eq!(error.extensions.as_ref().unwrap()["code"], json!("LOGIN_NOT_FOUND"));
}

async fn it_reads_every_end(database: Database) {
    let (world, person) = world_and_person(database).await;
    world.sign_up(&person).await;
    let older = OlderClient::new(&world);
    let taken = older.sign_up(&Person { email: person.email.clone(), ..person.sharing_phone() }).await;
    let push = older.push(&person, taken.status.unwrap().match_number.as_ref()).await;
    let mut watch = older.watch(taken.login_token.as_ref().unwrap()).await;
    next(&mut watch).await;
    world.phone.approve(&push).await.unwrap();
    assert_eq!(next(&mut watch).await.failure, Some(watch_login::LoginFailure::EmailTaken));

    let guessed = older.log_in(&person).await.login_token.unwrap();
    assert_eq!(older.resend(&guessed).await.errors, []);
    let code = world.sms_code(&person).await;
    let wrong = if code == "0000000" { "1111111" } else { "0000000" };
    for _ in 0..5 {
        older.verify(&guessed, wrong).await;
    }
    assert_eq!(
        older.read(&guessed).await.unwrap().failure,
        Some(read_login::LoginFailure::TooManyWrongCodes)
    );

    let forgotten = older.log_in(&person).await.login_token.unwrap();
    let mut watch = older.watch(&forgotten).await;
    next(&mut watch).await;
    world.advance(Duration::from_mins(10)).await;
    let expired = next(&mut watch).await;
    assert_eq!((expired.state, expired.failure), (watch_login::LoginState::Expired, None));
}

async fn it_is_told_to_wait(database: Database) {
    let world = World::builder(database).set("WRONG_PASSWORDS_PER_EMAIL_AND_NETWORK", "1/1h").start().await;
    let person = Person::new();
    world.sign_up(&person).await;
    let older = OlderClient::new(&world);
    let stranger = Person { password: "not the password".to_owned(), ..person };
    assert_eq!(older.log_in(&stranger).await.errors[0].code, login::LoginErrorCode::WrongCredentials);
    let refused = older.log_in(&stranger).await;
    let [error] = &refused.errors[..] else { panic!("{:?}", refused.errors) };
    assert_eq!(error.code, login::LoginErrorCode::RateLimited);
    assert!(error.retry_after_seconds.is_some_and(|seconds| (1..=3600).contains(&seconds)));
}

#[test]
fn it_keeps_codes_that_are_newer_than_it() {
    let error =
        json!({ "code": "MOON_TOO_FULL", "message": "Wait.", "field": null, "retryAfterSeconds": 60 });
    let data = json!({ "login": { "loginToken": null, "status": null, "errors": [error] } });
    let data: login::ResponseData = serde_json::from_value(data).unwrap();
    assert_eq!(data.login.errors[0].code, login::LoginErrorCode::Other("MOON_TOO_FULL".to_owned()));
}

on_both_databases! {
    it_signs_up_and_in_and_out,
    it_is_denied_and_types_a_code,
    it_is_told_what_was_wrong,
    it_is_told_that_nobody_knows_its_login,
    it_reads_every_end,
    it_is_told_to_wait,
}
