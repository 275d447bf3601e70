//! The settings as written: one shape for the command line, the environment and the TOML file.
//!
//! Every value is optional here; [`super::settings`] decides what must be there. A value from the command line wins
//! over the environment, which wins over the file.

use std::{
    convert::Infallible,
    path::{Path, PathBuf},
    str::FromStr,
};

use clap::Args;
use figment::{
    Figment,
    error::Kind,
    providers::{Format, Serialized, Toml},
    value::{Dict, Value},
};
use serde::{Deserialize, Serialize};

pub use super::keeping::{AuditFlags, RetentionFlags};
use super::{
    ConfigError,
    secret::SecretText,
    settings::{DataCipher, LogFormat},
};

/// Settings of the server as flags; each has an environment variable and a TOML key of the same name.
#[derive(Args, Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Flags {
    /// TOML file with settings; flags and environment win over it
    #[arg(long, env = "XUEJI_CONFIG", value_name = "FILE")]
    #[serde(skip)]
    pub config: Option<PathBuf>,
    /// Address of the database: sqlite://… or postgres://…
    #[arg(long, env = "XUEJI_DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub database_url: Option<SecretText>,
    /// Address and port to listen on [default: 127.0.0.1:8080]
    #[arg(long, env = "XUEJI_LISTEN", value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// Folder with the access policy [default: ./policies]
    #[arg(long, env = "XUEJI_POLICIES", value_name = "FOLDER")]
    pub policies: Option<PathBuf>,
    /// Time zone in which days are counted [default: Asia/Shanghai]
    #[arg(long, env = "XUEJI_TIME_ZONE", value_name = "ZONE")]
    pub time_zone: Option<String>,
    /// Key of the public ids, 64 hexadecimal digits
    #[arg(long, env = "XUEJI_PUBLIC_ID_KEY", hide_env_values = true, value_name = "HEX")]
    pub public_id_key: Option<SecretText>,
    /// Key of the look-up hashes, 64 hexadecimal digits
    #[arg(long, env = "XUEJI_LOOKUP_KEY", hide_env_values = true, value_name = "HEX")]
    pub lookup_key: Option<SecretText>,
    /// File with the master key of the sealed columns: 64 hexadecimal digits or 32 bytes
    #[arg(long, env = "XUEJI_MASTER_KEY_FILE", value_name = "FILE")]
    pub master_key_file: Option<String>,
    /// The master key itself instead of a file, 64 hexadecimal digits
    #[arg(long, env = "XUEJI_MASTER_KEY", hide_env_values = true, value_name = "HEX")]
    pub master_key: Option<SecretText>,
    /// Cipher of data keys that are made from now on [default: aes-256-gcm]
    #[arg(long, env = "XUEJI_DATA_CIPHER", value_name = "aes-256-gcm|sm4-gcm")]
    pub data_cipher: Option<DataCipher>,
    /// File outside the database for the signed heads of the logs [default: beside an SQLite registry; none for PostgreSQL]
    #[arg(long, env = "XUEJI_AUDIT_HEADS", value_name = "FILE")]
    pub audit_heads: Option<String>,
    /// Form of the log lines [default: json]
    #[arg(long, env = "XUEJI_LOG_FORMAT", value_name = "json|text")]
    pub log_format: Option<LogFormat>,
    /// What is logged, as a tracing filter [default: info]
    #[arg(long, env = "XUEJI_LOG_FILTER", value_name = "FILTER")]
    pub log_filter: Option<String>,
    /// Whether clients may read the schema [default: false]
    #[arg(long, env = "XUEJI_INTROSPECTION", value_name = "true|false")]
    pub introspection: Option<bool>,
    /// Whether GraphiQL is served [default: false]
    #[arg(long, env = "XUEJI_GRAPHIQL", value_name = "true|false")]
    pub graphiql: Option<bool>,
    /// Hour from which the snapshot of the night is taken, 0 to 23 [default: 2]
    #[arg(long, env = "XUEJI_SNAPSHOT_HOUR", value_name = "HOUR")]
    pub snapshot_hour: Option<u32>,
    /// Nights whose facts are kept for figures, at least 1; published tables stay [default: 2]
    #[arg(long, env = "XUEJI_SNAPSHOT_NIGHTS", value_name = "NUMBER")]
    pub snapshot_nights: Option<u32>,
    /// Networks whose proxies are believed about who asks; repeatable [default: none]
    #[arg(long, env = "XUEJI_TRUSTED_PROXIES", value_delimiter = ',', value_name = "NETWORK")]
    pub trusted_proxies: Vec<String>,
    #[expect(
        missing_docs,
        reason = "a doc comment on a flattened group would replace the help text of the command"
    )]
    #[command(flatten)]
    pub tls: TlsFlags,
    #[expect(
        missing_docs,
        reason = "a doc comment on a flattened group would replace the help text of the command"
    )]
    #[command(flatten)]
    pub cors: CorsFlags,
    #[expect(
        missing_docs,
        reason = "a doc comment on a flattened group would replace the help text of the command"
    )]
    #[command(flatten)]
    pub jwt: JwtFlags,
    #[expect(
        missing_docs,
        reason = "a doc comment on a flattened group would replace the help text of the command"
    )]
    #[command(flatten)]
    pub oidc: OidcFlags,
    #[expect(
        missing_docs,
        reason = "a doc comment on a flattened group would replace the help text of the command"
    )]
    #[command(flatten)]
    pub limits: LimitFlags,
    #[expect(
        missing_docs,
        reason = "a doc comment on a flattened group would replace the help text of the command"
    )]
    #[command(flatten)]
    pub exceptional: ExceptionalFlags,
    /// Roles whose holders need a second factor to sign in; repeatable [default: none]
    #[arg(
        help_heading = "Sign-in",
        long,
        env = "XUEJI_SECOND_FACTOR_ROLES",
        value_delimiter = ',',
        value_name = "ROLE"
    )]
    pub second_factor_roles: Vec<String>,
    #[expect(
        missing_docs,
        reason = "a doc comment on a flattened group would replace the help text of the command"
    )]
    #[command(flatten)]
    pub sign_in: SignInFlags,
    #[expect(
        missing_docs,
        reason = "a doc comment on a flattened group would replace the help text of the command"
    )]
    #[command(flatten)]
    pub accounts: AccountFlags,
    #[expect(
        missing_docs,
        reason = "a doc comment on a flattened group would replace the help text of the command"
    )]
    #[command(flatten)]
    pub backup: BackupFlags,
    #[expect(
        missing_docs,
        reason = "a doc comment on a flattened group would replace the help text of the command"
    )]
    #[command(flatten)]
    pub audit: AuditFlags,
    #[expect(
        missing_docs,
        reason = "a doc comment on a flattened group would replace the help text of the command"
    )]
    #[command(flatten)]
    pub retention: RetentionFlags,
}

