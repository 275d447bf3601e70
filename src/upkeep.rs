//! What a server does beside answering (后台任务): one task for each line of [`start`].
//!
//! Tasks end with the set that holds them. A task never ends by itself: what fails is logged and
//! tried again, so that the answer to *is it still running* is always yes.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at};

use crate::app::App;
use crate::domain::backup;
use crate::domain::policy::{Keeper, Occasion, Origin, Refusal};
use crate::domain::statistics::snapshot::Night;
use crate::domain::{act, sign_in};
use crate::hangup::Hangup;
use crate::live;

/// Between two looks at the data keys: a new one is known seconds before it seals.
const KEYS_LOOK: Duration = Duration::from_millis(400);

/// Between two looks at the policy: two looks and a compilation fit into a second.
const POLICY_LOOK: Duration = Duration::from_millis(200);

/// How long after the start answers are first forgotten, and how often then.
const FORGET_FIRST: Duration = Duration::from_secs(60);
const FORGET_EVERY: Duration = Duration::from_secs(3_600);

/// Between two looks at lines that are not sealed yet.
const SEAL_LOOK: Duration = Duration::from_millis(500);

/// Between two looks at which keys of other issuers are due.
const ISSUERS_LOOK: Duration = Duration::from_millis(500);
/// How long after the start months that were kept long enough are first looked for, and how often then.
const PRUNE_FIRST: Duration = Duration::from_secs(600);
const PRUNE_EVERY: Duration = Duration::from_secs(6 * 3_600);

/// How often the queue of the reviewers is counted.
const REVIEWS_LOOK: Duration = Duration::from_secs(5);

/// Between two looks at duties and the grants that follow from them.
const GRANTS_LOOK: Duration = Duration::from_secs(5);

/// In so many of these looks custody is looked at once, requests that are too late are marked, and grants that nobody
/// has confirmed are counted.
const GRANTS_WHOLE: u32 = 12;

/// How often it is asked whether the snapshot of the night is due.
const SNAPSHOT_LOOK: Duration = Duration::from_secs(60);

/// How often the folder of the backups is looked at.
const BACKUPS_LOOK: Duration = Duration::from_secs(5);

/// How often it is asked whether the backup of the night is due, in looks at the folder.
const BACKUPS_DUE: u32 = 12;

/// Starts every task of a server; they stop when the set is dropped.
#[must_use = "the tasks stop when the set is dropped"]
pub fn start(app: &Arc<App>) -> JoinSet<()> {
    let mut tasks = start_without_nights(app);
    tasks.spawn(snapshots(Arc::clone(app)));
    tasks
}

/// The same, but snapshots are taken by whoever asks for one alone: for a registry whose clock stands still.
#[must_use = "the tasks stop when the set is dropped"]
pub fn start_without_nights(app: &Arc<App>) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    tasks.spawn(forget(Arc::clone(app)));
    tasks.spawn(disclosures(Arc::clone(app)));
    tasks.spawn(live::relay(Arc::clone(app)));
    tasks.spawn(live::watch(Arc::clone(app)));
    tasks.spawn(live::forget(Arc::clone(app)));
    tasks.spawn(reviews(Arc::clone(app)));
    tasks.spawn(grants(Arc::clone(app)));
    tasks.spawn(keys(Arc::clone(app)));
    tasks.spawn(seals(Arc::clone(app)));
    if app.trusts_others() {
        tasks.spawn(issuers(Arc::clone(app)));
    }
    tasks.spawn(prune(Arc::clone(app)));
    if app.backups().is_some() {
        tasks.spawn(backups(Arc::clone(app)));
    }
    if *app.keeper().origin() != Origin::Fixed {
        tasks.spawn(policy(Arc::clone(app.keeper())));
    }
    tasks
}

/// Forgets answers that were kept for repeated requests and are too old to be repeated, and sessions that ended long ago.
async fn forget(app: Arc<App>) {
    let mut hourly = interval_at(Instant::now() + FORGET_FIRST, FORGET_EVERY);
    hourly.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        hourly.tick().await;
        if let Err(error) = app.store().forget_answers(app.clock().now()).await {
            tracing::warn!(error = format!("{error:#}"), "old answers are not forgotten yet");
        }
        if let Err(error) = app.store().forget_sessions(app.clock().now()).await {
            tracing::warn!(error = format!("{error:#}"), "old sessions are not forgotten yet");
        }
    }
}

