//! The settings as the server runs with them: complete, typed and free of contradictions.

use std::{collections::HashSet, net::SocketAddr, path::PathBuf, str::FromStr, time::Duration};

use chrono_tz::Tz;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

pub use super::accounts::Accounts;
use super::{
    ConfigError,
    door::{Rate, Tls},
    flags::{BackupFlags, ExceptionalFlags, Flags, KeySpec, LimitFlags},
    oidc::Oidc,
    secret::{SecretKey, SecretText},
    sign_in::SignIn,
};

/// Form of the log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object a line.
    #[default]
    Json,
    /// Lines for people.
    Text,
}

/// Cipher of a data key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
pub enum DataCipher {
    /// AES with 256 bits.
    #[default]
    #[serde(rename = "aes-256-gcm")]
    #[value(name = "aes-256-gcm")]
    Aes256Gcm,
    /// SM4 (GB/T 32907-2016, 国密), for deployments that must use national algorithms.
    #[serde(rename = "sm4-gcm")]
    #[value(name = "sm4-gcm")]
    Sm4Gcm,
}

impl DataCipher {
    /// The word for it, in settings and in the database.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Aes256Gcm => "aes-256-gcm",
            Self::Sm4Gcm => "sm4-gcm",
        }
    }

    /// The cipher of this word.
    pub fn of_word(word: &str) -> Option<Self> {
        [Self::Aes256Gcm, Self::Sm4Gcm].into_iter().find(|cipher| cipher.word() == word)
    }
}

/// Which database the address names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Database {
    /// A file of the embedded database.
    Sqlite,
    /// A PostgreSQL server.
    Postgres,
}

/// When nightly snapshots are taken, and how many nights of facts are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nights {
    /// From this hour on, in the deployment's time zone.
    pub hour: u32,
    /// So many nights.
    pub kept: u64,
}

impl Default for Nights {
    fn default() -> Self {
        Self { hour: 2, kept: 2 }
    }
}

/// How many backups stay: the newest of each of so many days, weeks and months that have one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Days.
    pub daily: u32,
    /// Weeks.
    pub weekly: u32,
    /// Months.
    pub monthly: u32,
}

impl Keep {
    /// The defaults where nothing is given.
    pub fn from_flags(flags: &BackupFlags) -> Self {
        Self {
            daily: flags.keep_daily.unwrap_or(7),
            weekly: flags.keep_weekly.unwrap_or(5),
            monthly: flags.keep_monthly.unwrap_or(12),
        }
    }
}

/// The backups that a server takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backups {
    /// Where they are kept.
    pub folder: PathBuf,
    /// From this hour on, in the deployment's time zone.
    pub hour: u32,
    /// Which of them stay.
    pub keep: Keep,
    /// After so many days one is restored on trial again.
    pub verify_every_days: u32,
}

/// Everything `serve` needs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Address of the database.
    pub database_url: SecretText,
    /// Kind of the database.
    pub database: Database,
    /// Address to listen on.
    pub listen: SocketAddr,
    /// Folder with the access policy.
    pub policies: PathBuf,
    /// Time zone in which days are counted.
    pub time_zone: Tz,
    /// Key of the public ids.
    pub public_id_key: SecretKey,
    /// Key of the look-up hashes.
    pub lookup_key: SecretKey,
    /// Key that wraps the keys of the sealed columns.
    pub master_key: SecretKey,
    /// Cipher of data keys that are made from now on.
    pub data_cipher: DataCipher,
    /// The file outside the database for the signed heads of the logs; none on PostgreSQL when not given.
    pub audit_heads: Option<PathBuf>,
    /// For how many months lines of the logs are kept.
    pub audit_keep: u32,
    /// Form of the log lines.
    pub log_format: LogFormat,
    /// Tracing filter.
    pub log_filter: String,
    /// Whether clients may read the schema.
    pub introspection: bool,
    /// Whether GraphiQL is served.
    pub graphiql: bool,
    /// When nightly snapshots are taken, and how many are kept whole.
    pub nights: Nights,
    /// Certificate and key, where the server speaks TLS itself.
    pub tls: Option<Tls>,
    /// How long browsers are told to insist on TLS.
    pub hsts: Option<Duration>,
    /// Origins whose pages may ask.
    pub cors_origins: Vec<String>,
    /// Networks whose proxies are believed about who asks.
    pub trusted_proxies: Vec<IpNet>,
    /// How bearer tokens are verified.
    pub jwt: Jwt,
    /// Other issuers.
    pub oidc: Oidc,
    /// Bounds on requests and clients.
    pub limits: Limits,
    /// Bounds on exceptional access.
    pub exceptional: Exceptional,
    /// Times of codes and secrets that accounts are given.
    pub accounts: Accounts,
    /// How people sign in.
    pub sign_in: SignIn,
    /// The backups that the server takes, if it takes any.
    pub backups: Option<Backups>,
    /// How long what is kept, and where destructions are remembered.
    pub retention: Kept,
}

