//! What an operator reads of a service: stories that do known things, and exactly those are counted, once each.

use std::{collections::BTreeMap, time::Duration};

use client_example::phone::{ApiFault, ApiFaultKind, CallbackFaults, Faults};
use countersign_client::{Begun, LoginErrorCode, LoginState, LoginStep, SignupErrorCode};
use futures_util::{StreamExt, future::join_all};
use harness::{Counts, Database, Meter, Person, Raw, World, in_time, on_both_databases};
use reqwest::Method;
use serde_json::json;

const LOGINS: &[&str] =
    &["countersign_logins_", "countersign_denials_", "countersign_callbacks_", "countersign_codes_"];

/// What was counted of some metrics, from one reading to the next.
struct Ledger {
    meter: Meter,
    metrics: &'static [&'static str],
    read: Counts,
}

impl Ledger {
    async fn of(meter: Meter, metrics: &'static [&'static str]) -> Self {
        let read = meter.read().await;
        Self { meter, metrics, read }
    }

    /// This is counted next, and nothing else.
    async fn will_show(&mut self, (series, count): (String, i64)) {
        let sum = self.read.of(&series) + count;
        in_time(self.meter.wait_for(&series, sum)).await;
        self.shows([(series, count)]).await;
    }

    /// Exactly this was counted since the last reading.
    async fn shows<const SERIES: usize>(&mut self, counted: [(String, i64); SERIES]) {
        let read = self.meter.read().await;
        assert_eq!(read.since(&self.read, self.metrics), BTreeMap::from(counted));
        self.read = read;
    }
}

