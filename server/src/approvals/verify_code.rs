//! Checking a typed code.
//!
//! One provider checks it: the one that sent the approval's last code or, if none was sent, one whose app shows codes. A try is taken before
//! the provider is called, and released only if the code certainly was not judged: of a hundred guesses at once, as many reach the provider as
//! one approval may guess.

use std::{net::IpAddr, time::Duration};

use super::{ApprovalStatus, Approvals, metrics::Source, send_code::phone_use};
use crate::{
    limits::{self, Grant, LimitError},
    model::{Approval, ApprovalState, Code, CodeHandle, CodeSource, Decision, LoginToken, Method, UsedCode},
    provider::{
        CodeCheck, CodeJudgement, PauseScope, ProviderError,
        guarded::{CallSubject, GuardedCodes},
    },
    storage::{Settled, StoreError},
};

/// Why a code did not sign anybody in.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// Nobody knows this login token (any more).
    #[error("no such login")]
    LoginNotFound,
    /// It is over.
    #[error("the login is over")]
    LoginOver(Box<ApprovalStatus>),
    /// The phone denied the login, and no code was asked for since. Nothing was judged.
    #[error("no code was asked for since the denial")]
    NoCodeSent(Box<ApprovalStatus>),
    /// It is not the code.
    #[error("the code is wrong")]
    InvalidCode(Box<ApprovalStatus>),
    /// The text holds no code, or several. It takes no try.
    #[error("the text holds no code")]
    UnreadableCode(Box<ApprovalStatus>),
    /// It was right, but has been spent already.
    #[error("the code has been used")]
    CodeAlreadyUsed(Box<ApprovalStatus>),
    /// All tries are in other hands just now.
    #[error("all tries are taken")]
    AllTriesTaken(Box<ApprovalStatus>, Duration),
    /// The provider asks for a pause, or too many codes were wrong for this phone. The try is given back.
    #[error("a pause is due")]
    RateLimited(Box<ApprovalStatus>, Option<Duration>),
    /// The provider could not be asked, or gave no answer.
    #[error("the provider cannot judge the code")]
    Unavailable(Box<ApprovalStatus>, Option<Duration>),
    /// Storage.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Where a code is checked.
struct Judge<'a> {
    provider: &'static str,
    codes: GuardedCodes<'a>,
    handle: &'a CodeHandle,
}

impl Judge<'_> {
    /// A right code of a provider whose app shows the same code for every approval of a person: it approves one of them.
    fn used_code(&self, approval: &Approval, code: &Code) -> Option<UsedCode> {
        self.codes.has_app().then(|| UsedCode::new(self.provider, &approval.phone, code))
    }
}

/// The subject of an approval's calls to its providers.
fn call_subject(approval: &Approval) -> CallSubject<'_> {
    CallSubject { phone: &approval.phone, network: approval.network.as_deref() }
}

