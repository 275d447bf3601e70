//! `xueji demo`: a registry with invented pupils, served on this machine.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use chrono::{DateTime, Duration, Utc};
use rand::Rng;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use xueji_entity::value::AccountId;
use xueji_migration::{Migrator, MigratorTrait, versions};

use super::{documents, load_sample, say, start};
use crate::app::App;
use crate::auth::jwt::Claims;
use crate::auth::jwt::signer::Signer;
use crate::clock::Clock;
use crate::config::door::Rate;
use crate::config::flags::Flags;
use crate::config::secret::{SecretKey, SecretText};
use crate::config::settings::{self, DataCipher, Database, Jwt, LogFormat};
use crate::config::sign_in::SignIn;
use crate::demo::persona::Personas;
use crate::demo::{Sealer, Size, load};
use crate::domain::policy::Origin;
use crate::domain::sign_in::random_password;
use crate::graphql::Limits;
use crate::http::backend::Persona;
use crate::http::serve::{bind, serve, shutdown_signal};
use crate::http::{Options, log, router};
use crate::store::codec::Codec;
use crate::store::connect::connect;
use crate::store::keys::envelope::EnvelopeCodec;
use crate::store::sign_in::Visit;
use crate::upkeep;

const ISSUER: &str = "xueji-demo";
const AUDIENCE: &str = "xueji";

/// Makes a registry with invented pupils in a data folder (kept, and used again at the next start),
/// serves it, and prints whom to try it as.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Data folder: the embedded registry and the keys
    #[arg(long, env = "XUEJI_DATA", default_value = "./xueji-data", value_name = "FOLDER")]
    data: PathBuf,
    /// Address and port to listen on
    #[arg(long, env = "XUEJI_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    listen: String,
    /// An empty database instead of the embedded one: sqlite://… or postgres://…
    #[arg(long, env = "XUEJI_DATABASE_URL", hide_env_values = true, value_name = "URL")]
    database_url: Option<SecretText>,
    /// Folder with the access policy; the one that this program ships when not given
    #[arg(long, env = "XUEJI_POLICIES", value_name = "FOLDER")]
    policies: Option<PathBuf>,
    /// Also write the people to try it as to this file, as JSON
    #[arg(long, value_name = "FILE")]
    personas: Option<PathBuf>,
    /// Also write people and places for `xueji load` to this file, each with a token
    #[arg(long, value_name = "FILE")]
    load_sample: Option<PathBuf>,
    /// Fill the registry and write the files, but do not serve
    #[arg(long)]
    no_serve: bool,
    /// What is logged, as a tracing filter
    #[arg(long, env = "XUEJI_LOG_FILTER", default_value = "warn", value_name = "FILTER")]
    log_filter: String,
    #[command(flatten)]
    size: SizeArgs,
}

/// How much is made; only the first start looks at it.
#[derive(Debug, clap::Args)]
struct SizeArgs {
    /// Counties
    #[arg(long, default_value_t = Size::default().counties)]
    counties: usize,
    /// Schools over all counties
    #[arg(long, default_value_t = Size::default().schools)]
    schools: usize,
    /// Classes of each school
    #[arg(long, default_value_t = Size::default().classes)]
    classes: usize,
    /// Pupils of each class
    #[arg(long, default_value_t = Size::default().students)]
    students: usize,
    /// Scores of each pupil, over two years, at most 36
    #[arg(long, default_value_t = Size::default().scores)]
    scores: usize,
    /// School days of attendance
    #[arg(long, default_value_t = Size::default().days)]
    days: usize,
    /// The same seed and sizes make the same registry
    #[arg(long, default_value_t = Size::default().seed)]
    seed: u64,
}

/// The keys that the demo makes for itself and keeps in the data folder, readable by the owner only.
pub(super) struct Keys {
    signer: Arc<Signer>,
    pub(super) public_id: SecretKey,
    pub(super) lookup: SecretKey,
    /// In a file of its own, so that `xueji keys` can be pointed at it.
    pub(super) master: SecretKey,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    public_id_key: String,
    lookup_key: String,
}

