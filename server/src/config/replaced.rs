//! Settings that are no more: who still makes one is sent to what replaces it, instead of being ignored.

use super::SettingError;

/// Each variable that is no longer read, and what to do instead.
const REPLACED: &[(&str, &str)] = &[(
    "DENIED_IS_FINAL",
    "is replaced by AFTER_DENIAL: remove it, and set AFTER_DENIAL=final instead of true; the default, \
     AFTER_DENIAL=known_device, or AFTER_DENIAL=code instead of false",
)];

/// Fails with the first of them that is set. `is_set` looks a variable up in the environment.
pub(super) fn check(is_set: impl Fn(&str) -> bool) -> Result<(), SettingError> {
    match REPLACED.iter().find(|(variable, _)| is_set(variable)) {
        Some((variable, problem)) => Err(SettingError::new(variable, problem)),
        None => Ok(()),
    }
}

/// Whether a variable is in the environment, with a value.
#[expect(
    clippy::disallowed_methods,
    reason = "this is config; clap does not read what is no setting any more"
)]
pub(super) fn is_in_environment(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|value| !value.is_empty())
}
