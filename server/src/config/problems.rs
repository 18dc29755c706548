//! What is wrong with settings. All of it is collected, so that a command reports it together.

use std::fmt;

/// An error in one setting, or in the `.env` file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{variable} {problem}")]
pub struct SettingError {
    /// The environment variable of the setting, or `.env`.
    pub variable: String,
    /// What is wrong and what to do. It never shows a value that may be secret.
    pub problem: String,
}

impl SettingError {
    pub(super) fn new(variable: &str, problem: impl fmt::Display) -> Self {
        Self { variable: variable.to_owned(), problem: problem.to_string() }
    }
}

/// The errors in the settings of a command, at most one for each variable.
#[derive(Clone, Debug, Default)]
pub(super) struct Problems(Vec<SettingError>);

impl From<Vec<SettingError>> for Problems {
    fn from(problems: Vec<SettingError>) -> Self {
        Self(problems)
    }
}

impl Problems {
    /// Adds an error, unless its variable has one already: a setting that cannot be parsed is not missing as well.
    pub(super) fn add(&mut self, problem: SettingError) {
        if !self.has(&problem.variable) {
            self.0.push(problem);
        }
    }

    /// Returns the value, or adds the error.
    pub(super) fn keep<T>(&mut self, checked: Result<T, SettingError>) -> Option<T> {
        checked.map_err(|problem| self.add(problem)).ok()
    }

    /// Returns the value of a setting that the command cannot run without, or adds that it is missing.
    pub(super) fn require<T>(&mut self, variable: &str, value: Option<T>) -> Option<T> {
        let missing = || SettingError::new(variable, "is missing; set it in the environment or in .env");
        self.keep(value.ok_or_else(missing))
    }

    /// Whether one of the errors is about this variable.
    pub(super) fn has(&self, variable: &str) -> bool {
        self.0.iter().any(|problem| problem.variable == variable)
    }

    pub(super) fn as_slice(&self) -> &[SettingError] {
        &self.0
    }

    /// Returns what the settings make if none has an error. `made` is `None` only where one has.
    pub(super) fn or<T>(self, made: Option<T>) -> Result<T, Vec<SettingError>> {
        match made {
            Some(made) if self.0.is_empty() => Ok(made),
            _ => Err(self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_that_cannot_be_parsed_is_not_missing_as_well() {
        let mut problems = Problems::default();
        problems.add(SettingError::new("LISTEN", "is wrong"));
        assert_eq!(problems.require::<u8>("LISTEN", None), None);
        assert_eq!(problems.as_slice(), [SettingError::new("LISTEN", "is wrong")]);
        assert!(problems.or(Some(1)).is_err());
    }
}
