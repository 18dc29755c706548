//! Everything that the emulator of Authy remembers: the phones, and through them codes and approval requests.
//! Pure: time and randomness are passed in. Invariant: one phone number has one id for ever, whoever
//! registers it.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};
use uuid::Uuid;

use super::approval::{ApprovalRequest, NotPending, Question, Verdict};
use super::device::Device;
use super::phone_number::PhoneNumber;
use super::random::Random;

/// Ids begin here: seven digits, and far from 1234, which Authy's trial callback speaks of.
const FIRST_AUTHY_ID: u64 = 1_000_001;

/// The phones and the counts of the application.
#[derive(Default, Deserialize)]
#[serde(from = "Remembered")]
pub(super) struct State {
    devices: BTreeMap<u64, Device>,
    ids_by_phone: HashMap<PhoneNumber, u64>,
    ids_by_request: HashMap<Uuid, u64>,
    pub(super) tally: Tally,
}

/// What the application did so far, for `app/stats`.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct Tally {
    pub(super) sms: u64,
    pub(super) calls: u64,
    pub(super) codes_checked: u64,
}

/// The state as it is written: what the indices can be made from.
#[derive(Deserialize)]
struct Remembered {
    devices: Vec<Device>,
    tally: Tally,
}

/// When something happens, and the randomness at hand.
#[derive(Clone, Copy)]
pub(super) struct Moment<'a> {
    pub(super) now: DateTime<Utc>,
    pub(super) random: &'a Random,
    /// Whether a phone that Authy sees for the first time has the app.
    pub(super) onetouch_by_default: bool,
}

/// Why a finger could not answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum AnswerError {
    Unknown,
    NotPending,
}

impl State {
    /// Registers a phone, or finds it again, and attaches the e-mail.
    pub(super) fn enrol(&mut self, phone: PhoneNumber, email: &str, moment: Moment<'_>) -> u64 {
        let next = self.devices.last_key_value().map_or(FIRST_AUTHY_ID, |(last, _)| last + 1);
        let authy_id = *self.ids_by_phone.entry(phone.clone()).or_insert(next);
        let device = self.devices.entry(authy_id).or_insert_with(|| {
            let mut device = Device::new(authy_id, phone, moment.now, moment.random);
            device.set_onetouch(moment.onetouch_by_default);
            device
        });
        device.enrolled = true;
        if !device.emails.iter().any(|known| known == email) {
            device.emails.push(email.to_owned());
        }
        authy_id
    }

    /// A phone, whether the application still knows its user or not.
    pub(super) fn device(&self, authy_id: u64) -> Option<&Device> {
        self.devices.get(&authy_id)
    }

    pub(super) fn device_mut(&mut self, authy_id: u64) -> Option<&mut Device> {
        self.devices.get_mut(&authy_id)
    }

    /// The phones of the application's users, by id.
    pub(super) fn enrolled_devices(&self) -> impl Iterator<Item = &Device> {
        self.devices.values().filter(|device| device.enrolled)
    }

    /// Puts an approval request on a phone; nothing when there is no such phone.
    pub(super) fn push(&mut self, authy_id: u64, question: Question, moment: Moment<'_>) -> Option<Uuid> {
        let device = self.devices.get_mut(&authy_id)?;
        let uuid = moment.random.uuid(moment.now);
        let request = ApprovalRequest::new(uuid, moment.random.hexadecimal::<12>(), question, moment.now);
        if let Some(oldest) = device.receive_approval_request(request) {
            self.ids_by_request.remove(&oldest.uuid);
        }
        self.ids_by_request.insert(uuid, authy_id);
        Some(uuid)
    }

    /// An approval request and the phone that it is on.
    pub(super) fn approval_request(&self, uuid: Uuid) -> Option<(&Device, &ApprovalRequest)> {
        let device = self.devices.get(self.ids_by_request.get(&uuid)?)?;
        Some((device, device.approval_request(uuid)?))
    }

