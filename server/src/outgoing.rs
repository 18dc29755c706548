//! The proxy for outgoing requests: to the provider, to the collector of spans, and those of the doctor.
//!
//! Only https goes through it, by CONNECT, so that the proxy sees a host name and nothing of a request. Plain http stays on
//! this machine or within the deployment, and loopback is never proxied.

use std::{fmt, str::FromStr};

use reqwest::{ClientBuilder, NoProxy, Proxy};
use url::Url;

/// Hosts that are reached directly whatever the settings say.
const ALWAYS_DIRECT: &str = "localhost,127.0.0.0/8,::1";

/// The URL of a proxy. It may hold a password, which `Debug` does not show.
#[derive(Clone, PartialEq, Eq)]
pub struct ProxyUrl(Url);

/// Which outgoing requests go through a proxy; none by default.
#[derive(Clone, Debug, Default)]
pub struct OutgoingProxy {
    https: Option<ProxyUrl>,
    direct: String,
}

impl FromStr for ProxyUrl {
    type Err = &'static str;

    /// Reads `http://[USER:PASSWORD@]HOST[:PORT]`; without a scheme it is http, as for curl.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const PROBLEM: &str = "must be a proxy's URL: http://[USER:PASSWORD@]HOST:PORT";
        let url = if text.contains("://") { Url::parse(text) } else { Url::parse(&format!("http://{text}")) };
        let url = url.map_err(|_| PROBLEM)?;
        let is_proxy = matches!(url.scheme(), "http" | "https")
            && url.host_str().is_some_and(|host| !host.is_empty())
            && matches!(url.path(), "" | "/")
            && url.query().is_none()
            && url.fragment().is_none();
        if is_proxy { Ok(Self(url)) } else { Err(PROBLEM) }
    }
}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ProxyUrl({})", self.0.host_str().unwrap_or_default())
    }
}

impl OutgoingProxy {
    /// `https`: the proxy for https URLs. `direct`: hosts, domains and networks that need none, with commas.
    #[must_use]
    pub const fn new(https: Option<ProxyUrl>, direct: String) -> Self {
        Self { https, direct }
    }

    /// Gives a client its proxy, and no other: the process environment is not read.
    pub fn apply(&self, client: ClientBuilder) -> reqwest::Result<ClientBuilder> {
        let client = client.no_proxy();
        let Some(ProxyUrl(url)) = &self.https else { return Ok(client) };
        let direct = NoProxy::from_string(&format!("{ALWAYS_DIRECT},{}", self.direct));
        Ok(client.proxy(Proxy::https(url.clone())?.no_proxy(direct)))
    }
}

#[cfg(test)]
mod tests {
    use reqwest::Client;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    /// Sends one request through a proxy that lets nothing pass but its first bytes, and returns what the proxy saw: the
    /// head of the request, and the first bytes of what was to be tunnelled. `None` if the proxy was not asked.
    async fn seen_by_proxy(url: &str, direct: &str) -> Option<(String, Vec<u8>)> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = format!("http://user:planted@{}", listener.local_addr().unwrap()).parse().unwrap();
        let proxy = OutgoingProxy::new(Some(proxy), direct.to_owned());
        let client = proxy.apply(Client::builder()).unwrap().build().unwrap();
        let (mut seen, accepted) = (None, async {
            let (mut socket, _) = listener.accept().await.unwrap();
            let (mut head, mut byte) = (Vec::new(), [0]);
            while !head.ends_with(b"\r\n\r\n") && socket.read(&mut byte).await.unwrap() == 1 {
                head.push(byte[0]);
            }
            socket.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            let mut tunnelled = vec![0; 512];
            let length = socket.read(&mut tunnelled).await.unwrap();
            tunnelled.truncate(length);
            (String::from_utf8(head).unwrap(), tunnelled)
        });
        let request = client.get(url).header("x-authy-api-key", "planted-key").send();
        tokio::select! {
            proxied = accepted => seen = Some(proxied),
            answer = request => assert!(answer.is_err()),
        }
        seen
    }

    #[tokio::test]
    async fn https_is_tunnelled_and_the_proxy_sees_a_host_name_alone() {
        let (head, tunnelled) = seen_by_proxy("https://api.authy.invalid/protected/1", "").await.unwrap();
        assert!(head.starts_with("CONNECT api.authy.invalid:443 HTTP/1.1\r\n"), "{head}");
        // RFC 7617: "user:planted" in base64.
        assert!(head.to_lowercase().contains("proxy-authorization: basic"), "{head}");
        assert!(head.contains("dXNlcjpwbGFudGVk"), "{head}");
        assert!(!head.contains("planted-key") && !head.contains("/protected"), "{head}");
        // RFC 8446 §5.1: a handshake record, of TLS 1.0 for compatibility.
        assert_eq!(tunnelled[..2], [22, 3]);
        assert!(!tunnelled.windows(7).any(|bytes| bytes == b"planted"));
    }

    #[tokio::test]
    async fn http_loopback_and_named_hosts_are_reached_directly() {
        for (url, direct) in [
            ("http://api.authy.invalid/", ""),
            ("https://127.0.0.1:9/", ""),
            ("https://localhost:9/", ""),
            ("https://api.authy.invalid/", "authy.invalid"),
            ("https://api.authy.invalid/", "other.example, .authy.invalid"),
            ("https://api.authy.invalid/", "*"),
        ] {
            assert_eq!(seen_by_proxy(url, direct).await, None, "{url} {direct}");
        }
    }

    #[test]
    fn a_proxy_is_a_host_and_its_password_is_not_shown() {
        for text in
            ["http://proxy:3128", "https://user:planted@proxy.example", "proxy.example:3128", "10.0.0.1:3128"]
        {
            let proxy: ProxyUrl = text.parse().unwrap();
            assert!(!format!("{proxy:?}").contains("planted"));
        }
        for text in ["", "socks5://proxy:1080", "http://", "http://proxy/path", "http://proxy?a=b", "a b"] {
            assert!(text.parse::<ProxyUrl>().is_err(), "{text}");
        }
    }
}
