//! Two approvals of one phone, on two instances, with codes that the sandbox's Authy sends: a code that was sent for one approves only
//! that one.

use std::collections::BTreeSet;

use countersign::{
    model::{SensitiveOperation, SessionId},
    outgoing::OutgoingProxy,
    provider::authy::{ApiKey, Authy, AuthyConfig},
};
use countersign_sandbox::{Sandbox, SandboxConfig};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use url::Url;

use super::*;

/// The service's clock, for the sandbox too.
struct Shared(Clock);

impl countersign_sandbox::Clock for Shared {
    fn now(&self) -> DateTime<Utc> {
        self.0.now()
    }

    fn advance(&self, by: Duration) -> bool {
        self.0.advance(by);
        true
    }
}

/// A sandbox, and two instances that use it.
struct TwoInstances {
    url: String,
    instances: [Approvals; 2],
    clock: Clock,
    shutdown: CancellationToken,
    tasks: TaskTracker,
}

impl TwoInstances {
    async fn start(database: &Database) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (clock, shutdown, tasks) = (Clock::system(), CancellationToken::new(), TaskTracker::new());
        let config =
            SandboxConfig { api_key: "key".to_owned(), callback_url: None, state_file: None, exposed: false };
        let sandbox = Sandbox::open(config, Arc::new(Shared(clock.clone()))).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tasks.spawn(sandbox.serve(listener, shutdown.clone()));
        let authy = || -> Box<dyn Provider> {
            let config = AuthyConfig {
                api_key: ApiKey::parse("key").unwrap(),
                api_url: Url::parse(&url).unwrap(),
                callback_url: "http://127.0.0.1/authy/callback".to_owned(),
                timeout: Duration::from_secs(10),
                proxy: OutgoingProxy::default(),
                logos: Vec::new(),
                enroll_new: true,
                bind_codes: true,
            };
            Box::new(Authy::new(config).unwrap())
        };
        let instances = [(); 2].map(|()| instance(database, &clock, vec![authy()]));
        Self { url, instances, clock, shutdown, tasks }
    }

    /// Takes the app off everybody's phone: codes come in messages only.
    async fn without_app(&self) {
        let client = reqwest::Client::builder().timeout(Duration::from_secs(10)).build().unwrap();
        let request = client.put(format!("{}/phone/defaults", self.url)).body(r#"{"onetouch":false}"#);
        let response = request.send().await.unwrap();
        assert!(response.status().is_success());
    }

    /// The code of the newest message to a phone.
    async fn newest_code(&self, phone: &str) -> String {
        let get = async |path: String| {
            let response = reqwest::get(format!("{}{path}", self.url)).await.unwrap();
            serde_json::from_str::<Value>(&response.text().await.unwrap()).unwrap()
        };
        let devices = get("/phone/devices".to_owned()).await;
        let devices = devices["devices"].as_array().unwrap();
        let device = devices.iter().find(|device| device["phone"] == phone).unwrap();
        let device = get(format!("/phone/devices/{}", device["authy_id"])).await;
        let messages = device["messages"].as_array().unwrap();
        let newest = messages.iter().max_by_key(|message| message["at"].as_str().unwrap().to_owned());
        newest.unwrap()["code"].as_str().unwrap().to_owned()
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// What happens next to one of two approvals, on one of two instances.
#[derive(Clone, Copy, Debug)]
enum Step {
    Resend { approval: usize, at: usize },
    Type { code: usize, approval: usize, at: usize },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let resend = (0..2_usize, 0..2_usize).prop_map(|(approval, at)| Step::Resend { approval, at });
    let typing = (0..8_usize, 0..2_usize, 0..2_usize).prop_map(|(code, approval, at)| Step::Type {
        code,
        approval,
        at,
    });
    proptest::collection::vec(prop_oneof![1 => resend, 2 => typing], 1..10)
}

/// Approvals of one phone, in both orders: a login, and the signup or the confirmation of whoever else has the phone.
fn purposes() -> impl Strategy<Value = (usize, usize)> {
    (0..3_usize, 0..3_usize)
}

/// Starts one with that purpose, for a new account or the one that has the phone.
async fn begin(two: &TwoInstances, purpose: usize, (user, session): (&User, SessionId)) -> LoginToken {
    let approvals = &two.instances[purpose % 2];
    match purpose {
        0 => {
            let email = format!("{}@example.com", u64::from_le_bytes(random::bytes()));
            let other = PendingSignup { phone: user.phone.clone(), ..signup(&email, "2015550123") };
            sign_up(approvals, &other).await.unwrap().0
        }
        1 => log_in(approvals, user).await.0,
        _ => {
            let token = LoginToken::from_bytes(random::bytes());
            let operation = SensitiveOperation::ChangePassword;
            let consequence = Consequence::AllowOperation(user, session, operation);
            start(approvals, &token, consequence).await.unwrap();
            token
        }
    }
}

/// The person's own account, whose phone is verified.
async fn owner(two: &TwoInstances, number: u32) -> (User, SessionId) {
    let (email, phone) = (format!("owner-{number}@example.com"), format!("201555{number:04}"));
    let (token, _) = sign_up(&two.instances[0], &signup(&email, &phone)).await.unwrap();
    let code = two.newest_code(&format!("+1201555{number:04}")).await;
    assert_eq!(refused(&two.instances[0], &token, &code).await, None);
    let opened = two.instances[0].find_status(&token).await.unwrap().unwrap().opened.unwrap();
    (opened.user, opened.session.id)
}

/// Goes through the steps, and fails where a code approves what it was not sent for, or fails to approve what it was sent for.
async fn check(two: &TwoInstances, number: u32, purposes: (usize, usize), steps: &[Step]) {
    let (user, session) = owner(two, number).await;
    let phone = user.phone.e164().to_owned();
    let (mut tokens, mut sent, mut right) = (Vec::new(), Vec::new(), BTreeSet::new());
    let mut is_open = [true; 2];
    for purpose in [purposes.0, purposes.1] {
        two.clock.advance(PAUSE);
        tokens.push(begin(two, purpose, (&user, session)).await);
        sent.push((tokens.len() - 1, two.newest_code(&phone).await));
    }
    for &step in steps {
        two.clock.advance(PAUSE);
        match step {
            Step::Resend { approval, at } if is_open[approval] => {
                two.instances[at].resend_code(&tokens[approval], None).await.unwrap();
                sent.push((approval, two.newest_code(&phone).await));
            }
            Step::Type { code, approval, at } if is_open[approval] => {
                let code = &sent[code % sent.len()].1;
                let is_own = sent.iter().any(|(of, own)| *of == approval && own == code);
                let is_right = is_own && right.insert(code.clone());
                let refusal = refused(&two.instances[at], &tokens[approval], code).await;
                assert_eq!(refusal.is_none(), is_right, "{refusal:?} to {step:?}");
                is_open[approval] = !is_right;
            }
            _ => {}
        }
    }
}

async fn a_code_that_was_sent_for_one_approval_approves_only_that_one(database: &Database) {
    let two = TwoInstances::start(database).await;
    two.without_app().await;
    let mut runner = TestRunner::new(Config { cases: 24, failure_persistence: None, ..Config::default() });
    let number = std::cell::Cell::new(1_000);
    let runtime = tokio::runtime::Handle::current();
    let outcome = tokio::task::block_in_place(|| {
        runner.run(&(purposes(), steps()), |(purposes, steps)| {
            number.set(number.get() + 1);
            let checked = std::panic::AssertUnwindSafe(|| {
                runtime.block_on(check(&two, number.get(), purposes, &steps));
            });
            std::panic::catch_unwind(checked).map_err(|panic| {
                let message = panic.downcast_ref::<String>().cloned().unwrap_or_default();
                TestCaseError::fail(message)
            })
        })
    });
    two.stop().await;
    outcome.unwrap();
}

on_both_databases! {
    afterwards every_query_used_an_index:
    a_code_that_was_sent_for_one_approval_approves_only_that_one,
}
