//! One service, one sandbox, and what people do with them.

use std::{fs, io::Write, path::PathBuf, time::Duration};

use client_example::{
    Begun, Client, LoginState, LoginStatus, LoginToken, Session, Watch,
    phone::{ApprovalRequest, CallbackMethod, Device, Phone},
};
use futures_util::StreamExt;
use tempfile::TempDir;

use crate::{Person, Planted, Process, run};

const API_KEY: &str = "key-of-the-sandbox-0123456789abcdef";

/// How a world is to be.
#[derive(Debug)]
pub struct WorldBuilder {
    settings: Vec<(String, String)>,
    is_split: bool,
}

/// A service and a sandbox of one's own. What they logged is searched for secrets when it is dropped.
#[derive(Debug)]
pub struct World {
    /// A client of the service, with nobody signed in.
    pub client: Client,
    /// The sandbox's phones and levers.
    pub phone: Phone,
    /// What must not be logged.
    pub planted: Planted,
    folder: TempDir,
    settings: Vec<(String, String)>,
    service_address: String,
    sandbox_address: String,
    is_split: bool,
    service: Option<Process>,
    /// In a process of its own, where the world is split.
    sandbox: Option<Process>,
}

impl WorldBuilder {
    /// Changes a setting.
    #[must_use]
    pub fn set(mut self, variable: &str, value: &str) -> Self {
        self.settings.push((variable.to_owned(), value.to_owned()));
        self
    }

    /// Service and sandbox in processes of their own, so that the service alone can be killed: `serve` and `sandbox`.
    /// Their clock does not move.
    #[must_use]
    pub fn split(mut self) -> Self {
        self.is_split = true;
        self
    }

    /// Spawns it.
    pub async fn start(self) -> World {
        // Whoever comes first; reqwest wants one even for plain HTTP.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = TempDir::new().unwrap();
        let mut settings = vec![
            ("LOG_LEVEL".to_owned(), "trace".to_owned()),
            ("HASH_THREADS".to_owned(), "2".to_owned()),
            ("SHUTDOWN_DELAY".to_owned(), "0s".to_owned()),
        ];
        settings.extend(self.settings);
        if self.is_split {
            World::start_split(folder, settings).await
        } else {
            World::start_dev(folder, settings).await
        }
    }
}

impl World {
    /// A world with the default settings: `countersign dev`, whose clock moves.
    pub async fn new() -> Self {
        Self::builder().start().await
    }

    /// A world to be changed.
    #[must_use]
    pub fn builder() -> WorldBuilder {
        WorldBuilder { settings: Vec::new(), is_split: false }
    }

    async fn start_dev(folder: TempDir, settings: Vec<(String, String)>) -> Self {
        let mut settings = settings;
        let (service, sandbox) = (free_address(), free_address());
        settings
            .extend([("LISTEN".to_owned(), service.clone()), ("SANDBOX_LISTEN".to_owned(), sandbox.clone())]);
        let mut world =
            Self::around(folder, settings, format!("http://{service}"), format!("http://{sandbox}"));
        world.start_service().await;
        world
    }

    async fn start_split(folder: TempDir, mut settings: Vec<(String, String)>) -> Self {
        settings.push(("AUTHY_API_KEY".to_owned(), API_KEY.to_owned()));
        let mut of_sandbox = settings.clone();
        of_sandbox.push(("SANDBOX_LISTEN".to_owned(), "127.0.0.1:0".to_owned()));
        let log = folder.path().join("sandbox.log");
        let sandbox = Process::spawn(&["sandbox"], &of_sandbox, folder.path(), &log, 1).await;
        let database = format!("sqlite:{}", folder.path().join("test.db").display());
        settings.push(("DATABASE_URL".to_owned(), database.clone()));
        let migrated =
            run("server-under-test", &["migrate"], &[("DATABASE_URL", &database)], folder.path()).await;
        assert_eq!(migrated.code, Some(0), "{}", migrated.log);
        // The port must be known before it starts: the callback's address is a setting.
        let listen = free_address();
        let service = format!("http://{listen}");
        settings.extend([("LISTEN".to_owned(), listen), ("PUBLIC_URL".to_owned(), service.clone())]);
        // First, so that a scenario can say otherwise.
        settings.insert(0, ("AUTHY_API_URL".to_owned(), sandbox.address("sandbox").to_owned()));
        let address = sandbox.address("sandbox").to_owned();
        let mut world = Self::around(folder, settings, service, address);
        world.is_split = true;
        world.sandbox = Some(sandbox);
        world.start_service().await;
        let callback = world.callback_url();
        world.phone.set_callback(Some(&callback), CallbackMethod::Post).await.unwrap();
        world.planted.plant("provider key", API_KEY);
        world
    }

    fn around(folder: TempDir, settings: Vec<(String, String)>, service: String, sandbox: String) -> Self {
        Self {
            client: Client::builder(&service).timeout(Duration::from_mins(1)).build().unwrap(),
            phone: Phone::new(&sandbox).unwrap(),
            planted: Planted::default(),
            folder,
            settings,
            service_address: service,
            sandbox_address: sandbox,
            is_split: false,
            service: None,
            sandbox: None,
        }
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
    pub fn callback_url(&self) -> String {
        format!("{}/authy/callback", self.service_address)
    }

    /// The key that a split world's sandbox signs with.
    #[must_use]
    pub fn api_key(&self) -> &'static str {
        assert!(self.is_split, "the key of `dev` is drawn at random");
        API_KEY
    }

    /// The folder that its processes work in.
    #[must_use]
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// SIGKILL to the service (in a world that is not split: to the sandbox as well).
    pub async fn kill_service(&mut self) {
        self.service.take().unwrap().kill().await;
    }

    /// Starts the service again, where and as it was.
    pub async fn start_service(&mut self) {
        let (command, listeners) = if self.is_split { ("serve", 1) } else { ("dev", 2) };
        let log = self.folder.path().join("service.log");
        self.service =
            Some(Process::spawn(&[command], &self.settings, self.folder.path(), &log, listeners).await);
    }

    /// SIGTERM to the service. Returns its exit code.
    pub async fn terminate_service(&mut self) -> Option<i32> {
        self.service.take().unwrap().terminate().await
    }

    /// Moves the clock of both parts.
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

    /// Waits until a login is approved, and returns its session.
    pub async fn session(&self, token: &LoginToken) -> Session {
        let status = self.wait_for_state(token, LoginState::Approved).await;
        let session = status.session.unwrap();
        self.planted.plant("session token", session.token.reveal());
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
        ["service.log", "sandbox.log"]
            .map(|name| fs::read_to_string(self.log_file(name)).unwrap_or_default())
            .concat()
    }

    fn log_file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let log = self.log();
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

/// An address that is free now and stays so over a restart.
fn free_address() -> String {
    format!("127.0.0.1:{}", throwaway::free_port())
}
