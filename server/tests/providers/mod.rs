//! Several providers at once: which one an approval is sent by, checked by, called back by and polled by.
//!
//! The approvals are production's, over both databases. Beside Authy, which the sandbox emulates over HTTP, there is a tiny provider in
//! memory: what adding one takes.

#[cfg(feature = "sandbox")]
mod bound_codes;
mod fallback;
mod switched;
mod tiny;

use std::{error::Error, sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use clap::Parser;
use countersign::{
    approvals::{
        ApprovalDependencies, ApprovalStatus, Approvals, Consequence, PushText, StartError, StartRequest,
        VerifyError,
    },
    clock::Clock,
    config::{self, Arguments, Settings, Task},
    events::{Events, Transport},
    limits::Limits,
    model::{DeliveryMethod, LoginToken, PendingSignup, SessionSalt, User},
    provider::{
        Provider, Providers,
        guarded::{GuardedProvider, SharedPauses},
    },
    random,
};

use crate::storage::{Database, grant, on_both_databases, signup};

/// One instance with these providers, over that database.
fn instance(database: &Database, clock: &Clock, providers: Vec<Box<dyn Provider>>) -> Approvals {
    let settings = settings();
    let (store, clock) = (database.store.clone(), clock.clone());
    let guarded = |provider| {
        GuardedProvider::new(provider, Arc::new(NoPauses), clock.clone(), settings.logins.provider_timeout)
    };
    let providers = Providers::new(providers.into_iter().map(guarded).collect());
    let (events, _) = Events::over(Transport::Database, &store);
    let limits = Limits::new(store.clone(), clock.clone(), settings.limits);
    Approvals::new(ApprovalDependencies { store, providers, clock, events, limits }, settings.logins)
}

/// The defaults, with limits that these stories do not reach.
fn settings() -> Settings {
    let line = "countersign serve --database-url sqlite:x --public-url https://x.example --authy-api-key key \
                --codes-per-unproven-phone 1000/1h --codes-per-unproven-phone-daily 1000/1h --codes-per-phone 1000/1h \
                --codes-per-phone-daily 1000/1h --codes-per-login 1000/1h --wrong-codes-per-unproven-phone 1000/1h \
                --wrong-codes-per-phone 1000/1h --wrong-codes-per-login 100 --codes-per-calling-code 1000/1h";
    let arguments = Arguments::try_parse_from(line.split_whitespace()).unwrap();
    match config::check(arguments).unwrap().task {
        Task::Serve(settings) => *settings,
        other => panic!("{other:?}"),
    }
}

/// Instances that share no pauses.
struct NoPauses;

#[async_trait]
impl SharedPauses for NoPauses {
    async fn extend(&self, _: &str, _: DateTime<Utc>) -> Result<(), Box<dyn Error + Send + Sync>> {
        Ok(())
    }

    async fn read(&self, _: &[&str]) -> Result<Vec<(String, DateTime<Utc>)>, Box<dyn Error + Send + Sync>> {
        Ok(Vec::new())
    }
}

/// Ada, whose phone is verified by a signup.
fn ada() -> PendingSignup {
    signup("ada@example.com", "2015550123")
}

/// Starts a signup.
async fn sign_up(
    approvals: &Approvals,
    signup: &PendingSignup,
) -> Result<(LoginToken, ApprovalStatus), StartError> {
    let (token, salt) = (LoginToken::from_bytes(random::bytes()), SessionSalt::from_bytes(random::bytes()));
    let consequence = Consequence::CreateUser(signup, grant(&token, &salt, DeliveryMethod::Bearer));
    let status = start(approvals, &token, consequence).await?;
    Ok((token, status))
}

/// Starts a login.
async fn log_in(approvals: &Approvals, user: &User) -> (LoginToken, ApprovalStatus) {
    let (token, salt) = (LoginToken::from_bytes(random::bytes()), SessionSalt::from_bytes(random::bytes()));
    let consequence = Consequence::OpenSession(user, grant(&token, &salt, DeliveryMethod::Bearer));
    let status = start(approvals, &token, consequence).await.unwrap();
    (token, status)
}

async fn start(
    approvals: &Approvals,
    token: &LoginToken,
    consequence: Consequence<'_>,
) -> Result<ApprovalStatus, StartError> {
    let push = PushText { message: "Log in?".to_owned(), details: Vec::new() };
    let request = StartRequest { token, consequence, device: None, address: None, push };
    Ok(approvals.start(&request, None).await?.status)
}

/// The name of the error with which a code was refused; `None` if it was right.
async fn refused(approvals: &Approvals, token: &LoginToken, code: &str) -> Option<&'static str> {
    approvals.verify_code(token, code, None).await.err().map(|error| match error {
        VerifyError::InvalidCode(_) => "invalid",
        VerifyError::CodeAlreadyUsed(_) => "used",
        VerifyError::NoCodeSent(_) => "no code sent",
        VerifyError::Unavailable(..) => "unavailable",
        VerifyError::LoginOver(_) => "over",
        other => panic!("{other:?}"),
    })
}

/// Past the pause between two codes.
const PAUSE: Duration = Duration::from_secs(31);

async fn without_a_provider_nothing_starts(database: &Database) {
    let approvals = instance(database, &Clock::system(), Vec::new());
    let refused = sign_up(&approvals, &ada()).await;
    assert!(matches!(refused, Err(StartError::Unavailable { retry_after: None })));
}

on_both_databases! {
    afterwards nothing_is_counted:
    without_a_provider_nothing_starts,
}
