//! The secrets that the service hands out. None shows itself in a `Debug` text; whoever wants the text asks for it by
//! name. Nothing here says what a token is worth: that is the service's affair.

use std::fmt;

use subtle::ConstantTimeEq;

/// The handle of a login that waits for its second factor. Once the login is approved it is as good as the session.
#[derive(Clone)]
pub struct LoginToken(String);

/// The bearer of a session: whoever holds it is signed in.
#[derive(Clone)]
pub struct SessionToken(String);

/// What a browser is known by in which somebody has signed in before. It signs nobody in.
#[derive(Clone)]
pub struct DeviceToken(String);

macro_rules! secret_text {
    ($name:ident) => {
        impl $name {
            /// Takes a token as the service spelled it.
            #[must_use]
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The token itself. It belongs in a request or in a person's keeping, never in a log or a URL.
            #[must_use]
            pub fn reveal(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(concat!(stringify!($name), "(hidden)"))
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
            }
        }

        impl Eq for $name {}
    };
}

secret_text!(LoginToken);
secret_text!(SessionToken);
secret_text!(DeviceToken);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_does_not_show_itself() {
        assert_eq!(format!("{:?}", LoginToken::new("planted")), "LoginToken(hidden)");
        assert_eq!(format!("{:?}", SessionToken::new("planted")), "SessionToken(hidden)");
        assert_eq!(format!("{:?}", DeviceToken::new("planted")), "DeviceToken(hidden)");
    }

    #[test]
    fn tokens_are_equal_only_when_every_byte_is() {
        assert_eq!(SessionToken::new("one"), SessionToken::new("one"));
        assert_ne!(SessionToken::new("one"), SessionToken::new("two"));
        assert_ne!(SessionToken::new("one"), SessionToken::new("one more"));
    }
}
