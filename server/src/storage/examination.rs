//! Looking at a database without changing it: what it is, and how it is set up.
//!
//! The invariant: nothing is made and nothing is switched; a file that is not there is not there afterwards.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use diesel::{
    QueryableByName, sql_query,
    sql_types::{Bool, Integer, Nullable, Text, Timestamp},
};
use diesel_async::RunQueryDsl;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{Store, StoreError, StoreSettings, check_url, columns::At, postgres, sqlite::Sqlite};

/// What a URI takes for something else than a part of a path.
const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'-').remove(b'_');

const OF_SQLITE: &str = "select sqlite_version() as version, journal_mode from pragma_journal_mode";

/// Of the server's own time zone nothing is left in what it says.
const OF_POSTGRES: &str = "
    select current_setting('server_version') as version,
           current_setting('max_connections')::int as most_connections,
           current_setting('superuser_reserved_connections')::int as reserved_connections,
           current_setting('transaction_read_only')::bool as is_read_only,
           current_setting('server_encoding') as encoding,
           pg_is_in_recovery() as is_replica,
           (clock_timestamp() at time zone 'utc') as now,
           (select version from pg_stat_ssl where pid = pg_backend_pid()) as tls";

/// What is done with each table, and this role may not do. Who may do something with a column may do it here: which columns
/// is nobody's to count.
const REFUSED_BY_POSTGRES: &str = "
    select name as table_name, string_agg(right_name, ', ' order by right_name) as rights
    from (values
        ('__diesel_schema_migrations', array['select']),
        ('users', array['select', 'insert', 'update']),
        ('enrollments', array['select', 'insert', 'update']),
        ('devices', array['select', 'insert', 'update', 'delete']),
        ('hash_parameters', array['select', 'insert', 'update']),
        ('approvals', array['select', 'insert', 'update', 'delete']),
        ('session_grants', array['select', 'insert', 'delete']),
        ('pending_signups', array['select', 'insert', 'delete']),
        ('used_codes', array['select', 'insert', 'delete']),
        ('sessions', array['select', 'insert', 'update', 'delete']),
        ('confirmations', array['select', 'insert', 'update']),
        ('account_events', array['select', 'insert', 'delete']),
        ('failed_attempts', array['select', 'insert', 'update', 'delete']),
        ('rate_limits', array['select', 'insert', 'update', 'delete']),
        ('leases', array['select', 'insert', 'update']),
        ('keys', array['select']),
        ('sms_conversions', array['select', 'insert', 'update', 'delete']),
        ('network_sms_conversions', array['select', 'insert', 'update', 'delete']),
        ('write_probes', array['select', 'insert', 'update'])
    ) as needed (name, rights), unnest(rights) as right_name
    where not case right_name
        when 'delete' then has_table_privilege(to_regclass(name), right_name)
        else has_any_column_privilege(to_regclass(name), right_name) end
    group by name order by name";

/// Rights on a table that the role of `DATABASE_URL` needs and has not.
#[derive(Debug, QueryableByName)]
pub struct RefusedRights {
    /// The table.
    #[diesel(sql_type = Text)]
    pub table_name: String,
    /// The rights, with commas.
    #[diesel(sql_type = Text)]
    pub rights: String,
}

/// What a database says of itself.
#[derive(Debug)]
pub struct Examination {
    /// Its version.
    pub version: String,
    /// How long the answer took, on a connection that was made before.
    pub answered_in: Duration,
    /// What only one of the two has.
    pub kind: Kind,
}

/// What only one of the two databases has.
#[derive(Debug)]
pub enum Kind {
    /// A file.
    Sqlite {
        /// How it keeps what is being written: `wal` once the service has run.
        journal_mode: String,
    },
    /// A server.
    Postgres(Server),
}

/// What a PostgreSQL says of itself.
#[derive(Debug, QueryableByName)]
pub struct Server {
    #[diesel(sql_type = Text)]
    version: String,
    /// Connections that it takes, from all clients.
    #[diesel(sql_type = Integer)]
    pub most_connections: i32,
    /// How many of them are for its superusers.
    #[diesel(sql_type = Integer)]
    pub reserved_connections: i32,
    /// Whether it refuses to write.
    #[diesel(sql_type = Bool)]
    pub is_read_only: bool,
    /// In which encoding it keeps text.
    #[diesel(sql_type = Text)]
    pub encoding: String,
    /// Whether it only follows another server.
    #[diesel(sql_type = Bool)]
    pub is_replica: bool,
    #[diesel(sql_type = Timestamp)]
    now: At,
    /// The version of TLS that it is spoken to with, if any.
    #[diesel(sql_type = Nullable<Text>)]
    pub tls: Option<String>,
}

