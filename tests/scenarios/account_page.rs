//! The account page in a real browser: the list of sessions, and the operations that the user confirms on the phone.

use std::time::Duration;

use countersign_client::{LoginFailure, LoginStatus, LoginToken};
use harness::{Browser, Database, Person, World, on_both_databases};
use serde_json::json;

use crate::{
    desk::Desk,
    pages::{assert_no_barrier, axe},
};

const NEW_PASSWORD: &str = "difference engine number two";

impl Desk {
    /// Signs up, and stays at the account.
    async fn open_account(&self, world: &World, person: &Person) {
        self.sign_up(world, person).await;
        self.tap(world, "approve").await;
        self.view("account").await;
    }

    /// Types a new password, up to the question who it is.
    async fn start_password_change(&self, world: &World, password: &str) {
        world.planted.plant("password", password);
        self.page.click("[data-view=account] a[href='/password']").await;
        self.page.fill("#new-password", password).await;
        self.page.press("Enter").await;
        self.page.read("#confirm-lead", "To change your password").await;
    }

    /// Types the password that confirms an operation.
    async fn type_password(&self, password: &str) {
        self.view("confirm").await;
        self.page.fill("#confirm-password", password).await;
        self.page.press("Enter").await;
    }

    /// Logs in from another browser, and stays at the account.
    async fn log_in_elsewhere(&self, world: &World, person: &Person) {
        self.log_in(world, person).await;
        self.tap(world, "approve").await;
        self.view("account").await;
    }
}

async fn a_push_confirms_a_new_password_which_logs_in(database: Database) {
    let Some(browser) = Browser::launch().await else { return };
    let (world, person) = (World::new(database).await, Person::new());
    let desk = Desk::at(&browser, &world).await;
    desk.open_account(&world, &person).await;
    desk.start_password_change(&world, NEW_PASSWORD).await;
    desk.type_password(&person.password).await;
    desk.view("approve").await;
    desk.page.read("#approve-lead", "to confirm that it is you").await;
    desk.phone.read("[data-request]", "Change the password of").await;
    desk.tap(&world, "approve").await;
    desk.page.read("#account-done", "Your password is changed.").await;
    assert_eq!(desk.page.path().await, "/account");
    // A screen reader goes on there; neither the login token nor the device token of this browser is kept.
    let kept =
        "[document.activeElement.id, sessionStorage.length, localStorage.getItem('countersign.devices')]";
    assert_eq!(desk.page.evaluate(kept).await, json!(["account-done", 0, "{}"]));
    desk.log_out().await;
    desk.log_in(&world, &person).await;
    desk.page.read("#login-form [data-alert]", "The email or the password is wrong.").await;
    let changed = Person { password: NEW_PASSWORD.to_owned(), ..person };
    desk.log_in(&world, &changed).await;
    desk.tap(&world, "approve").await;
    desk.view("account").await;
    desk.assert_clean().await;
}

async fn a_code_ends_the_session_of_another_browser_and_its_page_says_so(database: Database) {
    let Some(browser) = Browser::launch().await else { return };
    let (world, person) = (World::new(database).await, Person::new());
    let (desk, elsewhere) = (Desk::at(&browser, &world).await, Desk::at(&browser, &world).await);
    desk.open_account(&world, &person).await;
    elsewhere.log_in_elsewhere(&world, &person).await;
    desk.page.reload().await;
    desk.page.read("#session-list li:first-child", "This browser").await;
    desk.page.click("#session-list li:nth-child(2) button").await;
    desk.page.read("#confirm-lead", "To log out").await;
    desk.type_password(&person.password).await;
    desk.view("approve").await;
    desk.page.click("[data-view=approve] a[href='/verify']").await;
    desk.page.click("[data-resend=SMS]").await;
    desk.page.read("#verify-lead", "text message").await;
    desk.page.fill("#verify-code", &desk.code(&world).await).await;
    desk.page.press("Enter").await;
    desk.page.read("#account-done", "is logged out.").await;
    desk.page.miss("#session-list li:nth-child(2)").await;
    desk.page.miss("#end-others").await;
    // The next request of the other page finds no user.
    elsewhere.page.click("#forget").await;
    elsewhere.page.read("#login-form [data-alert]", "You are logged out. Please log in again.").await;
    assert_eq!(elsewhere.page.path().await, "/login");
    desk.assert_clean().await;
    elsewhere.assert_clean().await;
}

async fn denying_a_confirmation_logs_the_browser_out(database: Database) {
    let Some(browser) = Browser::launch().await else { return };
    let (world, person) = (World::new(database).await, Person::new());
    let desk = Desk::at(&browser, &world).await;
    desk.open_account(&world, &person).await;
    desk.start_password_change(&world, NEW_PASSWORD).await;
    desk.type_password(&person.password).await;
    desk.tap(&world, "deny").await;
    desk.page.read("#login-form [data-alert]", "You denied the request on your phone").await;
    desk.page.set_out_for("/account").await;
    desk.page.miss("#login-form [data-alert]").await;
    desk.view("login").await;
    // Nothing has changed: the old password logs in.
    desk.log_in_elsewhere(&world, &person).await;
    desk.assert_clean().await;
}

