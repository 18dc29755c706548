//! The client: one method per operation, over HTTP, and the way to [`Watch`]. It keeps no state but
//! where the service is and who is asking. Every call has an end, and no token ever stands in a URL.

use std::time::Duration;

use futures_util::StreamExt;
use graphql_client::{GraphQLQuery, Response};
use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use reqwest::redirect;
use url::Url;

use crate::{
    address::Address,
    error::{ClientError, Misfit},
    login::{CodeChannel, LoginStatus, Outcome, User},
    operations::{
        CancelLogin, ChangePassword, Confirm, EndOtherSessions, EndSession, ForgetDevices, ListSessions,
        Login, Logout, Me, ReadLogin, ReadSession, ResendToken, Signup, VerifyToken, cancel_login,
        change_password, confirm, end_other_sessions, end_session, forget_devices, list_sessions, login,
        logout, me, read_login, read_session, resend_token, signup, verify_token,
    },
    reply::{LoginInput, LoginReply, ResendTokenReply, SignupInput, SignupReply, VerifyTokenReply},
    session::{
        ActiveSession, ChangePasswordReply, ConfirmReply, EndOtherSessionsReply, EndSessionReply,
        SensitiveOperation,
    },
    token::{LoginToken, SessionToken},
    watch::{Watch, WatchError},
};

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(15);
const DEFAULT_PATIENCE: Duration = Duration::from_mins(10);

/// Longer than any answer of the schema; what goes on beyond it is not one.
pub(crate) const LONGEST_ANSWER: usize = 1024 * 1024;

/// A client of one service, for one person or for nobody in particular. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    endpoint: Url,
    timeout: Duration,
    patience: Duration,
    bearer: Option<SessionToken>,
}

impl Client {
    /// A client of the service at a base address such as `http://127.0.0.1:3000`, with the defaults of
    /// [`ClientBuilder`].
    ///
    /// The process must have installed a crypto provider of rustls before, for plain HTTP too; without one this is
    /// [`ClientError::NoCryptoProvider`].
    pub fn new(address: &str) -> Result<Self, ClientError> {
        Self::builder(address).build()
    }

    /// A client with settings of one's own.
    pub fn builder(address: &str) -> ClientBuilder {
        ClientBuilder {
            address: address.to_owned(),
            timeout: DEFAULT_TIMEOUT,
            patience: DEFAULT_PATIENCE,
            bearer: None,
            http: None,
        }
    }

    /// The same client, asking as the holder of this session.
    #[must_use]
    pub fn with_bearer(&self, bearer: SessionToken) -> Self {
        Self { bearer: Some(bearer), ..self.clone() }
    }

    /// Registers a person. Their account exists only once the login that this begins is approved.
    pub async fn signup(&self, input: SignupInput) -> Result<SignupReply, ClientError> {
        let SignupInput { full_name, email, country_code, phone, password } = input;
        let input = signup::SignupInput { full_name, email, country_code, phone, password };
        Ok(SignupReply::try_from(self.ask::<Signup>(signup::Variables { input }).await?)?)
    }

    /// Begins a login.
    pub async fn login(&self, input: LoginInput) -> Result<LoginReply, ClientError> {
        let LoginInput { email, password, device_token } = input;
        let device_token = device_token.map(|token| token.reveal().to_owned());
        let input = login::LoginInput { email, password, device_token };
        Ok(LoginReply::try_from(self.ask::<Login>(login::Variables { input }).await?)?)
    }

    /// Confirms a login with a code that the person typed.
    pub async fn verify_token(
        &self,
        login_token: &LoginToken,
        code: &str,
    ) -> Result<VerifyTokenReply, ClientError> {
        let input = verify_token::VerifyTokenInput {
            login_token: login_token.reveal().to_owned(),
            code: code.to_owned(),
        };
        Ok(VerifyTokenReply::try_from(self.ask::<VerifyToken>(verify_token::Variables { input }).await?)?)
    }

