//! Documents that are known to cost a server much, where nothing stops them.

use serde_json::{Value, json};

/// One of them.
pub(super) struct Bomb {
    pub(super) name: &'static str,
    pub(super) query: String,
    pub(super) variables: Value,
}

/// All of them.
pub(super) fn bombs() -> Vec<Bomb> {
    let without_variables = shapes().into_iter().chain(names()).chain(values()).chain(introspections());
    let mut bombs: Vec<_> =
        without_variables.map(|(name, query)| Bomb { name, query, variables: json!({}) }).collect();
    bombs.extend(variables());
    bombs
}

fn numbered(count: usize, one: impl Fn(usize) -> String) -> String {
    (0..count).map(one).collect::<Vec<_>>().concat()
}

/// `levels` fragments, each spreading the next one `width` times.
fn fragments(levels: usize, width: usize) -> String {
    let level = |level: usize| {
        format!("fragment f{level} on Query {{ {} }} ", format!("...f{} ", level + 1).repeat(width))
    };
    format!("{{ ...f0 }} {} fragment f{levels} on Query {{ me {{ id }} }}", numbered(levels, level))
}

fn shapes() -> Vec<(&'static str, String)> {
    vec![
        ("four levels of fifty spreads", fragments(4, 50)),
        ("ten levels of twenty spreads", fragments(10, 20)),
        ("two hundred levels of two spreads", fragments(200, 2)),
        ("a chain of fragments", fragments(250, 1)),
        (
            "a circle of fragments",
            "{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }".to_owned(),
        ),
        ("inline fragments", format!("{{ {}me {{ id }}{} }}", "... { ".repeat(1_000), "}".repeat(1_000))),
        ("inline fragments side by side", format!("{{ {} }}", "... { me { id } } ".repeat(200))),
        ("a deep selection", format!("{{ {}id{} }}", "me { ".repeat(1_500), "}".repeat(1_500))),
        ("a selection that does not close", "{ me ".repeat(1_600)),
        ("one field again and again", format!("{{ me {{ {} }} }}", "id ".repeat(3_000))),
        ("one selection again and again", format!("{{ {} }}", "me { id } ".repeat(900))),
        ("many operations", numbered(300, |number| format!("query q{number} {{ me {{ id }} }} "))),
        ("many operations and no name", "{ me { id } } ".repeat(600)),
    ]
}

fn names() -> Vec<(&'static str, String)> {
    let long = "n".repeat(9_000);
    vec![
        ("aliases", format!("{{ {} }}", numbered(600, |number| format!("a{number}: me {{ id }} ")))),
        ("aliases of guesses", {
            let guess = |number| {
                format!(
                    "a{number}: login(input: {{email: \"a@b.co\", password: \"{number}\"}}) {{ loginToken }} "
                )
            };
            format!("mutation {{ {} }}", numbered(100, guess))
        }),
        ("fields that conflict", {
            let field = |number| format!("x: loginStatus(loginToken: \"{number}\") {{ state }} ");
            format!("{{ {} }}", numbered(150, field))
        }),
        ("fields that conflict in fragments", {
            let fragment = |number| {
                format!(
                    "fragment f{number} on Query {{ x: loginStatus(loginToken: \"{number}\") {{ state }} }} "
                )
            };
            format!("{{ {} }} {}", numbered(90, |number| format!("...f{number} ")), numbered(90, fragment))
        }),
        ("fields that are not there", format!("{{ {} }}", numbered(1_500, |number| format!("f{number} ")))),
        (
            "arguments that are not there",
            format!("{{ me({}) {{ id }} }}", numbered(900, |number| format!("a{number}: 1 "))),
        ),
        (
            "types that are not there",
            numbered(250, |number| format!("query q{number}($v: T{number}) {{ me {{ id }} }} ")),
        ),
        ("directives", format!("{{ me {} {{ id }} }}", "@skip(if: false) ".repeat(500))),
        ("directives that are not there", format!("{{ me {} {{ id }} }}", "@a".repeat(4_500))),
        ("a long name", format!("{{ {long} }}")),
        ("a long name of an argument", format!("{{ me({long}: 1) {{ id }} }}")),
        ("a long name of a type", format!("{{ ... on {long} {{ id }} }}")),
        (
            "long names that are nearly right",
            format!("{{ {} }}", numbered(300, |number| format!("loginStatu{number:020} "))),
        ),
    ]
}

