//! Order of strength, and one sentence for everything that is missing, unknown or contradictory.

use std::io::Write;

use clap::{Args, FromArgMatches};
use rstest::rstest;

use super::{
    ConfigError,
    door::{Rate, Tls},
    flags::Flags,
    settings::{Database, Settings},
};

const KEY_A: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const KEY_B: &str = "ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

const KEY_C: &str = "aa0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

fn parse(args: &[&str]) -> Flags {
    let command = Flags::augment_args(clap::Command::new("xueji"));
    let matches = command.try_get_matches_from([&["xueji"], args].concat()).unwrap();
    Flags::from_arg_matches(&matches).unwrap()
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn complete() -> String {
    format!(
        "database_url = 'sqlite://x.db'\npublic_id_key = '{KEY_A}'\nlookup_key = '{KEY_B}'\n\
         master_key = '{KEY_C}'\n\
         [jwt]\nissuer = 'i'\naudience = 'a'\n[[jwt.keys]]\nkid = 'k'\nalg = 'EdDSA'\nfile = 'k.pem'\n"
    )
}

fn read(text: &str, args: &[&str]) -> Result<Settings, ConfigError> {
    let file = file(text);
    let path = file.path().to_str().unwrap().to_owned();
    parse(&[&["--config", &path], args].concat()).read()?.settings()
}

#[test]
fn defaults_and_the_file_are_enough() {
    let settings = read(&complete(), &[]).unwrap();
    assert_eq!(settings.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(settings.time_zone, chrono_tz::Asia::Shanghai);
    assert_eq!(settings.database, Database::Sqlite);
    assert_eq!((settings.introspection, settings.graphiql), (false, false));
    assert_eq!(settings.limits.body_bytes, 1 << 20);
    assert_eq!(settings.jwt.leeway.as_secs(), 30);
}

#[test]
fn backups_are_taken_where_a_folder_is_named() {
    use super::settings::Keep;
    assert_eq!(read(&complete(), &[]).unwrap().backups, None);
    let text = format!("{}[backup]\nfolder = '/backups'\nkeep_weekly = 0\n", complete());
    let backups = read(&text, &["--backup-hour", "5"]).unwrap().backups.unwrap();
    assert_eq!(backups.folder.to_str(), Some("/backups"));
    assert_eq!((backups.hour, backups.verify_every_days), (5, 7));
    assert_eq!(backups.keep, Keep { daily: 7, weekly: 0, monthly: 12 });
    for (flag, value, part) in [
        ("--backup-hour", "24", "backup.hour"),
        ("--backup-verify-every-days", "0", "backup.verify_every_days"),
    ] {
        let error = read(&text, &[flag, value]).unwrap_err().to_string();
        assert!(error.contains(part) && error.contains(flag), "{error}");
    }
}

#[test]
fn exceptional_access_has_defaults_and_bounds() {
    let settings = read(&complete(), &[]).unwrap().exceptional;
    assert_eq!(settings, super::settings::Exceptional::default());
    assert_eq!((settings.reveals_per_hour, settings.checks_per_hour), (30, 60));
    assert_eq!(
        (settings.open_minutes, settings.review_days, settings.delegation_days),
        (60, 3, 31)
    );
    let text = format!("{}[exceptional]\nopen_minutes = 15\nreveals_per_hour = 0\n", complete());
    let settings = read(&text, &["--review-days", "7"]).unwrap().exceptional;
    assert_eq!((settings.open_minutes, settings.review_days), (15, 7));
    assert_eq!(settings.reveals_per_hour, 0, "an act may be forbidden by its limit");
    for (flag, key) in [
        ("--open-minutes", "exceptional.open_minutes"),
        ("--review-days", "exceptional.review_days"),
        ("--delegation-days", "exceptional.delegation_days"),
        ("--grant-days", "exceptional.grant_days"),
        ("--grant-request-days", "exceptional.grant_request_days"),
    ] {
        for wrong in ["0", "1441"] {
            let error = read(&complete(), &[flag, wrong]).unwrap_err().to_string();
            assert!(error.contains(key), "{error}");
        }
    }
}

#[test]
fn the_door_is_closed_and_without_tls_unless_something_is_said() {
    let settings = read(&complete(), &[]).unwrap();
    assert_eq!((settings.tls, settings.hsts), (None, None));
    assert!(settings.cors_origins.is_empty() && settings.trusted_proxies.is_empty());
    let limits = settings.limits;
    assert_eq!(limits.account_rate, Rate { per_minute: 1200, burst: 600 });
    assert_eq!(limits.client_rate, Rate { per_minute: 600, burst: 300 });
    assert_eq!(limits.address_rate, Rate { per_minute: 12_000, burst: 6_000 });
    assert_eq!(limits.sign_in_rate, Rate { per_minute: 60, burst: 120 });
}

#[test]
fn the_door_is_set_by_file_and_flags() {
    let text = complete().replace(
        "[jwt]",
        "trusted_proxies = ['10.0.0.0/8', '192.0.2.7', 'fd00::/8']\n\
         [tls]\ncertificate = 'c.pem'\nkey = 'k.pem'\n\
         [cors]\norigins = ['https://a.example', 'http://localhost:3000']\n\
         [limits]\nclient_per_minute = 0\n[jwt]",
    );
    let settings = read(&text, &["--cors-origins", "", "--trusted-proxies", ""]).unwrap();
    let tls = Tls { certificate: "c.pem".into(), key: "k.pem".into() };
    assert_eq!(settings.tls, Some(tls));
    assert_eq!(settings.hsts.unwrap().as_secs(), 31_536_000, "whoever speaks TLS says so");
    assert_eq!(settings.cors_origins, ["https://a.example", "http://localhost:3000"]);
    let networks: Vec<_> = settings.trusted_proxies.iter().map(ToString::to_string).collect();
    assert_eq!(networks, ["10.0.0.0/8", "192.0.2.7/32", "fd00::/8"]);
    assert_eq!(settings.limits.client_rate.per_minute, 0);
    let off = read(&text, &["--tls-hsts-seconds", "0"]).unwrap();
    assert_eq!(off.hsts, None);
    let behind = read(&complete(), &["--tls-hsts-seconds", "60"]).unwrap();
    assert_eq!(behind.hsts.unwrap().as_secs(), 60, "a proxy in front may speak TLS");
    let origins = ["--cors-origins", "https://b.example,https://c.example"];
    assert_eq!(read(&text, &origins).unwrap().cors_origins.len(), 2);
}

#[test]
fn a_token_key_that_is_written_wrongly_is_not_quoted() {
    for wrong in ["hunter2", "main:hunter2", "main::hunter2", ":HS256:hunter2"] {
        let error = read(&complete(), &["--jwt-key", wrong]).unwrap_err().to_string();
        assert!(error.contains("KID:ALG:FILE") && !error.contains("hunter2"), "{error}");
    }
}

#[test]
fn flags_win_over_the_file_and_replace_lists() {
    let text =
        format!("listen = '127.0.0.1:1'\ngraphiql = true\n{}[limits]\ndepth = 9\n", complete());
    let args = ["--listen", "127.0.0.1:2", "--limits-fields", "7", "--jwt-key", "x:RS256:/x.pem"];
    let settings = read(&text, &args).unwrap();
    assert_eq!(settings.listen.port(), 2);
    assert!(settings.graphiql);
    assert_eq!((settings.limits.depth, settings.limits.fields), (9, 7));
    assert_eq!(settings.jwt.keys.len(), 1);
    assert_eq!(settings.jwt.keys[0].kid, "x");
}

#[test]
fn an_empty_value_does_not_hide_the_file() {
    let settings = read(&complete(), &["--database-url", "", "--jwt-issuer", " "]).unwrap();
    assert_eq!(settings.database_url.reveal(), "sqlite://x.db");
    assert_eq!(settings.jwt.issuer, "i");
}

#[rstest]
#[case(
    "database_url = 'sqlite://x.db'\n",
    "",
    "database_url",
    "--database-url, XUEJI_DATABASE_URL or database_url"
)]
#[case("issuer = 'i'\n", "", "jwt.issuer", "--jwt-issuer, XUEJI_JWT_ISSUER or jwt.issuer")]
#[case("audience = 'a'\n", "", "jwt.audience", "XUEJI_JWT_AUDIENCE")]
#[case("audience = 'a'\n", "audience = ''\n", "jwt.audience is missing", "--jwt-audience")]
#[case(
    "[[jwt.keys]]\nkid = 'k'\nalg = 'EdDSA'\nfile = 'k.pem'\n",
    "",
    "jwt.keys is missing",
    "--jwt-key KID:ALG:FILE"
)]
#[case("file = 'k.pem'\n", "", "exactly one of key and file", "[[jwt.keys]]")]
#[case("kid = 'k'\n", "", "kid", "jwt.keys")]
#[case(
    "issuer = 'i'\n",
    "issuer = 'i'\nleeway_seconds = 61\n",
    "at most 60",
    "--jwt-leeway-seconds"
)]
#[case("issuer = 'i'\n", "isuer = 'i'\n", "unknown setting jwt.isuer", "issuer")]
#[case("database_url", "databse_url", "unknown setting databse_url", "database_url")]
#[case("sqlite://x.db", "mysql://x", "sqlite:// or postgres://", "database_url")]
#[case("[jwt]", "time_zone = 'Asia/Peking'\n[jwt]", "Asia/Shanghai", "--time-zone")]
#[case("[jwt]", "listen = 'here'\n[jwt]", "address and a port", "--listen")]
#[case("[jwt]", "graphiql = 3\n[jwt]", "graphiql", "--graphiql")]
#[case("[jwt]", "log_format = 'xml'\n[jwt]", "log_format", "json")]
#[case("[jwt]", "[limits]\nnesting = 65\n[jwt]", "at most 64", "--limits-nesting")]
#[case("[jwt]", "[limits]\nfields = 0\n[jwt]", "above zero", "--limits-fields")]
#[case("[jwt]", "[limits]\nbody_bytes = 10\n[jwt]", "limits.query_bytes", "limits.body_bytes")]
#[case("[jwt]", "[limits]\naccount_burst = 0\n[jwt]", "above zero", "--limits-account-burst")]
#[case("[jwt]", "[tls]\ncertificate = 'c.pem'\n[jwt]", "tls.key", "both, or neither")]
#[case("[jwt]", "[tls]\nkey = 'k.pem'\n[jwt]", "tls.certificate", "both, or neither")]
#[case(
    "[jwt]",
    "[tls]\ncertificate = 'c.pem'\nkey = '-----BEGIN PRIVATE KEY-----'\n[jwt]",
    "no name of a file",
    "XUEJI_TLS_KEY"
)]
#[case("[jwt]", "[cors]\norigins = ['*']\n[jwt]", "name each one", "--cors-origins")]
#[case("[jwt]", "[cors]\norigins = ['https://*.x.cn']\n[jwt]", "name each one", "cors.origins")]
#[case("[jwt]", "[cors]\norigins = ['null']\n[jwt]", "is no origin", "cors.origins")]
#[case("[jwt]", "[cors]\norigins = ['https://x.cn/']\n[jwt]", "is no origin", "cors.origins")]
#[case("[jwt]", "[cors]\norigins = ['ftp://x.cn']\n[jwt]", "is no origin", "cors.origins")]
#[case("[jwt]", "[cors]\norigins = ['https://x.cn:443']\n[jwt]", "usual port", "cors.origins")]
#[case("[jwt]", "trusted_proxies = ['here']\n[jwt]", "is no network", "--trusted-proxies")]
#[case("[jwt]", "trusted_proxies = ['0.0.0.0/0']\n[jwt]", "is everybody", "XUEJI_TRUSTED_PROXIES")]
#[case(KEY_B, KEY_A, "lookup_key", "equals public_id_key")]
#[case(KEY_B, "abc", "64 hexadecimal digits", "--lookup-key")]
#[case(KEY_C, KEY_B, "master_key", "equals another key")]
#[case(KEY_C, "abc", "64 hexadecimal digits", "--master-key")]
#[case("master_key =", "master_key_file = 'x'\nmaster_key =", "one of the two", "master_key")]
#[case("master_key =", "#", "master_key_file is missing", "XUEJI_MASTER_KEY_FILE")]
#[case("master_key = '", "master_key_file = '/nowhere/", "/nowhere/aa01", "cannot be read")]
#[case("[jwt]", "data_cipher = 'des'\n[jwt]", "data_cipher", "sm4-gcm")]
fn one_sentence_names_the_setting(
    #[case] from: &str,
    #[case] to: &str,
    #[case] has: &str,
    #[case] and: &str,
) {
    let error = read(&complete().replacen(from, to, 1), &[]).unwrap_err().to_string();
    assert!(error.contains(has) && error.contains(and), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
}

#[test]
fn a_master_key_file_holds_digits_or_bytes_and_is_its_owners() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("master.key");
    let write = |bytes: &[u8], mode: u32| {
        std::fs::write(&path, bytes).unwrap();
        #[cfg(unix)]
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(mode))
            .unwrap();
    };
    let text = complete().replace(
        &format!("master_key = '{KEY_C}'"),
        &format!("master_key_file = '{}'", path.display()),
    );
    let key = || read(&text, &[]).map(|settings| settings.master_key);
    write(format!("{KEY_C}\n").as_bytes(), 0o600);
    let digits = key().unwrap();
    assert_eq!(digits, super::secret::SecretKey::from_hex(KEY_C).unwrap());
    write(digits.bytes(), 0o600);
    assert_eq!(key().unwrap(), digits, "32 bytes are the key itself");
    for (bytes, mode, part) in [
        (&b"abc"[..], 0o600, "3 bytes, and a key is 64 hexadecimal digits or 32 bytes"),
        (&[1; 33], 0o600, "wrong length"),
        (&[b'x'; 64], 0o600, "other than hexadecimal digits"),
        (&[7; 32], 0o600, "all its bytes are the same"),
        (KEY_C.as_bytes(), 0o644, "everybody on this machine may read"),
    ] {
        write(bytes, mode);
        let error = key().unwrap_err().to_string();
        assert!(error.contains(part) && error.contains("master_key_file"), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
        assert!(!error.contains("0a0b0c"), "{error}");
    }
}

