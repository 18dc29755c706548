//! What a provider's failure says: whether something may have been done, and whom it is about.

use std::time::Duration;

use super::PauseScope;

/// Why the provider did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// It will not serve this person: an impossible phone, a banned country, a suspended user.
    #[error("the provider refused (code {code})")]
    Refused {
        /// The provider's own error code, for the log.
        code: String,
    },
    /// No push can be sent: the person has no app, or pushes are switched off.
    #[error("no push can be sent (code {code})")]
    NoPush {
        /// The provider's own error code, for the log.
        code: String,
    },
    /// No code can be sent this way to this phone.
    #[error("codes cannot be sent this way to this phone (code {code})")]
    ChannelUnavailable {
        /// The provider's own error code, for the log.
        code: String,
    },
    /// No code can be sent this way to anybody: the channel is switched off, or all its messages are used up.
    #[error("codes cannot be sent this way (code {code})")]
    ChannelDisabled {
        /// The provider's own error code, for the log.
        code: String,
    },
    /// It does not know this person (any more): enrol again.
    #[error("the provider does not know this person")]
    NotEnrolled,
    /// Too many requests.
    #[error("the provider asks for a pause")]
    RateLimited {
        /// How long to wait, at most an hour; `None` if the provider does not say.
        retry_after: Option<Duration>,
        /// Whose requests there are too many of.
        scope: RateLimitScope,
    },
    /// The call was not made: calls like it have failed, and a pause is due.
    #[error("calls to the provider are paused")]
    Paused {
        /// How long to wait.
        retry_after: Duration,
        /// Which calls are paused.
        scope: PauseScope,
    },
    /// It does not accept our key, or our account is closed. Someone must act.
    #[error("the provider does not accept our key (code {code})")]
    Unauthorized {
        /// The provider's own error code, for the log.
        code: String,
    },
    /// The request certainly did not reach it.
    #[error("the provider cannot be reached")]
    Unreachable(#[source] reqwest::Error),
    /// There was no time left to ask it.
    #[error("there was no time left to ask the provider")]
    NotAsked,
    /// No answer in time. Whether the request took effect is not known.
    #[error("the provider did not answer in time")]
    TimedOut,
    /// An answer that makes no sense (a failure of its own, HTML, a cut-off body). Whether the request took effect is
    /// not known.
    #[error("the provider answered nonsense: {reason} (HTTP {status})")]
    Nonsense {
        /// The HTTP status, 0 where there was none.
        status: u16,
        /// What was wrong with it; never its text.
        reason: &'static str,
    },
}

/// Whose requests there are too many of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateLimitScope {
    /// Those about the person of this call.
    Person,
    /// The provider does not say.
    Unknown,
}

impl ProviderError {
    /// What kind of failure it is, in a word.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Refused { .. } => "refused",
            Self::NoPush { .. } => "no_push",
            Self::ChannelUnavailable { .. } => "channel_unavailable",
            Self::ChannelDisabled { .. } => "channel_disabled",
            Self::NotEnrolled => "not_enrolled",
            Self::RateLimited { .. } => "rate_limited",
            Self::Paused { .. } => "paused",
            Self::Unauthorized { .. } => "unauthorized",
            Self::Unreachable(_) => "unreachable",
            Self::NotAsked => "not_asked",
            Self::TimedOut => "timed_out",
            Self::Nonsense { .. } => "nonsense",
        }
    }

    /// Whether what was asked for may have been done although there is no answer that says so.
    #[must_use]
    pub fn may_have_taken_effect(&self) -> bool {
        matches!(self, Self::TimedOut | Self::Nonsense { .. })
    }

    /// Whether another provider may do what this one did not: nothing was done, for a reason that is not about this person. A refusal is
    /// final, and so is an answer that may have been lost. A person whom the provider does not know was not refused.
    #[must_use]
    pub fn allows_another_provider(&self) -> bool {
        match self {
            Self::ChannelDisabled { .. }
            | Self::NotEnrolled
            | Self::RateLimited { scope: RateLimitScope::Unknown, .. }
            | Self::Paused { scope: PauseScope::Network | PauseScope::All, .. }
            | Self::Unauthorized { .. }
            | Self::Unreachable(_) => true,
            Self::Refused { .. }
            | Self::NoPush { .. }
            | Self::ChannelUnavailable { .. }
            | Self::RateLimited { scope: RateLimitScope::Person, .. }
            | Self::Paused { scope: PauseScope::Phone, .. }
            | Self::NotAsked
            | Self::TimedOut
            | Self::Nonsense { .. } => false,
        }
    }

    /// Whether a code sent along was certainly not judged, so that the try can be given back.
    #[must_use]
    pub fn was_certainly_not_judged(&self) -> bool {
        matches!(
            self,
            Self::NotEnrolled
                | Self::RateLimited { .. }
                | Self::Paused { .. }
                | Self::Unauthorized { .. }
                | Self::Unreachable(_)
                | Self::NotAsked
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_have_been_done_is_left_to_no_other_provider() {
        let all = [
            ProviderError::TimedOut,
            ProviderError::Nonsense { status: 500, reason: "not JSON" },
            ProviderError::NotAsked,
            ProviderError::Refused { code: "60013".to_owned() },
            ProviderError::Unauthorized { code: "60001".to_owned() },
        ];
        let left_to_another = all.iter().filter(|error| error.allows_another_provider());
        assert_eq!(left_to_another.map(ProviderError::kind).collect::<Vec<_>>(), ["unauthorized"]);
        assert!(all.iter().all(|error| !(error.may_have_taken_effect() && error.allows_another_provider())));
    }

    #[test]
    fn a_pause_for_one_phone_is_about_its_person() {
        let paused = |scope| ProviderError::Paused { retry_after: Duration::ZERO, scope };
        let limited = |scope| ProviderError::RateLimited { retry_after: None, scope };
        assert!(!paused(PauseScope::Phone).allows_another_provider());
        assert!(!limited(RateLimitScope::Person).allows_another_provider());
        assert!(paused(PauseScope::All).allows_another_provider());
        assert!(limited(RateLimitScope::Unknown).allows_another_provider());
    }
}
