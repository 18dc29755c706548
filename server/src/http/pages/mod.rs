//! The login pages: plain HTML, CSS and ES modules without a build step, embedded in the program.
//!
//! They talk to `/graphql` like any other frontend. The invariant: they load nothing from elsewhere, and run nothing that
//! does not stand in a file of this folder.

use std::sync::Arc;

use axum::{
    Router,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{Html, IntoResponse as _, Response},
    routing::get,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

use super::{settings::HttpSettings, state::HttpState};

const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'none'; \
     base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
);

/// The addresses of the views. Each is the same page, so that a reload shows the same again.
const VIEWS: [&str; 7] = ["/", "/signup", "/login", "/verify", "/account", "/password", "/confirm"];

const INDEX: &str = include_str!("index.html");
const NO_PHONE: &str = r#"<meta name="phone" content="">"#;
const NO_ORIGIN: &str = r#"<meta name="public-origin" content="">"#;

/// A file that the page loads.
struct Asset {
    path: &'static str,
    kind: &'static str,
    text: &'static str,
}

macro_rules! assets {
    ($($path:literal: $kind:ident),+ $(,)?) => {
        [$(Asset { path: concat!("/assets/", $path), kind: $kind, text: include_str!($path) }),+]
    };
}

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const IMAGE: &str = "image/svg+xml";

const ASSETS: &[Asset] = &assets! {
    "app.js": SCRIPT,
    "confirmation.js": SCRIPT,
    "countersign.css": STYLE,
    "countries.js": SCRIPT,
    "devices.js": SCRIPT,
    "form.js": SCRIPT,
    "icon.svg": IMAGE,
    "login.js": SCRIPT,
    "operations.js": SCRIPT,
    "sensitive.js": SCRIPT,
    "service.js": SCRIPT,
    "socket.js": SCRIPT,
    "storage.js": SCRIPT,
    "views.js": SCRIPT,
    "views/account.js": SCRIPT,
    "views/approve.js": SCRIPT,
    "views/confirm.js": SCRIPT,
    "views/log-in.js": SCRIPT,
    "views/password.js": SCRIPT,
    "views/seconds.js": SCRIPT,
    "views/sessions.js": SCRIPT,
    "views/signup.js": SCRIPT,
    "views/verify.js": SCRIPT,
};

/// The routes of the pages. They lead to the phone of a sandbox where there is one, and to the service's own origin.
pub(super) fn router(settings: &HttpSettings) -> Router<HttpState> {
    let element = |name: &str, content: Option<&String>| {
        content.map(|content| meta_element(name, content)).unwrap_or_default()
    };
    let page = INDEX
        .replace(NO_PHONE, &element("phone", settings.phone.as_ref()))
        .replace(NO_ORIGIN, &element("public-origin", settings.origins.own.as_ref()));
    let page: Arc<str> = page.into();
    let mut router = Router::new();
    for view in VIEWS {
        let page = page.clone();
        router = router.route(view, get(move || async move { index(&page) }));
    }
    for asset in ASSETS {
        let tag = entity_tag(asset.text);
        router = router
            .route(asset.path, get(move |headers: HeaderMap| async move { serve(asset, &tag, &headers) }));
    }
    router
}

