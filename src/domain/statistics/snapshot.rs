//! Taking snapshots (时点数据): every night, or by name; and which of them are kept.

use super::tables;
use crate::access::policy::DisclosureControl;
use crate::clock::Clock;
use crate::config::settings::Nights;
use crate::error::{Error, Result, Why};
use crate::store::Store;
use crate::store::snapshot::{Listed, Wanted};

/// The longest name.
const LONGEST_NAME: usize = 100;

/// So many days lie between two publications of the declared tables: who compares two tables of
/// one week knows what the one pupil was who moved.
const DAYS_APART: i64 = 28;
/// So many when the later is that of a night: a term. A named snapshot then finds the way free.
const NIGHTS_APART: i64 = 91;

/// Takes a snapshot, and publishes the declared tables of it when the last ones are old enough.
/// Without a name it is that of the night, of which a day has one.
pub async fn take(
    store: &Store,
    control: &DisclosureControl,
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
    let days_apart = if name.is_some() { DAYS_APART } else { NIGHTS_APART };
    let wanted = Wanted { name, day: clock.today(), at: clock.now(), days_apart };
    let (declared, threshold) = (control.tables.clone(), control.threshold);
    let contents = tables::contents(&declared);
    store
        .take_snapshot(wanted, &contents, move |groups| {
            tables::publish(&declared, groups, threshold)
        })
        .await
}

/// Drops a snapshot. One whose tables were published goes only when these shall go as well: what is
/// declared is answered from them, and the next publication counts its days from them.
pub async fn discard(store: &Store, of: &Listed, with_tables: bool) -> Result<()> {
    if of.tables && !with_tables {
        return Err(Error::Refused {
            rule: "TABLES_PUBLISHED",
            why: Why::new(
                "declared tables are answered from this snapshot; drop it with its tables, if those who read them may do without",
                "已发布的统计表取自该时点数据；如确需删除，请连同统计表一并删除",
            ),
        });
    }
    if store.drop_snapshot(of.number).await? {
        return Ok(());
    }
    Err(Error::not_found("StatisticsSnapshot"))
}

/// What a look at the clock found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Night {
    /// Its hour has not come.
    Early,
    /// Its snapshot is there.
    There,
    /// Its snapshot was taken now.
    Taken(Listed),
}

/// Takes the snapshot of the night when its hour has come and none is there, and lets old facts go.
pub async fn nightly(
    store: &Store,
    control: &DisclosureControl,
    clock: Clock,
    nights: Nights,
) -> Result<Night> {
    if clock.hour() < nights.hour {
        return Ok(Night::Early);
    }
    let today = clock.today();
    let there = store.snapshots().await?.iter().any(|known| known.nightly && known.day == today);
    let night = match there {
        true => Night::There,
        false => match take(store, control, clock, None).await {
            Ok(taken) => Night::Taken(taken),
            // Another process was first.
            Err(Error::Conflict { .. }) => Night::There,
            Err(error) => return Err(error),
        },
    };
    store.thin_snapshots(nights.kept).await?;
    Ok(night)
}