impl Keys {
    /// Opens the keys of a data folder, making them where there are none.
    pub(super) fn open(data: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(data)
            .with_context(|| format!("The data folder {} cannot be made", data.display()))?;
        let path = data.join("keys.toml");
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let text =
                    format!("public_id_key = \"{}\"\nlookup_key = \"{}\"\n", random(), random());
                write_private(&path, &text)?;
                text
            }
            Err(error) => {
                return Err(error).with_context(|| format!("{} cannot be read", path.display()));
            }
        };
        let stored: Stored = figment::Figment::new()
            .merge(<figment::providers::Toml as figment::providers::Format>::string(&text))
            .extract()
            .map_err(|_detail| {
                anyhow::anyhow!("{} does not hold the two keys of a demo", path.display())
            })?;
        let key = |text: &str| SecretKey::from_hex(text).map_err(anyhow::Error::msg);
        let master = data.join("master.key");
        if !master.exists() {
            write_private(&master, &format!("{}\n", random()))?;
        }
        Ok(Self {
            signer: Arc::new(Signer::open_or_create(&data.join("jwt.pem"))?),
            public_id: key(&stored.public_id_key)?,
            lookup: key(&stored.lookup_key)?,
            master: SecretKey::from_file(&master).map_err(anyhow::Error::msg)?,
        })
    }

    /// A token of the demo's issuer for an account.
    pub(super) fn token(
        &self,
        account: AccountId,
        now: DateTime<Utc>,
        hours: u32,
    ) -> anyhow::Result<String> {
        let seconds = |at: DateTime<Utc>| u64::try_from(at.timestamp()).unwrap_or_default();
        let claims = Claims {
            sub: account.to_string(),
            iss: ISSUER.to_owned(),
            iat: seconds(now),
            exp: seconds(now + Duration::hours(i64::from(hours))),
            jti: None,
            sid: None,
        };
        Ok(self.signer.sign(&claims, AUDIENCE)?)
    }

    /// How tokens of the demo are signed and verified.
    fn jwt(&self) -> Jwt {
        Jwt {
            keys: Vec::new(),
            issuer: ISSUER.to_owned(),
            audience: AUDIENCE.to_owned(),
            leeway: std::time::Duration::from_secs(30),
            signing_key: None,
        }
    }
}

/// The one password of the people of a demo, kept beside its registry.
fn password(data: &Path) -> anyhow::Result<SecretText> {
    let path = data.join("password");
    if !path.exists() {
        write_private(&path, &format!("{}\n", random_password().reveal()))?;
    }
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("{} cannot be read", path.display()))?;
    Ok(SecretText::from(text.trim().to_owned()))
}

