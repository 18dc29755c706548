//! Sending codes.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{ApprovalStatus, Approvals, RemainingTime, contacts::Contact, delta};
use crate::{
    limits::{Grant, LimitError, PhoneUse, Standing},
    model::{Approval, ApprovalId, ApprovalState, CodeChannel, CodeSource, LoginToken, Method, Purpose},
    provider::{CodeMessage, PauseScope, ProviderError, Sending, SentCode, guarded::CallSubject},
    storage::StoreError,
};

/// Why a code was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodeTrouble {
    /// Another was sent a moment ago, or the login is over.
    #[error("it is too soon for another code")]
    TooSoon {
        /// How much too soon.
        retry_after: Duration,
    },
    /// Codes cannot travel this way to this person.
    #[error("codes cannot travel this way")]
    ChannelUnavailable,
    /// The provider asks for a pause, or too many were sent.
    #[error("a pause is due")]
    RateLimited {
        /// How long, where that is known.
        retry_after: Option<Duration>,
    },
    /// The provider cannot be asked, or will not.
    #[error("the provider cannot send a code")]
    Unavailable {
        /// How long calls to it are paused, if they are.
        retry_after: Option<Duration>,
    },
}

/// Why no other code was sent.
#[derive(Debug, thiserror::Error)]
pub enum ResendError {
    /// Nobody knows this login token (any more).
    #[error("no such login")]
    LoginNotFound,
    /// It is over.
    #[error("the login is over")]
    LoginOver(Box<ApprovalStatus>),
    /// The login goes on; this is why there is no code.
    #[error("no code was sent: {1}")]
    NotSent(Box<ApprovalStatus>, CodeTrouble),
    /// Storage.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl CodeTrouble {
    /// How long the provider is not to be asked, if that is known.
    const fn pause(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after } | Self::Unavailable { retry_after } => *retry_after,
            Self::TooSoon { .. } | Self::ChannelUnavailable => None,
        }
    }
}

impl From<ProviderError> for CodeTrouble {
    fn from(error: ProviderError) -> Self {
        match error {
            ProviderError::RateLimited { retry_after, .. } => Self::RateLimited { retry_after },
            ProviderError::Paused { retry_after, scope: PauseScope::Phone } => {
                Self::RateLimited { retry_after: Some(retry_after) }
            }
            ProviderError::Paused { retry_after, .. } => Self::Unavailable { retry_after: Some(retry_after) },
            ProviderError::ChannelUnavailable { .. }
            | ProviderError::ChannelDisabled { .. }
            | ProviderError::NoPush { .. } => Self::ChannelUnavailable,
            _ => Self::Unavailable { retry_after: None },
        }
    }
}

/// Why a message was not sent, or not certainly.
struct NotSent {
    trouble: CodeTrouble,
    /// Whether the provider may have sent it nevertheless.
    may_have_been_sent: bool,
}

impl NotSent {
    const fn certainly(trouble: CodeTrouble) -> Self {
        Self { trouble, may_have_been_sent: false }
    }
}

/// The person whom a code is sent to.
#[derive(Clone, Copy)]
pub(super) struct Recipient<'a> {
    /// For which login.
    pub(super) id: ApprovalId,
    /// Its purpose.
    pub(super) purpose: Purpose,
    /// The state that it was in when the code was asked for.
    pub(super) state: ApprovalState,
    /// The providers that reach the person, in the order in which they are tried.
    pub(super) contacts: &'a [Contact],
    /// Where a code is checked so far.
    pub(super) code: Option<&'a CodeSource>,
    /// Their phone, and what is known of them.
    pub(super) phone: PhoneUse<'a>,
    /// Whether none was sent for this login before.
    pub(super) is_first: bool,
    /// The login's deadline.
    pub(super) expires_at: DateTime<Utc>,
}

impl<'a> Recipient<'a> {
    fn of(approval: &'a Approval, contacts: &'a [Contact]) -> Self {
        Self {
            id: approval.id,
            purpose: approval.purpose,
            state: approval.state,
            contacts,
            code: approval.code.as_ref(),
            phone: phone_use(approval),
            is_first: !was_sent_a_code(approval),
            expires_at: approval.expires_at,
        }
    }
}

