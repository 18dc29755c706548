//! Lines out and lines in: what a person reads, or one JSON object per line for a program; a password typed without
//! an echo. Results go to standard output, everything else to standard error. Nothing here panics on a broken pipe.

use std::{
    fmt::Display,
    io::{self, IsTerminal, Write},
};

use anyhow::{Context, bail};
use chrono::{DateTime, SubsecRound, Utc};
use countersign_client::{LoginStatus, Session, User};
use serde_json::{Value, json};

/// Where results go.
#[derive(Clone, Copy)]
pub(crate) struct Terminal {
    json: bool,
}

impl Terminal {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Prints a result: the text for a person, the value for a program.
    pub(crate) fn show(self, text: impl Display, value: &Value) -> io::Result<()> {
        let mut output = io::stdout().lock();
        if self.json {
            writeln!(output, "{value}")?;
        } else {
            writeln!(output, "{text}")?;
        }
        output.flush()
    }

    pub(crate) fn show_status(self, status: &LoginStatus) -> io::Result<()> {
        self.show(status_text(status), &status_value(status))
    }

    /// Prints a session with its token: the one time that anybody sees it.
    pub(crate) fn show_session(self, session: &Session) -> io::Result<()> {
        let Session { token, device_token, expires_at, user } = session;
        let text = format!(
            "Signed in as {}, until {}.\nexport COUNTERSIGN_DEVICE_TOKEN={}\nexport COUNTERSIGN_SESSION_TOKEN={}",
            user_text(user),
            expires_at.trunc_subsecs(0),
            device_token.reveal(),
            token.reveal()
        );
        self.show(text, &json!({ "session": session_value(session) }))
    }

    pub(crate) fn show_user(self, user: Option<&User>) -> io::Result<()> {
        let text = user.map_or_else(|| "Nobody is signed in.".to_owned(), user_text);
        self.show(text, &json!({ "me": user.map(user_value) }))
    }
}

/// Tells a person something that is not a result.
pub(crate) fn tell(text: impl Display) {
    // Standard error may be gone; there is nowhere left to say so.
    let _ = writeln!(io::stderr(), "{text}");
}

/// Says in one line why the program failed.
pub(crate) fn complain(error: &anyhow::Error) {
    tell(format_args!("error: {error:#}"));
}

/// Reads a line from standard input, without its end.
pub(crate) fn read_line() -> anyhow::Result<String> {
    let mut line = String::new();
    if io::stdin().read_line(&mut line).context("standard input cannot be read")? == 0 {
        bail!("standard input has ended");
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Reads a password: without an echo from a terminal, or as a line of a pipe.
pub(crate) fn read_password() -> anyhow::Result<String> {
    if !io::stdin().is_terminal() {
        return read_line();
    }
    let terminal = console::Term::stderr();
    terminal.write_str("Password: ").and_then(|()| terminal.read_secure_line()).context("no password")
}

/// A token that was given, or the line of standard input that `-` stands for.
pub(crate) fn token_or_line(token: String) -> anyhow::Result<String> {
    if token == "-" { Ok(read_line()?.trim().to_owned()) } else { Ok(token) }
}

/// What remains until then, such as `9m 05s`. Only a person's orientation: the service's clock decides.
pub(crate) fn time_left(until: DateTime<Utc>) -> String {
    #[expect(
        clippy::disallowed_methods,
        reason = "a countdown on a screen is told by the screen's own clock"
    )]
    let now = Utc::now();
    minutes_and_seconds((until - now).num_seconds())
}

fn minutes_and_seconds(seconds: i64) -> String {
    let seconds = seconds.max(0);
    format!("{}m {:02}s", seconds / 60, seconds % 60)
}

pub(crate) fn user_text(user: &User) -> String {
    format!("{} <{}>, phone +{} {}", user.full_name, user.email, user.country_code, user.masked_phone)
}

fn status_text(status: &LoginStatus) -> String {
    let mut parts = vec![status.state.to_string(), format!("next step {}", status.next_step)];
    if let Some(failure) = &status.failure {
        parts.push(format!("because {failure}"));
    }
    if let Some(match_number) = status.match_number.as_deref().filter(|_| !status.is_over()) {
        parts.push(format!("match number {match_number}"));
    }
    parts.join(", ")
}

fn status_value(status: &LoginStatus) -> Value {
    json!({
        "sequence": status.sequence,
        "state": status.state,
        "nextStep": status.next_step,
        "purpose": status.purpose,
        "failure": status.failure,
        "matchNumber": status.match_number,
        "codeChannel": status.code_channel,
        "expiresAt": status.expires_at,
        "resendAvailableAt": status.resend_available_at,
        "session": status.session.as_ref().map(session_value),
    })
}

fn session_value(session: &Session) -> Value {
    let Session { token, device_token, expires_at, user } = session;
    json!({ "token": token.reveal(), "deviceToken": device_token.reveal(), "expiresAt": expires_at, "user": user_value(user) })
}

fn user_value(user: &User) -> Value {
    json!({
        "id": user.id,
        "fullName": user.full_name,
        "email": user.email,
        "countryCode": user.country_code,
        "maskedPhone": user.masked_phone,
        "createdAt": user.created_at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_countdown_reads_as_minutes_and_seconds_and_stops_at_nothing() {
        assert_eq!(minutes_and_seconds(545), "9m 05s");
        assert_eq!(minutes_and_seconds(59), "0m 59s");
        assert_eq!(minutes_and_seconds(-3), "0m 00s");
    }

    #[test]
    fn a_token_that_was_given_is_taken_as_it_is() {
        assert_eq!(token_or_line("given".to_owned()).unwrap(), "given");
    }
}
