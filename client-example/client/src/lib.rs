// The README is the documentation of the crate, so that its example is compiled. Start with `Client`.
#![doc = include_str!("../README.md")]

mod address;
mod backoff;
mod client;
mod error;
mod login;
mod open_enum;
mod operations;
pub mod random;
mod reply;
mod session;
mod socket;
mod token;
mod watch;

pub use address::Address;
pub use client::{Client, ClientBuilder, http_client};
pub use error::{AddressError, ClientError, GraphqlError, Misfit, TokenWithheld};
pub use login::{
    CodeChannel, LoginFailure, LoginPurpose, LoginState, LoginStatus, LoginStep, Outcome, Session, User,
};
pub use reply::{
    BeginReply, Begun, LoginError, LoginErrorCode, LoginInput, LoginReply, PayloadError, Refused,
    ResendTokenError, ResendTokenErrorCode, ResendTokenReply, SignupError, SignupErrorCode, SignupInput,
    SignupReply, StatusReply, VerifyTokenError, VerifyTokenErrorCode, VerifyTokenReply,
};
pub use session::{
    ActiveSession, ChangePasswordErrorCode, ChangePasswordReply, ConfirmErrorCode, ConfirmReply,
    EndOtherSessionsErrorCode, EndOtherSessionsReply, EndSessionErrorCode, EndSessionReply, EndedReply,
    SensitiveOperation,
};
pub use token::{DeviceToken, LoginToken, SessionToken};
pub use watch::{Interruption, Watch, WatchError};
