//! `countersign doctor`: it says of each thing that a deployment needs how it stands, and touches none of them.

mod places;
mod provider;
mod storage;

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use harness::{Database, Finished, World, on_both_databases};
use serde_json::Value;

/// Nothing in the settings of a world that a doctor frowns at, whatever the machine is like.
const CALM: [(&str, &str); 3] = [("LOG_LEVEL", "info"), ("HASH_THREADS", "1"), ("MAX_CONNECTIONS", "100")];

on_both_databases!(where_all_is_well_each_line_says_so, looking_sends_nothing_and_touches_nobody);

/// The calm settings and these.
fn calm<'a>(changes: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    CALM.iter().chain(changes).copied().collect()
}

/// A service and a sandbox in processes of their own, in a folder that nobody else passes.
async fn split(database: Database) -> World {
    let world = World::builder(database).split().start().await;
    allow(world.folder(), 0o700);
    world
}

fn allow(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// The lines that begin with this word, without it.
fn lines<'a>(finished: &'a Finished, word: &str) -> Vec<&'a str> {
    finished.output.lines().filter_map(|line| line.strip_prefix(word)).map(str::trim).collect()
}

/// The exit code, and the one line that says what failed, with all that follows it.
fn assert_one_failure(finished: &Finished, parts: &[&str]) {
    assert_eq!((finished.code, lines(finished, "FAIL").len()), (Some(1), 1), "{}", finished.output);
    assert_told(finished, "FAIL", parts);
}

/// Nothing failed, and one thing is to be looked at.
fn assert_one_warning(finished: &Finished, parts: &[&str]) {
    assert_eq!((finished.code, lines(finished, "WARN").len()), (Some(0), 1), "{}", finished.output);
    assert_told(finished, "WARN", parts);
}

/// Some finding of this kind holds all these words, in its line or in what to do about it.
fn assert_told(finished: &Finished, word: &str, parts: &[&str]) {
    let mut findings: Vec<String> = Vec::new();
    for line in finished.output.lines() {
        match (line.strip_prefix("      "), findings.last_mut()) {
            (Some(advice), Some(finding)) => finding.extend([" ", advice]),
            _ => findings.push(line.to_owned()),
        }
    }
    let is_told =
        |finding: &String| finding.starts_with(word) && parts.iter().all(|part| finding.contains(part));
    assert!(findings.iter().any(is_told), "no {word} with {parts:?} in:\n{}", finished.output);
}

async fn where_all_is_well_each_line_says_so(database: Database) {
    let kind = if matches!(database, Database::Sqlite) { "SQLite" } else { "PostgreSQL" };
    let world = split(database).await;
    let finished = world.doctor(&[], &CALM).await;
    assert_eq!(finished.code, Some(0), "{}", finished.output);
    let checks = [
        "settings",
        "listen",
        "database",
        "schema",
        "background",
        "events",
        "provider",
        "public url",
        "callback url",
        "clock",
    ];
    let told = lines(&finished, "ok ");
    assert_eq!(told.len(), checks.len(), "{}", finished.output);
    for (line, check) in told.iter().zip(checks) {
        assert!(line.starts_with(&format!("{check:<12}  ")), "{check} in:\n{}", finished.output);
    }
    assert!(finished.output.ends_with("\n\nall is well\n"), "{}", finished.output);
    assert_told(&finished, "ok", &["database", kind, "answers in"]);
    assert_told(&finished, "ok", &["listen", "the service listens", "already"]);
    assert_told(&finished, "ok", &["public url", "by WebSocket too"]);
    assert_told(&finished, "ok", &["provider", "Authy knows the key as"]);
}

