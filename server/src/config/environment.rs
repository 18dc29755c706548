//! The values of settings in the environment and in `.env` of the working folder.
//!
//! An empty variable counts as unset and values are trimmed: a trailing newline from a mounted secret is not part of the secret.
//! A variable of the process wins over the same one in `.env`.

use std::{
    collections::{HashMap, HashSet},
    ffi::{OsStr, OsString},
    fmt,
    fs::{File, Metadata},
    io::{ErrorKind, IsTerminal, Read as _},
    path::Path,
};

use clap::{Arg, Command};

use super::{problems::SettingError, replaced::REPLACED};

/// The variables of `.env`, in a form that is not empty. It has no `Debug`: some are secrets.
#[derive(Default)]
pub(super) struct EnvFile(HashMap<String, String>);

impl EnvFile {
    /// Reads `.env` in the working folder. Returns no variables if there is no such file.
    pub(super) fn read() -> Result<Self, SettingError> {
        let mut file = match File::open(Path::new(".env")) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(wrong(format_args!("cannot be read: {error}"))),
        };
        let metadata = file.metadata().map_err(wrong)?;
        if can_others_write(&metadata) {
            let problem = "can be written by other users of this machine; run `chmod go-w .env`";
            return Err(wrong(problem));
        }
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(|error| wrong(format_args!("cannot be read: {error}")))?;
        Self::parse(&text)
    }

    /// Parses `NAME=VALUE` lines. The first of two lines with one name counts.
    pub(super) fn parse(text: &str) -> Result<Self, SettingError> {
        let mut variables = HashMap::new();
        for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            // One line at a time: the parser's own errors name no line, and show the value.
            let line = format!("{}\n", with_literal_dollars(line.trim_end()));
            for parsed in dotenvy::from_read_iter(line.as_bytes()) {
                let (name, value) = parsed.map_err(|_| wrong_line(index + 1, &line))?;
                let value = value.trim();
                if !value.is_empty() {
                    variables.entry(name).or_insert_with(|| value.to_owned());
                }
            }
        }
        Ok(Self(variables))
    }

    /// Returns the names in the file that no setting of any command has, sorted.
    pub(super) fn unknown_names(&self, documented: &Command) -> Vec<String> {
        let commands = std::iter::once(documented).chain(documented.get_subcommands());
        let settings = commands.flat_map(Command::get_arguments).filter_map(Arg::get_env);
        let known: HashSet<&str> =
            settings.filter_map(OsStr::to_str).chain(REPLACED.iter().map(|(name, _)| *name)).collect();
        let unknown = self.0.keys().filter(|name| !known.contains(name.as_str()));
        let mut shown: Vec<_> = unknown.map(|name| shown(name).to_owned()).collect();
        shown.sort_unstable();
        shown.dedup();
        shown
    }

    /// The value of a variable that is set and not empty.
    pub(super) fn value(&self, variable: &OsStr) -> Option<OsString> {
        set(variable).or_else(|| self.0.get(variable.to_str()?).map(OsString::from))
    }
}

/// Whether output may contain colours, from the environment.
pub(super) fn allows_colours(output: &impl IsTerminal) -> bool {
    takes_colours(output.is_terminal(), set("NO_COLOR").as_deref(), set("TERM").as_deref())
}

/// Only a terminal takes colours, unless `NO_COLOR` is set (<https://no-color.org>) or the terminal has none.
fn takes_colours(is_terminal: bool, no_color: Option<&OsStr>, terminal: Option<&OsStr>) -> bool {
    is_terminal && no_color.is_none() && terminal.is_some_and(|terminal| terminal != "dumb")
}

/// The trimmed value of a variable of the process that is set and not empty.
fn set(variable: impl AsRef<OsStr>) -> Option<OsString> {
    #[expect(clippy::disallowed_methods, reason = "this is the one home of the environment")]
    let value = std::env::var_os(variable)?;
    Some(trimmed(value)).filter(|value| !value.is_empty())
}

/// Returns a name if it has the form of a setting's. Any other text may be a secret on a line of its own, such as `c2VjcmV0==`.
fn shown(name: &str) -> &str {
    let is_letter = |letter: u8| letter.is_ascii_uppercase() || letter == b'_';
    if name.bytes().all(is_letter) { name } else { "a name with other characters than A-Z and _" }
}

/// The value without white space around it, if it is UTF-8; no setting takes anything else.
fn trimmed(value: OsString) -> OsString {
    value.to_str().map(|text| OsString::from(text.trim())).unwrap_or(value)
}

