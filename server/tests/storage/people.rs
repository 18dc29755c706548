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
    let found = database.credentials(&email).await.unwrap();
    let new = PasswordHash::new("$argon2id$new".to_owned());
    let replace =
        async || database.store.replace_password_hash(found.user.id, &found.password_hash, &new).await;
    assert!(replace().await.unwrap());
    assert!(!replace().await.unwrap());
    let found = database.credentials(&email).await.unwrap();
    assert_eq!(found.password_hash.as_str(), "$argon2id$new");
}

async fn an_email_that_nobody_has_comes_with_the_hash_of_somebody_else(database: &Database) {
    let nobodys = async |email: &str| match database
        .store
        .find_credentials(&Email::parse(email).unwrap())
        .await
        .unwrap()
    {
        Claimed::ByNobody(hash) => hash.map(|hash| hash.as_str().to_owned()),
        Claimed::ByUser(_) => panic!("somebody has {email}"),
    };
    assert_eq!(nobodys("ada@example.com").await, None);
    for (email, phone, hash) in
        [("mary@example.com", "2015550123", "marys"), ("zoe@example.com", "2015550124", "zoes")]
    {
        let signup =
            PendingSignup { password_hash: PasswordHash::new(hash.to_owned()), ..signup(email, phone) };
        let begun = database.begin(&signup, "42").await.unwrap();
        database.settle(begun.id, Decision::RightCode).await;
    }
    assert_eq!(nobodys("ada@example.com").await.as_deref(), Some("marys"));
    assert_eq!(nobodys("nora@example.com").await.as_deref(), Some("zoes"));
    assert_eq!(nobodys("zz@example.com").await, None);
}

on_both_databases! {
    afterwards every_query_used_an_index:
    a_revoked_session_takes_its_login_token_with_it,
    a_password_hash_is_replaced_unless_it_has_changed,
    an_email_that_nobody_has_comes_with_the_hash_of_somebody_else,
}
