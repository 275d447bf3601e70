//! The property test: everybody's random requests to both twins.
//!
//! `XUEJI_NONINTERFERENCE` says how many requests a person sends, `XUEJI_NONINTERFERENCE_SEED` with which seed. A
//! finding names the person, the seed and the smallest request that still differs.

use std::sync::Arc;

use futures_util::StreamExt;

use super::run::{self, Report, Volume};
use super::schema::Schema;
use super::twin::Base;
use crate::support::place;

/// Requests of one person when nothing is said: on files, and on a server, where each takes longer.
const REQUESTS: u64 = 2_000;
const REQUESTS_ON_SERVER: u64 = 60;

/// Those who read no row of a pupil: what they ask is mostly answered by figures, and those are the solver's. What else
/// they may ask is asked here, less often.
const FIGURES_ALONE: &[&str] = &[
    "stranger",
    "analyst",
    "analyst of the school",
    "auditor",
    "auditor of the school",
    "privacy_officer",
    "privacy_officer of the school",
    "administrator",
];

#[expect(clippy::disallowed_methods, reason = "a test has no settings of its own")]
fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().filter(|text| !text.is_empty()).map(|text| text.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_caller_may_not_see_changes_nothing_of_what_it_is_told() {
    let base = Arc::new(Base::plant().await);
    let schema = Arc::new(Schema::read());
    let asked = setting("XUEJI_NONINTERFERENCE");
    let usual = if place::server().is_some() { REQUESTS_ON_SERVER } else { REQUESTS };
    let requests = asked.unwrap_or(usual);
    let seed = setting("XUEJI_NONINTERFERENCE_SEED").unwrap_or(1);
    let begun = std::time::Instant::now();
    let reports: Vec<Result<Report, String>> = futures_util::stream::iter(base.people.clone())
        .map(|(name, _)| {
            let (base, schema) = (Arc::clone(&base), Arc::clone(&schema));
            let few = FIGURES_ALONE.contains(&name.as_str());
            let queries = if few { requests / 5 } else { requests };
            let volume = Volume {
                seed,
                queries,
                mutations: queries / 5,
                widening: 12,
                shrink: 600,
                progress: asked.map(|_| 1_000),
            };
            let whose = name.clone();
            let asked =
                tokio::spawn(async move { run::person(&base, &schema, &name, volume).await });
            async move { asked.await.map_err(|error| format!("{whose}: {error}")) }
        })
        .buffer_unordered(3)
        .collect()
        .await;
    let (reports, broken): (Vec<_>, Vec<_>) = reports.into_iter().partition(Result::is_ok);
    let reports: Vec<Report> = reports.into_iter().flatten().collect();
    let lines: Vec<String> = reports.iter().map(Report::line).collect();
    println!("{}\n{:?}", lines.join("\n"), begun.elapsed());
    let broken: Vec<String> = broken.into_iter().filter_map(Result::err).collect();
    assert!(broken.is_empty(), "{}", broken.join("\n\n"));
    let found: Vec<String> = reports
        .iter()
        .filter_map(|report| Some(format!("{} {}", report.name, report.found.as_ref()?)))
        .collect();
    assert!(found.is_empty(), "with the seed {seed}, {}", found.join("\n\n"));
    for report in &reports {
        worth(report, requests);
    }
    let may_write: Vec<&Report> = reports.iter().filter(|report| report.may_write).collect();
    let wrote = may_write.iter().filter(|report| report.written > 0).count();
    println!("{wrote} of {} who may have written something", may_write.len());
    assert!(requests < 1_000 || wrote * 3 >= may_write.len(), "who may write does");
    let written: u64 = reports.iter().map(|report| report.written).sum();
    assert!(written > 0, "somebody wrote something");
}

/// What a person's requests must have been, lest the generator ask for nothing that could tell.
fn worth(report: &Report, requests: u64) {
    let Report { name, differences, .. } = report;
    let line = report.line();
    let share = |of: u64, percent: u64| of * 100 >= report.requests * percent;
    assert!(share(report.valid, 98), "requests are valid: {line}");
    assert!(differences.out_of_scope > 500, "rows out of scope differ: {line}");
    assert!(differences.added > 0 && differences.removed > 0, "rows come and go: {line}");
    if FIGURES_ALONE.contains(&name.as_str()) || requests < 200 {
        return;
    }
    assert!(differences.hidden + differences.masked > 5, "what is hidden in rows differs: {line}");
    assert!(share(report.with_rows, 15), "answers have rows: {line}");
    assert!(share(report.filtered, 8) && share(report.matched, 2), "filters: {line}");
    assert!(share(report.pages, 4), "pages are turned: {line}");
    assert!(report.denied > 0 && !share(report.denied, 60), "some is denied: {line}");
}
