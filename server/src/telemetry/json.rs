//! Logs for machines: one object a line, in which everything is at the top.
//!
//! What the spans around an event say stands there too, so that a line is found by the id of its request, or of its trace.
//! What is nearer wins.

use std::fmt::{self, Write as _};

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
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'writer>, fields: R) -> fmt::Result {
        writer.write_str(&Object::of(|visit| fields.record(visit)).0)
    }

    fn add_fields(
        &self,
        current: &'writer mut FormattedFields<Self>,
        fields: &tracing::span::Record<'_>,
    ) -> fmt::Result {
        let added = Object::of(|visit| fields.record(visit)).0;
        match current.fields.as_str() {
            "" | "{}" => current.fields = added,
            _ if added == "{}" => {}
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
        let mut members = Map::new();
        for span in context.event_scope().into_iter().flat_map(Scope::from_root) {
            if let Some(fields) = span.extensions().get::<FormattedFields<JsonFields>>() {
                members.extend(read(&fields.fields));
            }
        }
        members.extend(read(&Object::of(|visit| event.record(visit)).0));
        let metadata = event.metadata();
        let mut line = Map::new();
        let mut timestamp = String::new();
        ChronoUtc::new("%Y-%m-%dT%H:%M:%S%.6fZ".to_owned()).format_time(&mut Writer::new(&mut timestamp))?;
        line.insert("timestamp".to_owned(), timestamp.into());
        line.insert("level".to_owned(), metadata.level().as_str().into());
        line.insert("target".to_owned(), metadata.target().into());
        // A field that is called as one of these would be lost, or take its place.
        members.retain(|name, _| !line.contains_key(name));
        line.extend(members);
        writeln!(writer, "{}", Value::Object(line))
    }
}

fn read(members: &str) -> Map<String, Value> {
    serde_json::from_str(members).unwrap_or_default()
}

/// An object as text. What a span says is written down for each request, and read only where something is logged.
struct Object(String);

impl Object {
    fn of(record: impl FnOnce(&mut dyn Visit)) -> Self {
        let mut object = Self("{".to_owned());
        record(&mut object);
        object.0.push('}');
        object
    }

    fn insert(&mut self, field: &Field, value: impl fmt::Display) {
        let name = field.name();
        if !name.starts_with(FOR_EXPORT) {
            let comma = if self.0.len() > 1 { "," } else { "" };
            let name = name.strip_prefix("r#").unwrap_or(name);
            // A name is an identifier of ours, and needs no escapes.
            let _ = write!(self.0, "{comma}\"{name}\":{value}");
        }
    }
}

impl Visit for Object {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.insert(field, Value::from(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.insert(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.insert(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.insert(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.insert(field, Value::from(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.insert(field, Value::from(format!("{value:?}")));
    }
}
