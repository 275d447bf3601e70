//! Proves that a backup can be restored: restores it into a database that is thrown away, and looks at what is there.
//!
//! Sealed columns stay sealed in it; the scratch file is as sensitive as a registry, stands in a private folder of the
//! system's temporary directory and goes with the check.

use std::path::Path;

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, Order, Query};
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use uuid::Uuid;

use super::folder::{Record, put_record};
use super::restore::restore;
use super::schema::{self, postgres};
use super::{Manifest, Refusal, Table, Voice};
use crate::access::view::{Kind, Noun, Registry};
use crate::config::settings::DataCipher;
use crate::error::Error;
use crate::store::chain::report::Count;
use crate::store::codec::Codec;
use crate::store::connect::{connect, connect_file};
use crate::store::disclosures::Disclosures;
use crate::store::keys::envelope::EnvelopeCodec;
use crate::store::keys::master::MasterKey;
use crate::store::keys::stored;
use crate::store::{Store, failed};

/// Rows of each table, from either end of its key, whose sealed columns are opened.
const SAMPLE: u64 = 100;

/// What a verification needs besides the backup.
pub struct Means<'a> {
    /// The nouns, which say what is sealed.
    pub registry: &'static Registry,
    /// The master key; it wraps the backup's own key and the data keys inside.
    pub master: std::sync::Arc<dyn MasterKey>,
    /// The key of the look-up hashes; without it they are not looked at.
    pub lookup: Option<[u8; 32]>,
    /// A PostgreSQL server on which the scratch database is made, by the address of some database there.
    pub scratch: Option<&'a str>,
    /// The instant.
    pub now: DateTime<Utc>,
    /// Whether somebody waits to hear how far it is.
    pub voice: Voice,
}

/// A table of a verified backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// Its name.
    pub table: String,
    /// The rows that the manifest tells of.
    pub told: u64,
    /// The rows that were restored.
    pub restored: u64,
}

/// What a verification found.
#[derive(Clone, Debug)]
pub struct Verified {
    /// What the backup says of itself.
    pub manifest: Manifest,
    /// Each table.
    pub tables: Vec<Counted>,
    /// How long the file is.
    pub bytes: u64,
    /// SHA-256 of the file.
    pub sha256: String,
    /// How many sealed values of the sample opened under their data keys.
    pub opened: u64,
    /// How many look-up hashes of the sample agree with their values; none when there was no key to look.
    pub agreed: Option<u64>,
    /// Both logs, whose codes, chain and heads hold; none where there were no keys to look.
    pub logs: Vec<Count>,
}

impl Verified {
    /// What the audit log says of it.
    pub fn detail(&self, path: &Path) -> String {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let rows = self.manifest.rows();
        format!("{name} {rows} rows in {} tables sha256 {}", self.tables.len(), self.sha256)
    }
}

/// Verifies a backup and leaves the record of it beside the file.
pub async fn verify(path: &Path, means: &Means<'_>) -> Result<Verified, Refusal> {
    let verified = match means.scratch {
        None => in_files(path, means).await?,
        Some(server) => on_server(path, server, means).await?,
    };
    let (verified, key) = verified;
    let record = Record {
        verified_at: means.now,
        taken_at: verified.manifest.taken_at,
        rows: verified.manifest.rows(),
        bytes: verified.bytes,
        sha256: verified.sha256.clone(),
        program: env!("CARGO_PKG_VERSION").to_owned(),
    };
    put_record(path, &key, record)?;
    Ok(verified)
}

async fn in_files(path: &Path, means: &Means<'_>) -> Result<(Verified, [u8; 32]), Refusal> {
    let scratch = tempfile::Builder::new().prefix("xueji-verify-").tempdir();
    let scratch = scratch.map_err(|error| Refusal::unwritable(&std::env::temp_dir(), &error))?;
    let registry = scratch.path().join("registry.db");
    let url = format!("sqlite://{}?mode=rwc", registry.display());
    let restored = restore(path, &url, means.master.as_ref(), None, means.voice).await?;
    let db = connect_file(&registry).await?;
    let lines = connect_file(&scratch.path().join("registry.disclosures.db")).await?;
    for db in [&db, &lines] {
        let sql = "SELECT integrity_check FROM pragma_integrity_check LIMIT 1";
        let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await;
        let said: Option<String> = match row.map_err(failed)? {
            Some(row) => row.try_get_by_index(0).map_err(failed)?,
            None => None,
        };
        if said.as_deref() != Some("ok") {
            return Err(Refusal::Unsound("SQLite finds the file damaged".to_owned()));
        }
    }
    let looked = look(&restored.manifest, &db, &lines, means).await;
    db.close().await.map_err(failed)?;
    lines.close().await.map_err(failed)?;
    Ok((looked?.of(&restored), restored.key))
}

async fn on_server(
    path: &Path,
    server: &str,
    means: &Means<'_>,
) -> Result<(Verified, [u8; 32]), Refusal> {
    let home = connect(server, 1).await?;
    if !postgres(home.get_database_backend()) {
        return Err(Refusal::Unsound("the scratch server is no PostgreSQL".to_owned()));
    }
    let name = format!("xueji_verify_{}", Uuid::now_v7().simple());
    home.execute_unprepared(&format!("CREATE DATABASE {name}")).await.map_err(failed)?;
    let looked = async {
        let url = on_database(server, &name)?;
        let restored = restore(path, &url, means.master.as_ref(), None, means.voice).await?;
        let db = connect(&url, 1).await?;
        let looked = look(&restored.manifest, &db, &db, means).await;
        db.close().await.map_err(failed)?;
        Ok((looked?.of(&restored), restored.key))
    }
    .await;
    let drop = format!("DROP DATABASE {name} WITH (FORCE)");
    home.execute_unprepared(&drop).await.map_err(failed)?;
    looked
}

