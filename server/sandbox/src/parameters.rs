//! The parameters of one call to Authy's API: query, form and JSON body in one map, by the rules that Rails
//! reads them with, because the published clients rely on different ones of them. Not validation: a parameter
//! that is missing or odd is refused by the call that needs it. Invariant: depth, number and size are
//! bounded.

use percent_encoding::percent_decode;
use serde_json::{Map, Value};

/// Levels of nesting, in a body as in brackets.
const MAXIMAL_DEPTH: usize = 12;
/// Parameters of one call.
const MAXIMAL_COUNT: usize = 500;

/// The merged parameters. No `Debug`: they hold phones, codes and the key.
pub(super) struct Parameters(Map<String, Value>);

/// Why a call's parameters cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum ParameterError {
    #[error("the parameters are not UTF-8")]
    NotUtf8,
    #[error("the body is not a JSON object")]
    NotAnObject,
    #[error("a parameter is a value in one place and a container in another")]
    Contradiction,
    #[error("too many parameters, or nested too deep")]
    TooMuch,
}

impl Parameters {
    /// Reads query and body. A body's parameter replaces the query's of the same name, nested ones as a
    /// whole, as in Rails.
    pub(super) fn read(query: &str, content_type: &str, body: &[u8]) -> Result<Self, ParameterError> {
        let mut members = read_form(query.as_bytes())?;
        let is_json = content_type.contains("json")
            || (!content_type.contains("form") && body.trim_ascii_start().starts_with(b"{"));
        let from_body = if body.trim_ascii().is_empty() {
            Map::new()
        } else if is_json {
            read_json(body)?
        } else {
            read_form(body)?
        };
        members.extend(from_body);
        Ok(Self(members))
    }

    /// A parameter as text; numbers and booleans are written out. Nothing where it is null, missing or a
    /// container.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.0.get(name).and_then(text_of)
    }

    /// Whether a parameter says yes. Python's library writes `True`.
    pub(super) fn flag(&self, name: &str) -> bool {
        self.text(name).is_some_and(|text| text.eq_ignore_ascii_case("true") || text == "1")
    }

    /// The members of a nested parameter; nothing where it is missing or not an object.
    pub(super) fn nested(&self, name: &str) -> Option<Parameters> {
        self.0.get(name).and_then(Value::as_object).cloned().map(Parameters)
    }

    /// A parameter as it came; missing reads as null.
    pub(super) fn value(&self, name: &str) -> &Value {
        self.0.get(name).unwrap_or(&Value::Null)
    }
}

/// A single value as text.
pub(super) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// An array, also where it came as `a[0][…]`, that is as an object whose keys are indices.
pub(super) fn elements_of(value: &Value) -> Option<Vec<Value>> {
    match value {
        Value::Array(elements) => Some(elements.clone()),
        Value::Object(members) => {
            let indexed: Option<Vec<(usize, &Value)>> =
                members.iter().map(|(key, member)| key.parse().ok().map(|index| (index, member))).collect();
            let mut indexed = indexed?;
            indexed.sort_by_key(|(index, _)| *index);
            Some(indexed.into_iter().map(|(_, member)| member.clone()).collect())
        }
        _ => None,
    }
}

