//! The login pages and the phone, in a real browser: two windows, as a person has them side by side.

use std::time::Duration;

use harness::{Browser, Database, Person, Window, World, on_both_databases, report, require};
use serde_json::{Value, json};

use crate::{desk::Desk, published_clients::installed};

/// When a click on Approve happened, and when the account could be seen: by the clock of the machine that both windows share.
const CLICKED: &str = "new Promise((resolve) => addEventListener('click',
  () => resolve(performance.timeOrigin + performance.now()), { capture: true, once: true }))";
const ARRIVED: &str = "new Promise((resolve) => {
  const account = document.querySelector('[data-view=account]');
  const look = () => account.checkVisibility() && resolve(performance.timeOrigin + performance.now());
  new MutationObserver(look).observe(account, { attributes: true });
  look();
})";

/// How often the page has asked the service anything by HTTP, once that is as often as it must.
const ASKED: &str = "new Promise((resolve) => new PerformanceObserver((_, observer) => {
  const asked = performance.getEntriesByType('resource').filter(({ name }) => name.endsWith('/graphql'));
  if (asked.length >= 4) {
    observer.disconnect();
    resolve(asked.length);
  }
}).observe({ type: 'resource', buffered: true }))";

async fn a_person_signs_up_and_logs_in_with_two_clicks_on_the_phone(database: Database) {
    let Some(browser) = Browser::launch().await else { return };
    let (world, person) = (World::new(database).await, Person::new());
    let desk = Desk::at(&browser, &world).await;
    desk.sign_up(&world, &person).await;
    desk.tap(&world, "approve").await;
    desk.view("account").await;
    assert_eq!(desk.page.path().await, "/account");
    desk.page.read("[data-user=email]", &person.email).await;
    desk.log_out().await;

    desk.log_in(&world, &person).await;
    desk.view("approve").await;
    desk.phone.see("[data-request]").await;
    let (clicked, arrived, ()) =
        tokio::join!(desk.phone.evaluate(CLICKED), desk.page.evaluate(ARRIVED), desk.tap(&world, "approve"));
    let took = arrived.as_f64().unwrap() - clicked.as_f64().unwrap();
    report(&format!("from Approve to the account page, in the browser: {took:.0} ms"));
    // Who is there, the login, the approved login with its cookie, who is there now: nothing is asked while it waits.
    assert_eq!(desk.page.evaluate(ASKED).await, 4);
    // What says who is signed in, no script can read.
    let kept = desk.page.evaluate("[document.cookie, sessionStorage.length, location.href]").await;
    assert_eq!(kept, json!(["", 0, format!("{}/account", world.service_address())]));
    desk.page.reload().await;
    desk.page.read("[data-user=fullName]", &person.full_name).await;
    desk.log_out().await;
    desk.page.reload().await;
    desk.view("home").await;
    desk.assert_clean().await;
}

async fn after_a_denial_a_code_signs_in(database: Database) {
    let Some(browser) = Browser::launch().await else { return };
    let (world, person) = (World::new(database).await, Person::new());
    let desk = Desk::at(&browser, &world).await;
    desk.sign_up_whole(&world, &person).await;
    // The browser is known from now on.
    desk.log_in(&world, &person).await;
    desk.tap(&world, "deny").await;
    desk.page.read("#verify-reason", "You denied this login").await;
    assert_eq!(desk.page.path().await, "/verify");
    desk.page.click("[data-resend=SMS]").await;
    desk.page.read("#verify-lead", "text message").await;
    desk.page.read("#resend-status", "Another code can be sent in").await;
    let code = desk.code(&world).await;
    let wrong = format!("{}{}", &code[..6], (code.as_bytes()[6] - b'0' + 1) % 10);
    desk.page.fill("#verify-code", &wrong).await;
    desk.page.press("Enter").await;
    desk.page.read("#verify-code-fault", "This is not the code. 4 tries left.").await;
    desk.page.fill("#verify-code", &format!("{} {}", &code[..3], &code[3..])).await;
    desk.page.click("#verify-form [type=submit]").await;
    desk.view("account").await;
    desk.assert_clean().await;
}

