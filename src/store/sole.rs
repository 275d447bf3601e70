//! One server on one SQLite file: the lock that says so.
//!
//! The lock is the operating system's, on a file beside the registry, and ends with the process however it
//! ends; the file stays and means nothing by itself. PostgreSQL takes any number of servers. The lock keeps
//! servers apart, not the commands that run beside one.

use std::fs::{File, TryLockError};
use std::path::PathBuf;
use std::str::FromStr;

use sqlx::sqlite::SqliteConnectOptions;

/// Held by the server of a SQLite file for as long as it runs.
#[derive(Debug)]
pub struct Sole {
    _locked: File,
}

/// Why a server may not have the file.
#[derive(Debug, thiserror::Error)]
pub enum Taken {
    /// Another process serves it.
    #[error(
        "{0} is served by another process: a SQLite file has one server. Stop the other one, or put the \
         registry into PostgreSQL to run several"
    )]
    Served(String),
    /// The lock cannot be had.
    #[error("{0} cannot be locked: {1}")]
    Failed(String, std::io::ErrorKind),
}

/// Takes the file of a SQLite address; nothing for other addresses and for a registry in memory.
pub fn take(url: &str) -> Result<Option<Sole>, Taken> {
    if !url.starts_with("sqlite") || url.contains(":memory:") || url.contains("mode=memory") {
        return Ok(None);
    }
    let Ok(options) = SqliteConnectOptions::from_str(url) else { return Ok(None) };
    let named = options.get_filename().to_owned();
    // Two names of one file are one file.
    let path = std::fs::canonicalize(&named).unwrap_or(named);
    let shown = path.display().to_string();
    let mut beside = path.into_os_string();
    beside.push(".lock");
    let beside = PathBuf::from(beside);
    let file = File::options().create(true).truncate(false).write(true).open(&beside);
    let file = file.map_err(|error| Taken::Failed(beside.display().to_string(), error.kind()))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(Sole { _locked: file })),
        Err(TryLockError::WouldBlock) => Err(Taken::Served(shown)),
        Err(TryLockError::Error(error)) => {
            Err(Taken::Failed(beside.display().to_string(), error.kind()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_one_server_by_whatever_name() {
        let folder = tempfile::tempdir().unwrap();
        let url = |name: &str| format!("sqlite://{}?mode=rwc", folder.path().join(name).display());
        std::fs::write(folder.path().join("registry.db"), "").unwrap();
        std::os::unix::fs::symlink(
            folder.path().join("registry.db"),
            folder.path().join("other.db"),
        )
        .unwrap();
        let first = take(&url("registry.db")).unwrap();
        assert!(first.is_some());
        for name in ["registry.db", "other.db"] {
            let refused = take(&url(name)).unwrap_err().to_string();
            assert!(refused.contains("another process"), "{refused}");
        }
        drop(first);
        assert!(take(&url("other.db")).unwrap().is_some());
        for free in ["postgres://someone@nowhere/registry", "sqlite::memory:"] {
            assert!(take(free).unwrap().is_none() && take(free).unwrap().is_none());
        }
    }
}
