//! `client.create` and `client.rotate`: programs of other systems (应用接入), each with somebody who answers for it.
//!
//! A program asks with a secret, from its networks alone, until its end; its scopes narrow what its grants give. The
//! emergency stop is `account.disable`.

use std::collections::BTreeSet;

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use xueji_entity::account::AccountKind;
use xueji_entity::value::{Guarded, PersonName};

use super::{check_login, login_taken, refused, secret, subject};
use crate::access::action::Action;
use crate::access::caller::WRITE;
use crate::config::secret::SecretText;
use crate::domain::Cx;
use crate::domain::act::Act;
use crate::error::{Error, Result};
use crate::store::sign_in::End;
pub use crate::store::tx::ListedClient;
use crate::store::tx::{NewAccount, NewClient, Subject, Tx, Whose};

/// Most days of a registration.
const LONGEST: u64 = 1_096;

/// Most networks of a program.
const NETWORKS: usize = 32;

/// The widest network of version 6 by which clients are told apart.
const V6_PREFIX: u8 = 64;

/// A program to be registered.
#[derive(Debug)]
pub struct Register {
    /// The name by which it asks.
    pub login: String,
    /// What it is, for people.
    pub name: String,
    /// Who answers for it: an account of a person.
    pub owner: Option<Whose>,
    /// Names of roles, and `write`.
    pub scopes: Vec<String>,
    /// The last day; that of the settings when none is named.
    pub until: Option<NaiveDate>,
    /// The networks it may come from; any when there is none.
    pub networks: Vec<String>,
}

/// The registered programs, for who may list them; each look is on record.
pub async fn clients(cx: &Cx) -> Result<Vec<ListedClient>> {
    let tx = cx.begin(Action::ClientList).await?;
    let listed = tx.clients().await;
    tx.end(listed).await
}

/// A program that was registered, or has a new secret.
#[derive(Debug)]
pub struct Registered {
    /// The account of the program.
    pub account: Uuid,
    /// The secret, told this once.
    pub secret: SecretText,
    /// Until when it may ask; none when a rotation left that as it was.
    pub expires_at: Option<DateTime<Utc>>,
    /// Until when the earlier secret is good.
    pub former_until: Option<DateTime<Utc>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Done {
    account: Uuid,
}

#[derive(Serialize)]
struct Registering<'r> {
    #[serde(skip)]
    register: &'r Register,
    #[serde(skip)]
    name: PersonName,
    #[serde(skip)]
    scopes: String,
    #[serde(skip)]
    networks: Option<String>,
    #[serde(skip)]
    hash: xueji_entity::value::TokenHash,
    #[serde(skip)]
    expires_at: DateTime<Utc>,
}

/// Registers a program; its secret is in the answer and nowhere else.
pub async fn register(cx: &Cx, register: &Register) -> Result<Registered> {
    check_login("login", &register.login)?;
    let name = PersonName::parse(&register.name)
        .map_err(|error| Error::invalid("name", error.why_en, error.why_zh))?;
    let scopes = scopes(cx, &register.scopes)?;
    let networks = networks(&register.networks)?;
    let expires_at = end(cx, register.until, u64::from(cx.budget.accounts.client_days))?;
    let (secret, hash) = secret::secret();
    let act = Registering { register, name, scopes, networks, hash, expires_at };
    let Done { account } = cx.act(&act, None).await?;
    Ok(Registered { account, secret, expires_at: Some(expires_at), former_until: None })
}

/// Each scope is a role of the policy, or `write`; none is named twice.
fn scopes(cx: &Cx, named: &[String]) -> Result<String> {
    let roles = &cx.caller.session.policy.roles;
    let known = |scope: &String| scope == WRITE || roles.id(scope).is_some();
    let scopes: BTreeSet<&str> = named.iter().map(String::as_str).collect();
    if scopes.iter().all(|scope| *scope == WRITE) || !named.iter().all(known) {
        return Err(Error::invalid(
            "scopes",
            "name the roles whose grants the program may use, as the policy names them, and `write` if it may change anything",
            "请填写该应用可使用的角色（按策略中的名称），如需修改数据再加 `write`",
        ));
    }
    Ok(scopes.into_iter().collect::<Vec<_>>().join(" "))
}

