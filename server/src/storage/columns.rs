//! How a value of ours becomes a column, and a column one of ours again.
//!
//! The only place that knows how either database writes time.

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::{
    backend::Backend,
    deserialize::{self, FromSql, FromSqlRow},
    expression::AsExpression,
    pg::Pg,
    serialize::{self, IsNull, Output, ToSql},
    sql_types::Timestamp,
    sqlite::Sqlite,
};

use super::StoreError;

/// An instant as a `timestamp` column: UTC, microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, AsExpression, FromSqlRow)]
#[diesel(sql_type = Timestamp)]
pub(super) struct At(pub(super) DateTime<Utc>);

impl<DB> FromSql<Timestamp, DB> for At
where
    DB: Backend,
    NaiveDateTime: FromSql<Timestamp, DB>,
{
    fn from_sql(bytes: DB::RawValue<'_>) -> deserialize::Result<Self> {
        NaiveDateTime::from_sql(bytes).map(|at| Self(at.and_utc()))
    }
}

impl ToSql<Timestamp, Sqlite> for At {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        // Six digits always: text must sort as time does.
        out.set_value(self.0.format("%Y-%m-%d %H:%M:%S%.6f").to_string());
        Ok(IsNull::No)
    }
}

impl ToSql<Timestamp, Pg> for At {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        ToSql::<Timestamp, Pg>::to_sql(&self.0.naive_utc(), &mut out.reborrow())
    }
}

/// Turns what parsing a column gave into a value, or into an error that names the column.
pub(super) fn read<T>(parsed: Option<T>, table: &'static str, column: &'static str) -> Result<T, StoreError> {
    parsed.ok_or(StoreError::Corrupt { table, column })
}

/// [`read`] for a column that may be null.
pub(super) fn read_optional<T>(
    value: Option<&str>,
    parse: impl FnOnce(&str) -> Option<T>,
    table: &'static str,
    column: &'static str,
) -> Result<Option<T>, StoreError> {
    value.map(|value| read(parse(value), table, column)).transpose()
}
