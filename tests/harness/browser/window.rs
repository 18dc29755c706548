//! One window of a browser, and what a person does in it.

use std::{thread, time::Duration};

use chromiumoxide::{
    Page,
    cdp::{
        browser_protocol::{
            emulation::{MediaFeature, SetDeviceMetricsOverrideParams},
            input::InsertTextParams,
            page::CaptureScreenshotFormat,
        },
        js_protocol::runtime::EvaluateParams,
    },
    error::CdpError,
    layout::Point,
    page::ScreenshotParams,
};
use serde_json::{Value, json};
use tokio::{task::JoinSet, time::timeout};

use super::{PATIENCE, troubles::Troubles};

/// Resolves when an element that matches is visible and holds the text, or when none is and does.
const WAIT: &str = "(selector, text, isWanted) => new Promise((resolve) => {
  const isThere = () => [...document.querySelectorAll(selector)].some(
    (element) => element.checkVisibility() && (text === null || element.textContent.includes(text)));
  const observer = new MutationObserver(() => look());
  const look = () => {
    if (isThere() === isWanted) {
      observer.disconnect();
      resolve(true);
    }
  };
  observer.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
  look();
})";

const MIDDLE: &str = "(selector) => {
  const element = [...document.querySelectorAll(selector)].find((element) => element.checkVisibility());
  element.scrollIntoView({ block: 'center', behavior: 'instant' });
  const { left, top, width, height } = element.getBoundingClientRect();
  return [left + width / 2, top + height / 2];
}";

/// A window. What goes wrong in it is kept from its first moment; a story fails in the end where that was not forgiven.
#[derive(Debug)]
pub struct Window {
    page: Page,
    troubles: Troubles,
    _listening: JoinSet<()>,
    /// How long a condition may take.
    patience: Duration,
}

impl Window {
    pub(super) async fn over(page: Page, allowed: Vec<String>) -> Self {
        let (troubles, listening) = Troubles::of(&page, allowed).await;
        Self { page, troubles, _listening: listening, patience: PATIENCE }
    }

    /// Waits no longer than this for what is to be seen: for stories about waiting in vain.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Goes to an address.
    pub async fn goto(&self, url: &str) {
        self.page.goto(url).await.unwrap_or_else(|error| panic!("{url}: {error}"));
    }

    /// Sets out for an address, and leaves it to the story to see what is there. For addresses that lead elsewhere: where a page
    /// changes its address while it is still loading, the driver waits for its end in vain.
    pub async fn set_out_for(&self, url: &str) {
        self.call("(url) => location.assign(url)", &[json!(url)]).await;
    }

    /// Runs a script before any of a page's own, in every page that this window opens from now on.
    pub async fn prepare(&self, script: &str) {
        self.page.evaluate_on_new_document(script).await.unwrap();
    }

    /// Loads the page again.
    pub async fn reload(&self) {
        self.page.reload().await.unwrap();
    }

    /// Waits until an element that matches can be seen.
    pub async fn see(&self, selector: &str) {
        self.wait(selector, None, true).await;
    }

    /// Waits until an element that matches can be seen with this text in it.
    pub async fn read(&self, selector: &str, text: &str) {
        self.wait(selector, Some(text), true).await;
    }

    /// Waits until no element that matches can be seen.
    pub async fn miss(&self, selector: &str) {
        self.wait(selector, None, false).await;
    }

    async fn wait(&self, selector: &str, text: Option<&str>, is_wanted: bool) {
        let call = call(WAIT, &[json!(selector), json!(text), json!(is_wanted)]);
        if timeout(self.patience, self.evaluate_in_whatever_page(&call)).await.is_err() {
            let waited = format!("{selector} {text:?} {is_wanted}");
            panic!("waited in vain for {waited}: {}\n{:#?}", self.seen().await, self.troubles());
        }
    }

    /// Where the window is, and all that can be read in it.
    async fn seen(&self) -> String {
        let seen = self.evaluate_in_whatever_page("`${location.href}\n${document.body?.innerText}`");
        let Ok(seen) = timeout(PATIENCE, seen).await else { return "the page does not answer".to_owned() };
        seen.as_str().unwrap_or_default().to_owned()
    }

    /// A click in the middle of the element, once it can be seen.
    pub async fn click(&self, selector: &str) {
        self.see(selector).await;
        let middle = self.call(MIDDLE, &[json!(selector)]).await;
        let point = Point { x: middle[0].as_f64().unwrap(), y: middle[1].as_f64().unwrap() };
        self.page.click(point).await.unwrap();
    }

    /// Types a text into a field, in place of what stands there.
    pub async fn fill(&self, selector: &str, text: &str) {
        self.click(selector).await;
        self.call("(selector) => document.querySelector(selector).select()", &[json!(selector)]).await;
        self.page.execute(InsertTextParams::new(text)).await.unwrap();
    }