fn begun(purpose: &str, next_step: &str) -> (String, i64) {
    (format!(r#"countersign_logins_begun_total{{purpose="{purpose}",next_step="{next_step}"}}"#), 1)
}

fn ended(purpose: &str, outcome: &str, by: &str) -> (String, i64) {
    (format!(r#"countersign_logins_ended_total{{purpose="{purpose}",outcome="{outcome}",by="{by}"}}"#), 1)
}

fn denied(effect: &str, by: &str) -> (String, i64) {
    (format!(r#"countersign_denials_total{{effect="{effect}",by="{by}"}}"#), 1)
}

fn heard(answer: &str) -> (String, i64) {
    (format!(r#"countersign_callbacks_total{{answer="{answer}"}}"#), 1)
}

fn code_sent() -> (String, i64) {
    (r#"countersign_codes_sent_total{calling_code="1",proven="true"}"#.to_owned(), 1)
}

fn operation(labels: [&str; 4], count: i64) -> (String, i64) {
    let [kind, operation, transport, outcome] = labels;
    let labels =
        format!(r#"kind="{kind}",operation="{operation}",transport="{transport}",outcome="{outcome}""#);
    (format!("countersign_graphql_operations_total{{{labels}}}"), count)
}

fn requested(method: &str, route: &str, status: u16, count: i64) -> (String, i64) {
    let labels = format!(r#"method="{method}",route="{route}",status="{status}""#);
    (format!("countersign_http_requests_total{{{labels}}}"), count)
}

/// A finger on Approve or Deny, and the answer to the callback that tells of it.
async fn tell(world: &World, person: &Person, begun: &Begun, approves: bool) -> u16 {
    let push = world.push(person, &begun.status).await.uuid;
    if approves {
        world.phone.approve(&push).await.unwrap();
    } else {
        world.phone.deny(&push).await.unwrap();
    }
    in_time(world.answer_to_callback(&push)).await
}

async fn with_callbacks(world: &World, faults: CallbackFaults) {
    world.phone.set_faults(&Faults::callbacks(faults)).await.unwrap();
}

async fn an_approval_is_counted_by_how_it_was_learnt(database: Database) {
    let (world, person) = (World::builder(database).with_metrics().start().await, Person::new());
    let mut ledger = Ledger::of(world.meter(), LOGINS).await;
    let signup = world.begin_signup(&person).await;
    assert_eq!(tell(&world, &person, &signup, true).await, 200);
    let heard_of = heard("accepted");
    ledger
        .shows([begun("signup", "approve_on_phone"), ended("signup", "approved", "callback"), heard_of])
        .await;

    with_callbacks(&world, CallbackFaults { drop: 1.0, ..CallbackFaults::default() }).await;
    let lost = world.begin_login(&person).await;
    world.approve(&person, &lost.status).await;
    world.advance(Duration::from_secs(15)).await;
    world.session(&lost.login_token).await;
    ledger.shows([begun("login", "approve_on_phone"), ended("login", "approved", "asked")]).await;

    with_callbacks(&world, CallbackFaults { forge: true, ..CallbackFaults::default() }).await;
    let forged = world.begin_login(&person).await;
    assert_eq!(tell(&world, &person, &forged, true).await, 401);
    ledger.shows([begun("login", "approve_on_phone"), heard("refused")]).await;
    world.advance(Duration::from_secs(15)).await;
    world.session(&forged.login_token).await;
    ledger.shows([ended("login", "approved", "asked")]).await;

    // Two people type one email: the phone of the second is proven in vain.
    world.phone.clear_faults().await.unwrap();
    let (one, other) = (Person::new(), Person::new());
    let other = Person { email: one.email.clone(), ..other };
    let both = [world.begin_signup(&one).await, world.begin_signup(&other).await];
    assert_eq!(tell(&world, &one, &both[0], true).await, 200);
    assert_eq!(tell(&world, &other, &both[1], true).await, 200);
    let twice = |(series, count): (String, i64)| (series, 2 * count);
    ledger
        .shows([
            twice(begun("signup", "approve_on_phone")),
            ended("signup", "approved", "callback"),
            ended("signup", "email_taken", "callback"),
            twice(heard("accepted")),
        ])
        .await;
}

async fn codes_denials_and_ends_are_counted_by_what_came_of_them(database: Database) {
    let (world, person) = (World::builder(database).with_metrics().start().await, Person::new());
    let device = world.sign_up(&person).await.device_token;
    let mut ledger = Ledger::of(world.meter(), LOGINS).await;
    let pushed = || begun("login", "approve_on_phone");

    // The code of the app gets in, and the phone says that this was somebody else.
    let phished = world.begin_login(&person).await;
    let code = world.device(&person).await.app_code.unwrap();
    world.planted.plant("code", &code);
    world.client.verify_token(&phished.login_token, &code).await.unwrap().into_result().unwrap();
    ledger.shows([pushed(), ended("login", "approved", "code")]).await;
    assert_eq!(tell(&world, &person, &phished, false).await, 200);
    ledger.shows([denied("session_ended", "callback"), heard("accepted")]).await;

    let cancelled = world.begin_login(&person).await;
    world.client.cancel_login(&cancelled.login_token).await.unwrap();
    ledger.shows([pushed(), ended("login", "cancelled", "person")]).await;

    // It is told twice, and denied once.
    with_callbacks(&world, CallbackFaults { repeat: 1, ..CallbackFaults::default() }).await;
    let denied_once = world.begin_login_from(&person, &device).await;
    world.deny(&person, &denied_once.status).await;
    in_time(world.meter().wait_for(&heard("repeated").0, 1)).await;
    in_time(world.meter().wait_for(&heard("accepted").0, 3)).await;
    ledger
        .shows([pushed(), denied("code_may_follow", "callback"), heard("accepted"), heard("repeated")])
        .await;
    world.phone.clear_faults().await.unwrap();
    world.client.cancel_login(&denied_once.login_token).await.unwrap();
    ledger.shows([ended("login", "cancelled", "person")]).await;

    // From elsewhere that is the end.
    let refused = world.begin_login(&person).await;
    assert_eq!(tell(&world, &person, &refused, false).await, 200);
    ledger
        .shows([
            pushed(),
            denied("login_ended", "callback"),
            ended("login", "denied", "callback"),
            heard("accepted"),
        ])
        .await;

    let authy_id = world.device(&person).await.authy_id;
    world.phone.set_onetouch(authy_id, false).await.unwrap();
    let guessed = world.begin_login(&person).await;
    ledger.shows([begun("login", "enter_code"), code_sent()]).await;
    for _ in 0..5 {
        let reply = world.client.verify_token(&guessed.login_token, "0000000").await.unwrap();
        assert_eq!(reply.errors.len(), 1);
    }
    ledger.shows([ended("login", "too_many_wrong_codes", "code")]).await;

    let waiting = world.begin_login(&person).await;
    let mut watch = world.watch(&waiting.login_token);
    assert_eq!(watch.next().await.unwrap().unwrap().next_step, LoginStep::EnterCode);
    world.advance(Duration::from_mins(10)).await;
    assert_eq!(in_time(watch.next()).await.unwrap().unwrap().state, LoginState::Expired);
    ledger.shows([begun("login", "enter_code"), code_sent(), ended("login", "expired", "clock")]).await;
}

fn call(call: &str, outcome: &str) -> (String, i64) {
    (
        format!(
            r#"countersign_provider_call_seconds_count{{provider="authy",call="{call}",outcome="{outcome}"}}"#
        ),
        1,
    )
}

async fn calls_to_the_provider_are_counted_by_what_came_of_them(database: Database) {
    let (world, person) = (World::builder(database).with_metrics().start().await, Person::new());
    let mut ledger = Ledger::of(world.meter(), &["countersign_provider_"]).await;
    world.sign_up(&person).await;
    ledger.shows([call("enroll", "ok"), call("request_push", "ok")]).await;
    for (kind, outcome) in [(ApiFaultKind::Status, "nonsense"), (ApiFaultKind::Silent, "timed_out")] {
        let fault = ApiFault::new(kind).in_paths(["approval_requests"]);
        world.phone.set_faults(&Faults::api(fault)).await.unwrap();
        assert_eq!(world.begin_login(&person).await.status.next_step, LoginStep::EnterCode);
        ledger.shows([call("request_push", outcome), call("send_code", "ok")]).await;
    }
}

async fn a_provider_that_is_away_is_counted_and_begins_no_login(database: Database) {
    let nobody = format!("http://127.0.0.1:{}", throwaway::free_port());
    let world = World::builder(database).split().set("AUTHY_API_URL", &nobody).with_metrics().start().await;
    let metrics = &["countersign_provider_", "countersign_logins_", "countersign_codes_"];
    let mut ledger = Ledger::of(world.meter(), metrics).await;
    let person = Person::new();
    world.plant(&person);
    let refused = world.client.signup(person.signup()).await.unwrap();
    assert_eq!(refused.errors[0].code, SignupErrorCode::ProviderUnavailable);
    ledger.shows([call("enroll", "unreachable")]).await;
}

async fn who_waits_is_counted_while_they_wait(database: Database) {
    let (world, person) = (World::builder(database).with_metrics().start().await, Person::new());
    let begun = world.begin_signup(&person).await;
    let mut watches: Vec<_> = (0..10).map(|_| world.watch(&begun.login_token)).collect();
    for watch in &mut watches {
        assert_eq!(watch.next().await.unwrap().unwrap().state, LoginState::Pending);
    }
    let open = ["countersign_sockets_open", "countersign_subscriptions_open", "countersign_topics_watched"];
    let opened = |counts: &Counts| open.map(|gauge| counts.of(gauge));
    let subscription = |outcome, count| operation(["subscription", "loginStatus", "socket", outcome], count);
    let (meter, gone) = (world.meter(), r#"countersign_sockets_ended_total{code="gone"}"#);
    assert_eq!(opened(&meter.read().await), [10, 10, 1]);
    drop(watches.pop());
    let counts = in_time(meter.wait_for(gone, 1)).await;
    assert_eq!(opened(&counts), [9, 9, 1]);
    let subscriptions = &[r#"countersign_graphql_operations_total{kind="subscription""#];
    let stopped = subscription("stopped", 1);
    assert_eq!(counts.since(&Counts::default(), subscriptions), BTreeMap::from([stopped.clone()]));
    world.approve(&person, &begun.status).await;
    // Each leaves as soon as it has heard the last status, and does not wait to be told that it was that.
    let told = join_all(watches.into_iter().map(StreamExt::collect::<Vec<_>>)).await;
    let last = told[0][0].as_ref().unwrap();
    world.planted.plant("session token", last.session.as_ref().unwrap().token.reveal());
    let counts = in_time(meter.wait_for(gone, 10)).await;
    assert_eq!(opened(&counts), [0, 0, 0]);
    let counted = BTreeMap::from([stopped, subscription("ok", 9)]);
    assert_eq!(counts.since(&Counts::default(), subscriptions), counted);
    // Told by this very instance, unless it looked in the same moment.
    let learnt = |by| counts.of(&format!(r#"countersign_changes_learnt_total{{by="{by}"}}"#));
    assert_eq!(learnt("hint") + learnt("look"), 9);
}

async fn sockets_are_counted_by_why_the_service_closed_them(database: Database) {
    let world = World::builder(database).with_metrics().start().await;
    let subscribe = |field: &str| {
        json!({ "type": "subscribe", "id": "1", "payload": { "query": format!("subscription {{ {field} }}") } })
            .to_string()
    };
    let metrics = &["countersign_sockets_ended_", "countersign_graphql_operations_"];
    let (mut ledger, init) = (Ledger::of(world.meter(), metrics).await, r#"{"type":"connection_init"}"#);
    let closed = |code: &str, count| (format!(r#"countersign_sockets_ended_total{{code="{code}"}}"#), count);
    for (said, code) in [
        (vec!["nonsense".to_owned()], "4400"),
        (vec![subscribe("loginStatus")], "4401"),
        (vec![init.to_owned(), init.to_owned()], "4429"),
    ] {
        let mut raw = Raw::socket(world.service_address()).await;
        for text in said {
            raw.say(&text).await;
        }
        raw.end().await;
        ledger.will_show(closed(code, 1)).await;
    }
    let mut raw = Raw::socket(world.service_address()).await;
    raw.say(init).await;
    let refused = |kind, name| operation([kind, name, "socket", "refused"], 1);
    let counted = [
        (subscribe("loginStatus(loginToken: \"\") { madeUp }"), refused("subscription", "loginStatus")),
        // LOGIN_NOT_FOUND.
        (subscribe("loginStatus(loginToken: \"\") { state }"), refused("subscription", "loginStatus")),
        (subscribe("evil"), refused("subscription", "unknown")),
        (subscribe("{"), refused("unread", "unread")),
    ];
    for (text, counted) in counted {
        raw.say(&text).await;
        ledger.will_show(counted).await;
    }
    raw.end().await;
    ledger.will_show(closed("gone", 1)).await;
}

/// Requests of somebody who calls everything by names of their own.
async fn say_made_up_names(world: &World, name: &str) {
    let address = world.service_address();
    let graphql = world.http.post(format!("{address}/graphql"));
    for query in [
        format!("{{ {name} }}"),
        format!("query {name} {{ {name}: me {{ id }} }}"),
        format!("query {name} {{ {name}: me {{ {name} }} }}"),
        format!("{{ {name} {{ "),
    ] {
        let body = json!({ "query": query, "extensions": { name: name } });
        graphql.try_clone().unwrap().header("x-request-id", name).json(&body).send().await.unwrap();
    }
    let body = json!({ "query": "query a { me { id } } query b { me { id } }", "operationName": name });
    graphql.json(&body).send().await.unwrap();
    for path in [format!("/{name}"), format!("/graphql?query={{{name}}}"), format!("/health/live?{name}")] {
        world.http.get(format!("{address}{path}")).header("host", name).send().await.unwrap();
    }
    let method = Method::from_bytes(name.as_bytes()).unwrap();
    world.http.request(method, format!("{address}/health/live")).send().await.unwrap();
}

async fn what_a_peer_makes_up_becomes_no_label(database: Database) {
    let world = World::builder(database).with_metrics().start().await;
    let mut ledger =
        Ledger::of(world.meter(), &["countersign_http_requests_total", "countersign_graphql_operations_"])
            .await;
    say_made_up_names(&world, "EvilOne").await;
    ledger
        .shows([
            requested("POST", "/graphql", 200, 5),
            requested("GET", "unmatched", 404, 1),
            requested("GET", "/graphql", 200, 1),
            requested("GET", "/health/live", 200, 1),
            requested("other", "/health/live", 405, 1),
            operation(["query", "unknown", "post", "refused"], 1),
            operation(["query", "unknown", "get", "refused"], 1),
            operation(["query", "me", "post", "ok"], 1),
            operation(["query", "me", "post", "refused"], 1),
            operation(["unread", "unread", "post", "refused"], 2),
        ])
        .await;
    let text = world.metrics().await;
    // Those of background tasks appear when a task first runs.
    let of_requests = |name: &&str| !name.starts_with("countersign_background_");
    let series: Vec<_> = ledger.read.series("").filter(of_requests).map(ToOwned::to_owned).collect();
    for number in 0..20 {
        say_made_up_names(&world, &format!("Evil{number}")).await;
    }
    let counts = world.meter().read().await;
    assert_eq!(counts.series("").filter(of_requests).collect::<Vec<_>>(), series);
    assert!(!text.contains("Evil") && !world.metrics().await.contains("Evil"), "{text}");
}

async fn a_budget_that_is_used_up_is_counted_by_its_setting(database: Database) {
    let builder =
        World::builder(database).set("WRONG_PASSWORDS_PER_EMAIL_AND_NETWORK", "1/1h").with_metrics();
    let (world, person) = (builder.start().await, Person::new());
    world.plant(&person);
    let budgets = &["countersign_budgets_", "countersign_password_work_seconds"];
    let mut ledger = Ledger::of(world.meter(), budgets).await;
    let login = async || {
        let errors = world.client.login(person.login()).await.unwrap().errors;
        errors[0].code.clone()
    };
    assert_eq!(login().await, LoginErrorCode::WrongCredentials);
    ledger.shows([(r#"countersign_password_work_seconds_count{work="compare"}"#.to_owned(), 1)]).await;
    for _ in 0..3 {
        assert_eq!(login().await, LoginErrorCode::RateLimited);
    }
    let budget = r#"countersign_budgets_used_up_total{budget="wrong_passwords_per_email_and_network"}"#;
    ledger.shows([(budget.to_owned(), 3)]).await;
}

/// One thread, one place to wait, and hashes that take seconds: what is seen is seen while they run.
async fn passwords_are_counted_while_they_wait_and_when_they_are_refused(database: Database) {
    let builder = World::builder(database)
        .set("HASH_THREADS", "1")
        .set("HASH_QUEUE", "1")
        .set("HASH_PASSES", "100")
        .with_metrics();
    let world = builder.start().await;
    let meter = world.meter();
    let guess = async || {
        let person = Person::new();
        world.plant(&person);
        world.client.login(person.login()).await.unwrap().errors[0].code.clone()
    };
    let before = meter.read().await;
    let refused = async {
        in_time(meter.wait_for("countersign_password_threads_in_use", 1)).await;
        in_time(meter.wait_for("countersign_passwords_waiting", 1)).await;
        guess().await
    };
    let (codes, refused) = tokio::join!(join_all([guess(), guess()]), refused);
    assert_eq!(codes, [LoginErrorCode::WrongCredentials, LoginErrorCode::WrongCredentials]);
    assert_eq!(refused, LoginErrorCode::Busy);
    let counts = meter.read().await;
    let counted = [
        (r#"countersign_password_attempts_total{outcome="busy"}"#, 1),
        (r#"countersign_password_attempts_total{outcome="wrong"}"#, 2),
        ("countersign_passwords_refused_total", 1),
        ("countersign_password_wait_seconds_count", 2),
        (r#"countersign_password_work_seconds_count{work="compare"}"#, 2),
    ];
    let counted = counted.map(|(series, count)| (series.to_owned(), count));
    assert_eq!(counts.since(&before, &["countersign_password"]), BTreeMap::from(counted));
    assert_eq!(counts.of("countersign_password_threads"), 1);
}

on_both_databases! {
    an_approval_is_counted_by_how_it_was_learnt,
    codes_denials_and_ends_are_counted_by_what_came_of_them,
    calls_to_the_provider_are_counted_by_what_came_of_them,
    a_provider_that_is_away_is_counted_and_begins_no_login,
    who_waits_is_counted_while_they_wait,
    sockets_are_counted_by_why_the_service_closed_them,
    what_a_peer_makes_up_becomes_no_label,
    a_budget_that_is_used_up_is_counted_by_its_setting,
    passwords_are_counted_while_they_wait_and_when_they_are_refused,
}
