//! The program in a process of its own, on the database of a test.

use std::net::{SocketAddr, TcpListener};
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

/// How to start the program: its settings, its address, and the key that signs for it.
pub(crate) struct Program {
    folder: TempDir,
    args: Vec<String>,
    signer: Signer,
    /// Where it will listen.
    pub(crate) address: SocketAddr,
}

/// A server that runs, ended when dropped.
pub(crate) struct Server(pub(crate) Child);

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.0.kill();
        self.0.wait().unwrap();
    }
}

impl Program {
    /// On this database, with more settings.
    pub(crate) fn on(url: &str, more: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let signer = signer(folder.path());
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut args = settings(folder.path(), url);
        let at = args.iter().position(|arg| arg == "--listen").unwrap();
        args[at + 1] = address.to_string();
        for arg in &mut args {
            *arg = arg.replace("main:EdDSA:", &format!("{}:EdDSA:", signer.kid()));
        }
        args.extend(more.iter().map(|arg| (*arg).to_owned()));
        Self { folder, args, signer, address }
    }

    /// Starts it, under the policy inside the program.
    pub(crate) fn start(&self) -> Server {
        let child = Command::new(env!("CARGO_BIN_EXE_xueji"))
            .env_clear()
            .current_dir(self.place())
            .arg("serve")
            .args(&self.args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Server(child)
    }

    /// Its settings.
    pub(crate) fn args(&self) -> &[String] {
        &self.args
    }

    fn place(&self) -> &Path {
        self.folder.path()
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
