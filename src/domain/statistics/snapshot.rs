//! Taking snapshots (时点数据): every night, or by name; and which of them are kept.

use super::tables;
use crate::access::policy::Disclosure;
use crate::clock::Clock;
use crate::config::settings::Nights;
use crate::error::{Error, Result};
use crate::store::Store;
use crate::store::snapshot::{Listed, Wanted};

/// The longest name.
const LONGEST_NAME: usize = 100;

/// Takes a snapshot, and publishes the declared tables of it. Without a name it is that of the
/// night, of which a day has one.
pub async fn take(
    store: &Store,
    disclosure: &Disclosure,
    clock: Clock,
    name: Option<String>,
) -> Result<Listed> {
    let name = name.map(|name| name.trim().to_owned());
    if name.as_ref().is_some_and(|name| name.is_empty() || name.chars().count() > LONGEST_NAME) {
        return Err(Error::invalid(
            "name",
            format!("a name has 1 to {LONGEST_NAME} characters"),
            format!("名称为 1 至 {LONGEST_NAME} 个字符"),
        ));
    }
    let wanted = Wanted { name, day: clock.today(), at: clock.now() };
    let contents: Vec<_> =
        disclosure.tables.iter().map(|table| (table.measure, table.by.clone())).collect();
    let (declared, threshold) = (disclosure.tables.clone(), disclosure.threshold);
    store
        .take_snapshot(wanted, &contents, move |groups| {
            tables::publish(&declared, groups, threshold)
        })
        .await
}

/// Takes the snapshot of the night when its hour has come and none is there, and lets old facts go.
pub async fn nightly(
    store: &Store,
    disclosure: &Disclosure,
    clock: Clock,
    nights: Nights,
) -> Result<()> {
    let today = clock.today();
    let taken = store.snapshots().await?.iter().any(|known| known.nightly && known.day == today);
    if clock.hour() < nights.hour || taken {
        return Ok(());
    }
    match take(store, disclosure, clock, None).await {
        // Another process was first.
        Ok(_) | Err(Error::Conflict { .. }) => store.thin_snapshots(nights.kept).await,
        Err(error) => Err(error),
    }
}