#[test]
fn heads_are_kept_beside_a_file_and_where_the_setting_says() {
    let heads = |args: &[&str]| parse(args).audit_heads().unwrap();
    for (url, file) in [
        ("sqlite://a/registry.db?mode=rwc", Some("a/registry.heads.jsonl")),
        ("sqlite:///var/lib/x.db", Some("/var/lib/x.heads.jsonl")),
        ("sqlite::memory:", None),
        ("postgres://somebody@somewhere/registry", None),
    ] {
        assert_eq!(heads(&["--database-url", url]), file.map(Into::into), "{url}");
        let given = heads(&["--database-url", url, "--audit-heads", "/safe/heads"]);
        assert_eq!(given, Some("/safe/heads".into()));
    }
}

#[test]
fn two_keys_of_one_name_contradict() {
    let error =
        read(&complete(), &["--jwt-key", "x:RS256:/x", "--jwt-key", "x:ES256:/y"]).unwrap_err();
    assert!(error.to_string().contains("two keys have the kid \"x\""), "{error}");
}

#[test]
fn a_file_that_is_not_there_or_no_toml_is_said() {
    let error = parse(&["--config", "/nowhere/x.toml"]).read().unwrap_err().to_string();
    assert!(error.contains("/nowhere/x.toml cannot be read"), "{error}");
    let error = read("database_url = 'hunter2", &[]).unwrap_err().to_string();
    assert!(error.contains("cannot be read") && !error.contains("hunter2"), "{error}");
}

