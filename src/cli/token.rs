//! `xueji token`: a token for an account, signed by the data folder's own key.

use std::path::PathBuf;

use anyhow::{Context, bail};

use super::{demo::Keys, say};
use crate::clock::Clock;
use crate::config::flags::Flags;
use crate::store::Store;
use crate::store::codec::ClosedCodec;
use crate::store::connect::connect;

/// Signs a token for an account with the key in the data folder, which `demo` makes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The account's login
    login: String,
    /// Hours until the token ends
    #[arg(long, default_value_t = 12, value_name = "HOURS")]
    hours: u32,
    /// The data folder with the key and, when no database is named, the registry
    #[arg(long, env = "XUEJI_DATA", default_value = "./xueji-data", value_name = "FOLDER")]
    data: PathBuf,
    /// Address of the database [default: the registry in the data folder]
    #[arg(long, env = "XUEJI_DATABASE_URL", hide_env_values = true, value_name = "URL")]
    database_url: Option<crate::config::secret::SecretText>,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    if !args.data.join("jwt.pem").exists() {
        bail!(
            "There is no key in {}: run `xueji demo --data {}` once, or name another folder with --data.",
            args.data.display(),
            args.data.display()
        );
    }
    let keys = Keys::open(&args.data)?;
    let url = match &args.database_url {
        Some(url) => url.reveal().to_owned(),
        None => super::demo::database_url(&args.data),
    };
    let db = connect(&url, 1).await.context("The database does not answer")?;
    let codec = std::sync::Arc::new(ClosedCodec::new(*keys.lookup.bytes()));
    let store = Store::new(db, codec, &crate::graphql::REGISTRY);
    let Some(account) = store.account_of(&args.login).await? else {
        bail!("There is no account with the login {:?}.", args.login);
    };
    let zone = Flags::default().time_zone()?;
    say(keys.token(account, Clock::system(zone).now(), args.hours)?)
}
