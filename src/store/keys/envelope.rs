//! The codec that encrypts: seals under the active data key, opens under any that the database keeps.
//!
//! The keys are unwrapped once, when a server starts or learns of them; a row costs no look-up. Text in
//! the clear is never opened: whoever can write to the database could put it there.

use std::sync::Arc;

use arc_swap::ArcSwap;
use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use sea_orm::DatabaseConnection;
use uuid::Uuid;

use super::super::codec::{Codec, keyed};
use super::cipher::{DataKey, key_of};
use super::logs::{self, LogKeys};
use super::master::MasterKey;
use super::{Refusal, State, Stored, init, stored, unfinished};
use crate::access::view::Registry;
use crate::config::settings::DataCipher;
use crate::error::{Error, Result};

/// The data keys at hand.
#[derive(Default)]
struct Ring {
    /// Few, so that looking through them is quicker than hashing.
    keys: Vec<Arc<DataKey>>,
    active: Option<Arc<DataKey>>,
}

impl Ring {
    fn get(&self, id: u32) -> Option<&Arc<DataKey>> {
        self.keys.iter().find(|key| key.id == id)
    }

    /// The keys of a database; those that are at hand already are not unwrapped again.
    async fn of(stored: &[Stored], known: &Self, master: &dyn MasterKey) -> Result<Self, Refusal> {
        let mut ring = Self::default();
        for one in stored {
            let key = match known.get(one.id) {
                Some(key) => Arc::clone(key),
                None => Arc::new(one.opened(master).await?),
            };
            if one.state == State::Active {
                ring.active = Some(Arc::clone(&key));
            }
            ring.keys.push(key);
        }
        Ok(ring)
    }
}

/// The keys of the logs at hand, with the numbers and states by which a change is noticed.
struct Logs {
    keys: Arc<LogKeys>,
    states: Vec<(i64, State)>,
}

/// Where new keys come from.
struct Source {
    db: DatabaseConnection,
    master: Arc<dyn MasterKey>,
}

/// Seals and opens under the data keys of a database.
pub struct EnvelopeCodec {
    lookup: [u8; 32],
    ring: ArcSwap<Ring>,
    logs: ArcSwap<Logs>,
    source: Option<Source>,
}

impl std::fmt::Debug for EnvelopeCodec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EnvelopeCodec(…)")
    }
}

impl EnvelopeCodec {
    /// The codec of a database; makes the first data key of an empty registry. Refuses, and writes
    /// nothing, with another master key and on a registry that holds columns in the clear.
    pub async fn open(
        db: DatabaseConnection,
        registry: &Registry,
        lookup: [u8; 32],
        master: Arc<dyn MasterKey>,
        (algorithm, now): (DataCipher, DateTime<Utc>),
    ) -> Result<Self, Refusal> {
        let mut keys = stored(&db).await?;
        if keys.is_empty() {
            init(&db, registry, master.as_ref(), algorithm, now).await?;
            keys = stored(&db).await?;
        }
        let ring = Ring::of(&keys, &Ring::default(), master.as_ref()).await?;
        // Rows under the first key that are still to be written are rows in the clear.
        if unfinished(&db).await?.is_some_and(|key| keys.first().is_some_and(|one| one.id == key)) {
            return Err(Refusal::Underway);
        }
        if ring.active.is_none() {
            return Err(Refusal::None);
        }
        let ring = ArcSwap::from_pointee(ring);
        let keys = Arc::new(LogKeys::open_or_make(&db, master.as_ref(), now).await?);
        let logs = ArcSwap::from_pointee(Logs { keys, states: logs::states(&db).await? });
        Ok(Self { lookup, ring, logs, source: Some(Source { db, master }) })
    }

    /// A codec over one key that is at hand, for what stands on no database: tests and benchmarks.
    pub fn over(lookup: [u8; 32], id: u32, algorithm: DataCipher, key: &[u8]) -> Result<Self> {
        let key = Arc::new(DataKey::new(id, algorithm, key)?);
        let ring = Ring { keys: vec![Arc::clone(&key)], active: Some(key) };
        let logs = Logs { keys: Arc::new(LogKeys::over(&lookup)), states: Vec::new() };
        let (ring, logs) = (ArcSwap::from_pointee(ring), ArcSwap::from_pointee(logs));
        Ok(Self { lookup, ring, logs, source: None })
    }

