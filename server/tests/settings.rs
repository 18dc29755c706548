//! Settings: the pages that list them are what their definitions say, and the definitions follow the same rules.

use std::{collections::BTreeSet, fs, path::Path};

use clap::{Arg, Command, CommandFactory};
use countersign::config::{Arguments, Reference, reference};

/// All arguments of a command and its subcommands.
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

fn assert_generated(path: &str, flag: &str, form: Reference) {
    let written = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)).unwrap();
    let command = format!("cargo run -- settings {flag} > {path}");
    assert!(written == reference(form), "{path} is not what the definitions say; run `{command}`");
}

#[test]
fn the_page_of_settings_is_generated() {
    assert_generated("docs/SETTINGS.md", "--markdown", Reference::Markdown);
}

#[test]
fn the_sample_of_the_env_file_is_generated() {
    assert_generated(".env.sample", "--env-sample", Reference::EnvSample);
}

#[test]
fn the_pages_list_every_setting_once() {
    let defined: BTreeSet<_> = settings().into_iter().map(|(variable, _)| variable).collect();
    assert!(defined.len() > 80, "only {} settings were found", defined.len());
    let (page, sample) = (reference(Reference::Markdown), reference(Reference::EnvSample));
    for variable in defined {
        assert_eq!(page.matches(&format!("\n| `{variable}` |")).count(), 1, "{variable}");
        assert_eq!(sample.matches(&format!("\n#{variable}=")).count(), 1, "{variable}");
    }
}

#[test]
fn a_setting_has_one_name_as_a_flag_and_as_a_variable() {
    for (variable, argument) in settings() {
        let flag = argument.get_long().unwrap().to_uppercase().replace('-', "_");
        assert_eq!(flag, variable);
        assert_eq!(argument.get_value_names().unwrap(), [variable.as_str()]);
    }
}

#[test]
fn a_setting_has_a_heading_and_one_help() {
    let mut helps = std::collections::BTreeMap::new();
    for (variable, argument) in settings() {
        assert!(argument.get_help_heading().is_some(), "{variable}");
        let help = argument.get_help().unwrap().to_string();
        let known = helps.entry(variable.clone()).or_insert_with(|| help.clone());
        assert_eq!(*known, help, "{variable}");
    }
}

#[test]
fn what_may_hold_a_secret_is_not_shown_by_help() {
    for (variable, argument) in settings() {
        let is_secret =
            ["AUTHY_API_KEY", "DATABASE_URL", "EVENTS_URL", "HTTPS_PROXY", "OTEL_EXPORTER_OTLP_HEADERS"]
                .contains(&variable.as_str());
        assert_eq!(argument.is_hide_env_values_set(), is_secret, "{variable}");
    }
}