/// Follows the data keys of the sealed columns. A failure is logged once and tried again at each look.
async fn keys(app: Arc<App>) {
    let mut ticks = interval(KEYS_LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failing = false;
    loop {
        ticks.tick().await;
        match app.store().follow_keys().await {
            Ok(()) => failing = false,
            Err(error) => {
                if !std::mem::replace(&mut failing, true) {
                    tracing::error!(
                        error = format!("{error:#}"),
                        "the data keys cannot be followed"
                    );
                }
            }
        }
    }
}

/// Fetches the keys of other issuers as they become due. What fails is logged where it is fetched.
async fn issuers(app: Arc<App>) {
    let mut ticks = interval(ISSUERS_LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        app.look_at_issuers().await;
    }
}

/// Seals the lines of both logs; of several servers one does. A failure is logged once and tried again at each look.
async fn seals(app: Arc<App>) {
    let sealer = app.sealer();
    let mut ticks = interval(SEAL_LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failing = false;
    loop {
        ticks.tick().await;
        match sealer.look().await {
            Ok(_) => failing = false,
            Err(error) => {
                if !std::mem::replace(&mut failing, true) {
                    tracing::error!(error = format!("{error:#}"), "the logs are not sealed");
                }
            }
        }
    }
}

/// Drops months of the logs that were kept long enough; what cannot be dropped stays and is tried again.
async fn prune(app: Arc<App>) {
    let mut ticks = interval_at(Instant::now() + PRUNE_FIRST, PRUNE_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match app.prune_logs().await {
            Ok(parts) => {
                for part in parts {
                    tracing::info!(
                        log = part.log.table(),
                        lines = part.lines,
                        "a month of a log was kept long enough and is gone"
                    );
                }
            }
            Err(error) => {
                tracing::error!(error = format!("{error:#}"), "the logs are not pruned");
            }
        }
    }
}

/// Leads students to the disclosures about them, soon after these were written.
async fn disclosures(app: Arc<App>) {
    loop {
        tokio::time::sleep(app.store().disclosures().pace()).await;
        loop {
            match app.store().index_disclosures().await {
                Ok(indexed) if indexed.more => {}
                Ok(_) => break,
                Err(error) => {
                    tracing::warn!(error = format!("{error:#}"), "indexing disclosures failed");
                    break;
                }
            }
        }
    }
}

/// Says how many opened records wait for their review, and how many of these reviews are overdue.
async fn reviews(app: Arc<App>) {
    let mut ticks = interval(REVIEWS_LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        nought();
        match app.store().review_queue(app.clock().now()).await {
            #[expect(clippy::cast_precision_loss, reason = "a queue is short")]
            Ok(queue) => {
                metrics::gauge!("xueji_access_reviews_waiting").set(queue.waiting as f64);
                metrics::gauge!("xueji_access_reviews_overdue").set(queue.overdue as f64);
            }
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "the queue of reviews is not counted");
            }
        }
    }
}

/// Makes and ends the grants that follow from duties and custody. Without it such a grant ends all the same; it would
/// come into being later.
async fn grants(app: Arc<App>) {
    let mut ticks = interval(GRANTS_LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut looks, mut failing) = (0, false);
    loop {
        ticks.tick().await;
        let whole = looks == 0;
        looks = (looks + 1) % GRANTS_WHOLE;
        match app.look_at_grants(whole).await {
            Ok(unconfirmed) => {
                failing = false;
                #[expect(clippy::cast_precision_loss, reason = "grants are far below 2^52")]
                if let Some(unconfirmed) = unconfirmed {
                    metrics::gauge!("xueji_grants_unconfirmed").set(unconfirmed as f64);
                }
            }
            Err(error) => {
                if !std::mem::replace(&mut failing, true) {
                    tracing::error!(
                        error = format!("{error:#}"),
                        "grants do not follow duties and custody"
                    );
                }
            }
        }
    }
}

