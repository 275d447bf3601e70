//! The compiled policy as text, to be read in review: every cell by pair and coordinate, every action.
//!
//! The order is that of the catalogue and of `roles.csv`, so that a change of policy is a small diff.

use crate::access::catalogue::{Catalogue, Class, FieldId};
use crate::access::policy::Policy;
use crate::access::table::{Pair, Sight, Table, Uses};
use std::fmt::Write as _;

/// The matrix of columns and of actions.
pub fn matrix(policy: &Policy, catalogue: &Catalogue) -> String {
    let pairs = policy.table.pairs();
    let heads = heads(policy, pairs);
    let mut text = legend(policy, &heads);
    for noun in catalogue.nouns() {
        let rows: Vec<(String, Vec<String>)> = (0..)
            .zip(&catalogue.coordinates)
            .filter(|(_, coordinate)| coordinate.noun == noun)
            .map(|(field, coordinate)| {
                let mark = match coordinate.class {
                    Class::Column => "",
                    Class::Reference => " >",
                    Class::Derived(_) => " =",
                    Class::Outlet => " !",
                    Class::Seen => " ~",
                };
                let cells = pairs.iter().map(|&pair| cell(policy, pair, field)).collect();
                (format!("{}{mark}", coordinate.name()), cells)
            })
            .collect();
        grid(&mut text, noun, &heads, &rows);
    }
    let rows: Vec<(String, Vec<String>)> = (0..)
        .zip(&catalogue.actions)
        .map(|(action, name)| {
            let cells = pairs.iter().map(|&pair| match policy.actions.may(&[pair], action) {
                Some(act) => format!("{}", act.columns.len()),
                None => ".".to_owned(),
            });
            ((*name).to_owned(), cells.collect())
        })
        .collect();
    grid(&mut text, "actions: the number of columns that may be set", &heads, &rows);
    purposes(&mut text, policy, catalogue);
    for (action, name) in (0..).zip(&catalogue.actions) {
        for &pair in pairs {
            let Some(act) = policy.actions.may(&[pair], action) else {
                continue;
            };
            let columns: Vec<String> = act
                .columns
                .iter()
                .filter_map(|&field| catalogue.coordinates.get(usize::from(field)))
                .map(|coordinate| coordinate.name())
                .collect();
            line(&mut text, &format!("{name} {}: {}", policy.roles.words(pair), columns.join(" ")));
        }
    }
    text
}

/// What each purpose grants beyond the cell without one, line by line.
fn purposes(text: &mut String, policy: &Policy, catalogue: &Catalogue) {
    let asked: Vec<_> = policy.purposes.iter().filter(|(id, _)| policy.asks_for(*id)).collect();
    if asked.is_empty() {
        return;
    }
    line(text, "");
    line(text, "[for a purpose that the request states]");
    for (field, coordinate) in (0..).zip(&catalogue.coordinates) {
        for &pair in policy.table.pairs() {
            let plain = policy.table.cell(pair, field).uses;
            for (id, purpose) in &asked {
                let uses = policy.table_for(Some(*id)).cell(pair, field).uses;
                if uses != plain {
                    let words = policy.roles.words(pair);
                    let (name, code) = (coordinate.name(), &purpose.code);
                    line(text, &format!("{name} {words} {code}: {}", letters(uses)));
                }
            }
        }
    }
    line(text, "");
}

/// The letters of a cell, with a mark where a purpose changes it.
fn cell(policy: &Policy, pair: Pair, field: FieldId) -> String {
    let uses = policy.table.cell(pair, field).uses;
    let mut mark = letters(uses);
    let other = |table: &Table| table.cell(pair, field).uses != uses;
    if policy.purposed.iter().any(|(_, table)| other(table)) {
        mark.push('?');
    }
    mark
}

/// The letters of uses: the sight, then the others.
fn letters(uses: Uses) -> String {
    if uses.is_empty() {
        return ".".to_owned();
    }
    let mut letters = match uses.sight() {
        Sight::Hidden => "-".to_owned(),
        Sight::Masked => "M".to_owned(),
        Sight::Full => "F".to_owned(),
    };
    let shown = Uses::FULL.union(Uses::MASKED);
    letters.extend(
        Uses::VERBS
            .iter()
            .filter(|(bit, _, _)| !shown.contains(*bit) && uses.contains(*bit))
            .map(|(_, _, letter)| letter),
    );
    if uses.contains(Uses::WRITE) {
        letters.push('w');
    }
    letters
}

/// Two short lines over each pair: the start of the role and of the reach, with a number where two roles start alike.
fn heads(policy: &Policy, pairs: &[Pair]) -> Vec<(String, String)> {
    let mut heads: Vec<(String, String)> = Vec::new();
    for pair in pairs {
        let name = policy.roles.get(pair.role).map(|role| role.name.as_str()).unwrap_or_default();
        let reach: String = pair.reach.word().chars().take(4).collect();
        let short: String = name.chars().take(4).collect();
        let taken = |role: &str| heads.iter().any(|(other, at)| other == role && *at == reach);
        let role = if taken(&short) {
            let start: String = name.chars().take(3).collect();
            (2..)
                .map(|number| format!("{start}{number}"))
                .find(|role| !taken(role))
                .unwrap_or(short)
        } else {
            short
        };
        heads.push((role, reach));
    }
    heads
}

fn legend(policy: &Policy, heads: &[(String, String)]) -> String {
    let mut text = String::new();
    line(&mut text, "F full, M masked, - hidden but used, . nothing");
    line(
        &mut text,
        "f filter, s search, o sort, g group, a aggregate, x export, m match, r reveal, w written by an action",
    );
    line(&mut text, "> reference, = computed from other columns, ! outlet, ~ of what is seen");
    line(&mut text, "? another sight or use for a purpose, listed below the columns");
    line(&mut text, "A pair with nothing in a block is left out of it.");
    for (&pair, (role, reach)) in policy.table.pairs().iter().zip(heads) {
        let chinese =
            policy.roles.get(pair.role).map(|role| role.chinese.as_str()).unwrap_or_default();
        line(&mut text, &format!("{role:<4} {reach:<4}  {} {chinese}", policy.roles.words(pair)));
    }
    text
}

fn grid(
    text: &mut String,
    title: &str,
    heads: &[(String, String)],
    rows: &[(String, Vec<String>)],
) {
    let width = |column: usize| {
        rows.iter()
            .filter_map(|(_, cells)| cells.get(column))
            .map(String::len)
            .max()
            .unwrap_or(0)
            .max(4)
    };
    let used = |column: &usize| {
        rows.iter().any(|(_, cells)| cells.get(*column).is_some_and(|cell| cell != "."))
    };
    let columns: Vec<(usize, usize)> =
        (0..heads.len()).filter(used).map(|column| (column, width(column))).collect();
    let names = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut row = |name: &str, cell: &dyn Fn(usize) -> String| {
        let mut out = format!("{name:<names$}");
        for &(column, width) in &columns {
            let _ = write!(out, " {:<width$}", cell(column));
        }
        line(text, out.trim_end());
    };
    row("", &|_| String::new());
    row(&format!("[{title}]"), &|column| {
        heads.get(column).map(|(role, _)| role.clone()).unwrap_or_default()
    });
    row("", &|column| heads.get(column).map(|(_, reach)| reach.clone()).unwrap_or_default());
    for (name, cells) in rows {
        row(name, &|column| cells.get(column).cloned().unwrap_or_default());
    }
}

fn line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}
