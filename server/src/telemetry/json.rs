//! Logs for machines: one object a line, in which everything is at the top.
//!
//! What the spans around an event say stands there too, so that a line is found by the id of its request, or of its trace.
//! What is nearer wins.

use std::fmt;

use serde_json::{Map, Value};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    field::RecordFields,
    fmt::{
        FmtContext, FormatEvent, FormatFields, FormattedFields,
        format::Writer,
        time::{ChronoUtc, FormatTime as _},
    },
    registry::{LookupSpan, Scope},
};

use super::text::FOR_EXPORT;

/// Fields as an object.
pub(super) struct JsonFields;

impl<'writer> FormatFields<'writer> for JsonFields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'writer>, fields: R) -> fmt::Result {
        let mut members = Members::default();
        fields.record(&mut members);
        write(writer, &members.0)
    }

    fn add_fields(
        &self,
        current: &'writer mut FormattedFields<Self>,
        fields: &tracing::span::Record<'_>,
    ) -> fmt::Result {
        // Not read and written anew: this is done for each request.
        let mut members = Members::default();
        fields.record(&mut members);
        let added = serde_json::to_string(&members.0).map_err(|_| fmt::Error)?;
        if members.0.is_empty() {
            return Ok(());
        }
        match current.fields.as_str() {
            "" | "{}" => current.fields = added,
            _ => {
                current.fields.pop();
                current.fields.push(',');
                current.fields.push_str(&added[1..]);
            }
        }
        Ok(())
    }
}

/// Events as lines.
pub(super) struct JsonLines;

impl<S> FormatEvent<S, JsonFields> for JsonLines
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut members = Members::default();
        for span in context.event_scope().into_iter().flat_map(Scope::from_root) {
            if let Some(fields) = span.extensions().get::<FormattedFields<JsonFields>>() {
                members.0.extend(read(fields));
            }
        }
        event.record(&mut members);
        let metadata = event.metadata();
        let mut line = Map::new();
        let mut timestamp = String::new();
        ChronoUtc::new("%Y-%m-%dT%H:%M:%S%.6fZ".to_owned()).format_time(&mut Writer::new(&mut timestamp))?;
        line.insert("timestamp".to_owned(), timestamp.into());
        line.insert("level".to_owned(), metadata.level().as_str().into());
        line.insert("target".to_owned(), metadata.target().into());
        // A field that is called as one of these would be lost, or take its place.
        members.0.retain(|name, _| !line.contains_key(name));
        line.extend(members.0);
        write(writer.by_ref(), &line)?;
        writeln!(writer)
    }
}

fn read(fields: &FormattedFields<JsonFields>) -> Map<String, Value> {
    serde_json::from_str(&fields.fields).unwrap_or_default()
}

fn write(mut writer: Writer<'_>, members: &Map<String, Value>) -> fmt::Result {
    writer.write_str(&serde_json::to_string(members).map_err(|_| fmt::Error)?)
}

#[derive(Default)]
struct Members(Map<String, Value>);

impl Members {
    fn insert(&mut self, field: &Field, value: Value) {
        let name = field.name();
        if !name.starts_with(FOR_EXPORT) {
            self.0.insert(name.strip_prefix("r#").unwrap_or(name).to_owned(), value);
        }
    }
}

impl Visit for Members {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.insert(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.insert(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.insert(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.insert(field, value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.insert(field, value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.insert(field, format!("{value:?}").into());
    }
}
