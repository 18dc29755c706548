//! What a callback carries, as one tree, whether it came as JSON or as a query string.
//!
//! Not whether it is authentic, nor what it means. The invariant: whoever verifies a signature and whoever reads a field
//! use the same tree, and what could be read in two ways is marked as such.

mod json;
mod query;

/// Deeper than anything that Authy sends (four), and shallow enough to walk by recursion.
const MAX_DEPTH: usize = 32;

/// A value within a payload. Objects keep the order of their members.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// JSON's `null`.
    Null,
    /// Text, or a number or truth value as it is spelled when it is signed.
    Text(String),
    /// A JSON array, or parameters whose names end in `[]`.
    List(Vec<Value>),
    /// A JSON object, or parameters with names in brackets.
    Object(Vec<(String, Value)>),
}

/// A whole payload.
pub(crate) struct Payload {
    root: Value,
    ambiguity: Option<&'static str>,
}

impl Payload {
    /// Reads a JSON object. `None` for what is none, or is deeper than 32 levels.
    ///
    /// Of members with the same name the last one counts, in the place of the first, as in Ruby, where payloads are
    /// signed; such a payload is marked as ambiguous.
    pub(crate) fn from_json(body: &[u8]) -> Option<Self> {
        json::read(body)
    }

    /// Reads a query string. What cannot be put into one tree is marked as ambiguous.
    pub(crate) fn from_query(query: &str) -> Self {
        query::read(query)
    }

    /// The members of the outermost object.
    pub(crate) fn root(&self) -> &Value {
        &self.root
    }

    /// Why this payload can be read in two ways, if it can.
    pub(crate) fn ambiguity(&self) -> Option<&'static str> {
        self.ambiguity
    }

    /// The text at a path of names. `None` where there is nothing, null or empty text, which a query string cannot tell
    /// apart.
    pub(crate) fn find_text(&self, path: &[&str]) -> Option<&str> {
        let found = path.iter().try_fold(&self.root, |value, name| match value {
            Value::Object(members) => members.iter().find(|(key, _)| key == name).map(|(_, value)| value),
            _ => None,
        })?;
        match found {
            Value::Text(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Option<Payload> {
        Payload::from_json(text.as_bytes())
    }

    #[test]
    fn fields_are_found_in_both_forms() {
        let path = ["approval_request", "transaction", "status"];
        let from_json = json(r#"{"approval_request":{"transaction":{"status":"denied"}}}"#).unwrap();
        let from_query = Payload::from_query("approval_request%5Btransaction%5D[status]=denied");
        assert_eq!(from_json.find_text(&path), Some("denied"));
        assert_eq!(from_query.find_text(&path), Some("denied"));
        assert!(from_json.root() == from_query.root());
    }

    #[test]
    fn what_is_absent_null_empty_or_no_text_is_not_found() {
        let payload = json(r#"{"n":null,"e":"","o":{"x":"y"},"l":["x"]}"#).unwrap();
        for path in [["n"].as_slice(), &["e"], &["o"], &["l"], &["missing"], &["l", "0"], &["n", "x"], &[]] {
            assert_eq!(payload.find_text(path), None, "{path:?}");
        }
    }

    #[test]
    fn a_number_is_read_as_text() {
        assert_eq!(json(r#"{"authy_id":1234567}"#).unwrap().find_text(&["authy_id"]), Some("1234567"));
    }

    #[test]
    fn depth_is_limited() {
        let nested = |depth: usize| format!("{}{}{}", "{\"a\":".repeat(depth), 1, "}".repeat(depth));
        assert!(json(&nested(MAX_DEPTH)).is_some());
        assert!(json(&nested(MAX_DEPTH + 1)).is_none());
        assert!(json(&"[".repeat(100_000)).is_none());
        assert!(Payload::from_query(&format!("a{}=1", "[b]".repeat(MAX_DEPTH))).ambiguity().is_some());
    }
}
