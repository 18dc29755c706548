//! Starting an approval: stored first, then the phone is asked, by push or else with a code.

use std::time::Duration;

use super::{
    ApprovalStatus, Approvals, CodeTrouble, RemainingTime, StartRequest, contacts::Contact, delta,
    metrics::count_started, push::PushOutcome, request::UnsentApproval, send_code::Recipient,
};
use crate::{
    limits::{self, Grant, LimitError, LoginClaims},
    model::{ApprovalId, ApprovalState, Method, Phone},
    provider::{PauseScope, ProviderError, Sending},
    random,
    storage::{Insertion, LimitChanges, NewApproval, StoreError, Taken, UsedUp},
};

/// How often another match number is drawn because a concurrent approval took the same one: of fifty that start at once, each
/// gets one.
const DRAWS: usize = 32;

/// How many match numbers there are: those of two digits.
const MATCH_NUMBERS: usize = 100;

/// A started approval.
#[derive(Debug)]
pub struct StartedApproval {
    /// Its status.
    pub status: ApprovalStatus,
    /// Why the person has neither a push nor a code: they may request a code later, without the password.
    pub trouble: Option<CodeTrouble>,
}

/// Why no approval was started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The provider does not serve this phone.
    #[error("the provider refused this phone")]
    Refused,
    /// The provider cannot be called.
    #[error("the provider is unavailable")]
    Unavailable {
        /// How long calls to it are paused, if they are.
        retry_after: Option<Duration>,
    },
    /// The provider requests a pause, or a limit on started logins is exhausted.
    #[error("a rate limit is exhausted")]
    RateLimited {
        /// How long to wait, if known.
        retry_after: Option<Duration>,
    },
    /// Storage.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<LimitError> for StartError {
    fn from(error: LimitError) -> Self {
        match error {
            LimitError::UsedUp { retry_after } => Self::RateLimited { retry_after: Some(retry_after) },
            LimitError::Store(error) => Self::Store(error),
        }
    }
}

impl Approvals {
    /// Starts an approval and asks the phone. `password_try`, which a right password took, is released with it.
    pub async fn start(
        &self,
        request: &StartRequest<'_>,
        password_try: Option<Grant>,
    ) -> Result<StartedApproval, StartError> {
        let time = self.remaining_time();
        let mut unsent = match self.store_unsent(request, password_try.as_ref(), time).await {
            Ok(unsent) => unsent,
            Err(error) => {
                if let Some(password_try) = password_try {
                    self.limits.give_back(password_try).await;
                }
                return Err(error);
            }
        };
        // At once: it ends in time whatever fails after this.
        self.deadline.set(unsent.expires_at);
        let purpose = request.consequence.purpose();
        tracing::info!(login.id = %unsent.id, purpose = purpose.as_str(), "login started");
        let pushed = self.push(&mut unsent, request, time).await;
        count_started(purpose, matches!(pushed, Ok(PushOutcome::Sent(_))));
        let trouble = match pushed? {
            PushOutcome::Sent(Some(approval)) => {
                return Ok(StartedApproval { status: self.status_of_unsettled(*approval), trouble: None });
            }
            PushOutcome::Sent(None) => None,
            PushOutcome::NoSlot => {
                tracing::info!(login.id = %unsent.id, "push limit reached; sending a code instead");
                self.send_first_code(&unsent, request, time).await?
            }
            PushOutcome::NotSent(error) => {
                tracing::info!(login.id = %unsent.id, %error, "push not sent; sending a code instead");
                self.send_first_code(&unsent, request, time).await?
            }
        };
        let status = self.find_status(request.token).await?;
        let status = status.ok_or(StartError::Unavailable { retry_after: None })?;
        Ok(StartedApproval { status, trouble })
    }

