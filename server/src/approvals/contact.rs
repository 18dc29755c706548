//! One provider that reaches the person of an approval.

use crate::{
    model::{CodeSource, ProviderUserId, PushRecipient},
    provider::guarded::GuardedProvider,
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
