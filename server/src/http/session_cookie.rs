//! Sessions in cookies, for pages: whose session lives in one, whose cookie counts, and how it is written.
//!
//! The invariant: where a session lives in a cookie, no page ever sees its token; and a cookie that a browser adds to what
//! a foreign page sends counts for nothing. Whether it lives in one is fixed when its login starts, by the headers of that
//! request; the headers of later ones only say whether a cookie can be set.

use std::borrow::Cow;

use axum::{
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use cookie::{Cookie, CookieBuilder, SameSite, time::Duration};

use super::{
    requester::{bearer_of_headers, sends_bearer},
    settings::{HttpSettings, SessionTransport},
};
use crate::graphql::{CookieChange, CookieSlot, TokenDelivery};

/// A browser takes a cookie of this prefix only with `Secure`, for this host alone and for all its paths (RFC 6265bis
/// §4.1.3.2): no page of another host or of plain http can put one in its place. Browsers count loopback as secure.
const NAME: &str = "__Host-countersign_session";

impl HttpSettings {
    /// Whether the session of whoever sends these headers lives in a cookie.
    pub(super) fn keeps_in_cookie(&self, headers: &HeaderMap) -> bool {
        match self.sessions {
            SessionTransport::Bearer => false,
            SessionTransport::Cookie => true,
            SessionTransport::Both => self.origins.is_own_page(headers),
        }
    }

    /// Whether nothing is done for whoever sends these headers: a page that may not talk to this service, and to whose
    /// requests a browser might add a cookie.
    pub(super) fn turns_away(&self, headers: &HeaderMap) -> bool {
        self.sessions != SessionTransport::Bearer && !self.origins.allow_sender(headers)
    }

    /// The token of the session that a request comes with: a bearer, which a program has put there, or else a cookie. Credentials
    /// of another scheme (`Basic` of a proxy in front) leave the cookie as it is.
    pub(super) fn token_of<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        if sends_bearer(headers) { bearer_of_headers(headers) } else { self.cookie_of(headers) }
    }

    /// The token in the cookie, where cookies of this sender count.
    pub(super) fn cookie_of<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        let counts = match self.sessions {
            SessionTransport::Bearer => false,
            SessionTransport::Cookie => self.origins.allow_sender(headers),
            SessionTransport::Both => {
                !headers.contains_key(header::ORIGIN) || self.origins.is_own_page(headers)
            }
        };
        counts.then(|| only_cookie(headers, &self.cookie_name())).flatten()
    }

    fn cookie_name(&self) -> Cow<'static, str> {
        match self.session_cookie_port {
            None => NAME.into(),
            Some(port) => format!("{NAME}_{port}").into(),
        }
    }

    /// Where the token of a session can go in the answer to these headers; and how the session of a login is delivered that this
    /// request starts.
    pub(super) fn delivery_to(&self, headers: &HeaderMap) -> TokenDelivery {
        if self.keeps_in_cookie(headers) {
            TokenDelivery::InCookie(CookieSlot::default())
        } else {
            TokenDelivery::InAnswer
        }
    }
}

/// Two of a name are one too many: one of them is not ours.
fn only_cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut tokens = pairs.filter(|(found, _)| *found == name).map(|(_, token)| token);
    tokens.next().filter(|_| tokens.next().is_none())
}