/// Where and when a server takes backups, and which of them stay.
#[derive(Args, Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BackupFlags {
    /// Folder into which a server takes a backup each night; none is taken without it
    #[arg(
        help_heading = "Backups",
        id = "backup_folder",
        long = "backup-folder",
        env = "XUEJI_BACKUP_FOLDER",
        value_name = "FOLDER"
    )]
    pub folder: Option<String>,
    /// Hour from which the backup of the night is taken, 0 to 23 [default: 3]
    #[arg(
        help_heading = "Backups",
        id = "backup_hour",
        long = "backup-hour",
        env = "XUEJI_BACKUP_HOUR",
        value_name = "HOUR"
    )]
    pub hour: Option<u32>,
    /// Days of which the newest backup is kept [default: 7]
    #[arg(
        help_heading = "Backups",
        id = "backup_keep_daily",
        long = "backup-keep-daily",
        env = "XUEJI_BACKUP_KEEP_DAILY",
        value_name = "NUMBER"
    )]
    pub keep_daily: Option<u32>,
    /// Weeks of which the newest backup is kept [default: 5]
    #[arg(
        help_heading = "Backups",
        id = "backup_keep_weekly",
        long = "backup-keep-weekly",
        env = "XUEJI_BACKUP_KEEP_WEEKLY",
        value_name = "NUMBER"
    )]
    pub keep_weekly: Option<u32>,
    /// Months of which the newest backup is kept [default: 12]
    #[arg(
        help_heading = "Backups",
        id = "backup_keep_monthly",
        long = "backup-keep-monthly",
        env = "XUEJI_BACKUP_KEEP_MONTHLY",
        value_name = "NUMBER"
    )]
    pub keep_monthly: Option<u32>,
    /// Days after which a backup is restored on trial again, at least 1 [default: 7]
    #[arg(
        help_heading = "Backups",
        id = "backup_verify_every_days",
        long = "backup-verify-every-days",
        env = "XUEJI_BACKUP_VERIFY_EVERY_DAYS",
        value_name = "DAYS"
    )]
    pub verify_every_days: Option<u32>,
}