    /// Asks for another code; without a channel the service picks one.
    pub async fn resend_token(
        &self,
        login_token: &LoginToken,
        channel: Option<CodeChannel>,
    ) -> Result<ResendTokenReply, ClientError> {
        let input = resend_token::ResendTokenInput { login_token: login_token.reveal().to_owned(), channel };
        Ok(ResendTokenReply::try_from(self.ask::<ResendToken>(resend_token::Variables { input }).await?)?)
    }

    /// Calls a login off. `None`: the service knows no such login.
    pub async fn cancel_login(&self, login_token: &LoginToken) -> Result<Option<LoginStatus>, ClientError> {
        let input = cancel_login::CancelLoginInput { login_token: login_token.reveal().to_owned() };
        let data = self.ask::<CancelLogin>(cancel_login::Variables { input }).await?;
        Ok(data.cancel_login.status.map(LoginStatus::try_from).transpose()?)
    }

    /// How a login stands now. `None`: the service knows no such login.
    pub async fn login_status(&self, login_token: &LoginToken) -> Result<Option<LoginStatus>, ClientError> {
        let variables = read_login::Variables { login_token: login_token.reveal().to_owned() };
        Ok(self.ask::<ReadLogin>(variables).await?.login_status.map(LoginStatus::try_from).transpose()?)
    }

    /// Who is signed in. `None`: nobody, or a session that has ended.
    pub async fn me(&self) -> Result<Option<User>, ClientError> {
        Ok(self.ask::<Me>(me::Variables).await?.me.map(User::from))
    }

    /// Starts the confirmation of one operation in the session of this client. When its login is approved, the operation is allowed
    /// once, within five minutes, with the login token of this reply. Without a password the service answers `PASSWORD_REQUIRED`.
    pub async fn confirm(
        &self,
        operation: SensitiveOperation,
        password: Option<&str>,
    ) -> Result<ConfirmReply, ClientError> {
        let input = confirm::ConfirmInput { operation, password: password.map(str::to_owned) };
        Ok(ConfirmReply::try_from(self.ask::<Confirm>(confirm::Variables { input }).await?)?)
    }

    /// Changes the password, with the login token of its confirmation. Without one the service answers
    /// `CONFIRMATION_REQUIRED`. All other sessions end.
    pub async fn change_password(
        &self,
        confirmation: Option<&LoginToken>,
        new_password: &str,
    ) -> Result<ChangePasswordReply, ClientError> {
        let login_token = confirmation.map(|token| token.reveal().to_owned());
        let input =
            change_password::ChangePasswordInput { login_token, new_password: new_password.to_owned() };
        Ok(self.ask::<ChangePassword>(change_password::Variables { input }).await?.into())
    }

    /// Returns the session of this client. `None`: it has ended, or there is none.
    pub async fn session(&self) -> Result<Option<ActiveSession>, ClientError> {
        Ok(self.ask::<ReadSession>(read_session::Variables).await?.session.map(Into::into))
    }

    /// Lists the live sessions of the signed-in user, last used first. `None`: nobody is signed in.
    pub async fn sessions(&self) -> Result<Option<Vec<ActiveSession>>, ClientError> {
        let me = self.ask::<ListSessions>(list_sessions::Variables).await?.me;
        Ok(me.map(|me| me.sessions.into_iter().map(Into::into).collect()))
    }

    /// Ends one session of the user, with the login token of its confirmation. Without one the service answers
    /// `CONFIRMATION_REQUIRED`.
    pub async fn end_session(
        &self,
        confirmation: Option<&LoginToken>,
        id: &str,
    ) -> Result<EndSessionReply, ClientError> {
        let login_token = confirmation.map(|token| token.reveal().to_owned());
        let input = end_session::EndSessionInput { login_token, session_id: id.to_owned() };
        Ok(self.ask::<EndSession>(end_session::Variables { input }).await?.into())
    }

