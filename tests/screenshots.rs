//! Takes the pictures of docs/PAGES.md: each view of the login pages, and the phone, light and dark.
//!
//! Run from the root of the workspace, with Chromium on the path: `cargo run -p scenarios --bin screenshots`.

use std::{fs, path::Path};

use harness::{Browser, Database, Person, Window, World};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/screenshots");

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Some(browser) = Browser::launch().await else { anyhow::bail!("there is no Chromium") };
    fs::create_dir_all(FOLDER)?;
    for scheme in ["light", "dark"] {
        take(&browser, scheme).await?;
    }
    Ok(())
}

async fn take(browser: &Browser, scheme: &str) -> anyhow::Result<()> {
    let world = World::new(Database::Sqlite).await;
    let (service, sandbox) = (world.service_address(), world.sandbox_address());
    let visitor = browser.visitor(&[service, sandbox]).await;
    let (page, phone) = (visitor.open(service).await, visitor.open(sandbox).await);
    for (window, height) in [(&page, 620), (&phone, 860)] {
        window.prefer(scheme).await;
        window.resize(860, height).await;
    }
    let keep = async |window: &Window, name: &str| {
        window.come_to_front().await;
        window.still().await;
        let file = Path::new(FOLDER).join(format!("{name}-{scheme}.png"));
        fs::write(file, window.screenshot().await)
    };
    let person =
        Person { email: "ada@example.com".to_owned(), phone: "202 555 0123".to_owned(), ..Person::new() };
    keep(&page, "home").await?;
    page.click(".hero a[href='/signup']").await;
    page.resize(860, 880).await;
    fill_in_signup(&page, &person).await;
    keep(&page, "signup").await?;
    page.press("Enter").await;
    page.see("[data-view=approve]").await;
    page.resize(860, 780).await;
    phone.see("[data-request]").await;
    keep(&page, "approve").await?;
    keep(&phone, "phone").await?;
    phone.click("[data-action=approve]").await;
    page.see("[data-view=account]").await;
    log_in_elsewhere(browser, &world, &person, &phone).await;
    page.reload().await;
    page.see("#end-others").await;
    page.resize(860, 960).await;
    keep(&page, "account").await?;
    page.click("[data-view=account] a[href='/password']").await;
    page.resize(860, 700).await;
    page.fill("#new-password", "difference engine number two").await;
    keep(&page, "password").await?;
    page.press("Enter").await;
    page.see("[data-view=confirm]").await;
    keep(&page, "confirm").await?;
    page.click("[data-view=confirm] [data-cancel]").await;
    page.click("[data-view=password] a[href='/account']").await;
    page.click("#logout").await;
    page.click("nav a[href='/login']").await;
    page.fill("#login-email", &person.email).await;
    page.fill("#login-password", &person.password).await;
    keep(&page, "login").await?;
    page.press("Enter").await;
    phone.click("[data-action=deny]").await;
    page.click("[data-resend=SMS]").await;
    phone.see("[data-message-code]").await;
    page.read("#verify-lead", "text message").await;
    page.resize(860, 760).await;
    keep(&page, "verify").await?;
    keep(&phone, "phone-code").await?;
    Ok(())
}

async fn fill_in_signup(page: &Window, person: &Person) {
    let Person { full_name, email, phone, password, .. } = person;
    for (field, text) in [("name", full_name), ("email", email), ("phone", phone), ("password", password)] {
        page.fill(&format!("#signup-{field}"), text).await;
    }
}

/// Logs in from another browser, so that the account has a second session.
async fn log_in_elsewhere(browser: &Browser, world: &World, person: &Person, phone: &Window) {
    let service = world.service_address();
    let page = browser.visitor(&[service]).await.open(&format!("{service}/login")).await;
    page.fill("#login-email", &person.email).await;
    page.fill("#login-password", &person.password).await;
    page.press("Enter").await;
    page.see("[data-view=approve]").await;
    phone.come_to_front().await;
    phone.click("[data-action=approve]").await;
    page.see("[data-view=account]").await;
}
