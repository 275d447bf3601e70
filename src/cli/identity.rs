//! `xueji identity`: which accounts the identities of other issuers are linked with.
//!
//! Every command may run beside servers, which follow within a second. What is linked and unlinked is on record.

use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Subcommand;

use super::{say, start};
use crate::auth::issuer::is_subject;
use crate::clock::Clock;
use crate::config::flags::Flags;
use crate::store::Store;
use crate::store::codec::ClosedCodec;
use crate::store::identity::Linked;
use crate::store::keys::logs::LogKeys;
use crate::store::keys::master::LocalMaster;

/// Links, unlinks or lists identities of other issuers.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Link an identity with an account: whoever the issuer calls so signs in as that account
    Link {
        #[command(flatten)]
        identity: Named,
        #[command(flatten)]
        flags: Box<Flags>,
    },
    /// End the link of an identity with an account; its tokens are refused within a second
    Unlink {
        #[command(flatten)]
        identity: Named,
        #[command(flatten)]
        flags: Box<Flags>,
    },
    /// List the identities that are linked: login, issuer, subject, day
    List {
        /// The account's login [default: all accounts]
        login: Option<String>,
        #[command(flatten)]
        flags: Box<Flags>,
    },
}

/// An identity and an account.
#[derive(Debug, clap::Args)]
struct Named {
    /// The account's login
    login: String,
    /// The issuer, exactly as its tokens name it
    #[arg(id = "identity_issuer", long = "issuer", value_name = "ISSUER")]
    issuer: String,
    /// What the issuer calls the holder: the claim sub of its tokens, exactly
    #[arg(id = "identity_subject", long = "subject", value_name = "SUBJECT")]
    subject: String,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    match args.command {
        Command::Link { identity, flags } => link(&identity, flags.read()?).await,
        Command::Unlink { identity, flags } => unlink(&identity, flags.read()?).await,
        Command::List { login, flags } => list(login.as_deref(), flags.read()?).await,
    }
}

/// The registry, with the keys that put acts on record where they are needed.
async fn store(flags: &Flags, acting: bool) -> anyhow::Result<Store> {
    let (url, kind) = flags.database()?;
    let db = start::database(url.reveal(), kind).await?;
    let codec = ClosedCodec::new([0; 32]);
    let codec = if acting {
        let master = LocalMaster::new(&flags.master_key()?);
        let keys = LogKeys::open(&db, &master).await.map_err(start::refused)?;
        let keys =
            keys.context("There are no keys of the logs yet: the first `xueji serve` makes them")?;
        codec.with_log_keys(keys)
    } else {
        codec
    };
    start::store(url.reveal(), kind, db, Arc::new(codec)).await
}

async fn link(named: &Named, flags: Flags) -> anyhow::Result<()> {
    let Named { login, issuer, subject } = named;
    let known = flags.oidc()?.issuers;
    if issuer.is_empty() || issuer.chars().any(char::is_control) {
        bail!("The issuer is its address, exactly as its tokens name it.");
    }
    if !is_subject(subject) {
        bail!("The subject is 1 to 255 bytes without control characters.");
    }
    let store = store(&flags, true).await?;
    let now = Clock::system(flags.time_zone()?).now();
    match store.link_identity(login, issuer, subject, now).await? {
        Linked::Done => say(format!("linked with {login:?}"))?,
        Linked::Already => say(format!("linked with {login:?} already"))?,
        Linked::Taken => {
            bail!("This identity is linked with another account: unlink it there first.")
        }
        Linked::NoAccount => bail!("There is no account with the login {login:?}."),
    }
    if !known.iter().any(|known| known.name == *issuer) {
        say(format!(
            "{issuer:?} is no issuer of these settings: its tokens are refused until oidc.issuers names it exactly so"
        ))?;
    }
    Ok(())
}

async fn unlink(named: &Named, flags: Flags) -> anyhow::Result<()> {
    let Named { login, issuer, subject } = named;
    let store = store(&flags, true).await?;
    let now = Clock::system(flags.time_zone()?).now();
    if !store.unlink_identity(login, issuer, subject, now).await? {
        bail!("This identity is not linked with {login:?}.");
    }
    say(format!("no longer linked with {login:?}"))
}

async fn list(login: Option<&str>, flags: Flags) -> anyhow::Result<()> {
    for one in store(&flags, false).await?.identities(login).await? {
        say(format!(
            "{}  {}  {}  {}",
            one.login,
            one.issuer,
            one.subject,
            one.created_at.format("%Y-%m-%dT%H:%M:%SZ")
        ))?;
    }
    Ok(())
}
