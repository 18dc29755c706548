//! Settings that were replaced. A deployment that still has one is rejected with the name of its successor.

use super::problems::SettingError;

/// Each variable that is no longer read, and what to do instead.
pub(super) const REPLACED: &[(&str, &str)] = &[(
    "DENIED_IS_FINAL",
    "is replaced by AFTER_DENIAL: remove it, and set AFTER_DENIAL=final instead of true; the default, \
     AFTER_DENIAL=known_device, or AFTER_DENIAL=code instead of false",
)];

/// Returns an error for the first of them that is set.
pub(super) fn check(is_set: impl Fn(&str) -> bool) -> Result<(), SettingError> {
    match REPLACED.iter().find(|(variable, _)| is_set(variable)) {
        Some((variable, problem)) => Err(SettingError::new(variable, problem)),
        None => Ok(()),
    }
}
