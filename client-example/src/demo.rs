//! The whole story against a running `countersign dev`, told step by step: a signup approved on the phone, a logout,
//! a login denied on the phone and saved by a code, for it comes from a known device. The only part of the program that taps on phones. It ends well
//! only if the person it made up is signed in at the end.

use std::time::Duration;

use anyhow::{Context, anyhow, bail, ensure};
use client_example::phone::{ApprovalRequest, Device, Phone, PhoneError};
use countersign_client::{
    Address, Begun, Client, ClientError, CodeChannel, DeviceToken, LoginInput, LoginState, LoginStatus,
    LoginToken, PayloadError, ResendTokenErrorCode, Session, SignupInput, User, Watch, random,
};
use futures_util::StreamExt;
use serde_json::json;
use tokio::time::{sleep, timeout};

use crate::{
    command::begun,
    terminal::{Terminal, user_text},
};

/// How long a status may take that nothing but a tap stands before.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Area codes of the United States. With `555` and `01` behind them, their numbers belong to nobody.
const AREA_CODES: [u16; 24] = [
    201, 202, 203, 205, 206, 207, 208, 209, 210, 212, 213, 214, 215, 216, 217, 218, 219, 224, 225, 228, 229,
    231, 234, 239,
];

/// Plays the story to its end.
pub(crate) async fn play(
    client: &Client,
    url: &Address,
    phone_url: &Address,
    terminal: Terminal,
) -> anyhow::Result<()> {
    let phone = Phone::new(&phone_url.to_string())?;
    find_service(client, url).await?;
    find_sandbox(&phone, phone_url).await?;
    let person = Person::invent()?;
    let mut story = Story { client, phone, terminal, person, steps: 0 };
    let first = story.sign_up().await?;
    story.log_out(&first).await?;
    let session = story.log_in_with_a_code(&first.device_token).await?;
    ensure!(first.token != session.token, "the second login brought the first one's session token");
    let user = story.who_is_signed_in(&session).await?;
    story.tell(&format!("Signed in: {}", user_text(&user)))
}

async fn find_service(client: &Client, url: &Address) -> anyhow::Result<()> {
    client.me().await.map(drop).map_err(|error| unreachable_at(url, error.is_connect(), error.into()))
}

async fn find_sandbox(phone: &Phone, url: &Address) -> anyhow::Result<()> {
    phone.devices().await.map(drop).map_err(|error| {
        let is_connect = matches!(&error, PhoneError::Client(error) if ClientError::is_connect(error));
        unreachable_at(url, is_connect, error.into())
    })
}

fn unreachable_at(url: &Address, is_connect: bool, error: anyhow::Error) -> anyhow::Error {
    if is_connect {
        anyhow!("nothing answers at {url}: start it with `cargo run -- dev`")
    } else {
        error.context(format!("no use can be made of what answers at {url}"))
    }
}

/// Somebody who never was, with a phone that is nobody's.
struct Person {
    full_name: String,
    email: String,
    phone: String,
    password: String,
}

impl Person {
    fn invent() -> anyhow::Result<Self> {
        let draw = || random::number().context("no random numbers are to be had");
        Ok(Self::from_numbers(draw()?, draw()?, draw()?))
    }

    fn from_numbers(name: u64, phone: u64, password: u64) -> Self {
        let [.., low, high] = phone.to_be_bytes();
        let area_code = AREA_CODES[usize::from(high) % AREA_CODES.len()];
        Self {
            full_name: format!("Demo Person {:04x}", name & 0xffff),
            email: format!("demo-{name:016x}@example.com"),
            phone: format!("{area_code} 555 01{:02}", low % 100),
            password: format!("demo {password:016x}"),
        }
    }
}

struct Story<'a> {
    client: &'a Client,
    phone: Phone,
    terminal: Terminal,
    person: Person,
    steps: u32,
}

