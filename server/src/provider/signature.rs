//! Is this callback really theirs: the signature that Authy puts on what it sends.
//!
//! Not what the callback says. The invariant: a signature is computed over the callback URL as it is configured, never
//! over anything that a caller or a proxy chose, and compared in constant time.

use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::Sha256;

use super::payload::Value;

const SIGNATURE: HeaderName = HeaderName::from_static("x-authy-signature");
const NONCE: HeaderName = HeaderName::from_static("x-authy-signature-nonce");
const MAX_NONCE_BYTES: usize = 64;
/// Each level of a name is repeated in every parameter below it, so that a small body can become a large text.
const MAX_CANONICAL_BYTES: usize = 1 << 20;

const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b' ');

/// A signature as it came with a callback, not verified yet.
pub(crate) struct Signature<'a> {
    nonce: &'a str,
    tag: Vec<u8>,
}

impl<'a> Signature<'a> {
    /// Reads the two headers. `None` unless each is there once and has the form that Authy gives it.
    pub(crate) fn from_headers(headers: &'a HeaderMap) -> Option<Self> {
        let nonce = only(headers, &NONCE)?;
        // A bar in the nonce would move the borders of what is signed.
        let is_nonce = (1..=MAX_NONCE_BYTES).contains(&nonce.len())
            && nonce.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'|');
        let tag = BASE64_STANDARD.decode(only(headers, &SIGNATURE)?).ok()?;
        is_nonce.then_some(Self { nonce, tag })
    }

    /// Whether the holder of the key made this signature for a callback with these parameters.
    pub(crate) fn is_of(&self, key: &str, method: &Method, url: &str, parameters: &str) -> bool {
        let signed = Signed { nonce: self.nonce, method, url, parameters };
        // HMAC takes keys of every length; were one refused, nothing would verify.
        signed.mac(key).is_some_and(|mac| mac.verify_slice(&self.tag).is_ok())
    }
}

/// The parts of a callback that its signature covers.
pub(crate) struct Signed<'a> {
    /// 1 to 64 visible ASCII characters without a bar.
    pub(crate) nonce: &'a str,
    pub(crate) method: &'a Method,
    /// The callback URL exactly as it is configured.
    pub(crate) url: &'a str,
    /// As [`canonical`] writes them.
    pub(crate) parameters: &'a str,
}

impl Signed<'_> {
    /// The headers of a signature with this key; `None` if the nonce cannot be in a header.
    pub(crate) fn headers(&self, key: &str) -> Option<[(HeaderName, HeaderValue); 2]> {
        let tag = self.mac(key)?.finalize().into_bytes();
        let signature = HeaderValue::try_from(BASE64_STANDARD.encode(tag)).ok()?;
        Some([(SIGNATURE, signature), (NONCE, HeaderValue::from_str(self.nonce).ok()?)])
    }

    fn mac(&self, key: &str) -> Option<Hmac<Sha256>> {
        let mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).ok()?;
        let parts = [self.nonce, "|", self.method.as_str(), "|", self.url, "|", self.parameters];
        Some(parts.into_iter().fold(mac, Mac::chain_update))
    }
}

fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// The parameters of a JSON body as the one text that is signed: what Ruby on Rails' `to_query` makes of it.
///
/// Names nest in brackets, lists keep their order, empty objects and lists are left out of objects, and the parameters
/// of an object are sorted by their encoded bytes, level by level. `None` if the text would exceed 1 MiB.
pub(crate) fn canonical(root: &Value) -> Option<String> {
    Canonical { room: MAX_CANONICAL_BYTES }.value(root, None)
}

/// How much text may still be made.
struct Canonical {
    room: usize,
}

impl Canonical {
    /// `name` is none for the outermost object only.
    fn value(&mut self, value: &Value, name: Option<&str>) -> Option<String> {
        match value {
            Value::Null => self.parameter(name?, ""),
            Value::Text(text) => self.parameter(name?, text),
            Value::List(elements) => self.list(elements, name?),
            Value::Object(members) => self.object(members, name),
        }
    }

    fn object(&mut self, members: &[(String, Value)], name: Option<&str>) -> Option<String> {
        let mut parameters = Vec::with_capacity(members.len());
        for (key, value) in members.iter().filter(|(_, value)| !is_empty(value)) {
            let name = match name {
                Some(name) => format!("{name}[{key}]"),
                None => key.clone(),
            };
            self.take(name.len())?;
            parameters.push(self.value(value, Some(&name))?);
        }
        // Within lists Rails keeps the members in the order given, so that a list of objects can be read back.
        if !name.is_some_and(|name| name.contains("[]")) {
            parameters.sort_unstable();
        }
        Some(parameters.join("&"))
    }

    fn list(&mut self, elements: &[Value], name: &str) -> Option<String> {
        let name = format!("{name}[]");
        // Only a list within a list gets here empty.
        if elements.is_empty() {
            return self.parameter(&name, "");
        }
        let parameters: Option<Vec<String>> = elements
            .iter()
            .map(|element| {
                self.take(name.len())?;
                self.value(element, Some(&name))
            })
            .collect();
        parameters.map(|parameters| parameters.join("&"))
    }

    fn parameter(&mut self, name: &str, text: &str) -> Option<String> {
        let parameter = format!("{}={}", form_encoded(name), form_encoded(text));
        self.take(parameter.len())?;
        Some(parameter)
    }

