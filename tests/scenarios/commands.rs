//! The commands of the program: what each prints, what it refuses, and with which exit code.

use std::{fs, path::Path};

use countersign::storage::{Store, StoreSettings};
use diesel_async::SimpleAsyncConnection;
use harness::{Database, Finished, Process, World, run};
use tempfile::TempDir;

const KEY: &str = "key-that-nobody-may-see-0123456789";

/// Settings that `serve` takes, on a database in the working folder.
const GOOD: [(&str, &str); 5] = [
    ("LISTEN", "127.0.0.1:0"),
    ("AUTHY_API_KEY", KEY),
    ("AUTHY_API_URL", "http://127.0.0.1:1"),
    ("DATABASE_URL", "sqlite:test.db"),
    ("PUBLIC_URL", "https://login.example.com"),
];

/// Runs a command of the server in a folder.
async fn server(arguments: &[&str], settings: &[(&str, &str)], folder: &TempDir) -> Finished {
    run("server-under-test", arguments, settings, folder.path()).await
}

/// The good settings, with one replaced or added.
fn but<'a>(variable: &'a str, value: &'a str) -> Vec<(&'a str, &'a str)> {
    without(variable).into_iter().chain([(variable, value)]).collect()
}

/// The good settings, with one left out.
fn without(variable: &str) -> Vec<(&'static str, &'static str)> {
    GOOD.into_iter().filter(|(name, _)| *name != variable).collect()
}

/// A command was refused: exit code 2, nothing printed, one line that names the setting.
fn assert_refused(finished: &Finished, name: &str) {
    assert_eq!((finished.code, finished.output.as_str()), (Some(2), ""), "{name}: {}", finished.log);
    assert_eq!(finished.log.lines().count(), 1, "{name}: {}", finished.log);
    assert!(finished.log.starts_with("error: ") && finished.log.contains(name), "{name}: {}", finished.log);
    assert!(!finished.log.contains(KEY), "{name}: {}", finished.log);
}

/// A command failed: exit code 1, and one line that says why.
fn assert_failed(finished: &Finished, why: &str) {
    assert_eq!((finished.code, finished.output.as_str()), (Some(1), ""), "{}", finished.log);
    assert_eq!(finished.log.lines().count(), 1, "{}", finished.log);
    assert!(finished.log.contains(why), "{}", finished.log);
}

#[tokio::test]
async fn schema_prints_the_schema_file_and_nothing_else() {
    let folder = TempDir::new().unwrap();
    let finished = server(&["schema"], &[], &folder).await;
    let written =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../schema.graphql")).unwrap();
    assert_eq!((finished.code, finished.log.as_str()), (Some(0), ""));
    assert!(finished.output == written, "the schema that is printed is not schema.graphql");
}

#[tokio::test]
async fn migrate_says_what_ran_and_then_that_nothing_is_left() {
    let folder = TempDir::new().unwrap();
    let first = server(&["migrate"], &GOOD, &folder).await;
    let migrations = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations")).unwrap();
    let mut expected: Vec<_> = migrations
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| Some(format!("migrated {}", name.split_once('_')?.0.replace('-', ""))))
        .collect();
    expected.sort();
    assert_eq!(first.code, Some(0), "{}", first.log);
    assert_eq!(first.output.lines().collect::<Vec<_>>(), expected);
    let second = server(&["migrate"], &GOOD, &folder).await;
    assert_eq!((second.code, second.output.as_str()), (Some(0), "nothing to migrate\n"));
}

#[tokio::test]
async fn a_command_without_a_setting_that_it_needs_names_it() {
    let folder = TempDir::new().unwrap();
    for variable in ["AUTHY_API_KEY", "DATABASE_URL", "PUBLIC_URL"] {
        assert_refused(&server(&["serve"], &without(variable), &folder).await, variable);
    }
    assert_refused(&server(&["migrate"], &[], &folder).await, "DATABASE_URL");
    assert_refused(&server(&["sandbox"], &[], &folder).await, "AUTHY_API_KEY");
}

