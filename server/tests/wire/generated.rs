//! Documents made up from the schema, from its words in any order, and from any text.
//!
//! Random bytes choose what comes next, so that a document that breaks something shrinks to a small one.

use std::fmt::Write as _;

use proptest::{collection::vec, prelude::*};

/// The longest document, in bytes.
const MAX_BYTES: usize = 10_000;

/// Types that select: the names of their fields, with arguments, and what each selects of.
const TYPES: &[(&str, &[(&str, &str)])] = &[
    (
        "Query",
        &[
            ("me", "User"),
            ("loginStatus(loginToken: \"x\")", "LoginStatus"),
            ("loginStatus(loginToken: $v)", "LoginStatus"),
            ("__schema", "__Schema"),
            ("__type(name: \"User\")", "__Type"),
            ("__typename", ""),
        ],
    ),
    (
        "Mutation",
        &[
            ("logout", "LogoutPayload"),
            ("cancelLogin(input: {loginToken: \"x\"})", "CancelLoginPayload"),
            ("login(input: {email: \"a@example.com\", password: \"long enough\"})", "LoginPayload"),
            ("verifyToken(input: {loginToken: \"x\", code: \"123456\"})", "VerifyTokenPayload"),
        ],
    ),
    ("User", &[("id", ""), ("fullName", ""), ("email", ""), ("maskedPhone", ""), ("__typename", "")]),
    ("Session", &[("token", ""), ("expiresAt", ""), ("user", "User")]),
    (
        "LoginStatus",
        &[("sequence", ""), ("state", ""), ("nextStep", ""), ("session", "Session"), ("matchNumber", "")],
    ),
    ("LogoutPayload", &[("loggedOut", "")]),
    ("CancelLoginPayload", &[("status", "LoginStatus")]),
    ("LoginPayload", &[("loginToken", ""), ("status", "LoginStatus"), ("errors", "Error")]),
    ("VerifyTokenPayload", &[("status", "LoginStatus"), ("errors", "Error")]),
    ("Error", &[("code", ""), ("message", "")]),
    ("__Schema", &[("types", "__Type"), ("queryType", "__Type"), ("directives", "__Directive")]),
    (
        "__Type",
        &[
            ("kind", ""),
            ("name", ""),
            ("description", ""),
            ("fields", "__Field"),
            ("fields(includeDeprecated: true)", "__Field"),
            ("inputFields", "__InputValue"),
            ("interfaces", "__Type"),
            ("enumValues", "__EnumValue"),
            ("possibleTypes", "__Type"),
            ("ofType", "__Type"),
        ],
    ),
    ("__Field", &[("name", ""), ("args", "__InputValue"), ("type", "__Type"), ("isDeprecated", "")]),
    ("__InputValue", &[("name", ""), ("type", "__Type"), ("defaultValue", "")]),
    ("__EnumValue", &[("name", ""), ("description", "")]),
    ("__Directive", &[("name", ""), ("locations", ""), ("args", "__InputValue")]),
];

/// What documents consist of.
const WORDS: &[&str] = &[
    "{",
    "}",
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    ":",
    "!",
    "$",
    "@",
    "=",
    "...",
    "|",
    "&",
    "query",
    "mutation",
    "subscription",
    "fragment",
    "on",
    "Query",
    "User",
    "me",
    "id",
    "loginStatus",
    "loginToken",
    "login",
    "input",
    "__schema",
    "__type",
    "__typename",
    "types",
    "fields",
    "type",
    "name",
    "a",
    "b",
    "f",
    "v",
    "String",
    "Int",
    "true",
    "null",
    "1",
    "-1.5e9",
    "\"text\"",
    "\"\"\"block\"\"\"",
    "\"\\u0041\"",
    "@skip(if: true)",
    "@include(if: $v)",
    "#comment\n",
    "\n",
    ",",
    "\u{feff}",
    "\u{e4}",
    "\"",
    "\\",
    "\0",
];

