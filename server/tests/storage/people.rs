//! Sessions and passwords.

use super::*;

async fn a_revoked_session_takes_its_login_token_with_it(database: &Database) {
    let begun = database.begin(&signup("ada@example.com", "2015550123"), "42").await.unwrap();
    database.settle(begun.id, Decision::Verdict(Verdict::Approved)).await;
    let opened = database.store.find_approval(&begun.token.hash(), database.now).await.unwrap().unwrap();
    let session = opened.opened.unwrap().session;
    let revoke = async || database.store.revoke_session(&session, "LOGGED_OUT", database.now).await.unwrap();
    assert_eq!(revoke().await.len(), 1);
    assert_eq!(revoke().await.len(), 0);
    let just_before = database.now - TimeDelta::microseconds(1);
    assert_eq!(database.store.sessions_revoked_since(just_before).await.unwrap(), [session.id]);
    assert!(database.store.sessions_revoked_since(database.now).await.unwrap().is_empty());
    assert!(database.store.find_approval(&begun.token.hash(), database.now).await.unwrap().is_none());
}

async fn a_password_hash_is_replaced_unless_it_has_changed(database: &Database) {
    let begun = database.begin(&signup("ada@example.com", "2015550123"), "42").await.unwrap();
    database.settle(begun.id, Decision::RightCode).await;
    let email = Email::parse("ada@example.com").unwrap();
    let found = database.credentials(&email).await.unwrap();
    let new = PasswordHash::new("$argon2id$new".to_owned());
    let replace = async || {
        database.store.replace_password_hash(found.user.id, &found.password_hash, &new, database.now).await
    };
    assert!(replace().await.unwrap());
    assert!(!replace().await.unwrap());
    let found = database.credentials(&email).await.unwrap();
    assert_eq!(found.password_hash.as_str(), "$argon2id$new");
}

async fn emails_are_read_page_by_page(database: &Database) {
    let stored = ["ada@bücher.example", "ada@example.com", "zoe@xn--bcher-kva.example"];
    for (number, email) in stored.iter().enumerate() {
        let signup = signup("somebody@example.com", &format!("201555012{number}"));
        let signup = PendingSignup { email: Email::from_stored((*email).to_owned()), ..signup };
        let begun = database.begin(&signup, "42").await.unwrap();
        database.settle(begun.id, Decision::RightCode).await;
    }
    let (mut read, mut last) = (Vec::new(), String::new());
    loop {
        let page = database.store.emails_after(&last, 2).await.unwrap();
        let Some((_, email)) = page.last() else { break };
        email.as_str().clone_into(&mut last);
        read.extend(page);
    }
    let mut emails: Vec<&str> = read.iter().map(|(_, email)| email.as_str()).collect();
    emails.sort_unstable();
    assert_eq!(emails, stored);
    let outdated = read.iter().filter(|(_, email)| !email.is_in_todays_form()).count();
    assert_eq!(outdated, 1);
}

/// A hash of some password with these parameters.
fn hash_with(parameters: &str) -> PasswordHash {
    PasswordHash::new(format!(
        "{parameters}$c2l4dGVlbiBieXRlcyBpdA$MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE"
    ))
}

const OLD: &str = "$argon2id$v=19$m=64,t=1,p=1";
const NEW: &str = "$argon2id$v=19$m=19456,t=2,p=1";

async fn used_parameters(database: &Database) -> Vec<(String, i64)> {
    let used = database.store.used_hash_parameters().await.unwrap();
    used.into_iter().map(|used| (used.parameters, used.users)).collect()
}

/// Signs up one user an hour, with a password that was hashed with these parameters. Returns the user's id.
async fn user_with(database: &Database, hour: i64, parameters: &str) -> UserId {
    let email = format!("user{hour}@example.com");
    let signup =
        PendingSignup { password_hash: hash_with(parameters), ..signup(&email, &format!("20155{hour:05}")) };
    let begun = database.begin(&signup, "42").await.unwrap();
    let how = Settlement { at: database.now + TimeDelta::hours(hour), ..database.how() };
    database.store.settle(begun.id, Decision::RightCode, &how).await.unwrap().unwrap();
    database.credentials(&Email::parse(&email).unwrap()).await.unwrap().user.id
}

async fn hash_parameters_are_counted_as_users_sign_up_and_are_rehashed(database: &Database) {
    assert_eq!(used_parameters(database).await, []);
    let old = [user_with(database, 1, OLD).await, user_with(database, 2, OLD).await];
    user_with(database, 3, NEW).await;
    let counts = |old, new| [(OLD.to_owned(), old), (NEW.to_owned(), new)];
    assert_eq!(used_parameters(database).await, counts(2, 1));
    // A signup for an email that has a user changes nothing.
    let taken = PendingSignup { password_hash: hash_with(NEW), ..signup("user1@example.com", "2015550123") };
    let begun = database.begin(&taken, "43").await.unwrap();
    assert_eq!(
        database.settle(begun.id, Decision::RightCode).await,
        Effect::fail(ApprovalFailure::EmailTaken)
    );
    assert_eq!(used_parameters(database).await, counts(2, 1));
    // Of two who hash one password again at once, one is counted.
    let (from, to) = (hash_with(OLD), hash_with(NEW));
    let replace = |user| database.store.replace_password_hash(user, &from, &to, database.now);
    let (one, other) = tokio::join!(replace(old[0]), replace(old[0]));
    assert_ne!(one.unwrap(), other.unwrap());
    assert_eq!(used_parameters(database).await, counts(1, 2));
    assert!(replace(old[1]).await.unwrap());
    assert_eq!(used_parameters(database).await, [(NEW.to_owned(), 3)]);
}