#[tokio::test]
async fn a_wrong_value_is_refused_by_the_name_of_its_setting() {
    let folder = TempDir::new().unwrap();
    let too_long = format!("default=https://a/{}", "x".repeat(500));
    for (variable, value) in [
        ("LISTEN", "foo"),
        ("LOG_LEVEL", "loud"),
        ("LOGIN_TTL", "10"),
        ("SESSION_TTL", "soon"),
        ("PROVIDER_TIMEOUT", "0s"),
        ("RESEND_PAUSE", "-1s"),
        ("DATABASE_URL", "mysql://localhost/db"),
        ("DATABASE_URL", "sqlite::memory:"),
        ("PUBLIC_URL", "login.example.com"),
        ("PUBLIC_URL", "https://login.example.com/?a=b"),
        ("AUTHY_API_URL", "http://10.0.0.1"),
        ("AUTHY_API_URL", "https://somebody@api.authy.com"),
        ("AUTHY_API_URL", "https://api.authy.com/?a=b"),
        ("AUTHY_CALLBACK_URL", "nowhere"),
        ("AUTHY_CALLBACK_URL", "https://login.example.com/callback#here"),
        ("APPROVAL_LOGOS", "low=https://login.example.com/logo.png"),
        ("APPROVAL_LOGOS", "default=https://a/1.png,default=https://a/2.png"),
        ("APPROVAL_LOGOS", &too_long),
        ("AFTER_DENIAL", "maybe"),
        ("HASH_THREADS", "0"),
        ("HASH_QUEUE", "-1"),
        ("HASH_MEMORY_KIB", "7"),
        ("HASH_PASSES", "0"),
        ("LOGIN_RETENTION", "12m"),
        ("DATABASE_STATEMENT_TIMEOUT", "30d"),
        ("EVENTS_URL", "nats://me:one@a,nats://me:two@b"),
        ("ALLOWED_ORIGINS", "*"),
        ("ALLOWED_ORIGINS", "https://app.example.com,https://app.example.com/path"),
        ("TRUSTED_PROXIES", "10.0.0.0/33"),
        ("SOCKETS_PER_ADDRESS", "0"),
        ("INTROSPECTION", "perhaps"),
        ("PAGES", "some"),
        ("SESSION_TRANSPORT", "header"),
    ] {
        assert_refused(&server(&["serve"], &but(variable, value), &folder).await, variable);
    }
}

#[tokio::test]
async fn all_wrong_and_missing_settings_are_reported_together() {
    let folder = TempDir::new().unwrap();
    let wrong = [
        ("LOGIN_TTL", "soon"),
        ("HASH_PASSES", "0"),
        ("AUTHY_API_URL", "http://10.0.0.1"),
        ("SESSION_TRANSPORT", "bearer"),
        ("PAGES", "true"),
        ("DENIED_IS_FINAL", "true"),
        ("AUTHY_API_KEY", "a key with blanks"),
    ];
    fs::write(folder.path().join(".env"), "SESSION_TTL=never\n").unwrap();
    let serve = server(&["serve", "--resend-pause", "never"], &wrong, &folder).await;
    let named = |finished: &Finished| -> Vec<_> {
        let names = finished.log.lines().map(|line| line.strip_prefix("error: ").unwrap());
        let mut names: Vec<_> = names.map(|line| line.split(' ').next().unwrap().to_owned()).collect();
        names.sort_unstable();
        names
    };
    let expected = [
        "AUTHY_API_KEY",
        "AUTHY_API_URL",
        "DATABASE_URL",
        "DENIED_IS_FINAL",
        "HASH_PASSES",
        "LOGIN_TTL",
        "PUBLIC_URL",
        "RESEND_PAUSE",
        "SESSION_TRANSPORT",
        "SESSION_TTL",
    ];
    assert_eq!((serve.code, named(&serve)), (Some(2), expected.map(str::to_owned).to_vec()), "{}", serve.log);
    let wrong = [("LISTEN", "0.0.0.0:0"), ("SANDBOX_LISTEN", "0.0.0.0:0"), ("LOGIN_RETENTION", "1m")];
    let dev = server(&["dev"], &wrong, &folder).await;
    let expected = ["LISTEN", "LOGIN_RETENTION", "SANDBOX_LISTEN", "SESSION_TTL"];
    assert_eq!((dev.code, named(&dev)), (Some(2), expected.map(str::to_owned).to_vec()), "{}", dev.log);
}