/// How long what is kept, and where it is remembered what was destroyed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The file with the periods; the shipped ones without.
    pub schedule: Option<PathBuf>,
    /// The file outside the database that remembers what was destroyed.
    pub destructions: Option<PathBuf>,
    /// Most days that the clock may be ahead of the audit log.
    pub ahead_days: u32,
}

/// The shortest time for which lines of the logs are kept, in months.
pub const LEAST_LOG_MONTHS: u32 = 6;
/// The usual one: three years.
pub const USUAL_LOG_MONTHS: u32 = 36;

/// Bounds on exceptional access: what is revealed, opened, checked and given to substitutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exceptional {
    /// Values that an account may reveal in an hour.
    pub reveals_per_hour: u32,
    /// Numbers that an account may check in an hour.
    pub checks_per_hour: u32,
    /// Records that an account may try to open in an hour.
    pub opens_per_hour: u32,
    /// Duties that an account may give in an hour.
    pub delegations_per_hour: u32,
    /// Opinions and reports that an account may raise in an hour.
    pub concerns_per_hour: u32,
    /// Minutes for which a record is open.
    pub open_minutes: u32,
    /// Days in which a record that was opened must be reviewed.
    pub review_days: u32,
    /// Most days of a substitution.
    pub delegation_days: u32,
    /// Most days of a grant that is given by hand.
    pub grant_days: u32,
    /// Days in which a second person agrees to a grant.
    pub grant_request_days: u32,
}

impl Default for Exceptional {
    fn default() -> Self {
        Self::from_flags(&ExceptionalFlags::default())
    }
}

impl Exceptional {
    fn from_flags(flags: &ExceptionalFlags) -> Self {
        Self {
            reveals_per_hour: flags.reveals_per_hour.unwrap_or(30),
            checks_per_hour: flags.checks_per_hour.unwrap_or(60),
            opens_per_hour: flags.opens_per_hour.unwrap_or(5),
            delegations_per_hour: flags.delegations_per_hour.unwrap_or(30),
            concerns_per_hour: flags.concerns_per_hour.unwrap_or(5),
            open_minutes: flags.open_minutes.unwrap_or(60),
            review_days: flags.review_days.unwrap_or(3),
            delegation_days: flags.delegation_days.unwrap_or(31),
            grant_days: flags.grant_days.unwrap_or(366),
            grant_request_days: flags.grant_request_days.unwrap_or(7),
        }
    }
}

/// How bearer tokens are verified, and with what those of sign-ins here are signed.
#[derive(Clone, Debug)]
pub struct Jwt {
    /// The keys, at least one, each with its own `kid`.
    pub keys: Vec<KeySpec>,
    /// Issuer that every token must name; not empty.
    pub issuer: String,
    /// Audience that every token must name; not empty.
    pub audience: String,
    /// Clock difference that is tolerated.
    pub leeway: Duration,
    /// The file with the key that signs; without it nobody signs in here.
    pub signing_key: Option<PathBuf>,
}