impl Recipient<'_> {
    /// Where a code that was sent is checked. If the app shows it, nothing was sent: a message that the same provider sent before is still
    /// the last one.
    fn source_of(&self, provider: &str, sent: &SentCode) -> CodeSource {
        match self.code.filter(|code| sent.channel == CodeChannel::App && code.provider == provider) {
            Some(unchanged) => unchanged.clone(),
            None => CodeSource { provider: provider.to_owned(), handle: sent.handle.clone() },
        }
    }
}

/// Whose budgets a login takes from.
pub(super) fn phone_use(approval: &Approval) -> PhoneUse<'_> {
    let standing = Standing::of(approval.purpose, approval.device_id);
    PhoneUse { phone: &approval.phone, standing, network: approval.network.as_deref() }
}

/// Whether a code has travelled to the phone for this login.
pub(super) fn was_sent_a_code(approval: &Approval) -> bool {
    matches!(approval.code_channel, Some(CodeChannel::Sms | CodeChannel::Voice))
}

impl Approvals {
    /// Sends another code. Without a channel it is a text message.
    pub async fn resend_code(
        &self,
        token: &LoginToken,
        channel: Option<CodeChannel>,
    ) -> Result<ApprovalStatus, ResendError> {
        let status = self.find_status(token).await?.ok_or(ResendError::LoginNotFound)?;
        if self.is_over(&status) {
            return Err(ResendError::LoginOver(Box::new(status)));
        }
        let sending = match channel {
            Some(CodeChannel::App) => Sending::Preferred,
            Some(CodeChannel::Voice) => Sending::Voice,
            Some(CodeChannel::Sms) | None => Sending::Sms,
        };
        // What is known already costs no writing.
        let is_too_soon = status.approval.resend_available_at > self.clock.now();
        let sent = if is_too_soon {
            Err(CodeTrouble::TooSoon { retry_after: self.settings.resend_pause })
        } else {
            let contacts = self.contacts_of(&status.approval).await?;
            let to = Recipient::of(&status.approval, &contacts);
            self.send_code(&to, sending, self.remaining_time()).await?
        };
        let status = self.find_status(token).await?.ok_or(ResendError::LoginNotFound)?;
        let sent = match sent {
            // The phone denied it while the code was sent: it is one from before the denial.
            Ok(()) if status.approval.needs_new_code() => {
                Err(CodeTrouble::TooSoon { retry_after: self.settings.resend_pause })
            }
            sent => sent,
        };
        match sent {
            Ok(()) => Ok(status),
            Err(_) if self.is_over(&status) => Err(ResendError::LoginOver(Box::new(status))),
            Err(CodeTrouble::TooSoon { .. }) => {
                let retry_after =
                    (status.approval.resend_available_at - self.clock.now()).to_std().unwrap_or_default();
                Err(ResendError::NotSent(Box::new(status), CodeTrouble::TooSoon { retry_after }))
            }
            Err(trouble) => Err(ResendError::NotSent(Box::new(status), trouble)),
        }
    }

    /// Sends a code, unless another was sent a moment ago, or too many were. Limits and pause are taken first, and given
    /// back where certainly nothing was sent.
    pub(super) async fn send_code(
        &self,
        to: &Recipient<'_>,
        sending: Sending,
        time: RemainingTime,
    ) -> Result<Result<(), CodeTrouble>, StoreError> {
        if !to.purpose.allows(Method::ProviderCode) {
            return Ok(Err(CodeTrouble::ChannelUnavailable));
        }
        // What the provider prefers is known only when it has answered, so both are reserved.
        let hint = match sending {
            Sending::Preferred => match self.limits.take_app_hint(to.id, to.phone).await {
                Ok(hint) => Some(hint),
                // Not postponed for all channels: a text message is still possible.
                Err(LimitError::UsedUp { retry_after }) => {
                    return Ok(Err(CodeTrouble::RateLimited { retry_after: Some(retry_after) }));
                }
                Err(LimitError::Store(error)) => return Err(error),
            },
            Sending::Sms | Sending::Voice => None,
        };
        let sent = self.send_message(to, sending, time).await;
        // A hint that was sent, or may have been, stays charged.
        let is_charged = match &sent {
            Ok(Ok(channel)) => *channel == CodeChannel::App,
            Ok(Err(NotSent { may_have_been_sent, .. })) => *may_have_been_sent,
            Err(_) => true,
        };
        if let Some(hint) = hint.filter(|_| !is_charged) {
            self.limits.give_back(hint).await;
        }
        Ok(sent?.map(drop).map_err(|not_sent| not_sent.trouble))
    }

