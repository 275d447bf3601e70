//! The keys of the suite: one master key, and in each database a data key that it wrapped.

use std::sync::Arc;

use sea_orm::{ConnectionTrait, DatabaseConnection};
use xueji::config::secret::SecretKey;
use xueji::config::settings::DataCipher;
use xueji::graphql::REGISTRY;
use xueji::store::keys::envelope::EnvelopeCodec;
use xueji::store::keys::init;
use xueji::store::keys::master::LocalMaster;

use super::app::clock;

/// The master key, as the settings have it.
pub(crate) const MASTER: &str = "5a0f3c7791d24be8a6c0e1f2031425364758697a8b9cadbecfd0e1f203142536";

const LOOKUP_KEY: [u8; 32] = [12; 32];

/// What wraps the data keys of the suite.
pub(crate) fn master() -> LocalMaster {
    LocalMaster::new(&SecretKey::from_hex(MASTER).unwrap())
}

/// Makes the data key of a database. That is on record, which tests of the record need not know.
pub(crate) async fn plant(db: &DatabaseConnection) {
    let made = init(db, &REGISTRY, &master(), DataCipher::default(), clock().now()).await;
    assert!(made.unwrap());
    db.execute_unprepared("DELETE FROM audit").await.unwrap();
}

/// The codec of a database.
pub(crate) async fn codec(db: &DatabaseConnection) -> EnvelopeCodec {
    let first = (DataCipher::default(), clock().now());
    EnvelopeCodec::open(db.clone(), &REGISTRY, LOOKUP_KEY, Arc::new(master()), first).await.unwrap()
}
