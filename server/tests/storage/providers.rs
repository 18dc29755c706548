//! Rows follow their provider: pushes are polled, called back and given up by the one that sent them, and a code counts once.

use countersign::model::{Code, UsedCode};

use super::*;

const OTHER: &str = "other";

/// A signup whose push another provider sent.
async fn begin_at(database: &Database, provider: &str, push: &str) -> Begun {
    let begun = database.begin_with_push(push).await;
    let to = PushRecipient { provider: provider.to_owned(), ..push_recipient() };
    let code = CodeSource { provider: provider.to_owned(), ..app_codes() };
    database.store.record_enrollment(begun.id, Some(&to), Some(&code)).await.unwrap();
    begun
}

async fn each_provider_is_polled_about_its_own_pushes(database: &Database) {
    let other = begin_at(database, OTHER, "push-1").await;
    let ours = database.begin_with_push("push-2").await;
    let claim = claim(database.now + TimeDelta::seconds(6));
    let others = PollClaim { provider: OTHER, lease: "polling other", ..claim };
    for lease in [claim.lease, others.lease] {
        database.store.ensure_turn(lease, database.now, TimeDelta::milliseconds(100)).await.unwrap();
    }
    for (claim, begun) in [(&claim, &ours), (&others, &other)] {
        let claimed = database.store.claim_polls(claim).await.unwrap();
        let ids: Vec<_> = claimed.pushes.iter().map(|(push, _)| push.id).collect();
        assert_eq!(ids, [begun.id]);
    }
    assert_eq!(database.store.next_poll("third").await.unwrap(), None);
    assert_eq!(database.store.poll_open_pushes("third", database.now, 10).await.unwrap(), 0);
}

async fn a_callback_finds_only_pushes_of_its_provider(database: &Database) {
    let begun = begin_at(database, OTHER, "push-1").await;
    let (push, user) = (PushHandle::new("push-1"), push_recipient().user);
    for (provider, found) in [(PROVIDER, None), (OTHER, Some(begun.id))] {
        let by = database.store.find_approval_of_push(provider, &push, Some(begun.id), &user).await.unwrap();
        assert_eq!(by, found, "{provider}");
    }
}

async fn a_login_of_a_provider_that_is_gone_expires_after_its_grace(database: &Database) {
    let begun = begin_at(database, "gone", "push-1").await;
    let deadline = database.now + TimeDelta::minutes(10);
    let claim = |now: DateTime<Utc>| OverdueClaim {
        now,
        unheard_before: Some(now - TimeDelta::seconds(30)),
        leased_until: now + TimeDelta::seconds(10),
        limit: 10,
    };
    let overdue = async |now| database.store.claim_overdue(&claim(now)).await.unwrap();
    assert_eq!(overdue(deadline + TimeDelta::seconds(29)).await, []);
    assert_eq!(overdue(deadline + TimeDelta::seconds(30)).await, [begun.id]);
    assert_eq!(database.settle(begun.id, Decision::Deadline).await, expired());
}

fn expired() -> Effect {
    Effect::Settle { state: ApprovalState::Expired, failure: None }
}

async fn the_providers_that_open_logins_need_are_known(database: &Database) {
    let needed = async || database.store.providers_of_open_approvals().await.unwrap();
    assert_eq!(needed().await, Vec::<String>::new());
    let begun = begin_at(database, OTHER, "push-1").await;
    database.begin_with_push("push-2").await;
    let sent = CodeSource { provider: "third".to_owned(), handle: CodeHandle::new("x") };
    let sms = (CodeChannel::Sms, &sent);
    database.store.record_code_sent(begun.id, ApprovalState::Pending, sms, database.now).await.unwrap();
    assert_eq!(needed().await, [PROVIDER, OTHER, "third"]);
    database.settle(begun.id, Decision::Cancelled).await;
    assert_eq!(needed().await, [PROVIDER]);
}

/// Twenty approvals of one person, and one code of their app for all of them at once.
async fn a_code_of_an_app_approves_one_login(database: &Database) {
    let ada = signup("ada@example.com", "2015550123");
    let used = UsedCode::new(PROVIDER, &ada.phone, &Code::parse("1234567").unwrap());
    let mut begun = Vec::new();
    for number in 10..30 {
        begun.push(database.begin(&ada, &number.to_string()).await.unwrap());
    }
    let settling = begun.iter().map(async |begun| {
        let how = Settlement { used_code: Some(used.clone()), ..database.how() };
        database.store.settle(begun.id, Decision::RightCode, &how).await.unwrap().unwrap()
    });
    let settled = futures_util::future::join_all(settling).await;
    assert_eq!(settled.iter().filter(|settled| settled.effect.settles()).count(), 1);
    assert_eq!(settled.iter().filter(|settled| settled.is_code_used).count(), 19);
    let old = database.now - TimeDelta::seconds(1);
    assert_eq!(database.store.remove_used_codes(old, 10).await.unwrap(), 0);
    assert_eq!(database.store.remove_used_codes(database.now + TimeDelta::days(1), 10).await.unwrap(), 1);
}

on_both_databases! {
    afterwards every_query_used_an_index:
    each_provider_is_polled_about_its_own_pushes,
    a_callback_finds_only_pushes_of_its_provider,
    a_login_of_a_provider_that_is_gone_expires_after_its_grace,
    the_providers_that_open_logins_need_are_known,
    a_code_of_an_app_approves_one_login,
}
