//! Keeps the policy folder around this file: everybody sees everything in full, with every use.
//!
//! The benchmark runs the same binary on it, so that the difference is the price of masks and hidden
//! columns. Rows stay scoped: roles, reaches and the model are the shipped ones. Without arguments it
//! compares the folder with the shipped policy and the views, and compiles it; with `--write` it
//! writes the folder anew. It is no policy for a server that anybody uses.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use xueji::access::catalogue::{Catalogue, Class, Coordinate};
use xueji::access::policy::{Policy, Source};
use xueji::access::table::{Pair, Reach, RoleId, Uses};
use xueji::graphql::REGISTRY;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/policies-full");

/// Files that are the shipped ones.
const KEPT: [&str; 6] =
    ["model.conf", "roles.csv", "actions.csv", "grants.csv", "purposes.csv", "tables.csv"];

const HEAD: &str = "# For the benchmark alone: everybody sees everything in full.\n\
                    # Generated: cargo test --test policies_full -- --write\n";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let write = std::env::args().any(|argument| argument == "--write");
    match keep(write).await {
        Ok(said) => {
            say(&said);
            ExitCode::SUCCESS
        }
        Err(error) => {
            say(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "the one place where this command speaks")]
fn say(line: &str) {
    println!("{line}");
}

async fn keep(write: bool) -> Result<String> {
    let shipped = Source::shipped();
    let catalogue = REGISTRY.catalogue(&actions(&shipped)?);
    let wanted = files(&shipped, &catalogue).await?;
    let folder = Path::new(FOLDER);
    if write {
        for (name, text) in &wanted {
            std::fs::write(folder.join(name), text).with_context(|| name.clone())?;
        }
    }
    let found = Source::read(folder).map_err(|problem| anyhow::anyhow!("{problem}"))?.files;
    for name in found.keys().chain(wanted.keys()) {
        ensure!(
            found.get(name) == wanted.get(name),
            "benches/policies-full/{name} is not what it should be; run \
             `cargo test --test policies_full -- --write` and delete files that are left over"
        );
    }
    let policy = Policy::compile(Source { files: found }, &catalogue).await?;
    everything(&policy, &catalogue)?;
    Ok(format!(
        "policies-full: {} coordinates in {} lines",
        catalogue.coordinates.len(),
        policy.lines
    ))
}

/// The actions that the shipped files speak of. The strings live as long as the program.
fn actions(shipped: &Source) -> Result<Vec<&'static str>> {
    let text = shipped.files.get("actions.csv").context("no actions.csv")?;
    let mut names: Vec<&'static str> = Vec::new();
    for line in text.lines().filter(|line| line.starts_with("p,")) {
        let name = line.split(',').nth(1).map(str::trim).context("an action without a name")?;
        if !names.contains(&name) {
            names.push(name.to_owned().leak());
        }
    }
    Ok(names)
}

async fn files(shipped: &Source, catalogue: &Catalogue) -> Result<BTreeMap<String, String>> {
    let policy = Policy::compile(shipped.clone(), catalogue).await?;
    let mut files = BTreeMap::new();
    for name in KEPT {
        let text = shipped.files.get(name).with_context(|| name.to_owned())?;
        files.insert(name.to_owned(), text.clone());
    }
    // Everybody reads every row, so all figures are exact.
    let exact = files.entry("disclosure_control.csv".to_owned()).or_insert_with(|| HEAD.to_owned());
    for pair in policy.table.pairs() {
        let role = policy.roles.get(pair.role).context("a pair without a role")?;
        writeln!(exact, "d, {}, {}, exact", role.name, pair.reach.word())?;
    }
    for (field, coordinate) in (0..).zip(&catalogue.coordinates) {
        if matches!(coordinate.class, Class::Derived(_)) {
            continue;
        }
        let file =
            files.entry(format!("{}.csv", coordinate.noun)).or_insert_with(|| HEAD.to_owned());
        file.push('\n');
        let anyone = Pair { role: RoleId::ANYONE, reach: Reach::Anywhere };
        let public = !policy.table.cell(anyone, field).uses.is_empty();
        for pair in policy.table.pairs() {
            // What everybody reads already needs no line for each role; nothing else may name everybody.
            if public != (*pair == anyone) {
                continue;
            }
            let role = policy.roles.get(pair.role).context("a pair without a role")?;
            writeln!(
                file,
                "p, {}, {}, {}, full, {}",
                coordinate.name(),
                role.name,
                pair.reach.word(),
                words(uses(coordinate))
            )?;
        }
    }
    Ok(files)
}

/// Every use that a column shown in full can have.
fn uses(coordinate: &Coordinate) -> Uses {
    let ordered = [Uses::SEARCH, Uses::SORT, Uses::GROUP, Uses::AGGREGATE];
    let mut uses = Uses::FILTER.union(Uses::EXPORT);
    if !coordinate.equality_only() {
        uses = ordered.into_iter().fold(uses, Uses::union);
    }
    if coordinate.sealed { uses.union(Uses::MATCH) } else { uses }
}

fn words(uses: Uses) -> String {
    let named = Uses::VERBS.iter().filter(|(verb, _, _)| uses.contains(*verb));
    named.map(|(_, word, _)| *word).collect::<Vec<_>>().join(" ")
}

/// Every pair sees every coordinate in full, by its own line or by everybody's.
fn everything(policy: &Policy, catalogue: &Catalogue) -> Result<()> {
    let anyone = Pair { role: RoleId::ANYONE, reach: Reach::Anywhere };
    for (field, coordinate) in (0..).zip(&catalogue.coordinates) {
        let public = policy.table.cell(anyone, field).uses;
        for pair in policy.table.pairs().iter().filter(|pair| **pair != anyone) {
            let uses = policy.table.cell(*pair, field).uses.union(public);
            let masked = uses.contains(Uses::MASKED);
            if masked || !uses.contains(Uses::FULL) {
                bail!("{} is not in full for {}", coordinate.name(), policy.roles.words(*pair));
            }
        }
    }
    Ok(())
}
