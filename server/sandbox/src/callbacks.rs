//! Authy's callbacks: what is told when a finger answered, how it is signed, and where it went. As at Authy
//! an expiry is not told, and nothing is sent again by itself. Invariant: what is signed is exactly what is
//! sent.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, SecondsFormat, Utc};
use reqwest::Url;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::approval::{ApprovalRequest, Question, Verdict};
use super::authy::approvals::APP_ID;
use super::authy::users::device_id;
use super::device::Device;
use super::emulator::Emulator;
use super::faults::CallbackFaults;
use super::phone_number::PhoneNumber;
use super::random::Random;
use super::signature::{Signed, to_query};
use super::state::Moment;

/// The user that Authy's trial callback speaks of; no user has this id.
const TRIAL_AUTHY_ID: u64 = 1234;
/// The number that the application has as Twilio's customer.
const CUSTOMER: u32 = 15_083;
const TIMEOUT: Duration = Duration::from_secs(5);
const MAXIMAL_DELIVERIES: usize = 50;

/// Where callbacks go, and where they went.
pub(super) struct Callbacks {
    client: reqwest::Client,
    target: Mutex<Target>,
    deliveries: Mutex<VecDeque<Delivery>>,
}

/// Where and how to call back.
#[derive(Clone, Serialize)]
pub(super) struct Target {
    pub(super) url: Option<String>,
    pub(super) method: CallbackMethod,
}

/// How a callback is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum CallbackMethod {
    /// The body is JSON.
    #[default]
    Post,
    /// The same members as a query.
    Get,
}

/// One callback that was sent.
#[derive(Clone, Serialize)]
struct Delivery {
    uuid: Uuid,
    /// What the other side answered; nothing where it did not.
    status: Option<u16>,
    at: String,
}

/// A callback before it is signed.
pub(super) struct Callback {
    uuid: Uuid,
    body: Value,
}

impl Callbacks {
    pub(super) fn new(url: Option<String>) -> Result<Self, reqwest::Error> {
        let redirects = reqwest::redirect::Policy::none();
        let client = reqwest::Client::builder().timeout(TIMEOUT).no_proxy().redirect(redirects).build()?;
        let target = Target { url, method: CallbackMethod::default() };
        Ok(Self { client, target: Mutex::new(target), deliveries: Mutex::default() })
    }

    pub(super) fn target(&self) -> Target {
        lock(&self.target).clone()
    }

    pub(super) fn set_target(&self, target: Target) {
        *lock(&self.target) = target;
    }

    /// The newest deliveries, newest last.
    pub(super) fn deliveries(&self) -> Value {
        json!(*lock(&self.deliveries))
    }

    fn note(&self, delivery: Delivery) {
        let mut deliveries = lock(&self.deliveries);
        if deliveries.len() == MAXIMAL_DELIVERIES {
            deliveries.pop_front();
        }
        deliveries.push_back(delivery);
    }
}