#[tokio::test]
async fn a_denial_elsewhere_than_on_a_known_device_ends_the_login() {
    let Some(browser) = Browser::launch().await else { return };
    let (world, person) = (World::new(Database::Sqlite).await, Person::new());
    let desk = Desk::at(&browser, &world).await;
    desk.sign_up(&world, &person).await;
    desk.tap(&world, "deny").await;
    desk.page.read("#signup-form [data-alert]", "denied on your phone").await;
    world.sign_up(&person).await;
    desk.log_in(&world, &person).await;
    desk.tap(&world, "deny").await;
    desk.page.read("#login-form [data-alert]", "denied on your phone").await;
    desk.assert_clean().await;
}

#[tokio::test]
async fn without_the_app_a_code_is_asked_for_at_once() {
    let Some(browser) = Browser::launch().await else { return };
    let (world, person) = (World::new(Database::Sqlite).await, Person::new());
    world.sign_up(&person).await;
    let desk = Desk::at(&browser, &world).await;
    desk.phone.click("#onetouch").await;
    desk.phone.miss("[data-app-code]").await;
    desk.log_in(&world, &person).await;
    desk.page.read("#verify-reason", "cannot approve by a tap").await;
    desk.page.fill("#verify-code", &desk.code(&world).await).await;
    desk.page.press("Enter").await;
    desk.view("account").await;
    desk.assert_clean().await;
}

#[tokio::test]
async fn a_login_that_nobody_approves_expires_and_is_begun_again() {
    let Some(browser) = Browser::launch().await else { return };
    let (world, person) = (World::new(Database::Sqlite).await, Person::new());
    world.sign_up(&person).await;
    let desk = Desk::at(&browser, &world).await;
    desk.log_in(&world, &person).await;
    desk.view("approve").await;
    world.advance(Duration::from_mins(11)).await;
    desk.page.read("#login-form [data-alert]", "Nobody approved in time").await;
    desk.phone.read("#history", "Expired").await;
    desk.log_in(&world, &person).await;
    desk.tap(&world, "approve").await;
    desk.view("account").await;
    desk.assert_clean().await;
}

#[tokio::test]
async fn a_reload_in_the_middle_goes_on_where_it_was() {
    let Some(browser) = Browser::launch().await else { return };
    let (world, person) = (World::new(Database::Sqlite).await, Person::new());
    let desk = Desk::at(&browser, &world).await;
    desk.sign_up(&world, &person).await;
    desk.view("approve").await;
    let number = desk.page.text("#match-number").await;
    desk.page.reload().await;
    desk.view("approve").await;
    assert_eq!(desk.page.text("#match-number").await, number);
    desk.page.click("[data-view=approve] a[href='/verify']").await;
    desk.view("verify").await;
    desk.page.reload().await;
    desk.view("verify").await;
    desk.page.click("[data-back-to-approve]").await;
    desk.tap(&world, "approve").await;
    desk.view("account").await;
    desk.assert_clean().await;
}

#[tokio::test]
async fn a_lost_connection_in_the_middle_loses_nothing() {
    let Some(browser) = Browser::launch().await else { return };
    let (mut world, person) = (World::builder(Database::Sqlite).spawned().start().await, Person::new());
    let desk = Desk::at(&browser, &world).await;
    desk.sign_up(&world, &person).await;
    desk.view("approve").await;
    world.kill_service().await;
    desk.page.see("#connection").await;
    desk.phone.see("[data-live=false]").await;
    world.start_service().await;
    desk.page.miss("#connection").await;
    desk.phone.see("[data-live=true]").await;
    desk.tap(&world, "approve").await;
    desk.view("account").await;
    for window in [&desk.page, &desk.phone] {
        window.forgive("ERR_").await;
    }
    desk.assert_clean().await;
}

