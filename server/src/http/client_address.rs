//! Where a request really comes from, behind proxies that say so.
//!
//! Read from the right: each proxy adds whom it was asked by, and what stands further left than the first address that is
//! no proxy of ours was made up by whoever stands there. The invariant: without a trusted proxy no header counts.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderName, header};
use ipnet::IpNet;

use super::{occasional::Occasional, settings::TrustedProxies};
pub use crate::graphql::ClientAddress;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

impl TrustedProxies {
    /// Whether what comes from this address is told by a proxy of ours.
    pub(super) fn contain(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| {
            network.contains(&address)
                // `::ffff:10.0.0.0/104`, as a dual-stack system writes it.
                || matches!((network, address), (IpNet::V6(network), IpAddr::V4(address))
                    if network.contains(&address.to_ipv6_mapped()))
        })
    }

    /// The address of the client. Where both headers are there and disagree, one of them was made up: it is then as if all
    /// such clients sat at the proxy.
    pub(super) fn client_of(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.to_canonical();
        if !self.contain(peer) {
            if headers.contains_key(header::FORWARDED) || headers.contains_key(X_FORWARDED_FOR) {
                warn_of_unlisted_proxy(peer);
            }
            return peer;
        }
        let from = |name: HeaderName, read| {
            headers.contains_key(&name).then(|| self.farthest(peer, headers, &name, read))
        };
        match (from(header::FORWARDED, forwarded_for), from(X_FORWARDED_FOR, address)) {
            (Some(one), Some(other)) if one != other => peer,
            (Some(client), _) | (None, Some(client)) => client,
            (None, None) => peer,
        }
    }

    /// Goes from proxy to proxy, as far as they are trusted and tell an address.
    fn farthest(
        &self,
        peer: IpAddr,
        headers: &HeaderMap,
        name: &HeaderName,
        read: fn(&str) -> Option<IpAddr>,
    ) -> IpAddr {
        let mut client = peer;
        for value in headers.get_all(name).into_iter().rev() {
            let Ok(value) = value.to_str() else { return client };
            // Lists may have empty elements (RFC 9110, section 5.6.1.2).
            for hop in value.rsplit(',').filter(|hop| !hop.trim().is_empty()) {
                let Some(address) = read(hop) else { return client };
                client = address;
                if !self.contain(client) {
                    return client;
                }
            }
        }
        client
    }
}

/// Warns of a peer that sends forwarding headers and is not trusted: all clients of a proxy that is not listed share one address, and
/// its limits.
fn warn_of_unlisted_proxy(peer: IpAddr) {
    static WARNING: Occasional = Occasional::new();
    if WARNING.is_due() {
        tracing::warn!(%peer, "forwarding header ignored: TRUSTED_PROXIES has to name the peer if it is a proxy of yours");
    }
}

/// The address in one element of `Forwarded` (RFC 7239 §4): `for="[2001:db8::1]:4711";proto=https`.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let mut nodes = pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case("for"));
    match (nodes.next(), nodes.next()) {
        (Some((_, node)), None) => address(node.trim().trim_matches('"')),
        _ => None,
    }
}