    /// Stores an approval in one transaction with what it takes of the rate limits and what it releases.
    async fn store_unsent(
        &self,
        request: &StartRequest<'_>,
        password_try: Option<&Grant>,
        time: RemainingTime,
    ) -> Result<UnsentApproval, StartError> {
        let network = request.address.map(limits::network);
        let (contacts, user) = self.contacts_of_request(request, network.as_deref(), time).await?;
        let created_at = self.clock.now();
        let expires_at = created_at + delta(self.settings.login_ttl);
        let mut unsent = UnsentApproval {
            id: ApprovalId::new(random::id(created_at)),
            place: None,
            network,
            match_number: None,
            push: contacts.iter().find_map(Contact::push_recipient),
            code: contacts.iter().find_map(Contact::app_codes),
            contacts,
            created_at,
            expires_at,
        };
        let phone = request.phone_use(unsent.network.as_deref());
        let user = user.map(|user| (user, request.device));
        let may_push = request.consequence.purpose().allows(Method::Push) && unsent.push.is_some();
        let mut claims = self.limits.login_claims(user, phone, may_push, created_at..expires_at);
        let released = password_try.map_or(&[][..], Grant::taken);
        loop {
            let stored = match self.limits.find_exhausted(&claims, created_at).await? {
                Some(exhausted) => Err(exhausted),
                None => self.insert(&mut unsent, request, &claims, released).await?,
            };
            match stored {
                Ok(reserved) => {
                    unsent.place = self.limits.push_slot(&claims, reserved, created_at);
                    return Ok(unsent);
                }
                Err(exhausted) => self.limits.give_way(&mut claims, &exhausted)?,
            }
        }
    }

    /// Stores an approval, with a match number if it may push. Returns what was reserved, or which limit is exhausted.
    async fn insert(
        &self,
        unsent: &mut UnsentApproval,
        request: &StartRequest<'_>,
        claims: &LoginClaims,
        released: &[Taken],
    ) -> Result<Result<Vec<Taken>, UsedUp>, StoreError> {
        let (reserved, required) = claims.takings();
        let changes = LimitChanges { released, reserved: &reserved, required: &required };
        for draw in 0..=DRAWS {
            // Without a push there is nothing to compare. If all numbers are taken, or a concurrent approval takes each one that is
            // drawn, there is no push.
            unsent.match_number = match (claims.place(), draw) {
                (None, _) | (Some(_), DRAWS) => None,
                // Few approvals of a phone are open at once, so that any number is free as a rule.
                (Some(_), 0) => Some(match_number(random::below(MATCH_NUMBERS))),
                (Some(_), _) => self.free_match_number(request.phone()).await?,
            };
            let new = NewApproval {
                id: unsent.id,
                consequence: &request.consequence,
                phone: request.phone(),
                token: request.token.hash(),
                match_number: unsent.match_number.as_deref(),
                push_slot: claims.place(),
                device_id: request.device,
                network: unsent.network.as_deref(),
                push: unsent.push.as_ref(),
                code: unsent.code.as_ref(),
                created_at: unsent.created_at,
                expires_at: unsent.expires_at,
            };
            match self.store.start_approval(&new, &changes).await? {
                Insertion::Stored(reserved) => return Ok(Ok(reserved)),
                Insertion::Exhausted(exhausted) => return Ok(Err(exhausted)),
                Insertion::NumberTaken => {}
            }
        }
        Err(StoreError::Corrupt { table: "approvals", column: "id" })
    }

    /// Two digits that no open approval of this phone has; `None` if all are taken.
    async fn free_match_number(&self, phone: &Phone) -> Result<Option<String>, StoreError> {
        let taken = self.store.match_numbers_in_use(phone).await?;
        let free: Vec<String> =
            (0..MATCH_NUMBERS).map(match_number).filter(|number| !taken.contains(number)).collect();
        Ok(free.get(random::below(free.len())).cloned())
    }

    async fn send_first_code(
        &self,
        unsent: &UnsentApproval,
        request: &StartRequest<'_>,
        time: RemainingTime,
    ) -> Result<Option<CodeTrouble>, StoreError> {
        let to = Recipient {
            id: unsent.id,
            purpose: request.consequence.purpose(),
            state: ApprovalState::Pending,
            contacts: &unsent.contacts,
            code: unsent.code.as_ref(),
            phone: request.phone_use(unsent.network.as_deref()),
            is_first: true,
            expires_at: unsent.expires_at,
        };
        match self.send_code(&to, Sending::Preferred, time).await? {
            Ok(()) => Ok(None),
            Err(trouble) => {
                tracing::warn!(login.id = %unsent.id, %trouble, "neither a push nor a code was sent");
                Ok(Some(trouble))
            }
        }
    }
}

fn match_number(number: usize) -> String {
    format!("{number:02}")
}

impl From<ProviderError> for StartError {
    fn from(error: ProviderError) -> Self {
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
