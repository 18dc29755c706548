//! Beginning a login: stored first, then the phone is asked, by push or else with a code.

use std::{net::IpAddr, time::Duration};

use chrono::{DateTime, Utc};

use super::{
    CodeTrouble, LoginStatus, Logins, Patience, counts::count_begun, delta, push::Pushed,
    send_code::Recipient,
};
use crate::{
    limits::{self, Grant, LimitError, LoginClaims, PhoneUse, PushPlace, Standing},
    model::{
        DeliveryMethod, DeviceId, Email, LoginId, LoginPurpose, LoginState, LoginToken, PendingSignup, Phone,
        ProviderUserId, SessionSalt, User, UserId,
    },
    provider::{PauseScope, ProviderError, Sending, guarded::CallSubject},
    random,
    storage::{Insertion, LimitChanges, NewLogin, StoreError, Taken, UsedUp},
};

/// How often another match number is drawn because somebody took the same one at the same moment: of fifty logins that start at
/// once, each gets one.
const DRAWS: usize = 32;

/// How many match numbers there are: those of two digits.
const MATCH_NUMBERS: usize = 100;

/// Who wants to get in.
#[derive(Clone, Copy, Debug)]
pub enum Whom<'a> {
    /// A user whose password was right, and the known device that they presented.
    User(&'a User, Option<DeviceId>),
    /// Somebody who becomes one when the phone is proven.
    Newcomer(&'a PendingSignup),
}

/// Where a request came from, for the person to compare, and how it is answered.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    /// The client's address, where it is known.
    pub address: Option<IpAddr>,
    /// How the session is delivered that the login opens.
    pub delivery: DeliveryMethod,
}

/// A login that has begun.
#[derive(Debug)]
pub struct Begun {
    /// Its secret handle.
    pub token: LoginToken,
    /// How it stands.
    pub status: LoginStatus,
    /// Why the person has neither a push nor a code: they may ask for a code later, without the password.
    pub trouble: Option<CodeTrouble>,
}

/// Why no login has begun.
#[derive(Debug, thiserror::Error)]
pub enum BeginError {
    /// The provider will not serve this phone.
    #[error("the provider refused this phone")]
    Refused,
    /// The provider cannot be asked just now.
    #[error("the provider cannot be asked")]
    Unavailable {
        /// How long calls to it are paused, if they are.
        retry_after: Option<Duration>,
    },
    /// The provider asks for a pause, or a limit on started logins is exhausted.
    #[error("a pause is due")]
    RateLimited {
        /// How long.
        retry_after: Option<Duration>,
    },
    /// Storage.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<LimitError> for BeginError {
    fn from(error: LimitError) -> Self {
        match error {
            LimitError::UsedUp { retry_after } => Self::RateLimited { retry_after: Some(retry_after) },
            LimitError::Store(error) => Self::Store(error),
        }
    }
}

/// A stored login whose phone has not been asked yet.
pub(super) struct Draft {
    pub(super) id: LoginId,
    token: LoginToken,
    /// Where it may push.
    pub(super) place: Option<PushPlace>,
    /// The network that it comes from.
    pub(super) network: Option<String>,
    delivery: DeliveryMethod,
    pub(super) match_number: Option<String>,
    pub(super) provider_user_id: ProviderUserId,
    pub(super) created_at: DateTime<Utc>,
    pub(super) expires_at: DateTime<Utc>,
}

impl Draft {
    /// Whom its calls to the provider are made for.
    pub(super) fn call_subject<'a>(&'a self, whom: Whom<'a>) -> CallSubject<'a> {
        CallSubject { phone: whom.phone(), network: self.network.as_deref() }
    }
}

impl<'a> Whom<'a> {
    pub(super) fn email(&self) -> &'a Email {
        match self {
            Self::User(user, _) => &user.email,
            Self::Newcomer(signup) => &signup.email,
        }
    }

    fn phone(&self) -> &'a Phone {
        match self {
            Self::User(user, _) => &user.phone,
            Self::Newcomer(signup) => &signup.phone,
        }
    }

    fn user(&self) -> Option<(UserId, Option<DeviceId>)> {
        match self {
            Self::User(user, device) => Some((user.id, *device)),
            Self::Newcomer(_) => None,
        }
    }

    fn device(&self) -> Option<DeviceId> {
        match self {
            Self::User(_, device) => *device,
            Self::Newcomer(_) => None,
        }
    }

    pub(super) fn purpose(&self) -> LoginPurpose {
        match self {
            Self::User(..) => LoginPurpose::Login,
            Self::Newcomer(_) => LoginPurpose::Signup,
        }
    }

    /// `network`: where the login comes from.
    fn phone_use<'b>(&'b self, network: Option<&'b str>) -> PhoneUse<'b> {
        PhoneUse { phone: self.phone(), standing: Standing::of(self.purpose(), self.device()), network }
    }
}