/// Sets or removes the cookie as the slot says.
pub(super) fn write(settings: &HttpSettings, slot: &CookieSlot, response: &mut Response) {
    let protected = |value| protected(settings.cookie_name(), value);
    let cookie = match slot.take() {
        None => return,
        Some(CookieChange::Set { token, max_age_seconds }) => {
            protected(token.reveal()).max_age(Duration::seconds(max_age_seconds))
        }
        Some(CookieChange::Remove) => protected(String::new()).max_age(Duration::ZERO),
    };
    if let Ok(mut cookie) = HeaderValue::from_str(&cookie.build().to_string()) {
        cookie.set_sensitive(true);
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}

fn protected(name: Cow<'static, str>, value: String) -> CookieBuilder<'static> {
    Cookie::build((name, value)).path("/").secure(true).http_only(true).same_site(SameSite::Lax)
}

#[cfg(test)]
mod tests {
    use axum::{
        http::{
            HeaderMap, HeaderName, HeaderValue,
            header::{AUTHORIZATION, COOKIE, HOST, ORIGIN, SET_COOKIE},
        },
        response::Response,
    };

    use super::{CookieChange, CookieSlot, HttpSettings, SessionTransport, write};
    use crate::graphql::SessionToken;

    const OURS: &str = "https://login.example.com";
    const APP: &str = "https://app.example.com";
    const FOREIGN: &str = "https://attacker.example.net";
    const COOKIES: &str = "theme=dark; __Host-countersign_session=abc; x=y";

    fn settings(sessions: SessionTransport) -> HttpSettings {
        let mut settings = HttpSettings { sessions, ..HttpSettings::default() };
        settings.origins.own = Some(OURS.to_owned());
        settings.origins.listed = vec![APP.to_owned()];
        settings
    }

    fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        let value =
            |(name, value): &(HeaderName, &'static str)| (name.clone(), HeaderValue::from_static(value));
        let mut map = HeaderMap::new();
        for (name, value) in pairs.iter().map(value) {
            map.append(name, value);
        }
        map
    }

    #[test]
    fn whose_session_lives_in_a_cookie() {
        use SessionTransport::{Bearer, Both, Cookie};
        for (sessions, program, own, app) in
            [(Bearer, false, false, false), (Cookie, true, true, true), (Both, false, true, false)]
        {
            let settings = settings(sessions);
            assert_eq!(settings.keeps_in_cookie(&headers(&[])), program, "{sessions:?}");
            assert_eq!(settings.keeps_in_cookie(&headers(&[(ORIGIN, OURS)])), own, "{sessions:?}");
            assert_eq!(settings.keeps_in_cookie(&headers(&[(ORIGIN, APP)])), app, "{sessions:?}");
        }
    }

    #[test]
    fn whose_cookie_counts() {
        use SessionTransport::{Bearer, Both, Cookie};
        for (sessions, program, own, app) in [
            (Bearer, None, None, None),
            (Cookie, Some("abc"), Some("abc"), Some("abc")),
            (Both, Some("abc"), Some("abc"), None),
        ] {
            let settings = settings(sessions);
            let with = |origin| {
                settings.token_of(&headers(&[(COOKIE, COOKIES), (ORIGIN, origin)])).map(str::to_owned)
            };
            assert_eq!(settings.token_of(&headers(&[(COOKIE, COOKIES)])), program, "{sessions:?}");
            assert_eq!(with(OURS).as_deref(), own, "{sessions:?}");
            assert_eq!(with(APP).as_deref(), app, "{sessions:?}");
            for foreign in [FOREIGN, "null", ""] {
                assert_eq!(with(foreign), None, "{sessions:?} {foreign}");
            }
        }
    }

    #[test]
    fn a_foreign_page_is_turned_away_where_cookies_are_in_use() {
        use SessionTransport::{Bearer, Both, Cookie};
        for (sessions, is_turned_away) in [(Bearer, false), (Cookie, true), (Both, true)] {
            let settings = settings(sessions);
            assert_eq!(settings.turns_away(&headers(&[(ORIGIN, FOREIGN)])), is_turned_away, "{sessions:?}");
            assert_eq!(settings.turns_away(&headers(&[(ORIGIN, OURS), (ORIGIN, FOREIGN)])), is_turned_away);
            for allowed in [&[][..], &[(ORIGIN, OURS)], &[(ORIGIN, APP)]] {
                assert!(!settings.turns_away(&headers(allowed)), "{sessions:?} {allowed:?}");
            }
        }
    }

    #[test]
    fn on_this_machine_a_page_is_the_services_own_where_it_came_from_its_very_port() {
        let mut settings = HttpSettings { sessions: SessionTransport::Both, ..HttpSettings::default() };
        settings.origins.any_on_loopback = true;
        let keeps = |host, origin| settings.keeps_in_cookie(&headers(&[(HOST, host), (ORIGIN, origin)]));
        assert!(
            keeps("127.0.0.1:3000", "http://127.0.0.1:3000")
                && keeps("localhost:3000", "http://localhost:3000")
        );
        assert!(
            !keeps("127.0.0.1:3000", "http://127.0.0.1:5173")
                && !keeps("127.0.0.1:3000", "http://localhost:3000")
        );
        assert!(!keeps("attacker.net:3000", "http://attacker.net:3000"));
    }

    #[test]
    fn a_bearer_counts_before_a_cookie_and_two_cookies_are_nobody() {
        let settings = settings(SessionTransport::Cookie);
        let both = headers(&[(COOKIE, COOKIES), (AUTHORIZATION, "Bearer def")]);
        assert_eq!(settings.token_of(&both), Some("def"));
        let malformed = headers(&[(COOKIE, COOKIES), (AUTHORIZATION, "Bearer d e f")]);
        assert_eq!(settings.token_of(&malformed), None);
        let of_proxy = headers(&[(COOKIE, COOKIES), (AUTHORIZATION, "Basic def")]);
        assert_eq!(settings.token_of(&of_proxy), Some("abc"));
        let twice = headers(&[(COOKIE, COOKIES), (COOKIE, "__Host-countersign_session=def")]);
        assert_eq!(settings.token_of(&twice), None);
    }

    #[test]
    fn a_cookie_is_for_this_host_by_https_and_out_of_reach_of_scripts() {
        let written = |change| {
            let (slot, mut response) = (CookieSlot::default(), Response::default());
            slot.put(change);
            write(&HttpSettings::default(), &slot, &mut response);
            response.headers()[SET_COOKIE].to_str().unwrap().to_owned()
        };
        let token = SessionToken::parse(&"A".repeat(43)).unwrap();
        assert_eq!(
            written(CookieChange::Set { token, max_age_seconds: 43_200 }),
            format!(
                "__Host-countersign_session={}; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=43200",
                "A".repeat(43)
            ),
        );
        assert_eq!(
            written(CookieChange::Remove),
            "__Host-countersign_session=; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=0",
        );
    }

    #[test]
    fn services_on_two_ports_of_a_host_have_cookies_of_their_own() {
        let on_port =
            |port| HttpSettings { session_cookie_port: Some(port), ..settings(SessionTransport::Cookie) };
        let (slot, mut response) = (CookieSlot::default(), Response::default());
        slot.put(CookieChange::Remove);
        write(&on_port(3000), &slot, &mut response);
        let cookie = response.headers()[SET_COOKIE].to_str().unwrap();
        assert!(cookie.starts_with("__Host-countersign_session_3000=; "), "{cookie}");
        let both =
            headers(&[(COOKIE, "__Host-countersign_session_3000=abc; __Host-countersign_session_3001=def")]);
        assert_eq!(on_port(3000).token_of(&both), Some("abc"));
        assert_eq!(on_port(3001).token_of(&both), Some("def"));
        assert_eq!(settings(SessionTransport::Cookie).token_of(&both), None);
    }
}
