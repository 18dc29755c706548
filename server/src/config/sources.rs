//! Where settings come from: flags win over the environment, and the environment over `.env`.
//!
//! Each value is parsed by itself first, so that one error hides no other. All that is left makes the command line.

use std::ffi::{OsStr, OsString};

use clap::{
    Arg, ArgMatches, Command, CommandFactory as _, FromArgMatches as _,
    error::{ContextKind, ContextValue, ErrorKind},
    parser::ValueSource,
    value_parser,
};

use super::{
    UsageError,
    arguments::Arguments,
    environment::EnvFile,
    problems::{Problems, SettingError},
    replaced,
};

/// The command line with all settings that can be parsed, and what is wrong with the others.
pub(super) struct Given {
    pub(super) arguments: Arguments,
    pub(super) problems: Problems,
    /// The names in `.env` that no setting has.
    pub(super) unknown_names: Vec<String>,
}

/// Reads the settings of the command that a line names.
pub(super) fn read(line: &[OsString]) -> Result<Given, UsageError> {
    let documented = Arguments::command();
    let command = without_environment(documented.clone());
    let typed = parse(&documented, with_any_text(documented.clone()), line)?;
    let name = typed.subcommand_name().unwrap_or_default();
    let (mut problems, mut line, mut unknown_names) = (Problems::default(), line.to_vec(), Vec::new());
    // The commands without settings run in spite of a broken file.
    if !matches!(name, "schema" | "settings") {
        let file = match EnvFile::read() {
            // Without the file, settings would be missing that are not: only `doctor` goes on.
            Err(error) if name != "doctor" => return Err(vec![error].into()),
            file => problems.keep(file).unwrap_or_default(),
        };
        problems.keep(replaced::check(|variable| file.value(OsStr::new(variable)).is_some()));
        line = complete(&line, &typed, &documented, &file, &mut problems);
        unknown_names = file.unknown_names(&documented);
    }
    let arguments = Arguments::from_arg_matches(&parse(&documented, command, &line)?)?;
    Ok(Given { arguments, problems, unknown_names })
}

/// Reads the settings that a line holds, and no others.
pub(super) fn read_line(line: &[OsString]) -> Result<Arguments, clap::Error> {
    let documented = Arguments::command();
    Arguments::from_arg_matches(&parse(&documented, without_environment(documented.clone()), line)?)
}

/// Returns the line with the value of each setting that can be parsed, from wherever it comes, and adds the errors in the others.
fn complete(
    line: &[OsString],
    typed: &ArgMatches,
    documented: &Command,
    file: &EnvFile,
    problems: &mut Problems,
) -> Vec<OsString> {
    let Some((name, flags)) = typed.subcommand() else { return line.to_vec() };
    let mut words = vec![line.first().cloned().unwrap_or_default(), OsString::from(name)];
    for argument in arguments_of(documented, name) {
        let Some(flag) = argument.get_long() else { continue };
        let is_typed = flags.value_source(argument.get_id().as_str()) == Some(ValueSource::CommandLine);
        let Some(variable) = argument.get_env() else {
            words.extend(is_typed.then(|| format!("--{flag}").into()));
            continue;
        };
        let values: Vec<OsString> = if is_typed {
            flags.get_raw(argument.get_id().as_str()).into_iter().flatten().map(OsStr::to_owned).collect()
        } else {
            file.value(variable).into_iter().collect()
        };
        let assigned = |value: &OsString| {
            let mut word = OsString::from(format!("--{flag}="));
            word.push(value);
            word
        };
        let values: Vec<_> = values.iter().map(assigned).collect();
        match parse_alone(argument, &values) {
            Ok(()) => words.extend(values),
            Err(error) => {
                let problem = format!("is wrong: {}", problem_of(&error));
                problems.add(SettingError::new(&variable.to_string_lossy(), problem));
            }
        }
    }
    words
}

/// The arguments of a command, those of all commands included.
pub(super) fn arguments_of<'a>(command: &'a Command, name: &str) -> impl Iterator<Item = &'a Arg> {
    let own = command.find_subcommand(name).into_iter().flat_map(Command::get_arguments);
    command.get_arguments().chain(own)
}

/// Parses the values of one argument by themselves.
fn parse_alone(argument: &Arg, words: &[OsString]) -> Result<(), clap::Error> {
    let alone = without_environment(Command::new("setting").no_binary_name(true).arg(argument.clone()));
    alone.try_get_matches_from(words).map(drop)
}

