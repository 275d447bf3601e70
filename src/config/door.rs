//! Settings of the door: TLS, the origins of pages, the proxies that are believed, and how fast requests may come.
//!
//! Checks what is written and reads no file: the certificate and its key are read where they are served.

use std::{net::IpAddr, path::PathBuf, time::Duration};

use ipnet::IpNet;

use super::{
    ConfigError,
    flags::Flags,
    secret::SecretText,
    settings::{invalid, text},
};

/// A year: what browsers are told where the server speaks TLS itself.
const HSTS_SECONDS: u32 = 31_536_000;

/// The files of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The certificate and its chain, in PEM.
    pub certificate: PathBuf,
    /// The private key, in PEM.
    pub key: PathBuf,
}

/// How fast something may come: so often in a minute in the long run, and so often at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// In a minute; 0 for any number.
    pub per_minute: u32,
    /// At once.
    pub burst: u32,
}

impl Rate {
    /// No limit.
    pub const OFF: Self = Self { per_minute: 0, burst: 0 };

    pub(super) fn of(per_minute: Option<u32>, burst: Option<u32>, default: (u32, u32)) -> Self {
        Self { per_minute: per_minute.unwrap_or(default.0), burst: burst.unwrap_or(default.1) }
    }
}

impl Flags {
    /// The files of the certificate: both, or neither.
    pub(super) fn tls(&self) -> Result<Option<Tls>, ConfigError> {
        let file = |key: &'static str, value: Option<&SecretText>| {
            let Some(name) = value.map(|text| text.reveal().trim()).filter(|name| !name.is_empty())
            else {
                return Ok(None);
            };
            if name.contains("-----BEGIN") || name.contains('\n') {
                return Err(invalid(
                    key,
                    "it is no name of a file; write the text into a file and name that.",
                ));
            }
            Ok(Some(PathBuf::from(name)))
        };
        let certificate = file("tls.certificate", self.tls.certificate.as_ref())?;
        let key = file("tls.key", self.tls.key.as_ref())?;
        match (certificate, key) {
            (Some(certificate), Some(key)) => Ok(Some(Tls { certificate, key })),
            (None, None) => Ok(None),
            (Some(_), None) => Err(invalid(
                "tls.key",
                "tls.certificate is given without it; give both, or neither.",
            )),
            (None, Some(_)) => {
                let why = "tls.key is given without it; give both, or neither.";
                Err(invalid("tls.certificate", why))
            }
        }
    }

    /// How long browsers are told to insist on TLS: a year where the server speaks it, and what is said otherwise.
    pub(super) fn hsts(&self, speaks_tls: bool) -> Option<Duration> {
        let default = if speaks_tls { HSTS_SECONDS } else { 0 };
        let seconds = self.tls.hsts_seconds.unwrap_or(default);
        (seconds > 0).then(|| Duration::from_secs(seconds.into()))
    }

    /// The origins whose pages may ask, as browsers write them.
    pub(super) fn cors_origins(&self) -> Result<Vec<String>, ConfigError> {
        let given = self.cors.origins.iter().filter_map(|origin| text(Some(origin)));
        given
            .map(|origin| match what_is_wrong(origin) {
                None => Ok(origin.to_owned()),
                Some(why) => Err(invalid("cors.origins", &format!("{origin:?} {why}"))),
            })
            .collect()
    }

    /// The networks whose proxies are believed.
    pub(super) fn trusted_proxies(&self) -> Result<Vec<IpNet>, ConfigError> {
        let given = self.trusted_proxies.iter().filter_map(|network| text(Some(network)));
        given
            .map(|network| {
                let read = network.parse::<IpNet>().ok();
                let read = read.or_else(|| network.parse::<IpAddr>().ok().map(IpNet::from));
                let network = read.ok_or_else(|| {
                    let why = format!(
                        "{network:?} is no network; write one such as 10.1.0.0/16 or fd00::/8."
                    );
                    invalid("trusted_proxies", &why)
                })?;
                if network.prefix_len() == 0 {
                    let why =
                        format!("{network} is everybody; name the networks of the proxies alone.");
                    return Err(invalid("trusted_proxies", &why));
                }
                Ok(network)
            })
            .collect()
    }
}

/// Why no browser would send this as the origin of a page, as the end of a sentence.
fn what_is_wrong(origin: &str) -> Option<&'static str> {
    const FORM: &str = "is no origin; write https://portal.example.edu.cn, with a port where it has an unusual one.";
    if origin.contains('*') {
        return Some("stands for many origins; name each one whose pages may ask.");
    }
    let Some((scheme, authority)) = origin.split_once("://") else { return Some(FORM) };
    let usual = match scheme {
        "https" => ":443",
        "http" => ":80",
        _ => return Some(FORM),
    };
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-:[]".contains(c);
    if authority.is_empty() || !authority.chars().all(fits) {
        return Some(FORM);
    }
    authority
        .ends_with(usual)
        .then_some("names the usual port, which browsers leave out; leave it out.")
}
