//! Takes a backup while servers run: one reading transaction, which no writer waits for, row by row into one file.
//!
//! The file has its name once it is whole and on the disk; whatever fails before leaves nothing behind.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use sea_orm::{
    AccessMode, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend,
    IsolationLevel, StreamTrait, TransactionOptions, TransactionTrait,
};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;
use tokio::sync::mpsc;
use xueji_migration::versions;

use super::folder::name_of;
use super::frame::{Block, Frame};
use super::schema::{self, postgres};
use super::sealed::{Opened, Sealer, drawn};
use super::{Manifest, Refusal, Table, Total, Voice};
use crate::clock::Clock;
use crate::error::Error;
use crate::store::connect::{connect, connect_log};
use crate::store::failed;
use crate::store::hex;
use crate::store::keys::master::MasterKey;
use crate::store::progress::Progress;

/// Bytes of rows that go to the writer at once.
const BLOCK: usize = 1 << 18;
/// Blocks that wait for the writer.
const WAITING: usize = 2;
/// How hard the stream is compressed: the disk and not the processor is what there is little of.
const LEVEL: i32 = 3;

/// A backup that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Where it stands.
    pub path: PathBuf,
    /// The instant as of which it speaks.
    pub taken_at: DateTime<Utc>,
    /// The rows of all tables.
    pub rows: u64,
    /// How many tables.
    pub tables: usize,
    /// How long the file is.
    pub bytes: u64,
    /// SHA-256 of the file.
    pub sha256: String,
}

impl Taken {
    /// What the audit log says of it.
    pub fn detail(&self) -> String {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        format!("{name} {} rows {} bytes sha256 {}", self.rows, self.bytes, self.sha256)
    }
}

/// The rows of a registry as of one instant.
struct Reading {
    registry: DatabaseTransaction,
    /// The lines of disclosures, where they stand in a file of their own.
    lines: Option<DatabaseTransaction>,
}

impl Reading {
    fn of(&self, table: &Table) -> &DatabaseTransaction {
        match &self.lines {
            Some(lines) if table.of_lines() => lines,
            _ => &self.registry,
        }
    }
}

async fn reading(db: &DatabaseConnection) -> Result<DatabaseTransaction, Refusal> {
    let (isolation_level, access_mode) = match db.get_database_backend() {
        DbBackend::Postgres => (Some(IsolationLevel::RepeatableRead), Some(AccessMode::ReadOnly)),
        // A transaction that only reads sees one state of the file, and no writer waits for it.
        DbBackend::Sqlite | DbBackend::MySql | _ => (None, None),
    };
    let options =
        TransactionOptions { isolation_level, access_mode, ..TransactionOptions::default() };
    Ok(db.begin_with_options(options).await.map_err(failed)?)
}

/// Takes a backup of the registry at this address into a folder.
pub async fn take(
    url: &str,
    folder: &Path,
    master: &dyn MasterKey,
    clock: Clock,
    voice: Voice,
) -> Result<Taken, Refusal> {
    let file = tempfile::Builder::new()
        .prefix(".xueji-")
        .suffix(".part")
        .tempfile_in(folder)
        .map_err(|error| Refusal::unwritable(folder, &error))?;
    let db = connect(url, 1).await?;
    let log = if postgres(db.get_database_backend()) { None } else { connect_log(url).await? };
    let registry = reading(&db).await?;
    // The first look fixes what is seen. Lines are read from afterwards, so that none is missing of what was disclosed.
    let migrations = versions(&registry).await.map_err(failed)?;
    let taken_at = clock.now();
    let mut reading_lines = None;
    if let Some(log) = &log {
        reading_lines = Some(reading(log).await?);
    }
    let source = Reading { registry, lines: reading_lines };
    if let Some(newer) = migrations.unknown.last() {
        return Err(Refusal::NewerSchema(newer.clone()));
    }
    let mut tables = schema::tables(&source.registry).await?;
    for table in &mut tables {
        table.rows = schema::count(source.of(table), table).await?;
    }
    let database = if postgres(db.get_database_backend()) { "postgres" } else { "sqlite" };
    let manifest = Manifest {
        program: env!("CARGO_PKG_VERSION").to_owned(),
        database: database.to_owned(),
        taken_at,
        migrations: migrations.applied,
        tables,
    };
    let path = folder.join(name_of(taken_at, database));
    if path.exists() {
        return Err(Refusal::There(path.display().to_string()));
    }
    let opened = drawn(master, taken_at).await?;
    let (sender, receiver) = mpsc::channel(WAITING);
    let named = path.clone();
    let writer = tokio::task::spawn_blocking(move || write(file, &opened, &named, receiver));
    let progress = voice.progress(manifest.rows());
    let read = send(&source, &manifest, &sender, progress).await;
    drop(sender);
    let written = writer.await.map_err(|_panic| Error::internal("the writer stopped"))?;
    // Why the writer stopped says more than that it takes no more.
    let (sha256, bytes) = match (written, read) {
        (Err(Stopped::Failed(error)), _) => return Err(Refusal::unwritable(&path, &error)),
        (_, Err(refusal)) => return Err(refusal),
        (Err(Stopped::Unfinished), Ok(())) => {
            return Err(Error::internal("the writer was not told the end").into());
        }
        (Ok(written), Ok(())) => written,
    };
    let (rows, tables) = (manifest.rows(), manifest.tables.len());
    Ok(Taken { path, taken_at, rows, tables, bytes, sha256 })
}