/// How the server speaks TLS.
#[derive(Args, Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TlsFlags {
    /// File with the certificate and its chain, in PEM; with --tls-key the server speaks TLS
    #[arg(
        help_heading = "TLS",
        long = "tls-certificate",
        allow_hyphen_values = true,
        env = "XUEJI_TLS_CERTIFICATE",
        hide_env_values = true,
        value_name = "FILE"
    )]
    pub certificate: Option<SecretText>,
    /// File with the private key of the certificate, in PEM
    // Keys themselves are written here by mistake: they are taken as values, so that no refusal quotes them.
    #[arg(
        help_heading = "TLS",
        long = "tls-key",
        allow_hyphen_values = true,
        env = "XUEJI_TLS_KEY",
        hide_env_values = true,
        value_name = "FILE"
    )]
    pub key: Option<SecretText>,
    /// Seconds for which browsers insist on TLS, 0 for no word of it [default: 31536000 with a certificate, else 0]
    #[arg(
        help_heading = "TLS",
        long = "tls-hsts-seconds",
        env = "XUEJI_TLS_HSTS_SECONDS",
        value_name = "SECONDS"
    )]
    pub hsts_seconds: Option<u32>,
}

/// Pages of which other origins may ask.
#[derive(Args, Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CorsFlags {
    /// Origins whose pages may ask, such as https://portal.example.edu.cn; repeatable [default: none]
    #[arg(
        long = "cors-origins",
        env = "XUEJI_CORS_ORIGINS",
        value_delimiter = ',',
        value_name = "ORIGIN"
    )]
    pub origins: Vec<String>,
}

/// How bearer tokens are verified.
#[derive(Args, Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JwtFlags {
    /// Key that verifies tokens; repeatable [ALG: EdDSA, ES256, RS256, HS256]
    #[arg(
        help_heading = "Tokens",
        long = "jwt-key",
        env = "XUEJI_JWT_KEYS",
        hide_env_values = true,
        value_delimiter = ',',
        value_name = "KID:ALG:FILE"
    )]
    pub keys: Vec<KeySpec>,
    /// Issuer that every token must name
    #[arg(
        help_heading = "Tokens",
        long = "jwt-issuer",
        env = "XUEJI_JWT_ISSUER",
        value_name = "ISSUER"
    )]
    pub issuer: Option<String>,
    /// Audience that every token must name
    #[arg(
        help_heading = "Tokens",
        long = "jwt-audience",
        env = "XUEJI_JWT_AUDIENCE",
        value_name = "AUDIENCE"
    )]
    pub audience: Option<String>,
    /// Clock difference that is tolerated, at most 60 [default: 30]
    #[arg(
        help_heading = "Tokens",
        long = "jwt-leeway-seconds",
        env = "XUEJI_JWT_LEEWAY_SECONDS",
        value_name = "SECONDS"
    )]
    pub leeway_seconds: Option<u64>,
    /// File with the key that signs the tokens of those who sign in here: Ed25519 in PKCS#8 PEM
    // A key itself is written here by mistake: it is taken as a value, so that no refusal quotes it.
    #[arg(
        help_heading = "Tokens",
        long = "jwt-signing-key-file",
        allow_hyphen_values = true,
        env = "XUEJI_JWT_SIGNING_KEY_FILE",
        hide_env_values = true,
        value_name = "FILE"
    )]
    pub signing_key_file: Option<SecretText>,
}