/// Bounds on what one request and one client may cost.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of a request body.
    pub body_bytes: usize,
    /// Bytes of a query document.
    pub query_bytes: usize,
    /// Nesting of brackets in a query document.
    pub nesting: u32,
    /// Fragment spreads of an operation, expanded.
    pub spreads: u32,
    /// Fields of an operation, expanded.
    pub fields: u32,
    /// Aliases of an operation, expanded.
    pub aliases: u32,
    /// Directives of an operation, expanded.
    pub directives: u32,
    /// Levels of nested fields.
    pub depth: usize,
    /// Complexity of an operation.
    pub complexity: usize,
    /// Time that a request may take.
    pub request_time: Duration,
    /// Time in which the headers of a request must arrive.
    pub header_time: Duration,
    /// Time in which the body of a request must arrive, and for which a client may read nothing of an answer.
    pub body_time: Duration,
    /// Time that running requests get when the server stops.
    pub shutdown_time: Duration,
    /// Connections served at once.
    pub connections: usize,
    /// Operations open on one websocket.
    pub streams: usize,
    /// Subscriptions open for one account.
    pub streams_per_account: usize,
    /// Websockets and event streams open from one address.
    pub live_per_address: usize,
    /// Subscriptions that an account may begin in a minute.
    pub subscribes_per_minute: u32,
    /// Requests of a person's account.
    pub account_rate: Rate,
    /// Requests of a program's account.
    pub client_rate: Rate,
    /// Requests of an address.
    pub address_rate: Rate,
    /// Failed sign-ins of an address.
    pub sign_in_rate: Rate,
    /// Time in which a websocket must be initialised.
    pub init_time: Duration,
    /// Silence after which a sign of life is sent, or asked for.
    pub idle_time: Duration,
    /// Time for which streams stay open while the accounts behind them cannot be checked.
    pub unchecked_time: Duration,
    /// Time for which events are kept in the outbox.
    pub outbox_time: Duration,
    /// Memory for parsed documents.
    pub document_cache_bytes: u64,
    /// Memory for verified tokens.
    pub token_cache_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self::from_flags(&LimitFlags::default())
    }
}

impl Limits {
    fn from_flags(flags: &LimitFlags) -> Self {
        let size = |value: Option<u32>, default: u32| {
            usize::try_from(value.unwrap_or(default)).unwrap_or(usize::MAX)
        };
        let seconds =
            |value: Option<u32>, default: u32| Duration::from_secs(value.unwrap_or(default).into());
        Self {
            body_bytes: size(flags.body_bytes, 1 << 20),
            query_bytes: size(flags.query_bytes, 64 << 10),
            nesting: flags.nesting.unwrap_or(64),
            spreads: flags.spreads.unwrap_or(1000),
            fields: flags.fields.unwrap_or(5000),
            aliases: flags.aliases.unwrap_or(200),
            directives: flags.directives.unwrap_or(200),
            depth: size(flags.depth, 16),
            complexity: size(flags.complexity, 50_000),
            request_time: seconds(flags.request_seconds, 30),
            header_time: seconds(flags.header_seconds, 10),
            body_time: seconds(flags.body_seconds, 15),
            shutdown_time: seconds(flags.shutdown_seconds, 30),
            connections: size(flags.connections, 1024),
            streams: size(flags.streams, 100),
            streams_per_account: size(flags.streams_per_account, 200),
            live_per_address: size(flags.live_per_address, 256),
            subscribes_per_minute: flags.subscribes_per_minute.unwrap_or(600),
            account_rate: Rate::of(flags.account_per_minute, flags.account_burst, (1200, 600)),
            client_rate: Rate::of(flags.client_per_minute, flags.client_burst, (600, 300)),
            address_rate: Rate::of(flags.address_per_minute, flags.address_burst, (12_000, 6_000)),
            sign_in_rate: Rate::of(flags.sign_ins_per_minute, flags.sign_ins_burst, (60, 120)),
            init_time: seconds(flags.init_seconds, 10),
            idle_time: seconds(flags.idle_seconds, 20),
            unchecked_time: seconds(flags.unchecked_seconds, 10),
            outbox_time: Duration::from_secs(
                u64::from(flags.outbox_hours.unwrap_or(24)).saturating_mul(60 * 60),
            ),
            document_cache_bytes: flags.document_cache_bytes.unwrap_or(32 << 20).into(),
            token_cache_bytes: flags.token_cache_bytes.unwrap_or(4 << 20).into(),
        }
    }
}

