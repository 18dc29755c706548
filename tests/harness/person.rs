//! Somebody with a name, an email, a phone and a password that nobody else has.

use countersign_client::{DeviceToken, LoginInput, SignupInput, random};

/// A person, before anybody knows them.
#[derive(Clone)]
pub struct Person {
    /// What they call themselves.
    pub full_name: String,
    /// Their email.
    pub email: String,
    /// The calling code of their phone.
    pub country_code: String,
    /// Their phone, national digits.
    pub phone: String,
    /// Their password.
    pub password: String,
}

impl Person {
    /// Somebody new.
    #[must_use]
    pub fn new() -> Self {
        let number = random::number().unwrap();
        let (exchange, line) = (200 + number / 10_000 % 800, number % 10_000);
        Self {
            full_name: "Ada Lovelace".to_owned(),
            email: format!("ada.{number:020}@example.com"),
            country_code: "1".to_owned(),
            phone: format!("201{exchange:03}{line:04}"),
            password: format!("analytical engine {number:020}"),
        }
    }

    /// Somebody else with the same phone.
    #[must_use]
    pub fn sharing_phone(&self) -> Self {
        Self { phone: self.phone.clone(), ..Self::new() }
    }

    /// What they type to sign up.
    #[must_use]
    pub fn signup(&self) -> SignupInput {
        SignupInput {
            full_name: self.full_name.clone(),
            email: self.email.clone(),
            country_code: self.country_code.clone(),
            phone: self.phone.clone(),
            password: self.password.clone(),
        }
    }

    /// What they type to log in.
    #[must_use]
    pub fn login(&self) -> LoginInput {
        LoginInput { email: self.email.clone(), password: self.password.clone(), device_token: None }
    }

    /// What they type to log in where they have signed in before.
    #[must_use]
    pub fn login_from(&self, device_token: &DeviceToken) -> LoginInput {
        LoginInput { device_token: Some(device_token.clone()), ..self.login() }
    }
}

impl Default for Person {
    fn default() -> Self {
        Self::new()
    }
}