impl Logins {
    /// Begins a login and asks the phone. For a user, the password was right: `password_try`, which it took, is released.
    pub async fn begin(
        &self,
        whom: Whom<'_>,
        origin: Origin,
        password_try: Option<Grant>,
    ) -> Result<Begun, BeginError> {
        let patience = self.patience();
        let mut draft = match self.store_draft(whom, origin, password_try.as_ref(), patience).await {
            Ok(draft) => draft,
            Err(error) => {
                if let Some(password_try) = password_try {
                    self.limits.give_back(password_try).await;
                }
                return Err(error);
            }
        };
        // At once: whatever becomes of the rest, it ends in time.
        self.deadline.set(draft.expires_at);
        tracing::info!(login.id = %draft.id, "login begun");
        let pushed = self.push(&mut draft, whom, origin, patience).await;
        count_begun(whom.purpose(), matches!(pushed, Ok(Pushed::Out(_))));
        let trouble = match pushed? {
            Pushed::Out(Some(login)) => {
                let status = self.status_of_unsettled(*login, &draft.token);
                return Ok(Begun { token: draft.token, status, trouble: None });
            }
            Pushed::Out(None) => None,
            Pushed::NoPlace => {
                tracing::info!(login.id = %draft.id, "the phone is asked no more just now, so a code is sent");
                self.send_first_code(&draft, whom, patience).await?
            }
            Pushed::NotSent(error) => {
                tracing::info!(login.id = %draft.id, %error, "no push was sent, so a code is");
                self.send_first_code(&draft, whom, patience).await?
            }
        };
        let status =
            self.find_status(&draft.token).await?.ok_or(BeginError::Unavailable { retry_after: None })?;
        Ok(Begun { token: draft.token, status, trouble })
    }

    /// Registers them at the provider and, for a user, remembers how it knows them.
    pub(super) async fn enrol(
        &self,
        whom: Whom<'_>,
        network: Option<&str>,
        patience: Patience,
    ) -> Result<Result<ProviderUserId, ProviderError>, StoreError> {
        let of = CallSubject { phone: whom.phone(), network };
        let enrolled = patience.with(self.provider.enrol(of, whom.email(), whom.phone())).await;
        if let (Whom::User(user, _), Ok(known)) = (whom, &enrolled) {
            self.store.save_enrollment(user.id, self.provider.name(), known, self.clock.now()).await?;
        }
        Ok(enrolled)
    }

    /// How the provider knows them, and the user whose start is still to be reserved. A newcomer is registered, and so is a user whom
    /// this provider has not met: that is a call, which the limit on starts guards as well.
    async fn known_at_provider(
        &self,
        whom: Whom<'_>,
        network: Option<&str>,
        patience: Patience,
    ) -> Result<(ProviderUserId, Option<(UserId, Option<DeviceId>)>), BeginError> {
        if let Some((user_id, device)) = whom.user() {
            let known = self.store.find_enrollment(user_id, self.provider.name()).await?;
            if let Some(known) = known {
                return Ok((known, Some((user_id, device))));
            }
            self.limits.take_started_login(user_id, network, device).await?;
        }
        Ok((self.enrol(whom, network, patience).await??, None))
    }

    /// Stores a login, in one transaction with what it takes of the rate limits and what it releases.
    async fn store_draft(
        &self,
        whom: Whom<'_>,
        origin: Origin,
        password_try: Option<&Grant>,
        patience: Patience,
    ) -> Result<Draft, BeginError> {
        let network = origin.address.map(limits::network);
        let (provider_user_id, user) = self.known_at_provider(whom, network.as_deref(), patience).await?;
        let created_at = self.clock.now();
        let expires_at = created_at + delta(self.settings.login_ttl);
        let mut draft = Draft {
            id: LoginId::new(random::id(created_at)),
            token: LoginToken::from_bytes(random::bytes()),
            place: None,
            network,
            delivery: origin.delivery,
            match_number: None,
            provider_user_id,
            created_at,
            expires_at,
        };
        let phone = whom.phone_use(draft.network.as_deref());
        let mut claims = self.limits.login_claims(user, phone, created_at, expires_at);
        let released = password_try.map_or(&[][..], Grant::taken);
        loop {
            let stored = match self.limits.find_exhausted(&claims, created_at).await? {
                Some(exhausted) => Err(exhausted),
                None => self.insert(&mut draft, whom, &claims, released).await?,
            };
            match stored {
                Ok(reserved) => {
                    draft.place = self.limits.push_place(&claims, reserved, created_at);
                    return Ok(draft);
                }
                Err(exhausted) => self.limits.give_way(&mut claims, &exhausted)?,
            }
        }
    }

