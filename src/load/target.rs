//! A server that is measured: where it is, and which process it is.

use anyhow::{Context, Result, ensure};
use hyper::Uri;
use hyper::header::HeaderValue;

/// Which of the compared servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    /// The server with its policy.
    Policy,
    /// The hand-written handler.
    Bare,
    /// The same server on the policy in which everybody sees everything in full.
    Full,
}

impl Kind {
    /// The name in the table.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Bare => "bare",
            Self::Full => "full",
        }
    }
}

/// A server that is measured.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) kind: Kind,
    /// `host:port`.
    pub(super) address: String,
    /// The address as the `Host` header names it.
    pub(super) host: HeaderValue,
    /// Its process, if it runs on this machine.
    pub(super) pid: Option<u32>,
    base: String,
}

impl Target {
    pub(super) fn new(kind: Kind, url: &str, pid: Option<u32>) -> Result<Self> {
        let uri: Uri = url.parse().with_context(|| format!("{url} is no address."))?;
        ensure!(
            uri.scheme_str() == Some("http"),
            "{url} is not measured: the address must begin with http:// (a proxy would be measured with it)."
        );
        let host = uri.host().with_context(|| format!("{url} names no host."))?;
        let port = uri.port_u16().unwrap_or(80);
        let address = format!("{host}:{port}");
        Ok(Self {
            kind,
            host: HeaderValue::try_from(&address)?,
            address,
            pid,
            base: uri.path().trim_end_matches('/').to_owned(),
        })
    }

    /// A path on this server.
    pub(super) fn path(&self, path: &str) -> Result<Uri> {
        Ok(format!("{}{path}", self.base).parse()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_gives_host_port_and_base() {
        let target = Target::new(Kind::Policy, "http://localhost:8081/registry/", Some(1)).unwrap();
        assert_eq!(target.address, "localhost:8081");
        assert_eq!(target.path("/graphql").unwrap().path(), "/registry/graphql");
        let target = Target::new(Kind::Bare, "http://[::1]", None).unwrap();
        assert_eq!(target.address, "[::1]:80");
        assert_eq!(target.path("/parent").unwrap().path(), "/parent");
    }

    #[test]
    fn other_addresses_are_refused() {
        for url in ["https://localhost", "localhost", "/graphql", "http://"] {
            assert!(Target::new(Kind::Policy, url, None).is_err(), "{url}");
        }
    }
}