impl Flags {
    /// Checks everything that `serve` needs. Call [`Flags::read`] first.
    pub fn settings(&self) -> Result<Settings, ConfigError> {
        let (database_url, database) = self.database()?;
        let public_id_key = secret_key("public_id_key", self.public_id_key.as_ref())?;
        let lookup_key = self.lookup_key()?;
        if public_id_key == lookup_key {
            return Err(invalid(
                "lookup_key",
                "it equals public_id_key; each key needs its own random bytes.",
            ));
        }
        let tls = self.tls()?;
        let master_key = self.master_key()?;
        if [&public_id_key, &lookup_key].contains(&&master_key) {
            return Err(invalid(
                "master_key",
                "it equals another key of these settings; each key needs its own random bytes.",
            ));
        }
        Ok(Settings {
            hsts: self.hsts(tls.is_some()),
            tls,
            cors_origins: self.cors_origins()?,
            trusted_proxies: self.trusted_proxies()?,
            database_url,
            database,
            listen: self.listen()?,
            policies: self.policies_folder(),
            time_zone: self.time_zone()?,
            public_id_key,
            lookup_key,
            master_key,
            data_cipher: self.data_cipher.unwrap_or_default(),
            audit_heads: self.audit_heads()?,
            audit_keep: self.audit_keep()?,
            log_format: self.log_format.unwrap_or_default(),
            log_filter: text(self.log_filter.as_ref()).unwrap_or("info").to_owned(),
            introspection: self.introspection.unwrap_or(false),
            graphiql: self.graphiql.unwrap_or(false),
            nights: self.nights()?,
            jwt: self.jwt()?,
            oidc: self.oidc()?,
            limits: self.limits()?,
            exceptional: self.exceptional()?,
            accounts: self.accounts()?,
            sign_in: self.sign_in()?,
            backups: self.backups()?,
            retention: self.kept()?,
        })
    }

    /// The database address alone, which is all that `migrate` needs.
    pub fn database(&self) -> Result<(SecretText, Database), ConfigError> {
        let url = self.database_url.clone().filter(|url| !url.reveal().trim().is_empty());
        let url = url.ok_or(ConfigError::Missing("database_url"))?;
        let database = match url.reveal().split_once(':').map(|(scheme, _)| scheme) {
            Some("sqlite") => Database::Sqlite,
            Some("postgres" | "postgresql") => Database::Postgres,
            _ => {
                return Err(invalid(
                    "database_url",
                    "it must begin with sqlite:// or postgres://.",
                ));
            }
        };
        Ok((url, database))
    }

    /// The address to listen on.
    pub fn listen(&self) -> Result<SocketAddr, ConfigError> {
        let listen = text(self.listen.as_ref()).unwrap_or("127.0.0.1:8080");
        let listen = listen.replace("localhost:", "127.0.0.1:");
        SocketAddr::from_str(&listen).map_err(|error| {
            invalid(
                "listen",
                &format!("{error}; write an address and a port, such as 127.0.0.1:8080."),
            )
        })
    }

    /// The folder with the access policy.
    pub fn policies_folder(&self) -> PathBuf {
        self.policies.clone().unwrap_or_else(|| PathBuf::from("./policies"))
    }

    /// The time zone in which days are counted.
    pub fn time_zone(&self) -> Result<Tz, ConfigError> {
        let zone = text(self.time_zone.as_ref()).unwrap_or("Asia/Shanghai");
        Tz::from_str(zone).map_err(|error| {
            invalid(
                "time_zone",
                &format!("{error}; write a name of the zone database, such as Asia/Shanghai."),
            )
        })
    }

    /// The key of the look-up hashes.
    pub fn lookup_key(&self) -> Result<SecretKey, ConfigError> {
        secret_key("lookup_key", self.lookup_key.as_ref())
    }

    /// The key that wraps the keys of the sealed columns, from a file or given itself.
    pub fn master_key(&self) -> Result<SecretKey, ConfigError> {
        let file = text(self.master_key_file.as_ref());
        let given = self.master_key.as_ref().filter(|key| !key.reveal().trim().is_empty());
        match (file, given) {
            (Some(file), None) => SecretKey::from_file(file.as_ref())
                .map_err(|why| ConfigError::Invalid { key: "master_key_file", why }),
            (None, Some(_)) => secret_key("master_key", given),
            (None, None) => Err(ConfigError::Missing("master_key_file")),
            (Some(_), Some(_)) => {
                Err(invalid("master_key", "a file is given as well; give one of the two."))
            }
        }
    }

