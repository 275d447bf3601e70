//! The program in a process of its own, on the database of a test.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

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
        "--master-key",
        super::keys::MASTER,
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
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Running {
    /// Starts a server, and waits until it says where it listens.
    pub(crate) fn of(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = String::new();
        let address = loop {
            let Some(line) = lines.next().transpose().unwrap() else {
                panic!("the server has ended: {:?} {said}", child.wait());
            };
            said.extend([&line, "\n"]);
            if line.contains("\"listening\"") {
                let line: serde_json::Value = serde_json::from_str(&line).unwrap();
                break line["address"].as_str().unwrap().parse().unwrap();
            }
        };
        // A server whose log nobody reads would stand still.
        let log = Arc::new(Mutex::new(said));
        let reader = std::thread::spawn({
            let log = Arc::clone(&log);
            move || {
                for line in lines.map_while(Result::ok) {
                    log.lock().unwrap().extend([&line, "\n"]);
                }
            }
        });
        Self { child, address, log, reader: Some(reader) }
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    }

    /// Waits until it ends; all that it has logged.
    pub(crate) fn ended(mut self) -> String {
        self.child.wait().unwrap();
        self.reader.take().unwrap().join().unwrap();
        self.log()
    }
}

/// The command that serves with these settings in a folder.
pub(crate) fn serve(folder: &Path, args: &[String]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xueji"));
    command.env_clear().current_dir(folder).arg("serve").args(args);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
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
        Running::of(self.command())
    }

    /// The command that starts it.
    pub(crate) fn command(&self) -> Command {
        serve(self.folder.path(), &self.args)
    }

    /// Its settings.
    pub(crate) fn args(&self) -> &[String] {
        &self.args
    }

    /// A token for an account, good for an hour of the real day.
    pub(crate) fn token(&self, account: AccountId) -> String {
        let now = u64::try_from(Clock::system(chrono_tz::UTC).now().timestamp()).unwrap();
        let sub = uuid::Uuid::from(account).to_string();
        let iss = "issuer".to_owned();
        let claims = Claims { sub, iss, iat: now, exp: now + 3_600, jti: None, sid: None };
        self.signer.sign(&claims, "xueji").unwrap()
    }
}
