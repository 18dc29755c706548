//! A provider whose every call is measured: how long it took, and what came of it.

use async_trait::async_trait;
use metrics::histogram;
use tokio::time::Instant;

use super::{
    Callback, CallbackError, CallbackReport, CodeJudgement, ProviderError, PushRequest, PushStatus,
    SecondFactor, Sending,
};
use crate::model::{Code, CodeChannel, Email, Phone, ProviderUserId, PushHandle};

/// The provider that is really asked.
#[derive(Debug)]
pub struct Measured<Provider>(pub Provider);

#[async_trait]
impl<Provider: SecondFactor> SecondFactor for Measured<Provider> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    async fn enrol(&self, email: &Email, phone: &Phone) -> Result<ProviderUserId, ProviderError> {
        measure("enrol", self.0.enrol(email, phone)).await
    }

    async fn request_push(&self, request: &PushRequest<'_>) -> Result<PushHandle, ProviderError> {
        measure("request_push", self.0.request_push(request)).await
    }

    async fn find_push(&self, id: &PushHandle) -> Result<PushStatus, ProviderError> {
        measure("find_push", self.0.find_push(id)).await
    }

    async fn send_code(&self, user: &ProviderUserId, sending: Sending) -> Result<CodeChannel, ProviderError> {
        measure("send_code", self.0.send_code(user, sending)).await
    }

    async fn check_code(&self, user: &ProviderUserId, code: &Code) -> Result<CodeJudgement, ProviderError> {
        measure("check_code", self.0.check_code(user, code)).await
    }

    fn read_callback(&self, callback: &Callback<'_>) -> Result<CallbackReport, CallbackError> {
        self.0.read_callback(callback)
    }
}

async fn measure<T>(
    call: &'static str,
    answer: impl Future<Output = Result<T, ProviderError>>,
) -> Result<T, ProviderError> {
    let mut running = Running { call, outcome: "abandoned", since: Instant::now() };
    let answer = answer.await;
    running.outcome = answer.as_ref().map_or_else(ProviderError::kind, |_| "ok");
    answer
}

/// A call that runs. It is counted when it is dropped, so that one for which nobody waits any longer counts too.
struct Running {
    call: &'static str,
    outcome: &'static str,
    since: Instant,
}

impl Drop for Running {
    fn drop(&mut self) {
        let labels = [("call", self.call), ("outcome", self.outcome)];
        histogram!("countersign_provider_call_seconds", &labels).record(self.since.elapsed());
    }
}
