//! The finger on the sandbox's phone, and the sandbox's other levers: faults, callbacks, clock. For demos and tests;
//! nothing here exists where a real provider runs the second factor. It keeps nothing: each call asks anew.

mod device;
mod faults;

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, Utc};
use countersign_client::{Address, ClientError, Misfit, http_client};
use reqwest::{Method, StatusCode};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::json;
use url::Url;

pub use self::{
    device::{ApprovalRequest, Device, DeviceSummary, Message, MessageChannel},
    faults::{ApiFault, ApiFaultKind, CallbackFaults, FaultTime, Faults},
};

/// The sandbox's phone API.
#[derive(Clone, Debug)]
pub struct Phone {
    http: reqwest::Client,
    address: Address,
}

/// Why the phone did not do what it was told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PhoneError {
    /// The sandbox could not be asked, or gave no answer that can be used.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The sandbox refused, with this HTTP status and this reason.
    #[error("the sandbox refused: {complaint} (HTTP status {status})")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The reason, in English.
        complaint: String,
    },
}

impl PhoneError {
    fn has_status(&self, expected: StatusCode) -> bool {
        matches!(self, Self::Refused { status, .. } if *status == expected.as_u16())
    }
}

/// How the sandbox calls back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum CallbackMethod {
    /// With a JSON body.
    Post,
    /// With a query.
    Get,
}

/// Where the sandbox calls back, and what came of it.
#[derive(Clone, Debug, Deserialize)]
pub struct CallbackReport {
    /// Where to, if anywhere.
    pub url: Option<String>,
    /// How.
    pub method: CallbackMethod,
    /// The newest callbacks, in the order in which they were sent.
    #[serde(default)]
    pub deliveries: Vec<Delivery>,
}

/// One callback that was sent.
#[derive(Clone, Debug, Deserialize)]
pub struct Delivery {
    /// The approval request it was about.
    pub uuid: String,
    /// The HTTP status it was answered with, if it was.
    pub status: Option<u16>,
    /// When, by the sandbox's clock.
    pub at: DateTime<Utc>,
}

/// What was asked of the sandbox since its start, or since the calls were forgotten.
#[derive(Clone, Debug, Deserialize)]
pub struct Calls {
    /// The newest calls, without tokens and keys.
    pub calls: Vec<Call>,
    /// How often each endpoint was asked, by names such as `verify` or `users/new`.
    pub counts: BTreeMap<String, u64>,
}

impl Calls {
    /// How often an endpoint was asked.
    #[must_use]
    pub fn count(&self, endpoint: &str) -> u64 {
        self.counts.get(endpoint).copied().unwrap_or_default()
    }
}

/// One call of the provider's API.
#[derive(Clone, Debug, Deserialize)]
pub struct Call {
    /// The path, without tokens.
    pub path: String,
    /// The HTTP status of the answer; none while it is not answered.
    pub status: Option<u16>,
}

#[derive(Deserialize)]
struct DeviceList {
    devices: Vec<DeviceSummary>,
}

#[derive(Deserialize)]
struct Now {
    now: DateTime<Utc>,
}

#[derive(Deserialize)]
struct Trial {
    status: Option<u16>,
}

#[derive(Deserialize)]
struct Complaint {
    error: String,
}

impl Phone {
    /// The phones of the sandbox at a base address such as `http://127.0.0.1:3001`. Needs a crypto provider as
    /// [`Client::new`](countersign_client::Client::new) does.
    pub fn new(address: &str) -> Result<Self, PhoneError> {
        let address: Address = address.parse().map_err(ClientError::from)?;
        let http = http_client(&address)?;
        Ok(Self { http, address })
    }

    /// Every phone that is registered.
    pub async fn devices(&self) -> Result<Vec<DeviceSummary>, PhoneError> {
        Ok(self.read::<DeviceList>("phone/devices").await?.devices)
    }

