//! A phone, and who uses it: what the rate limits of phones are keyed by.

use super::{Claim, network::outermost};
use crate::{
    model::{Budget, DeviceId, Phone, Purpose, Rate},
    network::Network,
};

/// Of how many known devices, or networks that sign up, the rate limits of one phone can be exhausted at once.
const OTHERS_AT_ONCE: u32 = 3;

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
    pub fn of(purpose: Purpose, device: Option<DeviceId>) -> Self {
        match (purpose, device) {
            (Purpose::Signup, _) => Self::Unproven,
            (Purpose::Login | Purpose::Confirm, None) => Self::Proven,
            (Purpose::Login | Purpose::Confirm, Some(device)) => Self::KnownDevice(device),
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
    /// The network that they come from, as the login stores it.
    pub network: Option<&'a str>,
}

impl PhoneUse<'_> {
    /// Claims on what this phone has for such as them. Each known device has as much as all logins without one, and each
    /// network that signs up has a limit of its own: no network exhausts what is left for the phone's owner. All devices
    /// together, and all networks, have as much as three: anybody can make more and more of them.
    pub(super) fn claims(
        &self,
        proven: Named,
        unproven: Named,
        budget: impl Fn(Rate) -> Budget,
    ) -> Vec<Claim> {
        let Named(name, rate) = if self.is_proven() { proven } else { unproven };
        let (phone, all) = (self.phone.e164(), rate.times(OTHERS_AT_ONCE));
        let claim = |whose: &[&str], rate| Claim::new(name, whose, budget(rate));
        match self.standing {
            Standing::Unproven => {
                let network = outermost(self.network());
                vec![claim(&["unproven", phone, &network], rate), claim(&["unproven", phone], all)]
            }
            Standing::Proven => vec![claim(&["proven", phone], rate)],
            Standing::KnownDevice(id) => {
                vec![claim(&[&id.to_string(), phone], rate), claim(&["devices", phone], all)]
            }
        }
    }

    pub(super) fn network(&self) -> Option<Network> {
        self.network.and_then(|network| network.parse().ok())
    }

    pub(super) fn is_proven(&self) -> bool {
        self.standing != Standing::Unproven
    }

    pub(super) fn calling_code(&self) -> &str {
        self.phone.country_code().digits()
    }
}