    /// Stores a draft, with a match number where it may push. Gives what was reserved, or which limit is exhausted.
    async fn insert(
        &self,
        draft: &mut Draft,
        whom: Whom<'_>,
        claims: &LoginClaims,
        released: &[Taken],
    ) -> Result<Result<Vec<Taken>, UsedUp>, StoreError> {
        let salt = SessionSalt::from_bytes(random::bytes());
        let (user_id, signup) = match whom {
            Whom::User(user, _) => (Some(user.id), None),
            Whom::Newcomer(signup) => (None, Some(signup)),
        };
        let (reserved, required) = claims.takings();
        let changes = LimitChanges { released, reserved: &reserved, required: &required };
        for draw in 0..=DRAWS {
            // Without a push there is nothing to compare. Where all numbers are taken, or somebody always takes the same
            // one, there is no push.
            draft.match_number = match (claims.place(), draw) {
                (None, _) | (Some(_), DRAWS) => None,
                // Few logins of a phone are open at once, so that any number is free as a rule.
                (Some(_), 0) => Some(match_number(random::below(MATCH_NUMBERS))),
                (Some(_), _) => self.free_match_number(whom.phone()).await?,
            };
            let new = NewLogin {
                id: draft.id,
                user_id,
                signup,
                phone: whom.phone(),
                login_token: draft.token.hash(),
                session_token: draft.token.derive_session_token(&salt).hash(),
                device_token: draft.token.derive_device_token(&salt).hash(),
                session_salt: &salt,
                session_delivery: draft.delivery,
                match_number: draft.match_number.as_deref(),
                push_place: claims.place(),
                device_id: whom.device(),
                network: draft.network.as_deref(),
                provider: self.provider.name(),
                provider_user_id: &draft.provider_user_id,
                created_at: draft.created_at,
                expires_at: draft.expires_at,
            };
            match self.store.begin_login(&new, &changes).await? {
                Insertion::Stored(reserved) => return Ok(Ok(reserved)),
                Insertion::Exhausted(exhausted) => return Ok(Err(exhausted)),
                Insertion::NumberTaken => {}
            }
        }
        Err(StoreError::Corrupt { table: "logins", column: "id" })
    }

    /// Two digits that no open login of this phone has; `None` where all are taken.
    async fn free_match_number(&self, phone: &Phone) -> Result<Option<String>, StoreError> {
        let taken = self.store.match_numbers_in_use(phone).await?;
        let free: Vec<String> =
            (0..MATCH_NUMBERS).map(match_number).filter(|number| !taken.contains(number)).collect();
        Ok(free.get(random::below(free.len())).cloned())
    }

    async fn send_first_code(
        &self,
        draft: &Draft,
        whom: Whom<'_>,
        patience: Patience,
    ) -> Result<Option<CodeTrouble>, StoreError> {
        let to = Recipient {
            login: draft.id,
            state: LoginState::Pending,
            user: &draft.provider_user_id,
            phone: whom.phone_use(draft.network.as_deref()),
            is_first: true,
            expires_at: draft.expires_at,
        };
        match self.send_code(&to, Sending::Preferred, patience).await? {
            Ok(()) => Ok(None),
            Err(trouble) => {
                tracing::warn!(login.id = %draft.id, %trouble, "neither a push nor a code was sent");
                Ok(Some(trouble))
            }
        }
    }
}

fn match_number(number: usize) -> String {
    format!("{number:02}")
}

impl From<ProviderError> for BeginError {
    fn from(error: ProviderError) -> Self {
        tracing::warn!(%error, "a person could not be registered at the provider");
        match error {
            ProviderError::Refused { .. } => Self::Refused,
            ProviderError::RateLimited { retry_after, .. } => Self::RateLimited { retry_after },
            ProviderError::Paused { retry_after, scope: PauseScope::Phone } => {
                Self::RateLimited { retry_after: Some(retry_after) }
            }
            ProviderError::Paused { retry_after, .. } => Self::Unavailable { retry_after: Some(retry_after) },
            _ => Self::Unavailable { retry_after: None },
        }
    }
}