/// The address with another database in it.
fn on_database(url: &str, name: &str) -> Result<String, Refusal> {
    let (base, parameters) = match url.split_once('?') {
        Some((base, parameters)) => (base, format!("?{parameters}")),
        None => (url, String::new()),
    };
    let server = base.rsplit_once('/').map(|(server, _)| server);
    let server = server.ok_or_else(|| Error::internal("the scratch address names no database"))?;
    Ok(format!("{server}/{name}{parameters}"))
}

struct Looked {
    tables: Vec<Counted>,
    opened: u64,
    agreed: Option<u64>,
    logs: Vec<Count>,
}

impl Looked {
    fn of(self, restored: &super::restore::Restored) -> Verified {
        Verified {
            manifest: restored.manifest.clone(),
            tables: self.tables,
            bytes: restored.bytes,
            sha256: restored.sha256.clone(),
            opened: self.opened,
            agreed: self.agreed,
            logs: self.logs,
        }
    }
}

/// Counts every table anew and opens a sample of what is sealed.
async fn look(
    manifest: &Manifest,
    db: &DatabaseConnection,
    lines: &DatabaseConnection,
    means: &Means<'_>,
) -> Result<Looked, Refusal> {
    let mut tables = Vec::with_capacity(manifest.tables.len());
    for table in &manifest.tables {
        let db = if table.of_lines() { lines } else { db };
        let (told, restored) = (table.rows, schema::count(db, table).await?);
        if told != restored {
            let what = format!("{restored} rows instead of {told}");
            return Err(Refusal::Differs { table: table.told(), what });
        }
        tables.push(Counted { table: table.told(), told, restored });
    }
    let keyed = manifest.tables.iter().any(|table| table.name == "data_key" && table.rows > 0);
    let mut sample = Sample { opened: 0, agreed: means.lookup.map(|_| 0) };
    let mut logs = Vec::new();
    if keyed && !stored(db).await?.is_empty() {
        let first = (DataCipher::default(), means.now);
        let lookup = means.lookup.unwrap_or_default();
        let master = std::sync::Arc::clone(&means.master);
        let codec = EnvelopeCodec::open(db.clone(), means.registry, lookup, master, first).await;
        let codec = codec.map_err(|refusal| Refusal::Unsound(refusal.to_string()))?;
        for noun in means.registry.nouns() {
            let table = manifest.tables.iter().find(|table| table.name == noun.shape.name);
            if let Some(table) = table {
                sample.of(db, &codec, noun, table).await?;
            }
        }
        let log = Disclosures::within(lines.clone());
        let store = Store::new(db.clone(), std::sync::Arc::new(codec), means.registry);
        let report = store.with_disclosures(log).verify_logs(None).await?;
        if let Some(finding) = report.findings.first() {
            return Err(Refusal::Unsound(finding.to_string()));
        }
        logs = report.counts;
    }
    Ok(Looked { tables, opened: sample.opened, agreed: sample.agreed, logs })
}

struct Sample {
    opened: u64,
    agreed: Option<u64>,
}

impl Sample {
    async fn of(
        &mut self,
        db: &DatabaseConnection,
        codec: &dyn Codec,
        noun: &Noun,
        table: &Table,
    ) -> Result<(), Refusal> {
        for field in noun.shape.fields.iter() {
            let Kind::Sealed { mask, hashed, .. } = field.kind else { continue };
            let (column, hash) = (field.name, format!("{}_hash", field.name));
            if !table.columns.iter().any(|known| known.name == column) {
                continue;
            }
            for order in [Order::Asc, Order::Desc] {
                let mut query = Query::select();
                query.expr_as(Expr::col("id"), "c0").expr_as(Expr::col(column), "c1");
                query.from(noun.shape.name).order_by("id", order).limit(SAMPLE);
                query.and_where(sea_orm::sea_query::ExprTrait::is_not_null(Expr::col(column)));
                if hashed {
                    query.expr_as(Expr::col(hash.clone()), "c2");
                }
                for row in db.query_all(&query).await.map_err(failed)? {
                    let id: Uuid = row.try_get_by_index(0).map_err(failed)?;
                    let sealed: Vec<u8> = row.try_get_by_index(1).map_err(failed)?;
                    let place = format!("{}.{column} of row {id}", noun.shape.name);
                    let bare = codec.open(noun.shape.name, column, id, &sealed);
                    let bare = bare.map_err(|_closed| {
                        Refusal::Unsound(format!("{place} does not open under its data key"))
                    })?;
                    self.opened += 1;
                    if let (true, Some(agreed)) = (hashed, self.agreed.as_mut()) {
                        let stored: Option<Vec<u8>> = row.try_get_by_index(2).map_err(failed)?;
                        if stored.as_deref() != Some(&codec.hash(mask.name, &bare)[..]) {
                            let what = format!("the look-up hash of {place} is of another value");
                            return Err(Refusal::Unsound(what));
                        }
                        *agreed += 1;
                    }
                }
            }
        }
        Ok(())
    }
}