impl Server {
    /// What time it is there.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.now.0
    }
}

#[derive(QueryableByName)]
struct File {
    #[diesel(sql_type = Text)]
    version: String,
    #[diesel(sql_type = Text)]
    journal_mode: String,
}

impl Store {
    /// Opens the database that the URL names, to look at it: where there is no file, none is made, and one that is there stays
    /// as it is.
    pub fn open_to_look(url: &str, settings: &StoreSettings) -> Result<Self, StoreError> {
        check_url(url).map_err(StoreError::Url)?;
        match url.strip_prefix("sqlite:") {
            Some(path) => only_looked_at(path, settings).map(Self::Sqlite),
            None => postgres::Postgres::open_to_look(url, settings).map(Self::Postgres),
        }
    }

    /// Whether a pooler that shares connections by the transaction stands before the database. Never before a file.
    pub async fn is_shared_by_transaction(&self) -> Result<bool, StoreError> {
        match self {
            Self::Sqlite(_) => Ok(false),
            Self::Postgres(postgres) => postgres.is_shared_by_transaction().await,
        }
    }

    /// Asks the database what it is.
    pub async fn examine(&self) -> Result<Examination, StoreError> {
        match self {
            Self::Sqlite(sqlite) => {
                let mut connection = sqlite.get().await?;
                let asked = Instant::now();
                let file: File = sql_query(OF_SQLITE).get_result(&mut *connection).await?;
                let kind = Kind::Sqlite { journal_mode: file.journal_mode };
                Ok(Examination { version: file.version, answered_in: asked.elapsed(), kind })
            }
            Self::Postgres(postgres) => {
                let mut connection = postgres.connect().await?;
                let asked = Instant::now();
                let server: Server = sql_query(OF_POSTGRES).get_result(&mut connection).await?;
                let answered_in = asked.elapsed();
                Ok(Examination { version: server.version.clone(), answered_in, kind: Kind::Postgres(server) })
            }
        }
    }

    /// What the role may not do with tables that are there. Of a file there is none: who may write it may do everything.
    pub async fn refused_rights(&self) -> Result<Vec<RefusedRights>, StoreError> {
        match self {
            Self::Sqlite(_) => Ok(Vec::new()),
            Self::Postgres(postgres) => {
                let mut connection = postgres.get().await?;
                Ok(sql_query(REFUSED_BY_POSTGRES).load(&mut *connection).await?)
            }
        }
    }
}

/// A connection that neither makes the file nor switches its journal.
fn only_looked_at(path: &str, settings: &StoreSettings) -> Result<Sqlite, StoreError> {
    let path = Path::new(path);
    // SQLite follows links, and keeps what is being written beside the file that they lead to.
    let absolute = path.canonicalize().or_else(|_| std::path::absolute(path));
    let absolute = absolute.map_err(|_| StoreError::Url("names no path".into()))?;
    // What a service writes or has left behind stays where it is: whoever may write moves it into the file when they leave.
    // Where there is nothing of the kind, only who may write removes what SQLite makes beside the file to read it.
    let mut unmoved = absolute.clone().into_os_string();
    unmoved.push("-wal");
    let mode = if Path::new(&unmoved).exists() { "ro" } else { "rw" };
    let uri = format!("file:{}?mode={mode}", utf8_percent_encode(&absolute.to_string_lossy(), IN_PATH));
    Sqlite::open_to_look(&uri, settings)
}

#[cfg(test)]
mod tests {
    use super::REFUSED_BY_POSTGRES;

    #[test]
    fn every_table_is_asked_for() {
        let schema = include_str!("schema.rs");
        let tables: Vec<_> = schema.split("diesel::table! {").skip(1).collect();
        assert!(!tables.is_empty());
        for table in tables {
            let name = table.trim().split(' ').next().unwrap();
            assert!(REFUSED_BY_POSTGRES.contains(&format!("('{name}', array['select'")), "{name}");
        }
    }
}