#[tokio::test]
async fn a_name_in_the_env_file_that_no_setting_has_is_warned_of() {
    let folder = TempDir::new().unwrap();
    let file = format!("DATABASE_URL=sqlite:test.db\nSESION_TTL=1h\nPAGES=true\n{KEY}==\n");
    fs::write(folder.path().join(".env"), file.replace('-', "x")).unwrap();
    let finished = server(&["migrate"], &[], &folder).await;
    assert_eq!((finished.code, finished.log.lines().count()), (Some(0), 1), "{}", finished.log);
    assert!(finished.log.contains("WARN") && finished.log.contains("SESION_TTL"), "{}", finished.log);
    for hidden in ["PAGES", &KEY.replace('-', "x")] {
        assert!(!finished.log.contains(hidden), "{}", finished.log);
    }
    let doctor = server(&["doctor"], &[], &folder).await;
    assert!(doctor.output.contains(".env has names that no setting has: SESION_TTL"), "{}", doctor.output);
}

#[tokio::test]
async fn settings_prints_the_generated_pages_whatever_the_env_file_holds() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join(".env"), "broken\n").unwrap();
    for (arguments, path) in [
        (&["settings"][..], "docs/SETTINGS.md"),
        (&["settings", "--markdown"], "docs/SETTINGS.md"),
        (&["settings", "--env-sample"], ".env.sample"),
    ] {
        let finished = server(arguments, &GOOD, &folder).await;
        let written =
            fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)).unwrap();
        assert_eq!((finished.code, finished.log.as_str()), (Some(0), ""), "{arguments:?}");
        assert!(finished.output == written, "{arguments:?} does not print {path}");
    }
}

#[tokio::test]
async fn a_setting_that_was_replaced_is_refused_with_the_name_of_the_new_one() {
    let folder = TempDir::new().unwrap();
    for (command, is_refused) in [("serve", true), ("doctor", true), ("schema", false)] {
        let finished = server(&[command], &but("DENIED_IS_FINAL", "true"), &folder).await;
        let told = format!("{}{}", finished.output, finished.log);
        assert_eq!(
            told.contains("DENIED_IS_FINAL is replaced by AFTER_DENIAL"),
            is_refused,
            "{command}: {told}"
        );
        assert_eq!(finished.code == Some(2), is_refused, "{command}");
    }
}

#[tokio::test]
async fn a_secret_with_a_wrong_value_is_not_repeated() {
    let folder = TempDir::new().unwrap();
    for (variable, value) in [
        ("AUTHY_API_KEY", format!("{KEY} and a blank")),
        ("AUTHY_API_KEY", format!("{KEY}\nand a line")),
        ("DATABASE_URL", format!("mysql://me:{KEY}@localhost/db")),
        ("AUTHY_API_URL", format!("https://me:{KEY}@api.authy.com")),
        ("PUBLIC_URL", format!("https://me:{KEY}@")),
    ] {
        assert_refused(&server(&["serve"], &but(variable, &value), &folder).await, variable);
    }
    let flag = format!("--authy-api-key={KEY} and a blank");
    assert_refused(&server(&["serve", &flag], &GOOD, &folder).await, "AUTHY_API_KEY");
    // A flag that was mistyped or forgotten.
    let url = format!("postgres://me:{KEY}@localhost/db");
    assert_refused(&server(&["migrate", &url], &GOOD, &folder).await, "only flags are taken");
    let mistyped = format!("--databse-url={url}");
    assert_refused(&server(&["migrate", &mistyped], &GOOD, &folder).await, "--databse-url is no flag");
    assert_refused(&server(&[&url], &GOOD, &folder).await, "no such command");
}

