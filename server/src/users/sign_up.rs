//! From what a person typed to a pending signup, or to everything that is wrong with it, all at once.

use std::{net::IpAddr, time::Duration};

use super::{Client, PasswordError, Users};
use crate::{
    limits::{Grant, LimitError},
    model::{CountryCode, Email, FamiliarWords, FullName, InvalidPassword, Password, PendingSignup, Phone},
    storage::StoreError,
};

/// What a person typed. It has no `Debug`: it holds a password.
pub struct SignupForm<'a> {
    /// What they call themselves.
    pub full_name: &'a str,
    /// Their email.
    pub email: &'a str,
    /// The calling code of their phone.
    pub country_code: &'a str,
    /// Their phone, as one writes it in that country.
    pub phone: &'a str,
    /// Their password.
    pub password: &'a str,
    /// The client's address, where it is known.
    pub from: Option<IpAddr>,
}

/// What is wrong with one field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldFault {
    /// The name is empty, too long or holds what no name holds.
    Name,
    /// This is no email address.
    Email,
    /// There is no such calling code.
    CountryCode,
    /// Phones of this calling code are not served here.
    CountryNotServed,
    /// This is no phone number of that country.
    Phone,
    /// The password breaks a rule of its form.
    Password(InvalidPassword),
}

/// Why there is no pending signup.
#[derive(Debug, thiserror::Error)]
pub enum SignupRejection {
    /// These fields, in the order of the form.
    #[error("{} fields are wrong", .0.len())]
    Invalid(Vec<FieldFault>),
    /// There were too many.
    #[error("too many signups")]
    TooOften {
        /// From when on another is taken.
        retry_after: Duration,
    },
    /// Storage.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Passwords, or the threads that hash them.
    #[error(transparent)]
    Password(#[from] PasswordError),
}

/// A signup whose login can begin.
#[derive(Debug)]
pub struct PreparedSignup {
    /// What becomes a user when the phone is proven.
    pub signup: PendingSignup,
    /// What it took.
    grant: Grant,
}

impl From<LimitError> for SignupRejection {
    fn from(error: LimitError) -> Self {
        match error {
            LimitError::UsedUp { retry_after } => Self::TooOften { retry_after },
            LimitError::Store(error) => Self::Store(error),
        }
    }
}

impl Users {
    /// Checks what a person typed and hashes the password. Nothing is stored, and nobody is told whether the email is
    /// taken: that is for whoever proves the phone.
    ///
    /// A form with a fault that is cheap to find costs no thread: a common password is reported once the rest is right. Everything
    /// that uses a thread is charged to the client's network first.
    pub async fn prepare_signup(&self, form: &SignupForm<'_>) -> Result<PreparedSignup, SignupRejection> {
        let (full_name, email, phone) = self.check_form(form)?;
        self.limits.take_signup_attempt(form.from).await?;
        let client = Client::stranger(form.from);
        let familiar = FamiliarWords::of([
            form.email,
            form.full_name,
            form.phone,
            phone.e164(),
            phone.national_digits(),
        ]);
        let password = match self.passwords.parse(form.password, familiar, &client).await? {
            Ok(password) => password,
            Err(fault) => return Err(SignupRejection::Invalid(vec![FieldFault::Password(fault)])),
        };
        let grant = self.limits.take_signup(&phone, form.from).await?;
        match self.passwords.hash(password, &client).await {
            Ok(password_hash) => {
                let signup = PendingSignup { full_name, email, phone, password_hash };
                Ok(PreparedSignup { signup, grant })
            }
            Err(error) => {
                self.limits.give_back(grant).await;
                Err(error.into())
            }
        }
    }

    /// Parses the fields, and finds every fault but a common password: the work of microseconds.
    fn check_form(&self, form: &SignupForm<'_>) -> Result<(FullName, Email, Phone), SignupRejection> {
        let full_name = FullName::parse(form.full_name).map_err(|_| FieldFault::Name);
        let email = Email::parse(form.email).map_err(|_| FieldFault::Email);
        let phone = form.phone().and_then(|phone| {
            if self.limits.serves(&phone) { Ok(phone) } else { Err(FieldFault::CountryNotServed) }
        });
        let password = Password::check_form(form.password).map_err(FieldFault::Password);
        match (full_name, email, phone, password) {
            (Ok(full_name), Ok(email), Ok(phone), Ok(())) => Ok((full_name, email, phone)),
            (full_name, email, phone, password) => {
                let faults = [full_name.err(), email.err(), phone.err(), password.err()];
                Err(SignupRejection::Invalid(faults.into_iter().flatten().collect()))
            }
        }
    }
}

impl Users {
    /// Forgets a signup whose login did not begin, through no fault of whoever signed up.
    pub async fn withdraw_signup(&self, prepared: PreparedSignup) {
        self.limits.give_back(prepared.grant).await;
    }
}

impl SignupForm<'_> {
    /// Without a country there is no saying whether the phone is one: one fault of the two is told.
    fn phone(&self) -> Result<Phone, FieldFault> {
        let country_code = CountryCode::parse(self.country_code).map_err(|_| FieldFault::CountryCode)?;
        Phone::parse(&country_code, self.phone).map_err(|_| FieldFault::Phone)
    }
}
