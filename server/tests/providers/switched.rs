//! The day on which the provider changes, with logins open.

use countersign::{
    approvals::{CallbackOutcome, IncomingCallback},
    background::{Driver, Task},
    model::{ApprovalState, ApprovalStep, Verdict},
    provider::PushStatus,
};
use http::{HeaderMap, Method};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{tiny::Tiny, *};

async fn call_back(approvals: &Approvals, provider: &str, body: &str) -> CallbackOutcome {
    let (method, headers) = (&Method::POST, &HeaderMap::new());
    let callback = IncomingCallback { method, headers, query: "", body: body.as_bytes() };
    approvals.handle_callback(provider, &callback).await
}

async fn state(approvals: &Approvals, token: &LoginToken) -> ApprovalState {
    approvals.find_status(token).await.unwrap().unwrap().approval.state
}

/// What was started with the old provider goes on with it; what is started now goes to the new one.
async fn open_logins_stay_with_their_provider(database: &Database) {
    let (old, new, clock) = (Tiny::with_people("old"), Tiny::new("new"), Clock::system());
    let before = instance(database, &clock, vec![old.boxed()]);
    let (started, status) = sign_up(&before, &ada()).await.unwrap();
    assert_eq!(status.approval.next_step, ApprovalStep::ApproveOnPhone);
    let push = status.approval.push_handle.unwrap();

    let after = instance(database, &clock, vec![new.boxed(), old.boxed()]);
    // A code of the old provider's app is checked there, and only there.
    assert_eq!(refused(&after, &started, "123456").await, Some("invalid"));
    assert_eq!((old.state().checked.len(), new.state().checked.len()), (1, 0));
    assert_eq!(call_back(&after, "old", &old.signed(&push)).await, CallbackOutcome::Accepted);
    assert_eq!(state(&after, &started).await, ApprovalState::Approved);

    let user = after.find_status(&started).await.unwrap().unwrap().opened.unwrap().user;
    let only_new = instance(database, &clock, vec![new.boxed()]);
    let (token, status) = log_in(&only_new, &user).await;
    assert_eq!((status.approval.push, status.approval.code.unwrap().provider), (None, "new".to_owned()));
    assert_eq!(refused(&only_new, &token, &new.last_code()).await, None);
}

async fn a_callback_settles_nothing_of_another_provider(database: &Database) {
    let (old, new) = (Tiny::with_people("old"), Tiny::with_people("new"));
    let both = instance(database, &Clock::system(), vec![old.boxed(), new.boxed()]);
    let (started, status) = sign_up(&both, &ada()).await.unwrap();
    let push = status.approval.push_handle.unwrap();
    assert_eq!(status.approval.push.unwrap().provider, "old");
    assert_eq!(call_back(&both, "new", &new.signed(&push)).await, CallbackOutcome::Accepted);
    assert_eq!(state(&both, &started).await, ApprovalState::Pending);
    assert_eq!(call_back(&both, "new", &old.signed(&push)).await, CallbackOutcome::Refused);
    assert_eq!(call_back(&both, "other", &old.signed(&push)).await, CallbackOutcome::UnknownProvider);
    assert_eq!(call_back(&both, "old", &old.signed(&push)).await, CallbackOutcome::Accepted);
    assert_eq!(state(&both, &started).await, ApprovalState::Approved);
}

/// The provider is gone: nothing is asked of the other one, no try is taken, and the login expires.
async fn a_login_whose_provider_is_gone_is_judged_by_no_other(database: &Database) {
    let (old, new, clock) = (Tiny::with_people("old"), Tiny::new("new"), Clock::system());
    let before = instance(database, &clock, vec![old.boxed()]);
    let (started, _) = sign_up(&before, &ada()).await.unwrap();
    let after = instance(database, &clock, vec![new.boxed()]);
    assert_eq!(refused(&after, &started, "123456").await, Some("unavailable"));
    let status = after.find_status(&started).await.unwrap().unwrap();
    assert_eq!((status.approval.tries_taken, status.approval.wrong_codes), (0, 0));
    assert!(new.state().checked.is_empty() && old.state().checked.is_empty());
    assert!(!after.has_callback("old") && !after.has_callback("new"));
    // Another code can be requested of the new one.
    let status = after.resend_code(&started, None).await.unwrap();
    assert_eq!(status.approval.code.unwrap().provider, "new");
    assert_eq!(refused(&after, &started, &new.last_code()).await, None);
}

/// Both providers' open pushes are polled, each at its own.
async fn each_push_is_polled_at_its_own_provider(database: &Database) {
    let (old, new, clock) = (Tiny::with_people("old"), Tiny::with_people("new"), Clock::system());
    let before = instance(database, &clock, vec![old.boxed()]);
    let (at_old, _) = sign_up(&before, &ada()).await.unwrap();
    let after = instance(database, &clock, vec![new.boxed(), old.boxed()]);
    let (at_new, _) = sign_up(&after, &signup("bob@example.com", "2015550124")).await.unwrap();
    for provider in [&old, &new] {
        for status in provider.state().pushes.values_mut() {
            *status = PushStatus::Answered(Verdict::Approved);
        }
    }
    let (tasks, shutdown) = (TaskTracker::new(), CancellationToken::new());
    let polling = after.polling().map(|task| -> Box<dyn Task> { Box::new(task) });
    Driver::new(database.store.clone(), clock).start(polling.collect(), &tasks, &shutdown);
    for token in [&at_old, &at_new] {
        let mut watch = Arc::new(after.clone()).watch(token.clone()).await.unwrap().unwrap();
        while let Some(status) = watch.next().await {
            if status.unwrap().approval.state == ApprovalState::Approved {
                break;
            }
        }
        assert_eq!(state(&after, token).await, ApprovalState::Approved);
    }
    shutdown.cancel();
    tasks.close();
    tasks.wait().await;
}

on_both_databases! {
    afterwards every_query_used_an_index:
    open_logins_stay_with_their_provider,
    a_callback_settles_nothing_of_another_provider,
    a_login_whose_provider_is_gone_is_judged_by_no_other,
    each_push_is_polled_at_its_own_provider,
}
