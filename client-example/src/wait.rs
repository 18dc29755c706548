//! Waiting for a person: a spinner with the time left while the phone has the word, and a prompt while a code is
//! needed. The phone and the keyboard are listened to at once; whichever signs in first ends it.

use std::{future::pending, time::Duration};

use anyhow::{Context, bail};
use countersign_client::{
    Begun, Client, CodeChannel, LoginState, LoginStatus, LoginStep, LoginToken, Outcome, Session,
};
use futures_util::StreamExt;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::{task::JoinHandle, time::interval};

use crate::terminal::{read_line, tell, time_left};

/// Waits until the login that began has a session, asking for codes where they are needed.
pub(crate) async fn wait_for_person(client: &Client, begun: &Begun) -> anyhow::Result<Session> {
    let mut watch = client.watch(&begun.login_token);
    let mut countdown = interval(Duration::from_secs(1));
    let mut conversation = Conversation::new(client, &begun.login_token);
    let mut status = begun.status.clone();
    loop {
        match status.outcome() {
            Some(Outcome::SignedIn(session)) => return Ok(session),
            Some(Outcome::Confirmed) => bail!("this login opens no session"),
            Some(Outcome::Refused(status)) => bail!("{}", ending(&status)),
            Some(Outcome::NeedsCode(_)) | None => conversation.turn_to(&status),
        }
        tokio::select! {
            _ = countdown.tick() => conversation.count_down(&status),
            news = watch.next() => status = news.context("the watch ended too early")??,
            line = conversation.next_line() => {
                if let Some(answer) = conversation.answer(&line?).await? {
                    status = answer;
                }
            }
        }
    }
}

/// What stands on the screen during a wait, and what is being typed.
struct Conversation<'a> {
    client: &'a Client,
    login_token: &'a LoginToken,
    spinner: Option<ProgressBar>,
    prompted_at: Option<i64>,
    line: Option<JoinHandle<anyhow::Result<String>>>,
}

impl<'a> Conversation<'a> {
    fn new(client: &'a Client, login_token: &'a LoginToken) -> Self {
        Self { client, login_token, spinner: None, prompted_at: None, line: None }
    }

    /// Shows a spinner or a prompt, as the status demands.
    fn turn_to(&mut self, status: &LoginStatus) {
        if status.next_step != LoginStep::EnterCode {
            if self.spinner.is_none() {
                let spinner = spinner();
                if spinner.is_hidden() {
                    tell(approval_wanted(status));
                }
                self.spinner = Some(spinner);
            }
            return;
        }
        if let Some(spinner) = self.spinner.take() {
            spinner.finish_and_clear();
        }
        if self.prompted_at != Some(status.sequence) {
            self.prompted_at = Some(status.sequence);
            tell(prompt(status));
        }
        self.line.get_or_insert_with(|| tokio::task::spawn_blocking(read_line));
    }

    fn count_down(&self, status: &LoginStatus) {
        if let Some(spinner) = &self.spinner {
            let left = time_left(status.expires_at);
            spinner.set_message(format!("{} {left} left", approval_wanted(status)));
        }
    }

    /// The line that is being typed, if one is; waits forever otherwise.
    async fn next_line(&mut self) -> anyhow::Result<String> {
        let Some(line) = &mut self.line else {
            return pending().await;
        };
        let typed = line.await.context("standard input cannot be read");
        self.line = None;
        typed?.context("no code was typed")
    }

    /// Does what the typed line asks for. `None`: nothing came of it but words.
    async fn answer(&self, line: &str) -> anyhow::Result<Option<LoginStatus>> {
        let word = line.trim();
        if word.is_empty() {
            return Ok(None);
        }
        if let Some(channel) = channel_asked_for(word) {
            let reply = self.client.resend_token(self.login_token, Some(channel)).await?;
            reply.errors.iter().for_each(tell);
            return Ok(reply.status);
        }
        let reply = self.client.verify_token(self.login_token, word).await?;
        reply.errors.iter().for_each(tell);
        Ok(reply.status)
    }
}

impl Drop for Conversation<'_> {
    fn drop(&mut self) {
        if let Some(spinner) = &self.spinner {
            spinner.finish_and_clear();
        }
    }
}

fn spinner() -> ProgressBar {
    let spinner = ProgressBar::new_spinner().with_style(ProgressStyle::default_spinner());
    spinner.enable_steady_tick(Duration::from_millis(120));
    spinner
}

fn approval_wanted(status: &LoginStatus) -> String {
    match &status.match_number {
        Some(number) => format!("Approve on your phone, if it shows {number}."),
        None => "Approve on your phone.".to_owned(),
    }
}

fn channel_asked_for(word: &str) -> Option<CodeChannel> {
    if word.eq_ignore_ascii_case("resend") { Some(CodeChannel::Sms) } else { CodeChannel::parse(word) }
}

fn prompt(status: &LoginStatus) -> String {
    let what = match (&status.state, &status.code_channel) {
        (LoginState::Denied, None) => "The phone said no. If it was you after all, have a new code sent.",
        (_, Some(CodeChannel::Sms)) => "A code is on its way to your phone, in a text message.",
        (_, Some(CodeChannel::Voice)) => "Your phone will ring and read out a code.",
        (_, Some(CodeChannel::App)) => "Open the Authy app on your phone: it shows a code.",
        _ => "A code signs you in.",
    };
    format!(
        "{what}\nType the code, or `sms` or `voice` to have one sent ({} left):",
        time_left(status.expires_at)
    )
}

fn ending(status: &LoginStatus) -> String {
    match (&status.state, &status.failure) {
        (LoginState::Expired, _) => "nobody answered in time".to_owned(),
        (_, Some(failure)) => format!("the login failed: {failure}"),
        (state, None) => format!("the login ended {state}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typed_word_asks_for_a_channel_and_a_typed_number_does_not() {
        assert_eq!(channel_asked_for("resend"), Some(CodeChannel::Sms));
        assert_eq!(channel_asked_for("VOICE"), Some(CodeChannel::Voice));
        assert_eq!(channel_asked_for("123 4567"), None);
        assert_eq!(channel_asked_for(""), None);
    }
}
