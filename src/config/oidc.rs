//! Settings of other issuers (OpenID Connect): who they are, for whom their tokens are, and how their keys are fetched.
//!
//! Checks what is written and asks nobody: an issuer is asked where tokens are verified.

use std::{
    collections::HashSet, fmt, net::IpAddr, net::Ipv6Addr, path::PathBuf, str::FromStr,
    time::Duration,
};

use axum::http::Uri;
use jsonwebtoken::Algorithm;

use super::{
    ConfigError,
    flags::{Flags, IssuerSpec, MappingSpec},
    settings::{invalid, text},
};

/// The algorithms of tokens where the settings name none.
const USUAL: [Algorithm; 3] = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA];

/// Those that may be named: both sides hold different keys in each of them.
const POSSIBLE: [(&str, Algorithm); 9] = [
    ("RS256", Algorithm::RS256),
    ("RS384", Algorithm::RS384),
    ("RS512", Algorithm::RS512),
    ("PS256", Algorithm::PS256),
    ("PS384", Algorithm::PS384),
    ("PS512", Algorithm::PS512),
    ("ES256", Algorithm::ES256),
    ("ES384", Algorithm::ES384),
    ("EdDSA", Algorithm::EdDSA),
];

/// The algorithm of this name, if it is one that may be used.
pub fn algorithm(name: &str) -> Option<Algorithm> {
    POSSIBLE.iter().find(|(known, _)| *known == name).map(|(_, algorithm)| *algorithm)
}

/// Where a document is fetched: `https`, or `http` on this machine.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// As it was written.
    pub text: String,
    /// Whether TLS is spoken.
    pub tls: bool,
    /// The name or number of the host, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The host and, where it is unusual, the port, as the header has them.
    pub authority: String,
    /// Path and query.
    pub target: Uri,
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({})", self.text)
    }
}

impl Address {
    /// Reads an address, or says what is wrong with it as the end of a sentence.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const FORM: &str = "is no address; write one such as https://id.example.edu.cn.";
        let uri = Uri::from_str(text).map_err(|_detail| FORM)?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(FORM);
        };
        if authority.as_str().contains('@') {
            return Err("names a user; leave that out.");
        }
        if text.contains('#') {
            return Err("has a part after #; leave it out.");
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err(FORM);
        }
        let tls = match scheme {
            "https" => true,
            "http" if loopback(&host) => false,
            "http" => {
                return Err(
                    "is not encrypted; only an issuer on this machine may be asked by http.",
                );
            }
            _ => return Err(FORM),
        };
        // A query may follow the host at once.
        let target = match uri.path_and_query().map(|path| path.as_str()) {
            Some(query) if query.starts_with('?') => format!("/{query}"),
            Some(path) => path.to_owned(),
            None => "/".to_owned(),
        };
        let target = Uri::from_str(&target).map_err(|_detail| FORM)?;
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        Ok(Self {
            text: text.to_owned(),
            tls,
            host,
            port,
            authority: authority.as_str().to_owned(),
            target,
        })
    }

    /// Whether it leads to this machine.
    pub fn is_loopback(&self) -> bool {
        loopback(&self.host)
    }
}

fn loopback(host: &str) -> bool {
    host == "localhost"
        || host.parse::<IpAddr>().is_ok_and(|address| match address {
            IpAddr::V4(address) => address.is_loopback(),
            IpAddr::V6(address) => address == Ipv6Addr::LOCALHOST,
        })
}

/// Where a mapped role is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Region {
    /// At the school with this school code.
    School(String),
    /// In the region of the authority with this division code.
    Authority(String),
}

/// A claim that grants a role while a token holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// The names that lead to the claim, from the outside in.
    pub claim: Vec<String>,
    /// Its text, or one of its texts when it is a list.
    pub value: String,
    /// The role.
    pub role: String,
    /// Where.
    pub place: Region,
}

/// An issuer whose tokens are accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// Its name, exactly as its tokens and its discovery document have it.
    pub name: String,
    /// Where its discovery document is.
    pub discovery: Address,
    /// Where its keys are, when that is not left to the discovery document.
    pub jwks: Option<Address>,
    /// What its tokens are for; one of these must be named.
    pub audiences: Vec<String>,
    /// The algorithms that its tokens may have.
    pub algorithms: Vec<Algorithm>,
    /// Clock difference that is tolerated.
    pub leeway: Duration,
    /// What claims grant.
    pub grants: Vec<Mapping>,
}

/// The issuers of other houses, and how their keys are fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Oidc {
    /// The issuers; names differ.
    pub issuers: Vec<Issuer>,
    /// Certificate authorities beside the usual ones.
    pub ca_file: Option<PathBuf>,
    /// So often keys are fetched again.
    pub refresh: Duration,
    /// Between two fetches at one issuer, whatever tokens name.
    pub pause: Duration,
    /// Keys serve so long while their issuer cannot be reached.
    pub keep: Duration,
    /// Longest time of a fetch.
    pub patience: Duration,
}