    /// [`Self::send_code`] for one message, without the limit on app hints. Returns how the code travels.
    async fn send_message(
        &self,
        to: &Recipient<'_>,
        sending: Sending,
        time: RemainingTime,
    ) -> Result<Result<CodeChannel, NotSent>, StoreError> {
        let grant = match self.limits.take_code(to.id, to.phone).await {
            Ok(grant) => grant,
            Err(LimitError::UsedUp { retry_after }) => {
                // Whoever reads the login is told the same, and asking again before costs nothing.
                let until = (self.clock.now() + delta(retry_after)).min(to.expires_at);
                self.store.postpone_sending(to.id, until).await?;
                return Ok(Err(NotSent::certainly(CodeTrouble::RateLimited {
                    retry_after: Some(retry_after),
                })));
            }
            Err(LimitError::Store(error)) => return Err(error),
        };
        let now = self.clock.now();
        let next = now + delta(self.settings.resend_pause);
        if !self.store.take_sending(to.id, to.state, now, next).await? {
            self.limits.give_back(grant).await;
            let trouble = CodeTrouble::TooSoon { retry_after: self.settings.resend_pause };
            return Ok(Err(NotSent::certainly(trouble)));
        }
        match self.send_by_first_provider(to, sending, time).await? {
            Ok(channel) => {
                self.count_sending(to, channel, grant).await;
                self.publish(to.id);
                Ok(Ok(channel))
            }
            Err(error) => {
                let may_have_been_sent = error.may_have_taken_effect();
                if !may_have_been_sent {
                    self.limits.give_back(grant).await;
                }
                let trouble = CodeTrouble::from(error);
                match trouble.pause() {
                    // The providers are not called before that; the person is told the same.
                    Some(pause) => {
                        let until = now + delta(pause).max(delta(self.settings.resend_pause));
                        self.store.postpone_sending(to.id, until.min(to.expires_at)).await?;
                    }
                    None if trouble == CodeTrouble::ChannelUnavailable => {
                        self.store.give_back_sending(to.id, now, next).await?;
                    }
                    // A provider that fails again and again is not called more often: the pause stays.
                    None => {}
                }
                Ok(Err(NotSent { trouble, may_have_been_sent }))
            }
        }
    }

    /// Sends a code by the first provider that can, and stores where it is checked. The next provider is tried only if the one before
    /// certainly sent nothing, for a reason that is not about this person: one reservation of the rate limits pays for one message.
    async fn send_by_first_provider(
        &self,
        to: &Recipient<'_>,
        sending: Sending,
        time: RemainingTime,
    ) -> Result<Result<CodeChannel, ProviderError>, StoreError> {
        let of = CallSubject { phone: to.phone.phone, network: to.phone.network };
        let mut last = ProviderError::NotAsked;
        for contact in to.contacts {
            let Some(codes) = contact.provider.codes() else { continue };
            let user = contact.user.as_ref();
            let message = CodeMessage { phone: to.phone.phone, user, approval_id: to.id, sending };
            let provider = contact.provider.name();
            let error = match time.limit(codes.send(of, &message)).await {
                Ok(sent) => {
                    let source = to.source_of(provider, &sent);
                    let recorded = (sent.channel, &source);
                    self.store.record_code_sent(to.id, to.state, recorded, self.clock.now()).await?;
                    return Ok(Ok(sent.channel));
                }
                Err(error) => error,
            };
            tracing::warn!(login.id = %to.id, provider, %error, "code not sent");
            if let (true, Some(handle)) = (error.may_have_taken_effect(), codes.expected_handle(&message)) {
                let source = CodeSource { provider: provider.to_owned(), handle };
                self.store.record_code_source(to.id, &source).await?;
            }
            let is_last = !error.allows_another_provider();
            last = error;
            if is_last {
                break;
            }
        }
        Ok(Err(last))
    }

    /// What budgets learn from a code that is on its way. Whoever waits for it does not depend on that.
    async fn count_sending(&self, to: &Recipient<'_>, channel: CodeChannel, grant: Grant) {
        if channel == CodeChannel::App {
            // The app makes it: no message was sent.
            return self.limits.give_back(grant).await;
        }
        if let Err(error) = self.limits.record_code_sent(to.phone, to.is_first).await {
            tracing::warn!(login.id = %to.id, %error, "a code that was sent was not counted");
        }
    }
}
