//! What several commands need to start: policy, database, keys.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use sea_orm::{DatabaseConnection, DbErr};
use xueji_migration::{Versions, versions};

use crate::access::action::ACTIONS;
use crate::access::catalogue::Catalogue;
use crate::access::policy::Policy;
use crate::auth::jwt::KeySet;
use crate::auth::jwt::signer::Signer;
use crate::clock::Clock;
use crate::config::secret::SecretKey;
use crate::config::settings::{Backups, DataCipher, Database, Jwt};
use crate::config::sign_in::SignIn;
use crate::domain::policy::{Keeper, Origin, Refusal, in_force};
use crate::domain::sign_in::Door;
use crate::doorway::Doorway;
use crate::graphql::REGISTRY;
use crate::store::Store;
use crate::store::codec::Codec;
use crate::store::connect::{connect, connect_keyed};
use crate::store::disclosures::Disclosures;
use crate::store::keys::Refusal as KeyRefusal;
use crate::store::keys::envelope::EnvelopeCodec;
use crate::store::keys::master::LocalMaster;
use crate::store::sole::{self, Sole};

/// Everything that a policy must speak about.
pub(super) fn catalogue() -> Catalogue {
    REGISTRY.catalogue(ACTIONS)
}

/// The policy of a folder, or the one that this program ships, checked before anything is opened.
pub(super) async fn policy(folder: Option<&Path>) -> anyhow::Result<Arc<Policy>> {
    let catalogue = catalogue();
    let loaded = match folder {
        Some(folder) => Policy::load(folder, &catalogue).await,
        None => Policy::embedded(&catalogue).await,
    };
    loaded
        .map(Arc::new)
        .map_err(|problems| anyhow::anyhow!("The access policy cannot be used:\n{problems}"))
}

/// Where the settings say that the policy is: a folder that was named must be there, the default one may not.
pub(super) fn origin_of(named: Option<&Path>) -> Origin {
    match named {
        Some(folder) => Origin::Folder(folder.to_owned()),
        None if Path::new("./policies").is_dir() => Origin::Folder("./policies".into()),
        None => Origin::Shipped,
    }
}

/// The policy in force on a database: published from these files, or published by others since.
pub(super) async fn keeper(origin: Origin, store: &Store, clock: Clock) -> anyhow::Result<Keeper> {
    Keeper::open(origin, catalogue(), store, clock).await.map_err(unusable)
}

/// The policy that the servers of a database run; the files at hand where none was published yet.
pub(super) async fn policy_in_force(origin: &Origin, store: &Store) -> anyhow::Result<Policy> {
    in_force(origin, &catalogue(), store).await.map_err(unusable)
}

fn unusable(refusal: Refusal) -> anyhow::Error {
    match refusal {
        Refusal::Problems(problems) => {
            anyhow::anyhow!("The access policy cannot be used:\n{problems}")
        }
        Refusal::Unusable(number, problems) => anyhow::anyhow!(
            "The newest published policy, version {number}, cannot be used by this program. Publish files that \
             fit with `xueji policy apply`, or use the program that published it.\n{problems}"
        ),
        Refusal::Unpublished(error) => {
            anyhow::Error::new(error).context("The policy cannot be read or published")
        }
    }
}

/// Takes a SQLite file for this server alone, for as long as what is returned lives.
pub(super) fn sole(url: &str) -> anyhow::Result<Option<Sole>> {
    sole::take(url).map_err(|taken| anyhow::anyhow!("{taken}."))
}

/// The settings of the backups, whose folder must be there before the first night.
pub(super) fn backup_folder(backups: &Backups) -> anyhow::Result<Backups> {
    if !backups.folder.is_dir() {
        bail!("Setting backup.folder cannot be used: {} is no folder.", backups.folder.display());
    }
    Ok(backups.clone())
}

/// A database error for the person at the terminal: by kind, since its text may quote values.
pub(super) fn database_error(error: DbErr) -> anyhow::Error {
    anyhow::Error::new(crate::store::failed(error)).context("The database refused")
}