#[test]
fn secrets_are_in_no_debug() {
    let text = complete()
        .replace("sqlite://x.db", "postgres://u:hunter2@h/d")
        .replace("file = 'k.pem'", "key = 'hunter2'");
    let file = file(&text);
    let flags = parse(&["--config", file.path().to_str().unwrap()]).read().unwrap();
    let shown = format!("{flags:?} {:?}", flags.settings().unwrap());
    assert!(!shown.contains("hunter2") && !shown.contains("0a0b0c"), "{shown}");
    let pasted =
        parse(&["--tls-key", "-----BEGIN PRIVATE KEY-----hunter2", "--jwt-key", "hunter2"]);
    assert!(!format!("{pasted:?}").contains("hunter2"), "{pasted:?}");
}

#[test]
fn wrong_types_quote_no_value() {
    let error = read("public_id_key = 77777\n", &[]).unwrap_err().to_string();
    assert!(error.contains("public_id_key") && !error.contains("77777"), "{error}");
}

#[test]
fn the_flags_are_well_formed() {
    Flags::augment_args(clap::Command::new("xueji")).debug_assert();
}

/// The complete file with this issuer.
fn with_issuer(text: &str) -> Result<Settings, ConfigError> {
    read(&format!("{}[[oidc.issuers]]\n{text}\n", complete()), &[])
}

