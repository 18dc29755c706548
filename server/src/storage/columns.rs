//! How a value of ours becomes a column, and a column one of ours again.
//!
//! The only place that knows how either database writes time.

use chrono::{DateTime, Datelike as _, NaiveDate, NaiveDateTime, Timelike as _, Utc};
use diesel::{
    backend::Backend,
    deserialize::{self, FromSql, FromSqlRow},
    expression::AsExpression,
    pg::Pg,
    serialize::{self, IsNull, Output, ToSql},
    sql_types::{Text, Timestamp},
    sqlite::Sqlite,
};

use super::StoreError;

/// An instant as a `timestamp` column: UTC, microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, AsExpression, FromSqlRow)]
#[diesel(sql_type = Timestamp)]
pub(super) struct At(pub(super) DateTime<Utc>);

impl FromSql<Timestamp, Pg> for At {
    fn from_sql(bytes: <Pg as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        <NaiveDateTime as FromSql<Timestamp, Pg>>::from_sql(bytes).map(|at| Self(at.and_utc()))
    }
}

impl FromSql<Timestamp, Sqlite> for At {
    fn from_sql(value: <Sqlite as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        let text = <String as FromSql<Text, Sqlite>>::from_sql(value)?;
        let at = of_text(&text).map_or_else(|| NaiveDateTime::parse_from_str(&text, ANY_FRACTION), Ok)?;
        Ok(Self(at.and_utc()))
    }
}

impl ToSql<Timestamp, Sqlite> for At {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(text_of(self.0.naive_utc()));
        Ok(IsNull::No)
    }
}

/// How SQLite's own functions write time.
const ANY_FRACTION: &str = "%Y-%m-%d %H:%M:%S%.f";

/// How time stands in SQLite: `2026-11-22 10:00:00.123456`. Six digits always, for text must sort as time does. chrono would
/// read the format anew each time, which took as long as finding the row.
fn text_of(at: NaiveDateTime) -> String {
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:06}",
        at.year(),
        at.month(),
        at.day(),
        at.hour(),
        at.minute(),
        at.second(),
        at.and_utc().timestamp_subsec_micros() % 1_000_000,
    )
}

/// What [`text_of`] wrote; nothing, where it is written in another way.
fn of_text(text: &str) -> Option<NaiveDateTime> {
    let (date, time) = (text.get(..10)?, text.get(10..26).filter(|_| text.len() == 26)?);
    let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?;
    let marks = [
        date.get(4..5)?,
        date.get(7..8)?,
        time.get(..1)?,
        time.get(3..4)?,
        time.get(6..7)?,
        time.get(9..10)?,
    ];
    if marks != ["-", "-", " ", ":", ":", "."] {
        return None;
    }
    let year = i32::try_from(number(date.get(..4)?)?).ok()?;
    let date = NaiveDate::from_ymd_opt(year, number(date.get(5..7)?)?, number(date.get(8..)?)?)?;
    let micros = number(time.get(10..)?)?;
    date.and_hms_micro_opt(
        number(time.get(1..3)?)?,
        number(time.get(4..6)?)?,
        number(time.get(7..9)?)?,
        micros,
    )
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

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> NaiveDateTime {
        NaiveDateTime::parse_from_str(text, ANY_FRACTION).unwrap()
    }

    #[test]
    fn time_is_written_as_before_and_read_as_it_was_written() {
        for text in ["2026-11-22 10:00:00.123456", "1970-01-01 00:00:00.000000", "0987-02-28 23:59:59.999999"]
        {
            assert_eq!(text_of(at(text)), text);
            assert_eq!(at(text).format("%Y-%m-%d %H:%M:%S%.6f").to_string(), text);
            assert_eq!(of_text(text), Some(at(text)));
        }
    }

    #[test]
    fn what_is_written_in_another_way_is_not_taken_for_it() {
        for text in [
            "",
            "2026-11-22 10:00:00",
            "2026-11-22T10:00:00.123456",
            "2026-13-22 10:00:00.123456",
            "2026-11-22 10:60:00.123456",
            "2026-11-22 +1:00:00.123456",
            "2026-11-22 10:00:00.1234567",
            "\u{e4}26-11-22 10:00:00.123456",
        ] {
            assert_eq!(of_text(text), None, "{text}");
        }
    }
}