#[tokio::test]
async fn what_is_wrong_is_told_at_its_field_and_what_was_typed_stays() {
    let Some(browser) = Browser::launch().await else { return };
    let (world, person) = (World::new(Database::Sqlite).await, Person::new());
    let desk = Desk::at(&browser, &world).await;
    let common = Person { password: "iloveyou".to_owned(), phone: "12 34 56".to_owned(), ..person.clone() };
    desk.sign_up(&world, &common).await;
    desk.page.read("#signup-phone-fault", "not a phone number").await;
    let focused = desk.page.evaluate("[document.activeElement.id, document.activeElement.getAttribute('aria-describedby'), document.querySelector('#signup-email').value]").await;
    assert_eq!(focused, json!(["signup-phone", "signup-phone-fault", person.email]));
    desk.page.fill("#signup-phone", &person.phone).await;
    desk.page.press("Enter").await;
    // A password is judged once everything else is right.
    desk.page.read("#signup-password-fault", "This password is easy to guess").await;
    desk.page.fill("#signup-password", &person.password).await;
    desk.page.press("Enter").await;
    desk.view("approve").await;
    desk.page.click("[data-view=approve] [data-cancel]").await;
    desk.view("login").await;
    let wrong = Person { password: "not my password".to_owned(), ..person };
    desk.log_in(&world, &wrong).await;
    desk.page.read("#login-form [data-alert]", "The email or the password is wrong.").await;
    desk.assert_clean().await;
}

#[tokio::test]
async fn too_many_wrong_codes_end_it_and_say_so() {
    let Some(browser) = Browser::launch().await else { return };
    let world = World::builder(Database::Sqlite).set("WRONG_CODES_PER_LOGIN", "1").start().await;
    let person = Person::new();
    world.sign_up(&person).await;
    let desk = Desk::at(&browser, &world).await;
    desk.log_in(&world, &person).await;
    desk.page.click("[data-view=approve] a[href='/verify']").await;
    desk.page.fill("#verify-code", "0000000").await;
    desk.page.press("Enter").await;
    desk.page.read("#login-form [data-alert]", "Too many codes were wrong").await;
    desk.assert_clean().await;
}

#[tokio::test]
async fn a_request_brings_its_phone_to_hand_unless_another_one_waits() {
    let Some(browser) = Browser::launch().await else { return };
    let world = World::new(Database::Sqlite).await;
    let phone = browser.visitor(&[world.sandbox_address()]).await.open(world.sandbox_address()).await;
    phone.see("#empty").await;
    let (ada, grace) = (Person::new(), Person::new());
    let begun = world.begin_signup(&ada).await;
    phone.read("[data-request]", &ada.email).await;
    world.begin_signup(&grace).await;
    phone.read("#people", &grace.email).await;
    phone.read("[data-request]", &ada.email).await;
    // The finger of another program is seen too.
    world.approve(&ada, &begun.status).await;
    phone.read("#history", "Approved").await;
    phone.read("#no-requests", "Nothing to approve").await;
    // What waits already changes nothing; what arrives does, now that nothing in hand waits.
    world.begin_signup(&grace.sharing_phone()).await;
    phone.read("[data-request]", &grace.email).await;
    let (hers, theirs) = (world.device(&ada).await.authy_id, world.device(&grace).await.authy_id);
    phone.click(&format!("[data-authy-id='{hers}']")).await;
    phone.read("#history", "Approved").await;
    phone.click(&format!("[data-authy-id='{theirs}']")).await;
    phone.read("[data-request]", &grace.email).await;
    phone.reload().await;
    phone.read("[data-request]", &grace.email).await;
    phone.assert_clean().await;
}

#[tokio::test]
async fn who_logs_out_in_one_window_is_out_in_the_other() {
    let Some(browser) = Browser::launch().await else { return };
    let (world, person) = (World::new(Database::Sqlite).await, Person::new());
    let service = world.service_address();
    let visitor = browser.visitor(&[service, world.sandbox_address()]).await;
    let desk = Desk::at(&browser, &world).await;
    desk.sign_up(&world, &person).await;
    desk.tap(&world, "approve").await;
    desk.view("account").await;
    let stranger = visitor.open(service).await;
    stranger.set_out_for("/account").await;
    stranger.see("[data-view=login]").await;
    desk.log_out().await;
    desk.page.set_out_for("/account").await;
    desk.view("login").await;
    stranger.assert_clean().await;
    desk.assert_clean().await;
}

