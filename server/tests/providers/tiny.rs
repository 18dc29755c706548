//! A tiny provider in memory, with the failures that a test sets.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

use async_trait::async_trait;
use countersign::{
    model::{CodeChannel, CodeHandle, Email, Phone, ProviderUserId, PushHandle, Verdict},
    provider::{
        Callback, CallbackError, CallbackReport, CodeCheck, CodeJudgement, CodeMessage, CodeProvider,
        Enrollment, Provider, ProviderError, PushProvider, PushRequest, PushStatus, SentCode,
    },
};

/// Its codes belong to one message each. One that keeps people pushes to them, and has an app that shows the code `7654321`.
#[derive(Clone, Debug)]
pub(super) struct Tiny {
    name: &'static str,
    keeps_people: bool,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    /// What it does instead of sending a code.
    pub(super) failure: Option<Failure>,
    /// What it does instead of enrolling.
    pub(super) enrollment_failure: Option<Failure>,
    /// The code of each message.
    pub(super) sent: Vec<String>,
    /// The codes that it was to check.
    pub(super) checked: Vec<String>,
    pub(super) pushes: HashMap<String, PushStatus>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Failure {
    Refused,
    TimedOut,
    Unauthorized,
    ChannelDisabled,
    ChannelUnavailable,
    NotEnrolled,
}

impl Failure {
    fn error(self) -> ProviderError {
        let code = "1".to_owned();
        match self {
            Self::Refused => ProviderError::Refused { code },
            Self::TimedOut => ProviderError::TimedOut,
            Self::Unauthorized => ProviderError::Unauthorized { code },
            Self::ChannelDisabled => ProviderError::ChannelDisabled { code },
            Self::ChannelUnavailable => ProviderError::ChannelUnavailable { code },
            Self::NotEnrolled => ProviderError::NotEnrolled,
        }
    }
}

/// What the app of each person shows.
pub(super) const APP_CODE: &str = "7654321";
/// What a check is made with that is no message.
const APP: &str = "app";

impl Tiny {
    /// Sends codes.
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, keeps_people: false, state: Arc::default() }
    }

    /// Enrolls people, pushes to them, and has an app.
    pub(super) fn with_people(name: &'static str) -> Self {
        Self { keeps_people: true, ..Self::new(name) }
    }

    pub(super) fn boxed(&self) -> Box<dyn Provider> {
        Box::new(self.clone())
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The code of its last message.
    pub(super) fn last_code(&self) -> String {
        self.state().sent.last().unwrap().clone()
    }

    /// A callback with a verdict on a push, signed with its name.
    pub(super) fn signed(&self, push: &PushHandle) -> String {
        format!("{} {}", self.name, push.as_str())
    }
}

impl Provider for Tiny {
    fn name(&self) -> &'static str {
        self.name
    }

    fn enrollment(&self) -> Option<&dyn Enrollment> {
        self.keeps_people.then_some(self as &dyn Enrollment)
    }

    fn pushes(&self) -> Option<&dyn PushProvider> {
        self.keeps_people.then_some(self as &dyn PushProvider)
    }

    fn codes(&self) -> Option<&dyn CodeProvider> {
        Some(self)
    }
}

#[async_trait]
impl Enrollment for Tiny {
    fn takes_new_people(&self) -> bool {
        true
    }

    async fn enroll(&self, _: &Email, phone: &Phone) -> Result<ProviderUserId, ProviderError> {
        let failure = self.state().enrollment_failure;
        failure.map_or_else(|| Ok(ProviderUserId::new(phone.e164())), |failure| Err(failure.error()))
    }
}

#[async_trait]
impl PushProvider for Tiny {
    async fn request(&self, request: &PushRequest<'_>) -> Result<PushHandle, ProviderError> {
        let push = request.approval_id.to_string();
        self.state().pushes.insert(push.clone(), PushStatus::Pending);
        Ok(PushHandle::new(push))
    }

    async fn find(&self, push: &PushHandle) -> Result<PushStatus, ProviderError> {
        Ok(self.state().pushes.get(push.as_str()).copied().unwrap_or(PushStatus::Gone))
    }

    fn read_callback(&self, callback: &Callback<'_>) -> Result<CallbackReport, CallbackError> {
        let text = std::str::from_utf8(callback.body).map_err(|_| CallbackError::Forged)?;
        let id = text.strip_prefix(self.name).ok_or(CallbackError::Forged)?.trim();
        Ok(CallbackReport::Answered {
            id: PushHandle::new(id),
            user: ProviderUserId::new("+12015550123"),
            approval_id: None,
            verdict: Verdict::Approved,
        })
    }
}

#[async_trait]
impl CodeProvider for Tiny {
    fn has_app(&self) -> bool {
        self.keeps_people
    }

    fn app_codes(&self, _: &ProviderUserId) -> Option<CodeHandle> {
        self.keeps_people.then(|| CodeHandle::new(APP))
    }

    async fn send(&self, message: &CodeMessage<'_>) -> Result<SentCode, ProviderError> {
        assert_eq!(message.user.is_some(), self.keeps_people);
        let mut state = self.state();
        if let Some(failure) = state.failure {
            return Err(failure.error());
        }
        let handle = CodeHandle::new(state.sent.len().to_string());
        let code = format!("{}{:05}", self.name.len(), state.sent.len());
        state.sent.push(code);
        Ok(SentCode { channel: CodeChannel::Sms, handle })
    }

    async fn check(&self, check: &CodeCheck<'_>) -> Result<CodeJudgement, ProviderError> {
        let mut state = self.state();
        let code = check.code.digits();
        state.checked.push(code.to_owned());
        let right = match check.handle.as_str() {
            APP => APP_CODE,
            number => &state.sent[number.parse::<usize>().unwrap()],
        };
        Ok(if code == right { CodeJudgement::Right } else { CodeJudgement::Wrong })
    }
}