#[tokio::test]
async fn what_approves_anything_stays_on_this_machine() {
    let folder = TempDir::new().unwrap();
    for variable in ["LISTEN", "SANDBOX_LISTEN"] {
        for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
            assert_refused(&server(&["dev"], &[(variable, address)], &folder).await, variable);
        }
    }
    let settings = [("SANDBOX_LISTEN", "0.0.0.0:0"), ("AUTHY_API_KEY", KEY)];
    assert_refused(&server(&["sandbox"], &settings, &folder).await, "SANDBOX_LISTEN");
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let log = folder.path().join("sandbox.log");
    let exposed = Process::spawn(&["sandbox", "--expose"], &settings, folder.path(), &log, 1).await;
    assert!(exposed.address("sandbox").starts_with("http://0.0.0.0:"));
}

#[tokio::test]
async fn serve_does_not_start_on_a_database_older_than_itself() {
    let folder = TempDir::new().unwrap();
    assert_failed(&server(&["serve"], &GOOD, &folder).await, "run `countersign migrate`");
}

#[tokio::test]
async fn nothing_starts_on_a_database_newer_than_itself() {
    let folder = TempDir::new().unwrap();
    assert_eq!(server(&["migrate"], &GOOD, &folder).await.code, Some(0));
    let url = format!("sqlite:{}", folder.path().join("test.db").display());
    let Store::Sqlite(file) = Store::open(&url, &StoreSettings::default()).unwrap() else { unreachable!() };
    let newer = "insert into __diesel_schema_migrations (version) values ('29990101000001')";
    file.get_to_write().await.unwrap().batch_execute(newer).await.unwrap();
    // Otherwise this process would be reported, which has the file open too.
    drop(file);
    for command in ["serve", "migrate"] {
        assert_failed(&server(&[command], &GOOD, &folder).await, "29990101000001");
    }
    let dev =
        [("LISTEN", "127.0.0.1:0"), ("SANDBOX_LISTEN", "127.0.0.1:0"), ("DATABASE_URL", "sqlite:test.db")];
    assert_failed(&server(&["dev"], &dev, &folder).await, "29990101000001");
}

#[tokio::test]
async fn a_folder_that_is_not_there_and_a_port_that_is_taken_are_told() {
    let folder = TempDir::new().unwrap();
    let settings = but("DATABASE_URL", "sqlite:nowhere/test.db");
    assert_failed(&server(&["serve"], &settings, &folder).await, "DATABASE_URL");
    assert_eq!(server(&["migrate"], &GOOD, &folder).await.code, Some(0));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    assert_failed(&server(&["serve"], &but("LISTEN", &address), &folder).await, &address);
}

#[tokio::test]
async fn the_env_file_is_read_and_the_environment_wins() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join(".env"), "# Settings\nDATABASE_URL=sqlite:from-file.db\n").unwrap();
    assert_eq!(server(&["migrate"], &[], &folder).await.code, Some(0));
    assert!(folder.path().join("from-file.db").is_file());
    let settings = [("DATABASE_URL", "sqlite:from-environment.db")];
    let finished = server(&["migrate"], &settings, &folder).await;
    assert_eq!(finished.code, Some(0));
    // The file's database had nothing left to migrate.
    assert!(finished.output.starts_with("migrated "), "{}", finished.output);
    assert!(folder.path().join("from-environment.db").is_file());
    let flag = ["migrate", "--database-url", "sqlite:from-flag.db"];
    assert_eq!(server(&flag, &settings, &folder).await.code, Some(0));
    assert!(folder.path().join("from-flag.db").is_file());
}