/// What the writer is told.
enum Told {
    Bytes(Vec<u8>),
    End,
}

/// Why there is no file.
enum Stopped {
    Failed(io::Error),
    /// Whoever reads the rows failed.
    Unfinished,
}

impl From<io::Error> for Stopped {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

fn write(
    file: NamedTempFile,
    opened: &Opened,
    path: &Path,
    mut told: mpsc::Receiver<Told>,
) -> Result<(String, u64), Stopped> {
    let sealer = Sealer::new(file, opened)?;
    let mut stream = zstd::stream::write::Encoder::new(sealer, LEVEL)?;
    loop {
        match told.blocking_recv() {
            Some(Told::Bytes(bytes)) => stream.write_all(&bytes)?,
            Some(Told::End) => break,
            // Dropped with the file, which is removed.
            None => return Err(Stopped::Unfinished),
        }
    }
    let written = stream.finish()?.finish()?;
    written.out.as_file().sync_all()?;
    written.out.persist_noclobber(path).map_err(|error| error.error)?;
    if let Some(folder) = path.parent() {
        sync_folder(folder)?;
    }
    Ok((written.sha256, written.bytes))
}

/// Makes the names in a folder as durable as the files.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    let here = Path::new(".");
    File::open(if folder.as_os_str().is_empty() { here } else { folder })?.sync_all()
}

async fn tell(writer: &mpsc::Sender<Told>, frame: Frame) -> Result<(), Refusal> {
    let gone = |_closed| Error::internal("the writer takes no more rows").into();
    writer.send(Told::Bytes(frame.bytes()?)).await.map_err(gone)
}

async fn send(
    source: &Reading,
    manifest: &Manifest,
    writer: &mpsc::Sender<Told>,
    mut progress: Progress,
) -> Result<(), Refusal> {
    let json = |_never| Error::internal("the manifest cannot be written");
    tell(writer, Frame::Manifest(serde_json::to_vec(manifest).map_err(json)?)).await?;
    let mut totals = Vec::with_capacity(manifest.tables.len());
    for (place, table) in manifest.tables.iter().enumerate() {
        let place =
            u32::try_from(place).map_err(|_many| Error::internal("there are too many tables"))?;
        let db = source.of(table);
        let backend = ConnectionTrait::get_database_backend(db);
        let mut rows = db.stream_raw(schema::select(backend, table)).await.map_err(failed)?;
        let mut block = Block { table: place, count: 0, rows: Vec::with_capacity(BLOCK) };
        let (mut read, mut digest) = (0_u64, Sha256::new());
        while let Some(row) = rows.try_next().await.map_err(failed)? {
            for (at, column) in table.columns.iter().enumerate() {
                schema::cell(backend, &row, at, column.kind)?.put(&mut block.rows);
            }
            block.count += 1;
            if block.rows.len() >= BLOCK {
                let next = Block { table: place, count: 0, rows: Vec::with_capacity(BLOCK) };
                let full = std::mem::replace(&mut block, next);
                digest.update(&full.rows);
                read += u64::from(full.count);
                progress.add(full.count.into());
                tell(writer, Frame::Rows(full)).await?;
            }
        }
        digest.update(&block.rows);
        read += u64::from(block.count);
        progress.add(block.count.into());
        if block.count > 0 {
            tell(writer, Frame::Rows(block)).await?;
        }
        if read != table.rows {
            return Err(Refusal::Differs {
                table: table.told(),
                what: format!("{} rows were counted and {read} read", table.rows),
            });
        }
        totals.push(Total { rows: read, sha256: hex(&digest.finalize()) });
    }
    progress.finish();
    tell(writer, Frame::End(serde_json::to_vec(&totals).map_err(json)?)).await?;
    let gone = |_closed| Error::internal("the writer takes no more rows");
    Ok(writer.send(Told::End).await.map_err(gone)?)
}
