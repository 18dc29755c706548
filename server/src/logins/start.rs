//! Starting a signup, a login or a confirmation.

use std::net::IpAddr;

use super::{Logins, push_text::push_text};
use crate::{
    approvals::{ApprovalStatus, CodeTrouble, Consequence, NewSessionGrant, StartError, StartRequest},
    limits::Grant,
    model::{
        DeliveryMethod, DeviceId, LoginToken, PendingSignup, SensitiveOperation, Session, SessionSalt, User,
    },
    random,
};

/// The client of a request.
#[derive(Clone, Debug)]
pub struct ClientInfo {
    /// Its address, if known.
    pub address: Option<IpAddr>,
    /// The browser and system that it names, such as `Firefox on Linux`.
    pub browser: Option<String>,
    /// How a session is delivered to it.
    pub delivery: DeliveryMethod,
}

/// A started login.
#[derive(Debug)]
pub struct StartedLogin {
    /// Its secret handle.
    pub token: LoginToken,
    /// Its status.
    pub status: ApprovalStatus,
    /// Why the person has neither a push nor a code: they may request a code later, without the password.
    pub trouble: Option<CodeTrouble>,
}

/// What the session of a new login is derived with.
struct NewSession<'a> {
    salt: SessionSalt,
    client: &'a ClientInfo,
}

impl<'a> NewSession<'a> {
    fn to(client: &'a ClientInfo) -> Self {
        Self { salt: SessionSalt::from_bytes(random::bytes()), client }
    }

    fn grant(&self, token: &LoginToken) -> NewSessionGrant<'_> {
        NewSessionGrant {
            session_token: token.derive_session_token(&self.salt).hash(),
            device_token: token.derive_device_token(&self.salt).hash(),
            salt: &self.salt,
            delivery: self.client.delivery,
            browser: self.client.browser.as_deref(),
        }
    }
}

impl Logins {
    /// Starts a login of a user whose password was right. `password_try`, which it took, is released.
    pub async fn start_login(
        &self,
        user: &User,
        device: Option<DeviceId>,
        client: &ClientInfo,
        password_try: Grant,
    ) -> Result<StartedLogin, StartError> {
        let (token, session) = (LoginToken::from_bytes(random::bytes()), NewSession::to(client));
        let consequence = Consequence::OpenSession(user, session.grant(&token));
        self.start(request(&token, consequence, device, client), Some(password_try)).await
    }

    /// Starts a signup: its user is created when the phone is verified.
    pub async fn start_signup(
        &self,
        signup: &PendingSignup,
        client: &ClientInfo,
    ) -> Result<StartedLogin, StartError> {
        let (token, session) = (LoginToken::from_bytes(random::bytes()), NewSession::to(client));
        let consequence = Consequence::CreateUser(signup, session.grant(&token));
        self.start(request(&token, consequence, None, client), None).await
    }

    /// Starts the confirmation of an operation in a session whose user's password was right. `password_try`, which it took, is
    /// released.
    pub async fn start_confirmation(
        &self,
        (session, user): (&Session, &User),
        operation: SensitiveOperation,
        client: &ClientInfo,
        password_try: Grant,
    ) -> Result<StartedLogin, StartError> {
        let consequence = Consequence::AllowOperation(user, session.id, operation);
        // Rate limits of its own: strangers who know the password do not exhaust them.
        let device = self.store.find_device_of_session(session.id).await?;
        let token = LoginToken::from_bytes(random::bytes());
        self.start(request(&token, consequence, device, client), Some(password_try)).await
    }

    async fn start(
        &self,
        request: StartRequest<'_>,
        password_try: Option<Grant>,
    ) -> Result<StartedLogin, StartError> {
        let started = self.approvals.start(&request, password_try).await?;
        Ok(StartedLogin { status: started.status, trouble: started.trouble, token: request.token.clone() })
    }
}

fn request<'a>(
    token: &'a LoginToken,
    consequence: Consequence<'a>,
    device: Option<DeviceId>,
    client: &ClientInfo,
) -> StartRequest<'a> {
    let push = push_text(&consequence, client.address);
    StartRequest { token, consequence, device, address: client.address, push }
}
