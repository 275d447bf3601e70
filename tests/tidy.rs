//! House rules that the compiler cannot hold: who imports whom, where bare values may be touched, a header in every
//! module. An exception that is no longer needed fails too.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The modules of the server, and which of the others each may name.
const IMPORTS: &[(&str, &[&str])] = &[
    ("clock", &[]),
    ("config", &["error"]),
    ("error", &[]),
    ("hangup", &[]),
    ("leak", &[]),
    ("access", &["error", "clock", "config"]),
    ("store", &["error", "clock", "config", "access"]),
    ("auth", &["error", "clock", "config", "access", "store"]),
    ("domain", &["error", "clock", "config", "access", "store"]),
    ("graphql", &["error", "clock", "config", "access", "domain"]),
    ("http", &["error", "clock", "config", "hangup", "access", "auth", "domain", "graphql"]),
    ("demo", &["error", "clock", "config", "store"]),
    ("load", &["config", "graphql"]),
    (
        "app",
        &[
            "error", "clock", "config", "access", "store", "auth", "domain", "graphql", "http",
            "live", "doorway",
        ],
    ),
    ("doorway", &["error", "clock", "config", "access", "store", "auth", "domain", "http", "app"]),
    ("live", &["error", "access", "auth", "domain", "graphql", "http", "app"]),
    (
        "cli",
        &[
            "error", "clock", "config", "access", "store", "auth", "domain", "graphql", "http",
            "app", "demo", "doorway", "load", "upkeep",
        ],
    ),
    ("upkeep", &["hangup", "app", "domain", "live"]),
    ("main", &["cli"]),
];

/// Imports beyond the table. The list only shrinks.
const IMPORT_EXCEPTIONS: &[(&str, &str)] = &[
    // Rows as read, with their sights; a statement is still written by the store alone.
    ("src/graphql/engine/computed.rs", "store"),
    ("src/graphql/engine/fetch.rs", "store"),
    ("src/graphql/engine/render.rs", "store"),
    ("src/graphql/engine/select.rs", "store"),
];

/// Where bare values are touched: `.facts(` reads a cell, `.expose(` a personal value. The lists only shrink.
const FACTS: &[&str] = &[
    "src/graphql/engine/fetch.rs",
    "src/store/sql.rs",
    "src/store/tx/facts.rs",
    "src/store/tx/write.rs",
];
const EXPOSE: &[&str] = &[
    "src/access/view.rs",
    "src/domain/attendance/record.rs",
    "src/store/attendance.rs",
    "src/store/codec.rs",
    "src/store/tx/destroy.rs",
    "src/store/tx/open.rs",
    "src/store/tx/restrict.rs",
];

/// Where a deliberate leak stands, for the test of the noninterference test.
const LEAKS: &[&str] = &[
    "src/access/caller.rs",
    "src/access/opaque.rs",
    "src/access/scope.rs",
    "src/access/shown.rs",
    "src/graphql/engine/computed.rs",
    "src/graphql/engine/output.rs",
    "src/graphql/engine/render.rs",
    "src/graphql/subscription.rs",
    "src/store/read.rs",
    "src/store/sql.rs",
    "src/store/statistics/rows.rs",
    "src/store/tx/facts.rs",
    "src/store/tx/once.rs",
    "src/store/tx/open.rs",
];

/// Where raw pieces of SQL are written. The list only shrinks.
const RAW_SQL: &[&str] = &[
    "src/access/place.rs",
    "src/access/scope.rs",
    "src/store/read.rs",
    "src/store/sql.rs",
    "src/store/statistics/frozen.rs",
    "src/store/statistics/mod.rs",
    "src/store/statistics/rows.rs",
    "src/store/tally.rs",
];

