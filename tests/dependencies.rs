//! What the program is made of, held against deny.toml: licences, bans and sources, without a network and without a
//! tool to install. Advisories need a database from outside: `just advisories` asks for it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use figment::Figment;
use figment::providers::{Format, Toml};
use serde::Deserialize;
use serde_json::Value;
use spdx::{Expression, Licensee, ParseMode};

/// The part of deny.toml that is held here.
#[derive(Deserialize)]
struct Rules {
    licenses: Licences,
    bans: Bans,
    sources: Sources,
}

#[derive(Deserialize)]
struct Licences {
    allow: BTreeSet<String>,
    exceptions: Vec<Exception>,
}

#[derive(Deserialize)]
struct Exception {
    #[serde(rename = "crate")]
    name: String,
    allow: BTreeSet<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Bans {
    wildcards: String,
    deny: Vec<Banned>,
}

#[derive(Deserialize)]
struct Banned {
    #[serde(rename = "crate")]
    name: String,
    reason: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Sources {
    unknown_registry: String,
    unknown_git: String,
}

/// The index of the one registry, as sources of Cargo.lock end.
const INDEX: &str = "/crates.io-index\"";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rules() -> Rules {
    Figment::from(Toml::file_exact(root().join("deny.toml"))).extract().unwrap()
}

fn cargo(arguments: &[&str]) -> Option<Vec<u8>> {
    let output = Command::new(env!("CARGO")).current_dir(root()).args(arguments).output().unwrap();
    output.status.success().then_some(output.stdout)
}

/// Every crate of the tree; of this machine's system alone, where those of others were never fetched.
fn crates() -> Vec<Value> {
    let all = ["metadata", "--locked", "--offline", "--format-version", "1"];
    let text = cargo(&all).unwrap_or_else(|| {
        let version = String::from_utf8(cargo(&["version", "--verbose"]).unwrap()).unwrap();
        let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
        cargo(&[&all[..], &["--filter-platform", host]].concat()).unwrap()
    });
    let read: Value = serde_json::from_slice(&text).unwrap();
    let crates = read["packages"].as_array().unwrap().clone();
    assert!(crates.len() > 100, "the whole tree, and not {}", crates.len());
    crates
}

fn text<'a>(of: &'a Value, key: &str) -> &'a str {
    of[key].as_str().unwrap_or_default()
}

#[test]
fn every_licence_is_one_that_is_allowed() {
    let rules = rules().licenses;
    let (mut needed, mut excepted) = (BTreeSet::new(), BTreeSet::new());
    for one in crates() {
        let (name, licence) = (text(&one, "name"), text(&one, "license"));
        let exception = rules.exceptions.iter().find(|exception| exception.name == name);
        let Ok(expression) = Expression::parse_mode(licence, ParseMode::LAX) else {
            panic!("{name} names no licence that is known: {licence:?}");
        };
        let allowed = expression.evaluate(|wanted| {
            let fits = |licence: &&String| Licensee::parse(licence).unwrap().satisfies(wanted);
            let general = rules.allow.iter().find(fits);
            needed.extend(general.cloned());
            let own = exception.is_some_and(|exception| exception.allow.iter().any(|it| fits(&it)));
            if own {
                excepted.insert(name.to_owned());
            }
            general.is_some() || own
        });
        assert!(allowed, "{name} is under {licence}, which deny.toml does not allow");
    }
    let unused: Vec<_> = rules.allow.difference(&needed).collect();
    assert!(unused.is_empty(), "deny.toml allows what no crate needs: {unused:?}");
    let unused: Vec<_> = rules
        .exceptions
        .iter()
        .map(|one| &one.name)
        .filter(|one| !excepted.contains(*one))
        .collect();
    assert!(unused.is_empty(), "deny.toml excepts what needs no exception: {unused:?}");
}

#[test]
fn nothing_that_is_banned_is_there_and_every_version_is_bounded() {
    let rules = rules().bans;
    assert_eq!(rules.wildcards, "deny");
    for one in crates() {
        let name = text(&one, "name");
        if let Some(banned) = rules.deny.iter().find(|banned| banned.name == name) {
            panic!("{name} is banned: {}", banned.reason);
        }
        let ours = one["source"].is_null();
        for dependency in one["dependencies"].as_array().unwrap() {
            let any = text(dependency, "req") == "*" && dependency["path"].is_null();
            assert!(!(ours && any), "{name} takes any version of {}", text(dependency, "name"));
        }
    }
}

#[test]
fn everything_comes_from_the_one_registry() {
    let rules = rules().sources;
    assert_eq!((rules.unknown_registry.as_str(), rules.unknown_git.as_str()), ("deny", "deny"));
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).unwrap();
    let sources: BTreeSet<&str> =
        lock.lines().filter_map(|line| line.strip_prefix("source = ")).collect();
    let [one] = sources.into_iter().collect::<Vec<_>>()[..] else {
        panic!("there are several sources")
    };
    assert!(one.starts_with("\"registry+") && one.ends_with(INDEX), "{one}");
    // What has no source is of this workspace.
    let own =
        lock.split("[[package]]").filter(|one| one.contains("name =") && !one.contains("source ="));
    assert_eq!(own.count(), 3);
}
