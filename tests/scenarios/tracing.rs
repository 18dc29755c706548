//! Seeing where the time of a login goes: spans at a collector, the trace that others are told of, logs that programs read.

use std::{collections::HashMap, net::IpAddr, time::Duration};

use countersign_client::LoginState;
use futures_util::StreamExt;
use harness::{
    Collector, Database, Person, Recorder, World, WorldBuilder, attribute, in_time, on_both_databases, run,
};
use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind, status::StatusCode};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const STATE: &str = "rojo=what-others-keep-in-the-trace";
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const HEADERS: &str = "OTEL_EXPORTER_OTLP_HEADERS";
const COLLECTOR_KEY: &str = "Basic a2V5LW9mLXRoZS1jb2xsZWN0b3I";
const LOGIN: &str =
    "mutation($input: LoginInput!) { login(input: $input) { loginToken status { state } errors { code } } }";
/// What `serve` needs to begin, and to find that nobody has migrated.
const SERVE: [(&str, &str); 3] = [
    ("AUTHY_API_KEY", "key-that-nobody-may-see-0123456789"),
    ("DATABASE_URL", "sqlite:test.db"),
    ("PUBLIC_URL", "https://login.example.com"),
];
const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

/// Hexadecimal, as ids are written in headers and logs.
fn hex(id: &[u8]) -> String {
    let digits = id.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

/// What a span is called, and what it stands in.
fn place(span: &Span) -> (String, String, String) {
    (hex(&span.trace_id), hex(&span.parent_span_id), span.name.clone())
}

/// A world that exports to this collector, with a recorded line to the provider.
async fn recorded(builder: WorldBuilder) -> (World, Recorder) {
    let provider = Recorder::start().await;
    // The service listens and has asked the provider nothing when this returns.
    let world = builder.split().set("AUTHY_API_URL", provider.url()).start().await;
    provider.lead_to(world.sandbox_address());
    (world, provider)
}

/// Begins a login within a trace, and returns the id of the request.
async fn log_in(world: &World, person: &Person, headers: &[(&str, &str)]) -> String {
    let input = json!({ "input": { "email": person.email, "password": person.password } });
    let mut request = world
        .http
        .post(format!("{}/graphql", world.service_address()))
        .json(&json!({ "query": LOGIN, "variables": input }));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send().await.unwrap();
    let request_id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
    let answer: Value = answer.json().await.unwrap();
    let token = answer["data"]["login"]["loginToken"].as_str().unwrap_or_else(|| panic!("{answer}"));
    world.planted.plant("login token", token);
    request_id
}

/// What the provider was told of traces.
fn told(provider: &Recorder, header: &str) -> Vec<String> {
    let said = provider.said();
    let prefix = format!("{header}: ");
    said.lines().filter_map(|line| Some(line.strip_prefix(&prefix)?.to_owned())).collect()
}

async fn a_login_is_one_trace_through_hash_database_and_provider(database: Database) {
    let system = if matches!(database, Database::Sqlite) { "sqlite" } else { "postgresql" };
    let collector = Collector::start().await;
    let headers = format!("Authorization={}", COLLECTOR_KEY.replace(' ', "%20"));
    let builder = World::builder(database)
        .set(ENDPOINT, collector.url())
        .set(HEADERS, &headers)
        .set("OTEL_SERVICE_NAME", "login-of-the-tests")
        // The library reads these. It must not send there, nor send what no setting has checked.
        .set("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &format!("{}/elsewhere", collector.url()))
        .set("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "authorization=unchecked");
    // Spans are exported whatever is logged; but this log has to be detailed.
    let (mut world, provider) = recorded(builder).await;
    world.planted.plant("key of the collector", COLLECTOR_KEY);
    let person = Person::new();
    world.sign_up(&person).await;
    let request_id = log_in(&world, &person, &[("traceparent", PARENT), ("tracestate", STATE)]).await;
    assert_eq!(in_time(world.terminate_service()).await, Some(0));

    let spans: Vec<_> = collector.spans().into_iter().filter(|span| hex(&span.trace_id) == TRACE).collect();
    let called = |name: &str| {
        let found: Vec<_> = spans.iter().filter(|span| span.name == name).collect();
        assert_eq!(found.len(), 1, "{name}: {:?}", spans.iter().map(place).collect::<Vec<_>>());
        found[0]
    };
    let request = called("POST /graphql");
    assert_eq!(hex(&request.parent_span_id), "00f067aa0ba902b7");
    assert_eq!(request.kind(), SpanKind::Server);
    for (key, value) in [
        ("request.id", request_id.as_str()),
        ("http.request.method", "POST"),
        ("http.route", "/graphql"),
        ("http.response.status_code", "200"),
    ] {
        assert_eq!(attribute(&request.attributes, key), value, "{key}");
    }
    for (name, kind, key, value) in [
        ("hash", SpanKind::Internal, "", ""),
        ("start_approval", SpanKind::Client, "db.system.name", system),
        ("request_push", SpanKind::Client, "http.response.status_code", "200"),
    ] {
        let span = called(name);
        assert_eq!(span.parent_span_id, request.span_id, "{name}");
        assert_eq!((span.kind(), attribute(&span.attributes, key).as_str()), (kind, value), "{name}");
        assert!(request.start_time_unix_nano <= span.start_time_unix_nano, "{name}");
        assert!(span.end_time_unix_nano <= request.end_time_unix_nano, "{name}");
        assert!(span.status.as_ref().is_none_or(|status| status.code() != StatusCode::Error), "{name}");
    }
    for part in ["hash.queue", "hash.work"] {
        assert_eq!(called(part).parent_span_id, called("hash").span_id);
    }
    let of_provider = format!("00-{TRACE}-{}-01", hex(&called("request_push").span_id));
    assert!(told(&provider, "traceparent").contains(&of_provider), "{}", provider.said());
    assert_eq!(told(&provider, "tracestate"), [STATE]);

    what_is_exported_says_who_we_are_and_no_secret(&world, &collector);
}

fn what_is_exported_says_who_we_are_and_no_secret(world: &World, collector: &Collector) {
    let resource = collector.resource();
    assert_eq!(attribute(&resource, "service.name"), "login-of-the-tests");
    assert!(!attribute(&resource, "service.version").is_empty());
    assert_eq!(attribute(&resource, "service.instance.id").len(), 36);
    for export in collector.exports() {
        assert!(export.head.starts_with("post /v1/traces "), "{}", export.head);
        assert!(export.head.contains(&format!("authorization: {}", COLLECTOR_KEY.to_lowercase())));
        let exported = String::from_utf8_lossy(&export.body).into_owned();
        assert_eq!(world.planted.search(&exported), Vec::<String>::new());
        assert!(!exported.contains(STATE), "what others keep in a trace is their own text");
    }
    // What looks after things every few seconds is no trace.
    let roots: Vec<_> = collector.spans().into_iter().filter(|span| span.parent_span_id.is_empty()).collect();
    assert!(roots.iter().all(|span| attribute(&span.attributes, "db.system.name").is_empty()), "{roots:?}");
}

async fn a_socket_that_waits_holds_no_span_open(database: Database) {
    let collector = Collector::start().await;
    let world = World::builder(database).set(ENDPOINT, collector.url()).spawned().start().await;
    let person = Person::new();
    let begun = world.begin_signup(&person).await;
    let mut watch = world.watch(&begun.login_token);
    assert_eq!(watch.next().await.unwrap().unwrap().state, LoginState::Pending);
    // While the socket still waits.
    let upgrade = in_time(collector.wait_for(|span| span.name.starts_with("GET "))).await;
    assert_eq!(attribute(&upgrade.attributes, "http.response.status_code"), "101");
    let operation = in_time(collector.wait_for(|span| span.name == "subscription")).await;
    assert_eq!(attribute(&operation.attributes, "graphql.operation.type"), "subscription");
    world.approve(&person, &begun.status).await;
    let status = watch.next().await.unwrap().unwrap();
    world.planted.plant("session token", status.session.unwrap().token.reveal());
    let delivery = in_time(collector.wait_for(|span| span.name == "delivery")).await;
    let read = in_time(collector.wait_for(|span| span.parent_span_id == delivery.span_id)).await;
    assert_eq!(read.name, "find_approval");
    for span in [&operation, &delivery] {
        assert_eq!(span.trace_id, upgrade.trace_id, "{}", span.name);
        assert_eq!(span.parent_span_id, upgrade.span_id, "{}", span.name);
    }
    assert!(operation.end_time_unix_nano < delivery.start_time_unix_nano);
    let exported: Vec<_> = collector.exports().into_iter().flat_map(|export| export.body).collect();
    assert_eq!(world.planted.search(&String::from_utf8_lossy(&exported)), Vec::<String>::new());
}

async fn a_collector_that_is_away_costs_nobody_anything(database: Database) {
    let nobody = format!("http://127.0.0.1:{}", throwaway::free_port());
    let mut world = World::builder(database).split().set(ENDPOINT, &nobody).start().await;
    let person = Person::new();
    world.sign_up(&person).await;
    let away = "traces cannot be exported";
    let waited = async {
        while !world.log().contains(away) {
            tokio::task::yield_now().await;
        }
    };
    in_time(waited).await;
    world.begin_login(&person).await;
    assert_eq!(in_time(world.terminate_service()).await, Some(0));
    assert_eq!(world.log().matches(away).count(), 1, "it is said once");
}

async fn a_collector_that_never_answers_does_not_hold_up_the_end(database: Database) {
    // It takes connections, and nobody reads them.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let mut world = World::builder(database).split().set(ENDPOINT, &url).start().await;
    let person = Person::new();
    world.sign_up(&person).await;
    world.begin_login(&person).await;
    assert_eq!(in_time(world.terminate_service()).await, Some(0));
}

async fn a_trace_that_is_not_sampled_is_passed_on_and_not_exported(database: Database) {
    let collector = Collector::start().await;
    let builder = World::builder(database).set(ENDPOINT, collector.url()).set("OTEL_TRACES_SAMPLER_ARG", "0");
    let (mut world, provider) = recorded(builder).await;
    let person = Person::new();
    world.sign_up(&person).await;
    log_in(&world, &person, &[("traceparent", &PARENT.replace("-01", "-00"))]).await;
    let passed_on = told(&provider, "traceparent");
    assert!(passed_on.iter().any(|parent| parent.contains(TRACE)), "{passed_on:?}");
    assert!(passed_on.iter().all(|parent| parent.ends_with("-00")), "{passed_on:?}");
    // The caller's word counts for its own trace.
    log_in(&world, &person, &[("traceparent", PARENT)]).await;
    assert_eq!(in_time(world.terminate_service()).await, Some(0));
    let spans = collector.spans();
    assert!(!spans.is_empty() && spans.iter().all(|span| hex(&span.trace_id) == TRACE));
}

async fn without_a_collector_a_trace_is_logged_and_passed_on_untouched(database: Database) {
    let (mut world, provider) = recorded(World::builder(database)).await;
    let person = Person::new();
    world.sign_up(&person).await;
    let request_id = log_in(&world, &person, &[("traceparent", PARENT), ("tracestate", STATE)]).await;
    assert_eq!(told(&provider, "traceparent").last().unwrap(), PARENT);
    assert_eq!(told(&provider, "tracestate"), [STATE]);
    let log = world.log();
    let lines: Vec<_> = log.lines().filter(|line| line.contains(&request_id)).collect();
    assert!(!lines.is_empty() && lines.iter().all(|line| line.contains(&format!("trace_id={TRACE}"))));

    // What is wrong begins a trace of its own.
    for wrong in [PARENT.to_uppercase(), PARENT.replace("00f067aa0ba902b7", "0000000000000000")] {
        let request_id = log_in(&world, &person, &[("traceparent", &wrong), ("tracestate", STATE)]).await;
        let begun = told(&provider, "traceparent").pop().unwrap();
        assert!(begun.len() == PARENT.len() && begun.ends_with("-00") && !begun.contains(TRACE), "{begun}");
        let log = world.log();
        assert!(log.lines().filter(|line| line.contains(&request_id)).all(|line| !line.contains("trace_id")));
    }
    assert_eq!(told(&provider, "tracestate"), [STATE]);

    // Whatever is logged.
    assert_eq!(world.terminate_service().await, Some(0));
    world.change("LOG_LEVEL", "error");
    world.start_service().await;
    log_in(&world, &person, &[("traceparent", PARENT)]).await;
    assert_eq!(told(&provider, "traceparent").last().unwrap(), PARENT);
}

async fn spans_that_no_collector_received_are_not_counted_as_exported(database: Database) {
    let nobody = format!("http://127.0.0.1:{}", throwaway::free_port());
    let world = World::builder(database).with_metrics().set(ENDPOINT, &nobody).start().await;
    world.sign_up(&Person::new()).await;
    let waited = async {
        while !world.log().contains("traces cannot be exported") {
            tokio::task::yield_now().await;
        }
    };
    in_time(waited).await;
    let counts = world.meter().read().await;
    assert!(counts.of("countersign_spans_ended_total") > 0);
    assert_eq!(counts.of("countersign_spans_exported_total"), 0);
}

async fn spans_that_a_collector_received_are_counted_as_exported(database: Database) {
    let collector = Collector::start().await;
    let world = World::builder(database).with_metrics().set(ENDPOINT, collector.url()).start().await;
    world.sign_up(&Person::new()).await;
    let waited = async {
        loop {
            let counts = world.meter().read().await;
            let [ended, exported] =
                ["ended", "exported"].map(|what| counts.of(&format!("countersign_spans_{what}_total")));
            assert!(exported <= ended, "{exported} of {ended}");
            if ended > 0 && exported == ended {
                return exported;
            }
            tokio::task::yield_now().await;
        }
    };
    let exported = in_time(waited).await;
    assert!(usize::try_from(exported).unwrap() <= collector.spans().len());
}

/// The lines of a log as objects.
fn lines(log: &str) -> Vec<Map<String, Value>> {
    log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect()
}

async fn a_log_in_json_is_an_object_a_line_and_names_request_and_trace(database: Database) {
    let world = World::builder(database).set("LOG_FORMAT", "json").spawned().start().await;
    let person = Person::new();
    let begun = world.begin_signup(&person).await;
    world.approve(&person, &begun.status).await;
    world.session(&begun.login_token).await;
    let named = log_in(&world, &person, &[("traceparent", PARENT)]).await;
    let unnamed = log_in(&world, &person, &[]).await;
    let lines = lines(&world.log());
    let mut counted: HashMap<&str, usize> = HashMap::new();
    for line in &lines {
        let text = |name: &str| line.get(name).and_then(Value::as_str).unwrap_or_default();
        let timestamp = text("timestamp");
        assert!(chrono::DateTime::parse_from_rfc3339(timestamp).is_ok(), "{line:?}");
        assert!(
            timestamp.len() == "2026-01-01T00:00:00.000000Z".len() && timestamp.ends_with('Z'),
            "{line:?}"
        );
        assert!(["TRACE", "DEBUG", "INFO", "WARN"].contains(&text("level")), "{line:?}");
        assert!(!text("target").is_empty() && !text("message").is_empty(), "{line:?}");
        assert!(line.keys().all(|name| !name.starts_with("otel.")), "{line:?}");
        for (id, is_named) in [(&named, true), (&unnamed, false)] {
            if text("request.id") == id {
                *counted.entry(id).or_default() += 1;
                assert_eq!((text("trace_id").len(), text("trace_id") == TRACE), (32, is_named), "{line:?}");
                assert_eq!((text("http.request.method"), text("http.route")), ("POST", "/graphql"));
            }
        }
    }
    assert!(counted[named.as_str()] > 2 && counted[unnamed.as_str()] > 2, "{counted:?}");
}

#[tokio::test]
async fn serve_logs_json_unless_it_is_told_otherwise_and_the_other_commands_text() {
    let folder = TempDir::new().unwrap();
    let failing = async |command: &str, format: Option<&str>| {
        let settings: Vec<_> = SERVE.into_iter().chain(format.map(|format| ("LOG_FORMAT", format))).collect();
        let finished = run("server-under-test", &[command], &settings, folder.path()).await;
        assert_eq!((finished.code, finished.log.lines().count()), (Some(1), 1), "{}", finished.log);
        serde_json::from_str::<Map<String, Value>>(&finished.log).is_ok()
    };
    assert!(failing("serve", None).await);
    assert!(!failing("serve", Some("text")).await);
    std::fs::write(folder.path().join("test.db"), "this is no database").unwrap();
    assert!(!failing("migrate", None).await);
    assert!(failing("migrate", Some("json")).await);
}

#[tokio::test]
async fn headers_that_others_can_read_on_their_way_are_warned_of() {
    let folder = TempDir::new().unwrap();
    for (endpoint, is_warned_of) in
        [("http://collector.invalid", true), ("https://collector.invalid", false), ("http://[::1]:1", false)]
    {
        let settings = [SERVE.as_slice(), &[(ENDPOINT, endpoint), (HEADERS, "authorization=x")]].concat();
        let finished = in_time(run("server-under-test", &["serve"], &settings, folder.path())).await;
        let warns_of_headers = |line: &Map<String, Value>| {
            line["level"] == "WARN" && line["message"].as_str().unwrap().contains(HEADERS)
        };
        assert_eq!(lines(&finished.log).iter().any(warns_of_headers), is_warned_of, "{}", finished.log);
    }
}

#[tokio::test]
async fn an_export_that_cannot_be_is_refused_and_shows_no_secret() {
    let folder = TempDir::new().unwrap();
    let secret = "key-of-the-collector-0123456789";
    for (variable, value) in [
        ("LOG_FORMAT", "xml".to_owned()),
        (ENDPOINT, "collector:4318".to_owned()),
        (ENDPOINT, format!("http://me:{secret}@127.0.0.1:4318")),
        (HEADERS, secret.to_owned()),
        (HEADERS, format!("authorization={secret}%0a")),
        ("OTEL_TRACES_SAMPLER_ARG", "2".to_owned()),
    ] {
        let settings = [(variable, value.as_str())];
        let finished = in_time(run("server-under-test", &["dev"], &settings, folder.path())).await;
        assert_eq!((finished.code, finished.log.lines().count()), (Some(2), 1), "{}", finished.log);
        assert!(finished.log.contains(variable) && !finished.log.contains(secret), "{}", finished.log);
    }
}

#[tokio::test]
async fn compression_that_the_exporter_does_not_have_is_ignored() {
    let collector = Collector::start().await;
    let mut world = World::builder(Database::Sqlite)
        .split()
        .set(ENDPOINT, collector.url())
        .set("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
        .set("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "zstd")
        .start()
        .await;
    world.ask_from(ADDRESS, "{ me { fullName } }", &json!({})).await;
    assert_eq!(tokio::time::timeout(Duration::from_mins(1), world.terminate_service()).await, Ok(Some(0)));
    let names: Vec<_> = collector.spans().into_iter().map(|span| span.name).collect();
    assert_eq!(names, ["POST /graphql"]);
}

#[tokio::test]
async fn a_collector_is_told_of_nothing_by_probes() {
    let collector = Collector::start().await;
    let mut world = World::builder(Database::Sqlite).split().set(ENDPOINT, collector.url()).start().await;
    for path in ["live", "ready"] {
        let url = format!("{}/health/{path}", world.service_address());
        assert_eq!(world.http.get(url).send().await.unwrap().status(), 200);
    }
    world.ask_from(ADDRESS, "{ me { fullName } }", &json!({})).await;
    assert_eq!(tokio::time::timeout(Duration::from_mins(1), world.terminate_service()).await, Ok(Some(0)));
    let names: Vec<_> = collector.spans().into_iter().map(|span| span.name).collect();
    assert_eq!(names, ["POST /graphql"]);
}

on_both_databases! {
    a_login_is_one_trace_through_hash_database_and_provider,
    a_socket_that_waits_holds_no_span_open,
    a_collector_that_is_away_costs_nobody_anything,
    a_collector_that_never_answers_does_not_hold_up_the_end,
    a_trace_that_is_not_sampled_is_passed_on_and_not_exported,
    spans_that_no_collector_received_are_not_counted_as_exported,
    spans_that_a_collector_received_are_counted_as_exported,
    without_a_collector_a_trace_is_logged_and_passed_on_untouched,
    a_log_in_json_is_an_object_a_line_and_names_request_and_trace,
}
