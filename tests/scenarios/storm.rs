//! Five hundred logins over three instances while everything that can break does, in turn: nothing is lost, and nobody
//! gets in without an approval.

use std::{
    collections::HashSet,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use client_example::phone::{CallbackFaults, Faults};
use countersign_client::{Begun, CodeChannel, LoginState, LoginStatus, SensitiveOperation, Session};
use futures_util::{StreamExt, future::join_all, stream};
use harness::{Database, Fleet, Person, report, require};
use throwaway::{Cluster, Nats};
use tokio::{sync::watch, time::sleep};

const PEOPLE: usize = 100;
const LOGINS: usize = 500;
/// Logins that are open at once.
const AT_ONCE: usize = 60;
/// How long somebody waits before they try again what did not work.
const PATIENCE: Duration = Duration::from_millis(200);
/// How long the storm may last; it takes a minute or two.
const LONGEST: Duration = Duration::from_mins(15);
/// How long NATS is away.
const NATS_AWAY: Duration = Duration::from_secs(10);

/// What somebody does about their login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Intent {
    Approve,
    /// And give up.
    Deny,
    DenyAndTypeACode,
    Cancel,
    /// In a session that a login of the storm has opened, after that login.
    Confirm,
}

impl Intent {
    fn of(number: usize) -> Self {
        match number % 10 {
            0..=5 => Self::Approve,
            6 | 7 => Self::Deny,
            8 => Self::DenyAndTypeACode,
            _ => Self::Cancel,
        }
    }
}

/// What became of one login.
struct Outcome {
    intent: Intent,
    begun: Begun,
    /// All that its watcher was told, in order.
    told: Vec<LoginStatus>,
}

impl Outcome {
    /// The session that it opened.
    fn session(&self) -> Option<&Session> {
        self.told.last().unwrap().session.as_ref()
    }

    fn is_approved(&self) -> bool {
        self.told.last().unwrap().state == LoginState::Approved
    }

    fn was_denied(&self) -> bool {
        self.told.iter().any(|status| status.state == LoginState::Denied)
    }
}

/// Tries until it works, as a person does.
async fn until_it_works<T, E>(attempt: impl AsyncFn() -> Result<T, E>) -> T {
    loop {
        match attempt().await {
            Ok(done) => return done,
            Err(_) => sleep(PATIENCE).await,
        }
    }
}

async fn begin(fleet: &Fleet, person: &Person) -> Begun {
    until_it_works(async || match fleet.client.login(person.login()).await {
        Ok(reply) => reply.into_result().map_err(|_| ()),
        Err(_) => Err(()),
    })
    .await
}

/// The storm as one person sees it: one login, from the password to its end; then sometimes a confirmation in its session,
/// for those who have denied nothing: three denials, and the phone gets no pushes.
async fn log_in(fleet: &Fleet, person: &Person, number: usize) -> Vec<Outcome> {
    let login = follow(fleet, person, Intent::of(number), begin(fleet, person).await).await;
    let Some(session) = login.session().filter(|_| number.is_multiple_of(10)) else { return vec![login] };
    let client = fleet.client.with_bearer(session.token.clone());
    let begun = until_it_works(async || {
        match client.confirm(SensitiveOperation::EndSessions, Some(&person.password)).await {
            Ok(reply) => reply.into_result().map_err(|_| ()),
            Err(_) => Err(()),
        }
    })
    .await;
    fleet.planted.plant("login token", begun.login_token.reveal());
    let confirmation = follow(fleet, person, Intent::Confirm, begun).await;
    vec![login, confirmation]
}