    fn take(&mut self, bytes: usize) -> Option<()> {
        self.room = self.room.checked_sub(bytes)?;
        Some(())
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::List(elements) => elements.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Null | Value::Text(_) => false,
    }
}

fn form_encoded(text: &str) -> String {
    utf8_percent_encode(text, FORM).to_string().replace(' ', "+")
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::provider::payload::Payload;

    #[derive(Deserialize)]
    struct Vector {
        name: String,
        key: String,
        nonce: String,
        method: String,
        url: String,
        body: String,
        canonical_params: String,
        signature: String,
    }

    fn vectors() -> Vec<Vector> {
        serde_json::from_str(include_str!("authy-vectors.json")).unwrap()
    }

    fn headers(nonce: &str, signature: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(NONCE, nonce.parse().unwrap());
        headers.insert(SIGNATURE, signature.parse().unwrap());
        headers
    }

    fn canonical_of(body: &str) -> Option<String> {
        canonical(Payload::from_json(body.as_bytes()).unwrap().root())
    }

    #[test]
    fn all_vectors_have_their_canonical_text() {
        assert_eq!(vectors().len(), 22);
        for vector in vectors() {
            assert_eq!(
                canonical_of(&vector.body).as_deref(),
                Some(&*vector.canonical_params),
                "{}",
                vector.name
            );
        }
    }

    #[test]
    fn all_vectors_verify_and_none_verifies_when_a_part_is_changed() {
        for vector in vectors() {
            let headers = headers(&vector.nonce, &vector.signature);
            let signature = Signature::from_headers(&headers).unwrap();
            let method: Method = vector.method.parse().unwrap();
            let Vector { name, key, url, canonical_params: parameters, .. } = &vector;
            assert!(signature.is_of(key, &method, url, parameters), "{name}");
            assert!(!signature.is_of(&format!("{key}x"), &method, url, parameters), "{name}");
            assert!(!signature.is_of(key, &Method::GET, url, parameters), "{name}");
            assert!(!signature.is_of(key, &method, &format!("{url}/"), parameters), "{name}");
            assert!(!signature.is_of(key, &method, url, &format!("{parameters}&")), "{name}");
            let signed = Signed { nonce: &vector.nonce, method: &method, url, parameters };
            assert_eq!(HeaderMap::from_iter(signed.headers(key).unwrap()), headers, "{name}");
            let other = Signature { nonce: "1512923419.000124", tag: signature.tag.clone() };
            assert!(!other.is_of(key, &method, url, parameters), "{name}");
        }
    }

    #[test]
    fn a_signature_with_any_bit_changed_does_not_verify() {
        let vector = &vectors()[1];
        let headers = headers(&vector.nonce, &vector.signature);
        let whole = Signature::from_headers(&headers).unwrap();
        let verifies = |tag| {
            let Vector { key, url, canonical_params, .. } = vector;
            Signature { nonce: &vector.nonce, tag }.is_of(key, &Method::POST, url, canonical_params)
        };
        assert!(verifies(whole.tag.clone()));
        for bit in 0..256 {
            let mut tag = whole.tag.clone();
            tag[bit / 8] ^= 1 << (bit % 8);
            assert!(!verifies(tag), "bit {bit}");
        }
        for length in 0..32 {
            assert!(!verifies(whole.tag[..length].to_vec()), "{length} bytes");
        }
    }

    #[test]
    fn headers_that_authy_would_not_send_are_no_signature() {
        let signature = "YXAtfxB6u9xuSy+Oij9F7Ig/7okxI7vpX03ofdTdqtY=";
        assert!(Signature::from_headers(&headers("1512923419", signature)).is_some());
        for nonce in ["", "15|POST", "1512 923", &"1".repeat(65)] {
            assert!(Signature::from_headers(&headers(nonce, signature)).is_none(), "{nonce:?}");
        }
        for signature in
            ["!", "YXAtfxB6u9xuSy-Oij9F7Ig_7okxI7vpX03ofdTdqtY=", "YXAtf", &format!("{signature} ")]
        {
            assert!(Signature::from_headers(&headers("1", signature)).is_none(), "{signature:?}");
        }
        let mut twice = headers("1512923419", signature);
        twice.append(SIGNATURE, signature.parse().unwrap());
        assert!(Signature::from_headers(&twice).is_none());
        assert!(Signature::from_headers(&HeaderMap::new()).is_none());
    }

    #[test]
    fn empty_lists_and_objects_are_left_out_except_within_lists() {
        for (body, expected) in [
            ("{}", ""),
            (r#"{"a":{},"b":[],"c":1}"#, "c=1"),
            (r#"{"a":[[]]}"#, "a%5B%5D%5B%5D="),
            (r#"{"a":{"b":{}},"c":1}"#, "&c=1"),
        ] {
            assert_eq!(canonical_of(body).as_deref(), Some(expected), "{body}");
        }
    }

    #[test]
    fn a_small_body_cannot_become_an_endless_text() {
        let wide = format!("{{\"{}\":[{}1]}}", "k".repeat(30_000), "1,".repeat(15_000));
        assert_eq!(canonical_of(&wide), None);
        let hollow = format!("{{\"{}\":[{}{{}}]}}", "k".repeat(30_000), "{},".repeat(10_000));
        assert_eq!(canonical_of(&hollow), None);
    }
}
