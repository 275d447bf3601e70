//! The program in a process of its own, on the database of a test.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use xueji::auth::jwt::Claims;
use xueji::auth::jwt::signer::Signer;
use xueji::clock::Clock;
use xueji_entity::value::AccountId;

use super::app::signer;

/// Everything that `serve` needs, in a folder.
pub(crate) fn settings(folder: &Path, url: &str) -> Vec<String> {
    let key = folder.join("jwt.pub");
    std::fs::write(&key, signer(folder).public_pem()).unwrap();
    [
        "--database-url",
        url,
        "--listen",
        "127.0.0.1:0",
        "--public-id-key",
        &"0123456789abcdef".repeat(4),
        "--lookup-key",
        &"fedcba9876543210".repeat(4),
        "--jwt-key",
        &format!("main:EdDSA:{}", key.display()),
        "--jwt-issuer",
        "issuer",
        "--jwt-audience",
        "xueji",
    ]
    .map(ToOwned::to_owned)
    .to_vec()
}

/// How to start the program: its settings, and the key that signs for it.
pub(crate) struct Program {
    folder: TempDir,
    args: Vec<String>,
    signer: Signer,
}

/// A server that runs, ended when dropped.
pub(crate) struct Running {
    /// The process.
    pub(crate) child: Child,
    /// Where it listens: on a port that was free when it took it.
    pub(crate) address: SocketAddr,
}

impl Running {
    /// Starts `serve` with these settings in a folder, and waits until it says where it listens.
    pub(crate) fn start(folder: &Path, args: &[String]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_xueji"))
            .env_clear()
            .current_dir(folder)
            .arg("serve")
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        let address = loop {
            let mut line = String::new();
            if log.read_line(&mut line).unwrap() == 0 {
                panic!("the server has ended: {:?} {said}", child.wait());
            }
            if line.contains("\"listening\"") {
                let line: serde_json::Value = serde_json::from_str(&line).unwrap();
                let address = line["address"].as_str().or(line["fields"]["address"].as_str());
                break address.unwrap().parse().unwrap();
            }
            said.push_str(&line);
        };
        // A server whose log nobody reads would stand still. The thread ends with the log.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Self { child, address }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.child.kill();
        self.child.wait().unwrap();
    }
}

impl Program {
    /// On this database, with more settings.
    pub(crate) fn on(url: &str, more: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let signer = signer(folder.path());
        let mut args = settings(folder.path(), url);
        for arg in &mut args {
            *arg = arg.replace("main:EdDSA:", &format!("{}:EdDSA:", signer.kid()));
        }
        args.extend(more.iter().map(|arg| (*arg).to_owned()));
        Self { folder, args, signer }
    }

    /// Starts it, under the policy inside the program.
    pub(crate) fn start(&self) -> Running {
        Running::start(self.folder.path(), &self.args)
    }

    /// A token for an account, good for an hour of the real day.
    pub(crate) fn token(&self, account: AccountId) -> String {
        let now = u64::try_from(Clock::system(chrono_tz::UTC).now().timestamp()).unwrap();
        let sub = uuid::Uuid::from(account).to_string();
        let iss = "issuer".to_owned();
        let claims = Claims { sub, iss, iat: now, exp: now + 3_600, jti: None };
        self.signer.sign(&claims, "xueji").unwrap()
    }
}