async fn looking_sends_nothing_and_touches_nobody(database: Database) {
    let world = split(database).await;
    let person = harness::Person::new();
    world.sign_up(&person).await;
    let before = world.device(&person).await;
    world.phone.forget_calls().await.unwrap();
    assert_eq!(world.doctor(&[], &CALM).await.code, Some(0));
    let calls = world.phone.calls().await.unwrap();
    assert_eq!(calls.count("app/details"), 1);
    for endpoint in ["users/new", "users/status", "sms", "call", "verify", "approval_requests", "unknown"] {
        assert_eq!(calls.count(endpoint), 0, "{endpoint}");
    }
    let device = world.device(&person).await;
    assert_eq!(device.approval_requests.len(), before.approval_requests.len());
    assert_eq!(device.messages.len(), before.messages.len());
    assert_eq!(world.phone.devices().await.unwrap().len(), 1);
}

#[tokio::test]
async fn programs_read_one_document() {
    let world = split(Database::Sqlite).await;
    let finished = world.doctor(&["--json"], &calm(&[("AUTHY_API_KEY", "another-key")])).await;
    let document: Value = serde_json::from_str(&finished.output).unwrap();
    // The provider does not know the key, and the service has another one.
    assert_eq!((finished.code, &document["failures"]), (Some(1), &2.into()));
    let checks = document["checks"].as_array().unwrap();
    let provider = checks.iter().find(|finding| finding["check"] == "provider").unwrap();
    assert_eq!(provider["status"], "failure");
    assert!(provider["message"].as_str().unwrap().contains("AUTHY_API_KEY"));
    assert!(!provider["advice"].as_array().unwrap().is_empty());
    let well = world.doctor(&["--json"], &CALM).await;
    let document: Value = serde_json::from_str(&well.output).unwrap();
    assert_eq!((well.code, &document["failures"], &document["ok"]), (Some(0), &0.into(), &10.into()));
}

#[tokio::test]
async fn all_that_is_wrong_with_the_settings_is_told_and_the_rest_looked_at() {
    let world = split(Database::Sqlite).await;
    let changes = [
        ("LOGIN_TTL", "soon"),
        ("HASH_PASSES", "0"),
        ("TRUSTED_PROXIES", "10.0.0.0/33"),
        ("AUTHY_API_URL", "http://10.0.0.1"),
        ("AUTHY_CALLBACK_URL", "nowhere"),
        ("LOGIN_RETENTION", "1m"),
    ];
    let finished = world.doctor(&["--resend-pause", "never"], &calm(&changes)).await;
    assert_eq!(finished.code, Some(2), "{}", finished.output);
    let variables = changes.map(|(variable, _)| variable);
    for variable in variables.into_iter().chain(["RESEND_PAUSE"]) {
        assert_told(&finished, "FAIL", &["settings", variable]);
    }
    assert_eq!(lines(&finished, "FAIL").len(), changes.len() + 1, "{}", finished.output);
    assert_told(&finished, "ok", &["database", "SQLite"]);
    assert_told(&finished, "-", &["provider", "AUTHY_API_URL"]);
    // What it does not know at all is no setting.
    let finished = world.doctor(&["--foo"], &CALM).await;
    assert_eq!((finished.code, finished.output.as_str()), (Some(2), ""));
    assert!(finished.log.contains("--foo is no flag"), "{}", finished.log);
}

#[tokio::test]
async fn nothing_is_said_of_the_default_that_stands_in_for_a_wrong_value() {
    let world = split(Database::Sqlite).await;
    for (changes, variable, unsaid) in [
        (&[("EVENTS_URL", "http://nowhere")][..], "EVENTS_URL", "as the database carries them"),
        (&[("LOGIN_RETENTION", "1m")], "LOGIN_RETENTION", "EVENTS_URL"),
        (
            &[("PUBLIC_URL", "https://login.invalid"), ("TRUSTED_PROXIES", "10.0.0.0/33")],
            "TRUSTED_PROXIES",
            "TRUSTED_PROXIES is empty",
        ),
        (&[("HASH_PASSES", "1"), ("HASH_MEMORY_KIB", "much")], "HASH_MEMORY_KIB", "OWASP"),
        (&[("HASH_PASSES", "none"), ("HASH_MEMORY_KIB", "8192")], "HASH_PASSES", "OWASP"),
    ] {
        let finished = world.doctor(&[], &calm(changes)).await;
        assert_eq!((finished.code, lines(&finished, "FAIL").len()), (Some(2), 1), "{}", finished.output);
        assert_told(&finished, "FAIL", &["settings", variable]);
        assert!(!finished.output.contains(unsaid), "{}", finished.output);
    }
    let finished = world.doctor(&[], &calm(&[("EVENTS_URL", "http://nowhere")])).await;
    assert_told(&finished, "-", &["events", "see EVENTS_URL"]);
    let finished = world.doctor(&[], &calm(&[("LOGIN_RETENTION", "1m")])).await;
    assert_told(&finished, "ok", &["events", "as the database carries them"]);
}