/// Other issuers of tokens (OpenID Connect), and how their keys are fetched.
#[derive(Args, Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OidcFlags {
    /// The issuers; in the TOML file alone.
    #[arg(skip)]
    pub issuers: Vec<IssuerSpec>,
    /// File with certificate authorities in PEM that are believed beside the usual ones
    #[arg(
        help_heading = "Other issuers",
        id = "oidc_ca_file",
        long = "oidc-ca-file",
        env = "XUEJI_OIDC_CA_FILE",
        value_name = "FILE"
    )]
    pub ca_file: Option<String>,
    /// Seconds after which the keys of an issuer are fetched again, at most 86400 [default: 300]
    #[arg(
        help_heading = "Other issuers",
        id = "oidc_refresh_seconds",
        long = "oidc-refresh-seconds",
        env = "XUEJI_OIDC_REFRESH_SECONDS",
        value_name = "SECONDS"
    )]
    pub refresh_seconds: Option<u32>,
    /// Least seconds between two fetches at an issuer, at most 3600 [default: 10]
    #[arg(
        help_heading = "Other issuers",
        id = "oidc_pause_seconds",
        long = "oidc-pause-seconds",
        env = "XUEJI_OIDC_PAUSE_SECONDS",
        value_name = "SECONDS"
    )]
    pub pause_seconds: Option<u32>,
    /// Seconds for which keys serve while their issuer cannot be reached, at most 604800 [default: 86400]
    #[arg(
        help_heading = "Other issuers",
        id = "oidc_keep_seconds",
        long = "oidc-keep-seconds",
        env = "XUEJI_OIDC_KEEP_SECONDS",
        value_name = "SECONDS"
    )]
    pub keep_seconds: Option<u32>,
    /// Seconds in which a document of an issuer must arrive, at most 30 [default: 5]
    #[arg(
        help_heading = "Other issuers",
        id = "oidc_fetch_seconds",
        long = "oidc-fetch-seconds",
        env = "XUEJI_OIDC_FETCH_SECONDS",
        value_name = "SECONDS"
    )]
    pub fetch_seconds: Option<u32>,
}

/// An issuer whose access tokens are accepted.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IssuerSpec {
    /// Its address, exactly as its tokens name it.
    pub issuer: String,
    /// What its access tokens for this server are for; one must be named by a token.
    pub audiences: Vec<String>,
    /// Algorithms of its tokens [default: RS256, ES256, EdDSA].
    pub algorithms: Vec<String>,
    /// Where its keys are, instead of where its discovery document says.
    pub jwks_uri: Option<String>,
    /// Clock difference that is tolerated, at most 60 [default: 30].
    pub leeway_seconds: Option<u64>,
    /// What claims of its tokens grant; nothing else in a token grants anything.
    pub grants: Vec<MappingSpec>,
}

/// A claim that grants a role while a token holds it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MappingSpec {
    /// The names that lead to the claim, from the outside in.
    pub claim: Vec<String>,
    /// Its text, or one of its texts when it is a list.
    pub value: String,
    /// The role.
    pub role: String,
    /// `school` or `region`.
    pub reach: String,
    /// The school code of the school, or the division code of the authority.
    pub place: String,
}