/// Parses a command line. Only `documented` knows the variables, which the help names.
fn parse(documented: &Command, command: Command, line: &[OsString]) -> Result<ArgMatches, clap::Error> {
    command.try_get_matches_from(line).map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            documented.clone().try_get_matches_from(line).err().unwrap_or(error)
        }
        _ => error,
    })
}

/// Removes the variables from a command and its subcommands: only [`complete`] reads the environment.
fn without_environment(command: Command) -> Command {
    command.mut_args(|argument| argument.env(None::<&str>)).mut_subcommands(without_environment)
}

/// Has each setting of a command and its subcommands take any text as its value.
fn with_any_text(command: Command) -> Command {
    let as_text = |argument: Arg| match argument.get_env() {
        Some(_) => argument.value_parser(value_parser!(OsString)).value_delimiter(None).env(None::<&str>),
        None => argument,
    };
    command.mut_args(as_text).mut_subcommands(with_any_text)
}

/// Describes an error in a command line. clap's own text shows the value, which may be a secret, and is used only where
/// there is none.
pub(super) fn without_value(error: &clap::Error) -> String {
    match (error.kind(), context(error, ContextKind::InvalidArg)) {
        (ErrorKind::InvalidSubcommand, _) => {
            "there is no such command; `countersign help` names them".to_owned()
        }
        (ErrorKind::UnknownArgument, Some(flag)) if flag.starts_with("--") => {
            let flag = flag.split('=').next().unwrap_or_default();
            format!("{flag} is no flag of this command")
        }
        (ErrorKind::UnknownArgument, _) => "something stands where only flags are taken".to_owned(),
        _ => problem_of(error),
    }
}

/// Describes what is wrong with a value, without the value.
fn problem_of(error: &clap::Error) -> String {
    if let Some(source) = std::error::Error::source(error) {
        return source.to_string();
    }
    match context(error, ContextKind::ValidValue) {
        Some(valid) if !valid.is_empty() => format!("must be {valid}"),
        _ => {
            let message = error.to_string();
            message.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
        }
    }
}

fn context(error: &clap::Error, kind: ContextKind) -> Option<String> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => Some(texts.join(" or ")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use clap::ArgAction;

    use super::*;

    /// A command with settings, of which none is set in the environment.
    fn command() -> Command {
        let flag = |name: &'static str, variable: &'static str| Arg::new(name).long(name).env(variable);
        let below = Command::new("run")
            .arg(flag("a", "TEST_ONLY_A").value_parser(value_parser!(u8)))
            .arg(flag("a-b", "TEST_ONLY_A_B"))
            .arg(flag("list", "TEST_ONLY_LIST").action(ArgAction::Append).value_delimiter(','))
            .arg(Arg::new("json").long("json").action(ArgAction::SetTrue));
        Command::new("test").arg(flag("level", "TEST_ONLY_LEVEL").global(true)).subcommand(below)
    }

    fn completed(typed: &[&str], file: &str) -> (Vec<String>, Problems) {
        let line: Vec<_> = [&["t", "run"], typed].concat().into_iter().map(OsString::from).collect();
        let typed = with_any_text(command()).try_get_matches_from(&line).unwrap();
        let mut problems = Problems::default();
        let file = EnvFile::parse(file).unwrap();
        let words = complete(&line, &typed, &command(), &file, &mut problems);
        // What is left can be parsed, or it would be refused after all.
        without_environment(command()).try_get_matches_from(&words).unwrap();
        (words.into_iter().skip(2).map(|word| word.into_string().unwrap()).collect(), problems)
    }

    #[test]
    fn a_flag_wins_over_the_file() {
        let file = "TEST_ONLY_A=1\nTEST_ONLY_A_B=2\nTEST_ONLY_LEVEL=-x\nTEST_ONLY_LIST=a,b\n";
        assert_eq!(completed(&[], file).0, ["--level=-x", "--a=1", "--a-b=2", "--list=a,b"]);
        let typed = ["--a=9", "--level", "y", "--list=c", "--json", "--list", "d,e"];
        let expected = ["--level=y", "--a=9", "--a-b=2", "--list=c", "--list=d,e", "--json"];
        assert_eq!(completed(&typed, file).0, expected);
    }

    #[test]
    fn each_wrong_value_is_reported_and_left_out() {
        let (words, problems) = completed(&["--a=secret", "--a-b=2"], "TEST_ONLY_A=1\n");
        assert_eq!(words, ["--a-b=2"]);
        assert!(problems.has("TEST_ONLY_A") && problems.as_slice().len() == 1);
        assert!(!problems.as_slice()[0].to_string().contains("secret"), "{problems:?}");
    }
}