    /// The file for the signed heads of the logs: the one that is given, or one beside a SQLite registry.
    pub fn audit_heads(&self) -> Result<Option<PathBuf>, ConfigError> {
        if let Some(file) = text(self.audit_heads.as_ref()) {
            return Ok(Some(PathBuf::from(file)));
        }
        let (url, database) = self.database()?;
        Ok(match database {
            Database::Sqlite => beside(url.reveal()),
            Database::Postgres => None,
        })
    }

    fn nights(&self) -> Result<Nights, ConfigError> {
        let nights = Nights {
            hour: self.snapshot_hour.unwrap_or(2),
            kept: self.snapshot_nights.unwrap_or(2).into(),
        };
        if nights.hour > 23 {
            return Err(invalid("snapshot_hour", "an hour is a number from 0 to 23."));
        }
        if nights.kept == 0 {
            return Err(invalid(
                "snapshot_nights",
                "figures need the facts of one night at least.",
            ));
        }
        Ok(nights)
    }

    /// For how many months lines of the logs are kept; three years when not said.
    pub fn audit_keep(&self) -> Result<u32, ConfigError> {
        let months = self.audit.keep.unwrap_or(USUAL_LOG_MONTHS);
        if months < LEAST_LOG_MONTHS {
            return Err(invalid("audit.keep", "logs are kept for 6 months at least."));
        }
        Ok(months)
    }

    /// The backups of a server; none without a folder, but what is wrong is said all the same.
    pub fn backups(&self) -> Result<Option<Backups>, ConfigError> {
        let flags = &self.backup;
        let (hour, verify_every_days) =
            (flags.hour.unwrap_or(3), flags.verify_every_days.unwrap_or(7));
        if hour > 23 {
            return Err(invalid("backup.hour", "an hour is a number from 0 to 23."));
        }
        if verify_every_days == 0 {
            return Err(invalid("backup.verify_every_days", "it must be 1 or more."));
        }
        let folder = text(flags.folder.as_ref()).map(PathBuf::from);
        let keep = Keep::from_flags(flags);
        Ok(folder.map(|folder| Backups { folder, hour, keep, verify_every_days }))
    }

    /// Retention and destruction.
    pub fn kept(&self) -> Result<Kept, ConfigError> {
        let flags = &self.retention;
        let ahead_days = flags.clock_ahead_days.unwrap_or(45);
        if ahead_days < 2 {
            return Err(invalid("retention.clock_ahead_days", "it must be 2 or more."));
        }
        Ok(Kept {
            schedule: text(flags.schedule.as_ref()).map(PathBuf::from),
            destructions: text(flags.destructions.as_ref()).map(PathBuf::from),
            ahead_days,
        })
    }

    fn jwt(&self) -> Result<Jwt, ConfigError> {
        let keys = self.jwt.keys.clone();
        let signing_key = self.signing_key()?;
        if keys.is_empty() && signing_key.is_none() {
            return Err(ConfigError::Missing("jwt.keys"));
        }
        let mut seen = HashSet::new();
        for spec in &keys {
            if spec.kid.trim().is_empty() {
                return Err(invalid(
                    "jwt.keys",
                    "a key has no kid; write KID:ALG:FILE, for example main:EdDSA:/etc/xueji/main.pem.",
                ));
            }
            if !seen.insert(spec.kid.as_str()) {
                return Err(invalid(
                    "jwt.keys",
                    &format!("two keys have the kid {:?}; names must differ.", spec.kid),
                ));
            }
            if spec.key.is_some() == spec.file.is_some() {
                let why = format!("the key {:?} needs exactly one of key and file.", spec.kid);
                return Err(invalid("jwt.keys", &why));
            }
        }
        let leeway = self.jwt.leeway_seconds.unwrap_or(30);
        if leeway > 60 {
            return Err(invalid(
                "jwt.leeway_seconds",
                "it may be at most 60; set the clocks right instead.",
            ));
        }
        Ok(Jwt {
            keys,
            issuer: text(self.jwt.issuer.as_ref())
                .ok_or(ConfigError::Missing("jwt.issuer"))?
                .to_owned(),
            audience: text(self.jwt.audience.as_ref())
                .ok_or(ConfigError::Missing("jwt.audience"))?
                .to_owned(),
            leeway: Duration::from_secs(leeway),
            signing_key,
        })
    }