#[tokio::test]
async fn a_broken_env_file_is_refused_and_not_shown() {
    let folder = TempDir::new().unwrap();
    for (broken, place) in [
        (format!("A=b\nAUTHY_API_KEY='{KEY}\n"), ".env line 2 (AUTHY_API_KEY)"),
        (format!("{KEY}\n"), ".env line 1"),
        (format!("\nA B={KEY}\n"), ".env line 2"),
    ] {
        fs::write(folder.path().join(".env"), &broken).unwrap();
        assert_refused(&server(&["serve"], &[], &folder).await, place);
    }
    fs::write(folder.path().join(".env"), [b"AUTHY_API_KEY=\xff", KEY.as_bytes()].concat()).unwrap();
    assert_refused(&server(&["serve"], &[], &folder).await, ".env");
    fs::write(folder.path().join(".env"), "AUTHY_API_URL=http://10.0.0.1\n").unwrap();
    assert_refused(&server(&["serve"], &without("AUTHY_API_URL"), &folder).await, "AUTHY_API_URL");
}

#[tokio::test]
async fn commands_without_settings_ignore_a_broken_env_file() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join(".env"), "broken\n").unwrap();
    for arguments in [&["schema"][..], &["--help"], &["serve", "--help"], &["--version"]] {
        let finished = server(arguments, &[("LOG_LEVEL", "")], &folder).await;
        assert_eq!((finished.code, finished.log.as_str()), (Some(0), ""), "{arguments:?}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn an_env_file_that_other_users_can_write_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = TempDir::new().unwrap();
    let file = folder.path().join(".env");
    fs::write(&file, "DATABASE_URL=sqlite:from-file.db\n").unwrap();
    let mut codes = Vec::new();
    for mode in [0o666, 0o646, 0o644, 0o600] {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        let finished = server(&["migrate"], &[], &folder).await;
        if finished.code == Some(2) {
            assert_refused(&finished, "chmod go-w .env");
        }
        codes.push(finished.code);
    }
    assert_eq!(codes, [Some(2), Some(2), Some(0), Some(0)]);
}

#[tokio::test]
async fn an_empty_variable_is_unset_and_white_space_is_no_part_of_a_value() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join(".env"), "DATABASE_URL=sqlite:from-file.db\n").unwrap();
    let settings = [("DATABASE_URL", ""), ("LOG_LEVEL", " \t"), ("LOG_FORMAT", "text\n")];
    let finished = server(&["migrate"], &settings, &folder).await;
    assert_eq!(finished.code, Some(0), "{}", finished.log);
    assert!(folder.path().join("from-file.db").is_file());
    let finished = server(&["migrate"], &[("DATABASE_URL", " sqlite:trimmed.db\r\n")], &folder).await;
    assert_eq!(finished.code, Some(0), "{}", finished.log);
    assert!(folder.path().join("trimmed.db").is_file());
    // Where nothing else is set, an empty variable is missing rather than wrong.
    fs::remove_file(folder.path().join(".env")).unwrap();
    assert_refused(&server(&["serve"], &but("PUBLIC_URL", ""), &folder).await, "PUBLIC_URL is missing");
}

#[tokio::test]
async fn a_dollar_sign_in_the_env_file_is_literal() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join(".env"), "DATABASE_URL=sqlite:a$HOME-${b}.db\n").unwrap();
    assert_eq!(server(&["migrate"], &[], &folder).await.code, Some(0));
    assert!(folder.path().join("a$HOME-${b}.db").is_file());
}