/// Refuses a database of a newer version than this program.
pub(super) fn known(versions: &Versions) -> anyhow::Result<()> {
    if let Some(version) = versions.unknown.last() {
        bail!(
            "The database has a newer schema than this program ({version} is unknown here): \
             start the newer program, or restore a backup of the older schema."
        );
    }
    Ok(())
}

/// The codec of the sealed columns; makes the first data key of an empty registry. With the wrong master key, and on
/// a registry that holds them in the clear, it refuses and writes nothing.
pub(super) async fn codec(
    db: &DatabaseConnection,
    lookup: &SecretKey,
    master: &SecretKey,
    cipher: DataCipher,
    clock: Clock,
) -> anyhow::Result<Arc<EnvelopeCodec>> {
    let master = Arc::new(LocalMaster::new(master));
    let first = (cipher, clock.now());
    EnvelopeCodec::open(db.clone(), &REGISTRY, *lookup.bytes(), master, first)
        .await
        .map(Arc::new)
        .map_err(refused)
}

/// What the keys of a database refuse, as a sentence.
pub(super) fn refused(refusal: KeyRefusal) -> anyhow::Error {
    anyhow::anyhow!("{refusal}.")
}

/// The key that signs the tokens of those who sign in here, if they do.
pub(super) fn signer(file: Option<&Path>) -> anyhow::Result<Option<Arc<Signer>>> {
    Ok(file.map(Signer::open).transpose()?.map(Arc::new))
}

/// The keys that verify tokens: those of the settings, and that of the sign-ins here, whose tokens name sessions.
pub(super) fn verifier(
    jwt: &Jwt,
    signer: Option<&Signer>,
    cache_bytes: u64,
) -> anyhow::Result<KeySet> {
    let mut jwt = jwt.clone();
    let Some(signer) = signer else { return Ok(KeySet::new(&jwt, cache_bytes)?) };
    if jwt.keys.iter().any(|key| key.kid == signer.kid()) {
        bail!(
            "Setting jwt.keys cannot be used: the kid {:?} is that of jwt.signing_key_file, which needs no entry.",
            signer.kid()
        );
    }
    jwt.keys.push(signer.key_spec());
    Ok(KeySet::new(&jwt, cache_bytes)?.naming_sessions(signer.kid()))
}

/// Where people sign in.
pub(super) fn doorway(rules: &SignIn, signer: Arc<Signer>, jwt: &Jwt) -> anyhow::Result<Doorway> {
    let door = Door::new(rules.clone())?;
    Ok(Doorway::new(door, signer, jwt.issuer.clone(), jwt.audience.clone()))
}

/// Refuses roles that the policy does not know: nobody would be asked for a second factor.
pub(super) fn known_roles(rules: &SignIn, policy: &Policy) -> anyhow::Result<()> {
    match rules.factor_roles.iter().find(|role| policy.roles.id(role).is_none()) {
        Some(role) => {
            bail!("Setting second_factor_roles cannot be used: the policy has no role {role:?}.")
        }
        None => Ok(()),
    }
}

/// A store over a database that is open.
pub(super) async fn store(
    url: &str,
    kind: Database,
    db: DatabaseConnection,
    codec: Arc<dyn Codec>,
) -> anyhow::Result<Store> {
    let log = Disclosures::beside(url, &db).await;
    let log = log.context("The log of disclosures cannot be opened")?;
    let store = Store::new(db, codec, &REGISTRY).with_disclosures(log);
    Ok(match kind {
        Database::Sqlite => store,
        Database::Postgres => {
            let keyed = connect_keyed(url, connections(kind)).await;
            store.with_keyed(keyed.context("The database does not answer")?)
        }
    })
}

const fn connections(kind: Database) -> u32 {
    match kind {
        Database::Sqlite => 4,
        Database::Postgres => 12,
    }
}

/// Opens the database of a server and checks its schema.
pub(super) async fn database(url: &str, kind: Database) -> anyhow::Result<DatabaseConnection> {
    let connections = connections(kind);
    let db = connect(url, connections).await.context("The database does not answer")?;
    let versions = versions(&db).await.map_err(database_error)?;
    known(&versions)?;
    if !versions.pending.is_empty() {
        bail!(
            "The database lacks {} migrations of this program: run `xueji migrate up` first.",
            versions.pending.len()
        );
    }
    Ok(db)
}
