//! What reaches a phone or speaks for it: signups that name it, codes sent to it, codes typed for it.

use std::net::IpAddr;

use super::{
    Claim, Grant, LimitError, Limits, PhoneUse, network::outermost, phone_use::Named, returns::Conversion,
    settings::AFTER_WRONG_CODES,
};
use crate::{
    model::{ApprovalId, Budget, Phone, Rate},
    network::Network,
};

/// What part of the unverified share is left to a calling code whose codes do not come back, in percent.
const SHARE_AT_LOW_CONVERSION: u32 = 10;

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
        let rate = self.settings.signup_attempts_per_address;
        let customer = from.map(Network::of_customer);
        let claims = Claim::in_tiers("signup_attempts_per_address", &[], customer, rate, Budget::strict);
        self.take(&claims).await.map(drop)
    }

    /// Takes one signup of this phone from this address. There is no limit by phone alone: strangers would keep its owner from
    /// signing up. Past what the phone gets in messages, a signup's login starts without one.
    pub async fn take_signup(&self, phone: &Phone, from: Option<IpAddr>) -> Result<Grant, LimitError> {
        let settings = &self.settings;
        let mut claims = Claim::in_tiers(
            "signups_per_address",
            &[],
            from.map(Network::of_customer),
            settings.signups_per_address,
            Budget::strict,
        );
        claims.extend(Claim::in_tiers(
            "signups_per_phone_and_network",
            &[phone.e164()],
            from.map(Network::of),
            settings.signups_per_phone_and_network,
            Budget::strict,
        ));
        self.take(&claims).await
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

    /// Takes one message with a code. Unverified phones may have no more than their share of what all phones have, and none
    /// of their networks more than its share of that.
    pub async fn take_code(&self, login: ApprovalId, to: PhoneUse<'_>) -> Result<Grant, LimitError> {
        let mut claims = self.claims_of_code(login, to);
        if !to.is_proven() {
            let conversion = self.conversion(to).await?;
            claims.extend(self.shares(to, conversion));
        }
        self.take(&claims).await
    }

    fn claims_of_code(&self, login: ApprovalId, to: PhoneUse<'_>) -> Vec<Claim> {
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
        let strict = |name, whose: &[&str], rate| Claim::new(name, whose, Budget::strict(rate));
        claims.extend([
            strict("codes_per_login", &[&login], settings.codes_per_login),
            strict("codes_per_calling_code", &[to.calling_code()], settings.codes_per_calling_code),
            strict("codes_for_all", &[], settings.codes_for_all),
        ]);
        claims
    }

    /// The shares that an unverified phone takes from.
    fn shares(&self, of: PhoneUse<'_>, conversion: Conversion) -> Vec<Claim> {
        let (settings, calling_code, network) = (&self.settings, of.calling_code(), outermost(of.network()));
        let share = |name, whose: &[&str], all: Rate| {
            let of_network = [whose, &["unproven", &network]].concat();
            let of_all = &of_network[..of_network.len() - 1];
            [
                Claim::new(name, of_all, Budget::strict(all)),
                Claim::new(name, &of_network, Budget::strict(all.percent(settings.unverified_network_share))),
            ]
        };
        let in_calling_code = settings.codes_per_calling_code.percent(settings.unproven_share);
        let in_all = settings.codes_for_all.percent(settings.unproven_share);
        let mut claims = Vec::from(share("codes_per_calling_code", &[calling_code], in_calling_code));
        claims.extend(share("codes_for_all", &[], in_all));
        if conversion == Conversion::Low {
            let left = in_calling_code.percent(SHARE_AT_LOW_CONVERSION);
            claims.extend(share("returned_codes", &[calling_code], left));
        }
        claims
    }
}
