//! Codes: sending one, and having one judged.
//!
//! A try is taken before the provider is asked, and given back only where the code was certainly not judged: a hundred
//! guesses at once reach the provider as often as one login may guess.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{LoginStatus, Logins, Origin, Patience, counts::Source, delta};
use crate::{
    limits::{self, Grant, LimitError, PhoneUse, Standing},
    model::{Code, CodeChannel, Decision, Login, LoginId, LoginState, LoginToken, ProviderUserId},
    provider::{CodeJudgement, PauseScope, ProviderError, Sending, guarded::CallSubject},
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

/// Why a code did not sign anybody in.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// Nobody knows this login token (any more).
    #[error("no such login")]
    LoginNotFound,
    /// It is over.
    #[error("the login is over")]
    LoginOver(Box<LoginStatus>),
    /// The phone denied the login, and no code was asked for since. Nothing was judged.
    #[error("no code was asked for since the denial")]
    NoCodeSent(Box<LoginStatus>),
    /// It is not the code.
    #[error("the code is wrong")]
    InvalidCode(Box<LoginStatus>),
    /// The text holds no code, or several. It takes no try.
    #[error("the text holds no code")]
    UnreadableCode(Box<LoginStatus>),
    /// It was right, but has been spent already.
    #[error("the code has been used")]
    CodeAlreadyUsed(Box<LoginStatus>),
    /// All tries are in other hands just now.
    #[error("all tries are taken")]
    AllTriesTaken(Box<LoginStatus>, Duration),
    /// The provider asks for a pause, or too many codes were wrong for this phone. The try is given back.
    #[error("a pause is due")]
    RateLimited(Box<LoginStatus>, Option<Duration>),
    /// The provider could not be asked, or gave no answer.
    #[error("the provider cannot judge the code")]
    Unavailable(Box<LoginStatus>, Option<Duration>),
    /// Storage.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why no other code was sent.
#[derive(Debug, thiserror::Error)]
pub enum ResendError {
    /// Nobody knows this login token (any more).
    #[error("no such login")]
    LoginNotFound,
    /// It is over.
    #[error("the login is over")]
    LoginOver(Box<LoginStatus>),
    /// The login goes on; this is why there is no code.
    #[error("no code was sent: {1}")]
    NotSent(Box<LoginStatus>, CodeTrouble),
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
            ProviderError::ChannelUnavailable { .. } | ProviderError::NoPush { .. } => {
                Self::ChannelUnavailable
            }
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

/// Whom a code is sent to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recipient<'a> {
    /// For which login.
    pub(super) login: LoginId,
    /// The state that it was in when the code was asked for.
    pub(super) state: LoginState,
    /// How the provider knows the person.
    pub(super) user: &'a ProviderUserId,
    /// Their phone, and what is known of them.
    pub(super) phone: PhoneUse<'a>,
    /// Whether none was sent for this login before.
    pub(super) is_first: bool,
    /// The login's deadline.
    pub(super) expires_at: DateTime<Utc>,
}

impl<'a> Recipient<'a> {
    fn of(login: &'a Login) -> Self {
        Self {
            login: login.id,
            state: login.state,
            user: &login.provider_user_id,
            phone: phone_use(login),
            is_first: !was_sent_a_code(login),
            expires_at: login.expires_at,
        }
    }
}

/// Whose budgets a login takes from.
pub(super) fn phone_use(login: &Login) -> PhoneUse<'_> {
    let standing = Standing::of(login.purpose, login.device_id);
    PhoneUse { phone: &login.phone, standing, network: login.network.as_deref() }
}

/// Whether a code has travelled to the phone for this login.
pub(super) fn was_sent_a_code(login: &Login) -> bool {
    matches!(login.code_channel, Some(CodeChannel::Sms | CodeChannel::Voice))
}

/// Whom a login's calls to the provider are made for.
fn call_subject(login: &Login) -> CallSubject<'_> {
    CallSubject { phone: &login.phone, network: login.network.as_deref() }
}

/// The error for a code that the provider did not judge. `pause`: how long this login waits at least.
fn not_judged(status: Box<LoginStatus>, error: &ProviderError, pause: Option<Duration>) -> VerifyError {
    match error {
        ProviderError::RateLimited { retry_after, .. } => {
            VerifyError::RateLimited(status, pause.max(*retry_after))
        }
        ProviderError::Paused { retry_after, scope: PauseScope::Phone } => {
            VerifyError::RateLimited(status, pause.max(Some(*retry_after)))
        }
        ProviderError::Paused { retry_after, .. } => {
            VerifyError::Unavailable(status, pause.max(Some(*retry_after)))
        }
        _ => VerifyError::Unavailable(status, pause),
    }
}

/// Whether the provider certainly did not judge a code.
fn was_no_guess(judged: &Result<CodeJudgement, ProviderError>) -> bool {
    judged.as_ref().is_err_and(ProviderError::was_certainly_not_judged)
}