/// An address as proxies write it: with a port or without, IPv6 in brackets or bare.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse()
        .ok()
        .or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
        .map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use axum::http::{HeaderMap, HeaderName, HeaderValue};

    use super::TrustedProxies;

    fn client(peer: &str, headers: &[(&'static str, &str)]) -> String {
        let trusted = TrustedProxies(vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()]);
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        trusted.client_of(peer.parse::<IpAddr>().unwrap(), &map).to_string()
    }

    #[test]
    fn a_stranger_cannot_say_where_they_are() {
        let headers = [("x-forwarded-for", "203.0.113.1"), ("forwarded", "for=203.0.113.1")];
        assert_eq!(client("198.51.100.7", &headers), "198.51.100.7");
        assert_eq!(client("::ffff:198.51.100.7", &headers), "198.51.100.7");
    }

    #[test]
    fn what_the_nearest_proxy_says_counts_and_what_its_client_made_up_does_not() {
        let made_up = "203.0.113.66, 198.51.100.7";
        assert_eq!(client("10.0.0.1", &[("x-forwarded-for", made_up)]), "198.51.100.7");
        assert_eq!(client("10.0.0.1", &[("x-forwarded-for", "198.51.100.7, 10.1.1.1")]), "198.51.100.7");
        let lines = [("x-forwarded-for", "203.0.113.66"), ("x-forwarded-for", "198.51.100.7")];
        assert_eq!(client("10.0.0.1", &lines), "198.51.100.7");
        let forwarded = "for=\"203.0.113.66, for=198.51.100.7;proto=https, For=\"[fd00::1]:80\"";
        assert_eq!(client("10.0.0.1", &[("forwarded", forwarded)]), "198.51.100.7");
    }

    #[test]
    fn addresses_are_written_in_many_ways() {
        for (text, address) in [
            ("198.51.100.7:4711", "198.51.100.7"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
            ("::ffff:198.51.100.7", "198.51.100.7"),
        ] {
            assert_eq!(client("10.0.0.1", &[("x-forwarded-for", text)]), address);
            assert_eq!(client("10.0.0.1", &[("forwarded", &format!("for=\"{text}\""))]), address);
        }
    }

    #[test]
    fn empty_elements_of_a_list_are_skipped() {
        for list in
            ["198.51.100.7,", ",198.51.100.7", "203.0.113.66,, 198.51.100.7, ,", "198.51.100.7, , 10.1.1.1,"]
        {
            assert_eq!(client("10.0.0.1", &[("x-forwarded-for", list)]), "198.51.100.7", "{list}");
        }
        assert_eq!(client("10.0.0.1", &[("forwarded", "for=198.51.100.7, ,")]), "198.51.100.7");
        let lines = [("x-forwarded-for", "198.51.100.7"), ("x-forwarded-for", "")];
        assert_eq!(client("10.0.0.1", &lines), "198.51.100.7");
    }

    #[test]
    fn a_mapped_network_holds_the_addresses_of_ipv4_in_it() {
        let trusted = TrustedProxies(vec!["::ffff:10.0.0.0/104".parse().unwrap()]);
        for (address, is_proxy) in
            [("10.255.0.1", true), ("::ffff:10.0.0.1", true), ("11.0.0.1", false), ("fd00::1", false)]
        {
            assert_eq!(trusted.contain(address.parse().unwrap()), is_proxy, "{address}");
        }
        let one = TrustedProxies(vec!["::ffff:10.0.0.1/128".parse().unwrap()]);
        assert!(one.contain("10.0.0.1".parse().unwrap()) && !one.contain("10.0.0.2".parse().unwrap()));
    }

    #[test]
    fn what_is_no_address_ends_the_way() {
        for text in ["unknown", "_hidden", "", "198.51.100", "203.0.113.1, unknown"] {
            assert_eq!(client("10.0.0.1", &[("x-forwarded-for", text)]), "10.0.0.1", "{text}");
        }
        assert_eq!(client("10.0.0.1", &[("x-forwarded-for", "unknown, 10.0.0.2")]), "10.0.0.2");
        assert_eq!(client("10.0.0.1", &[("forwarded", "for=a;for=203.0.113.1")]), "10.0.0.1");
    }

    #[test]
    fn two_headers_that_disagree_are_no_way_to_choose_an_address() {
        let agreeing = [("x-forwarded-for", "198.51.100.7"), ("forwarded", "for=198.51.100.7")];
        assert_eq!(client("10.0.0.1", &agreeing), "198.51.100.7");
        let disagreeing = [("x-forwarded-for", "198.51.100.7"), ("forwarded", "for=203.0.113.66")];
        assert_eq!(client("10.0.0.1", &disagreeing), "10.0.0.1");
    }
}
