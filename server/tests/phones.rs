//! How people write phone numbers, held against another implementation: Python's `phonenumbers`.
//!
//! `phones/generate.py` makes the table. A row that the server reads otherwise on purpose has both values and the reason.

use std::collections::BTreeSet;

use countersign::model::{CountryCode, Phone};
use serde::Deserialize;

#[derive(Deserialize)]
struct Table {
    rows: Vec<Spelling>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Spelling {
    calling_code: String,
    typed: String,
    /// The value of `phonenumbers`; none where it is no possible number of this calling code.
    phonenumbers: Option<String>,
    difference: Option<Difference>,
}

/// What the server reads otherwise on purpose.
#[derive(Deserialize)]
struct Difference {
    countersign: Option<String>,
    reason: String,
}

fn spellings() -> Vec<Spelling> {
    serde_json::from_str::<Table>(include_str!("phones/spellings.json")).unwrap().rows
}

fn read(spelling: &Spelling) -> Option<String> {
    let country_code = CountryCode::parse(&spelling.calling_code).unwrap();
    Phone::parse(&country_code, &spelling.typed).ok().map(|phone| phone.e164().to_owned())
}

#[test]
fn spellings_are_read_as_another_implementation_reads_them() {
    let mut wrong = Vec::new();
    for spelling in spellings() {
        let difference = spelling.difference.as_ref().map(|difference| &difference.countersign);
        let expected = difference.unwrap_or(&spelling.phonenumbers);
        let read = read(&spelling);
        if read != *expected {
            wrong.push(format!("+{} {}: {read:?}, not {expected:?}", spelling.calling_code, spelling.typed));
        }
    }
    assert!(wrong.is_empty(), "{} spellings:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_table_is_large_and_names_each_difference() {
    let spellings = spellings();
    let codes: BTreeSet<&str> = spellings.iter().map(|spelling| &*spelling.calling_code).collect();
    assert!(spellings.len() >= 150 && codes.len() >= 60, "{} of {}", spellings.len(), codes.len());
    for spelling in &spellings {
        if let Some(Difference { countersign, reason }) = &spelling.difference {
            assert!(*countersign != spelling.phonenumbers && !reason.is_empty(), "{}", spelling.typed);
        }
    }
}