impl Logins {
    /// Has a code judged, and signs the person in where it is right. On a login that is approved already, nobody is
    /// asked: the answer is the same again. `from`: where the code was typed.
    pub(super) async fn verify_code(
        &self,
        token: &LoginToken,
        code: &str,
        from: Origin,
    ) -> Result<LoginStatus, VerifyError> {
        let status = self.find_status(token).await?.ok_or(VerifyError::LoginNotFound)?;
        if status.login.state == LoginState::Approved {
            return Ok(status);
        }
        if self.is_over(&status) {
            return Err(VerifyError::LoginOver(Box::new(status)));
        }
        if status.login.needs_new_code() {
            return Err(VerifyError::NoCodeSent(Box::new(status)));
        }
        let Ok(code) = Code::parse(code) else {
            return Err(VerifyError::UnreadableCode(Box::new(status)));
        };
        let (id, right_code) = (status.login.id, status.login.right_code());
        let network = from.address.map(limits::network);
        match self.limits.check_unjudged_codes(id, network.as_deref()).await {
            Ok(()) => {}
            Err(LimitError::UsedUp { retry_after }) => {
                return Err(VerifyError::RateLimited(Box::new(status), Some(retry_after)));
            }
            Err(LimitError::Store(error)) => return Err(error.into()),
        }
        let grant = self.take_tries(token, &status).await?;
        let (of, user) = (call_subject(&status.login), &status.login.provider_user_id);
        let judged = self.patience().with(self.provider.check_code(of, user, &code)).await;
        if let Ok(CodeJudgement::Right) = judged {
            let settled = self
                .decide(id, right_code, Source::Elsewhere)
                .await
                .inspect_err(|_| self.keep_right_code(id, right_code));
            self.limits.give_back(grant).await;
            let was_first = settled?.is_some_and(|settled| settled.effect.ends_the_login());
            return self.after_right_code(token, was_first).await;
        }
        if let Err(error) = &judged {
            tracing::warn!(login.id = %id, %error, "a code was not judged");
        }
        let mut pause = None;
        if was_no_guess(&judged) {
            self.limits.give_back(grant).await;
            self.store.give_back_try(id).await?;
            pause = self.limits.record_unjudged_code(id, network.as_deref()).await?;
        } else if self.store.record_wrong_code(id).await? >= self.settings.tries {
            self.decide(id, Decision::TooManyWrongCodes, Source::Elsewhere).await?;
        }
        let status = Box::new(self.find_status(token).await?.ok_or(VerifyError::LoginNotFound)?);
        Err(match judged {
            Ok(CodeJudgement::AlreadyUsed) => VerifyError::CodeAlreadyUsed(status),
            Ok(_) => VerifyError::InvalidCode(status),
            Err(error) => not_judged(status, &error, pause),
        })
    }

    /// The result of a right code. `was_first`: it ended the login.
    async fn after_right_code(
        &self,
        token: &LoginToken,
        was_first: bool,
    ) -> Result<LoginStatus, VerifyError> {
        let status = self.find_status(token).await?.ok_or(VerifyError::LoginNotFound)?;
        // Ours, whatever it came to; or somebody else's, a push approved at the same moment.
        if was_first || status.login.state == LoginState::Approved {
            Ok(status)
        } else if status.login.needs_new_code() {
            // The phone denied it while the code was judged.
            Err(VerifyError::NoCodeSent(Box::new(status)))
        } else {
            Err(VerifyError::LoginOver(Box::new(status)))
        }
    }

    /// Takes one try of the phone and one of the login. The phone's first: whoever has to wait for that costs no writing.
    async fn take_tries(&self, token: &LoginToken, status: &LoginStatus) -> Result<Grant, VerifyError> {
        let login = &status.login;
        let grant = match self.limits.take_code_try(phone_use(login)).await {
            Ok(grant) => grant,
            Err(LimitError::UsedUp { retry_after }) => {
                return Err(VerifyError::RateLimited(Box::new(status.clone()), Some(retry_after)));
            }
            Err(LimitError::Store(error)) => return Err(error.into()),
        };
        if self.store.take_try(login.id, self.settings.tries, self.clock.now()).await? {
            return Ok(grant);
        }
        self.limits.give_back(grant).await;
        Err(self.no_try_left(token).await?)
    }

    async fn no_try_left(&self, token: &LoginToken) -> Result<VerifyError, StoreError> {
        let Some(status) = self.find_status(token).await? else {
            return Ok(VerifyError::LoginNotFound);
        };
        let status = Box::new(status);
        // By then, whoever holds the tries has an answer.
        let retry_after = self.settings.provider_timeout * 2;
        Ok(if self.is_over(&status) {
            VerifyError::LoginOver(status)
        } else {
            VerifyError::AllTriesTaken(status, retry_after)
        })
    }

