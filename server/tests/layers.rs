//! Imports go one way: this reads the source and fails on any edge that the table does not allow.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Who may import whom. `docs/ARCHITECTURE.md` shows the same as a picture.
const ALLOWED: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("network", &[]),
    ("random", &[]),
    ("clock", &[]),
    // Migrating makes the key that all instances share.
    ("storage", &["model", "random"]),
    // Its circuit breakers go by business time, so that tests can move it.
    ("provider", &["background", "model", "telemetry", "clock", "network", "outgoing"]),
    ("outgoing", &[]),
    // It knows no domain: whoever owns periodic work implements its trait.
    ("background", &["storage", "clock"]),
    ("events", &["background", "model", "storage", "clock", "random"]),
    // `users` and `logins` record each attempt in the same way.
    ("audit", &["model", "storage", "clock"]),
    ("limits", &["model", "storage", "clock", "network", "random"]),
    ("users", &["audit", "model", "storage", "limits", "clock", "random"]),
    ("sessions", &["audit", "model", "storage", "events", "clock"]),
    (
        "approvals",
        &["audit", "background", "model", "storage", "provider", "events", "limits", "clock", "random"],
    ),
    ("logins", &["approvals", "audit", "clock", "limits", "model", "random", "storage"]),
    ("graphql", &["model", "users", "sessions", "approvals", "logins"]),
    ("http", &["graphql", "network", "telemetry"]),
    ("housekeeping", &["background", "storage", "model"]),
    ("timekeeping", &["background", "storage", "clock"]),
    // Whoever hears of a trace or tells of one, says so to it: `http` and `provider`.
    ("telemetry", &["random", "outgoing"]),
    // These join the parts, and hold no rules.
    (
        "config",
        &[
            "events",
            "housekeeping",
            "http",
            "limits",
            "approvals",
            "model",
            "outgoing",
            "provider",
            // `dev` and its sandbox share a key that is made at start-up.
            "random",
            "storage",
            "telemetry",
            "users",
        ],
    ),
    ("doctor", &["background", "clock", "config", "events", "provider", "random", "storage", "users"]),
    ("app", &["*"]),
    ("command", &["*"]),
    ("lib", &["*"]),
    ("main", &["*"]),
];

/// What only one module may name: the crates that the others must not know of.
const HOMES: &[(&str, &[&str])] = &[
    ("diesel", &["storage"]),
    ("diesel_async", &["storage"]),
    ("tokio_postgres", &["storage"]),
    ("tokio_postgres_rustls", &["storage"]),
    ("async_graphql", &["graphql", "http"]),
    ("async_graphql_value", &["http"]),
    ("axum", &["http"]),
    // The doctor asks at the public URL whether it leads to this service.
    ("reqwest", &["doctor", "outgoing", "provider", "telemetry"]),
    ("opentelemetry", &["telemetry"]),
    ("opentelemetry_http", &["telemetry"]),
    ("opentelemetry_otlp", &["telemetry"]),
    ("opentelemetry_sdk", &["telemetry"]),
    ("tracing_opentelemetry", &["telemetry"]),
    ("tracing_subscriber", &["telemetry"]),
    ("argon2", &["users"]),
    ("async_nats", &["events"]),
    // The emulator of the provider: only the commands that run it import it.
    ("countersign_sandbox", &[]),
    // The modules whose settings are their own; only `config` parses.
    ("clap", &["approvals", "config", "housekeeping", "limits", "storage", "users"]),
];

pub(crate) fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// The top-level module that a file belongs to.
fn module(root: &Path, file: &Path) -> String {
    let first = file.strip_prefix(root).unwrap().components().next().unwrap();
    first.as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned()
}

/// The words that follow `prefix` in the text, comments left out: `crate::model::…` gives `model`, and so does each name
/// of `crate::{model::…, storage}`.
fn named_after(text: &str, prefix: &str) -> BTreeSet<String> {
    let code: String =
        text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let mut names = BTreeSet::new();
    for (position, _) in code.match_indices(prefix) {
        let rest = &code[position + prefix.len()..];
        if let Some(group) = rest.strip_prefix('{') {
            names.extend(heads_of_group(group));
        } else {
            names.insert(word(rest));
        }
    }
    names
}

fn word(text: &str) -> String {
    text.chars().take_while(|character| character.is_alphanumeric() || *character == '_').collect()
}

/// The first word of each entry of a braced group, at its outermost level.
fn heads_of_group(group: &str) -> BTreeSet<String> {
    let (mut depth, mut entry, mut names) = (1, String::new(), BTreeSet::new());
    for character in group.chars() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => {
                names.insert(word(entry.trim_start()));
                entry.clear();
                continue;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
        entry.push(character);
    }
    names.insert(word(entry.trim_start()));
    names.remove("");
    names
}

#[test]
fn imports_go_one_way() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    let mut edges = 0;
    for file in sources(&root) {
        let from = module(&root, &file);
        let text = fs::read_to_string(&file).unwrap();
        let Some((_, allowed)) = ALLOWED.iter().find(|(module, _)| *module == from) else {
            wrong.push(format!("{}: the module `{from}` has no row in the table", file.display()));
            continue;
        };
        for to in named_after(&text, "crate::") {
            edges += 1;
            if to != from && !allowed.contains(&"*") && !allowed.contains(&to.as_str()) {
                wrong.push(format!("{}: `{from}` must not import `{to}`", file.display()));
            }
        }
        for (name, homes) in HOMES {
            let names = text.contains(&format!("{name}::"));
            // Tests may stand on whatever they need.
            let is_test = file.components().any(|part| part.as_os_str() == "tests");
            if names && !is_test && !allowed.contains(&"*") && !homes.contains(&from.as_str()) {
                wrong.push(format!("{}: `{from}` must not use the crate `{name}`", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(edges > 50, "only {edges} imports were found: the test has stopped reading them");
}

#[test]
fn groups_of_imports_are_read() {
    let text = "use crate::{\n    model::{Login, LoginId},\n    storage::Store,\n    random,\n};\n// crate::graphql\n";
    let found = named_after(text, "crate::");
    assert_eq!(found.into_iter().collect::<Vec<_>>(), ["model", "random", "storage"]);
}