/// The networks as they are kept; an address alone is a network of one.
fn networks(named: &[String]) -> Result<Option<String>> {
    let odd = || {
        Error::invalid(
            "networks",
            format!(
                "name up to {NETWORKS} networks such as 203.0.113.0/24 or 2001:db8::/64; one of version 6 is /{V6_PREFIX} or wider"
            ),
            format!(
                "请填写至多 {NETWORKS} 个网段，例如 203.0.113.0/24 或 2001:db8::/64；IPv6 网段前缀不得长于 /{V6_PREFIX}"
            ),
        )
    };
    if named.len() > NETWORKS {
        return Err(odd());
    }
    let read = |text: &String| {
        let network: Option<IpNet> =
            text.parse().ok().or_else(|| text.parse::<std::net::IpAddr>().ok().map(IpNet::from));
        let network = network.map(|network| network.trunc());
        network.filter(|network| match network {
            IpNet::V4(_) => true,
            IpNet::V6(network) => network.prefix_len() <= V6_PREFIX,
        })
    };
    let read: Option<BTreeSet<IpNet>> = named.iter().map(read).collect();
    let read: Vec<String> = read.ok_or_else(odd)?.iter().map(ToString::to_string).collect();
    Ok((!read.is_empty()).then(|| read.join(" ")))
}

/// The end of the last day of a registration, in the deployment's time zone.
fn end(cx: &Cx, until: Option<NaiveDate>, usual: u64) -> Result<DateTime<Utc>> {
    let today = cx.caller.today();
    let ahead = |days| today.checked_add_days(Days::new(days)).unwrap_or(today);
    let until = until.unwrap_or_else(|| ahead(usual));
    if !(today..=ahead(LONGEST)).contains(&until) {
        return Err(Error::invalid(
            "until",
            format!("choose a last day from today on, within {LONGEST} days"),
            format!("截止日期须在今天起 {LONGEST} 天以内"),
        ));
    }
    Ok(cx.clock.end_of(until))
}

impl Act for Registering<'_> {
    const ACTION: Action = Action::ClientCreate;
    type Facts = Uuid;
    type Done = Done;

    async fn load(&self, tx: &Tx) -> Result<Uuid> {
        let not_found = || Error::not_found("Account");
        let owner = self.register.owner.as_ref().ok_or_else(not_found)?;
        let owner = tx.owner(owner).await?.ok_or_else(not_found)?;
        if tx.login_taken(&self.register.login).await? {
            return Err(login_taken());
        }
        Ok(owner)
    }

    async fn write(&self, tx: &mut Tx, owner: Uuid) -> Result<Done> {
        let account = Uuid::now_v7();
        tx.make_account(&NewAccount {
            id: account,
            login: &self.register.login,
            kind: AccountKind::Client,
            name: self.name.clone(),
            staff: None,
            student: None,
        })
        .await?;
        tx.make_client(&NewClient {
            account,
            hash: self.hash.clone(),
            scopes: &self.scopes,
            owner,
            expires_at: self.expires_at,
            networks: self.networks.as_deref(),
        })
        .await?;
        Ok(Done { account })
    }
}

#[derive(Serialize)]
struct Rotate<'w> {
    #[serde(skip)]
    whose: Option<&'w Whose>,
    #[serde(skip)]
    hash: xueji_entity::value::TokenHash,
    #[serde(skip)]
    expires_at: Option<DateTime<Utc>>,
    #[serde(skip)]
    former_until: DateTime<Utc>,
}

/// Gives a program a new secret, and where a day is named another end. The earlier secret is good for a while longer,
/// or with `at_once` no more: then the sessions that it began end as well.
pub async fn rotate(
    cx: &Cx,
    whose: Option<&Whose>,
    until: Option<NaiveDate>,
    at_once: bool,
) -> Result<Registered> {
    let expires_at = match until {
        Some(until) => Some(end(cx, Some(until), 0)?),
        None => None,
    };
    let overlap = if at_once { 0 } else { i64::from(cx.budget.accounts.overlap_hours) };
    let former_until = cx.clock.now() + TimeDelta::hours(overlap);
    let (secret, hash) = secret::secret();
    let Done { account } = cx.act(&Rotate { whose, hash, expires_at, former_until }, None).await?;
    Ok(Registered { account, secret, expires_at, former_until: Some(former_until) })
}

impl Act for Rotate<'_> {
    const ACTION: Action = Action::ClientRotate;
    type Facts = Subject;
    type Done = Done;

    async fn load(&self, tx: &Tx) -> Result<Subject> {
        subject(tx, self.whose).await
    }

    async fn write(&self, tx: &mut Tx, subject: Subject) -> Result<Done> {
        let account = subject.account;
        let now = tx.now();
        let rotated =
            tx.rotate_secret(account, &self.hash, self.expires_at, self.former_until).await?;
        if !rotated {
            return Err(refused(
                "ACCOUNT_NO_PROGRAM",
                "this is no registered program; clientCreate registers one",
                "该账户不是已登记的应用；请用 clientCreate 登记",
            ));
        }
        if self.former_until <= now {
            tx.end_sessions_of(account, End::Administrator).await?;
        }
        Ok(Done { account })
    }
}