/// The error for a code that the provider did not judge. `pause`: how long this login waits at least.
fn not_judged(status: Box<ApprovalStatus>, error: &ProviderError, pause: Option<Duration>) -> VerifyError {
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

impl Approvals {
    /// Has a code judged, and signs the person in where it is right. On a login that is approved already, nobody is
    /// asked: the answer is the same again. `from`: where the code was typed.
    pub async fn verify_code(
        &self,
        token: &LoginToken,
        code: &str,
        from: Option<IpAddr>,
    ) -> Result<ApprovalStatus, VerifyError> {
        let status = self.find_status(token).await?.ok_or(VerifyError::LoginNotFound)?;
        if status.approval.state == ApprovalState::Approved {
            return Ok(status);
        }
        let code = self.read_code(&status, code)?;
        let judge = self.judge_of(&status)?;
        let (id, network) = (status.approval.id, from.map(limits::network));
        match self.limits.check_unjudged_codes(id, network.as_deref()).await {
            Ok(()) => {}
            Err(LimitError::UsedUp { retry_after }) => {
                return Err(VerifyError::RateLimited(Box::new(status), Some(retry_after)));
            }
            Err(LimitError::Store(error)) => return Err(error.into()),
        }
        let grant = self.take_tries(token, &status).await?;
        let check = CodeCheck { handle: judge.handle, approval_id: id, code: &code };
        let of = call_subject(&status.approval);
        let mut judged = self.remaining_time().limit(judge.codes.check(of, &check)).await;
        if let Ok(CodeJudgement::Right) = judged {
            let used = judge.used_code(&status.approval, &code);
            match self.settle_right_code(&status.approval, used).await {
                Ok(Some(settled)) if settled.is_code_used => judged = Ok(CodeJudgement::AlreadyUsed),
                settled => {
                    self.limits.give_back(grant).await;
                    let was_first = settled?.is_some_and(|settled| settled.effect.settles());
                    return self.after_right_code(token, was_first).await;
                }
            }
        }
        let mut pause = None;
        if was_no_guess(&judged) {
            self.limits.give_back(grant).await;
            self.store.give_back_try(id).await?;
            pause = self.limits.record_unjudged_code(id, network.as_deref()).await?;
        } else if self.store.record_wrong_code(id).await? >= self.settings.wrong_codes_per_login {
            self.settle(id, Decision::TooManyWrongCodes, Source::Elsewhere).await?;
        }
        let status = Box::new(self.find_status(token).await?.ok_or(VerifyError::LoginNotFound)?);
        Err(match judged {
            Ok(CodeJudgement::AlreadyUsed) => VerifyError::CodeAlreadyUsed(status),
            Ok(_) => VerifyError::InvalidCode(status),
            Err(error) => {
                tracing::warn!(login.id = %id, %error, "code not checked");
                not_judged(status, &error, pause)
            }
        })
    }

    /// Reads a typed code, if the approval can be answered by one. Nothing is taken for it.
    fn read_code(&self, status: &ApprovalStatus, code: &str) -> Result<Code, VerifyError> {
        if self.is_over(status) {
            return Err(VerifyError::LoginOver(Box::new(status.clone())));
        }
        if status.approval.needs_new_code() || !status.approval.purpose.allows(Method::ProviderCode) {
            return Err(VerifyError::NoCodeSent(Box::new(status.clone())));
        }
        Code::parse(code).map_err(|_| VerifyError::UnreadableCode(Box::new(status.clone())))
    }

    /// Returns where a code of this approval is checked. A provider that is no longer configured checks nothing, and takes no try.
    fn judge_of<'a>(&'a self, status: &'a ApprovalStatus) -> Result<Judge<'a>, VerifyError> {
        let Some(CodeSource { provider, handle }) = &status.approval.code else {
            return Err(VerifyError::NoCodeSent(Box::new(status.clone())));
        };
        let provider = self.providers.find(provider);
        match provider.and_then(|provider| Some((provider.name(), provider.codes()?))) {
            Some((provider, codes)) => Ok(Judge { provider, codes, handle }),
            None => Err(VerifyError::Unavailable(Box::new(status.clone()), None)),
        }
    }

    /// Settles an approval by a right code, or has that tried again: the provider does not judge it right twice.
    async fn settle_right_code(
        &self,
        approval: &Approval,
        used: Option<UsedCode>,
    ) -> Result<Option<Settled>, StoreError> {
        let decision = approval.right_code();
        let settled = self.settle(approval.id, decision, Source::Code(used.clone())).await;
        settled.inspect_err(|_| self.retry_right_code(approval.id, decision, used))
    }

    /// The result of a right code. `was_first`: it ended the login.
    async fn after_right_code(
        &self,
        token: &LoginToken,
        was_first: bool,
    ) -> Result<ApprovalStatus, VerifyError> {
        let status = self.find_status(token).await?.ok_or(VerifyError::LoginNotFound)?;
        // Ours, whatever it came to; or somebody else's, a push approved at the same moment.
        if was_first || status.approval.state == ApprovalState::Approved {
            Ok(status)
        } else if status.approval.needs_new_code() {
            // The phone denied it while the code was judged.
            Err(VerifyError::NoCodeSent(Box::new(status)))
        } else {
            Err(VerifyError::LoginOver(Box::new(status)))
        }
    }

    /// Takes one try of the phone and one of the login. The phone's first: whoever has to wait for that costs no writing.
    async fn take_tries(&self, token: &LoginToken, status: &ApprovalStatus) -> Result<Grant, VerifyError> {
        let approval = &status.approval;
        let grant = match self.limits.take_code_try(phone_use(approval)).await {
            Ok(grant) => grant,
            Err(LimitError::UsedUp { retry_after }) => {
                return Err(VerifyError::RateLimited(Box::new(status.clone()), Some(retry_after)));
            }
            Err(LimitError::Store(error)) => return Err(error.into()),
        };
        if self.store.take_try(approval.id, self.settings.wrong_codes_per_login, self.clock.now()).await? {
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
    pub(super) fn is_over(&self, status: &ApprovalStatus) -> bool {
        status.is_settled() || status.approval.expires_at <= self.clock.now()
    }
}