/// Does what a person means to do about a login, and follows it to its end.
async fn follow(fleet: &Fleet, person: &Person, intent: Intent, begun: Begun) -> Outcome {
    let token = &begun.login_token;
    match intent {
        Intent::Approve | Intent::Confirm => fleet.approve(person, &begun.status).await,
        Intent::Deny | Intent::DenyAndTypeACode => fleet.deny(person, &begun.status).await,
        Intent::Cancel => {
            until_it_works(async || fleet.client.cancel_login(token).await).await;
        }
    }
    let mut told = Vec::new();
    let mut watch = fleet.watch(token);
    loop {
        match watch.next().await {
            Some(Ok(status)) => {
                let is_denied = status.state == LoginState::Denied;
                told.push(status);
                match intent {
                    Intent::Deny if is_denied => {
                        until_it_works(async || fleet.client.cancel_login(token).await).await;
                    }
                    Intent::DenyAndTypeACode if is_denied => type_a_code(fleet, person, &begun).await,
                    _ => {}
                }
            }
            // A page that is told of an error is loaded again.
            Some(Err(_)) => watch = fleet.watch(token),
            None => return Outcome { intent, begun, told },
        }
    }
}

/// Asks for a code, as one has to after a denial, then types what the app shows, and the next one where an answer was lost and the code is spent.
async fn type_a_code(fleet: &Fleet, person: &Person, begun: &Begun) {
    until_it_works(async || {
        let reply = fleet.client.resend_token(&begun.login_token, Some(CodeChannel::App)).await;
        match reply {
            // Where the answer to the first was lost, it is too soon for a second.
            Ok(reply) => match reply.status {
                Some(status) if status.code_channel.is_some() => Ok(()),
                _ => Err(()),
            },
            Err(_) => Err(()),
        }
    })
    .await;
    let typed = std::sync::Mutex::new(String::new());
    until_it_works(async || {
        let code = fleet.device(person).await.app_code.unwrap();
        if *typed.lock().unwrap() == code {
            return Err(());
        }
        let reply = fleet.client.verify_token(&begun.login_token, &code).await;
        // What was answered was judged; what was not may have been.
        if let Ok(reply) = reply {
            typed.lock().unwrap().clone_from(&code);
            return reply.into_result().map(|_| ()).map_err(|_| ());
        }
        Err(())
    })
    .await;
}

/// Breaks one thing after another, each when so many logins have begun.
async fn break_things(
    fleet: &Fleet,
    cluster: &Cluster,
    nats: &Nats,
    mut begun: watch::Receiver<usize>,
) -> usize {
    let mut broken = 0;
    for at in (40..LOGINS).step_by(60) {
        begun.wait_for(|begun| *begun >= at).await.unwrap();
        match broken % 4 {
            0 | 2 => {
                fleet.kill(broken % 3).await;
                fleet.start(broken % 3).await;
            }
            1 => {
                cluster.stop_immediate().await;
                cluster.start_again().await;
            }
            _ => {
                nats.stop().await;
                sleep(NATS_AWAY).await;
                nats.start_again().await;
            }
        }
        broken += 1;
    }
    broken
}

async fn everybody_logs_in(fleet: &Fleet, people: &[Person], begun: &watch::Sender<usize>) -> Vec<Outcome> {
    stream::iter(0..LOGINS)
        .map(async |number| {
            begun.send_modify(|begun| *begun += 1);
            log_in(fleet, &people[number * PEOPLE / LOGINS], number).await
        })
        .buffer_unordered(AT_ONCE)
        .flat_map(stream::iter)
        .collect()
        .await
}