    /// Presses a key: `Enter`, `Tab`.
    pub async fn press(&self, key: &str) {
        self.page.find_element(":focus").await.unwrap().press_key(key).await.unwrap();
    }

    /// Chooses an entry of a list by its text.
    pub async fn choose(&self, selector: &str, text: &str) {
        self.see(selector).await;
        let choose = "(selector, text) => {
          const list = document.querySelector(selector);
          list.selectedIndex = [...list.options].findIndex((option) => option.text === text);
          list.dispatchEvent(new Event('change', { bubbles: true }));
        }";
        self.call(choose, &[json!(selector), json!(text)]).await;
    }

    /// The text of an element, once it can be seen.
    pub async fn text(&self, selector: &str) -> String {
        self.see(selector).await;
        let text =
            self.call("(selector) => document.querySelector(selector).innerText", &[json!(selector)]).await;
        text.as_str().unwrap().to_owned()
    }

    /// The path of the page.
    pub async fn path(&self) -> String {
        self.evaluate("location.pathname").await.as_str().unwrap().to_owned()
    }

    /// What an expression comes to in the page; a promise, once it is kept.
    pub async fn evaluate(&self, expression: &str) -> Value {
        let Ok(value) = timeout(self.patience, self.evaluate_in_whatever_page(expression)).await else {
            let (seen, troubles) = (self.seen().await, self.troubles());
            panic!("evaluated in vain: {expression}: {seen}\n{troubles:#?}");
        };
        value
    }

    async fn evaluate_in_whatever_page(&self, expression: &str) -> Value {
        loop {
            let mut asked = EvaluateParams::new(expression);
            (asked.await_promise, asked.return_by_value) = (Some(true), Some(true));
            match self.page.evaluate_expression(asked).await {
                Ok(result) => return result.value().cloned().unwrap_or_default(),
                // The page has gone, and what was asked with it: the next one is asked.
                Err(CdpError::Chrome(_) | CdpError::ChromeMessage(_) | CdpError::NotFound) => {}
                Err(error) => panic!("{expression}: {error}"),
            }
        }
    }

    async fn call(&self, function: &str, arguments: &[Value]) -> Value {
        self.evaluate(&call(function, arguments)).await
    }

    /// Brings the window before the others: what is behind others sleeps.
    pub async fn come_to_front(&self) {
        self.page.bring_to_front().await.unwrap();
    }

    /// Light or dark, as the person has set their machine: `light`, `dark`.
    pub async fn prefer(&self, scheme: &str) {
        let feature = MediaFeature::new("prefers-color-scheme", scheme);
        self.page.emulate_media_features(vec![feature]).await.unwrap();
    }

    /// The size of the window, in CSS pixels.
    pub async fn resize(&self, width: i64, height: i64) {
        self.page.execute(SetDeviceMetricsOverrideParams::new(width, height, 1.5, false)).await.unwrap();
    }

    /// Waits until nothing moves by itself any more but what goes on for ever.
    pub async fn still(&self) {
        let still = "Promise.all(document.getAnimations()
          .filter((animation) => animation.effect.getComputedTiming().endTime !== Infinity)
          .map((animation) => animation.finished.catch(() => {}))).then(() => true)";
        self.evaluate(still).await;
    }

    /// What is seen, as PNG.
    pub async fn screenshot(&self) -> Vec<u8> {
        let parameters = ScreenshotParams::builder().format(CaptureScreenshotFormat::Png).build();
        self.page.screenshot(parameters).await.unwrap()
    }

    /// Gives what was set off already the turns in which it goes wrong, and is told.
    async fn hear_all(&self) {
        self.evaluate("new Promise((resolve) => setTimeout(() => setTimeout(() => resolve(true))))").await;
    }

    /// What has gone wrong so far.
    #[must_use]
    pub fn troubles(&self) -> Vec<String> {
        self.troubles.all()
    }

    /// Expects troubles that hold this text, and forgets them.
    pub async fn forgive(&self, part: &str) {
        self.hear_all().await;
        assert!(self.troubles.take(part) > 0, "no {part} in {:?}", self.troubles());
    }

    /// Closes the story of a window in which more went wrong than was asked about.
    pub fn forget(self) {
        self.troubles.take("");
    }

    /// That nothing has gone wrong: no error on the console, no policy broken, no request elsewhere.
    pub async fn assert_clean(&self) {
        self.hear_all().await;
        assert!(self.troubles().is_empty(), "{:#?}", self.troubles());
    }
}

/// What nobody has looked at is looked at in the end.
impl Drop for Window {
    fn drop(&mut self) {
        if !thread::panicking() {
            assert!(self.troubles().is_empty(), "{:#?}", self.troubles());
        }
    }
}

/// The expression that calls a function.
fn call(function: &str, arguments: &[Value]) -> String {
    let arguments: Vec<String> = arguments.iter().map(Value::to_string).collect();
    format!("({function})({})", arguments.join(", "))
}