/// 64 random hexadecimal digits.
fn random() -> String {
    let mut bytes = [0_u8; 32];
    rand::rng().fill(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    use std::io::Write as _;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file =
        options.open(path).with_context(|| format!("{} cannot be written", path.display()))?;
    file.write_all(text.as_bytes())?;
    Ok(file.sync_all()?)
}

/// The embedded registry of a data folder.
pub(super) fn database_url(data: &Path) -> String {
    format!("sqlite://{}?mode=rwc", data.join("registry.db").display())
}

/// Seals the demo's rows as the store does.
struct DemoSealer(Arc<EnvelopeCodec>);

impl Sealer for DemoSealer {
    fn seal(&self, table: &str, column: &str, row: Uuid, bare: &str) -> anyhow::Result<Vec<u8>> {
        Ok(self.0.seal(table, column, row, bare)?)
    }

    fn hash(&self, kind: &str, bare: &str) -> [u8; 32] {
        self.0.hash(kind, bare)
    }
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    log::start_logging(LogFormat::Text, &args.log_filter).map_err(anyhow::Error::msg)?;
    let keys = Keys::open(&args.data)?;
    let listen = Flags { listen: Some(args.listen.clone()), ..Flags::default() }.listen()?;
    // The port is taken first: a demo that cannot be served need not be made.
    let listener = if args.no_serve { None } else { Some(bind(listen).await?) };
    let policy = start::policy(args.policies.as_deref()).await?;
    let origin = args.policies.clone().map_or(Origin::Shipped, Origin::Folder);
    let url = match &args.database_url {
        Some(url) => url.reveal().to_owned(),
        None => {
            // The registry is its owner's alone; the log files beside it take its mode over.
            let path = args.data.join("registry.db");
            if !path.exists() {
                write_private(&path, "")?;
            }
            database_url(&args.data)
        }
    };
    let kind = if url.starts_with("sqlite") { Database::Sqlite } else { Database::Postgres };
    let db = connect(&url, 8).await.context("The database does not answer")?;
    let _sole = start::sole(&url)?;
    let state = versions(&db).await.map_err(start::database_error)?;
    start::known(&state)?;
    Migrator::up(&db, None).await.map_err(start::database_error)?;

    let clock = Clock::system(Flags::default().time_zone()?);
    let codec = start::codec(&db, &keys.lookup, &keys.master, DataCipher::default(), clock).await?;
    let size = Size {
        counties: args.size.counties,
        schools: args.size.schools,
        classes: args.size.classes,
        students: args.size.students,
        scores: args.size.scores,
        days: args.size.days,
        seed: args.size.seed,
    };
    let sealer = Arc::new(DemoSealer(Arc::clone(&codec)));
    let record = load::ensure(&load::bulk(db.clone()), &size, clock.today(), sealer).await?;
    // Whoever tries things on the own machine is not held up, and neither is the benchmark.
    let limits = settings::Limits {
        account_rate: Rate::OFF,
        client_rate: Rate::OFF,
        address_rate: Rate::OFF,
        sign_in_rate: Rate::OFF,
        ..settings::Limits::default()
    };
    let store = start::store(&url, kind, db, codec).await?;
    let keeper = start::keeper(origin, &store, clock).await?;
    let app = App::new(
        store,
        policy,
        keys.public_id.bytes(),
        clock,
        Limits::from_settings(&limits, true),
    );
    let heads = args.data.join("registry.heads.jsonl");
    let doorway = start::doorway(&SignIn::default(), Arc::clone(&keys.signer), &keys.jwt())?;
    let password = password(&args.data)?;
    let accounts: Vec<_> = record.personas.0.iter().map(|person| person.account_id).collect();
    let visit = Visit { request_id: Arc::from("demo"), client: None, agent: None };
    let door = doorway.door();
    door.set_demo(app.store(), &visit, clock.now(), &accounts, &password).await?;
    let app = app.under(keeper).keeping_heads(Some(heads)).with_doorway(Some(doorway));
    let app = Arc::new(app);
    // Reporting tools are answered from a snapshot: a fresh demo has one at once.
    if app.store().snapshots().await?.is_empty() {
        app.take_snapshot(None).await?;
    }
    let personas = documents::personas(&record.personas, &keys, app.opaque(), clock.now())?;
    if let Some(path) = &args.personas {
        std::fs::write(path, serde_json::to_string_pretty(&personas)?)
            .with_context(|| format!("{} cannot be written", path.display()))?;
    }
    if let Some(path) = &args.load_sample {
        let draw = app.store().draw(clock.today()).await?;
        load_sample::sample(&draw, &keys, app.opaque(), clock.now())?.write(path)?;
    }
    let Some(listener) = listener else { return Ok(()) };
    introduce(&personas, listen)?;
    sign_ins(&record.personas, &password, listen)?;
    let options = Options {
        limits: limits.clone(),
        introspection: true,
        graphiql: true,
        personas: Some(personas),
        ..Options::default()
    };
    let verifier = start::verifier(&keys.jwt(), Some(&keys.signer), 4 << 20)?;
    let verifier = Arc::new(verifier);
    let _upkeep = upkeep::start(&app);
    serve(listener, router(app, verifier, options), &limits, None, shutdown_signal()).await;
    Ok(())
}

/// Prints how the same people sign in with a password.
fn sign_ins(
    people: &Personas,
    password: &SecretText,
    listen: std::net::SocketAddr,
) -> anyhow::Result<()> {
    let Some(first) = people.0.first() else { return Ok(()) };
    let logins: Vec<_> = people.0.iter().map(|person| person.login.as_str()).collect();
    say(format!(
        "They sign in with the password {} as {}:\ncurl -s http://{listen}/auth/sign-in -H 'Content-Type: \
         application/json' -d '{}'",
        password.reveal(),
        logins.join(", "),
        serde_json::json!({ "login": first.login, "password": password.reveal() }),
    ))
}

/// Prints whom to try the demo as, with a line that works when pasted.
fn introduce(personas: &[Persona], listen: std::net::SocketAddr) -> anyhow::Result<()> {
    for persona in personas {
        let query: Vec<_> = persona
            .query
            .lines()
            .filter(|line| !line.trim_start().starts_with('#'))
            .map(str::trim)
            .collect();
        let body = serde_json::json!({
            "query": query.join(" "),
            "variables": persona.variables,
        });
        say(format!("── {} ({})", persona.name, persona.role))?;
        say(format!(
            "curl -s http://{listen}/graphql -H 'Content-Type: application/json' \
             -H 'Authorization: Bearer {}' -d '{body}'\n",
            persona.token
        ))?;
    }
    say(format!("GraphiQL with a switch between these people: http://{listen}/graphiql"))
}
