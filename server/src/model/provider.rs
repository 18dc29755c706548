//! What an approval keeps of its providers: their ids and handles. A handle is read by the provider that made it, and by nothing else.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

use super::{Code, Phone};

/// Text that a provider gave, and that only the provider reads.
macro_rules! provider_text {
    ($($(#[$documentation:meta])* $name:ident),* $(,)?) => {$(
        $(#[$documentation])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub struct $name(String);

        impl $name {
            /// Takes the text as the provider gave it. A provider checks the form of its own before it puts one into a path.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// Returns the text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
    )*};
}

provider_text! {
    /// A provider's id of a person. Authy: the `authy_id`, which is the same in every account for one phone.
    ProviderUserId,
    /// A provider's handle of one push. Authy: the `uuid` of the approval request.
    PushHandle,
    /// What a provider needs to check a code of one approval.
    CodeHandle,
}

/// The person whom a provider pushes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushRecipient {
    /// The provider's name.
    pub provider: String,
    /// Its id of the person.
    pub user: ProviderUserId,
}

/// Where a typed code is checked: at the provider that sent the last one or, if none was sent, at one whose app shows codes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeSource {
    /// The provider's name.
    pub provider: String,
    /// What it checks the code with.
    pub handle: CodeHandle,
}

/// A right code of a provider whose app shows codes: the app shows the same one for every approval of the person, so it counts once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsedCode(String);

impl UsedCode {
    /// Names the code by SHA-256, base64url.
    #[must_use]
    pub fn new(provider: &str, phone: &Phone, code: &Code) -> Self {
        let digest = Sha256::digest(format!("{provider} {} {}", phone.e164(), code.digits()));
        Self(URL_SAFE_NO_PAD.encode(digest))
    }

    /// Returns its name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
