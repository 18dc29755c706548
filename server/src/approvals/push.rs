//! The push of an approval that was just started.

use super::{
    Approvals, PushDetail, PushText, RemainingTime, StartRequest, contacts::Contact, poll,
    request::UnsentApproval,
};
use crate::{
    model::{Approval, PushHandle},
    provider::{ProviderError, PushRequest, guarded::GuardedProvider},
    storage::StoreError,
};

/// The result of a push.
pub(super) enum PushOutcome {
    /// It was sent: the approval as it is then, unless the phone has answered already.
    Sent(Option<Box<Approval>>),
    /// The rate limits have no slot for it on the phone.
    NoSlot,
    /// The provider did not send it, or its answer does not say so.
    NotSent(ProviderError),
}

impl Approvals {
    /// Sends the push if there is a slot for it on the phone; the slot is released if the push certainly was not sent. The result is
    /// stored, and the approval with it, so that both survive a power cut.
    pub(super) async fn push(
        &self,
        unsent: &mut UnsentApproval,
        request: &StartRequest<'_>,
        time: RemainingTime,
    ) -> Result<PushOutcome, StoreError> {
        if unsent.push.is_none() {
            return Ok(PushOutcome::NotSent(ProviderError::NoPush { code: "no provider pushes".to_owned() }));
        }
        let Some(place) = unsent.place.take() else {
            return Ok(PushOutcome::NoSlot);
        };
        let failure = match self.request_push_of_known(unsent, request, time).await {
            Ok(Ok(push)) => {
                let next_poll_at = (self.clock.now() + poll::first_interval()).min(unsent.expires_at);
                let approval = self.store.record_push(unsent.id, &push, next_poll_at).await?;
                if let Some(polling) = unsent.push.as_ref().and_then(|to| self.polling_of(&to.provider)) {
                    polling.timer.set(next_poll_at);
                }
                return Ok(PushOutcome::Sent(approval.map(Box::new)));
            }
            Ok(Err(error)) => Ok(error),
            Err(error) => Err(error),
        };
        if matches!(&failure, Ok(error) if error.may_have_taken_effect()) {
            self.store.keep_approval(unsent.id, self.clock.now()).await?;
        } else {
            self.limits.give_back(place.grant).await;
            self.store.forget_match_number(unsent.id).await?;
        }
        failure.map(PushOutcome::NotSent)
    }

    /// Requests the push. A person whom the provider has forgotten is enrolled again, once. Nothing is stored between a sent
    /// push and its result.
    async fn request_push_of_known(
        &self,
        unsent: &mut UnsentApproval,
        request: &StartRequest<'_>,
        time: RemainingTime,
    ) -> Result<Result<PushHandle, ProviderError>, StoreError> {
        let sent = self.request_push(unsent, request, time).await;
        if !matches!(sent, Err(ProviderError::NotEnrolled)) {
            return Ok(sent);
        }
        let pushing = unsent.contacts.iter().position(|contact| contact.push_recipient() == unsent.push);
        let Some(pushing) = pushing else { return Ok(sent) };
        let provider = unsent.contacts[pushing].provider.clone();
        match self.enroll(&provider, request, unsent.network.as_deref(), time).await? {
            Ok(known) => {
                let contact = Contact { provider, user: Some(known) };
                if unsent.code == unsent.contacts[pushing].app_codes() {
                    unsent.code = contact.app_codes();
                }
                unsent.push = contact.push_recipient();
                unsent.contacts[pushing] = contact;
                self.store.record_enrollment(unsent.id, unsent.push.as_ref(), unsent.code.as_ref()).await?;
                Ok(self.request_push(unsent, request, time).await)
            }
            Err(error) => Ok(Err(error)),
        }
    }

    async fn request_push(
        &self,
        unsent: &UnsentApproval,
        request: &StartRequest<'_>,
        time: RemainingTime,
    ) -> Result<PushHandle, ProviderError> {
        let Some(match_number) = &unsent.match_number else {
            return Err(ProviderError::NoPush { code: "no match number is free".to_owned() });
        };
        let provider = unsent.push.as_ref().and_then(|push| self.providers.find(&push.provider));
        let (Some(to), Some(pushes)) = (&unsent.push, provider.and_then(GuardedProvider::pushes)) else {
            return Err(ProviderError::NoPush { code: "no provider pushes".to_owned() });
        };
        let value = |detail: &PushDetail| match detail {
            PushDetail::MatchNumber => match_number.clone(),
            PushDetail::StartedAt => unsent.created_at.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
            PushDetail::Text(text) => text.clone(),
        };
        let PushText { message, details } = &request.push;
        let details: Vec<_> = details.iter().map(|(label, detail)| (*label, value(detail))).collect();
        let push = PushRequest {
            user: &to.user,
            approval_id: unsent.id,
            message,
            details: &details,
            expires_in: (unsent.expires_at - self.clock.now()).to_std().unwrap_or_default(),
        };
        time.limit(pushes.request(unsent.call_subject(request), &push)).await
    }
}
