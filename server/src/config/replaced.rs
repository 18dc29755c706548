//! Settings that are no more: who still makes one is sent to what replaces it, instead of being ignored.

use std::ffi::OsStr;

use super::{SettingError, environment::EnvFile};

/// Each variable that is no longer read, and what to do instead.
const REPLACED: &[(&str, &str)] = &[(
    "DENIED_IS_FINAL",
    "is replaced by AFTER_DENIAL: remove it, and set AFTER_DENIAL=final instead of true; the default, \
     AFTER_DENIAL=known_device, or AFTER_DENIAL=code instead of false",
)];

/// Fails with the first of them that is set.
pub(super) fn check(settings: &EnvFile) -> Result<(), SettingError> {
    match REPLACED.iter().find(|(variable, _)| settings.value(OsStr::new(variable)).is_some()) {
        Some((variable, problem)) => Err(SettingError::new(variable, problem)),
        None => Ok(()),
    }
}