fn read_json(body: &[u8]) -> Result<Map<String, Value>, ParameterError> {
    let text = std::str::from_utf8(body).map_err(|_| ParameterError::NotUtf8)?;
    let value: Value = serde_json::from_str(text).map_err(|_| ParameterError::NotAnObject)?;
    if depth(&value) > MAXIMAL_DEPTH || count(&value) > MAXIMAL_COUNT {
        return Err(ParameterError::TooMuch);
    }
    match value {
        Value::Object(members) => Ok(members),
        _ => Err(ParameterError::NotAnObject),
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(elements) => 1 + elements.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fn count(value: &Value) -> usize {
    match value {
        Value::Array(elements) => elements.iter().map(count).sum::<usize>() + 1,
        Value::Object(members) => members.values().map(count).sum::<usize>() + 1,
        _ => 1,
    }
}

fn read_form(form: &[u8]) -> Result<Map<String, Value>, ParameterError> {
    let mut members = Map::new();
    let pairs = form.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
    for (number, pair) in pairs.enumerate() {
        if number >= MAXIMAL_COUNT {
            return Err(ParameterError::TooMuch);
        }
        let mut halves = pair.splitn(2, |byte| *byte == b'=');
        let name = decode(halves.next().unwrap_or_default())?;
        let value = decode(halves.next().unwrap_or_default())?;
        if let Some(steps) = steps_of(&name)? {
            insert(&mut members, &steps, value)?;
        }
    }
    Ok(members)
}

fn decode(text: &[u8]) -> Result<String, ParameterError> {
    let text: Vec<u8> = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    percent_decode(&text).decode_utf8().map(String::from).map_err(|_| ParameterError::NotUtf8)
}

/// A name taken apart: `a[b][]` is `a`, `b` and the empty step of an array. Nothing for a name without
/// letters.
fn steps_of(name: &str) -> Result<Option<Vec<&str>>, ParameterError> {
    let name = name.trim_matches(' ');
    let Some((first, rest)) = name.split_once('[').filter(|(first, _)| !first.is_empty()) else {
        return Ok((!name.is_empty()).then(|| vec![name]));
    };
    let mut steps = vec![first];
    steps.extend(rest.split('[').map(|step| step.strip_suffix(']').unwrap_or(step)));
    if steps.len() > MAXIMAL_DEPTH { Err(ParameterError::TooMuch) } else { Ok(Some(steps)) }
}

/// Puts a value where its steps lead. An empty step is an array: `a[]=x` appends, and `a[][k]=x` belongs to
/// the last element unless that one has `k` already.
fn insert(members: &mut Map<String, Value>, steps: &[&str], value: String) -> Result<(), ParameterError> {
    let (first, rest) = steps.split_first().ok_or(ParameterError::Contradiction)?;
    if rest.is_empty() {
        members.insert((*first).to_owned(), Value::String(value));
        return Ok(());
    }
    if let Some((&"", inside)) = rest.split_first() {
        let entry = members.entry(*first).or_insert_with(|| Value::Array(Vec::new()));
        let elements = entry.as_array_mut().ok_or(ParameterError::Contradiction)?;
        return append(elements, inside, value);
    }
    let entry = members.entry(*first).or_insert_with(|| Value::Object(Map::new()));
    insert(entry.as_object_mut().ok_or(ParameterError::Contradiction)?, rest, value)
}

fn append(elements: &mut Vec<Value>, inside: &[&str], value: String) -> Result<(), ParameterError> {
    let Some(key) = inside.first() else {
        elements.push(Value::String(value));
        return Ok(());
    };
    let continues = elements.last().and_then(Value::as_object).is_some_and(|last| {
        let is_single = inside.len() == 1;
        last.get(*key).is_none_or(|present| !is_single && (present.is_object() || present.is_array()))
    });
    if !continues {
        elements.push(Value::Object(Map::new()));
    }
    let last = elements.last_mut().and_then(Value::as_object_mut).ok_or(ParameterError::Contradiction)?;
    insert(last, inside, value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn form(text: &str) -> Value {
        Value::Object(read_form(text.as_bytes()).unwrap())
    }

    #[test]
    fn brackets_nest() {
        let read = form("user%5Bemail%5D=h%40e.com&user[cellphone]=405-342-5699&user[country_code]=1");
        let expected =
            json!({"user": {"email": "h@e.com", "cellphone": "405-342-5699", "country_code": "1"}});
        assert_eq!(read, expected);
    }

    #[test]
    fn a_blank_is_plus_or_percent_20() {
        assert_eq!(form("a=Log+in%20now&b=1%2B1"), json!({"a": "Log in now", "b": "1+1"}));
    }

    #[test]
    fn empty_brackets_append() {
        assert_eq!(form("a[]=1&a[]=2"), json!({"a": ["1", "2"]}));
    }

    #[test]
    fn an_array_of_objects_begins_a_new_element_when_a_key_repeats() {
        let read = form("logos[][res]=default&logos[][url]=d&logos[][res]=low&logos[][url]=l");
        assert_eq!(read, json!({"logos": [{"res": "default", "url": "d"}, {"res": "low", "url": "l"}]}));
    }

    #[test]
    fn an_array_with_indices_is_read_in_their_order() {
        let read = form("logos[1][res]=low&logos[0][res]=default&logos[10][res]=high&logos[2][res]=med");
        let elements = elements_of(&read["logos"]).unwrap();
        assert_eq!(
            elements,
            [json!({"res": "default"}), json!({"res": "low"}), json!({"res": "med"}), json!({"res": "high"})]
        );
    }

    #[test]
    fn a_value_that_is_also_a_container_is_refused() {
        for text in ["a=1&a[b]=2", "a[]=1&a[b]=2", "a[b]=1&a[]=2"] {
            assert_eq!(read_form(text.as_bytes()), Err(ParameterError::Contradiction), "{text}");
        }
    }

    #[test]
    fn a_body_replaces_the_query() {
        let read = Parameters::read("a=1&b=2", "application/json", br#"{"a": 3, "c": null}"#).unwrap();
        assert_eq!(read.text("a").as_deref(), Some("3"));
        assert_eq!(read.text("b").as_deref(), Some("2"));
        assert_eq!(read.text("c"), None);
    }

    #[test]
    fn an_empty_body_is_no_body_whatever_its_content_type() {
        for content_type in ["application/json", "application/x-www-form-urlencoded", ""] {
            assert!(Parameters::read("force=true", content_type, b"").unwrap().flag("force"));
        }
    }

    #[test]
    fn a_body_without_content_type_is_read_by_its_look() {
        assert!(Parameters::read("", "", br#"{"force": true}"#).unwrap().flag("force"));
        assert!(Parameters::read("", "text/plain", b"force=true").unwrap().flag("force"));
    }

    #[test]
    fn yes_has_three_spellings() {
        for (query, yes) in
            [("force=true", true), ("force=True", true), ("force=1", true), ("force=yes", false), ("", false)]
        {
            assert_eq!(Parameters::read(query, "", b"").unwrap().flag("force"), yes, "{query}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        let read = |content_type, body: &[u8]| Parameters::read("", content_type, body).err();
        assert_eq!(read("application/json", b"{"), Some(ParameterError::NotAnObject));
        assert_eq!(read("application/json", b"[1]"), Some(ParameterError::NotAnObject));
        assert_eq!(read("application/json", b"{\"a\": \"\xff\"}"), Some(ParameterError::NotUtf8));
        assert_eq!(read("application/x-www-form-urlencoded", b"a=%ff"), Some(ParameterError::NotUtf8));
    }

    #[test]
    fn depth_and_number_are_bounded() {
        let deep = format!("a{}=1", "[b]".repeat(MAXIMAL_DEPTH));
        assert_eq!(read_form(deep.as_bytes()), Err(ParameterError::TooMuch));
        let deep = format!("{{\"a\": {}{}}}", "[".repeat(MAXIMAL_DEPTH), "]".repeat(MAXIMAL_DEPTH));
        assert_eq!(read_json(deep.as_bytes()), Err(ParameterError::TooMuch));
        let many = "a=1&".repeat(MAXIMAL_COUNT + 1);
        assert_eq!(read_form(many.as_bytes()), Err(ParameterError::TooMuch));
    }

    #[test]
    fn odd_names_do_no_harm() {
        for text in
            ["=1", "[]=1", "[a]=1", "a[=1", "a]=1", "a[b=1", "a[b]c=1", "%5B%5B%5D=1", "&&&", "a[][][]=1"]
        {
            assert!(read_form(text.as_bytes()).is_ok(), "{text}");
        }
    }
}
