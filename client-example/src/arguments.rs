//! What can be asked of the program, and where its settings come from. No secret is ever needed on the command line,
//! where every other user of a machine can read it: passwords are typed, tokens come from the environment or a pipe.

use clap::{Args, Parser, Subcommand};
use countersign_client::{Address, CodeChannel};

/// Signs up, logs in and watches logins of a Countersign service.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
pub(crate) struct Arguments {
    /// Where the service is.
    #[arg(long, global = true, env = "COUNTERSIGN_URL", default_value = "http://127.0.0.1:3000")]
    pub(crate) url: Address,
    /// Print one JSON object per line.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Create an account and prove its phone.
    Signup(Signup),
    /// Log in: password, then phone.
    Login(Login),
    /// Confirm a login with a code.
    Verify(Verify),
    /// Have another code sent.
    Resend(Resend),
    /// Follow a login until it is over.
    Watch(LoginHolder),
    /// Say who is signed in.
    Me(SessionHolder),
    /// End a session.
    Logout(SessionHolder),
    /// Forget every browser in which somebody has signed in.
    ForgetDevices(SessionHolder),
    /// Play the whole story against a running `countersign dev`, the phone's finger included.
    Demo(Demo),
}

#[derive(Args)]
pub(crate) struct Signup {
    /// The person's name.
    #[arg(long)]
    pub(crate) name: String,
    /// The address to log in with.
    #[arg(long)]
    pub(crate) email: String,
    /// The calling code of the phone, such as 1 or 44.
    #[arg(long)]
    pub(crate) country_code: String,
    /// The phone that proves the account.
    #[arg(long)]
    pub(crate) phone: String,
    #[command(flatten)]
    pub(crate) waiting: Waiting,
}

#[derive(Args)]
pub(crate) struct Login {
    /// The address given at signup.
    #[arg(long)]
    pub(crate) email: String,
    /// What the last session from here came with.
    #[arg(long, env = "COUNTERSIGN_DEVICE_TOKEN", hide_env_values = true, allow_hyphen_values = true)]
    pub(crate) device_token: Option<String>,
    #[command(flatten)]
    pub(crate) waiting: Waiting,
}

/// What follows the password. It is typed, or the first line of a pipe.
#[derive(Args)]
pub(crate) struct Waiting {
    /// Print the login token and leave, instead of waiting for the phone.
    #[arg(long)]
    pub(crate) no_wait: bool,
}

#[derive(Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    pub(crate) login: LoginHolder,
    /// The code; asked for if it is missing.
    pub(crate) code: Option<String>,
}

#[derive(Args)]
pub(crate) struct Resend {
    #[command(flatten)]
    pub(crate) login: LoginHolder,
    /// How the code should travel: sms, voice or app. The service picks one if nothing is said.
    #[arg(long, value_parser = channel)]
    pub(crate) channel: Option<CodeChannel>,
}

#[derive(Args)]
pub(crate) struct LoginHolder {
    /// The login token, or `-` to read it from standard input.
    #[arg(long, env = "COUNTERSIGN_LOGIN_TOKEN", hide_env_values = true, allow_hyphen_values = true)]
    pub(crate) login_token: String,
}

#[derive(Args)]
pub(crate) struct SessionHolder {
    /// The session token, or `-` to read it from standard input.
    #[arg(long, env = "COUNTERSIGN_SESSION_TOKEN", hide_env_values = true, allow_hyphen_values = true)]
    pub(crate) session_token: String,
}

#[derive(Args)]
pub(crate) struct Demo {
    /// Where the sandbox is, whose phone the demo taps on.
    #[arg(long, env = "COUNTERSIGN_PHONE_URL", default_value = "http://127.0.0.1:3001")]
    pub(crate) phone_url: Address,
}

fn channel(text: &str) -> Result<CodeChannel, String> {
    CodeChannel::parse(text).ok_or_else(|| "a code travels by sms, voice or app".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(line.split(' '))
    }

    #[test]
    fn the_arguments_contradict_each_other_nowhere() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_channel_is_one_of_three() {
        let arguments = parse("client resend --login-token - --channel voice").unwrap();
        assert!(
            matches!(arguments.command, Command::Resend(resend) if resend.channel == Some(CodeChannel::Voice))
        );
        assert_eq!(parse("client resend --login-token - --channel pigeon").err().unwrap().exit_code(), 2);
    }

    #[test]
    fn a_token_may_begin_like_an_option() {
        let line = "client login --email alice@example.com --device-token -uM0 --no-wait";
        let Command::Login(login) = parse(line).unwrap().command else { panic!("another command") };
        assert_eq!(login.device_token.as_deref(), Some("-uM0"));
        assert!(login.waiting.no_wait);
        assert!(parse("client watch --login-token -uM0").is_ok());
        assert!(parse("client me --session-token --uM0").is_ok());
    }

    #[test]
    fn an_address_that_is_none_is_wrong_usage() {
        let refused = parse("client me --session-token - --url ftp://example.com").err().unwrap();
        assert_eq!(refused.exit_code(), 2);
        assert!(refused.to_string().contains("must begin with http:// or https://"), "{refused}");
    }

    #[test]
    fn global_settings_may_follow_the_command() {
        let arguments = parse("client demo --json --url https://login.example.com").unwrap();
        assert!(arguments.json);
        assert_eq!(arguments.url.to_string(), "https://login.example.com");
    }
}