/// The source of axe-core, if it is installed.
pub(crate) fn axe() -> Option<String> {
    let folder = require("node", installed("package.json"))?;
    Some(std::fs::read_to_string(folder.join("node_modules/axe-core/axe.min.js")).unwrap())
}

/// Asserts that axe-core finds nothing wrong with the page as it is seen now, for those who hear it, use keys or see little, and that
/// nothing is wider than the window.
pub(crate) async fn assert_no_barrier(view: &str, window: &Window, axe: &str) {
    window.come_to_front().await;
    assert_eq!(barriers(window, axe).await, json!([]), "{view}");
    let overhang = "document.documentElement.scrollWidth - innerWidth";
    assert_eq!(window.evaluate(overhang).await, 0, "{view}");
}

async fn barriers(window: &Window, axe: &str) -> Value {
    window.still().await;
    window.evaluate(axe).await;
    let found = "axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) =>
      violations.map(({ id, nodes }) => [id, ...nodes.map((node) => node.target.join(' '))]))";
    window.evaluate(found).await
}

#[tokio::test]
async fn no_view_has_a_barrier_that_can_be_found_light_or_dark_wide_or_narrow() {
    let Some(browser) = Browser::launch().await else { return };
    let Some(axe) = axe() else { return };
    for (scheme, width) in [("light", 1_200), ("dark", 320)] {
        let world = World::new(Database::Sqlite).await;
        let person = Person { full_name: "Hohenstaufenhausenbergerin".to_owned(), ..Person::new() };
        let desk = Desk::at(&browser, &world).await;
        for window in [&desk.page, &desk.phone] {
            window.prefer(scheme).await;
            window.resize(width, 640).await;
        }
        let check = async |view: &str, window: &Window| {
            assert_no_barrier(&format!("{view}, {scheme}, {width} pixels wide"), window, &axe).await;
        };
        check("no phone", &desk.phone).await;
        check("home", &desk.page).await;
        desk.sign_up(&world, &Person { phone: "12 34 56".to_owned(), ..person.clone() }).await;
        desk.page.see("#signup-phone-fault").await;
        check("sign up, with a fault", &desk.page).await;
        desk.page.fill("#signup-phone", &person.phone).await;
        desk.page.press("Enter").await;
        desk.view("approve").await;
        check("approve", &desk.page).await;
        desk.phone.see("[data-request]").await;
        check("a request", &desk.phone).await;
        desk.tap(&world, "approve").await;
        desk.view("account").await;
        desk.log_out().await;
        desk.log_in(&world, &person).await;
        desk.tap(&world, "deny").await;
        desk.page.read("#verify-reason", "You denied").await;
        check("verify", &desk.page).await;
        desk.page.click("[data-resend=SMS]").await;
        let code = desk.code(&world).await;
        check("a message", &desk.phone).await;
        desk.page.come_to_front().await;
        desk.page.fill("#verify-code", &code).await;
        desk.page.press("Enter").await;
        desk.view("account").await;
        check("account", &desk.page).await;
        desk.log_out().await;
        desk.page.click("nav a[href='/login']").await;
        check("log in", &desk.page).await;
        desk.assert_clean().await;
    }
}

#[tokio::test]
async fn graphiql_says_in_one_line_that_its_cdn_is_not_there() {
    let Some(browser) = Browser::launch().await else { return };
    let world = World::new(Database::Sqlite).await;
    let visitor = browser.visitor(&[world.service_address(), "https://unpkg.com:443"]).await;
    let window = visitor.open(&format!("{}/graphql", world.service_address())).await;
    assert_eq!(window.text("body").await.lines().filter(|line| !line.is_empty()).count(), 1);
    window.read("#offline", "unpkg.com, which is not there").await;
    window.forgive("ERR_NAME_NOT_RESOLVED").await;
    window.assert_clean().await;
}

on_both_databases! {
    a_person_signs_up_and_logs_in_with_two_clicks_on_the_phone,
    after_a_denial_a_code_signs_in,
}
