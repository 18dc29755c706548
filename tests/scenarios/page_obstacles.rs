//! The login pages where something is in their way: storage that is blocked or full, another name of the host, another `dev`.

use std::fs;

use harness::{Browser, Database, Person, Window, World};
use serde_json::json;

/// Storage as browsers block it: reading the property fails.
const BLOCKED: &str = "for (const name of ['localStorage', 'sessionStorage']) {
  Object.defineProperty(window, name, { get() { throw new DOMException('denied', 'SecurityError'); } });
}";
/// Storage that takes nothing more.
const FULL: &str =
    "Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); };";

async fn fill_in_signup(page: &Window, world: &World, person: &Person) {
    world.plant(person);
    page.goto(&format!("{}/signup", world.service_address())).await;
    page.fill("#signup-name", &person.full_name).await;
    page.fill("#signup-email", &person.email).await;
    page.choose("#signup-country", "United States (+1)").await;
    page.fill("#signup-phone", &person.phone).await;
    page.fill("#signup-password", &person.password).await;
    page.press("Enter").await;
}

async fn approve(browser: &Browser, world: &World) {
    let sandbox = world.sandbox_address();
    let phone = browser.visitor(&[sandbox]).await.open(sandbox).await;
    phone.click("[data-request] [data-action=approve]").await;
    phone.assert_clean().await;
}

/// A person signs up in a window that was prepared so, and is told that nothing is stored.
async fn signs_up_without_storage(script: &str) {
    let Some(browser) = Browser::launch().await else { return };
    let (world, person) = (World::new(Database::Sqlite).await, Person::new());
    let service = world.service_address();
    let page = browser.visitor(&[service]).await.open(service).await;
    page.prepare(script).await;
    fill_in_signup(&page, &world, &person).await;
    page.see("[data-view=approve]").await;
    page.read("#in-memory", "Your browser stores nothing for this page.").await;
    approve(&browser, &world).await;
    page.see("[data-view=account]").await;
    page.read("[data-user=email]", &person.email).await;
    page.click("#logout").await;
    page.see("[data-view=home]").await;
    // The device token is in memory too: the next login in this page presents it.
    page.click("nav a[href='/login']").await;
    page.fill("#login-email", &person.email).await;
    page.fill("#login-password", &person.password).await;
    page.press("Enter").await;
    page.see("[data-view=approve]").await;
    page.assert_clean().await;
}

#[tokio::test]
async fn blocked_storage_stops_no_login_and_is_said() {
    signs_up_without_storage(BLOCKED).await;
}

#[tokio::test]
async fn full_storage_stops_no_login_and_is_said() {
    signs_up_without_storage(FULL).await;
}

#[tokio::test]
async fn a_page_under_another_name_says_the_right_address() {
    let Some(browser) = Browser::launch().await else { return };
    let mut world = World::builder(Database::Sqlite).set("PAGES", "true").split().start().await;
    world.kill_service().await;
    world.change("PUBLIC_URL", "https://login.example.com");
    world.start_service().await;
    let service = world.service_address();
    let page = browser.visitor(&[service]).await.open(&format!("{service}/signup")).await;
    page.read("#elsewhere", "https://login.example.com").await;
    let link = page.evaluate("document.getElementById('right-address').href").await;
    assert_eq!(link, json!("https://login.example.com/signup"));
    // What it asks at first is refused; asked again, it is refused again, and the log says it once.
    page.reload().await;
    page.read("#elsewhere", "https://login.example.com").await;
    page.forgive("403").await;
    page.assert_clean().await;
    let log = fs::read_to_string(world.folder().join("service.log")).unwrap();
    let warnings: Vec<_> = log.lines().filter(|line| line.contains("origin refused")).collect();
    assert!(warnings.len() == 1 && warnings[0].contains(service), "{warnings:?}");
}

#[tokio::test]
async fn two_dev_on_one_host_do_not_sign_each_other_out() {
    let Some(browser) = Browser::launch().await else { return };
    let (one, other) = (World::new(Database::Sqlite).await, World::new(Database::Sqlite).await);
    let visitor = browser.visitor(&[one.service_address(), other.service_address()]).await;
    let page = visitor.open(one.service_address()).await;
    for world in [&one, &other] {
        fill_in_signup(&page, world, &Person::new()).await;
        page.see("[data-view=approve]").await;
        approve(&browser, world).await;
        page.see("[data-view=account]").await;
    }
    for world in [&one, &other] {
        page.set_out_for(&format!("{}/account", world.service_address())).await;
        page.see("[data-view=account]").await;
    }
    page.click("#logout").await;
    page.see("[data-view=home]").await;
    page.set_out_for(&format!("{}/account", one.service_address())).await;
    page.see("[data-view=account]").await;
    page.assert_clean().await;
}

#[tokio::test]
async fn a_long_email_breaks_at_its_at_sign() {
    let Some(browser) = Browser::launch().await else { return };
    let world = World::new(Database::Sqlite).await;
    let email = "a.person.with.a.rather.long.name@a-company-with-a-name.example";
    let person = Person { email: email.to_owned(), ..Person::new() };
    let service = world.service_address();
    let page = browser.visitor(&[service]).await.open(service).await;
    page.resize(480, 900).await;
    fill_in_signup(&page, &world, &person).await;
    page.see("[data-view=approve]").await;
    approve(&browser, &world).await;
    page.read("[data-user=email]", email).await;
    // The text of each line, as the browser has laid it out.
    let lines = page
        .evaluate(
            "[...document.querySelector('[data-user=email]').childNodes].map((node) => {
              const range = document.createRange();
              range.selectNodeContents(node);
              return [node.textContent, range.getClientRects().length];
            })",
        )
        .await;
    assert_eq!(
        lines,
        json!([["a.person.with.a.rather.long.name", 1], ["@a-company-with-a-name.example", 1]])
    );
    page.assert_clean().await;
}