#[tokio::test]
async fn a_secret_with_a_wrong_value_is_named_and_not_shown() {
    let world = split(Database::Sqlite).await;
    let secret = "secret-that-nobody-may-see-0123456789";
    world.planted.plant("wrong secret", secret);
    let key = format!("{secret} and a blank");
    let database = format!("mysql://me:{secret}@localhost/db");
    let events = format!("http://me:{secret}@localhost");
    let public = format!("https://me:{secret}@login.invalid/?a=b");
    let changes = [
        ("AUTHY_API_KEY", &*key),
        ("DATABASE_URL", &database),
        ("EVENTS_URL", &events),
        ("PUBLIC_URL", &public),
    ];
    let flag = format!("--database-url=mysql://me:{secret}@other/db");
    for arguments in [&[][..], &["--json"], &[&flag]] {
        let finished = world.doctor(arguments, &calm(&changes)).await;
        assert_eq!(finished.code, Some(2), "{}", finished.output);
        for (variable, _) in changes {
            assert_eq!(
                finished.output.matches(&format!("{variable} is wrong")).count(),
                1,
                "{}",
                finished.output
            );
            assert!(!finished.output.contains(&format!("{variable} is missing")), "{}", finished.output);
        }
    }
    fs::write(world.folder().join(".env"), format!("A B={secret}\n")).unwrap();
    let finished = world.doctor(&[], &CALM).await;
    assert_eq!(finished.code, Some(2), "{}", finished.output);
    assert_told(&finished, "FAIL", &["settings", ".env line 1 is wrong"]);
}

#[tokio::test]
async fn what_is_allowed_and_probably_not_meant_is_told() {
    let world = split(Database::Sqlite).await;
    for (changes, parts) in [
        (&[("LOG_LEVEL", "debug")][..], &["LOG_LEVEL is debug"][..]),
        (&[("HASH_THREADS", "5000")], &["HASH_THREADS is 5000", "cores"]),
        (&[("HASH_MEMORY_KIB", "8192")], &["HASH_MEMORY_KIB", "OWASP"]),
        (&[("HASH_MEMORY_KIB", "47104"), ("HASH_PASSES", "1"), ("MAX_CONNECTIONS", "1000000")], &["ulimit"]),
        (&[("METRICS_LISTEN", "0.0.0.0:0")], &["METRICS_LISTEN", "others may reach"]),
    ] {
        assert_one_warning(&world.doctor(&[], &calm(changes)).await, parts);
    }
    let finished =
        world.doctor(&[], &calm(&[("PUBLIC_URL", "https://login.invalid"), ("GRAPHIQL", "true")])).await;
    assert_told(&finished, "WARN", &["GRAPHIQL is on", "developers"]);
    assert_told(&finished, "WARN", &["TRUSTED_PROXIES is empty"]);
    assert_told(&finished, "WARN", &["AUTHY_API_URL leads to this machine", "sandbox"]);
    let trusted = [("PUBLIC_URL", "https://login.invalid"), ("TRUSTED_PROXIES", "10.0.0.0/8")];
    assert!(!world.doctor(&[], &calm(&trusted)).await.output.contains("TRUSTED_PROXIES"));
    let authy = [("PUBLIC_URL", "https://login.invalid"), ("AUTHY_API_URL", "https://api.authy.invalid")];
    assert!(!world.doctor(&[], &calm(&authy)).await.output.contains("sandbox"));
}