impl Default for Oidc {
    fn default() -> Self {
        Self {
            issuers: Vec::new(),
            ca_file: None,
            refresh: Duration::from_secs(300),
            pause: Duration::from_secs(10),
            keep: Duration::from_secs(86_400),
            patience: Duration::from_secs(5),
        }
    }
}

impl Flags {
    /// The issuers of other houses; none is usual.
    pub fn oidc(&self) -> Result<Oidc, ConfigError> {
        let flags = &self.oidc;
        let usual = Oidc::default();
        let seconds = |key, given: Option<u32>, usual: Duration, most: u32| {
            let Some(given) = given else { return Ok(usual) };
            if !(1..=most).contains(&given) {
                return Err(invalid(key, &format!("it must be 1 to {most}.")));
            }
            Ok(Duration::from_secs(given.into()))
        };
        let mut seen = HashSet::new();
        let own = text(self.jwt.issuer.as_ref());
        let mut issuers = Vec::new();
        for spec in &flags.issuers {
            let issuer = issuer(spec)?;
            if own == Some(issuer.name.as_str()) {
                return Err(wrong(
                    spec,
                    "is jwt.issuer as well; each issuer has one kind of keys.",
                ));
            }
            if !seen.insert(issuer.name.clone()) {
                return Err(wrong(spec, "is there twice."));
            }
            issuers.push(issuer);
        }
        Ok(Oidc {
            issuers,
            ca_file: text(flags.ca_file.as_ref()).map(PathBuf::from),
            refresh: seconds("oidc.refresh_seconds", flags.refresh_seconds, usual.refresh, 86_400)?,
            pause: seconds("oidc.pause_seconds", flags.pause_seconds, usual.pause, 3_600)?,
            keep: seconds("oidc.keep_seconds", flags.keep_seconds, usual.keep, 604_800)?,
            patience: seconds("oidc.fetch_seconds", flags.fetch_seconds, usual.patience, 30)?,
        })
    }
}

fn wrong(spec: &IssuerSpec, why: &str) -> ConfigError {
    invalid("oidc.issuers", &format!("{:?} {why}", spec.issuer))
}

fn issuer(spec: &IssuerSpec) -> Result<Issuer, ConfigError> {
    let address = Address::parse(&spec.issuer).map_err(|why| wrong(spec, why))?;
    if address.target.query().is_some() || spec.issuer.trim() != spec.issuer {
        return Err(wrong(spec, "is no name of an issuer: that has neither a query nor blanks."));
    }
    let discovery =
        format!("{}/.well-known/openid-configuration", spec.issuer.trim_end_matches('/'));
    let discovery = Address::parse(&discovery).map_err(|why| wrong(spec, why))?;
    let jwks = match text(spec.jwks_uri.as_ref()) {
        Some(uri) => Some(Address::parse(uri).map_err(|why| {
            invalid("oidc.issuers", &format!("jwks_uri {uri:?} of {:?} {why}", spec.issuer))
        })?),
        None => None,
    };
    let audiences: Vec<String> =
        spec.audiences.iter().filter_map(|one| text(Some(one))).map(str::to_owned).collect();
    if audiences.is_empty() {
        return Err(wrong(
            spec,
            "has no audiences; name what its access tokens for this server say.",
        ));
    }
    let algorithms = spec
        .algorithms
        .iter()
        .map(|name| {
            algorithm(name).ok_or_else(|| {
                let known: Vec<_> = POSSIBLE.iter().map(|(known, _)| *known).collect();
                wrong(
                    spec,
                    &format!(
                        "names the algorithm {name:?}, which is none of {}.",
                        known.join(", ")
                    ),
                )
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let leeway = spec.leeway_seconds.unwrap_or(30);
    if leeway > 60 {
        return Err(wrong(spec, "has a leeway_seconds above 60; set the clocks right instead."));
    }
    Ok(Issuer {
        name: spec.issuer.clone(),
        discovery,
        jwks,
        audiences,
        algorithms: if algorithms.is_empty() { USUAL.to_vec() } else { algorithms },
        leeway: Duration::from_secs(leeway),
        grants: spec.grants.iter().map(|one| mapping(spec, one)).collect::<Result<_, _>>()?,
    })
}

fn mapping(issuer: &IssuerSpec, spec: &MappingSpec) -> Result<Mapping, ConfigError> {
    let blank = |text: &String| text.trim().is_empty();
    if spec.claim.is_empty()
        || spec.claim.iter().chain([&spec.value, &spec.role, &spec.place]).any(blank)
    {
        return Err(wrong(issuer, "has grants without claim, value, role, reach or place."));
    }
    let place = match spec.reach.as_str() {
        "school" => Region::School(spec.place.clone()),
        "region" => Region::Authority(spec.place.clone()),
        _ => {
            return Err(wrong(
                issuer,
                "has grants with another reach than school or region; others are given here.",
            ));
        }
    };
    let (claim, value, role) = (spec.claim.clone(), spec.value.clone(), spec.role.clone());
    Ok(Mapping { claim, value, role, place })
}
