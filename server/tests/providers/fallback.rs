//! When the next provider sends a code, and where it is checked then.

use super::{
    tiny::{APP_CODE, Failure, Tiny},
    *,
};

async fn only_what_is_not_about_the_person_goes_on_to_the_next_provider(database: &Database) {
    let goes_on =
        [Failure::Unauthorized, Failure::ChannelDisabled, Failure::NotEnrolled].map(|it| (it, true));
    let is_final = [Failure::Refused, Failure::ChannelUnavailable, Failure::TimedOut].map(|it| (it, false));
    for (number, (failure, reaches_next)) in goes_on.into_iter().chain(is_final).enumerate() {
        let (first, second) = (Tiny::new("first"), Tiny::new("second"));
        first.state().failure = Some(failure);
        let approvals = instance(database, &Clock::system(), vec![first.boxed(), second.boxed()]);
        let signup = signup(&format!("{number}@example.com"), &format!("201555012{number}"));
        let (token, status) = sign_up(&approvals, &signup).await.unwrap();
        assert_eq!(second.state().sent.len(), usize::from(reaches_next), "{failure:?}");
        let source = status.approval.code.map(|source| source.provider);
        assert_eq!(source.as_deref(), reaches_next.then_some("second"), "{failure:?}");
        if reaches_next {
            assert_eq!(refused(&approvals, &token, &second.last_code()).await, None);
            assert!(first.state().checked.is_empty());
        } else {
            assert_eq!(refused(&approvals, &token, "123456").await, Some("no code sent"));
        }
    }
}

async fn a_code_is_checked_where_the_last_one_was_sent_and_nowhere_else(database: &Database) {
    let (first, second, clock) = (Tiny::new("first"), Tiny::new("second"), Clock::system());
    let approvals = instance(database, &clock, vec![first.boxed(), second.boxed()]);
    let (token, _) = sign_up(&approvals, &ada()).await.unwrap();
    first.state().failure = Some(Failure::Unauthorized);
    clock.advance(PAUSE);
    let status = approvals.resend_code(&token, None).await.unwrap();
    assert_eq!(status.approval.code.unwrap().provider, "second");
    assert_eq!(refused(&approvals, &token, &first.last_code()).await, Some("invalid"));
    assert!(first.state().checked.is_empty());
    assert_eq!(refused(&approvals, &token, &second.last_code()).await, None);
    assert_eq!(second.state().checked.len(), 2);
}

async fn a_failed_enrollment_leaves_the_person_to_the_other_provider(database: &Database) {
    let (pushing, second) = (Tiny::with_people("pushing"), Tiny::new("second"));
    pushing.state().enrollment_failure = Some(Failure::Refused);
    let both = instance(database, &Clock::system(), vec![pushing.boxed(), second.boxed()]);
    let (token, status) = sign_up(&both, &ada()).await.unwrap();
    assert_eq!(status.approval.push, None);
    assert_eq!(refused(&both, &token, &second.last_code()).await, None);
    let alone = instance(database, &Clock::system(), vec![pushing.boxed()]);
    assert!(matches!(sign_up(&alone, &ada()).await, Err(StartError::Refused)));
}

/// Two approvals of one person, and what their app shows.
async fn a_code_of_an_app_counts_once_over_all_approvals(database: &Database) {
    let pushing = Tiny::with_people("pushing");
    let approvals = instance(database, &Clock::system(), vec![pushing.boxed()]);
    let (signup, status) = sign_up(&approvals, &ada()).await.unwrap();
    assert!(status.approval.push_handle.is_some());
    assert_eq!(refused(&approvals, &signup, APP_CODE).await, None);
    let user = approvals.find_status(&signup).await.unwrap().unwrap().opened.unwrap().user;
    let (login, _) = log_in(&approvals, &user).await;
    assert_eq!(refused(&approvals, &login, APP_CODE).await, Some("used"));
    assert!(pushing.state().sent.is_empty(), "no code was sent: the provider would accept it");
    let status = approvals.find_status(&login).await.unwrap().unwrap();
    assert_eq!(status.approval.wrong_codes, 1, "it was a try");
}

on_both_databases! {
    afterwards every_query_used_an_index:
    only_what_is_not_about_the_person_goes_on_to_the_next_provider,
    a_code_is_checked_where_the_last_one_was_sent_and_nowhere_else,
    a_failed_enrollment_leaves_the_person_to_the_other_provider,
    a_code_of_an_app_counts_once_over_all_approvals,
}
