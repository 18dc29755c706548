//! The typed client of Countersign: sign up, log in, and follow a login until the phone has answered.
//!
//! Begin with [`Client`]. What the service refuses is data in each reply; what goes wrong on the way is a
//! [`ClientError`] or a [`WatchError`]. [`phone`] is not part of the service: it is the finger on the sandbox's
//! phone, for demos and tests. Installing a crypto provider of rustls is the program's affair.

mod address;
mod backoff;
mod client;
mod error;
mod login;
mod open_enum;
mod operations;
pub mod phone;
pub mod random;
mod reply;
mod socket;
mod token;
mod watch;

pub use address::Address;
pub use client::{Client, ClientBuilder};
pub use error::{AddressError, ClientError, GraphqlError, Misfit, TokenWithheld};
pub use login::{
    CodeChannel, LoginFailure, LoginPurpose, LoginState, LoginStatus, LoginStep, Outcome, Session, User,
};
pub use reply::{
    BeginReply, Begun, LoginError, LoginErrorCode, LoginInput, LoginReply, PayloadError, Refused,
    ResendTokenError, ResendTokenErrorCode, ResendTokenReply, SignupError, SignupErrorCode, SignupInput,
    SignupReply, StatusReply, VerifyTokenError, VerifyTokenErrorCode, VerifyTokenReply,
};
pub use token::{DeviceToken, LoginToken, SessionToken};
pub use watch::{Interruption, Watch, WatchError};
