//! Where a story plays, whoever serves it: a client, phones, a folder with logs, and what people do.
//!
//! A [`World`](crate::World) and a [`Fleet`](crate::Fleet) are scenes with processes. When a scene ends, everything
//! secret that it has seen is searched for in what its processes have logged.

use std::{fs, io::Write, net::IpAddr, path::Path, time::Duration};

use client_example::phone::{ApprovalRequest, Device, Phone};
use countersign_client::{
    Begun, Client, DeviceToken, LoginFailure, LoginPurpose, LoginState, LoginStatus, LoginToken,
    SensitiveOperation, Session, Watch,
};
use futures_util::StreamExt;
use reqwest::header::HeaderName;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{Database, Person, Planted, captured::Place, settings::API_KEY};

const FORWARDED_FOR: &str = "x-forwarded-for";

/// A service and a sandbox as people see them.
#[derive(Debug)]
pub struct Scene {
    /// A client of the service, with nobody signed in.
    pub client: Client,
    /// The sandbox's phones and levers.
    pub phone: Phone,
    /// What must not be logged.
    pub planted: Planted,
    /// Plain HTTP, for what a typed client never does.
    pub http: reqwest::Client,
    folder: TempDir,
    service_address: String,
    sandbox_address: String,
    callback_url: String,
    is_key_known: bool,
    /// Where the shared log stood at the start, for a service in this process.
    shared_log: Option<Place>,
    /// It ends after the processes, which its owner holds.
    database: Database,
}

impl Scene {
    pub(crate) fn new(folder: TempDir, database: Database, service: String, sandbox: String) -> Self {
        let planted = Planted::default();
        if let Database::Postgres(database) = &database
            && let Some(password) = database.password()
        {
            planted.plant("password of the database", password);
        }
        Self {
            client: client(&service),
            phone: Phone::new(&sandbox).unwrap(),
            planted,
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            folder,
            callback_url: format!("{service}/authy/callback"),
            service_address: service,
            sandbox_address: sandbox,
            is_key_known: false,
            shared_log: None,
            database,
        }
    }

    /// The sandbox is a process of its own: its key is known, and must not be logged.
    pub(crate) fn know_key(&mut self) {
        self.is_key_known = true;
        self.planted.plant("provider key", API_KEY);
    }

    /// A service in this process logs into the shared log too: what stands there from this place on is searched in the end.
    pub(crate) fn search_from(&mut self, place: Place) {
        self.shared_log = Some(place);
    }

    /// The sandbox calls back somewhere else than at the service's address.
    pub(crate) fn call_back_at(&mut self, url: String) {
        self.callback_url = url;
    }

    /// Begins a transaction in its database with this statement, and holds its locks until it is dropped.
    pub async fn hold(&self, statement: &str) -> throwaway::Held {
        match &self.database {
            Database::Sqlite => panic!("SQLite has no locks of rows"),
            Database::Postgres(database) => database.hold(statement).await,
        }
    }

    /// A client whose HTTP requests come from this address, as a proxy on this machine tells it: `TRUSTED_PROXIES` has to
    /// name that.
    pub fn client_from(&self, address: IpAddr) -> Client {
        let told = address.to_string().parse().unwrap();
        let headers = [(HeaderName::from_static(FORWARDED_FOR), told)].into_iter().collect();
        let http = reqwest::Client::builder().no_proxy().default_headers(headers).build().unwrap();
        Client::builder(&self.service_address).timeout(Duration::from_mins(1)).http(http).build().unwrap()
    }

    /// What the service answers to an operation that comes from this address, and the id of the request. For crowds: all
    /// come over the same few connections.
    pub async fn ask_from(&self, address: IpAddr, query: &str, variables: &Value) -> (Value, String) {
        let request = self
            .http
            .post(format!("{}/graphql", self.service_address))
            .header(FORWARDED_FOR, address.to_string())
            .json(&json!({ "query": query, "variables": variables }));
        let answer = request.send().await.unwrap();
        let request_id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
        (answer.json().await.unwrap(), request_id)
    }

