//! How the providers reach the person of one approval.

use super::{Approvals, RemainingTime, StartError, StartRequest};
use crate::{
    model::{Approval, CodeSource, ProviderUserId, PushRecipient, UserId},
    provider::{
        ProviderError,
        guarded::{CallSubject, GuardedProvider},
    },
    storage::StoreError,
};

/// One provider that reaches the person.
#[derive(Clone)]
pub(super) struct Contact {
    pub(super) provider: GuardedProvider,
    /// Its id of the person; `None` if it keeps no people of its own.
    pub(super) user: Option<ProviderUserId>,
}

impl Contact {
    /// Returns whom the provider pushes to, if it can push to the person.
    pub(super) fn push_recipient(&self) -> Option<PushRecipient> {
        self.provider.pushes()?;
        let user = self.user.clone()?;
        Some(PushRecipient { provider: self.provider.name().to_owned(), user })
    }

    /// Returns where the codes are checked that the provider's app shows, if it has such an app.
    pub(super) fn app_codes(&self) -> Option<CodeSource> {
        let handle = self.provider.codes()?.app_codes(self.user.as_ref()?)?;
        Some(CodeSource { provider: self.provider.name().to_owned(), handle })
    }
}

impl Approvals {
    /// Returns the providers that reach the person of a new approval, in order, and the user whose start is still to be reserved. A
    /// person whom a provider does not know is enrolled there, if it takes new people: that is a call, which the limit on starts guards
    /// too. One that cannot enroll them is left out.
    pub(super) async fn contacts_of_request(
        &self,
        request: &StartRequest<'_>,
        network: Option<&str>,
        time: RemainingTime,
    ) -> Result<(Vec<Contact>, Option<UserId>), StartError> {
        let mut unreserved = request.user_id();
        let enrolled = self.enrollments_of(unreserved).await?;
        let (mut contacts, mut failure) = (Vec::new(), None);
        for provider in self.providers.iter() {
            let known = enrolled.iter().find(|(name, _)| name == provider.name()).map(|(_, id)| id.clone());
            let user = match provider.enrollment() {
                Some(enrollment) if known.is_none() => {
                    if !enrollment.takes_new_people() {
                        continue;
                    }
                    if let Some(user) = unreserved.take() {
                        self.limits.take_started_login(user, network, request.device).await?;
                    }
                    match self.enroll(provider, request, network, time).await? {
                        Ok(id) => Some(id),
                        Err(error) => {
                            failure.get_or_insert(error);
                            continue;
                        }
                    }
                }
                _ => known,
            };
            contacts.push(Contact { provider: provider.clone(), user });
        }
        match failure {
            Some(error) if contacts.is_empty() => Err(error.into()),
            None if contacts.is_empty() => Err(StartError::Unavailable { retry_after: None }),
            _ => Ok((contacts, unreserved)),
        }
    }

    /// Returns the providers that reach the person of an approval, in order. Nobody is enrolled for it.
    pub(super) async fn contacts_of(&self, approval: &Approval) -> Result<Vec<Contact>, StoreError> {
        let mut enrolled: Vec<_> =
            approval.push.clone().map(|push| (push.provider, push.user)).into_iter().collect();
        let is_unknown = |provider: &GuardedProvider, enrolled: &[(String, _)]| {
            provider.enrollment().is_some() && enrolled.iter().all(|(name, _)| name != provider.name())
        };
        if self.providers.iter().any(|provider| is_unknown(provider, &enrolled)) {
            enrolled.extend(self.enrollments_of(approval.user_id).await?);
        }
        let reachable = self.providers.iter().filter(|provider| !is_unknown(provider, &enrolled));
        let contact = |provider: &GuardedProvider| {
            let user = enrolled.iter().find(|(name, _)| name == provider.name());
            Contact { provider: provider.clone(), user: user.map(|(_, id)| id.clone()) }
        };
        Ok(reachable.map(contact).collect())
    }

    async fn enrollments_of(
        &self,
        user: Option<UserId>,
    ) -> Result<Vec<(String, ProviderUserId)>, StoreError> {
        match user {
            Some(user) => self.store.enrollments_of(user).await,
            None => Ok(Vec::new()),
        }
    }

    /// Enrolls the person of a new approval at a provider that keeps people of its own, and stores a user's enrollment.
    pub(super) async fn enroll(
        &self,
        provider: &GuardedProvider,
        request: &StartRequest<'_>,
        network: Option<&str>,
        time: RemainingTime,
    ) -> Result<Result<ProviderUserId, ProviderError>, StoreError> {
        let Some(enrollment) = provider.enrollment() else { return Ok(Err(ProviderError::NotEnrolled)) };
        let of = CallSubject { phone: request.phone(), network };
        let enrolled = time.limit(enrollment.enroll(of, request.email(), request.phone())).await;
        match (request.user_id(), &enrolled) {
            (Some(user), Ok(known)) => {
                self.store.save_enrollment(user, provider.name(), known, self.clock.now()).await?;
            }
            (_, Err(error)) => {
                tracing::warn!(provider = provider.name(), %error, "enrollment at the provider failed");
            }
            (None, Ok(_)) => {}
        }
        Ok(enrolled)
    }
}
