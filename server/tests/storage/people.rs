//! Sessions and passwords.

use super::*;

async fn a_revoked_session_takes_its_login_token_with_it(database: &Database) {
    let begun = database.begin(&signup("ada@example.com", "2015550123"), "42").await.unwrap();
    database.settle(begun.id, Decision::Verdict(Verdict::Approved)).await;
    let opened = database.store.find_login(&begun.token.hash(), database.now).await.unwrap().unwrap();
    let session = opened.session.unwrap().0;
    assert!(database.store.revoke_session(session.id, database.now).await.unwrap());
    assert!(!database.store.revoke_session(session.id, database.now).await.unwrap());
    let just_before = database.now - TimeDelta::microseconds(1);
    assert_eq!(database.store.sessions_revoked_since(just_before).await.unwrap(), [session.id]);
    assert!(database.store.sessions_revoked_since(database.now).await.unwrap().is_empty());
    assert!(database.store.find_login(&begun.token.hash(), database.now).await.unwrap().is_none());
}

async fn a_password_hash_is_replaced_unless_it_has_changed(database: &Database) {
    let begun = database.begin(&signup("ada@example.com", "2015550123"), "42").await.unwrap();
    database.settle(begun.id, Decision::RightCode).await;
    let email = Email::parse("ada@example.com").unwrap();
    let found = database.store.find_credentials(&email).await.unwrap().unwrap();
    let new = PasswordHash::new("$argon2id$new".to_owned());
    let replace =
        async || database.store.replace_password_hash(found.user.id, &found.password_hash, &new).await;
    assert!(replace().await.unwrap());
    assert!(!replace().await.unwrap());
    let found = database.store.find_credentials(&email).await.unwrap().unwrap();
    assert_eq!(found.password_hash.as_str(), "$argon2id$new");
}

on_both_databases! {
    afterwards every_query_used_an_index:
    a_revoked_session_takes_its_login_token_with_it,
    a_password_hash_is_replaced_unless_it_has_changed,
}
