//! Whose request it is by address: the other end of the connection, or whom a proxy names that is believed.
//!
//! A name is believed only from the networks of the settings, and only as far as they reach: what a client writes into
//! the headers itself stands to the left of what the first proxy of ours has added.

use std::{
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Once},
};

use axum::{
    extract::{Request, State},
    http::HeaderMap,
    middleware::Next,
    response::Response,
};
use ipnet::IpNet;

use super::{
    App, RemoteAddr,
    accept::{self, Media},
    answer,
    backend::Backend,
    observe::RequestId,
};

/// Whoever asks, as far as an address says it: that of a version 4 network, or the /64 of version 6, within which
/// one household or machine has as many addresses as it likes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Client(IpAddr);

impl Client {
    /// Its address; of a version 6 network the first.
    pub const fn address(self) -> IpAddr {
        self.0
    }

    /// The client behind an address.
    pub fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(address) => IpAddr::V4(address),
            IpAddr::V6(address) => {
                IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)))
            }
        })
    }
}

/// Finds out whose request it is, and whether that address may send one more. Whoever watches the server's health is
/// never held up.
pub(super) async fn meet<B: Backend>(
    State(app): State<Arc<App<B>>>,
    mut request: Request,
    next: Next,
) -> Response {
    let remote = request.extensions().get::<RemoteAddr>().map(|remote| remote.0.ip());
    let client = remote.map(|remote| behind(remote, request.headers(), &app.options.proxies));
    if !matches!(request.uri().path(), "/healthz" | "/readyz")
        && let Err(refusal) = app.paces.address(client)
    {
        let media = accept::media(request.headers()).unwrap_or(Media::Json);
        let language = accept::language(request.headers());
        return answer::refused(&refusal, media, language, &RequestId::of(&request));
    }
    if let Some(client) = client {
        request.extensions_mut().insert(client);
    }
    next.run(request).await
}

/// The client behind a connection.
fn behind(remote: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> Client {
    let trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(&address));
    let remote = remote.to_canonical();
    if !trusted(remote) {
        if headers.contains_key("x-forwarded-for") || headers.contains_key("forwarded") {
            unnamed();
        }
        return Client::of(remote);
    }
    let follow = |name: &str, read: fn(&str) -> Option<IpAddr>| {
        let values: Vec<&str> =
            headers.get_all(name).into_iter().map(|value| value.to_str().unwrap_or("?")).collect();
        if values.is_empty() {
            return None;
        }
        let mut nearest = remote;
        for hop in values.iter().rev().flat_map(|value| value.rsplit(',')) {
            // A name that is no address ends the chain: whoever is beyond is not known.
            let Some(address) = read(hop.trim()) else { break };
            nearest = address.to_canonical();
            if !trusted(nearest) {
                break;
            }
        }
        Some(nearest)
    };
    let said = (follow("x-forwarded-for", plain), follow("forwarded", forwarded));
    Client::of(match said {
        (Some(one), Some(other)) if one == other => one,
        // One of them is the client's own invention, and it is not known which.
        (Some(_), Some(_)) | (None, None) => remote,
        (Some(address), None) | (None, Some(address)) => address,
    })
}

/// Says once that somebody passes requests on who is not believed: whoever has forgotten to name a proxy sees all its
/// users share one limit.
fn unnamed() {
    static SAID: Once = Once::new();
    SAID.call_once(|| {
        tracing::warn!("a request was passed on by an address that trusted_proxies does not name; it counts as the client");
    });
}

/// An address as `X-Forwarded-For` has it; some proxies add the port.
fn plain(hop: &str) -> Option<IpAddr> {
    let bare = hop.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(hop);
    let with_port = || hop.parse().ok().map(|address: std::net::SocketAddr| address.ip());
    bare.parse().ok().or_else(with_port)
}

/// An address as `Forwarded` has it: the parameter `for`, in quotes where it is one of version 6.
fn forwarded(hop: &str) -> Option<IpAddr> {
    let mut named = hop.split(';').filter_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| value.trim().trim_matches('"'))
    });
    let name = named.next()?;
    named.next().is_none().then(|| plain(name)).flatten()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const XFF: &str = "x-forwarded-for";
    const FORWARDED: &str = "forwarded";

    #[rstest]
    #[case::nobody_is_trusted("192.0.2.9", &[(XFF, "203.0.113.7")], "192.0.2.9")]
    #[case::a_proxy_without_headers("10.0.0.1", &[], "10.0.0.1")]
    #[case::one_proxy("10.0.0.1", &[(XFF, "203.0.113.7")], "203.0.113.7")]
    #[case::what_the_client_wrote("10.0.0.1", &[(XFF, "1.1.1.1, 203.0.113.7")], "203.0.113.7")]
    #[case::two_proxies("10.0.0.1", &[(XFF, "1.1.1.1, 203.0.113.7, 10.9.9.9")], "203.0.113.7")]
    #[case::in_two_headers("10.0.0.1", &[(XFF, "1.1.1.1"), (XFF, "203.0.113.7, 10.9.9.9")], "203.0.113.7")]
    #[case::from_inside("10.0.0.1", &[(XFF, "10.7.7.7")], "10.7.7.7")]
    #[case::nonsense("10.0.0.1", &[(XFF, "203.0.113.7, unknown")], "10.0.0.1")]
    #[case::nonsense_beyond("10.0.0.1", &[(XFF, "unknown, 10.2.2.2")], "10.2.2.2")]
    #[case::with_ports("10.0.0.1", &[(XFF, "203.0.113.7:5555")], "203.0.113.7")]
    #[case::version_six("10.0.0.1", &[(XFF, "2001:db8:1:2:3:4:5:6")], "2001:db8:1:2::")]
    #[case::mapped("::ffff:10.0.0.1", &[(XFF, "::ffff:203.0.113.7")], "203.0.113.7")]
    #[case::standard("10.0.0.1", &[(FORWARDED, "for=1.1.1.1, proto=https;For=\"203.0.113.7:99\"")], "203.0.113.7")]
    #[case::standard_six("10.0.0.1", &[(FORWARDED, "for=\"[2001:db8:1:2:3:4:5:6]:80\"")], "2001:db8:1:2::")]
    #[case::standard_hidden("10.0.0.1", &[(FORWARDED, "for=_hidden")], "10.0.0.1")]
    #[case::both_agree("10.0.0.1", &[(FORWARDED, "for=203.0.113.7"), (XFF, "203.0.113.7")], "203.0.113.7")]
    #[case::both_differ("10.0.0.1", &[(FORWARDED, "for=203.0.113.7"), (XFF, "203.0.113.8")], "10.0.0.1")]
    fn the_client_is_the_rightmost_that_is_not_trusted(
        #[case] remote: &str,
        #[case] headers: &[(&'static str, &str)],
        #[case] expected: &str,
    ) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        let found = behind(remote.parse().unwrap(), &map, &trusted);
        assert_eq!(found, Client(expected.parse().unwrap()));
    }

    #[test]
    fn a_network_of_version_six_is_one_client() {
        let client = |text: &str| Client::of(text.parse().unwrap());
        assert_eq!(client("2001:db8::1"), client("2001:db8::ffff:1"));
        assert_ne!(client("2001:db8::1"), client("2001:db8:0:1::1"));
        assert_eq!(client("::ffff:192.0.2.1"), client("192.0.2.1"));
        assert_ne!(client("192.0.2.1"), client("192.0.2.2"));
    }
}
