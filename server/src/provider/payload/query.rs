//! A query string as a payload.
//!
//! Not a general reader: what stands in lists is counted, not kept apart. The invariant: each path of names has one value,
//! or the payload is marked as ambiguous.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::{MAX_DEPTH, Payload, Value};

const TWO_KINDS: &str = "a parameter has two kinds of value";

/// Reads a query string. What cannot be put into one tree is marked as ambiguous.
pub(super) fn read(query: &str) -> Payload {
    let mut root = Value::Object(Vec::new());
    let mut ambiguity = None;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let added = decoded(name)
            .zip(decoded(value))
            .ok_or("a parameter is not UTF-8")
            .and_then(|(name, value)| add(&mut root, &path(&name)?, value));
        ambiguity = ambiguity.or(added.err());
    }
    Payload { root, ambiguity }
}

fn decoded(text: &str) -> Option<String> {
    let text = text.replace('+', " ");
    percent_decode_str(&text).decode_utf8().ok().map(Cow::into_owned)
}

/// The parts of a parameter's name: `a[b][]` is `a`, `b` and an empty one.
fn path(name: &str) -> Result<Vec<&str>, &'static str> {
    let unreadable = "a parameter's name cannot be read";
    let (first, mut rest) = name.split_at(name.find('[').unwrap_or(name.len()));
    let mut path = vec![first];
    while !rest.is_empty() {
        let (part, after) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')).ok_or(unreadable)?;
        path.push(part);
        rest = after;
    }
    let is_plain = |part: &&str| !part.contains(['[', ']']);
    if first.is_empty() || path.len() > MAX_DEPTH || !path.iter().all(is_plain) {
        Err(unreadable)
    } else {
        Ok(path)
    }
}

/// Puts a parameter into the tree. The elements of lists are kept without their inner names: nothing reads them.
fn add(root: &mut Value, path: &[&str], text: String) -> Result<(), &'static str> {
    let (parents, last) = match path.iter().position(|part| part.is_empty()) {
        Some(place) => (&path[..place], None),
        None => path.split_last().map_or((path, None), |(last, parents)| (parents, Some(*last))),
    };
    let Some(last) = last else {
        let empty_list = Value::List(Vec::new());
        return match descend(root, parents, empty_list)? {
            Value::List(elements) => {
                elements.push(Value::Text(text));
                Ok(())
            }
            _ => Err(TWO_KINDS),
        };
    };
    match descend(root, parents, Value::Object(Vec::new()))? {
        Value::Object(members) if members.iter().any(|(key, _)| key == last) => {
            Err("a parameter is repeated")
        }
        Value::Object(members) => {
            members.push((last.to_owned(), Value::Text(text)));
            Ok(())
        }
        _ => Err(TWO_KINDS),
    }
}

/// Walks down a path of names, making objects as needed and, at its end, `missing`.
fn descend<'a>(root: &'a mut Value, path: &[&str], missing: Value) -> Result<&'a mut Value, &'static str> {
    let mut missing = Some(missing);
    let mut value = root;
    for (depth, name) in path.iter().enumerate() {
        let Value::Object(members) = value else {
            return Err(TWO_KINDS);
        };
        let place = members.iter().position(|(key, _)| key == name).unwrap_or_else(|| {
            let is_end = depth + 1 == path.len();
            let made = if is_end { missing.take() } else { None };
            members.push(((*name).to_owned(), made.unwrap_or_else(|| Value::Object(Vec::new()))));
            members.len() - 1
        });
        value = &mut members[place].1;
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ambiguous_query_is_marked() {
        for query in [
            "a=1&a=1",
            "a=1&%61=2",
            "a[b]=1&a%5bb%5d=2",
            "a=1&a[b]=2",
            "a[b]=2&a=1",
            "a[]=1&a=2",
            "a[]=1&a[b]=2",
            "a=&a[]=1",
            "a[b]=1&a[]=2",
            "a[b=1",
            "a]b=1",
            "a[b]c=1",
            "[a]=1",
            "=1",
            "a[[b]]=1",
            "a=%ff",
            "%ff=1",
        ] {
            assert!(read(query).ambiguity().is_some(), "{query}");
        }
    }

    #[test]
    fn lists_may_repeat_in_a_query() {
        let query =
            "logos[][res]=default&logos[][url]=u&logos[][res]=low&logos[][url]=v&m[]=pin&m[]=face&x=%2B+%26";
        let payload = read(query);
        assert_eq!(payload.ambiguity(), None);
        assert_eq!(payload.find_text(&["x"]), Some("+ &"));
    }
}