/// Escapes each dollar sign: the parser would replace `$NAME` by a variable, and a password may contain one.
fn with_literal_dollars(line: &str) -> String {
    let mut escaped = String::with_capacity(line.len());
    let (mut quote, mut is_escaped) = (None, false);
    for character in line.chars() {
        if character == '$' && quote != Some('\'') && !is_escaped {
            escaped.push('\\');
        }
        match (quote, character) {
            _ if is_escaped => {}
            (None, '\'' | '"') => quote = Some(character),
            (Some(open), _) if open == character => quote = None,
            _ => {}
        }
        is_escaped = character == '\\' && !is_escaped && quote != Some('\'');
        escaped.push(character);
    }
    escaped
}

/// Names the line and its variable, never the value.
fn wrong_line(number: usize, line: &str) -> SettingError {
    let name = line.split_once('=').map(|(name, _)| name.trim().trim_start_matches("export ").trim());
    let is_name = |name: &&str| {
        !name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
    };
    let problem = match name.filter(is_name) {
        Some(name) => format!("line {number} ({name}) is wrong: quote a value with spaces or quotes in it"),
        None => format!("line {number} is wrong: it must be like NAME=VALUE"),
    };
    wrong(problem)
}

/// An error in the file.
fn wrong(problem: impl fmt::Display) -> SettingError {
    SettingError::new(".env", problem)
}

/// Whether another user can write the file. Its own group may where that is also the group of this process: many systems
/// give each user a group of their own.
#[cfg(unix)]
fn can_others_write(metadata: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let is_own_group = metadata.gid() == rustix::process::getegid().as_raw();
    let bits = if is_own_group { 0o002 } else { 0o022 };
    metadata.mode() & bits != 0
}

#[cfg(not(unix))]
fn can_others_write(_: &Metadata) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str, name: &str) -> Option<String> {
        EnvFile::parse(text).unwrap().0.get(name).cloned()
    }

    #[test]
    fn a_dollar_sign_is_literal_however_a_value_is_quoted() {
        for line in ["A=a$b${c}$", "A=\"a$b${c}$\"", "A='a$b${c}$'", "A=a\\$b${c}$", "export A='a'$b'${c}'$"]
        {
            assert_eq!(value(line, "A").as_deref(), Some("a$b${c}$"), "{line}");
        }
    }

    #[test]
    fn values_are_trimmed_and_empty_ones_are_unset() {
        let text = "\u{feff}A=b # why\r\nB=\nC='  '\n  D = ' d\t'\n# E=e\nF=don\\'t # can't\nA=second\n";
        let file = EnvFile::parse(text).unwrap();
        let mut set: Vec<_> = file.0.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        set.sort_unstable();
        assert_eq!(set, [("A", "b"), ("D", "d"), ("F", "don't")]);
    }

    #[test]
    fn a_wrong_line_is_named_by_its_number_and_variable_alone() {
        for (text, expected) in [
            ("A=b\nKEY=a secret\n", "line 2 (KEY) is wrong"),
            ("A=b\n\nKEY='secret\n", "line 3 (KEY) is wrong"),
            ("secret\n", "line 1 is wrong"),
            ("A secret=b\n", "line 1 is wrong"),
        ] {
            let error = EnvFile::parse(text).err().unwrap().to_string();
            assert!(error.contains(expected) && !error.contains("secret"), "{text:?}: {error}");
        }
    }

    #[test]
    fn colours_are_for_terminals_that_take_them() {
        let takes = |is_terminal, no_color: Option<&str>, terminal: Option<&str>| {
            takes_colours(is_terminal, no_color.map(OsStr::new), terminal.map(OsStr::new))
        };
        assert!(takes(true, None, Some("xterm-256color")));
        assert!(!takes(false, None, Some("xterm-256color")));
        assert!(!takes(true, Some("1"), Some("xterm-256color")));
        assert!(!takes(true, None, Some("dumb")) && !takes(true, None, None));
    }

    #[test]
    fn a_name_that_no_setting_has_is_reported_unless_it_may_be_a_secret() {
        let command = Command::new("test").arg(Arg::new("a").env("TEST_ONLY_A"));
        let below = Command::new("run").arg(Arg::new("b").env("TEST_ONLY_B"));
        let text =
            "TEST_ONLY_A=1\nTEST_ONLY_B=2\nTEST_OLNY_B=3\nDENIED_IS_FINAL=true\nc2VjcmV0==\nMFRGG2DF==\n";
        let unknown = EnvFile::parse(text).unwrap().unknown_names(&command.subcommand(below));
        assert_eq!(unknown, ["TEST_OLNY_B", "a name with other characters than A-Z and _"]);
    }
}
