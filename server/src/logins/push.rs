//! The push of a login that has just begun.

use super::{
    Logins, Patience, ask,
    begin::{Draft, Origin, Whom},
    message::{message, shown},
};
use crate::{
    model::{ApprovalRequestId, Login},
    provider::{ApprovalRequest, ProviderError},
    storage::StoreError,
};

/// What became of a push.
pub(super) enum Pushed {
    /// It is on its way: the login as it is then, unless the phone has answered already.
    Out(Option<Box<Login>>),
    /// Budgets have no place for it on the phone.
    NoPlace,
    /// The provider did not send it, or did not say so.
    NotSent(ProviderError),
}

impl Logins {
    /// Sends the push, where there is a place for it on the phone; the place is given back where it certainly was not sent.
    /// Whatever becomes of it is written, and the login with it, so that both survive a power cut.
    pub(super) async fn push(
        &self,
        draft: &mut Draft,
        whom: Whom<'_>,
        origin: Origin,
        patience: Patience,
    ) -> Result<Pushed, StoreError> {
        let Some(place) = draft.place.take() else {
            return Ok(Pushed::NoPlace);
        };
        let failure = match self.request_approval_of_known(draft, whom, origin, patience).await {
            Ok(Ok(push)) => {
                let ask_at = (self.clock.now() + ask::first_interval()).min(draft.expires_at);
                let login = self.store.record_push(draft.id, &push, ask_at).await?;
                self.asking.set(ask_at);
                return Ok(Pushed::Out(login.map(Box::new)));
            }
            Ok(Err(error)) => Ok(error),
            Err(error) => Err(error),
        };
        if matches!(&failure, Ok(error) if error.may_have_taken_effect()) {
            self.store.keep_login(draft.id, self.clock.now()).await?;
        } else {
            self.limits.give_back(place.grant).await;
            self.store.forget_match_number(draft.id).await?;
        }
        failure.map(Pushed::NotSent)
    }

    /// Asks for approval. A person whom the provider has forgotten is registered again, once. Storage is not asked for
    /// anything any more once the push is out.
    async fn request_approval_of_known(
        &self,
        draft: &mut Draft,
        whom: Whom<'_>,
        origin: Origin,
        patience: Patience,
    ) -> Result<Result<ApprovalRequestId, ProviderError>, StoreError> {
        let sent = self.request_approval(draft, whom, origin, patience).await;
        if !matches!(sent, Err(ProviderError::NotEnrolled)) {
            return Ok(sent);
        }
        let network = draft.network.clone();
        match self.enrol(whom, network.as_deref(), patience).await? {
            Ok(known) => {
                self.store.record_provider_user(draft.id, &known).await?;
                draft.provider_user_id = known;
                Ok(self.request_approval(draft, whom, origin, patience).await)
            }
            Err(error) => Ok(Err(error)),
        }
    }

    async fn request_approval(
        &self,
        draft: &Draft,
        whom: Whom<'_>,
        origin: Origin,
        patience: Patience,
    ) -> Result<ApprovalRequestId, ProviderError> {
        let Some(match_number) = &draft.match_number else {
            return Err(ProviderError::NoPush { code: "no match number is free".to_owned() });
        };
        let from = origin.address.map_or_else(|| "unknown".to_owned(), |address| address.to_string());
        let details = [
            ("Match number", match_number.clone()),
            ("Email", shown(whom.email())),
            ("From", from),
            ("Time", draft.created_at.format("%Y-%m-%d %H:%M:%S UTC").to_string()),
        ];
        let request = ApprovalRequest {
            user: &draft.provider_user_id,
            login_id: draft.id,
            message: &message(whom.purpose(), whom.email()),
            details: &details,
            expires_in: (draft.expires_at - self.clock.now()).to_std().unwrap_or_default(),
        };
        patience.with(self.provider.request_approval(draft.call_subject(whom), &request)).await
    }
}
