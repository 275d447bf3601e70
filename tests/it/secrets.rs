//! Secrets stay secret: every setting that holds one is given a mark, by flag, by variable and in the file, in good and
//! in bad form, and the mark is looked for in everything that the program says.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rstest::rstest;
use serde_json::json;
use tempfile::TempDir;
use xueji::store::connect::connect;
use xueji_migration::{Migrator, MigratorTrait};

use crate::support::place::Place;
use crate::support::process::Running;

/// The beginning of every mark, in lower and upper case alike.
const MARK: &str = "5eed5ec2e7";

/// A way to give settings.
#[derive(Clone, Copy, Debug)]
enum Way {
    Flags,
    Variables,
    File,
}

/// Settings by their TOML keys; token keys as `KID:ALG:FILE`, or `KID:ALG=KEY` for one that is written out.
type Given<'a> = Vec<(&'a str, String)>;

/// The program with these settings and nothing of this environment.
fn xueji(folder: &Path, way: Way, given: &Given<'_>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xueji"));
    command.env_clear().current_dir(folder).stdin(Stdio::null()).arg("serve");
    let mut file = String::new();
    for (key, value) in given {
        let flag = format!("--{}", key.replace(['.', '_'], "-"));
        let variable = format!("XUEJI_{}", key.replace('.', "_").to_uppercase());
        match (way, *key) {
            (Way::Flags, "jwt.keys") => command.args(["--jwt-key", value]),
            (Way::Flags, _) => command.args([&flag, value]),
            (Way::Variables, _) => command.env(variable, value),
            (Way::File, "jwt.keys") => {
                let (kid, rest) = value.split_once(':').unwrap_or(("k", value));
                let (alg, kind, what) = match (rest.split_once('='), rest.split_once(':')) {
                    (Some((alg, key)), _) => (alg, "key", key),
                    (None, Some((alg, file))) => (alg, "file", file),
                    (None, None) => ("HS256", "key", rest),
                };
                writeln!(
                    file,
                    "jwt.keys = [{{ kid = '{kid}', alg = '{alg}', {kind} = '{what}' }}]"
                )
                .unwrap();
                &mut command
            }
            (Way::File, _) => {
                writeln!(file, "{key} = '''{value}'''").unwrap();
                &mut command
            }
        };
    }
    if matches!(way, Way::File) {
        let path = folder.join("xueji.toml");
        std::fs::write(&path, file).unwrap();
        command.arg("--config").arg(path);
    }
    command
}

#[track_caller]
fn holds_no_mark(what: &str, text: &str) {
    let found = text.to_lowercase().find(MARK);
    assert!(found.is_none(), "{what} holds a secret: {text}");
}

fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr]
        .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
        .concat()
}

/// 64 hexadecimal digits that begin with the mark.
fn key(last: char) -> String {
    format!("{MARK}{}{last}", "0123456789abcdef".repeat(4).split_off(11))
}

/// Everything that `serve` needs, each secret a mark.
fn good(folder: &Path, url: &str, listen: SocketAddr) -> Given<'static> {
    let token_key = folder.join("token-key");
    std::fs::write(&token_key, secret()).unwrap();
    vec![
        ("database_url", url.to_owned()),
        ("listen", listen.to_string()),
        ("public_id_key", key('1')),
        ("lookup_key", key('2')),
        ("jwt.keys", format!("k:HS256:{}", token_key.display())),
        ("jwt.issuer", "issuer".to_owned()),
        ("jwt.audience", "xueji".to_owned()),
        ("log_filter", "trace".to_owned()),
        ("master_key", key('3')),
    ]
}

/// The shared secret of the tokens.
fn secret() -> String {
    format!("{MARK}-a-secret-of-more-than-32-bytes")
}

/// Any port that is free.
const SOMEWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Sends a request and reads the whole answer; nothing while the server does not answer yet.
fn exchange(address: SocketAddr, request: &str) -> String {
    let Ok(mut stream) = TcpStream::connect(address) else { return String::new() };
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _closed = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
}

