//! Sessions in cookies: what pages are given and sent, over plain HTTP, as a browser would do it.

use std::{str::FromStr, time::Duration};

use countersign_client::LoginToken;
use futures_util::{SinkExt, StreamExt};
use harness::{Database, Person, World, on_both_databases};
use reqwest::{Response, StatusCode, header};
use serde_json::{Value, json};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{self, Message, client::IntoClientRequest, http::HeaderValue},
};

const STATUS: &str = "sequence state nextStep session { token deviceToken user { email } }";

/// A page in a browser: where it came from, and what the browser keeps for it.
struct Page<'a> {
    world: &'a World,
    origin: String,
    cookie: Option<String>,
}

impl<'a> Page<'a> {
    fn at(world: &'a World, origin: &str) -> Self {
        Self { world, origin: origin.to_owned(), cookie: None }
    }

    /// One that the service itself has served.
    fn of(world: &'a World) -> Self {
        Self::at(world, world.service_address())
    }

    async fn send(&self, query: &str, variables: &Value) -> Response {
        let request = self.world.http.post(format!("{}/graphql", self.world.service_address()));
        let request = request.json(&json!({ "query": query, "variables": variables }));
        let request = request.header(header::ORIGIN, &self.origin);
        let request = match &self.cookie {
            Some(cookie) => request.header(header::COOKIE, cookie),
            None => request,
        };
        request.send().await.unwrap()
    }

    /// Asks, and keeps the cookie that comes with the answer.
    async fn ask(&mut self, query: &str, variables: Value) -> Value {
        let answer = self.send(query, &variables).await;
        if let Some(cookie) = set_cookie(&answer) {
            if !token_in(&cookie).is_empty() {
                self.world.planted.plant("session token", token_in(&cookie));
            }
            self.cookie = Some(cookie.split(';').next().unwrap().to_owned());
        }
        let answer: Value = answer.json().await.unwrap();
        assert_eq!(answer.get("errors"), None, "{answer}");
        answer["data"].clone()
    }

    async fn read(&mut self, token: &LoginToken) -> Value {
        let query = format!("query($t: String!) {{ loginStatus(loginToken: $t) {{ {STATUS} }} }}");
        self.ask(&query, json!({ "t": token.reveal() })).await["loginStatus"].take()
    }

    /// The email of whoever is signed in.
    async fn me(&mut self) -> Value {
        self.ask("{ me { email } }", json!({})).await["me"]["email"].take()
    }

    /// Begins a login, and returns its token and its match number.
    async fn begin(&mut self, person: &Person) -> (LoginToken, String) {
        let query = "mutation($i: LoginInput!) { login(input: $i) { loginToken status { matchNumber } } }";
        let input = json!({ "email": person.email, "password": person.password });
        let begun = self.ask(query, json!({ "i": input })).await["login"].take();
        let token = begun["loginToken"].as_str().unwrap();
        self.world.planted.plant("login token", token);
        (LoginToken::new(token), begun["status"]["matchNumber"].as_str().unwrap().to_owned())
    }

    /// Begins a login that the phone approves, and of which the service knows.
    async fn approved_login(&mut self, person: &Person) -> LoginToken {
        let (token, number) = self.begin(person).await;
        let push = approve(self.world, person, &number).await;
        assert_eq!(self.world.answer_to_callback(&push).await, 200);
        token
    }

    /// Begins a login, has it approved on the phone, and reads how it stands.
    async fn log_in(&mut self, person: &Person) -> Value {
        let token = self.approved_login(person).await;
        self.read(&token).await
    }

    async fn socket(&self) -> Result<Socket, tungstenite::Error> {
        let url = format!("{}/graphql", self.world.service_address().replacen("http", "ws", 1));
        let mut request = url.into_client_request().unwrap();
        let headers = request.headers_mut();
        headers.insert("sec-websocket-protocol", HeaderValue::from_static("graphql-transport-ws"));
        headers.insert(header::ORIGIN, HeaderValue::from_str(&self.origin).unwrap());
        if let Some(cookie) = &self.cookie {
            headers.insert(header::COOKIE, HeaderValue::from_str(cookie).unwrap());
        }
        let mut socket = Socket(Box::pin(connect_async(request)).await?.0);
        socket.say(json!({ "type": "connection_init" })).await;
        assert_eq!(socket.hear().await, json!({ "type": "connection_ack" }));
        Ok(socket)
    }
}