fn values() -> Vec<(&'static str, String)> {
    let argument = |value: String| format!("{{ loginStatus(loginToken: {value}) {{ state }} }}");
    vec![
        ("objects in objects", argument(format!("{}1{}", "{a:".repeat(2_400), "}".repeat(2_400)))),
        ("lists in lists", argument(format!("{}{}", "[".repeat(4_900), "]".repeat(4_900)))),
        ("lists that do not close", argument("[".repeat(9_900))),
        ("objects that do not close", argument("{a:[".repeat(2_400))),
        (
            "a default that nests",
            format!("query($a: String = {}{}) {{ me {{ id }} }}", "[".repeat(4_900), "]".repeat(4_900)),
        ),
        (
            "a type that nests",
            format!("query($a: {}Int{}) {{ me {{ id }} }}", "[".repeat(4_900), "]".repeat(4_900)),
        ),
        ("a long list", argument(format!("[{}]", "1 ".repeat(4_900)))),
        ("a wide object", argument(format!("{{{}}}", numbered(1_200, |number| format!("a{number}:1 "))))),
        ("a long number", argument("9".repeat(9_900))),
        ("an exponent", argument("1e999999999".to_owned())),
        ("a long text", argument(format!("\"{}\"", "x".repeat(9_900)))),
        ("escapes", argument(format!("\"{}\"", "\\u0041".repeat(1_600)))),
        ("a block of lines", argument(format!("\"\"\"{}\"\"\"", "\n a".repeat(3_200)))),
        ("quotes in a block", argument(format!("\"\"\"{}\"\"\"", "\\\"\"\"".repeat(2_400)))),
        ("a text that does not close", argument(format!("\"{}", "\\\"".repeat(4_900)))),
        ("comments", format!("{{ me {{ id }} }} {}", "#\n".repeat(4_900))),
        ("commas", format!("{{ me {{ id }} }} {}", ",".repeat(9_900))),
        ("variables", {
            let definitions = numbered(600, |number| format!("$v{number}: Int "));
            format!("query({definitions}) {{ me {{ id }} }}")
        }),
        ("variables in fragments", {
            let fragment = |number| {
                format!("fragment f{number} on Query {{ loginStatus(loginToken: $v{number}) {{ state }} }} ")
            };
            format!("{{ {} }} {}", numbered(110, |number| format!("...f{number} ")), numbered(110, fragment))
        }),
        ("nothing", String::new()),
        ("opening brackets", "{".repeat(9_900)),
        ("the same letter", "a".repeat(9_900)),
        ("letters that are no names", "\u{e4}".repeat(4_900)),
    ]
}

fn introspections() -> Vec<(&'static str, String)> {
    let around = |levels: usize| {
        format!(
            "{{ __schema {{ types {{ {} name {} }} }} }}",
            "fields { type { ".repeat(levels),
            "} }".repeat(levels)
        )
    };
    vec![
        ("the schema in circles, twice", around(2)),
        ("the schema in circles, four times", around(4)),
        ("the schema in circles, six times", around(6)),
        ("the schema in circles, seven times", around(7)),
        ("the schema in circles through a field's own type", {
            let inner = "type { fields { ".repeat(6);
            format!("{{ __type(name: \"Query\") {{ fields {{ {inner} name {} }} }} }}", "} }".repeat(6))
        }),
        ("possible types in circles", {
            let inner = "ofType { fields { type { ".repeat(4);
            format!(
                "{{ __schema {{ types {{ fields {{ type {{ {inner} name {} }} }} }} }} }}",
                "} } }".repeat(4)
            )
        }),
        ("the schema under many aliases", {
            let one = |number| {
                format!("a{number}: __schema {{ types {{ name fields {{ name type {{ name }} }} }} }} ")
            };
            format!("{{ {} }}", numbered(50, one))
        }),
        ("the schema in many fragments", {
            let spreads = "...f ".repeat(100);
            format!(
                "{{ {spreads} }} fragment f on Query {{ __schema {{ types {{ name description fields {{ name description }} }} }} }}"
            )
        }),
        ("type names", format!("{{ {} }}", "__typename ".repeat(900))),
    ]
}

fn variables() -> Vec<Bomb> {
    let query = "query($token: String!) { loginStatus(loginToken: $token) { state } }".to_owned();
    let bomb = |name, value| Bomb { name, query: query.clone(), variables: json!({ "token": value }) };
    let nested = |levels: usize| (0..levels).fold(json!(1), |inner, _| json!([inner]));
    vec![
        bomb("a variable that nests", nested(100)),
        bomb("a variable of many values", json!(vec![1; 20_000])),
        bomb("a variable of many names", (0..5_000).map(|number| (number.to_string(), json!(1))).collect()),
        bomb("a long variable", json!("x".repeat(60_000))),
    ]
}
