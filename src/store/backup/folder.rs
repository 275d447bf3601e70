//! The folder in which backups are kept: their names, what is known of each, and the records of verifications.
//!
//! A record stands beside the backup and is authenticated under the backup's own key, so that nobody without the
//! master key makes one up. Only files that `backup take` named are looked at; nothing else in a folder is touched.

use std::fs::File;
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Refusal;
use super::sealed::opened;
use super::source::Source;
use super::take::sync_folder;
use crate::error::Error;
use crate::store::codec::keyed;
use crate::store::hex;
use crate::store::keys::master::MasterKey;

const INSTANT: &str = "%Y%m%dT%H%M%SZ";
const MAC: &str = "xueji.backup.verified";

/// The name of a backup.
pub(super) fn name_of(taken_at: DateTime<Utc>, database: &str) -> String {
    format!("xueji-{}-{database}.xbk", taken_at.format(INSTANT))
}

/// The instant in the name of a backup; none for other files.
fn instant_of(name: &str) -> Option<DateTime<Utc>> {
    let (instant, database) = name.strip_prefix("xueji-")?.strip_suffix(".xbk")?.split_once('-')?;
    let known = matches!(database, "sqlite" | "postgres");
    NaiveDateTime::parse_from_str(instant, INSTANT).ok().filter(|_| known).map(|at| at.and_utc())
}

/// What a verification found, as it stands beside the backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The instant of the verification.
    pub verified_at: DateTime<Utc>,
    /// The instant as of which the backup speaks.
    pub taken_at: DateTime<Utc>,
    /// The rows of all tables, each compared.
    pub rows: u64,
    /// How long the file was.
    pub bytes: u64,
    /// SHA-256 of the file.
    pub sha256: String,
    /// The version of the program that verified it.
    pub program: String,
}

#[derive(Serialize, Deserialize)]
struct Signed {
    record: Record,
    mac: String,
}

fn mac(key: &[u8; 32], record: &Record) -> Result<String, Error> {
    let text = serde_json::to_string(record)
        .map_err(|_never| Error::internal("the record of a verification has no text"))?;
    Ok(hex(&keyed(key, MAC, &text)))
}

fn record_path(backup: &Path) -> PathBuf {
    let mut path = backup.as_os_str().to_owned();
    path.push(".verified");
    path.into()
}

/// Writes the record of a verification.
pub(super) fn put_record(backup: &Path, key: &[u8; 32], record: Record) -> Result<(), Refusal> {
    let (path, mac) = (record_path(backup), mac(key, &record)?);
    let text = serde_json::to_string_pretty(&Signed { record, mac })
        .map_err(|_never| Error::internal("the record of a verification has no text"))?;
    let folder = backup.parent().filter(|parent| !parent.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let write = || -> std::io::Result<()> {
        let mut file =
            tempfile::Builder::new().prefix(".xueji-").suffix(".part").tempfile_in(folder)?;
        writeln!(file, "{text}")?;
        file.as_file().sync_all()?;
        file.persist(&path).map_err(|error| error.error)?;
        sync_folder(folder)
    };
    write().map_err(|error| Refusal::unwritable(&path, &error))
}

/// A backup in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Where it stands.
    pub path: PathBuf,
    /// Its name.
    pub name: String,
    /// The instant as of which it speaks, by its name.
    pub taken_at: DateTime<Utc>,
    /// How long the file is.
    pub bytes: u64,
    /// The record of its newest verification, when that is of this file and of nobody else's making.
    pub verified: Option<Record>,
}

/// The backups of a folder, from the newest.
pub async fn list(folder: &Path, master: &dyn MasterKey) -> Result<Vec<Kept>, Refusal> {
    let unreadable = |error: std::io::Error| Refusal::unreadable(folder, &error);
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(taken_at) = instant_of(&name) else { continue };
        let (path, bytes) = (entry.path(), entry.metadata().map_err(unreadable)?.len());
        let verified = record(&path, bytes, master).await;
        all.push(Kept { path, name, taken_at, bytes, verified });
    }
    all.sort_unstable_by(|a, b| (b.taken_at, &b.name).cmp(&(a.taken_at, &a.name)));
    Ok(all)
}

/// The record beside a backup; none when it is not there, or is not of this file and this master key.
async fn record(backup: &Path, bytes: u64, master: &dyn MasterKey) -> Option<Record> {
    let text = std::fs::read_to_string(record_path(backup)).ok()?;
    let Signed { record, mac: given } = serde_json::from_str(&text).ok()?;
    let mut file = BufReader::new(File::open(backup).ok()?);
    let opened = opened(backup, &mut file, master).await.ok()?;
    let genuine = mac(&opened.key, &record).ok()? == given && record.bytes == bytes;
    genuine.then_some(record)
}

/// How many rows a backup says that it holds; only its beginning is read.
pub async fn rows(backup: &Path, master: &dyn MasterKey) -> Result<u64, Refusal> {
    Ok(Source::open(backup, master).await?.manifest.rows())
}

/// Removes backups with their records; the names of those that were removed.
pub fn remove(backups: &[&Kept]) -> Result<Vec<String>, Refusal> {
    let mut removed = Vec::new();
    for backup in backups {
        let gone = |path: &Path| match std::fs::remove_file(path) {
            // Another process was first, or there never was a record.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            done => done.map_err(|error| Refusal::unwritable(path, &error)),
        };
        gone(&backup.path)?;
        gone(&record_path(&backup.path))?;
        removed.push(backup.name.clone());
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_the_instant_and_other_files_are_none() {
        let at: DateTime<Utc> = "2026-11-20T04:05:06Z".parse().unwrap();
        assert_eq!(name_of(at, "sqlite"), "xueji-20261120T040506Z-sqlite.xbk");
        assert_eq!(instant_of(&name_of(at, "postgres")), Some(at));
        for other in [
            "xueji-20261120T040506Z-sqlite.xbk.verified",
            ".xueji-abc.part",
            "xueji-20261120T040506Z-mysql.xbk",
            "xueji-20261320T040506Z-sqlite.xbk",
            "registry.db",
        ] {
            assert_eq!(instant_of(other), None, "{other}");
        }
    }
}
