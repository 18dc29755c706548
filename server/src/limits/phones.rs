//! What reaches a phone or speaks for it: signups that name it, codes sent to it, codes typed for it.

use std::net::IpAddr;

use super::{
    Claim, Grant, LimitError, Limits,
    network::{UNKNOWN, customer},
    settings::AFTER_WRONG_CODES,
};
use crate::model::{Budget, DeviceId, LoginId, LoginPurpose, Phone, Rate};

/// Of how many known devices the budgets can be used up at once.
const DEVICES_AT_ONCE: u32 = 3;

/// A budget's name, that of its setting in lower case, and how much there is of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Named(pub(super) &'static str, pub(super) Rate);

/// What is known of who uses a phone's budgets. Each has budgets of their own, so that none can use up another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Somebody signs up and says that it is theirs.
    Unproven,
    /// Somebody knows the password of a user whose phone it is.
    Proven,
    /// So they do, and present a device in which that user has signed in before.
    KnownDevice(DeviceId),
}

impl Standing {
    /// Whose budgets a login takes from.
    #[must_use]
    pub fn of(purpose: LoginPurpose, device: Option<DeviceId>) -> Self {
        match (purpose, device) {
            (LoginPurpose::Signup, _) => Self::Unproven,
            (LoginPurpose::Login, None) => Self::Proven,
            (LoginPurpose::Login, Some(device)) => Self::KnownDevice(device),
        }
    }
}

/// A phone, and who uses it.
#[derive(Clone, Copy, Debug)]
pub struct PhoneUse<'a> {
    /// Which.
    pub phone: &'a Phone,
    /// Who.
    pub standing: Standing,
}

impl PhoneUse<'_> {
    /// Claims on what this phone has for such as them. Each known device has as much as all logins without one, and all of
    /// them together as much as a few: whoever signs in again and again makes more and more of them known.
    pub(super) fn claims(
        &self,
        proven: Named,
        unproven: Named,
        budget: impl Fn(Rate) -> Budget,
    ) -> Vec<Claim> {
        let Named(name, rate) = if self.is_proven() { proven } else { unproven };
        let claim = |who: &str, rate| Claim::new(name, &[who, self.phone.e164()], budget(rate));
        match self.standing {
            Standing::Unproven => vec![claim("unproven", rate)],
            Standing::Proven => vec![claim("proven", rate)],
            Standing::KnownDevice(id) => {
                let all = Rate { count: rate.count.saturating_mul(DEVICES_AT_ONCE), ..rate };
                vec![claim(&id.to_string(), rate), claim("devices", all)]
            }
        }
    }

    pub(super) fn is_proven(&self) -> bool {
        self.standing != Standing::Unproven
    }

    pub(super) fn calling_code(&self) -> &str {
        self.phone.country_code().digits()
    }
}

impl Limits {
    /// Whether people with phones of this calling code may sign up here.
    #[must_use]
    pub fn serves(&self, phone: &Phone) -> bool {
        let (allowed, refused) = (&self.settings.allowed_calling_codes, &self.settings.refused_calling_codes);
        let code = phone.country_code().digits();
        !refused.contains(code) && (allowed.is_empty() || allowed.contains(code))
    }

    /// Charges one attempt to sign up to an address, whatever becomes of it: for what a form costs that begins no login.
    pub async fn take_signup_attempt(&self, from: Option<IpAddr>) -> Result<(), LimitError> {
        let customer = from.map_or_else(|| UNKNOWN.to_owned(), customer);
        let budget = Budget::strict(self.settings.signup_attempts_per_address);
        self.take(&[Claim::new("signup_attempts_per_address", &[&customer], budget)]).await.map(drop)
    }

    /// Takes one signup of this phone from this address.
    pub async fn take_signup(&self, phone: &Phone, from: Option<IpAddr>) -> Result<Grant, LimitError> {
        let customer = from.map_or_else(|| UNKNOWN.to_owned(), customer);
        self.take(&[
            Claim::new(
                "signups_per_address",
                &[&customer],
                Budget::strict(self.settings.signups_per_address),
            ),
            Claim::new("signups_per_phone", &[phone.e164()], Budget::strict(self.settings.signups_per_phone)),
        ])
        .await
    }

    /// Takes one code to be judged, whatever login it is typed for.
    pub async fn take_code_try(&self, of: PhoneUse<'_>) -> Result<Grant, LimitError> {
        let claims = of.claims(
            Named("wrong_codes_per_phone", self.settings.wrong_codes_per_phone),
            Named("wrong_codes_per_unproven_phone", self.settings.wrong_codes_per_unproven_phone),
            |rate| Budget::growing(rate, AFTER_WRONG_CODES),
        );
        self.take(&claims).await
    }

    /// Takes one message with a code. Of what all phones share, unproven ones may have no more than their part.
    pub async fn take_code(&self, login: LoginId, to: PhoneUse<'_>) -> Result<Grant, LimitError> {
        let claims = self.claims_of_code(login, to);
        if !to.is_proven() {
            let returns = self.check_returns(to.calling_code()).await;
            if let Err(LimitError::UsedUp { retry_after: until_enough }) = returns {
                let rest = self.check(&claims).await;
                return Err(match rest {
                    Err(LimitError::UsedUp { retry_after }) => {
                        LimitError::UsedUp { retry_after: retry_after.max(until_enough) }
                    }
                    _ => LimitError::UsedUp { retry_after: until_enough },
                });
            }
            returns?;
        }
        self.take(&claims).await
    }

    fn claims_of_code(&self, login: LoginId, to: PhoneUse<'_>) -> Vec<Claim> {
        let settings = &self.settings;
        let mut claims = to.claims(
            Named("codes_per_phone", settings.codes_per_phone),
            Named("codes_per_unproven_phone", settings.codes_per_unproven_phone),
            Budget::strict,
        );
        claims.extend(to.claims(
            Named("codes_per_phone_daily", settings.codes_per_phone_daily),
            Named("codes_per_unproven_phone_daily", settings.codes_per_unproven_phone_daily),
            Budget::strict,
        ));
        let login = login.to_string();
        claims.push(Claim::new("codes_per_login", &[&login], Budget::strict(settings.codes_per_login)));
        for (name, whose, rate) in [
            ("codes_per_calling_code", vec![to.calling_code()], settings.codes_per_calling_code),
            ("codes_for_all", vec![], settings.codes_for_all),
        ] {
            claims.push(Claim::new(name, &whose, Budget::strict(rate)));
            if !to.is_proven() {
                let part = Rate { count: part(rate.count, settings.unproven_share), ..rate };
                let whose = [&whose[..], &["unproven"]].concat();
                claims.push(Claim::new(name, &whose, Budget::strict(part)));
            }
        }
        claims
    }
}

/// So many percent, and one at least.
fn part(count: u32, percent: u32) -> u32 {
    let part = u64::from(count) * u64::from(percent) / 100;
    u32::try_from(part).unwrap_or(count).max(1)
}

#[cfg(test)]
mod tests {
    use super::part;

    #[test]
    fn a_part_is_never_nothing() {
        assert_eq!((part(10, 50), part(1, 50), part(u32::MAX, 100)), (5, 1, u32::MAX));
    }
}
