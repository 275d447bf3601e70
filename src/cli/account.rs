//! `xueji account password`: a password for an account that cannot get one otherwise, such as the first administrator's.

use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Subcommand;

use super::{demo, say, start};
use crate::clock::Clock;
use crate::config::flags::Flags;
use crate::config::secret::SecretText;
use crate::domain::sign_in::{Door, random_password};
use crate::error::Error;
use crate::store::Store;
use crate::store::connect::connect;
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
    /// A data folder of `xueji demo` with registry and keys, instead of settings
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    #[command(flatten)]
    flags: Flags,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    match args.command {
        Command::Password(args) => password(*args).await,
    }
}

async fn password(args: PasswordArgs) -> anyhow::Result<()> {
    let flags = args.flags.read()?;
    let rules = flags.sign_in()?;
    let clock = Clock::system(flags.time_zone()?);
    let (url, lookup, master) = match &args.data {
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
    let given = match args.stdin {
        true => Some(typed()?),
        false => None,
    };
    let db = connect(&url, 1).await.context("The database does not answer")?;
    let cipher = flags.data_cipher.unwrap_or_default();
    let codec = start::codec(&db, &lookup, &master, cipher, clock).await?;
    let store = Store::new(db, codec, &crate::graphql::REGISTRY);
    let Some(account) = store.account_of(&args.login).await? else {
        bail!("There is no account with the login {:?}.", args.login);
    };
    let password = given.clone().unwrap_or_else(random_password);
    let visit =
        Visit { request_id: Arc::from("xueji account password"), client: None, agent: None };
    let door = Door::new(rules)?;
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