    /// Where the service is: `http://127.0.0.1:…`.
    #[must_use]
    pub fn service_address(&self) -> &str {
        &self.service_address
    }

    /// Where the sandbox is: `http://127.0.0.1:…`.
    #[must_use]
    pub fn sandbox_address(&self) -> &str {
        &self.sandbox_address
    }

    /// Where the sandbox calls back.
    #[must_use]
    pub fn callback_url(&self) -> &str {
        &self.callback_url
    }

    /// The key that the sandbox signs with, where it is a process of its own.
    #[must_use]
    pub fn api_key(&self) -> &'static str {
        assert!(self.is_key_known, "the key of `dev` is drawn at random");
        API_KEY
    }

    /// The folder that its processes work in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Moves the clock of service and sandbox, where they share one.
    pub async fn advance(&self, by: Duration) {
        self.phone.advance_clock(by).await.unwrap();
    }

    /// Begins a signup.
    pub async fn begin_signup(&self, person: &Person) -> Begun {
        self.plant(person);
        let begun = self.client.signup(person.signup()).await.unwrap().into_result().unwrap();
        self.planted.plant("login token", begun.login_token.reveal());
        begun
    }

    /// Signs somebody up, their finger included.
    pub async fn sign_up(&self, person: &Person) -> Session {
        let begun = self.begin_signup(person).await;
        self.approve(person, &begun.status).await;
        self.session(&begun.login_token).await
    }

    /// Begins a login of a user.
    pub async fn begin_login(&self, person: &Person) -> Begun {
        let begun = self.client.login(person.login()).await.unwrap().into_result().unwrap();
        self.planted.plant("login token", begun.login_token.reveal());
        begun
    }

    /// Begins a login of a user in a browser where they have signed in before.
    pub async fn begin_login_from(&self, person: &Person, device: &DeviceToken) -> Begun {
        let begun = self.client.login(person.login_from(device)).await.unwrap().into_result().unwrap();
        self.planted.plant("login token", begun.login_token.reveal());
        begun
    }

    /// Logs a user in, the finger included.
    pub async fn log_in(&self, person: &Person) -> Session {
        let begun = self.begin_login(person).await;
        self.approve(person, &begun.status).await;
        self.session(&begun.login_token).await
    }

    /// Starts the confirmation of an operation in the session of this client.
    pub async fn begin_confirmation(
        &self,
        client: &Client,
        person: &Person,
        operation: SensitiveOperation,
    ) -> Begun {
        let begun = client.confirm(operation, Some(&person.password)).await.unwrap().into_result().unwrap();
        self.planted.plant("login token", begun.login_token.reveal());
        begun
    }

    /// Confirms an operation in the session of this client, the finger included.
    /// Returns the login token of the confirmation.
    pub async fn confirm(
        &self,
        client: &Client,
        person: &Person,
        operation: SensitiveOperation,
    ) -> LoginToken {
        let begun = self.begin_confirmation(client, person, operation).await;
        self.approve(person, &begun.status).await;
        let status = self.wait_for_state(&begun.login_token, LoginState::Approved).await;
        assert_eq!((status.purpose, status.session), (LoginPurpose::Confirm, None));
        begun.login_token
    }

    /// Watches a login.
    pub fn watch(&self, token: &LoginToken) -> Watch {
        self.client.watch(token)
    }

    /// Waits for a status that satisfies the condition.
    pub async fn wait_for(&self, token: &LoginToken, is_it: impl Fn(&LoginStatus) -> bool) -> LoginStatus {
        let mut watch = self.watch(token);
        while let Some(status) = watch.next().await {
            let status = status.unwrap();
            if is_it(&status) {
                return status;
            }
        }
        panic!("the login was over before it came to that");
    }

    /// Waits for a state.
    pub async fn wait_for_state(&self, token: &LoginToken, state: LoginState) -> LoginStatus {
        self.wait_for(token, |status| status.state == state).await
    }

    /// Waits until the phone has denied a login, whether a code may follow or not.
    pub async fn wait_for_denial(&self, token: &LoginToken) -> LoginStatus {
        let is_denied = |status: &LoginStatus| {
            status.state == LoginState::Denied || status.failure == Some(LoginFailure::Denied)
        };
        self.wait_for(token, is_denied).await
    }

    /// Waits until a login is approved, and returns its session.
    pub async fn session(&self, token: &LoginToken) -> Session {
        let status = self.wait_for_state(token, LoginState::Approved).await;
        let session = status.session.unwrap();
        self.planted.plant("session token", session.token.reveal());
        self.planted.plant("device token", session.device_token.reveal());
        session
    }

    /// Somebody's phone, found by its number: an email may have been typed for several.
    pub async fn device(&self, person: &Person) -> Device {
        let digits: String = person.phone.chars().filter(char::is_ascii_digit).collect();
        let national = &digits[digits.len() - 10..];
        let devices = self.phone.devices().await.unwrap();
        let found = devices.iter().find(|device| device.phone.ends_with(national)).unwrap();
        self.phone.device(found.authy_id).await.unwrap().unwrap()
    }

    /// The push of a login on somebody's phone, found by its number.
    pub async fn push(&self, person: &Person, status: &LoginStatus) -> ApprovalRequest {
        let number = status.match_number.as_deref().unwrap();
        self.device(person).await.pending_request(number).unwrap().clone()
    }

    /// A finger on Approve.
    pub async fn approve(&self, person: &Person, status: &LoginStatus) {
        let push = self.push(person, status).await;
        self.phone.approve(&push.uuid).await.unwrap();
    }

    /// A finger on Deny.
    pub async fn deny(&self, person: &Person, status: &LoginStatus) {
        let push = self.push(person, status).await;
        self.phone.deny(&push.uuid).await.unwrap();
    }

    /// Waits until a callback about this push is answered, and returns the HTTP status of the answer.
    pub async fn answer_to_callback(&self, uuid: &str) -> u16 {
        loop {
            let deliveries = self.phone.callback().await.unwrap().deliveries;
            let of_push = deliveries.iter().find(|delivery| delivery.uuid == uuid);
            if let Some(status) = of_push.and_then(|delivery| delivery.status) {
                return status;
            }
            tokio::task::yield_now().await;
        }
    }

    /// The newest code that was sent to somebody.
    pub async fn sms_code(&self, person: &Person) -> String {
        let device = self.device(person).await;
        let code = device.newest_sms_code().unwrap().to_owned();
        self.planted.plant("code", &code);
        code
    }

    /// Remembers what somebody wants to be kept out of logs.
    pub fn plant(&self, person: &Person) {
        self.planted.plant("email", &person.email);
        self.planted.plant("password", &person.password);
        self.planted.plant("phone", &person.phone);
    }

    /// What all its processes have logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        let files = fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let logs = files.filter(|path| path.extension().is_some_and(|extension| extension == "log"));
        logs.map(|path| fs::read_to_string(path).unwrap()).collect()
    }
}

/// A client of the service at an address, more patient than a person: tests run many at once.
pub(crate) fn client(address: &str) -> Client {
    Client::builder(address).timeout(Duration::from_mins(1)).build().unwrap()
}

impl Drop for Scene {
    fn drop(&mut self) {
        let log = self.log() + &self.shared_log.map(Place::read_on).unwrap_or_default();
        if std::thread::panicking() {
            let _ = writeln!(std::io::stderr(), "what was logged:\n{log}");
            return;
        }
        assert!(log.contains("TRACE") || log.contains("DEBUG"), "the log is not as detailed as it was to be");
        let found = self.planted.search(&log);
        assert!(found.is_empty(), "secrets stand in the log: {found:?}");
        assert!(!log.contains("panic"), "something panicked:\n{log}");
    }
}