/// A source file with its path from the root; tests inside it are left out.
struct Source {
    path: String,
    text: String,
    whole: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn sources(folders: &[&str]) -> Vec<Source> {
    let mut found = Vec::new();
    for folder in folders {
        files(&root().join(folder), &mut found);
    }
    found.sort();
    found
        .into_iter()
        .map(|path| {
            let whole = std::fs::read_to_string(&path).unwrap();
            let path = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
            Source { text: code(&whole), path, whole }
        })
        .filter(|source| {
            let tests = source.path.contains("/tests/") || source.path.ends_with("tests.rs");
            !tests || source.path.starts_with("tests/")
        })
        .collect()
}

/// The text without comments and without the tests at its end.
fn code(whole: &str) -> String {
    let mut out = String::new();
    for line in whole.lines() {
        if line.starts_with("#[cfg(test)]") && !whole.contains("#[cfg(test)]\nmod tests;") {
            break;
        }
        let code = line.split_once("//").map_or(line, |(before, _)| before);
        out.push_str(code);
        out.push('\n');
    }
    out
}

/// The module of the server that a file belongs to.
fn module(path: &str) -> &str {
    let below = path.strip_prefix("src/").unwrap();
    below.split(['/', '.']).next().unwrap()
}

/// The modules that `crate::…` paths of a text name, in plain and in nested imports.
fn named(text: &str) -> BTreeSet<String> {
    let mut named = BTreeSet::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut word = String::new();
            for c in group.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => word.clear(),
                    _ if depth == 0 && (c.is_alphanumeric() || c == '_') => word.push(c),
                    ':' if depth == 0 && !word.is_empty() => {
                        named.insert(std::mem::take(&mut word));
                    }
                    _ => {}
                }
            }
        } else {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            named.insert(rest[..end].to_owned());
        }
    }
    named
}

#[test]
fn imports_point_to_the_left() {
    let mut unused: BTreeSet<_> = IMPORT_EXCEPTIONS.iter().collect();
    for source in sources(&["src"]) {
        let own = module(&source.path);
        if own == "lib" {
            continue;
        }
        let Some((_, allowed)) = IMPORTS.iter().find(|(module, _)| *module == own) else {
            panic!("{} belongs to no module of the import table", source.path);
        };
        for name in named(&source.text) {
            // Where leaks stand is a rule of its own.
            if name == "leak" {
                continue;
            }
            let known = IMPORTS.iter().any(|(module, _)| *module == name);
            if !known || name == own || allowed.contains(&name.as_str()) {
                continue;
            }
            let exception = IMPORT_EXCEPTIONS
                .iter()
                .find(|(path, module)| *path == source.path && *module == name);
            match exception {
                Some(exception) => {
                    unused.remove(exception);
                }
                None => panic!("{} names crate::{name}; {own} may not", source.path),
            }
        }
    }
    assert!(unused.is_empty(), "no longer needed: {unused:?}");
}

/// Fails for a file that has the text and is not listed, and for one that is listed and has it not.
#[track_caller]
fn only_in(what: &str, listed: &[&str], folders: &[&str]) {
    let found: BTreeSet<String> = sources(folders)
        .into_iter()
        .filter(|source| source.text.contains(what))
        .map(|source| source.path)
        .collect();
    let listed: BTreeSet<String> = listed.iter().map(|path| (*path).to_owned()).collect();
    assert_eq!(found, listed, "where `{what}` stands");
}

#[test]
fn bare_values_are_touched_where_it_is_said() {
    only_in(".facts()", FACTS, &["src"]);
    only_in(".expose()", EXPOSE, &["src"]);
}

#[test]
fn deliberate_leaks_stand_where_it_is_said() {
    only_in("leak::on(", LEAKS, &["src"]);
}

/// Fields side by side are all taken back at the first error, so which it is and what was read by then would be a matter
/// of time, and time depends on rows that the caller may not see. The root of questions sees to its own, and the library
/// to that of acts.
#[test]
fn what_reads_rows_is_answered_field_by_field() {
    for source in sources(&["src/graphql"]) {
        for of in source.text.split("#[Object]\n").skip(1) {
            let name = of.split_whitespace().nth(1).unwrap_or_default();
            let root = name.ends_with("Mutation") || name.ends_with("Query") || name == "Base";
            assert!(root, "{}: {name} is `#[Object(serial)]`", source.path);
        }
    }
}

#[test]
fn raw_sql_stands_where_it_is_said() {
    only_in("Expr::cust", RAW_SQL, &["src"]);
}