/// An address from the settings, never from a client; escaped all the same, so that it stays one attribute.
fn meta_element(name: &str, content: &str) -> String {
    let escaped = content.replace('&', "&amp;").replace('"', "&quot;");
    format!(r#"<meta name="{name}" content="{escaped}">"#)
}

fn index(page: &str) -> Response {
    ([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(page.to_owned())).into_response()
}

/// A browser asks each time whether what it keeps is still right (RFC 9110 §13.1.2).
fn serve(asset: &Asset, tag: &HeaderValue, headers: &HeaderMap) -> Response {
    let caching =
        [(header::CACHE_CONTROL, HeaderValue::from_static("no-cache")), (header::ETAG, tag.clone())];
    if headers.get(header::IF_NONE_MATCH) == Some(tag) {
        return (StatusCode::NOT_MODIFIED, caching).into_response();
    }
    (caching, [(header::CONTENT_TYPE, asset.kind)], asset.text).into_response()
}

#[expect(clippy::expect_used, reason = "base64 between quotes is a header value")]
fn entity_tag(text: &str) -> HeaderValue {
    let tag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(Sha256::digest(text)));
    HeaderValue::from_str(&tag).expect("printable ASCII")
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::{ASSETS, INDEX, NO_ORIGIN, NO_PHONE, SCRIPT, meta_element};

    /// What stands in quotes after one of these words: what a file refers to.
    fn referred(text: &str, words: &[&str], quote: char) -> Vec<String> {
        let after = |word: &&str| {
            text.split(&format!("{word}{quote}"))
                .skip(1)
                .filter_map(|rest| rest.split(quote).next())
                .collect::<Vec<_>>()
        };
        words.iter().flat_map(after).map(str::to_owned).collect()
    }

    fn served() -> BTreeSet<String> {
        ASSETS.iter().map(|asset| asset.path.to_owned()).collect()
    }

    #[test]
    fn every_file_of_the_folder_is_served() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http/pages");
        let mut files = BTreeSet::new();
        for folder in ["", "views/"] {
            for entry in fs::read_dir(root.join(folder)).unwrap().map(Result::unwrap) {
                if entry.file_type().unwrap().is_file() {
                    files.insert(format!("/assets/{folder}{}", entry.file_name().to_str().unwrap()));
                }
            }
        }
        files.retain(|file| Path::new(file).extension().is_none_or(|kind| kind != "rs" && kind != "html"));
        assert_eq!(files, served());
    }

    #[test]
    fn the_page_loads_what_is_served_and_nothing_else() {
        let loaded = referred(INDEX, &["src=", "rel=\"stylesheet\" href=", "rel=\"icon\" href="], '"');
        assert_eq!(loaded.len(), 3);
        assert!(loaded.iter().all(|path| served().contains(path)), "{loaded:?}");
        let mut imports = 0;
        for asset in ASSETS.iter().filter(|asset| asset.kind == SCRIPT) {
            for import in referred(asset.text, &["from "], '\'') {
                let folder = if asset.path.contains("/views/") { "/assets/views" } else { "/assets" };
                let path = format!("{folder}/{import}").replace("/./", "/").replace("/views/../", "/");
                assert!(served().contains(&path), "{} imports {path}", asset.path);
                imports += 1;
            }
        }
        assert!(imports > 20, "only {imports} imports were found");
    }

    #[test]
    fn no_field_cuts_or_judges_what_is_pasted() {
        let field = |id: &str| {
            let start = INDEX.find(&format!("id=\"{id}\"")).expect(id);
            INDEX[start..].split('>').next().expect(id)
        };
        for id in ["signup-phone", "verify-code"] {
            for attribute in ["maxlength", "pattern", "type=\"number\""] {
                assert!(!field(id).contains(attribute), "{id}: {attribute}");
            }
        }
        assert_eq!(INDEX.matches("<form").count(), INDEX.matches("novalidate>").count());
    }

    #[test]
    fn nothing_is_written_where_the_policy_forbids_it() {
        for forbidden in ["<script>", "<style", " style=", " onclick=", "javascript:", "http://", "https://"]
        {
            assert!(!INDEX.contains(forbidden), "{forbidden}");
        }
        for asset in ASSETS.iter().filter(|asset| asset.kind == SCRIPT) {
            for forbidden in ["innerHTML", "eval(", "insertAdjacentHTML", "document.write"] {
                assert!(!asset.text.contains(forbidden), "{}: {forbidden}", asset.path);
            }
        }
    }

    #[test]
    fn an_address_is_one_attribute_whatever_it_holds() {
        assert!(INDEX.contains(NO_PHONE) && INDEX.contains(NO_ORIGIN));
        assert_eq!(
            meta_element("phone", "http://a\"&"),
            r#"<meta name="phone" content="http://a&quot;&amp;">"#
        );
    }
}
