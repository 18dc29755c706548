//! The database: whether it is there, what it is, and whether its schema fits this binary.

use std::{path::Path, time::Duration};

use chrono::{DateTime, Utc};
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

use super::{
    Finding, Status,
    background::Leases,
    clock::{DATABASE, Told},
    emails, file,
    reason::whole,
    within,
};
use crate::{
    background::LEASE_PREFIX,
    clock::Clock,
    config::{DatabaseUrl, PartialSettings},
    storage::{
        ExaminedKind, ExaminedServer, RefusedRights, Store, StoreError, StoreSettings,
        is_open_to_eavesdroppers,
    },
};

const CHECK: &str = "database";
const SCHEMA: &str = "schema";
const MIGRATE: &str = "run: countersign migrate";
const MIGRATIONS: &str = "__diesel_schema_migrations";
const HELD_UP: &str = "see what holds the database up";
/// How long one question may take.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);
/// How long all of them may: those that a disk holds up have no time of their own.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(12);
/// Beside those of the pool: one to ask whether it is there, one that hears NOTIFY.
const BESIDE_THE_POOL: usize = 2;

/// What was found.
pub(super) struct Found {
    pub(super) database: Vec<Finding>,
    pub(super) schema: Vec<Finding>,
    pub(super) time: Option<Told>,
    pub(super) leases: Option<Leases>,
}

impl Found {
    /// Without a database there is no schema to look at.
    fn without_schema(database: Finding) -> Self {
        let schema = vec![Finding::skipped(SCHEMA, "not looked at: see the database")];
        Self { database: vec![database], schema, time: None, leases: None }
    }
}

pub(super) async fn check(settings: &PartialSettings, clock: Clock) -> Found {
    let Some(url) = settings.given.service.database.database_url.clone() else {
        return Found::without_schema(Finding::skipped(CHECK, "not looked at: see DATABASE_URL"));
    };
    let configured = settings.given.providers.names();
    let settings = settings.given.service.store;
    // On a thread of its own: whoever asks a disk waits for it there, and the time of all other questions goes on.
    let looking = TaskTracker::new().spawn_blocking({
        let url = url.clone();
        move || Handle::current().block_on(look(&url, (&settings, &configured), &clock))
    });
    match within(GIVEN_UP_AFTER, looking).await {
        Some(Ok(found)) => found,
        Some(Err(panicked)) => {
            let advice = "please report this, with what stands above it";
            Found::without_schema(Finding::failure(
                CHECK,
                format!("it was not looked at: {panicked}"),
                advice,
            ))
        }
        None => Found::without_schema(hangs(&url)),
    }
}

fn hangs(url: &DatabaseUrl) -> Finding {
    let advice = match url.sqlite_path() {
        Some(_) => "see whether the disk that it lies on, or the network before that, has stopped (`dmesg`)",
        None => HELD_UP,
    };
    Finding::failure(CHECK, "whoever looks at it waits without an end", advice)
}

async fn look(url: &DatabaseUrl, (settings, configured): (&StoreSettings, &[&str]), clock: &Clock) -> Found {
    if let Some(missing) = url.sqlite_path().and_then(|path| file::missing(Path::new(path))) {
        return Found::without_schema(missing);
    }
    let store = match Store::open_to_look(url.as_str(), settings) {
        Ok(store) => store,
        Err(error) => return Found::without_schema(away(url, &error)),
    };
    let asked = clock.now();
    let examination = match within(ANSWERS_WITHIN, store.examine()).await {
        Some(Ok(examination)) => examination,
        Some(Err(error)) => return Found::without_schema(away(url, &error)),
        None => return Found::without_schema(away(url, &StoreError::timed_out(ANSWERS_WITHIN))),
    };
    let here = (asked, clock.now());
    let answers = format!("answers in {:.1} ms", examination.answered_in.as_secs_f64() * 1_000.0);
    let (database, time) = match examination.kind {
        ExaminedKind::Sqlite { journal_mode } => {
            let summary = format!("SQLite {}, {answers}", examination.version);
            let path = Path::new(url.sqlite_path().unwrap_or_default());
            (file::check(path, &journal_mode, &summary), None)
        }
        ExaminedKind::Postgres(server) => {
            let summary = format!("PostgreSQL {}, {answers}", examination.version);
            let mut findings = of_server(url, settings.database_pool_size, &server, &summary);
            if let Some(pooler) = pooler(&store).await {
                findings.retain(|finding| finding.status != Status::Ok);
                findings.push(pooler);
            }
            (findings, Some(told(server.now(), here)))
        }
    };
    let schema = schema(&store, configured).await;
    // Where the schema does not fit, it has been told.
    let leases = within(ANSWERS_WITHIN, store.last_turns(LEASE_PREFIX)).await.and_then(Result::ok);
    Found { database, schema, time, leases }
}

fn told(now: DateTime<Utc>, here: (DateTime<Utc>, DateTime<Utc>)) -> Told {
    Told { by: DATABASE, there: (now, now), here }
}

fn away(url: &DatabaseUrl, error: &StoreError) -> Finding {
    let kind = if url.sqlite_path().is_some() { "SQLite" } else { "PostgreSQL" };
    let advice = match (url.sqlite_path(), error) {
        (Some(_), _) => {
            "see that DATABASE_URL names the file of this service, and that this user may write it"
        }
        (None, StoreError::Url(_)) => "see how DATABASE_URL is written",
        (None, StoreError::TimedOut(_)) => {
            "something takes the connection and says nothing: see that host and port are those of PostgreSQL, and that \
             nothing drops what is sent there"
        }
        (None, _) => {
            "see that it runs, that DATABASE_URL names its host, port and database, and that it lets this user in"
        }
    };
    Finding::failure(CHECK, format!("{kind} cannot be used: {}", whole(error)), advice)
}

