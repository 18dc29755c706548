use uuid::Uuid;

use super::*;
use crate::model::UndeliveredSession;

const APPROVED: Decision = Decision::Verdict(Verdict::Approved);
const DENIED: Decision = Decision::Verdict(Verdict::Denied);
const SETTINGS: [AfterDenial; 3] = [AfterDenial::KnownDevice, AfterDenial::Code, AfterDenial::Final];

/// A pending login from an unknown device, whose push is out.
fn login() -> Approval {
    Approval {
        id: ApprovalId::new(Uuid::nil()),
        purpose: Purpose::Login,
        state: ApprovalState::Pending,
        next_step: ApprovalStep::ApproveOnPhone,
        failure: None,
        sequence: 1,
        user_id: None,
        security_version: None,
        phone: Phone::from_e164("+12015550123").unwrap(),
        device_id: None,
        network: None,
        push_slot: None,
        readable_until: None,
        match_number: Some("42".to_owned()),
        push: None,
        push_handle: None,
        code: None,
        verdict: None,
        code_channel: None,
        tries_taken: 0,
        wrong_codes: 0,
        resend_available_at: DateTime::UNIX_EPOCH,
        poll_count: 0,
        next_poll_at: None,
        created_at: DateTime::UNIX_EPOCH,
        expires_at: DateTime::UNIX_EPOCH,
        settled_at: None,
    }
}

fn from_known_device() -> Approval {
    Approval { device_id: Some(DeviceId::new(Uuid::nil())), ..login() }
}

/// The login as a denial leaves it that a code may follow, and with the code that was asked for since.
fn denied(code_channel: Option<CodeChannel>) -> Approval {
    Approval {
        state: ApprovalState::Denied,
        verdict: Some(Verdict::Denied),
        next_step: ApprovalStep::EnterCode,
        code_channel,
        ..from_known_device()
    }
}

fn settles(state: ApprovalState, failure: Option<ApprovalFailure>) -> Effect {
    Effect::Settle { state, failure }
}

#[test]
fn a_code_may_follow_a_denial_on_a_known_device_only_unless_set_otherwise() {
    let may_follow = |login: &Approval| {
        SETTINGS.map(|after_denial| match DENIED.effect(login, after_denial) {
            Effect::Settle { state: ApprovalState::Denied, failure: None } => true,
            Effect::Settle { state: ApprovalState::Failed, failure: Some(ApprovalFailure::Denied) } => false,
            other => panic!("{other:?}"),
        })
    };
    assert_eq!(may_follow(&from_known_device()), [true, true, false]);
    assert_eq!(may_follow(&login()), [false, true, false]);
    for purpose in [Purpose::Signup, Purpose::Confirm] {
        let approval = Approval { purpose, ..from_known_device() };
        assert_eq!(may_follow(&approval), [false, false, false], "{purpose:?}");
    }
}

#[test]
fn after_a_denial_only_a_code_that_was_asked_for_since_approves() {
    for after_denial in SETTINGS {
        let effect = |decision: Decision, login: &Approval| decision.effect(login, after_denial);
        for channel in [CodeChannel::Sms, CodeChannel::App, CodeChannel::Voice] {
            let login = denied(Some(channel));
            assert!(!login.needs_new_code());
            assert_eq!(login.right_code(), Decision::RightCodeAfterDenial);
            assert_eq!(
                effect(Decision::RightCodeAfterDenial, &login),
                settles(ApprovalState::Approved, None)
            );
            // It was typed before the denial, which was faster.
            assert_eq!(effect(Decision::RightCode, &login), Effect::Ignore);
            assert_eq!(effect(APPROVED, &login), Effect::Ignore);
        }
        let login = denied(None);
        assert!(login.needs_new_code());
        for decision in [Decision::RightCode, Decision::RightCodeAfterDenial] {
            assert_eq!(effect(decision, &login), Effect::Ignore, "{decision:?}");
        }
    }
}

