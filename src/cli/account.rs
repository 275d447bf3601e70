//! `xueji account`: what nobody is there to do in the schema yet. `administrator` makes the first two administrators,
//! `password` gives a password to an account that cannot get one otherwise.

use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Subcommand;

use xueji_entity::value::{Guarded as _, PersonName};

use super::{demo, say, start};
use crate::clock::Clock;
use crate::config::flags::Flags;
use crate::config::secret::SecretText;
use crate::domain::account::check_login;
use crate::domain::sign_in::{Door, random_password};
use crate::error::Error;
use crate::store::Store;
use crate::store::connect::connect;
use crate::store::founding::Founded;
use crate::store::sign_in::Visit;

/// Longest text that is read from standard input.
const MOST_BYTES: u64 = 1_024;

/// Works on accounts from the machine of the server.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make an account that holds the role administrator, with a password that is printed once and must be changed at the
    /// first sign-in; the first two administrators are made so, and they give the role to others
    Administrator(Box<AdministratorArgs>),
    /// Set a password that the account must change at its first sign-in; it is made up and printed once
    Password(Box<PasswordArgs>),
}

#[derive(Debug, clap::Args)]
struct PasswordArgs {
    /// The account's login
    login: String,
    /// Read the password from standard input instead
    #[arg(long)]
    stdin: bool,
    #[command(flatten)]
    registry: Registry,
}

#[derive(Debug, clap::Args)]
struct AdministratorArgs {
    /// The login: 3 to 64 letters, digits or . _ - @
    login: String,
    /// The person's name, as it is shown beside what the account does
    #[arg(long)]
    name: String,
    #[command(flatten)]
    registry: Registry,
}

/// Which registry.
#[derive(Debug, clap::Args)]
struct Registry {
    /// A data folder of `xueji demo` with registry and keys, instead of settings
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    #[command(flatten)]
    flags: Flags,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    match args.command {
        Command::Administrator(args) => administrator(*args).await,
        Command::Password(args) => password(*args).await,
    }
}

/// The registry, with what sets passwords in it.
async fn open(registry: Registry) -> anyhow::Result<(Store, Door, Clock)> {
    let flags = registry.flags.read()?;
    let door = Door::new(flags.sign_in()?)?;
    let clock = Clock::system(flags.time_zone()?);
    let (url, lookup, master) = match &registry.data {
        Some(data) => {
            if !data.join("keys.toml").exists() {
                bail!("{} is no data folder of `xueji demo`.", data.display());
            }
            let keys = demo::Keys::open(data)?;
            (demo::database_url(data), keys.lookup, keys.master)
        }
        None => {
            let (url, _) = flags.database()?;
            (url.reveal().to_owned(), flags.lookup_key()?, flags.master_key()?)
        }
    };
    let db = connect(&url, 1).await.context("The database does not answer")?;
    let cipher = flags.data_cipher.unwrap_or_default();
    let codec = start::codec(&db, &lookup, &master, cipher, clock).await?;
    Ok((Store::new(db, codec, &crate::graphql::REGISTRY), door, clock))
}

fn visit(command: &'static str) -> Visit {
    Visit { request_id: Arc::from(command), client: None, agent: None }
}

async fn administrator(args: AdministratorArgs) -> anyhow::Result<()> {
    let AdministratorArgs { login, name, registry } = args;
    match check_login("login", &login) {
        Err(Error::Invalid { why, .. }) => bail!("The login is refused: {}.", why.en),
        other => other?,
    }
    let Ok(name) = PersonName::parse(&name) else {
        bail!("The name is refused: it is that of a person, without signs that no name has.");
    };
    let (store, door, clock) = open(registry).await?;
    let founded = store.found_administrator(&login, name, clock.now(), clock.today()).await?;
    let account = match founded {
        Founded::Done(account) => account,
        Founded::LoginTaken => bail!("There is an account with the login {login:?} already."),
        Founded::Enough => bail!(
            "There are two administrators, who give the role to others together: \
             one asks with grantGive, the other agrees with grantApprove."
        ),
    };
    let password = random_password();
    let visit = visit("xueji account administrator");
    let set = door.set_initial(&store, &visit, clock.now(), account, &password).await;
    set.with_context(|| {
        format!("The account is there without a password: `xueji account password {login}` sets it")
    })?;
    say(password.reveal())
}

async fn password(args: PasswordArgs) -> anyhow::Result<()> {
    let given = args.stdin.then(typed).transpose()?;
    let (store, door, clock) = open(args.registry).await?;
    let Some(account) = store.account_of(&args.login).await? else {
        bail!("There is no account with the login {:?}.", args.login);
    };
    let password = given.clone().unwrap_or_else(random_password);
    let visit = visit("xueji account password");
    let set = door.set_initial(&store, &visit, clock.now(), account.uuid(), &password).await;
    match set {
        Err(Error::Refused { rule, why }) => bail!("The password is refused ({rule}): {}.", why.en),
        other => other?,
    }
    match given {
        Some(_) => say("The password is set; it must be changed at the first sign-in."),
        None => say(password.reveal()),
    }
}

/// The password of standard input, without the end of its line.
fn typed() -> anyhow::Result<SecretText> {
    let mut text = String::new();
    std::io::stdin()
        .take(MOST_BYTES)
        .read_to_string(&mut text)
        .map_err(|_detail| anyhow::anyhow!("Standard input holds no text in UTF-8."))?;
    Ok(SecretText::from(text.trim_end_matches(['\r', '\n']).to_owned()))
}
