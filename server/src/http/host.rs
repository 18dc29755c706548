//! Which names a request may reach the operator's listener by.
//!
//! A page that an operator opens can have its own name resolve to this machine (DNS rebinding), and then read what is told
//! here as if it were its own. Its requests still carry that name. The invariant: a name that anybody can have in the public
//! DNS is refused unless the operator lists it.

use std::net::IpAddr;

use axum::{
    Router,
    extract::Request,
    http::{StatusCode, header, uri::Authority},
    middleware,
    middleware::Next,
    response::IntoResponse as _,
};

/// Top-level names that the public DNS never has (RFC 6761, RFC 6762, RFC 8375; ICANN for `internal`), and Kubernetes' own.
const PRIVATE_SUFFIXES: [&str; 6] =
    [".localhost", ".local", ".internal", ".home.arpa", ".svc", ".cluster.local"];

/// Refuses requests for other hosts with 421. `listed` are names that are allowed beside addresses, names without a dot and
/// names that only private networks have.
pub fn own_hosts_only(router: Router, listed: Vec<String>) -> Router {
    let check = move |request: Request, next: Next| {
        let is_own = request
            .headers()
            .get_all(header::HOST)
            .iter()
            .all(|host| host.to_str().is_ok_and(|host| is_own(host, &listed)));
        async move {
            if is_own {
                return next.run(request).await;
            }
            let message = "METRICS_HOSTS does not list this host.\n";
            (StatusCode::MISDIRECTED_REQUEST, message).into_response()
        }
    };
    router.layer(middleware::from_fn(check))
}

fn is_own(host: &str, listed: &[String]) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host();
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    address.parse::<IpAddr>().is_ok()
        || !name.contains('.')
        || PRIVATE_SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
        || listed.iter().any(|listed| listed.eq_ignore_ascii_case(&name))
}

#[cfg(test)]
mod tests {
    use axum::{Router, body::Body, http::Request, routing::get};
    use tower::ServiceExt as _;

    use super::own_hosts_only;

    async fn status(host: Option<&str>) -> u16 {
        let router = Router::new().route("/metrics", get(async || "counts"));
        let router = own_hosts_only(router, vec!["metrics.example.com".to_owned()]);
        let request = Request::get("/metrics");
        let request = match host {
            Some(host) => request.header("host", host),
            None => request,
        };
        router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap().status().as_u16()
    }

    #[tokio::test]
    async fn a_name_that_a_stranger_can_have_is_misdirected() {
        for host in [
            "attacker.net",
            "attacker.net:9464",
            "127.0.0.1.attacker.net",
            "localhost.attacker.net",
            "a b",
            "",
        ] {
            assert_eq!(status(Some(host)).await, 421, "{host}");
        }
    }

    #[tokio::test]
    async fn addresses_private_names_and_listed_ones_are_served() {
        for host in [
            "127.0.0.1:9464",
            "[::1]:9464",
            "10.0.0.7",
            "localhost:9464",
            "countersign:9464",
            "host.docker.internal:9464",
            "countersign.default.svc.cluster.local:9464",
            "Metrics.Example.com:9464",
        ] {
            assert_eq!(status(Some(host)).await, 200, "{host}");
        }
        assert_eq!(status(None).await, 200);
    }
}
