//! A JSON object as a payload.
//!
//! Not a general reader: numbers become the text that is signed. The invariant: members keep their order, and no member
//! of a doubled name is lost unnoticed.

use std::{cell::Cell, collections::HashMap, fmt};

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::{MAX_DEPTH, Payload, Value};

/// Reads a JSON object. `None` for what is none, or is deeper than 32 levels.
pub(super) fn read(body: &[u8]) -> Option<Payload> {
    let ambiguity = Cell::new(None);
    let mut json = serde_json::Deserializer::from_slice(body);
    let root = ValueSeed { depth: 0, ambiguity: &ambiguity }.deserialize(&mut json).ok()?;
    json.end().ok()?;
    matches!(root, Value::Object(_)).then(|| Payload { root, ambiguity: ambiguity.get() })
}

/// Builds a [`Value`] from any JSON value and notes what is ambiguous on the way.
#[derive(Clone, Copy)]
struct ValueSeed<'a> {
    depth: usize,
    ambiguity: &'a Cell<Option<&'static str>>,
}

impl ValueSeed<'_> {
    fn deeper<E: de::Error>(self) -> Result<Self, E> {
        if self.depth == MAX_DEPTH {
            return Err(E::custom("too deep"));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }

    fn note(self, ambiguity: &'static str) {
        self.ambiguity.set(self.ambiguity.get().or(Some(ambiguity)));
    }
}

impl<'de> DeserializeSeed<'de> for ValueSeed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueSeed<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Text(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Text(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Text(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Text(ruby_float(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut list = Vec::new();
        while let Some(element) = elements.next_element_seed(inner)? {
            list.push(element);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut members: Vec<(String, Value)> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        while let Some(key) = entries.next_key::<String>()? {
            let value = entries.next_value_seed(inner)?;
            if key.contains(['[', ']']) {
                self.note("a key has brackets");
            }
            if let Some(place) = places.get(&key) {
                self.note("an object has two members of one name");
                members[*place].1 = value;
            } else {
                places.insert(key.clone(), members.len());
                members.push((key, value));
            }
        }
        Ok(Value::Object(members))
    }
}

/// A number with a fraction or an exponent, spelled as Ruby's `Float#to_s` does, which is how it is signed.
///
/// Integers beyond 64 bits arrive here too, for the JSON reader keeps no more of them; a payload that has one (none is
/// known) does not verify.
fn ruby_float(value: f64) -> String {
    let scientific = format!("{value:e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        return scientific;
    };
    match exponent.parse::<i32>() {
        Ok(-4..=15) => format!("{value:?}"),
        Ok(exponent) => {
            let fraction = if mantissa.contains('.') { "" } else { ".0" };
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{mantissa}{fraction}e{sign}{:02}", exponent.abs())
        }
        Err(_) => scientific,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Option<Payload> {
        read(text.as_bytes())
    }

    #[test]
    fn floats_are_spelled_as_in_ruby() {
        for (value, spelled) in [
            (1.0, "1.0"),
            (1.5, "1.5"),
            (-0.25, "-0.25"),
            (100.0, "100.0"),
            (1e15, "1000000000000000.0"),
            (1e16, "1.0e+16"),
            (1.25e21, "1.25e+21"),
            (0.0001, "0.0001"),
            (0.00001, "1.0e-05"),
            (1.5e-7, "1.5e-07"),
            (1e100, "1.0e+100"),
            (0.0, "0.0"),
            (123_456_789.125, "123456789.125"),
            (9_007_199_254_740_993.0, "9007199254740992.0"),
            (-1e-300, "-1.0e-300"),
        ] {
            assert_eq!(ruby_float(value), spelled);
        }
    }

    #[test]
    fn ambiguous_json_is_marked_and_the_last_member_counts() {
        let payload = json(r#"{"status":"denied","x":1,"st\u0061tus":"approved"}"#).unwrap();
        assert_eq!(payload.ambiguity(), Some("an object has two members of one name"));
        assert_eq!(payload.find_text(&["status"]), Some("approved"));
        for text in [r#"{"a":[{"b":1,"b":1}]}"#, r#"{"a[b]":1}"#, r#"{"a":{"b]":1}}"#, r#"{"a":[[{"[":1}]]}"#]
        {
            assert!(json(text).unwrap().ambiguity().is_some(), "{text}");
        }
        assert_eq!(json(r#"{"a":{"b":1},"b":{"a":1}}"#).unwrap().ambiguity(), None);
    }

    #[test]
    fn what_is_no_json_object_is_not_read() {
        for text in [
            "",
            " ",
            "null",
            "[]",
            "\"x\"",
            "{",
            "{}x",
            "{\"a\":1,}",
            "{a:1}",
            "\u{feff}{}",
            r#"{"a":"\ud800"}"#,
        ] {
            assert!(json(text).is_none(), "{text:?}");
        }
        assert!(read(b"{\"a\":\"\xff\"}").is_none());
        assert!(json("{}").is_some());
    }
}