/// One key that verifies tokens. Exactly one of `key` and `file` is given.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeySpec {
    /// Key id that tokens name in their header.
    pub kid: String,
    /// Algorithm, the only one that this key accepts.
    pub alg: String,
    /// The key itself: a public key in PEM, or for HS256 the secret text.
    pub key: Option<SecretText>,
    /// A file with the same.
    pub file: Option<PathBuf>,
}

impl FromStr for KeySpec {
    type Err = Infallible;

    /// Reads `KID:ALG:FILE`. What is written otherwise may be a key itself: it is kept as one without a name, which
    /// the settings refuse, because a refusal by the command line would quote it.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        let mut parts = text.splitn(3, ':').map(str::trim);
        Ok(match (parts.next(), parts.next(), parts.next()) {
            (Some(kid), Some(alg), Some(file))
                if !kid.is_empty() && !alg.is_empty() && !file.is_empty() =>
            {
                Self {
                    kid: kid.to_owned(),
                    alg: alg.to_owned(),
                    key: None,
                    file: Some(PathBuf::from(file)),
                }
            }
            _ => Self {
                kid: String::new(),
                alg: String::new(),
                key: Some(SecretText::from(text.to_owned())),
                file: None,
            },
        })
    }
}

/// Declares a group of numbers once: field, flag, environment variable and help.
macro_rules! limits {
    ($(#[doc = $about:literal])+ $group:ident, $heading:literal; $($(#[doc = $help:literal])+ $field:ident: $flag:literal, $env:literal;)+) => {
        $(#[doc = $about])+
        #[derive(Args, Clone, Debug, Default, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $group {
            $($(#[doc = $help])+
            #[arg(help_heading = $heading, long = $flag, env = $env, value_name = "NUMBER", hide_short_help = true)]
            pub $field: Option<u32>,)+
        }
    };
}

limits! {
    /// Bounds on what one request and one client may cost.
    LimitFlags, "Limits";
    /// Bytes of a request body [default: 1048576]
    body_bytes: "limits-body-bytes", "XUEJI_LIMITS_BODY_BYTES";
    /// Bytes of a query document [default: 65536]
    query_bytes: "limits-query-bytes", "XUEJI_LIMITS_QUERY_BYTES";
    /// Nesting of brackets in a query document, at most 64 [default: 64]
    nesting: "limits-nesting", "XUEJI_LIMITS_NESTING";
    /// Fragment spreads of an operation, fragments expanded [default: 1000]
    spreads: "limits-spreads", "XUEJI_LIMITS_SPREADS";
    /// Fields of an operation, fragments expanded [default: 5000]
    fields: "limits-fields", "XUEJI_LIMITS_FIELDS";
    /// Aliases of an operation, fragments expanded [default: 200]
    aliases: "limits-aliases", "XUEJI_LIMITS_ALIASES";
    /// Directives of an operation, fragments expanded [default: 200]
    directives: "limits-directives", "XUEJI_LIMITS_DIRECTIVES";
    /// Levels of nested fields [default: 16]
    depth: "limits-depth", "XUEJI_LIMITS_DEPTH";
    /// Complexity of an operation [default: 50000]
    complexity: "limits-complexity", "XUEJI_LIMITS_COMPLEXITY";
    /// Seconds that a request may take [default: 30]
    request_seconds: "limits-request-seconds", "XUEJI_LIMITS_REQUEST_SECONDS";
    /// Seconds in which the headers of a request must arrive [default: 10]
    header_seconds: "limits-header-seconds", "XUEJI_LIMITS_HEADER_SECONDS";
    /// Seconds in which a body must arrive, and in which a client must read on [default: 15]
    body_seconds: "limits-body-seconds", "XUEJI_LIMITS_BODY_SECONDS";
    /// Seconds that running requests get when the server stops [default: 30]
    shutdown_seconds: "limits-shutdown-seconds", "XUEJI_LIMITS_SHUTDOWN_SECONDS";
    /// Connections served at once [default: 1024]
    connections: "limits-connections", "XUEJI_LIMITS_CONNECTIONS";
    /// Operations open on one websocket [default: 100]
    streams: "limits-streams", "XUEJI_LIMITS_STREAMS";
    /// Subscriptions open for one account [default: 200]
    streams_per_account: "limits-streams-per-account", "XUEJI_LIMITS_STREAMS_PER_ACCOUNT";
    /// Websockets and event streams open from one address [default: 256]
    live_per_address: "limits-live-per-address", "XUEJI_LIMITS_LIVE_PER_ADDRESS";
    /// Subscriptions that an account may begin in a minute [default: 600]
    subscribes_per_minute: "limits-subscribes-per-minute", "XUEJI_LIMITS_SUBSCRIBES_PER_MINUTE";
    /// Requests that a person's account may send in a minute, 0 for any number [default: 1200]
    account_per_minute: "limits-account-per-minute", "XUEJI_LIMITS_ACCOUNT_PER_MINUTE";
    /// Requests that such an account may send at once [default: 600]
    account_burst: "limits-account-burst", "XUEJI_LIMITS_ACCOUNT_BURST";
    /// Requests that a program's account may send in a minute, 0 for any number [default: 600]
    client_per_minute: "limits-client-per-minute", "XUEJI_LIMITS_CLIENT_PER_MINUTE";
    /// Requests that such an account may send at once [default: 300]
    client_burst: "limits-client-burst", "XUEJI_LIMITS_CLIENT_BURST";
    /// Requests that an address may send in a minute, 0 for any number [default: 12000]
    address_per_minute: "limits-address-per-minute", "XUEJI_LIMITS_ADDRESS_PER_MINUTE";
    /// Requests that an address may send at once [default: 6000]
    address_burst: "limits-address-burst", "XUEJI_LIMITS_ADDRESS_BURST";
    /// Failed sign-ins of an address in a minute, 0 for any number [default: 60]
    sign_ins_per_minute: "limits-sign-ins-per-minute", "XUEJI_LIMITS_SIGN_INS_PER_MINUTE";
    /// Failed sign-ins of an address at once [default: 120]
    sign_ins_burst: "limits-sign-ins-burst", "XUEJI_LIMITS_SIGN_INS_BURST";
    /// Seconds in which a websocket must be initialised [default: 10]
    init_seconds: "limits-init-seconds", "XUEJI_LIMITS_INIT_SECONDS";
    /// Seconds of silence after which a sign of life is sent, or asked for [default: 20]
    idle_seconds: "limits-idle-seconds", "XUEJI_LIMITS_IDLE_SECONDS";
    /// Seconds for which streams stay open while their accounts cannot be checked [default: 10]
    unchecked_seconds: "limits-unchecked-seconds", "XUEJI_LIMITS_UNCHECKED_SECONDS";
    /// Hours for which events are kept in the outbox [default: 24]
    outbox_hours: "limits-outbox-hours", "XUEJI_LIMITS_OUTBOX_HOURS";
    /// Memory for parsed documents in bytes [default: 33554432]
    document_cache_bytes: "limits-document-cache-bytes", "XUEJI_LIMITS_DOCUMENT_CACHE_BYTES";
    /// Memory for verified tokens in bytes [default: 4194304]
    token_cache_bytes: "limits-token-cache-bytes", "XUEJI_LIMITS_TOKEN_CACHE_BYTES";
}

limits! {
    /// Bounds on exceptional access.
    ExceptionalFlags, "Exceptional access";
    /// Values that an account may reveal in an hour [default: 30]
    reveals_per_hour: "reveals-per-hour", "XUEJI_REVEALS_PER_HOUR";
    /// Identity numbers that an account may check in an hour [default: 60]
    checks_per_hour: "checks-per-hour", "XUEJI_CHECKS_PER_HOUR";
    /// Records that an account may try to open in an hour [default: 5]
    opens_per_hour: "opens-per-hour", "XUEJI_OPENS_PER_HOUR";
    /// Duties that an account may give to substitutes in an hour [default: 30]
    delegations_per_hour: "delegations-per-hour", "XUEJI_DELEGATIONS_PER_HOUR";
    /// Opinions and reports that an account may raise in an hour [default: 5]
    concerns_per_hour: "concerns-per-hour", "XUEJI_CONCERNS_PER_HOUR";
    /// Minutes for which a record is open, at most 1440 [default: 60]
    open_minutes: "open-minutes", "XUEJI_OPEN_MINUTES";
    /// Days in which a record that was opened must be reviewed, at most 31 [default: 3]
    review_days: "review-days", "XUEJI_REVIEW_DAYS";
    /// Most days of a substitution, at most 366 [default: 31]
    delegation_days: "delegation-days", "XUEJI_DELEGATION_DAYS";
    /// Most days of a grant that is given by hand, at most 1096 [default: 366]
    grant_days: "grant-days", "XUEJI_GRANT_DAYS";
    /// Days in which a second person agrees to a grant, at most 31 [default: 7]
    grant_request_days: "grant-request-days", "XUEJI_GRANT_REQUEST_DAYS";
}

limits! {
    /// Times of codes and secrets that accounts are given.
    AccountFlags, "Accounts";
    /// Days in which a code for a first or a new password may be used, at most 92 [default: 14]
    activation_days: "accounts-activation-days", "XUEJI_ACCOUNTS_ACTIVATION_DAYS";
    /// Days until the registration of a program ends where no day is named, at most 1096 [default: 365]
    client_days: "accounts-client-days", "XUEJI_ACCOUNTS_CLIENT_DAYS";
    /// Hours for which the earlier secret of a program is good after its rotation, at most 168 [default: 24]
    overlap_hours: "accounts-overlap-hours", "XUEJI_ACCOUNTS_OVERLAP_HOURS";
}

limits! {
    /// What is asked of passwords, how long sessions last, what failures lead to.
    SignInFlags, "Sign-in";
    /// Minutes for which an access token holds, at most 60 [default: 10]
    access_minutes: "access-minutes", "XUEJI_ACCESS_MINUTES";
    /// Minutes without use after which a session ends [default: 120]
    idle_minutes: "idle-minutes", "XUEJI_IDLE_MINUTES";
    /// Minutes that a session lasts at most [default: 720]
    session_minutes: "session-minutes", "XUEJI_SESSION_MINUTES";
    /// Fewest characters of a password, 6 to 128 [default: 10]
    password_length: "password-length", "XUEJI_PASSWORD_LENGTH";
    /// Kinds of characters in a password, of small letters, capitals, digits and others [default: 3]
    password_classes: "password-classes", "XUEJI_PASSWORD_CLASSES";
    /// Replaced passwords that are not chosen again, at most 24 [default: 5]
    password_history: "password-history", "XUEJI_PASSWORD_HISTORY";
    /// Days after which a password must be changed, 0 for never [default: 0]
    password_days: "password-days", "XUEJI_PASSWORD_DAYS";
    /// Failed sign-ins after which an account is locked for a while [default: 5]
    lock_after: "lock-after", "XUEJI_LOCK_AFTER";
    /// Seconds of the first lock; each failure after it doubles them [default: 60]
    lock_seconds: "lock-seconds", "XUEJI_LOCK_SECONDS";
    /// Most seconds of a lock [default: 3600]
    lock_most_seconds: "lock-most-seconds", "XUEJI_LOCK_MOST_SECONDS";
    /// Memory of one password hash (Argon2id) in KiB, at least 8192 [default: 19456]
    hash_memory_kib: "hash-memory-kib", "XUEJI_HASH_MEMORY_KIB";
    /// Passes of one password hash [default: 2]
    hash_passes: "hash-passes", "XUEJI_HASH_PASSES";
    /// Lanes of one password hash [default: 1]
    hash_lanes: "hash-lanes", "XUEJI_HASH_LANES";
    /// Password hashes computed at once; others wait [default: 4]
    hashes_at_once: "hashes-at-once", "XUEJI_HASHES_AT_ONCE";
}

impl Flags {
    /// Lays these flags over the TOML file that `--config` names, if one is named.
    pub fn read(self) -> Result<Self, ConfigError> {
        let Some(path) = self.config.clone() else {
            return Ok(self);
        };
        let file = path.display().to_string();
        if let Err(error) = std::fs::metadata(&path) {
            return Err(ConfigError::File { file, why: error.kind().to_string() });
        }
        let given = Value::serialize(&self).map_err(|error| sentence(&path, &error))?;
        let mut read: Self = Figment::new()
            .merge(Toml::file_exact(&path))
            .merge(Serialized::defaults(given_only(given)))
            .extract()
            .map_err(|error| sentence(&path, &error))?;
        read.config = self.config;
        Ok(read)
    }
}

/// Drops what was not given, so that an absent flag does not hide the value of the file.
fn given_only(value: Value) -> Dict {
    let Value::Dict(_, dict) = value else {
        return Dict::new();
    };
    dict.into_iter()
        .filter_map(|(key, value)| match value {
            Value::Empty(..) => None,
            Value::Array(_, items) if items.iter().all(blank) => None,
            // An empty environment variable is how shells unset one; it does not hide the file.
            Value::String(_, text) if text.trim().is_empty() => None,
            Value::Dict(..) => Some((key, Value::from(given_only(value)))),
            Value::String(..)
            | Value::Char(..)
            | Value::Bool(..)
            | Value::Num(..)
            | Value::Array(..) => Some((key, value)),
        })
        .collect()
}

/// Whether an item of a list says nothing.
fn blank(item: &Value) -> bool {
    item.as_str().is_some_and(|text| text.trim().is_empty())
}

/// One sentence for what figment found; it never quotes a value, which may be a secret.
fn sentence(path: &Path, error: &figment::Error) -> ConfigError {
    let file = path.display().to_string();
    let mut parts = error.path.clone();
    match &error.kind {
        Kind::UnknownField(name, known) => {
            if parts.last() != Some(name) {
                parts.push(name.clone());
            }
            ConfigError::Unknown { file, key: parts.join("."), known: known.join(", ") }
        }
        Kind::MissingField(name) => {
            parts.push(name.to_string());
            ConfigError::WrongType { file, key: parts.join("."), why: "it is not there".to_owned() }
        }
        Kind::InvalidType(_, expected) | Kind::InvalidValue(_, expected) => {
            ConfigError::WrongType {
                file,
                key: parts.join("."),
                why: format!("expected {expected}"),
            }
        }
        Kind::UnknownVariant(_, known) => ConfigError::WrongType {
            file,
            key: parts.join("."),
            why: format!("expected one of {}", known.join(", ")),
        },
        Kind::Message(message) if parts.is_empty() => {
            // A TOML syntax message quotes the line below its first line; only the position is passed on.
            ConfigError::File {
                file,
                why: message.lines().next().unwrap_or("it is no TOML").to_owned(),
            }
        }
        Kind::Message(_)
        | Kind::InvalidLength(..)
        | Kind::DuplicateField(_)
        | Kind::ISizeOutOfRange(_)
        | Kind::USizeOutOfRange(_)
        | Kind::Unsupported(_)
        | Kind::UnsupportedKey(..) => ConfigError::WrongType {
            file,
            key: parts.join("."),
            why: "the value does not fit".to_owned(),
        },
    }
}
