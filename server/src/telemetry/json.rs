//! Logs for machines: one object a line, with every field at the top.
//!
//! `tracing-subscriber` formats the fields. Its own lines nest spans, and those who search for a request or a trace would have
//! to search every span of the list. Of fields with one name, the nearest span's wins, and the event's over all.

use std::fmt;

use serde_json::{Map, Value};
use tracing::{Event, Subscriber};
use tracing_subscriber::{
    fmt::{
        FmtContext, FormatEvent, FormatFields as _, FormattedFields,
        format::{JsonFields, Writer},
        time::{ChronoUtc, FormatTime as _},
    },
    registry::{LookupSpan, Scope},
};

use super::text::FOR_EXPORT;

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
        let mut line = Map::new();
        for span in context.event_scope().into_iter().flat_map(Scope::from_root) {
            if let Some(fields) = span.extensions().get::<FormattedFields<JsonFields>>() {
                line.extend(read(&fields.fields));
            }
        }
        let mut fields = String::new();
        context.format_fields(Writer::new(&mut fields), event)?;
        line.extend(read(&fields));
        line.retain(|name, _| !name.starts_with(FOR_EXPORT));
        let mut timestamp = String::new();
        ChronoUtc::new("%Y-%m-%dT%H:%M:%S%.6fZ".to_owned()).format_time(&mut Writer::new(&mut timestamp))?;
        let metadata = event.metadata();
        line.insert("timestamp".to_owned(), timestamp.into());
        line.insert("level".to_owned(), metadata.level().as_str().into());
        line.insert("target".to_owned(), metadata.target().into());
        writeln!(writer, "{}", Value::Object(line))
    }
}

fn read(fields: &str) -> Map<String, Value> {
    serde_json::from_str(fields).unwrap_or_default()
}