/// Nought is a figure as well: whoever watches a series need not wait for its first event. Said again after each
/// look, since whoever collects the figures may begin to listen after the start.
fn nought() {
    act::count_from_nought();
    sign_in::count_from_nought();
    metrics::counter!("xueji_purpose_refusals_total").increment(0);
    metrics::counter!("xueji_snapshots_total").increment(0);
    metrics::counter!("xueji_snapshot_failures_total").increment(0);
    metrics::gauge!("xueji_snapshot_failing").increment(0.0);
}

/// Takes a snapshot every night (每夜时点数据); of several processes one does.
async fn snapshots(app: Arc<App>) {
    let mut ticks = interval_at(Instant::now() + SNAPSHOT_LOOK, SNAPSHOT_LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        snapshot_of_the_night(&app).await;
    }
}

/// One look whether the snapshot of the night is due. A failure is logged and counted, and the next
/// look tries again.
pub async fn snapshot_of_the_night(app: &App) {
    match app.nightly_snapshot().await {
        Ok(Night::Early) => {}
        Ok(Night::There) => metrics::gauge!("xueji_snapshot_failing").set(0.0),
        Ok(Night::Taken(taken)) => {
            tracing::info!(number = taken.number, students = taken.students, "snapshot taken");
            metrics::counter!("xueji_snapshots_total").increment(1);
            metrics::gauge!("xueji_snapshot_failing").set(0.0);
        }
        Err(error) => {
            tracing::error!(
                error = format!("{error:#}"),
                "the nightly snapshot failed and is tried again in a minute"
            );
            metrics::counter!("xueji_snapshot_failures_total").increment(1);
            metrics::gauge!("xueji_snapshot_failing").set(1.0);
        }
    }
}

/// Takes a backup every night (每夜备份), of several processes one does, and says how old the last ones are.
async fn backups(app: Arc<App>) {
    let mut ticks = interval(BACKUPS_LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut looks = 0;
    loop {
        ticks.tick().await;
        say_backups(&app).await;
        looks = (looks + 1) % BACKUPS_DUE;
        if looks == 0 {
            backup_of_the_night(&app).await;
        }
    }
}

/// Says of when the newest backup and the newest verified one are; 0 for none.
async fn say_backups(app: &App) {
    let Some(backups) = app.backups() else { return };
    for step in backup::STEPS {
        metrics::counter!("xueji_backup_failures_total", "step" => step).increment(0);
    }
    let look = match backup::look(backups).await {
        Ok(look) => look,
        Err(refusal) => {
            tracing::error!(error = %refusal, "the folder of the backups cannot be read");
            return;
        }
    };
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are far below 2^52")]
    let seconds = |at: Option<i64>| at.unwrap_or(0) as f64;
    metrics::gauge!("xueji_backup_last_taken_seconds").set(seconds(look.taken));
    metrics::gauge!("xueji_backup_last_verified_seconds").set(seconds(look.verified));
}

/// One look whether the backup of the night is due. What fails is logged and counted.
pub async fn backup_of_the_night(app: &App) {
    let Some(backups) = app.backups() else { return };
    let night = match backup::nightly(app.store(), backups, app.clock()).await {
        Ok(night) => night,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "the backup of the night is not claimed");
            metrics::counter!("xueji_backup_failures_total", "step" => backup::TAKE).increment(1);
            return;
        }
    };
    let backup::Night::Done(done) = night else { return };
    if let Some(taken) = &done.taken {
        tracing::info!(rows = taken.rows, bytes = taken.bytes, "backup taken");
    }
    for name in &done.removed {
        tracing::info!(name, "backup removed");
    }
    if let Some(name) = &done.verified {
        tracing::info!(name, "backup verified");
    }
    for (step, refusal) in &done.failures {
        tracing::error!(step, error = %refusal, "the backup of the night failed");
        metrics::counter!("xueji_backup_failures_total", "step" => *step).increment(1);
    }
    say_backups(app).await;
}

/// Follows the policy: the files of this server, the signal to read them again, and what others publish.
async fn policy(keeper: Arc<Keeper>) {
    let mut ticks = interval(POLICY_LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut hangup = Hangup::listen("policy");
    loop {
        tokio::select! {
            _ = ticks.tick() => keeper.look().await,
            () = hangup.heard() => {
                if let Err(Refusal::Unpublished(error)) = keeper.apply(Occasion::Signal).await {
                    tracing::error!(error = format!("{error:#}"), "the policy is not published");
                }
            }
        }
    }
}
