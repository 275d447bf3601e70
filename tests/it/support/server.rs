//! The program serving as a process of its own, with what it says to those who watch it.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::app::PATIENCE;
use super::process::{Running, serve};

/// A server, and what one asks it.
pub(crate) struct Server(Running);

impl Server {
    /// Serves a database under a policy folder; the keys of its tokens are in another folder.
    pub(crate) fn start(folder: &Path, url: &str, policies: &TempDir, more: &[&str]) -> Self {
        let mut args = super::process::settings(folder, url);
        args.extend(["--policies".to_owned(), policies.path().to_str().unwrap().to_owned()]);
        args.extend(more.iter().map(|arg| (*arg).to_owned()));
        Self(Running::of(serve(folder, &args)))
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// The answer to a plain request; nothing while the server is just starting.
    pub(crate) fn get(&self, path: &str) -> String {
        use std::io::{Read, Write};
        let Ok(mut stream) = std::net::TcpStream::connect(self.address()) else {
            return String::new();
        };
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        // A server that is just starting may close the connection; it is asked again.
        let _read = stream.read_to_string(&mut answer);
        answer
    }

    /// Waits until an answer holds a part.
    pub(crate) async fn until(&self, path: &str, part: &str) {
        let begun = Instant::now();
        loop {
            let answer = self.get(path);
            if answer.contains(part) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{part} in {answer}");
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    /// The sum of a metric over the label sets that hold a part; none when there is no such line.
    pub(crate) fn metric(&self, name: &str, labels: &str) -> Option<f64> {
        let text = self.get("/metrics");
        let values: Vec<f64> = text
            .lines()
            .filter_map(|line| line.strip_prefix(name))
            .filter(|rest| rest.starts_with(['{', ' ']) && rest.contains(labels))
            .map(|rest| rest.rsplit_once(' ').unwrap().1.parse().unwrap())
            .collect();
        (!values.is_empty()).then(|| values.iter().sum())
    }

    /// Waits until a metric has a value.
    pub(crate) async fn until_metric(&self, name: &str, labels: &str, wanted: f64) {
        let begun = Instant::now();
        loop {
            let value = self.metric(name, labels);
            if value == Some(wanted) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{name} {labels} is {value:?} and not {wanted}");
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, name: &str) {
        self.0.signal(name);
    }
}