    /// What a finger does on a phone.
    pub(super) fn answer(
        &mut self,
        uuid: Uuid,
        verdict: Verdict,
        now: DateTime<Utc>,
    ) -> Result<(&Device, &ApprovalRequest), AnswerError> {
        let authy_id = self.ids_by_request.get(&uuid).ok_or(AnswerError::Unknown)?;
        let device = self.devices.get_mut(authy_id).ok_or(AnswerError::Unknown)?;
        let request = device.approval_request_mut(uuid).ok_or(AnswerError::Unknown)?;
        request.answer(verdict, now).map_err(|NotPending| AnswerError::NotPending)?;
        self.approval_request(uuid).ok_or(AnswerError::Unknown)
    }
}

impl From<Remembered> for State {
    fn from(remembered: Remembered) -> Self {
        let mut state = Self { tally: remembered.tally, ..Self::default() };
        for device in remembered.devices {
            state.ids_by_phone.insert(device.phone.clone(), device.authy_id);
            state
                .ids_by_request
                .extend(device.approval_requests().map(|request| (request.uuid, device.authy_id)));
            state.devices.insert(device.authy_id, device);
        }
        state
    }
}

impl Serialize for State {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let devices: Vec<&Device> = self.devices.values().collect();
        let mut remembered = serializer.serialize_struct("Remembered", 2)?;
        remembered.serialize_field("devices", &devices)?;
        remembered.serialize_field("tally", &self.tally)?;
        remembered.end()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn moment(random: &Random) -> Moment<'_> {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        Moment { now, random, onetouch_by_default: true }
    }

    fn phone(digits: &str) -> PhoneNumber {
        PhoneNumber::new(1, digits.to_owned())
    }

    fn question() -> Question {
        Question {
            message: "Log in?".to_owned(),
            details: Value::Null,
            hidden_details: Value::Null,
            logos: Value::Null,
            seconds_to_expire: 120,
        }
    }

    #[test]
    fn one_phone_has_one_id_and_collects_emails() {
        let random = Random::from_system().unwrap();
        let mut state = State::default();
        let first = state.enrol(phone("4053425699"), "a@b.com", moment(&random));
        let second = state.enrol(phone("4053425699"), "c@d.com", moment(&random));
        let other = state.enrol(phone("4053425700"), "a@b.com", moment(&random));
        assert_eq!((first, second, other), (1_000_001, 1_000_001, 1_000_002));
        assert_eq!(state.device(first).unwrap().emails, ["a@b.com", "c@d.com"]);
    }

    #[test]
    fn a_finger_answers_once() {
        let random = Random::from_system().unwrap();
        let mut state = State::default();
        let id = state.enrol(phone("4053425699"), "a@b.com", moment(&random));
        let uuid = state.push(id, question(), moment(&random)).unwrap();
        let now = moment(&random).now;
        assert!(state.answer(uuid, Verdict::Approved, now).is_ok());
        assert_eq!(state.answer(uuid, Verdict::Denied, now).err(), Some(AnswerError::NotPending));
        assert_eq!(state.answer(Uuid::nil(), Verdict::Denied, now).err(), Some(AnswerError::Unknown));
    }

    #[test]
    fn a_phone_keeps_its_newest_hundred_requests() {
        let random = Random::from_system().unwrap();
        let mut state = State::default();
        let id = state.enrol(phone("4053425699"), "a@b.com", moment(&random));
        let uuids: Vec<Uuid> =
            (0..101).map(|_| state.push(id, question(), moment(&random)).unwrap()).collect();
        assert!(state.approval_request(uuids[0]).is_none());
        assert!(state.approval_request(uuids[1]).is_some());
        assert_eq!(state.device(id).unwrap().approval_requests().count(), 100);
        assert_eq!(state.ids_by_request.len(), 100);
    }

    #[test]
    fn the_state_survives_being_written_and_read() {
        let random = Random::from_system().unwrap();
        let mut state = State::default();
        let id = state.enrol(phone("4053425699"), "a@b.com", moment(&random));
        let uuid = state.push(id, question(), moment(&random)).unwrap();
        let text = serde_json::to_string(&state).unwrap();
        let mut read: State = serde_json::from_str(&text).unwrap();
        assert!(read.approval_request(uuid).is_some());
        assert_eq!(read.enrol(phone("4053425699"), "a@b.com", moment(&random)), id);
        assert_eq!(read.enrol(phone("4053425700"), "a@b.com", moment(&random)), id + 1);
    }
}