    async fn learn(&self) -> Result<()> {
        let Some(source) = &self.source else { return Ok(()) };
        self.learn_logs(source).await?;
        let keys = stored(&source.db).await?;
        let known = self.ring.load();
        let active = keys.iter().find(|key| key.state == State::Active).map(|key| key.id);
        let same = known.keys.iter().map(|key| key.id).eq(keys.iter().map(|key| key.id))
            && known.active.as_ref().map(|key| key.id) == active;
        if same {
            return Ok(());
        }
        let ring = Ring::of(&keys, &known, source.master.as_ref()).await;
        let ring = ring.map_err(told)?;
        tracing::info!(keys = ring.keys.len(), active, "data keys changed");
        self.ring.store(Arc::new(ring));
        Ok(())
    }
}

impl EnvelopeCodec {
    async fn learn_logs(&self, source: &Source) -> Result<()> {
        let states = logs::states(&source.db).await?;
        if states == self.logs.load().states {
            return Ok(());
        }
        let keys = LogKeys::open(&source.db, source.master.as_ref()).await.map_err(told)?;
        if let Some(keys) = keys {
            tracing::info!(keys = states.len(), "log keys changed");
            self.logs.store(Arc::new(Logs { keys: Arc::new(keys), states }));
        }
        Ok(())
    }
}

/// A refusal as an error of a server that runs.
fn told(refusal: Refusal) -> Error {
    match refusal {
        Refusal::Failed(error) => error,
        refusal @ (Refusal::OtherMaster { .. }
        | Refusal::Damaged(_)
        | Refusal::LogKey(_)
        | Refusal::Clear
        | Refusal::Underway
        | Refusal::None
        | Refusal::Foreign { .. }) => Error::internal(refusal.to_string()),
    }
}

impl Codec for EnvelopeCodec {
    fn seal(&self, table: &str, column: &str, row: Uuid, bare: &str) -> Result<Vec<u8>> {
        match &self.ring.load().active {
            Some(key) => key.seal(table, column, row, bare),
            None => Err(Error::internal("there is no active data key")),
        }
    }

    fn open(&self, table: &str, column: &str, row: Uuid, sealed: &[u8]) -> Result<String> {
        let id = key_of(sealed)
            .ok_or_else(|| Error::internal(format!("{table}.{column} has an unknown format")))?;
        match self.ring.load().get(id) {
            Some(key) => key.open(table, column, row, sealed),
            None => Err(Error::internal(format!(
                "{table}.{column} was sealed under data key {id}, which is unknown"
            ))),
        }
    }

    fn hash(&self, kind: &str, bare: &str) -> [u8; 32] {
        keyed(&self.lookup, kind, bare)
    }

    fn log_keys(&self) -> Option<Arc<LogKeys>> {
        Some(Arc::clone(&self.logs.load().keys))
    }

    fn follow(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.learn())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_in_the_clear_and_unknown_keys_are_never_opened() {
        let codec = |id| EnvelopeCodec::over([7; 32], id, DataCipher::Aes256Gcm, &[9; 32]).unwrap();
        let row = Uuid::nil();
        let sealed = codec(1).seal("student", "phone", row, "13800001234").unwrap();
        assert_eq!(codec(1).open("student", "phone", row, &sealed).unwrap(), "13800001234");
        assert!(codec(2).open("student", "phone", row, &sealed).is_err());
        for foreign in [&b"\x0113800001234"[..], b"", b"\x02", b"\x09\0\0\0\x01", b"13800001234"] {
            let error = codec(1).open("student", "phone", row, foreign).unwrap_err();
            assert_eq!(error.code(), "INTERNAL");
            assert!(!format!("{error:?}").contains("138"), "{error:?}");
        }
    }
}