    /// What one phone shows.
    pub async fn device(&self, authy_id: u64) -> Result<Option<Device>, PhoneError> {
        match self.read(&format!("phone/devices/{authy_id}")).await {
            Ok(device) => Ok(Some(device)),
            Err(error) if error.has_status(StatusCode::NOT_FOUND) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The phone registered last with this email.
    pub async fn find_by_email(&self, email: &str) -> Result<Option<Device>, PhoneError> {
        let devices = self.devices().await?;
        let newest =
            devices.iter().filter(|device| device.has_email(email)).map(|device| device.authy_id).max();
        match newest {
            Some(authy_id) => self.device(authy_id).await,
            None => Ok(None),
        }
    }

    /// Approves a push. The callback follows by itself.
    pub async fn approve(&self, uuid: &str) -> Result<ApprovalRequest, PhoneError> {
        self.answer(uuid, "approved").await
    }

    /// Denies a push. The callback follows by itself.
    pub async fn deny(&self, uuid: &str) -> Result<ApprovalRequest, PhoneError> {
        self.answer(uuid, "denied").await
    }

    async fn answer(&self, uuid: &str, status: &str) -> Result<ApprovalRequest, PhoneError> {
        let path = format!("phone/approval_requests/{uuid}");
        self.write(Method::POST, &path, &json!({ "status": status })).await
    }

    /// Installs the app on a phone or removes it: without it no push can be sent.
    pub async fn set_onetouch(&self, authy_id: u64, onetouch: bool) -> Result<Device, PhoneError> {
        let path = format!("phone/devices/{authy_id}");
        self.write(Method::PATCH, &path, &json!({ "onetouch": onetouch })).await
    }

    /// Whether phones that are registered from now on have the app.
    pub async fn set_default_onetouch(&self, onetouch: bool) -> Result<(), PhoneError> {
        self.tell(Method::PUT, "phone/defaults", Some(&json!({ "onetouch": onetouch }))).await
    }

    /// Where the sandbox calls back, and the newest callbacks.
    pub async fn callback(&self) -> Result<CallbackReport, PhoneError> {
        self.read("phone/callback").await
    }

    /// Sets where and how to call back; no address is nowhere.
    pub async fn set_callback(&self, url: Option<&str>, method: CallbackMethod) -> Result<(), PhoneError> {
        self.tell(Method::PUT, "phone/callback", Some(&json!({ "url": url, "method": method }))).await
    }

    /// Sends the trial callback, as entering its address at the provider does. Returns the HTTP status that came
    /// back, if one did.
    pub async fn send_trial_callback(&self) -> Result<Option<u16>, PhoneError> {
        let trial: Trial = self.write(Method::POST, "phone/callback/trial", &json!({})).await?;
        Ok(trial.status)
    }

    /// Lets things go wrong from now on, in place of what went wrong before.
    pub async fn set_faults(&self, faults: &Faults) -> Result<(), PhoneError> {
        self.tell(Method::PUT, "phone/faults", Some(faults)).await
    }

    /// Lets things go well again.
    pub async fn clear_faults(&self) -> Result<(), PhoneError> {
        self.tell(Method::DELETE, "phone/faults", None::<&()>).await
    }

    /// What was asked of the provider's API.
    pub async fn calls(&self) -> Result<Calls, PhoneError> {
        self.read("phone/calls").await
    }

    /// Counts calls from nothing again.
    pub async fn forget_calls(&self) -> Result<(), PhoneError> {
        self.tell(Method::DELETE, "phone/calls", None::<&()>).await
    }

    /// The time by the sandbox's clock.
    pub async fn clock(&self) -> Result<DateTime<Utc>, PhoneError> {
        Ok(self.read::<Now>("phone/clock").await?.now)
    }

    /// Moves the clock of sandbox and service, by whole seconds; in `dev` only. Returns the new time.
    pub async fn advance_clock(&self, by: Duration) -> Result<DateTime<Utc>, PhoneError> {
        let body = json!({ "advanceSeconds": by.as_secs() });
        Ok(self.write::<Now>(Method::PUT, "phone/clock", &body).await?.now)
    }

    async fn read<Answer: DeserializeOwned>(&self, path: &str) -> Result<Answer, PhoneError> {
        let body = self.send(Method::GET, self.address.join(path), None::<&()>).await?;
        parse(&body)
    }

    async fn write<Answer: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<Answer, PhoneError> {
        let body = self.send(method, self.address.join(path), Some(body)).await?;
        parse(&body)
    }

    async fn tell(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<(), PhoneError> {
        self.send(method, self.address.join(path), body).await.map(drop)
    }

    async fn send(
        &self,
        method: Method,
        url: Url,
        body: Option<&impl Serialize>,
    ) -> Result<Vec<u8>, PhoneError> {
        let mut request = self.http.request(method, url);
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(ClientError::from)?;
        let status = response.status();
        let body = response.bytes().await.map_err(ClientError::from)?;
        if status.is_success() {
            return Ok(body.to_vec());
        }
        let complaint = serde_json::from_slice::<Complaint>(&body)
            .map_or_else(|_| "no reason given".to_owned(), |complaint| complaint.error);
        Err(PhoneError::Refused { status: status.as_u16(), complaint })
    }
}

fn parse<Answer: DeserializeOwned>(body: &[u8]) -> Result<Answer, PhoneError> {
    serde_json::from_slice(body).map_err(|error| ClientError::Malformed(Misfit::from(&error)).into())
}