#[tokio::test]
async fn a_wrong_password_is_told_at_its_field_and_the_fifth_logs_out() {
    let Some(browser) = Browser::launch().await else { return };
    let (world, person) = (World::new(Database::Sqlite).await, Person::new());
    let desk = Desk::at(&browser, &world).await;
    desk.open_account(&world, &person).await;
    desk.start_password_change(&world, NEW_PASSWORD).await;
    for _ in 0..4 {
        desk.type_password("not my password").await;
        desk.page.read("#confirm-password-fault", "The password is wrong.").await;
        // The next one is told anew.
        desk.page.evaluate("document.getElementById('confirm-password-fault').textContent = ''").await;
    }
    desk.type_password("not my password").await;
    desk.page.read("#login-form [data-alert]", "You are logged out.").await;
    let typed =
        "[...document.querySelectorAll('#new-password, #confirm-password')].map(({ value }) => value)";
    assert_eq!(desk.page.evaluate(typed).await, json!(["", ""]));
    desk.assert_clean().await;
}

#[tokio::test]
async fn a_page_that_waits_for_the_phone_says_when_its_session_ends() {
    let Some(browser) = Browser::launch().await else { return };
    let (world, person) = (World::new(Database::Sqlite).await, Person::new());
    let (desk, elsewhere) = (Desk::at(&browser, &world).await, Desk::at(&browser, &world).await);
    elsewhere.open_account(&world, &person).await;
    desk.log_in_elsewhere(&world, &person).await;
    desk.page.see("#end-others").await;
    desk.page.click("#end-others").await;
    desk.page.read("#confirm-lead", "To log out everywhere else").await;
    desk.type_password(&person.password).await;
    desk.tap(&world, "approve").await;
    desk.page.read("#account-done", "1 other browser is logged out.").await;
    // The same once more, while the page of the other browser waits for the phone.
    elsewhere.log_in_elsewhere(&world, &person).await;
    elsewhere.start_password_change(&world, NEW_PASSWORD).await;
    elsewhere.type_password(&person.password).await;
    elsewhere.view("approve").await;
    desk.page.reload().await;
    desk.page.click("#end-others").await;
    desk.type_password(&person.password).await;
    desk.page.click("[data-view=approve] a[href='/verify']").await;
    desk.page.click("[data-resend=SMS]").await;
    desk.page.fill("#verify-code", &desk.code(&world).await).await;
    desk.page.press("Enter").await;
    desk.page.read("#account-done", "1 other browser is logged out.").await;
    elsewhere.page.read("#login-form [data-alert]", "You are logged out. Please log in again.").await;
    desk.assert_clean().await;
    elsewhere.assert_clean().await;
}

#[tokio::test]
async fn a_common_password_is_told_after_the_confirmation_which_then_counts_for_five_minutes() {
    let Some(browser) = Browser::launch().await else { return };
    let (world, person) = (World::new(Database::Sqlite).await, Person::new());
    let desk = Desk::at(&browser, &world).await;
    desk.open_account(&world, &person).await;
    desk.start_password_change(&world, "iloveyou").await;
    desk.type_password(&person.password).await;
    desk.tap(&world, "approve").await;
    desk.page.read("#new-password-fault", "This password is easy to guess").await;
    let focused = "[location.pathname, document.activeElement.id, document.activeElement.value]";
    assert_eq!(desk.page.evaluate(focused).await, json!(["/password", "new-password", "iloveyou"]));
    // The confirmation has run out: it is asked for again.
    world.advance(Duration::from_mins(6)).await;
    desk.page.press("Enter").await;
    desk.type_password(&person.password).await;
    desk.tap(&world, "approve").await;
    desk.page.read("#new-password-fault", "This password is easy to guess").await;
    // This one counts.
    world.planted.plant("password", NEW_PASSWORD);
    desk.page.fill("#new-password", NEW_PASSWORD).await;
    desk.page.press("Enter").await;
    desk.page.read("#account-done", "Your password is changed.").await;
    desk.assert_clean().await;
}

#[tokio::test]
async fn a_confirmation_that_is_cancelled_or_expires_changes_nothing() {
    let Some(browser) = Browser::launch().await else { return };
    let (world, person) = (World::new(Database::Sqlite).await, Person::new());
    let desk = Desk::at(&browser, &world).await;
    desk.open_account(&world, &person).await;
    desk.start_password_change(&world, NEW_PASSWORD).await;
    desk.page.click("[data-view=confirm] [data-cancel]").await;
    desk.view("password").await;
    desk.page.fill("#new-password", NEW_PASSWORD).await;
    desk.page.press("Enter").await;
    desk.type_password(&person.password).await;
    desk.page.click("[data-view=approve] [data-cancel]").await;
    desk.view("password").await;
    desk.page.click("#password-form [type=submit]").await;
    desk.type_password(&person.password).await;
    desk.view("approve").await;
    world.advance(Duration::from_mins(11)).await;
    desk.page.read("#password-form [data-alert]", "Nobody approved in time. Nothing has changed.").await;
    desk.page.click("[data-view=password] a[href='/account']").await;
    desk.log_out().await;
    desk.log_in_elsewhere(&world, &person).await;
    desk.assert_clean().await;
}

