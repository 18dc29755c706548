//! What each command does: one or two calls of the library, and what came of them. The waiting for a phone is in
//! `wait`, the story in `demo`. A command that did not do what it is for is an error.

use std::fmt;

use anyhow::{anyhow, bail};
use countersign_client::{
    BeginReply, Begun, Client, ClientError, DeviceToken, LoginInput, LoginToken, Refused, SessionToken,
    SignupInput,
};
use futures_util::StreamExt;
use serde_json::json;

use crate::{
    arguments::{Arguments, Command, Login, LoginHolder, Resend, SessionHolder, Signup, Verify},
    demo,
    terminal::{Terminal, read_line, read_password, tell, token_or_line},
    wait::wait_for_person,
};

pub(crate) async fn run(arguments: Arguments, terminal: &Terminal) -> anyhow::Result<()> {
    let Arguments { url, command, .. } = arguments;
    let client = Client::new(&url.to_string())?;
    let done = match command {
        Command::Signup(arguments) => signup(&client, *terminal, arguments).await,
        Command::Login(arguments) => login(&client, *terminal, arguments).await,
        Command::Verify(arguments) => verify(&client, *terminal, arguments).await,
        Command::Resend(arguments) => resend(&client, *terminal, arguments).await,
        Command::Watch(holder) => watch(&client, *terminal, holder).await,
        Command::Me(holder) => me(&client, *terminal, holder).await,
        Command::Logout(holder) => logout(&client, *terminal, holder).await,
        Command::ForgetDevices(holder) => forget_devices(&client, *terminal, holder).await,
        Command::Demo(arguments) => return demo::play(&client, &url, &arguments.phone_url, *terminal).await,
    };
    done.map_err(|error| match error.downcast_ref::<ClientError>() {
        Some(cause) if cause.is_connect() => {
            anyhow!("nothing answers at {url}: start it with `cargo run -- dev`")
        }
        _ => error,
    })
}

async fn signup(client: &Client, terminal: Terminal, arguments: Signup) -> anyhow::Result<()> {
    let Signup { name: full_name, email, country_code, phone, waiting } = arguments;
    let password = read_password()?;
    let input = SignupInput { full_name, email, country_code, phone, password };
    let begun = begun(client.signup(input).await?)?;
    settle(client, terminal, begun, waiting.no_wait).await
}

async fn login(client: &Client, terminal: Terminal, arguments: Login) -> anyhow::Result<()> {
    let Login { email, device_token, waiting } = arguments;
    let (password, device_token) = (read_password()?, device_token.map(DeviceToken::new));
    let begun = begun(client.login(LoginInput { email, password, device_token }).await?)?;
    settle(client, terminal, begun, waiting.no_wait).await
}

async fn settle(client: &Client, terminal: Terminal, begun: Begun, no_wait: bool) -> anyhow::Result<()> {
    if no_wait {
        terminal.show_status(&begun.status)?;
        let token = begun.login_token.reveal();
        let text = format!("export COUNTERSIGN_LOGIN_TOKEN={token}");
        return Ok(terminal.show(text, &json!({ "loginToken": token }))?);
    }
    let session = wait_for_person(client, &begun).await?;
    Ok(terminal.show_session(&session)?)
}

async fn verify(client: &Client, terminal: Terminal, arguments: Verify) -> anyhow::Result<()> {
    let login_token = arguments.login.read()?;
    let code = if let Some(code) = arguments.code {
        code
    } else {
        tell("Code:");
        read_line()?
    };
    let status = client.verify_token(&login_token, &code).await?.into_result()?;
    match &status.session {
        Some(session) => Ok(terminal.show_session(session)?),
        None => bail!("the login is {} and has no session", status.state),
    }
}

async fn resend(client: &Client, terminal: Terminal, arguments: Resend) -> anyhow::Result<()> {
    let login_token = arguments.login.read()?;
    let status = client.resend_token(&login_token, arguments.channel).await?.into_result()?;
    Ok(terminal.show_status(&status)?)
}

async fn watch(client: &Client, terminal: Terminal, holder: LoginHolder) -> anyhow::Result<()> {
    let mut watch = client.watch(&holder.read()?);
    let mut is_signed_in = false;
    while let Some(status) = watch.next().await {
        let status = status?;
        terminal.show_status(&status)?;
        is_signed_in = status.session.is_some();
    }
    if is_signed_in { Ok(()) } else { bail!("the login ended without a session") }
}

async fn me(client: &Client, terminal: Terminal, holder: SessionHolder) -> anyhow::Result<()> {
    let user = client.with_bearer(holder.read()?).me().await?;
    terminal.show_user(user.as_ref())?;
    if user.is_some() { Ok(()) } else { bail!("the session has ended, or never was") }
}

async fn logout(client: &Client, terminal: Terminal, holder: SessionHolder) -> anyhow::Result<()> {
    let logged_out = client.with_bearer(holder.read()?).logout().await?;
    let text = if logged_out { "Logged out." } else { "Nobody was logged in." };
    Ok(terminal.show(text, &json!({ "loggedOut": logged_out }))?)
}

async fn forget_devices(client: &Client, terminal: Terminal, holder: SessionHolder) -> anyhow::Result<()> {
    let forgotten = client.with_bearer(holder.read()?).forget_devices().await?;
    Ok(terminal.show(format!("Forgotten: {forgotten}."), &json!({ "forgotten": forgotten }))?)
}

impl LoginHolder {
    fn read(self) -> anyhow::Result<LoginToken> {
        token_or_line(self.login_token).map(LoginToken::new)
    }
}

impl SessionHolder {
    fn read(self) -> anyhow::Result<SessionToken> {
        token_or_line(self.session_token).map(SessionToken::new)
    }
}

/// The login that began, having told the person what went wrong beside it.
pub(crate) fn begun<Code>(reply: BeginReply<Code>) -> Result<Begun, Refused<Code>>
where
    Code: fmt::Display,
{
    if reply.login_token.is_some() {
        for error in &reply.errors {
            tell(error);
        }
    }
    reply.into_result()
}