#[test]
fn other_issuers_are_read_with_what_is_usual() {
    assert_eq!(read(&complete(), &[]).unwrap().oidc, super::oidc::Oidc::default());
    let text = "issuer = 'https://id.example/realms/x/'\naudiences = ['api']\n\
        [[oidc.issuers.grants]]\nclaim = ['a', 'b']\nvalue = 'v'\nrole = 'registrar'\nreach = 'school'\nplace = '3301000001'";
    let oidc = with_issuer(text).unwrap().oidc;
    let [issuer] = oidc.issuers.as_slice() else { panic!("one issuer") };
    assert_eq!(issuer.name, "https://id.example/realms/x/");
    assert_eq!(
        issuer.discovery.text,
        "https://id.example/realms/x/.well-known/openid-configuration"
    );
    let discovery = &issuer.discovery;
    assert_eq!((discovery.tls, discovery.host.as_str(), discovery.port), (true, "id.example", 443));
    assert_eq!(issuer.jwks, None);
    assert_eq!((issuer.algorithms.len(), issuer.leeway.as_secs()), (3, 30));
    assert_eq!(issuer.grants[0].claim, ["a", "b"]);
    let paces = [oidc.refresh, oidc.pause, oidc.keep, oidc.patience].map(|pace| pace.as_secs());
    assert_eq!(paces, [300, 10, 86_400, 5]);
    let paced = read(&complete(), &["--oidc-pause-seconds", "7"]).unwrap().oidc.pause;
    assert_eq!(paced.as_secs(), 7);
    // On this machine an issuer may be asked without TLS.
    for here in ["http://127.0.0.1:8081", "http://[::1]:8081/x", "http://localhost"] {
        with_issuer(&format!("issuer = '{here}'\naudiences = ['api']")).unwrap();
    }
}

