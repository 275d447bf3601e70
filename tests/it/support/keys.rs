//! The keys of the suite: one master key, and in each database a data key that it wrapped.

use std::sync::Arc;

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement, TransactionTrait};
use xueji::config::secret::SecretKey;
use xueji::config::settings::DataCipher;
use xueji::graphql::REGISTRY;
use xueji::store::keys::envelope::EnvelopeCodec;
use xueji::store::keys::init;
use xueji::store::keys::master::LocalMaster;

use super::app::clock;

/// The master key, as the settings have it.
pub(crate) const MASTER: &str = "5a0f3c7791d24be8a6c0e1f2031425364758697a8b9cadbecfd0e1f203142536";

pub(crate) const LOOKUP_KEY: [u8; 32] = [12; 32];

/// What wraps the data keys of the suite.
pub(crate) fn master() -> LocalMaster {
    LocalMaster::new(&SecretKey::from_hex(MASTER).unwrap())
}

/// Makes the data key of a database. That is on record, which tests of the record need not know.
pub(crate) async fn plant(db: &DatabaseConnection) {
    let made = init(db, &REGISTRY, &master(), DataCipher::default(), clock().now()).await;
    assert!(made.unwrap());
    let free = Unguarded::of(db, "audit").await;
    db.execute_unprepared("DELETE FROM audit").await.unwrap();
    db.execute_unprepared("DELETE FROM seal_waiting").await.unwrap();
    free.guard(db).await;
}

/// A table without the triggers that keep its rows, as whoever owns the database can have it.
pub(crate) struct Unguarded {
    table: &'static str,
    guards: Vec<String>,
}

impl Unguarded {
    /// Takes the triggers away.
    pub(crate) async fn of(db: &DatabaseConnection, table: &'static str) -> Self {
        let backend = db.get_database_backend();
        if backend == DbBackend::Postgres {
            let disable = format!("ALTER TABLE {table} DISABLE TRIGGER USER");
            db.execute_unprepared(&disable).await.unwrap();
            return Self { table, guards: Vec::new() };
        }
        let query = format!(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = '{table}'"
        );
        let rows = db.query_all_raw(Statement::from_string(backend, query)).await.unwrap();
        let mut guards = Vec::new();
        for row in rows {
            let name: String = row.try_get_by_index(0).unwrap();
            guards.push(row.try_get_by_index(1).unwrap());
            db.execute_unprepared(&format!("DROP TRIGGER {name}")).await.unwrap();
        }
        Self { table, guards }
    }

    /// Puts them back.
    pub(crate) async fn guard(self, db: &DatabaseConnection) {
        if db.get_database_backend() == DbBackend::Postgres {
            let enable = format!("ALTER TABLE {} ENABLE TRIGGER USER", self.table);
            db.execute_unprepared(&enable).await.unwrap();
        }
        // Another connection may have dropped them: this one looks at the schema before it judges.
        let tx = db.begin().await.unwrap();
        tx.execute_unprepared("SELECT count(*) FROM seal").await.unwrap();
        for guard in &self.guards {
            tx.execute_unprepared(guard).await.unwrap();
        }
        tx.commit().await.unwrap();
    }
}

/// The codec of a database.
pub(crate) async fn codec(db: &DatabaseConnection) -> EnvelopeCodec {
    let first = (DataCipher::default(), clock().now());
    EnvelopeCodec::open(db.clone(), &REGISTRY, LOOKUP_KEY, Arc::new(master()), first).await.unwrap()
}