#[tokio::test]
async fn help_is_given_to_those_who_ask_and_to_those_who_ask_for_nothing() {
    let folder = TempDir::new().unwrap();
    let commands = ["dev", "serve", "sandbox", "doctor", "health", "migrate", "schema", "settings"];
    let asked = server(&["--help"], &[], &folder).await;
    assert_eq!((asked.code, asked.log.as_str()), (Some(0), ""));
    let nothing = server(&[], &[], &folder).await;
    assert_eq!((nothing.code, nothing.output.as_str()), (Some(2), ""));
    for command in commands {
        assert!(asked.output.contains(command) && nothing.log.contains(command), "{command}");
        // Settings are listed without the values that they have here.
        let help = server(&[command, "--help"], &GOOD, &folder).await;
        assert_eq!((help.code, help.log.as_str()), (Some(0), ""));
        assert!(!help.output.contains(KEY), "{}", help.output);
    }
    assert_eq!(server(&["--version"], &[], &folder).await.output, "countersign 0.1.0\n");
    assert_refused(&server(&["sreve"], &[], &folder).await, "no such command");
    assert_refused(&server(&["serve", "--lissten=x"], &[], &folder).await, "--lissten");
    assert_refused(&server(&["serve", "--listen"], &[], &folder).await, "--listen <LISTEN>");
}

#[tokio::test]
async fn health_says_by_its_exit_code_whether_the_service_can_serve() {
    let folder = TempDir::new().unwrap();
    let world = World::builder(Database::Sqlite).start().await;
    let address = [("LISTEN", world.service_address().trim_start_matches("http://"))];
    for (arguments, expected) in [(&["health"][..], "ready\n"), (&["health", "--live"], "live\n")] {
        let finished = server(arguments, &address, &folder).await;
        assert_eq!((finished.code, finished.output.as_str()), (Some(0), expected), "{}", finished.log);
    }
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    assert_failed(&server(&["health"], &[("LISTEN", &nobody)], &folder).await, &nobody);
    assert_refused(&server(&["health"], &[("LISTEN", "127.0.0.1:0")], &folder).await, "LISTEN");
}

/// Whether this machine has the address `::1`.
fn has_ipv6() -> bool {
    std::net::TcpListener::bind("[::1]:0").is_ok()
}

#[tokio::test]
async fn several_dev_run_side_by_side_on_free_ports() {
    let folder = TempDir::new().unwrap();
    let mut running = Vec::new();
    for name in ["one", "two"] {
        let database = format!("sqlite:{name}.db");
        let settings = [
            ("LISTEN", "127.0.0.1:0"),
            ("SANDBOX_LISTEN", "127.0.0.1:0"),
            ("DATABASE_URL", &database),
            ("HASH_THREADS", "1"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let log = folder.path().join(format!("{name}.log"));
        running.push(Process::spawn(&["dev"], &settings, folder.path(), &log, 2).await);
    }
    for (process, name) in running.iter().zip(["one", "two"]) {
        let (service, sandbox) = (process.address("service"), process.address("sandbox"));
        // Browsers open the name, which may lead them to either address.
        let port = service.rsplit(':').next().unwrap();
        assert!(process.printed().contains(&format!("service http://localhost:{port}\n")));
        let hosts = ["localhost", "127.0.0.1", "[::1]"];
        for host in &hosts[..if has_ipv6() { 3 } else { 2 }] {
            let url = format!("http://{host}:{port}/health/live");
            assert_eq!(reqwest::get(url).await.unwrap().status().as_u16(), 200, "{host}");
        }
        let settings = [("COUNTERSIGN_URL", service), ("COUNTERSIGN_PHONE_URL", sandbox)];
        // The whole story, callbacks to the port that was found included.
        let demo = run("client-under-test", &["demo"], &settings, folder.path()).await;
        assert_eq!(demo.code, Some(0), "{}", demo.log);
        // One person each: they share nothing.
        let phone = client_example::phone::Phone::new(sandbox).unwrap();
        assert_eq!(phone.devices().await.unwrap().len(), 1, "{name}");
        assert!(folder.path().join(format!("{name}.sandbox.json")).is_file());
    }
}
