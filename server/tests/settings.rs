//! The settings are told in two places, `.env.sample` and the command line: both say the same.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use clap::{Arg, Command, CommandFactory};
use countersign::config::Arguments;

/// What `.env.sample` says of each variable; empty where it has no default. A default that is told in the comment above
/// counts as none.
fn sampled() -> BTreeMap<String, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.env.sample");
    let text = fs::read_to_string(path).unwrap();
    let mut variables = BTreeMap::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with("# ")) {
        let (name, value) = line
            .strip_prefix('#')
            .and_then(|line| line.split_once('='))
            .unwrap_or_else(|| panic!("neither a comment nor a setting: {line}"));
        let is_new = variables.insert(name.to_owned(), value.to_owned()).is_none();
        assert!(is_new, "{name} is there twice");
    }
    variables
}

/// All arguments of a command and of those below it.
fn arguments(command: &Command) -> Vec<Arg> {
    let below = command.get_subcommands().flat_map(arguments);
    command.get_arguments().cloned().chain(below).collect()
}

/// The arguments that are settings: those with a variable.
pub(crate) fn settings() -> Vec<(String, Arg)> {
    arguments(&Arguments::command())
        .into_iter()
        .filter_map(|argument| {
            let variable = argument.get_env()?.to_str().unwrap().to_owned();
            Some((variable, argument))
        })
        .collect()
}

fn default_of(argument: &Arg) -> Option<String> {
    let default = argument.get_default_values().first()?.to_str().unwrap();
    Some(default.to_owned()).filter(|default| !default.is_empty())
}

#[test]
fn the_sample_names_all_settings_and_no_others() {
    let named: BTreeSet<_> = sampled().into_keys().collect();
    let defined: BTreeSet<_> = settings().into_iter().map(|(variable, _)| variable).collect();
    assert!(defined.len() > 10, "only {} settings were found", defined.len());
    assert_eq!(named, defined);
}

#[test]
fn the_sample_shows_the_default_of_each_setting_that_has_one() {
    let sampled = sampled();
    let mut compared = 0;
    for (variable, argument) in settings() {
        if let Some(default) = default_of(&argument) {
            assert_eq!(sampled[&variable], default, "{variable}");
            compared += 1;
        }
    }
    assert!(compared > 10, "only {compared} defaults were compared");
}

#[test]
fn a_setting_has_one_name_as_a_flag_and_as_a_variable() {
    for (variable, argument) in settings() {
        let flag = argument.get_long().unwrap().to_uppercase().replace('-', "_");
        assert_eq!(flag, variable);
        // What is wrong with a value is told by this name.
        assert_eq!(argument.get_value_names().unwrap(), [variable.as_str()]);
    }
}

#[test]
fn a_setting_means_the_same_in_every_command_that_has_it() {
    let mut defaults = BTreeMap::new();
    for (variable, argument) in settings() {
        if let Some(default) = default_of(&argument) {
            let known = defaults.entry(variable.clone()).or_insert_with(|| default.clone());
            assert_eq!(*known, default, "{variable}");
        }
    }
}

#[test]
fn what_may_hold_a_secret_is_not_shown_by_help() {
    for (variable, argument) in settings() {
        let is_secret = ["AUTHY_API_KEY", "DATABASE_URL", "EVENTS_URL", "HTTPS_PROXY", "OTLP_HEADERS"]
            .contains(&variable.as_str());
        assert_eq!(argument.is_hide_env_values_set(), is_secret, "{variable}");
    }
}
