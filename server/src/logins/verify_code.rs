//! Having a code judged.
//!
//! A try is taken before the provider is asked, and given back only where the code was certainly not judged: a hundred
//! guesses at once reach the provider as often as one login may guess.

use std::time::Duration;

use super::{LoginStatus, Logins, Origin, counts::Source, send_code::phone_use};
use crate::{
    limits::{self, Grant, LimitError},
    model::{Code, Decision, Login, LoginState, LoginToken},
    provider::{CodeJudgement, PauseScope, ProviderError, guarded::CallSubject},
    storage::StoreError,
};

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
        } else if self.store.record_wrong_code(id).await? >= self.settings.wrong_codes_per_login {
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
        if self.store.take_try(login.id, self.settings.wrong_codes_per_login, self.clock.now()).await? {
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

    /// Whether nothing can be done with it: it is settled, or its deadline has passed and it is about to be.
    pub(super) fn is_over(&self, status: &LoginStatus) -> bool {
        status.is_over() || status.login.expires_at <= self.clock.now()
    }
}