#[test]
fn the_schema_names_no_table_and_no_connection() {
    for source in sources(&["src/graphql", "src/domain", "src/http"]) {
        for word in
            ["DatabaseConnection", "ConnectionTrait", "ActiveModel", "EntityTrait", "sqlx::"]
        {
            assert!(!source.text.contains(word), "{} names {word}", source.path);
        }
        let sea_orm = source.text.contains("sea_orm::")
            && !source.text.lines().filter(|line| line.contains("sea_orm::")).all(|line| {
                // The types of columns in a `view!`.
                line.trim() == "use sea_orm::prelude::DateTimeUtc;"
            });
        assert!(!sea_orm, "{} names sea_orm", source.path);
    }
}

#[test]
fn a_view_is_made_by_its_macro_alone() {
    only_in("View for ", &["src/access/view.rs"], &["src"]);
}

#[test]
fn nobody_but_the_oracle_names_casbin() {
    only_in("casbin::", &["src/access/policy/oracle.rs"], &["src"]);
}

#[test]
fn every_module_says_what_it_is_for() {
    let folders = [
        "src",
        "entity/src",
        "migration/src",
        "migration/tests",
        "entity/tests",
        "tests",
        "benches",
    ];
    for source in sources(&folders) {
        assert!(source.whole.starts_with("//! "), "{} begins with a header", source.path);
    }
}

#[test]
fn files_are_read_at_one_sitting() {
    /// Longer files: one list, table or machine each. The list only shrinks.
    const LONGER: &[&str] = &[];
    let long: BTreeSet<String> = sources(&["src", "entity/src", "migration/src"])
        .into_iter()
        .filter(|source| source.whole.lines().count() > 700)
        .map(|source| source.path)
        .collect();
    assert_eq!(long, LONGER.iter().map(|path| (*path).to_owned()).collect());
}

#[test]
fn every_promise_names_tests_that_are_there() {
    let mut tests = BTreeSet::new();
    let mut found = Vec::new();
    for folder in ["src", "tests", "entity", "migration"] {
        files(&root().join(folder), &mut found);
    }
    for path in found {
        let text = std::fs::read_to_string(path).unwrap();
        let mut is_test = false;
        for line in text.lines().map(str::trim) {
            if line.contains("test]") || line.starts_with("#[tokio::test(") {
                is_test = true;
            } else if let Some((_, name)) = line.split_once("fn ")
                && std::mem::take(&mut is_test)
            {
                tests.insert(name.split('(').next().unwrap().to_owned());
            }
        }
    }
    let page = std::fs::read_to_string(root().join("docs/promises.md")).unwrap();
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| ")).collect();
    let (mut promises, mut cases) = (0, 0);
    for row in &rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [what, named] = cells[..] else { panic!("{row} has two cells") };
        if what.contains("---") || matches!(what, "promise" | "case") {
            continue;
        }
        let numbered = what.starts_with(|c: char| c.is_ascii_digit());
        promises += usize::from(numbered);
        cases += usize::from(!numbered && what != "Noninterference");
        for name in named.split('`').skip(1).step_by(2) {
            assert!(tests.contains(name), "{what}: there is no test {name}");
        }
        assert!(
            named == "–" || named.contains('`'),
            "{what} names a test, or says that it has none"
        );
    }
    assert_eq!((promises, cases), (20, 26), "each promise and each case has its row");
}

#[test]
fn the_readme_names_the_policy_lines_that_decide() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let value = |line: &str, key: &str| {
        let text = line.split_once(&format!("\"{key}\": \""))?.1;
        Some(text.split_once('"')?.0.to_owned())
    };
    let mut held = 0;
    for line in readme.lines() {
        let Some((coordinate, rule)) = value(line, "coordinate").zip(value(line, "rule")) else {
            continue;
        };
        let (noun, column) = coordinate.split_once('.').unwrap();
        let (file, number) = rule.split_once(':').unwrap();
        let policy = std::fs::read_to_string(root().join("policies").join(file)).unwrap();
        let said = policy.lines().nth(number.parse::<usize>().unwrap() - 1).unwrap_or_default();
        let wanted = format!("p, {}.{column}, ", noun.to_lowercase());
        assert!(said.starts_with(&wanted), "{rule} of {coordinate} is: {said}");
        held += 1;
    }
    assert!(held > 0, "the README has an example with a policy line");
}