/// Whether text is a URL that can be called back.
pub(super) fn is_callback_url(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

/// Sends a callback some time later, with the faults in force now. Nobody waits for it.
pub(super) fn send_soon(emulator: &Arc<Emulator>, callback: Callback) {
    let Some(faults) = emulator.faults.for_next_callback() else {
        return;
    };
    let target = emulator.callbacks.target();
    let sending = Arc::clone(emulator);
    let sending = async move {
        tokio::time::sleep(Duration::from_millis(faults.delay_ms)).await;
        for _ in 0..=faults.repeat {
            send(&sending, &target, &callback, &faults).await;
        }
    };
    emulator.tasks.spawn(emulator.shutdown.clone().run_until_cancelled_owned(sending));
}

/// Sends Authy's trial callback now. Returns the status that came back; nothing where none did, or where no
/// URL is set.
pub(super) async fn send_trial(emulator: &Emulator) -> Option<u16> {
    let callback = Callback::trial(emulator.moment());
    send(emulator, &emulator.callbacks.target(), &callback, &CallbackFaults::default()).await
}

async fn send(
    emulator: &Emulator,
    target: &Target,
    callback: &Callback,
    faults: &CallbackFaults,
) -> Option<u16> {
    let url = target.url.as_deref()?;
    let now = emulator.clock.now();
    let nonce = now.timestamp().to_string();
    let mut key = emulator.api_key.clone();
    if faults.forge {
        key.push_str(" forged");
    }
    let parameters = to_query(&callback.body);
    let client = &emulator.callbacks.client;
    let (request, method, parameters) = match target.method {
        CallbackMethod::Post => (client.post(url).json(&callback.body), "POST", parameters),
        CallbackMethod::Get => {
            let query = match url.split_once('?') {
                Some((_, own)) => format!("{own}&{parameters}"),
                None => parameters,
            };
            let base = url.split('?').next().unwrap_or(url);
            (client.get(format!("{base}?{query}")), "GET", query)
        }
    };
    let signature = Signed { nonce: &nonce, method, url, parameters: &parameters }.sign(&key);
    let request = request.header("X-Authy-Signature", signature).header("X-Authy-Signature-Nonce", &nonce);
    let status = request.send().await.ok().map(|response| response.status().as_u16());
    tracing::info!(method, status, "the sandbox called back");
    let at = now.to_rfc3339_opts(SecondsFormat::Micros, true);
    emulator.callbacks.note(Delivery { uuid: callback.uuid, status, at });
    status
}

impl Callback {
    /// What Authy tells when a finger answered.
    pub(super) fn new(
        device: &Device,
        request: &ApprovalRequest,
        now: DateTime<Utc>,
        random: &Random,
    ) -> Self {
        let status = request.status(now).word();
        let transaction = json!({
            "details": request.question.details,
            "device_details": {},
            "device_geolocation": "",
            "device_signing_time": now.timestamp(),
            "encrypted": false,
            "flagged": false,
            "hidden_details": request.question.hidden_details,
            "message": request.question.message,
            "reason": "",
            "requester_details": null,
            "status": status,
            "uuid": request.uuid,
            "created_at_time": request.created_at.timestamp(),
            "customer_uuid": CUSTOMER,
        });
        let approval_request = json!({
            "transaction": transaction,
            "expiration_timestamp": request.expires_at().map_or(0, |end| end.timestamp()),
            "logos": request.question.logos,
            "app_id": APP_ID,
        });
        let body = json!({
            "authy_id": device.authy_id,
            "device_uuid": device_id(device),
            "callback_action": "approval_request_status",
            "uuid": request.uuid,
            "status": status,
            "approval_request": approval_request,
            "signature": STANDARD.encode(random.bytes::<32>()),
            "device": describe_device(device),
        });
        Self { uuid: request.uuid, body }
    }

    /// What Authy sends when a callback URL is entered in its console.
    fn trial(moment: Moment<'_>) -> Self {
        let Moment { now, random, .. } = moment;
        let device = Device::new(TRIAL_AUTHY_ID, PhoneNumber::new(1, "5550100".to_owned()), now, random);
        let question = Question {
            message: "Trial of the callback".to_owned(),
            details: Value::Null,
            hidden_details: Value::Null,
            logos: Value::Null,
            seconds_to_expire: 120,
        };
        let mut request = ApprovalRequest::new(random.uuid(now), random.hexadecimal::<12>(), question, now);
        // A new request takes any answer.
        let _ = request.answer(Verdict::Approved, now);
        Self::new(&device, &request, now, random)
    }
}

/// The device that answered, as callbacks and answered requests show it.
pub(super) fn describe_device(device: &Device) -> Value {
    let since = device.created_at.timestamp();
    json!({
        "city": null, "country": "United States", "ip": "192.0.2.10", "region": null,
        "registration_city": null,
        "registration_country": "United States", "registration_ip": "192.0.2.10",
        "registration_method": "sms",
        "registration_region": null, "os_type": "android", "last_account_recovery_at": null,
        "id": device_id(device),
        "registration_date": since, "last_sync_date": since, "enabled_unlock_methods": ["pin", "fingerprint"],
        "last_unlock_method_used": "pin", "multidevice_enabled": true, "multidevice_updated_at": since,
        "last_unlock_date": since,
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