#[test]
fn before_a_denial_any_right_code_approves() {
    for code_channel in [None, Some(CodeChannel::Sms)] {
        let login = Approval { code_channel, ..login() };
        assert!(!login.needs_new_code());
        let effect = login.right_code().effect(&login, AfterDenial::KnownDevice);
        assert_eq!(effect, settles(ApprovalState::Approved, None));
    }
}

#[test]
fn a_first_denial_ends_the_session_that_a_code_opened_and_no_other() {
    let approved = |verdict| Approval { state: ApprovalState::Approved, verdict, ..login() };
    let effect = |verdict| DENIED.effect(&approved(verdict), AfterDenial::KnownDevice);
    assert_eq!(effect(None), Effect::EndSession);
    // The push approved it, or was answered after the code.
    assert_eq!(effect(Some(Verdict::Approved)), Effect::Ignore);
    assert_eq!(effect(Some(Verdict::Denied)), Effect::Ignore);
    let expired = Approval { state: ApprovalState::Expired, ..login() };
    assert_eq!(DENIED.effect(&expired, AfterDenial::KnownDevice), Effect::Record);
}

#[test]
fn a_denied_confirmation_ends_the_session_that_asked() {
    for (purpose, ends) in [(Purpose::Signup, false), (Purpose::Login, false), (Purpose::Confirm, true)] {
        let approval = Approval { purpose, ..login() };
        let effect = DENIED.effect(&approval, AfterDenial::Final);
        assert_eq!(effect, Effect::fail(ApprovalFailure::Denied));
        assert_eq!(effect.ends_session(purpose), ends, "{purpose:?}");
        // After a code approved it, for every purpose.
        let approved = Approval { state: ApprovalState::Approved, ..approval };
        assert!(DENIED.effect(&approved, AfterDenial::Final).ends_session(purpose), "{purpose:?}");
    }
}

#[test]
fn nothing_leaves_a_terminal_state() {
    let all = [
        APPROVED,
        DENIED,
        Decision::RightCode,
        Decision::RightCodeAfterDenial,
        Decision::TooManyWrongCodes,
        Decision::Cancelled,
        Decision::Deadline,
    ];
    for state in [ApprovalState::Approved, ApprovalState::Expired, ApprovalState::Failed] {
        for verdict in [None, Some(Verdict::Approved), Some(Verdict::Denied)] {
            for decision in all {
                let login = Approval { state, verdict, ..from_known_device() };
                let effect = decision.effect(&login, AfterDenial::Code);
                assert!(!matches!(effect, Effect::Settle { .. }), "{decision:?} after {state:?}");
            }
        }
    }
}

#[test]
fn a_session_is_undelivered_until_a_delivery_moves_the_end_of_reading() {
    let minutes = |minutes| DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes);
    // The end, and until when its token is known without a delivery.
    for (end, until) in [(1, 10), (8, 10), (9, 11), (10, 12)] {
        assert_eq!(readable_until(minutes(10), minutes(end)), minutes(until));
        let login = Approval {
            expires_at: minutes(10),
            settled_at: Some(minutes(end)),
            readable_until: Some(minutes(until)),
            ..login()
        };
        let undelivered = UndeliveredSession { login: login.id, readable_until: minutes(until) };
        assert_eq!(login.undelivered_session(), Some(undelivered));
        // Sooner than without one, or later where it was delivered late.
        for delivered in [minutes(end), minutes(until) - TimeDelta::seconds(1)] {
            let after = UndeliveredSession::readable_until_after(delivered);
            assert_eq!(after, delivered + TimeDelta::seconds(120));
            if after != minutes(until) {
                let delivered = Approval { readable_until: Some(after), ..login.clone() };
                assert_eq!(delivered.undelivered_session(), None);
            }
        }
    }
    assert_eq!(login().undelivered_session(), None, "it has not ended");
}

#[test]
fn words_read_back() {
    for state in [ApprovalState::Pending, ApprovalState::Failed] {
        assert_eq!(ApprovalState::parse(state.as_str()), Some(state));
    }
    assert_eq!(ApprovalState::parse("pending"), None);
}
