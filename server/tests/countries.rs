//! The country picker of the login pages offers every country that the service knows, each with its calling code.

use std::{collections::BTreeMap, fs, path::Path};

use phonenumber::metadata::DATABASE;

/// What the picker's file says: `DE: '49',`.
fn offered() -> BTreeMap<String, u16> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http/pages/countries.js");
    let text = fs::read_to_string(path).unwrap();
    let (_, table) = text.split_once("CALLING_CODES = {").unwrap();
    let (table, _) = table.split_once('}').unwrap();
    let pairs = table.split(',').filter_map(|pair| pair.split_once(':'));
    pairs
        .map(|(region, code)| (region.trim().to_owned(), code.trim().trim_matches('\'').parse().unwrap()))
        .collect()
}

#[test]
fn the_picker_offers_every_country_with_its_calling_code() {
    // Numbering plans of no country are called 001.
    let known = DATABASE.iter().filter(|plan| plan.id() != "001");
    let known: BTreeMap<_, _> = known.map(|plan| (plan.id().to_owned(), plan.country_code())).collect();
    assert!(known.len() > 200, "only {} countries are known", known.len());
    assert_eq!(offered(), known);
}