/// What random bytes choose; when they are used up, the first of what there is.
struct Choices<'a>(std::slice::Iter<'a, u8>);

impl Choices<'_> {
    fn byte(&mut self) -> usize {
        self.0.next().copied().unwrap_or_default().into()
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.byte() % all.len()]
    }
}

/// A document of at most 10 kB.
pub(super) fn document() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => vec(any::<u8>(), 1..2_500).prop_map(|bytes| cut(of_the_schema(&mut Choices(bytes.iter())))),
        2 => vec(prop::sample::select(WORDS), 0..1_500).prop_map(|words| cut(words.join(" "))),
        1 => ".{0,200}".prop_map(cut),
    ]
}

fn cut(mut document: String) -> String {
    document.truncate(document.floor_char_boundary(MAX_BYTES));
    document
}

/// A document that is under way.
struct Draft<'a, 'b> {
    text: String,
    choices: &'a mut Choices<'b>,
    /// Whether it may have what is wrong.
    is_flawed: bool,
    /// Whether a variable is defined.
    has_variable: bool,
    /// The types on which fragments are needed.
    fragments: Vec<&'static str>,
}

fn of_the_schema(choices: &mut Choices<'_>) -> String {
    let is_flawed = choices.byte() % 2 == 1;
    let has_variable = choices.byte() % 4 == 1;
    let root = choices.one_of(&["Query", "Query", "Query", "Mutation"]);
    let mut draft = Draft { text: String::new(), choices, is_flawed, has_variable, fragments: Vec::new() };
    draft.text.push_str(if root == "Query" { "query" } else { "mutation" });
    if has_variable {
        draft.text.push_str("($v: String = \"x\")");
    }
    draft.select(root, 13, true);
    if has_variable {
        let end = draft.text.rfind('}').unwrap_or_default();
        draft.text.replace_range(end.., if root == "Query" { "z: __type(name: $v) { name } }" } else { "}" });
    }
    for on in std::mem::take(&mut draft.fragments) {
        let _ = write!(draft.text, " fragment on_{on} on {on}");
        draft.select(on, 4, draft.is_flawed);
    }
    draft.text
}

impl Draft<'_, '_> {
    /// A selection of a type, at most `depth` levels deep.
    fn select(&mut self, name: &'static str, depth: usize, may_spread: bool) {
        self.text.push_str(" { ");
        for _ in 0..=self.choices.byte() % 4 {
            match self.choices.byte() % 32 {
                1 if may_spread => {
                    if !self.fragments.contains(&name) {
                        self.fragments.push(name);
                    }
                    let _ = write!(self.text, "...on_{name} ");
                }
                2 => {
                    let _ = write!(self.text, "... on {name}");
                    self.select(name, depth.saturating_sub(1), may_spread);
                }
                3 if self.is_flawed => self.text.push_str("nothing "),
                number => self.select_field(name, number, depth, may_spread),
            }
        }
        self.text.push_str(" } ");
    }

    fn select_field(&mut self, of: &'static str, number: usize, depth: usize, may_spread: bool) {
        let fields = TYPES.iter().find(|(name, _)| *name == of).map_or(&[][..], |(_, fields)| fields);
        let (field, of) = self.choices.one_of(fields);
        let is_left_out = (field.contains('$') && !self.has_variable && !self.is_flawed)
            || (!of.is_empty() && (depth == 0 || self.text.len() > MAX_BYTES / 2));
        if is_left_out {
            self.text.push_str("__typename ");
            return;
        }
        if number < 6 {
            let _ = write!(self.text, "a{}: ", self.text.len());
        }
        self.text.push_str(field);
        if number == 6 {
            self.text.push_str(" @include(if: true)");
        }
        self.text.push(' ');
        if !of.is_empty() {
            self.select(of, depth - 1, may_spread);
        }
    }
}
