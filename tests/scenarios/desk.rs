//! A person at a desk: the login pages in one window, and the phone in another.

use harness::{Browser, Person, Visitor, Window, World};

/// Somebody's two windows: the login pages, and the phone.
pub(crate) struct Desk {
    pub(crate) page: Window,
    pub(crate) phone: Window,
}

impl Desk {
    pub(crate) async fn at(browser: &Browser, world: &World) -> Self {
        let (service, sandbox) = (world.service_address(), world.sandbox_address());
        let visitor = browser.visitor(&[service, sandbox]).await;
        Self::of(&visitor, world).await
    }

    /// The desk of a person whose browser may open further tabs.
    pub(crate) async fn of(visitor: &Visitor<'_>, world: &World) -> Self {
        let (service, sandbox) = (world.service_address(), world.sandbox_address());
        let (page, phone) = (visitor.open(service).await, visitor.open(sandbox).await);
        phone.see("[data-live=true]").await;
        page.come_to_front().await;
        Self { page, phone }
    }

    pub(crate) async fn view(&self, name: &str) {
        self.page.see(&format!("[data-view={name}]")).await;
    }

    /// Fills in the form and sends it.
    pub(crate) async fn sign_up(&self, world: &World, person: &Person) {
        world.plant(person);
        self.page.goto(&format!("{}/signup", world.service_address())).await;
        self.page.fill("#signup-name", &person.full_name).await;
        self.page.fill("#signup-email", &person.email).await;
        self.page.choose("#signup-country", "United States (+1)").await;
        self.page.fill("#signup-phone", &person.phone).await;
        self.page.fill("#signup-password", &person.password).await;
        self.page.press("Enter").await;
    }

    /// Signs up to the end, and logs out.
    pub(crate) async fn sign_up_whole(&self, world: &World, person: &Person) {
        self.sign_up(world, person).await;
        self.tap(world, "approve").await;
        self.view("account").await;
        self.log_out().await;
    }

    pub(crate) async fn log_in(&self, world: &World, person: &Person) {
        self.page.goto(&format!("{}/login", world.service_address())).await;
        self.page.fill("#login-email", &person.email).await;
        self.page.fill("#login-password", &person.password).await;
        self.page.click("#login-form [type=submit]").await;
    }

    /// A finger on the phone, where it shows the number that the page shows.
    pub(crate) async fn tap(&self, world: &World, action: &str) {
        self.view("approve").await;
        let token = self.page.evaluate("sessionStorage.getItem('countersign.login')").await;
        world.planted.plant("login token", token.as_str().unwrap());
        let number = self.page.text("#match-number").await;
        self.phone.read("[data-match-number]", &number).await;
        self.phone.click(&format!("[data-request] [data-action={action}]")).await;
    }

    pub(crate) async fn log_out(&self) {
        self.page.click("#logout").await;
        self.view("home").await;
    }

    /// The newest code that a text message brought.
    pub(crate) async fn code(&self, world: &World) -> String {
        self.phone.see("[data-message-code]").await;
        let code =
            self.phone.evaluate("document.querySelector('[data-message-code]').dataset.messageCode").await;
        let code = code.as_str().unwrap().to_owned();
        world.planted.plant("code", &code);
        code
    }

    pub(crate) async fn assert_clean(&self) {
        self.page.assert_clean().await;
        self.phone.assert_clean().await;
    }
}