    /// Ends all other sessions of the user, with the login token of its confirmation. Without one the service answers
    /// `CONFIRMATION_REQUIRED`.
    pub async fn end_other_sessions(
        &self,
        confirmation: Option<&LoginToken>,
    ) -> Result<EndOtherSessionsReply, ClientError> {
        let login_token = confirmation.map(|token| token.reveal().to_owned());
        let input = end_other_sessions::EndOtherSessionsInput { login_token };
        let variables = end_other_sessions::Variables { input: Some(input) };
        Ok(self.ask::<EndOtherSessions>(variables).await?.into())
    }

    /// Ends the session. `false`: there was none.
    pub async fn logout(&self) -> Result<bool, ClientError> {
        Ok(self.ask::<Logout>(logout::Variables).await?.logout.logged_out)
    }

    /// Forgets every browser in which the holder of the session has signed in: their device tokens are worth nothing from
    /// now on. Returns how many there were.
    pub async fn forget_devices(&self) -> Result<u64, ClientError> {
        let forgotten = self.ask::<ForgetDevices>(forget_devices::Variables).await?.forget_devices.forgotten;
        Ok(forgotten.try_into().unwrap_or_default())
    }

    /// Follows a login until it is over, through lost connections. Begins at once, whether or not the stream is
    /// polled; dropping the stream ends it.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn watch(&self, login_token: &LoginToken) -> Watch {
        Watch::begin(self, login_token.clone())
    }

    /// Waits while the phone has the word, and says where that led: into a session, to a code, or to an end.
    pub async fn wait_for_phone(&self, login_token: &LoginToken) -> Result<Outcome, WatchError> {
        let mut watch = self.watch(login_token);
        while let Some(status) = watch.next().await {
            if let Some(outcome) = status?.outcome() {
                return Ok(outcome);
            }
        }
        Err(WatchError::Malformed)
    }

    pub(crate) fn endpoint(&self) -> &Url {
        &self.endpoint
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    pub(crate) fn patience(&self) -> Duration {
        self.patience
    }

    pub(crate) fn bearer(&self) -> Option<&SessionToken> {
        self.bearer.as_ref()
    }

    async fn ask<Operation: GraphQLQuery>(
        &self,
        variables: Operation::Variables,
    ) -> Result<Operation::ResponseData, ClientError> {
        let mut request = self
            .http
            .post(self.endpoint.clone())
            .timeout(self.timeout)
            .header(ACCEPT, "application/graphql-response+json, application/json;q=0.9")
            .json(&Operation::build_query(variables));
        if let Some(bearer) = &self.bearer {
            request = request.bearer_auth(bearer.reveal());
        }
        let mut response = request.send().await?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            body.extend_from_slice(&chunk);
            if body.len() > LONGEST_ANSWER {
                return Err(ClientError::Malformed(Misfit::TOO_LONG));
            }
        }
        read_answer(response.status().as_u16(), response.headers().get(CONTENT_TYPE), &body)
    }
}

/// Settings of a [`Client`].
#[derive(Clone, Debug)]
#[must_use]
pub struct ClientBuilder {
    address: String,
    timeout: Duration,
    patience: Duration,
    bearer: Option<SessionToken>,
    http: Option<reqwest::Client>,
}

impl ClientBuilder {
    /// How long one call may take, from connecting to the last byte; 15 seconds if nothing is said.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long a [`Watch`] goes on without reaching the service before it gives up; ten minutes, a login's usual
    /// life, if nothing is said.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The session that the client asks with.
    pub fn bearer(mut self, bearer: SessionToken) -> Self {
        self.bearer = Some(bearer);
        self
    }

    /// An HTTP client to share. Otherwise one is made, which follows no redirects: they would carry passwords to
    /// wherever they point.
    pub fn http(mut self, http: reqwest::Client) -> Self {
        self.http = Some(http);
        self
    }

    /// Makes the client. Connects to nothing yet.
    pub fn build(self) -> Result<Client, ClientError> {
        let address: Address = self.address.parse()?;
        let http = match self.http {
            Some(http) => http,
            None => http_client(&address)?,
        };
        Ok(Client {
            http,
            endpoint: address.join("graphql"),
            timeout: self.timeout,
            patience: self.patience,
            bearer: self.bearer,
        })
    }
}

