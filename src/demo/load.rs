//! Puts the demo into an empty registry, or finds it there.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::persona::Personas;
use super::{Sealer, Sink, Size, TABLES, generate};
use crate::store::bulk::{Batch, Bulk, State};

/// Name under which the load is known in the database.
pub const NAME: &str = "demo";

/// What a complete load leaves behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// How large the demo is.
    pub size: Size,
    /// The day as of which it was made.
    pub today: NaiveDate,
    /// The people to try out.
    pub personas: Personas,
}

/// The bulk writer that [`ensure`] needs.
pub fn bulk(db: sea_orm::DatabaseConnection) -> Bulk {
    Bulk::new(db, NAME, TABLES.iter().map(|(table, _)| *table).collect())
}

/// The demo of this database: the one that is there, else a new one of this size.
///
/// An earlier load that was interrupted is cleaned away first. A registry with rows of its own is refused.
pub async fn ensure(
    bulk: &Bulk,
    size: &Size,
    today: NaiveDate,
    seal: Arc<dyn Sealer>,
) -> Result<Record> {
    match bulk.state().await? {
        State::Complete(text) => {
            return serde_json::from_str(&text).context("the demo's own record cannot be read");
        }
        State::Occupied => bail!(
            "this registry holds rows that are not the demo's: give the demo a database of its own"
        ),
        State::Interrupted => {
            bulk.clean().await?;
        }
        State::Empty => {}
    }
    size.check()?;
    let mut load = bulk.begin(size.expected_rows()).await?;
    // A short queue: the generator waits for the database, so that little is held in memory.
    let (sender, mut receiver) = mpsc::channel::<Batch>(2);
    let wished = size.clone();
    let maker = tokio::task::spawn_blocking(move || {
        generate(&wished, today, seal.as_ref(), &mut Channel(sender), |_| {})
    });
    while let Some(batch) = receiver.recv().await {
        load.write(batch).await?;
    }
    let personas = maker.await.context("the generator stopped")??;
    let record = Record { size: size.clone(), today, personas };
    load.finish(serde_json::to_string(&record)?).await?;
    Ok(record)
}

struct Channel(mpsc::Sender<Batch>);

impl Sink for Channel {
    fn write(&mut self, batch: Batch) -> Result<()> {
        // The error would only hand the batch back.
        if self.0.blocking_send(batch).is_ok() {
            Ok(())
        } else {
            bail!("the database takes no more rows")
        }
    }
}