pub(super) async fn migrating_makes_one_key_for_all_instances(database: &Database) {
    let key = async || database.store.find_email_key().await.unwrap().unwrap().to_stored();
    let first = key().await;
    for migrated in futures_util::future::join_all((0..4).map(|_| database.store.migrate())).await {
        assert!(migrated.unwrap().is_empty());
    }
    assert_eq!(key().await, first);
}

pub(super) async fn users_who_are_deleted_are_counted_until_the_next_migration(database: &Database) {
    for (hour, parameters) in [(1, OLD), (2, OLD), (3, NEW)] {
        user_with(database, hour, parameters).await;
    }
    let counted = [(OLD.to_owned(), 2), (NEW.to_owned(), 1)];
    assert_eq!(used_parameters(database).await, counted);
    database.execute("delete from users where email in ('user1@example.com', 'user3@example.com')").await;
    assert_eq!(used_parameters(database).await, counted);
    database.store.migrate().await.unwrap();
    // No older parameters gain by it.
    assert_eq!(used_parameters(database).await, [(OLD.to_owned(), 1), (NEW.to_owned(), 2)]);
}

/// Begins a login of a user.
pub(super) async fn begin_login(database: &Database, email: &str, from: Option<DeviceId>) -> Begun {
    begin_login_with_device_token(database, email, from).await.0
}

/// Begins a login of a user. Gives the hash of the device token that it hands out, too.
async fn begin_login_with_device_token(
    database: &Database,
    email: &str,
    from: Option<DeviceId>,
) -> (Begun, TokenHash) {
    let user = database.credentials(&Email::parse(email).unwrap()).await.unwrap().user;
    let (id, token) = (ApprovalId::new(random::id(database.now)), LoginToken::from_bytes(random::bytes()));
    let salt = SessionSalt::from_bytes(random::bytes());
    let granted = grant(&token, &salt, DeliveryMethod::Cookie);
    let device_token = granted.device_token.clone();
    let new = NewApproval {
        id,
        consequence: &Consequence::OpenSession(&user, granted),
        phone: &user.phone,
        token: token.hash(),
        match_number: None,
        push_slot: None,
        device_id: from,
        network: Some("192.0.2.0/24"),
        push: Some(&push_recipient()),
        code: Some(&app_codes()),
        created_at: database.now,
        expires_at: database.now + TimeDelta::minutes(10),
    };
    let stored = database.store.start_approval(&new, &LimitChanges::default()).await.unwrap();
    assert!(matches!(stored, Insertion::Stored(_)));
    (Begun { id, token }, device_token)
}

/// Logs somebody in by a code, and returns the hash of the device token that the login hands out.
async fn known_device(database: &Database, from: Option<DeviceId>) -> TokenHash {
    let (begun, device_token) = begin_login_with_device_token(database, "ada@example.com", from).await;
    assert_eq!(database.settle(begun.id, Decision::RightCode).await, approved());
    device_token
}

async fn a_device_is_known_to_its_user_by_its_token_until_its_time_ends(database: &Database) {
    let begun = database.begin(&signup("ada@example.com", "2015550123"), "42").await.unwrap();
    database.settle(begun.id, Decision::RightCode).await;
    let first = known_device(database, None).await;
    let find = async |token: &TokenHash, email: &str, now| {
        database.store.find_device(token, &Email::parse(email).unwrap(), now).await.unwrap()
    };
    let device = find(&first, "ada@example.com", database.now).await.unwrap();
    assert_eq!(find(&first, "mary@example.com", database.now).await, None);
    let end = database.how().device_expires_at;
    assert_eq!(find(&first, "ada@example.com", end).await, None);
    // Renewed, it is the same, by either token until the newer one was seen.
    let second = known_device(database, Some(device)).await;
    assert_eq!(find(&first, "ada@example.com", database.now).await, Some(device));
    assert_eq!(find(&second, "ada@example.com", database.now).await, Some(device));
    database.store.record_device_token_seen(device, &second).await.unwrap();
    assert_eq!(find(&first, "ada@example.com", database.now).await, None);
    assert_eq!(find(&second, "ada@example.com", database.now).await, Some(device));
    assert_eq!(database.store.remove_devices(end, 10).await.unwrap(), 0);
    assert_eq!(database.store.remove_devices(end + TimeDelta::seconds(1), 10).await.unwrap(), 2);
}

async fn of_a_user_twenty_devices_are_known(database: &Database) {
    let begun = database.begin(&signup("ada@example.com", "2015550123"), "42").await.unwrap();
    database.settle(begun.id, Decision::RightCode).await;
    let user_id = database.credentials(&Email::parse("ada@example.com").unwrap()).await.unwrap().user.id;
    for _ in 0..25 {
        known_device(database, None).await;
    }
    assert_eq!(database.store.remove_devices_of(user_id, database.now).await.unwrap().0, 20);
}

on_both_databases! {
    afterwards every_query_used_an_index:
    a_revoked_session_takes_its_login_token_with_it,
    a_password_hash_is_replaced_unless_it_has_changed,
    emails_are_read_page_by_page,
    hash_parameters_are_counted_as_users_sign_up_and_are_rehashed,
    a_device_is_known_to_its_user_by_its_token_until_its_time_ends,
    of_a_user_twenty_devices_are_known,
}