#[tokio::test]
async fn starting_again_cancels_the_confirmation_that_waits() {
    let Some(browser) = Browser::launch().await else { return };
    let (world, person) = (World::new(Database::Sqlite).await, Person::new());
    let desk = Desk::at(&browser, &world).await;
    desk.open_account(&world, &person).await;
    desk.start_password_change(&world, NEW_PASSWORD).await;
    desk.type_password(&person.password).await;
    desk.view("approve").await;
    let first = desk.page.evaluate("sessionStorage.getItem('countersign.login')").await;
    let first = first.as_str().unwrap();
    world.planted.plant("login token", first);
    desk.page.click("nav a[href='/account']").await;
    desk.start_password_change(&world, NEW_PASSWORD).await;
    let is_cancelled = |status: &LoginStatus| status.failure == Some(LoginFailure::Cancelled);
    world.wait_for(&LoginToken::new(first), is_cancelled).await;
    assert_eq!(desk.page.evaluate("sessionStorage.length").await, 0);
    desk.type_password(&person.password).await;
    desk.view("approve").await;
    desk.assert_clean().await;
}

#[tokio::test]
async fn a_reload_forgets_the_operation_and_keeps_the_confirmation() {
    let Some(browser) = Browser::launch().await else { return };
    let (world, person) = (World::new(Database::Sqlite).await, Person::new());
    let desk = Desk::at(&browser, &world).await;
    desk.open_account(&world, &person).await;
    desk.start_password_change(&world, NEW_PASSWORD).await;
    desk.type_password(&person.password).await;
    desk.view("approve").await;
    desk.page.reload().await;
    desk.tap(&world, "approve").await;
    desk.page.read("#account-done", "You have confirmed. Start again what you wanted to do").await;
    desk.page.click("[data-view=account] a[href='/password']").await;
    desk.page.fill("#new-password", NEW_PASSWORD).await;
    desk.page.press("Enter").await;
    desk.page.read("#account-done", "Your password is changed.").await;
    desk.assert_clean().await;
}

#[tokio::test]
async fn a_page_that_is_seen_again_says_that_its_session_has_ended() {
    let Some(browser) = Browser::launch().await else { return };
    let (world, person) = (World::new(Database::Sqlite).await, Person::new());
    world.sign_up(&person).await;
    let visitor = browser.visitor(&[world.service_address(), world.sandbox_address()]).await;
    let desk = Desk::of(&visitor, &world).await;
    desk.log_in_elsewhere(&world, &person).await;
    desk.page.click("[data-view=account] a[href='/password']").await;
    desk.page.fill("#new-password", NEW_PASSWORD).await;
    // Another tab of the same browser logs out.
    let tab = visitor.open(&format!("{}/account", world.service_address())).await;
    tab.come_to_front().await;
    tab.click("#logout").await;
    tab.see("[data-view=home]").await;
    desk.page.come_to_front().await;
    desk.page.read("#login-form [data-alert]", "You are logged out. Please log in again.").await;
    assert_eq!(desk.page.evaluate("document.getElementById('new-password').value").await, "");
    tab.assert_clean().await;
    desk.assert_clean().await;
}

#[tokio::test]
async fn no_view_of_the_account_has_a_barrier_light_or_dark_wide_or_narrow() {
    let Some(browser) = Browser::launch().await else { return };
    let Some(axe) = axe() else { return };
    for (scheme, width) in [("light", 1_200), ("dark", 320)] {
        let (world, person) = (World::new(Database::Sqlite).await, Person::new());
        let (desk, elsewhere) = (Desk::at(&browser, &world).await, Desk::at(&browser, &world).await);
        desk.page.prefer(scheme).await;
        desk.page.resize(width, 640).await;
        let check = async |view: &str| {
            assert_no_barrier(&format!("{view}, {scheme}, {width} pixels wide"), &desk.page, &axe).await;
        };
        desk.open_account(&world, &person).await;
        elsewhere.log_in_elsewhere(&world, &person).await;
        desk.page.reload().await;
        desk.page.see("#end-others").await;
        check("account, with two sessions").await;
        desk.page.click("[data-view=account] a[href='/password']").await;
        desk.page.fill("#new-password", "short").await;
        desk.page.press("Enter").await;
        desk.page.see("#new-password-fault").await;
        check("change password, with a fault").await;
        desk.page.click("[data-view=password] a[href='/account']").await;
        desk.page.click("#end-others").await;
        desk.view("confirm").await;
        check("confirm").await;
        desk.type_password(&person.password).await;
        desk.view("approve").await;
        check("approve a confirmation").await;
        desk.tap(&world, "approve").await;
        desk.page.read("#account-done", "1 other browser is logged out.").await;
        check("account, when it is done").await;
        desk.assert_clean().await;
        elsewhere.assert_clean().await;
    }
}

on_both_databases! {
    a_push_confirms_a_new_password_which_logs_in,
    a_code_ends_the_session_of_another_browser_and_its_page_says_so,
    denying_a_confirmation_logs_the_browser_out,
}