/// Returns the HTTP client that [`ClientBuilder::build`] makes for an address: it follows no redirects, and uses no proxy to
/// reach its own machine. Without a crypto provider of rustls it returns [`ClientError::NoCryptoProvider`], where reqwest panics.
pub fn http_client(address: &Address) -> Result<reqwest::Client, ClientError> {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        return Err(ClientError::NoCryptoProvider);
    }
    let mut builder = reqwest::Client::builder().timeout(DEFAULT_TIMEOUT).redirect(redirect::Policy::none());
    if address.is_loopback() {
        // A proxy's loopback is another machine's.
        builder = builder.no_proxy();
    }
    Ok(builder.build()?)
}

/// Reads an answer by what it is, and by its status only where it is not GraphQL: requests that are wrong are
/// answered with a 4xx and errors that say why.
fn read_answer<Data: for<'de> serde::Deserialize<'de>>(
    status: u16,
    content_type: Option<&HeaderValue>,
    body: &[u8],
) -> Result<Data, ClientError> {
    let is_json = content_type.and_then(|value| value.to_str().ok()).is_some_and(|value| {
        let essence = value.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case("application/json")
            || essence.eq_ignore_ascii_case("application/graphql-response+json")
    });
    if !is_json {
        return Err(ClientError::Status(status));
    }
    let is_success = (200..300).contains(&status);
    let answer: Response<Data> = serde_json::from_slice(body).map_err(|error| {
        if is_success { ClientError::Malformed(Misfit::from(&error)) } else { ClientError::Status(status) }
    })?;
    let errors = answer.errors.unwrap_or_default();
    match answer.data {
        _ if !errors.is_empty() => Err(ClientError::Graphql(errors.into_iter().map(Into::into).collect())),
        Some(data) if is_success => Ok(data),
        _ if is_success => Err(ClientError::Malformed(Misfit::NEITHER_DATA_NOR_ERRORS)),
        _ => Err(ClientError::Status(status)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

    fn read(status: u16, body: &str) -> Result<me::ResponseData, ClientError> {
        read_answer(status, Some(&JSON), body.as_bytes())
    }

    #[test]
    fn data_without_errors_is_the_answer() {
        assert!(read(200, r#"{"data":{"me":null}}"#).unwrap().me.is_none());
    }

    #[test]
    fn errors_beside_data_are_errors() {
        let error = read(200, r#"{"data":{"me":null},"errors":[{"message":"a fault"}]}"#).err().unwrap();
        assert!(matches!(error, ClientError::Graphql(errors) if errors[0].message == "a fault"));
    }

    #[test]
    fn errors_with_a_4xx_are_read_too() {
        let error = read(400, r#"{"errors":[{"message":"no such field"}]}"#).err().unwrap();
        assert!(matches!(error, ClientError::Graphql(_)));
    }

    #[test]
    fn an_answer_that_is_not_graphql_is_its_status() {
        assert!(matches!(read(502, "{}"), Err(ClientError::Status(502))));
        assert!(matches!(read(502, "nonsense"), Err(ClientError::Status(502))));
        let page: Result<me::ResponseData, _> =
            read_answer(200, Some(&HeaderValue::from_static("text/html")), b"<p>");
        assert!(matches!(page, Err(ClientError::Status(200))));
    }

    #[test]
    fn an_answer_that_does_not_fit_is_malformed() {
        assert!(matches!(read(200, "{"), Err(ClientError::Malformed(_))));
        assert!(matches!(read(200, r#"{"data":{"me":{"id":7}}}"#), Err(ClientError::Malformed(_))));
        assert!(matches!(read(200, "{}"), Err(ClientError::Malformed(_))));
    }

    #[test]
    fn a_client_does_not_show_its_bearer() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder("http://127.0.0.1:3000").bearer(SessionToken::new("planted")).build();
        assert!(!format!("{:?}", client.unwrap()).contains("planted"));
    }
}