    /// Sends another code. Without a channel it is a text message.
    pub async fn resend_code(
        &self,
        token: &LoginToken,
        channel: Option<CodeChannel>,
    ) -> Result<LoginStatus, ResendError> {
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
        let is_too_soon = status.login.resend_available_at > self.clock.now();
        let sent = if is_too_soon {
            Err(CodeTrouble::TooSoon { retry_after: self.settings.resend_pause })
        } else {
            self.send_code(&Recipient::of(&status.login), sending, self.patience()).await?
        };
        let status = self.find_status(token).await?.ok_or(ResendError::LoginNotFound)?;
        let sent = match sent {
            // The phone denied it while the code was sent: it is one from before the denial.
            Ok(()) if status.login.needs_new_code() => {
                Err(CodeTrouble::TooSoon { retry_after: self.settings.resend_pause })
            }
            sent => sent,
        };
        match sent {
            Ok(()) => Ok(status),
            Err(_) if self.is_over(&status) => Err(ResendError::LoginOver(Box::new(status))),
            Err(CodeTrouble::TooSoon { .. }) => {
                let retry_after =
                    (status.login.resend_available_at - self.clock.now()).to_std().unwrap_or_default();
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
        patience: Patience,
    ) -> Result<Result<(), CodeTrouble>, StoreError> {
        // What the provider prefers is known only when it has answered, so both are reserved.
        let hint = match sending {
            Sending::Preferred => match self.limits.take_app_hint(to.login, to.phone).await {
                Ok(hint) => Some(hint),
                // Not postponed for all channels: a text message is still possible.
                Err(LimitError::UsedUp { retry_after }) => {
                    return Ok(Err(CodeTrouble::RateLimited { retry_after: Some(retry_after) }));
                }
                Err(LimitError::Store(error)) => return Err(error),
            },
            Sending::Sms | Sending::Voice => None,
        };
        let sent = self.send_message(to, sending, patience).await;
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
        patience: Patience,
    ) -> Result<Result<CodeChannel, NotSent>, StoreError> {
        let grant = match self.limits.take_code(to.login, to.phone).await {
            Ok(grant) => grant,
            Err(LimitError::UsedUp { retry_after }) => {
                // Whoever reads the login is told the same, and asking again before costs nothing.
                let until = (self.clock.now() + delta(retry_after)).min(to.expires_at);
                self.store.postpone_sending(to.login, until).await?;
                return Ok(Err(NotSent::certainly(CodeTrouble::RateLimited {
                    retry_after: Some(retry_after),
                })));
            }
            Err(LimitError::Store(error)) => return Err(error),
        };
        let now = self.clock.now();
        let next = now + delta(self.settings.resend_pause);
        if !self.store.take_sending(to.login, to.state, now, next).await? {
            self.limits.give_back(grant).await;
            let trouble = CodeTrouble::TooSoon { retry_after: self.settings.resend_pause };
            return Ok(Err(NotSent::certainly(trouble)));
        }
        let of = CallSubject { phone: to.phone.phone, network: to.phone.network };
        match patience.with(self.provider.send_code(of, to.user, sending)).await {
            Ok(channel) => {
                self.count_sending(to, channel, grant).await;
                self.store.record_code_sent(to.login, to.state, channel, self.clock.now()).await?;
                self.publish(to.login);
                Ok(Ok(channel))
            }
            Err(error) => {
                tracing::warn!(login.id = %to.login, %error, "a code was not sent");
                let may_have_been_sent = error.may_have_taken_effect();
                if !may_have_been_sent {
                    self.limits.give_back(grant).await;
                }
                let trouble = CodeTrouble::from(error);
                match trouble.pause() {
                    // The provider is not asked again before: that is what the person is told, too.
                    Some(pause) => {
                        let until = now + delta(pause).max(delta(self.settings.resend_pause));
                        self.store.postpone_sending(to.login, until.min(to.expires_at)).await?;
                    }
                    None if trouble == CodeTrouble::ChannelUnavailable => {
                        self.store.give_back_sending(to.login, now, next).await?;
                    }
                    // Asking a provider that fails again and again is no use: the pause stays.
                    None => {}
                }
                Ok(Err(NotSent { trouble, may_have_been_sent }))
            }
        }
    }

    /// What budgets learn from a code that is on its way. Whoever waits for it does not depend on that.
    async fn count_sending(&self, to: &Recipient<'_>, channel: CodeChannel, grant: Grant) {
        if channel == CodeChannel::App {
            // The app makes it: no message was sent.
            return self.limits.give_back(grant).await;
        }
        if let Err(error) = self.limits.record_code_sent(to.phone, to.is_first).await {
            tracing::warn!(login.id = %to.login, %error, "a code that was sent was not counted");
        }
    }

    /// Whether nothing can be done with it: it is settled, or its deadline has passed and it is about to be.
    fn is_over(&self, status: &LoginStatus) -> bool {
        status.is_over() || status.login.expires_at <= self.clock.now()
    }
}