struct Socket(WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>);

impl Socket {
    async fn say(&mut self, message: Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    async fn subscribe(&mut self, query: &str) {
        self.say(json!({ "type": "subscribe", "id": "1", "payload": { "query": query } })).await;
    }

    async fn hear(&mut self) -> Value {
        loop {
            match self.0.next().await.unwrap().unwrap() {
                Message::Text(text) => return Value::from_str(&text).unwrap(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// The code with which the service closes it.
    async fn close_code(mut self) -> u16 {
        loop {
            if let Message::Close(Some(frame)) = self.0.next().await.unwrap().unwrap() {
                return frame.code.into();
            }
        }
    }
}

/// The name that `dev` gives its cookie: with its port.
fn cookie_name(world: &World) -> String {
    let port = world.service_address().rsplit(':').next().unwrap();
    format!("__Host-countersign_session_{port}")
}

/// The one cookie that an answer sets.
fn set_cookie(answer: &Response) -> Option<String> {
    let mut cookies = answer.headers().get_all(header::SET_COOKIE).iter();
    let cookie = cookies.next().map(|cookie| cookie.to_str().unwrap().to_owned());
    assert_eq!(cookies.next(), None);
    cookie
}

fn token_in(cookie: &str) -> &str {
    cookie.split(['=', ';']).nth(1).unwrap()
}

/// A world with a user in it. They sign up while a program is still told the token.
async fn world(database: Database, transport: &str) -> (World, Person) {
    let (mut world, person) = (World::builder(database).spawned().start().await, Person::new());
    world.sign_up(&person).await;
    world.change("SESSION_TRANSPORT", transport);
    world.terminate_service().await;
    world.start_service().await;
    (world, person)
}

/// A finger on Approve, on the push with this number. Returns its id.
async fn approve(world: &World, person: &Person, match_number: &str) -> String {
    let device = world.device(person).await;
    let uuid = &device.pending_request(match_number).unwrap().uuid;
    world.phone.approve(uuid).await.unwrap();
    uuid.clone()
}

/// What is told of a login to somebody who sends its token from no page: by each operation that shows a status. With it, the
/// cookie that came along.
async fn told_elsewhere(world: &World, token: &LoginToken) -> Vec<(Value, Option<String>)> {
    let variables = json!({ "t": token.reveal() });
    let mut told = Vec::new();
    for (field, query) in [
        ("loginStatus", format!("query($t: String!) {{ loginStatus(loginToken: $t) {{ {STATUS} }} }}")),
        (
            "cancelLogin",
            format!(
                "mutation($t: String!) {{ cancelLogin(input: {{ loginToken: $t }}) {{ status {{ {STATUS} }} }} }}"
            ),
        ),
        (
            "verifyToken",
            format!(
                "mutation($t: String!) {{ verifyToken(input: {{ loginToken: $t, code: \"0000000\" }})
                   {{ status {{ {STATUS} }} }} }}"
            ),
        ),
    ] {
        let request = world.http.post(format!("{}/graphql", world.service_address()));
        let answer = request.json(&json!({ "query": query, "variables": variables })).send().await.unwrap();
        let cookie = set_cookie(&answer);
        let mut answer: Value = answer.json().await.unwrap();
        let mut status = answer["data"][field].take();
        if field != "loginStatus" {
            status = status["status"].take();
        }
        told.push((status, cookie));
    }
    told
}

async fn a_page_is_signed_in_by_a_cookie_and_sees_no_token(database: Database) {
    let (world, person) = world(database, "cookie").await;
    let mut page = Page::of(&world);
    assert_eq!(page.me().await, Value::Null);
    let status = page.log_in(&person).await;
    assert_eq!(
        (&status["state"], &status["session"]["token"]),
        (&json!("APPROVED"), &Value::Null),
        "{status}"
    );
    assert_eq!(status["session"]["user"]["email"], person.email);
    assert_eq!(page.me().await, person.email);
    let cookie = page.cookie.clone();
    let socket = page.socket().await.unwrap();
    let logged_out = page.ask("mutation { logout { loggedOut } }", json!({})).await;
    assert_eq!(logged_out["logout"]["loggedOut"], true);
    assert_eq!(socket.close_code().await, 4401);
    assert_eq!(page.cookie, Some(format!("{}=", cookie_name(&world))));
    page.cookie = cookie;
    assert_eq!(page.me().await, Value::Null);
}

async fn the_cookie_is_for_this_host_by_https_and_out_of_reach_of_scripts(database: Database) {
    let (world, person) = world(database, "cookie").await;
    let token = Page::of(&world).approved_login(&person).await;
    let variables = json!({ "t": token.reveal() });
    // Also where the session itself is not asked for.
    let query = "query($t: String!) { loginStatus(loginToken: $t) { state } }";
    let mut cookies = Vec::new();
    for _ in 0..2 {
        let answer = Page::of(&world).send(query, &variables).await;
        assert_eq!(answer.headers()[header::CACHE_CONTROL], "no-store");
        cookies.push(set_cookie(&answer).unwrap());
    }
    world.planted.plant("session token", token_in(&cookies[0]));
    let (token, attributes) = cookies[0].split_once("; ").unwrap();
    assert_eq!(token.split_once('=').unwrap().0, cookie_name(&world));
    assert_eq!(token.len(), cookie_name(&world).len() + 1 + 43);
    let (attributes, max_age) = attributes.split_once("; Max-Age=").unwrap();
    assert_eq!(attributes, "HttpOnly; SameSite=Lax; Secure; Path=/");
    let seconds: i64 = max_age.parse().unwrap();
    assert!((43_000..=43_200).contains(&seconds), "{seconds}");
    // Whoever asks again is given the same session.
    assert_eq!(token_in(&cookies[1]), token_in(&cookies[0]));
}

async fn a_right_code_sets_the_cookie_too(database: Database) {
    let (world, person) = world(database, "cookie").await;
    let begun = world.begin_login(&person).await;
    world.client.resend_token(&begun.login_token, None).await.unwrap().into_result().unwrap();
    let code = world.sms_code(&person).await;
    let mut page = Page::of(&world);
    let query =
        format!("mutation($i: VerifyTokenInput!) {{ verifyToken(input: $i) {{ status {{ {STATUS} }} }} }}");
    let input = json!({ "loginToken": begun.login_token.reveal(), "code": code });
    let answer = page.ask(&query, json!({ "i": input })).await;
    let session = &answer["verifyToken"]["status"]["session"];
    assert_eq!((&session["token"], &session["user"]["email"]), (&Value::Null, &json!(person.email)));
    assert_eq!(page.me().await, person.email);
}

async fn a_socket_tells_of_the_approval_and_keeps_the_token_to_itself(database: Database) {
    let (world, person) = world(database, "both").await;
    let mut page = Page::of(&world);
    let (token, number) = page.begin(&person).await;
    let mut socket = page.socket().await.unwrap();
    let text = token.reveal();
    socket.subscribe(&format!("subscription {{ loginStatus(loginToken: \"{text}\") {{ {STATUS} }} }}")).await;
    let told = |message: &Value| message["payload"]["data"]["loginStatus"].clone();
    assert_eq!(told(&socket.hear().await)["state"], "PENDING");
    approve(&world, &person, &number).await;
    let status = told(&socket.hear().await);
    assert_eq!(
        (&status["state"], &status["session"]["token"]),
        (&json!("APPROVED"), &Value::Null),
        "{status}"
    );
    assert_eq!(status["session"]["user"]["email"], person.email);
    assert_eq!(page.me().await, Value::Null);
    assert_eq!(page.read(&token).await["session"]["token"], Value::Null);
    assert_eq!(page.me().await, person.email);
}

async fn who_has_the_login_token_of_a_page_is_given_no_bearer_and_soon_nothing(database: Database) {
    let (world, person) = (World::new(database).await, Person::new());
    world.sign_up(&person).await;
    let mut page = Page::of(&world);
    let token = page.approved_login(&person).await;
    // Stolen, before the page has its session, and after.
    for _ in 0..2 {
        for (status, cookie) in &told_elsewhere(&world, &token).await {
            assert_eq!((&status["state"], cookie), (&json!("APPROVED"), &None));
            assert_eq!(status["session"]["token"], Value::Null, "{status}");
        }
        let told = world.watch(&token).next().await.unwrap().unwrap_err();
        assert!(matches!(told, countersign_client::WatchError::TokenWithheld(_)), "{told}");
        assert_eq!(page.read(&token).await["session"]["token"], Value::Null);
    }
    let given = page.cookie.clone();
    assert_eq!(page.me().await, person.email);
    // The answer may have been lost: for two minutes the page is given the same cookie again.
    world.advance(Duration::from_secs(119)).await;
    page.cookie = None;
    page.read(&token).await;
    assert_eq!(page.cookie, given);
    world.advance(Duration::from_secs(1)).await;
    assert_eq!(page.read(&token).await, Value::Null);
    for (status, cookie) in &told_elsewhere(&world, &token).await {
        assert_eq!((status, cookie), (&Value::Null, &None));
    }
    assert_eq!(page.me().await, person.email, "the session goes on");
}

async fn a_bearer_is_given_again_for_two_minutes_however_it_was_read_first(database: Database) {
    let (world, person) = (World::new(database).await, Person::new());
    world.sign_up(&person).await;
    for over_socket in [true, false] {
        let begun = world.begin_login(&person).await;
        let push = world.push(&person, &begun.status).await.uuid;
        world.phone.approve(&push).await.unwrap();
        assert_eq!(world.answer_to_callback(&push).await, 200);
        let token = &begun.login_token;
        // Reading how it stands delivers nothing, and takes nothing away.
        let query = "query($t: String!) { loginStatus(loginToken: $t) { state session { deviceToken } } }";
        let mut program = Page::at(&world, "http://localhost:5173");
        program.ask(query, json!({ "t": token.reveal() })).await;
        world.advance(Duration::from_secs(200)).await;
        let read = async || world.client.login_status(token).await.unwrap();
        let first =
            if over_socket { world.session(token).await } else { read().await.unwrap().session.unwrap() };
        world.planted.plant("session token", first.token.reveal());
        world.advance(Duration::from_secs(119)).await;
        assert_eq!(read().await.unwrap().session.as_ref(), Some(&first));
        world.advance(Duration::from_secs(1)).await;
        assert_eq!(read().await, None);
        assert_eq!(world.client.with_bearer(first.token).me().await.unwrap().unwrap().email, person.email);
    }
}

async fn a_page_of_our_own_is_given_no_cookie_for_the_login_of_a_program(database: Database) {
    let (world, person) = (World::new(database).await, Person::new());
    world.sign_up(&person).await;
    let begun = world.begin_login(&person).await;
    world.approve(&person, &begun.status).await;
    let session = world.session(&begun.login_token).await;
    let mut page = Page::of(&world);
    let status = page.read(&begun.login_token).await;
    assert_eq!((&status["session"]["token"], &page.cookie), (&json!(session.token.reveal()), &None));
}

async fn a_foreign_page_is_turned_away_before_anything_is_done(database: Database) {
    let (world, person) = world(database, "cookie").await;
    turned_away(&world, &person).await;
}

async fn so_it_is_where_only_our_own_pages_keep_cookies(database: Database) {
    let (world, person) = world(database, "both").await;
    turned_away(&world, &person).await;
}

async fn turned_away(world: &World, person: &Person) {
    let mut page = Page::of(world);
    page.log_in(person).await;
    for origin in ["https://attacker.example.net", "null", "https://127.0.0.1.nip.io"] {
        let foreign = Page { world, origin: origin.to_owned(), cookie: page.cookie.clone() };
        let answer = foreign.send("mutation { logout { loggedOut } }", &json!({})).await;
        assert_eq!((answer.status(), set_cookie(&answer)), (StatusCode::FORBIDDEN, None), "{origin}");
        assert!(answer.text().await.unwrap().contains("ORIGIN_NOT_ALLOWED"));
        let Err(tungstenite::Error::Http(refused)) = foreign.socket().await else { panic!("{origin}") };
        assert_eq!(refused.status().as_u16(), 403);
    }
    assert_eq!(page.me().await, person.email);
}

async fn a_program_is_given_the_token_where_only_our_own_pages_keep_cookies(database: Database) {
    let (world, person) = world(database, "both").await;
    let mut page = Page::of(&world);
    page.log_in(&person).await;
    // A page that a developer serves on this machine keeps its token itself, and a cookie is none of its own.
    let mut other = Page::at(&world, "http://localhost:5173");
    let status = other.log_in(&person).await;
    assert_eq!(status["session"]["token"].as_str().unwrap().len(), 43);
    world.planted.plant("session token", status["session"]["token"].as_str().unwrap());
    assert_eq!(other.cookie, None);
    other.cookie.clone_from(&page.cookie);
    assert_eq!(other.me().await, Value::Null);
}

async fn where_sessions_are_bearers_no_cookie_is_set_and_none_counts(database: Database) {
    let (world, person) = world(database, "bearer").await;
    let mut page = Page::of(&world);
    let status = page.log_in(&person).await;
    let token = status["session"]["token"].as_str().unwrap();
    world.planted.plant("session token", token);
    assert_eq!(page.cookie, None);
    page.cookie = Some(format!("{}={token}", cookie_name(&world)));
    assert_eq!(page.me().await, Value::Null);
}

async fn a_program_without_a_cookie_jar_is_told_why_it_has_no_token(database: Database) {
    let (world, person) = world(database, "cookie").await;
    let token = Page::of(&world).approved_login(&person).await;
    let error = world.client.wait_for_phone(&token).await.unwrap_err();
    assert!(matches!(error, countersign_client::WatchError::TokenWithheld(_)), "{error}");
    let error = world.client.login_status(&token).await.unwrap_err();
    assert!(error.to_string().contains("SESSION_TRANSPORT"), "{error}");
}

#[tokio::test]
async fn serve_shows_pages_where_it_is_asked_to_and_their_cookies_come_with_them() {
    for (pages, status) in [("true", 200), ("false", 404)] {
        let world = World::builder(Database::Sqlite).split().set("PAGES", pages).start().await;
        let page = world.http.get(world.service_address()).send().await.unwrap();
        assert_eq!(page.status().as_u16(), status);
        if pages == "true" {
            let text = page.text().await.unwrap();
            assert!(!text.contains(r#"<meta name="phone""#), "there is no phone to lead to");
            let person = Person::new();
            world.sign_up(&person).await;
            let mut page = Page::of(&world);
            assert_eq!(page.log_in(&person).await["session"]["token"], Value::Null);
            assert_eq!(page.me().await, person.email);
        }
    }
}

on_both_databases! {
    a_page_is_signed_in_by_a_cookie_and_sees_no_token,
    the_cookie_is_for_this_host_by_https_and_out_of_reach_of_scripts,
    a_right_code_sets_the_cookie_too,
    a_socket_tells_of_the_approval_and_keeps_the_token_to_itself,
    who_has_the_login_token_of_a_page_is_given_no_bearer_and_soon_nothing,
    a_bearer_is_given_again_for_two_minutes_however_it_was_read_first,
    a_page_of_our_own_is_given_no_cookie_for_the_login_of_a_program,
    a_foreign_page_is_turned_away_before_anything_is_done,
    so_it_is_where_only_our_own_pages_keep_cookies,
    a_program_is_given_the_token_where_only_our_own_pages_keep_cookies,
    where_sessions_are_bearers_no_cookie_is_set_and_none_counts,
    a_program_without_a_cookie_jar_is_told_why_it_has_no_token,
}