impl Story<'_> {
    /// A signup, approved on the phone.
    async fn sign_up(&mut self) -> anyhow::Result<Session> {
        let Person { full_name, email, phone, password } = &self.person;
        let input = SignupInput {
            full_name: full_name.clone(),
            email: email.clone(),
            country_code: "1".to_owned(),
            phone: phone.clone(),
            password: password.clone(),
        };
        self.tell(&format!("Signing up {full_name} <{email}>, phone +1 {phone}."))?;
        let begun = begun(self.client.signup(input).await?)?;
        let mut watch = self.subscribe(&begun).await?;
        let request = self.push(&begun.status).await?;
        self.tell(&format!(
            "The phone asks: {:?} {}. Approving.",
            request.message,
            number_of(&begun.status)
        ))?;
        self.phone.approve(&request.uuid).await?;
        let session = self.approved(&mut watch).await?;
        let user = self.who_is_signed_in(&session).await?;
        self.tell(&format!("`me` answers: {}.", user_text(&user)))?;
        Ok(session)
    }

    async fn log_out(&mut self, session: &Session) -> anyhow::Result<()> {
        let client = self.client.with_bearer(session.token.clone());
        ensure!(client.logout().await?, "nobody was logged in");
        ensure!(client.me().await?.is_none(), "the session outlived its logout");
        self.tell("Logged out; `me` answers: nobody.")
    }

    /// A login that the phone denies and a code saves. It presents the token of the known device: from elsewhere a denial is
    /// the end.
    async fn log_in_with_a_code(&mut self, device: &DeviceToken) -> anyhow::Result<Session> {
        self.tell("Logging in again, with the password and the device token.")?;
        let input = LoginInput {
            email: self.person.email.clone(),
            password: self.person.password.clone(),
            device_token: Some(device.clone()),
        };
        let begun = begun(self.client.login(input).await?)?;
        let mut watch = self.subscribe(&begun).await?;
        let request = self.push(&begun.status).await?;
        self.tell(&format!("The phone asks: {:?} {}. Denying.", request.message, number_of(&begun.status)))?;
        self.phone.deny(&request.uuid).await?;
        let denied = reach(&mut watch, &LoginState::Denied).await?;
        self.tell(&format!("The socket brings {}, next step {}.", denied.state, denied.next_step))?;
        self.resend(&begun.login_token).await?;
        let device = self.device().await?;
        let code = device.newest_sms_code().context("no text message came")?;
        self.tell("A text message with a code has come. Typing it.")?;
        let status = self.client.verify_token(&begun.login_token, code).await?.into_result()?;
        let session = status.session.context("the code brought no session")?;
        let told = self.approved(&mut watch).await?;
        ensure!(told.token == session.token, "the socket brought another session than the code");
        Ok(session)
    }

    async fn subscribe(&mut self, begun: &Begun) -> anyhow::Result<Watch> {
        let mut watch = self.client.watch(&begun.login_token);
        let status = next_status(&mut watch).await?;
        self.tell(&format!(
            "Subscribed: {}, next step {}, {}.",
            status.state,
            status.next_step,
            number_of(&status)
        ))?;
        Ok(watch)
    }

    /// The push of a login on the person's phone, told from others by its match number.
    async fn push(&self, status: &LoginStatus) -> anyhow::Result<ApprovalRequest> {
        let match_number = status.match_number.as_deref().context("the login has no match number")?;
        let device = self.device().await?;
        let request = device.pending_request(match_number);
        request
            .cloned()
            .with_context(|| format!("the phone shows no push with the match number {match_number}"))
    }

    async fn device(&self) -> anyhow::Result<Device> {
        let device = self.phone.find_by_email(&self.person.email).await?;
        device.with_context(|| format!("the sandbox has no phone of {}", self.person.email))
    }

    async fn approved(&mut self, watch: &mut Watch) -> anyhow::Result<Session> {
        let approved = reach(watch, &LoginState::Approved).await?;
        let session = approved.session.context("APPROVED came without a session")?;
        self.tell("The socket brings APPROVED, with a session.")?;
        Ok(session)
    }

    /// Asks for a text message, once more after a while if it was too soon.
    async fn resend(&mut self, login_token: &LoginToken) -> anyhow::Result<()> {
        let channel = Some(CodeChannel::Sms);
        let mut reply = self.client.resend_token(login_token, channel.clone()).await?;
        let too_soon = reply.errors.iter().find(|error| error.code == ResendTokenErrorCode::TooSoon);
        if let Some(wait) = too_soon.and_then(PayloadError::retry_after) {
            self.tell(&format!("Too soon for a code. Waiting for {} s.", wait.as_secs()))?;
            sleep(wait).await;
            reply = self.client.resend_token(login_token, channel).await?;
        }
        reply.into_result()?;
        self.tell("Asked for a code by text message.")
    }

    async fn who_is_signed_in(&self, session: &Session) -> anyhow::Result<User> {
        let user = self.client.with_bearer(session.token.clone()).me().await?;
        let user = user.context("`me` knows nobody by this session")?;
        ensure!(user.email == self.person.email, "`me` answers somebody else");
        Ok(user)
    }

    fn tell(&mut self, text: &str) -> anyhow::Result<()> {
        self.steps += 1;
        let value = json!({ "step": self.steps, "text": text });
        Ok(self.terminal.show(format_args!("{:>2}. {text}", self.steps), &value)?)
    }
}

fn number_of(status: &LoginStatus) -> String {
    let number = status.match_number.as_deref();
    number.map_or_else(|| "no match number".to_owned(), |number| format!("match number {number}"))
}

async fn next_status(watch: &mut Watch) -> anyhow::Result<LoginStatus> {
    let status = timeout(LONGEST_WAIT, watch.next()).await.context("nothing came over the socket")?;
    Ok(status.context("the watch ended too early")??)
}

/// Follows a watch to a state; statuses in between may have merged.
async fn reach(watch: &mut Watch, wanted: &LoginState) -> anyhow::Result<LoginStatus> {
    loop {
        let status = next_status(watch).await?;
        if status.state == *wanted {
            return Ok(status);
        }
        if status.is_over() {
            bail!("the login ended {} instead of {wanted}", status.state);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invented_phones_are_ten_digits_that_belong_to_nobody() {
        for number in [0, 99, 100, 2399, 2400, u64::MAX] {
            let phone = Person::from_numbers(0, number, 0).phone;
            assert_eq!(phone.chars().filter(char::is_ascii_digit).count(), 10, "{phone}");
            assert!(phone.contains(" 555 01"), "{phone}");
        }
    }

    #[test]
    fn two_people_share_no_address() {
        assert_ne!(Person::from_numbers(1, 7, 7).email, Person::from_numbers(2, 7, 7).email);
    }
}