#[tokio::test]
async fn in_a_storm_no_approval_is_lost_and_nobody_gets_in_without_one() {
    let Some(cluster) = require("postgres", Cluster::start().await) else { return };
    let Some(nats) = require("nats", Nats::start().await) else { return };
    let database = Database::Postgres(cluster.create_database().await);
    let fleet = Fleet::builder(database)
        .instances(3)
        .nats(&nats)
        .set("HASH_MEMORY_KIB", "8")
        .set("HASH_PASSES", "1")
        .set("AFTER_DENIAL", "code")
        .set("RESEND_PAUSE", "1s")
        // The storm is long, and every line of it is searched for secrets.
        .set("LOG_LEVEL", "debug")
        .start()
        .await;
    let people: Vec<_> = (0..PEOPLE).map(|_| Person::new()).collect();
    join_all(people.iter().map(|person| fleet.sign_up(person))).await;

    let callbacks = CallbackFaults { drop: 0.5, repeat: 1, delay_ms: 2_000, ..CallbackFaults::default() };
    fleet.phone.set_faults(&Faults::callbacks(callbacks)).await.unwrap();
    let (begun, counted) = watch::channel(0);
    let storm = async {
        tokio::join!(
            everybody_logs_in(&fleet, &people, &begun),
            break_things(&fleet, &cluster, &nats, counted)
        )
    };
    // A watcher that hangs is a failure, and not a test that never ends.
    let (outcomes, broken) = tokio::time::timeout(LONGEST, storm).await.unwrap();
    let confirmed = outcomes.iter().filter(|outcome| outcome.intent == Intent::Confirm).count();
    assert_eq!((outcomes.len() - confirmed, confirmed, broken), (LOGINS, LOGINS / 10, 8));
    let sessions = assert_ends(&fleet, &outcomes).await;
    report(&format!("a storm of {LOGINS} logins, {broken} things broken: {}", counts(&outcomes)));
    assert_eq!(sessions, LOGINS * 7 / 10);
}

/// Every login ended as its person meant it, once, and is read like that by everybody. Returns how many sessions there are.
async fn assert_ends(fleet: &Fleet, outcomes: &[Outcome]) -> usize {
    let mut sessions = HashSet::new();
    let next_instance = AtomicUsize::new(0);
    for Outcome { intent, begun, told } in outcomes {
        let states: Vec<_> = told.iter().map(|status| (status.sequence, &status.state)).collect();
        let end = told.last().unwrap();
        let expected = match intent {
            Intent::Approve | Intent::DenyAndTypeACode | Intent::Confirm => LoginState::Approved,
            Intent::Deny | Intent::Cancel => LoginState::Failed,
        };
        assert_eq!(end.state, expected, "{intent:?}: {states:?}");
        let ends: HashSet<_> =
            told.iter().filter(|status| status.is_over()).map(|end| end.sequence).collect();
        assert_eq!(ends.len(), 1, "{intent:?}: {states:?}");
        let opens_a_session = expected == LoginState::Approved && *intent != Intent::Confirm;
        assert_eq!(end.session.is_some(), opens_a_session, "{intent:?}: {states:?}");
        let client = fleet.client_of(next_instance.fetch_add(1, Ordering::Relaxed) % 3);
        let read = client.login_status(&begun.login_token).await.unwrap();
        // Two minutes after its session was delivered, a login token is unknown.
        assert!(read.as_ref() == Some(end) || read.is_none() && end.session.is_some(), "{read:?}");
        if let Some(session) = &end.session {
            sessions.insert(session.token.reveal().to_owned());
            let me = client.with_bearer(session.token.clone()).me().await.unwrap();
            assert_eq!(me.as_ref(), Some(&session.user));
        }
    }
    sessions.len()
}

/// How the logins and confirmations ended, as their watchers were told.
fn counts(outcomes: &[Outcome]) -> String {
    let count = |is_it: fn(&Outcome) -> bool| outcomes.iter().filter(|outcome| is_it(outcome)).count();
    format!(
        "{} approved, {} of them by a code after a denial, {} of them confirmations; {} denied and not approved; {} cancelled",
        count(Outcome::is_approved),
        count(|outcome| outcome.is_approved() && outcome.was_denied()),
        count(|outcome| outcome.is_approved() && outcome.intent == Intent::Confirm),
        count(|outcome| !outcome.is_approved() && outcome.was_denied()),
        count(|outcome| !outcome.is_approved() && !outcome.was_denied()),
    )
}
