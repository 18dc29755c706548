//! What things are: the values and states that everything else speaks of.
//!
//! Nothing here does anything: no input or output, no async, no knowledge of the database, the schema or the provider.
//! Each type has private fields and one way in from the outside, so that whoever holds a value need not check it again.
//! No `Debug` here shows what a person typed.

mod account_event;
mod approval;
mod budget;
mod code;
mod country_code;
mod duration;
mod email;
mod email_key;
mod full_name;
mod guessing;
mod id;
mod numbering;
mod password;
mod phone;
mod provider;
mod purpose;
mod session;
mod text;
mod token;
mod unavailable;
mod user;
mod words;

pub use account_event::{AccountEvent, EventKind, events_of};
pub use approval::{
    AfterDenial, Approval, ApprovalFailure, ApprovalState, ApprovalStep, CodeChannel, Decision,
    DeliveryMethod, Effect, Settler, Verdict, readable_until,
};
pub use budget::{Budget, BudgetKey, Growth, Rate, Terms};
pub use code::{Code, InvalidCode};
pub use country_code::{CountryCode, InvalidCountryCode};
pub use duration::{parse_duration, parse_duration_or_none, parse_short_duration};
pub use email::{Email, InvalidEmail};
pub use email_key::{EmailKey, EmailPseudonym};
pub use full_name::{FullName, InvalidFullName};
pub use guessing::FamiliarWords;
pub use id::{ApprovalId, DeviceId, EventId, SessionId, UserId};
pub use password::{InvalidPassword, Password};
pub use phone::{InvalidPhone, Phone};
pub use provider::{CodeHandle, CodeSource, ProviderUserId, PushHandle, PushRecipient, UsedCode};
pub use purpose::{Method, OnApproved, Purpose, SensitiveOperation};
pub use session::{ActiveSession, Session, SessionGrant, UndeliveredSession};
pub use token::{DeviceToken, LoginToken, NotAToken, SessionSalt, SessionToken, TokenHash};
pub use unavailable::Unavailable;
pub use user::{Credentials, PasswordHash, PendingSignup, User};