#[rstest]
#[case::by_flags(Way::Flags)]
#[case::by_variables(Way::Variables)]
#[case::in_the_file(Way::File)]
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_runs_tells_no_secret(#[case] way: Way) {
    let (folder, place) = (TempDir::new().unwrap(), Place::empty().await);
    // Without a data key yet: the server makes one under the master key of this test.
    let db = connect(&place.url, 1).await.unwrap();
    Migrator::up(&db, None).await.unwrap();
    db.close().await.unwrap();
    let mut given = good(folder.path(), &place.url, SOMEWHERE);
    if matches!(way, Way::File) {
        // Only in the file can the key itself be written out.
        given[4].1 = format!("k:HS256={}", secret());
    }
    let out = folder.path().join("out");
    let mut command = xueji(folder.path(), way, &given);
    command.stdout(File::create(&out).unwrap());
    let server = Running::of(command);
    let address = server.address;
    // Tokens that are good but of nobody, bad, and in a cookie; each holds the mark.
    let header = Header { kid: Some("k".to_owned()), ..Header::new(Algorithm::HS256) };
    let claims = json!({
        "iss": "issuer", "aud": "xueji", "sub": MARK, "iat": 1_700_000_000, "exp": 9_999_999_999_u64,
    });
    let signer = EncodingKey::from_secret(secret().as_bytes());
    let token = jsonwebtoken::encode(&header, &claims, &signer).unwrap();
    let body = json!({ "query": "{ students { totalCount } }" }).to_string();
    let mut answers = String::new();
    for (name, value) in [
        ("authorization", format!("Bearer {token}")),
        ("authorization", format!("Bearer {MARK}.{MARK}.{MARK}")),
        ("authorization", format!("Basic {MARK}")),
        ("cookie", format!("token={MARK}")),
        ("xueji-purpose", MARK.to_owned()),
    ] {
        answers += &exchange(
            address,
            &format!(
                "POST /graphql HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n\
                 {name}: {value}\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            ),
        );
    }
    let metrics = exchange(address, &get("/metrics"));
    assert!(metrics.contains("xueji_http_requests_total{"), "{metrics}");
    holds_no_mark("/metrics", &metrics);
    holds_no_mark("an answer", &answers);
    server.signal("-TERM");
    let log = server.ended();
    holds_no_mark("standard output", &std::fs::read_to_string(out).unwrap());
    assert!(log.contains("listening") && log.contains("stopping"), "{log}");
    holds_no_mark("the log", &log);
    assert!(!log.contains(token.rsplit('.').next().unwrap()), "the log holds a token");
}

#[rstest]
#[case::by_flags(Way::Flags)]
#[case::by_variables(Way::Variables)]
#[case::in_the_file(Way::File)]
fn a_setting_that_is_wrong_is_not_quoted(#[case] way: Way) {
    let folder = TempDir::new().unwrap();
    let content = folder.path().join("content");
    std::fs::write(&content, format!("{MARK} is in this file")).unwrap();
    let content = content.display();
    let certificate = folder.path().join("tls.crt");
    std::fs::write(&certificate, format!("-----BEGIN CERTIFICATE-----\n{MARK}\n")).unwrap();
    let pasted = format!("-----BEGIN PRIVATE KEY-----\n{MARK}\n-----END PRIVATE KEY-----");
    let nowhere = SOMEWHERE;
    for (setting, wrong) in [
        ("database_url", MARK.to_owned()),
        ("database_url", format!("mysql://someone:{MARK}@h/d")),
        ("database_url", format!("postgres://someone:{MARK}@{nowhere}/d")),
        ("database_url", format!("postgres://someone:{MARK}@[::x/d")),
        ("database_url", format!("sqlite://nowhere/{MARK}/x.db")),
        ("database_url", format!("sqlite://x.db?key={MARK}")),
        ("public_id_key", MARK.to_owned()),
        ("public_id_key", format!("{MARK}{}", "z".repeat(54))),
        ("lookup_key", MARK.to_owned()),
        ("lookup_key", key('1')),
        ("master_key", MARK.to_owned()),
        ("master_key", key('1')),
        ("master_key_file", content.to_string()),
        ("jwt.keys", MARK.to_owned()),
        ("jwt.keys", format!("k:{MARK}")),
        ("jwt.keys", format!("k:HS256:{MARK}")),
        ("jwt.keys", format!("k:HS256:{content}")),
        ("jwt.keys", format!("k:EdDSA:{content}")),
        ("jwt.keys", format!("k:HS256={MARK}")),
        ("jwt.keys", format!("k:RS256={MARK}")),
        ("tls.key", pasted.clone()),
        ("tls.certificate", pasted.clone()),
        ("tls.key", content.to_string()),
        ("jwt.signing_key_file", pasted.clone()),
        ("jwt.signing_key_file", content.to_string()),
    ] {
        let mut given = good(folder.path(), "sqlite://registry.db?mode=rwc", nowhere);
        let instead = setting.trim_end_matches("_file");
        given.retain(|(key, _)| *key != setting && *key != instead);
        if setting.starts_with("tls.") {
            let other = if setting == "tls.key" { "tls.certificate" } else { "tls.key" };
            given.push((other, certificate.display().to_string()));
        }
        given.push((setting, wrong.clone()));
        let output = xueji(folder.path(), way, &given).output().unwrap();
        let said = said(&output);
        assert_eq!(output.status.code(), Some(1), "{setting} = {wrong}: {said}");
        assert!(said.lines().any(|line| line.starts_with("xueji: ")), "{said}");
        holds_no_mark(&format!("{setting} = {wrong}"), &said);
    }
}

#[test]
fn a_file_that_is_no_toml_is_not_quoted() {
    let folder = TempDir::new().unwrap();
    for text in [
        format!("lookup_key = {MARK}"),
        format!("lookup_key = '{MARK}"),
        format!("lookup_key = ['{MARK}']"),
        format!("lookup_key = {{ x = '{MARK}' }}"),
        format!("[jwt]\nkeys = '{MARK}'"),
        format!("[[jwt.keys]]\nkid = 'k'\nalg = 'HS256'\nkey = '{MARK}'\nother = '{MARK}'"),
        format!("jwt.keys = [{{ kid = 'k', alg = 'HS256', key = 7, file = '{MARK}' }}]"),
        format!("[tls]\nkey = ['{MARK}']"),
    ] {
        let file = folder.path().join("xueji.toml");
        std::fs::write(&file, &text).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_xueji"));
        command.env_clear().stdin(Stdio::null()).args(["serve", "--config"]).arg(&file);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{text}");
        holds_no_mark(&text, &said(&output));
    }
}

#[test]
fn no_help_tells_what_the_environment_holds() {
    let folder = TempDir::new().unwrap();
    let secrets = [
        "XUEJI_DATABASE_URL",
        "XUEJI_PUBLIC_ID_KEY",
        "XUEJI_LOOKUP_KEY",
        "XUEJI_JWT_KEYS",
        "XUEJI_TLS_KEY",
        "XUEJI_TLS_CERTIFICATE",
    ];
    for arguments in [
        "serve --help",
        "serve -h",
        "demo --help",
        "migrate up --help",
        "migrate status --help",
        "token --help",
        "load --help",
        "policy check --help",
        "policy diff --help",
        "policy apply --help",
        "policy history --help",
        "snapshot take --help",
        "serve --no-such-flag",
        "serve --lookup-kye=5eed5ec2e7",
        "serve --limits-depth x",
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xueji"));
        command.env_clear().current_dir(folder.path()).args(arguments.split(' '));
        for name in secrets {
            command.env(name, format!("{MARK}-{name}"));
        }
        let output = command.stdin(Stdio::null()).output().unwrap();
        let said = said(&output);
        assert!(said.contains("--help") || said.contains("Usage"), "{arguments}: {said}");
        holds_no_mark(arguments, &said);
    }
}