#[rstest]
#[case("issuer = 'http://id.example'\naudiences = ['a']", "not encrypted")]
#[case("issuer = 'http://127.0.0.1.evil.example'\naudiences = ['a']", "not encrypted")]
#[case("issuer = 'ftp://id.example'\naudiences = ['a']", "is no address")]
#[case("issuer = 'id.example'\naudiences = ['a']", "is no address")]
#[case("issuer = 'https://u:p@id.example'\naudiences = ['a']", "names a user")]
#[case("issuer = 'https://id.example/#x'\naudiences = ['a']", "after #")]
#[case("issuer = 'https://id.example?x=1'\naudiences = ['a']", "neither a query")]
#[case("issuer = 'i'\naudiences = ['a']", "is no address")]
#[case("audiences = ['a']", "is no address")]
#[case("issuer = 'https://id.example'", "has no audiences")]
#[case("issuer = 'https://id.example'\naudiences = [' ']", "has no audiences")]
#[case(
    "issuer = 'https://id.example'\naudiences = ['a']\nalgorithms = ['HS256']",
    "which is none of"
)]
#[case(
    "issuer = 'https://id.example'\naudiences = ['a']\nalgorithms = ['none']",
    "which is none of"
)]
#[case("issuer = 'https://id.example'\naudiences = ['a']\nleeway_seconds = 61", "above 60")]
#[case(
    "issuer = 'https://id.example'\naudiences = ['a']\njwks_uri = 'http://id.example/k'",
    "jwks_uri"
)]
#[case("issuer = 'https://id.example'\naudiences = ['a']\naudience = 'b'", "unknown setting")]
#[case(
    "issuer = 'https://id.example'\naudiences = ['a']\n[[oidc.issuers]]\nissuer = 'https://id.example'\naudiences = ['b']",
    "is there twice"
)]
#[case(
    "issuer = 'https://id.example'\naudiences = ['a']\n[[oidc.issuers.grants]]\nclaim = ['a']\nvalue = 'v'\nrole = 'administrator'\nreach = 'anywhere'\nplace = 'x'",
    "another reach"
)]
#[case(
    "issuer = 'https://id.example'\naudiences = ['a']\n[[oidc.issuers.grants]]\nclaim = []\nvalue = 'v'\nrole = 'r'\nreach = 'school'\nplace = 'x'",
    "grants without"
)]
fn an_issuer_that_cannot_be_trusted_is_refused(#[case] text: &str, #[case] why: &str) {
    let said = with_issuer(text).unwrap_err().to_string();
    assert!(said.contains(why) && said.contains("oidc.issuers"), "{said}");
}

#[test]
fn the_own_issuer_is_no_other_one_and_paces_have_bounds() {
    let own = complete().replace("issuer = 'i'", "issuer = 'https://id.example'");
    let both = format!("{own}[[oidc.issuers]]\nissuer = 'https://id.example'\naudiences = ['a']\n");
    assert!(read(&both, &[]).unwrap_err().to_string().contains("jwt.issuer as well"));
    for flag in ["refresh", "pause", "keep", "fetch"] {
        for value in ["0", "1000000"] {
            let flag = format!("--oidc-{flag}-seconds");
            let said = read(&complete(), &[&flag, value]).unwrap_err().to_string();
            assert!(said.contains("it must be 1 to") && said.contains(&flag), "{said}");
        }
    }
}