fn of_server(url: &DatabaseUrl, pool_size: usize, server: &ExaminedServer, summary: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    if server.is_replica {
        let advice = "let DATABASE_URL name the primary";
        findings.push(Finding::failure(CHECK, "it is a replica, which only follows another server", advice));
    } else if server.is_read_only {
        let advice = "see default_transaction_read_only, of the server, the database and the role";
        findings.push(Finding::failure(CHECK, "it refuses to write", advice));
    }
    if server.encoding != "UTF8" {
        let advice = "make one with: createdb --encoding=UTF8 --template=template0 …";
        findings.push(Finding::failure(CHECK, format!("its encoding is {}", server.encoding), advice));
    }
    if is_open_to_eavesdroppers(url.as_str()) {
        let message =
            "it is spoken to without TLS beyond this machine: others on the way can read and change it";
        findings.push(Finding::warning(CHECK, message, "add ?sslmode=verify-full to DATABASE_URL"));
    }
    let for_us = server.most_connections.saturating_sub(server.reserved_connections);
    let for_us = usize::try_from(for_us).unwrap_or_default();
    let wanted = pool_size.saturating_add(BESIDE_THE_POOL);
    if wanted > for_us {
        let message =
            format!("one instance wants up to {wanted} connections, and it has {for_us} for everybody");
        let advice = "lower DATABASE_POOL_SIZE, or raise max_connections";
        findings.push(Finding::warning(CHECK, message, advice));
    }
    if findings.is_empty() {
        let tls = server.tls.as_deref().unwrap_or("no TLS, on this machine");
        findings.push(Finding::ok(CHECK, format!("{summary}, {tls}, {wanted} of {for_us} connections")));
    }
    findings
}

/// What there is to say of a pooler that shares connections by the transaction.
async fn pooler(store: &Store) -> Option<Finding> {
    let is_shared = within(ANSWERS_WITHIN, store.is_shared_by_transaction()).await;
    is_shared.is_some_and(Result::unwrap_or_default).then(|| {
        let message = "a pooler in transaction mode stands before it: NOTIFY does not get through";
        let advice = "set EVENTS_URL to NATS, and run `countersign migrate` past the pooler (docs/OPERATIONS.md, A pooler); \
                      or let it pool by session";
        Finding::warning(CHECK, message, advice)
    })
}

async fn schema(store: &Store, configured: &[&str]) -> Vec<Finding> {
    let refused = match within(ANSWERS_WITHIN, store.refused_rights()).await {
        Some(Ok(refused)) => refused,
        Some(Err(error)) => return vec![unreadable(&whole(&error), HELD_UP)],
        None => return vec![unreadable("no answer in time", HELD_UP)],
    };
    let mut findings = Vec::new();
    if let Some(tables) = refusals(&refused) {
        let advice = "as the owner of the tables, let the role of DATABASE_URL use them: grant select, insert, update, \
                      delete on all tables in schema public to …";
        findings.push(Finding::failure(SCHEMA, format!("this role may not {tables}"), advice));
    }
    if refused.iter().all(|refused| refused.table_name != MIGRATIONS) {
        let version = version(store).await;
        // Where it may not be used, its version alone makes nothing well.
        if findings.is_empty() || version.status != Status::Ok {
            findings.push(version);
        }
    }
    if findings.iter().all(|finding| finding.status == Status::Ok) {
        findings.extend(emails::check(store).await);
        findings.extend(missing_providers(store, configured).await);
    }
    findings
}

/// The providers that open logins were started with, and that are not configured: such a login ends at its deadline.
async fn missing_providers(store: &Store, configured: &[&str]) -> Option<Finding> {
    let needed = within(ANSWERS_WITHIN, store.providers_of_open_approvals()).await?.ok()?;
    let missing: Vec<_> = needed.into_iter().filter(|name| !configured.contains(&name.as_str())).collect();
    let advice = "add it to PROVIDERS until they have ended";
    let message = || format!("open logins need a provider that is not configured: {}", missing.join(", "));
    (!missing.is_empty()).then(|| Finding::warning(SCHEMA, message(), advice))
}

/// `select, insert on users; delete on logins`.
fn refusals(refused: &[RefusedRights]) -> Option<String> {
    let tables: Vec<_> =
        refused.iter().map(|refused| format!("{} on {}", refused.rights, refused.table_name)).collect();
    (!tables.is_empty()).then(|| tables.join("; "))
}

fn unreadable(why: &str, advice: &str) -> Finding {
    Finding::failure(SCHEMA, format!("it cannot be read: {why}"), advice)
}

async fn version(store: &Store) -> Finding {
    let asked = async { Ok((store.unknown_migrations().await?, store.pending_migrations().await?)) };
    match within(ANSWERS_WITHIN, asked).await {
        Some(Ok((unknown, _))) if !unknown.is_empty() => {
            let message = format!("it is newer than this binary, which does not know {}", named(&unknown));
            Finding::failure(SCHEMA, message, "install the binary that ran them, or one that is newer still")
        }
        Some(Ok((_, pending))) if !pending.is_empty() => {
            Finding::failure(SCHEMA, format!("{} pending", named(&pending)), MIGRATE)
        }
        Some(Ok(_)) => Finding::ok(SCHEMA, "is the one of this binary"),
        Some(Err::<_, StoreError>(error)) => {
            unreadable(&whole(&error), "see that this user may read the table __diesel_schema_migrations")
        }
        None => unreadable("no answer in time", HELD_UP),
    }
}

/// How many migrations, and which.
fn named(versions: &[String]) -> String {
    match versions {
        [one] => format!("1 migration ({one})"),
        [first, .., last] => format!("{} migrations ({first} to {last})", versions.len()),
        [] => "no migrations".to_owned(),
    }
}
