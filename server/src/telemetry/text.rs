//! Logs for people: what a span says, without what is only for those who are sent spans.

use std::fmt;

use tracing::field::{Field, Visit};
use tracing_subscriber::{
    field::{RecordFields, VisitOutput as _},
    fmt::{
        FormatFields,
        format::{DefaultVisitor, Writer},
    },
};

/// What begins so, says how a span is exported.
pub(super) const FOR_EXPORT: &str = "otel.";

/// The usual fields, but for those.
pub(super) struct TextFields;

impl<'writer> FormatFields<'writer> for TextFields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'writer>, fields: R) -> fmt::Result {
        let mut visitor = Told(DefaultVisitor::new(writer, true));
        fields.record(&mut visitor);
        visitor.0.finish()
    }
}

struct Told<'a>(DefaultVisitor<'a>);

impl Visit for Told<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if !field.name().starts_with(FOR_EXPORT) {
            self.0.record_str(field, value);
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.0.record_error(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if !field.name().starts_with(FOR_EXPORT) {
            self.0.record_debug(field, value);
        }
    }
}