    /// The bounds on exceptional access; a limit of nought forbids the act, a time must be some.
    pub fn exceptional(&self) -> Result<Exceptional, ConfigError> {
        let bounds = Exceptional::from_flags(&self.exceptional);
        for (key, value, most) in [
            ("exceptional.open_minutes", bounds.open_minutes, 24 * 60),
            ("exceptional.review_days", bounds.review_days, 31),
            ("exceptional.delegation_days", bounds.delegation_days, 366),
            ("exceptional.grant_days", bounds.grant_days, 1_096),
            ("exceptional.grant_request_days", bounds.grant_request_days, 31),
        ] {
            if !(1..=most).contains(&value) {
                return Err(invalid(key, &format!("it must be 1 to {most}.")));
            }
        }
        Ok(bounds)
    }

    /// The times of codes and secrets; each must be some, but that the earlier secret may end at once.
    pub fn accounts(&self) -> Result<Accounts, ConfigError> {
        let times = Accounts::from_flags(&self.accounts);
        for (key, value, least, most) in [
            ("accounts.activation_days", times.activation_days, 1, 92),
            ("accounts.client_days", times.client_days, 1, 1_096),
            ("accounts.overlap_hours", times.overlap_hours, 0, 168),
        ] {
            if !(least..=most).contains(&value) {
                return Err(invalid(key, &format!("it must be {least} to {most}.")));
            }
        }
        Ok(times)
    }

    /// The limits; every one is above zero and the parser's stack is safe.
    pub fn limits(&self) -> Result<Limits, ConfigError> {
        let limits = Limits::from_flags(&self.limits);
        let flags = &self.limits;
        for (key, value) in [
            ("limits.body_bytes", flags.body_bytes),
            ("limits.query_bytes", flags.query_bytes),
            ("limits.nesting", flags.nesting),
            ("limits.fields", flags.fields),
            ("limits.depth", flags.depth),
            ("limits.complexity", flags.complexity),
            ("limits.request_seconds", flags.request_seconds),
            ("limits.header_seconds", flags.header_seconds),
            ("limits.body_seconds", flags.body_seconds),
            ("limits.connections", flags.connections),
            ("limits.account_burst", flags.account_burst),
            ("limits.client_burst", flags.client_burst),
            ("limits.address_burst", flags.address_burst),
            ("limits.sign_ins_burst", flags.sign_ins_burst),
            ("limits.init_seconds", flags.init_seconds),
            ("limits.idle_seconds", flags.idle_seconds),
            ("limits.unchecked_seconds", flags.unchecked_seconds),
        ] {
            if value == Some(0) {
                return Err(invalid(key, "it must be above zero, or no request can succeed."));
            }
        }
        if limits.nesting > 64 {
            return Err(invalid(
                "limits.nesting",
                "it may be at most 64; deeper documents overflow the parser's stack.",
            ));
        }
        if limits.query_bytes > limits.body_bytes {
            let why = "it is above limits.body_bytes, so no body could hold such a query.";
            return Err(invalid("limits.query_bytes", why));
        }
        Ok(limits)
    }
}

/// The file of heads beside the file of a registry; none when that is in memory.
fn beside(url: &str) -> Option<PathBuf> {
    let memory = url.contains(":memory:") || url.contains("mode=memory");
    let path = url.trim_start_matches("sqlite:").trim_start_matches("//");
    let path = PathBuf::from(path.split_once('?').map_or(path, |(path, _)| path));
    let name = path.file_stem().filter(|_| !memory)?.to_str()?;
    Some(path.with_file_name(format!("{name}.heads.jsonl")))
}

/// A text setting; an empty value counts as not given.
pub(super) fn text(value: Option<&String>) -> Option<&str> {
    value.map(|text| text.trim()).filter(|text| !text.is_empty())
}

fn secret_key(key: &'static str, value: Option<&SecretText>) -> Result<SecretKey, ConfigError> {
    let text =
        value.filter(|text| !text.reveal().trim().is_empty()).ok_or(ConfigError::Missing(key))?;
    SecretKey::from_hex(text.reveal()).map_err(|why| ConfigError::Invalid { key, why })
}

pub(super) fn invalid(key: &'static str, why: &str) -> ConfigError {
    ConfigError::Invalid { key, why: why.to_owned() }
}
