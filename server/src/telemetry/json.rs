//! Logs for machines: one object a line, in which everything is at the top.
//!
//! What the spans around an event say stands there too, so that a line is found by the id of its request, or of its trace.
//! What is nearer wins.

use std::fmt::{self, Write};

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
        writer.write_str("{")?;
        write_members(&mut writer, true, |visit| fields.record(visit))?;
        writer.write_str("}")
    }

    fn add_fields(
        &self,
        current: &'writer mut FormattedFields<Self>,
        fields: &tracing::span::Record<'_>,
    ) -> fmt::Result {
        let object = &mut current.fields;
        if object.pop().is_none() {
            object.push('{');
        }
        let is_first = object.len() == 1;
        let written = write_members(object, is_first, |visit| fields.record(visit));
        current.fields.push('}');
        written
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
        let mut said = "{".to_owned();
        write_members(&mut said, true, |visit| event.record(visit))?;
        said.push('}');
        members.extend(read(&said));
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

/// Writes the members of an object as text at once. What a span says is written down for each request, and read only where
/// something is logged.
fn write_members(to: &mut impl Write, is_first: bool, record: impl FnOnce(&mut dyn Visit)) -> fmt::Result {
    let mut members = Members { to, is_first, so_far: Ok(()) };
    record(&mut members);
    members.so_far
}

struct Members<'to, To> {
    to: &'to mut To,
    is_first: bool,
    so_far: fmt::Result,
}

impl<To: Write> Members<'_, To> {
    /// One more; its value is written as JSON is.
    fn insert(&mut self, field: &Field, value: impl fmt::Display) {
        let name = field.name();
        if self.so_far.is_ok() && !name.starts_with(FOR_EXPORT) {
            let comma = if std::mem::take(&mut self.is_first) { "" } else { "," };
            // A name is an identifier of ours, and needs no escapes.
            self.so_far = write!(self.to, "{comma}\"{}\":{value}", name.strip_prefix("r#").unwrap_or(name));
        }
    }
}

impl<To: Write> Visit for Members<'_, To> {
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
        self.insert(field, Text(format_args!("{value}")));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.insert(field, Text(format_args!("{value:?}")));
    }
}

/// A text in quotes, escaped.
struct Text<'a>(fmt::Arguments<'a>);

impl fmt::Display for Text<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("\"")?;
        Escaping(formatter).write_fmt(self.0)?;
        formatter.write_str("\"")
    }
}

struct Escaping<'a, 'to>(&'a mut fmt::Formatter<'to>);

impl Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if text.bytes().all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
            return self.0.write_str(text);
        }
        let quoted = serde_json::to_string(text).map_err(|_| fmt::Error)?;
        self.0.write_str(&quoted[1..quoted.len() - 1])
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Text;

    #[test]
    fn a_text_is_escaped_as_json_is_in_however_many_pieces_it_comes() {
        let pieces = ["plain", "\"", "\\", "\u{0}\u{1f}\n", "\u{e4}\u{1f600}\u{7f}", ""];
        for one in pieces {
            for other in pieces {
                let written = Text(format_args!("{one}{other}")).to_string();
                assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), json!(format!("{one}{other}")));
            }
        }
    }
}
