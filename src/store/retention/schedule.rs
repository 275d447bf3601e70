//! The table of periods: read from a file, judged before anything else is done with it.
//!
//! Every table that holds rows of a student belongs to a class, no class is kept for less than the law asks, and what is
//! archived is never destroyed by this program. The shipped table is `policies/retention/schedule.csv`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const SHIPPED: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/policies/retention/schedule.csv"));

/// Tables that hold rows of a student, with the day from which a record's own period may run, and the columns that may
/// be emptied while the row stays.
const TABLES: &[(&str, Option<&str>, &[&str])] = &[
    ("student", None, STUDENT),
    ("enrollment", Some("ended_on"), &[]),
    ("class_membership", None, &[]),
    ("identity_document", None, &[]),
    ("student_number", None, &[]),
    ("archive", None, &[]),
    ("archive_item", Some("dated_on"), &[]),
    ("score", None, &[]),
    ("reward", Some("awarded_on"), &["reason"]),
    ("sanction", Some("imposed_on"), &[]),
    ("aid_grant", Some("granted_on"), &["bank_account", "degree", "cause"]),
    ("attendance", Some("day"), &["note"]),
    ("guardian", None, GUARDIAN),
    ("guardianship", None, &[]),
    ("access_review", None, &[]),
    ("account", None, &[]),
    ("access_grant", None, &[]),
    ("audit", None, &[]),
    ("disclosure_entry", None, &[]),
    ("disclosure_set", None, &[]),
    ("destruction_item", None, &[]),
    ("legal_hold", None, &[]),
    ("restriction", None, &[]),
    ("history", None, &[]),
    ("lookup_key", None, &[]),
    ("student_key", None, &[]),
    ("outbox", None, &[]),
];

const STUDENT: &[&str] = &[
    "current_address",
    "mailing_address",
    "home_address",
    "phone",
    "postal_code",
    "email",
    "distance_m",
    "transport",
    "talents",
    "blood_group",
    "disability",
    "political_status",
];
const GUARDIAN: &[&str] = &[
    "phone",
    "current_address",
    "workplace",
    "job_title",
    "id_number",
    "household_place",
    "relation_note",
    "ethnic_group",
];

/// Archive content: only the archive authority gives it away, so it is permanent here (RET-06).
const PERMANENT: &[&str] = &[
    "student",
    "enrollment",
    "class_membership",
    "identity_document",
    "student_number",
    "archive",
    "archive_item",
    "score",
    "reward",
    "account",
    "access_grant",
];
/// The fewest years by law.
const FLOORS: &[(&str, u32)] = &[
    ("access_review", 3),
    ("audit", 1),
    ("disclosure_entry", 1),
    ("disclosure_set", 1),
    ("destruction_item", 3),
    ("legal_hold", 3),
    ("restriction", 3),
];
/// What only the machinery takes away, and how.
const MACHINERY: &[(&str, End)] = &[
    ("audit", End::Logs),
    ("disclosure_entry", End::Logs),
    ("disclosure_set", End::Logs),
    ("destruction_item", End::Logs),
    ("legal_hold", End::Logs),
    ("restriction", End::Logs),
    ("history", End::With),
    ("lookup_key", End::With),
    ("student_key", End::With),
    ("outbox", End::Machine),
];
/// The longest period that is a number of years.
const LONGEST: u32 = 100;

/// When a period begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// The last day of the last enrolment.
    Left,
    /// The same, of students who finished.
    Graduated,
    /// The end of the school year in which the record's day lies.
    SchoolYear,
    /// The record's day.
    Made,
}

/// What happens when a period has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Nothing: it stays for good.
    Archive,
    /// It is appraised, approved and destroyed.
    Destroy,
    /// Whole sealed partitions of a log are dropped.
    Logs,
    /// It goes with the rows that it hangs from.
    With,
    /// The program forgets it by itself.
    Machine,
}

/// A table, or some of its columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The table.
    pub table: &'static str,
    /// The columns that are emptied; none where the row goes.
    pub columns: Vec<&'static str>,
    /// The column with the record's day.
    pub day: Option<&'static str>,
}

impl Target {
    /// The columns as lists and tombstones name them.
    pub fn told(&self) -> String {
        self.columns.join(" ")
    }
}

/// A class of records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Class {
    /// Its code.
    pub code: String,
    /// Its Chinese term.
    pub term: String,
    /// What it covers; tables in the order in which rows go.
    pub targets: Vec<Target>,
    /// When the period begins.
    pub trigger: Trigger,
    /// The period in years; none is permanent.
    pub years: Option<u32>,
    /// What happens then.
    pub end: End,
    /// Where the period is from.
    pub source: String,
}

impl Class {
    /// The period, where rows of this class are ever due.
    pub fn period(&self) -> Option<u32> {
        self.years.filter(|_| self.end == End::Destroy)
    }
}

/// The table of periods.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    /// The classes, in the order of the file.
    pub classes: Vec<Class>,
}

/// What is wrong with a table of periods, line by line.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct Faults(pub Vec<String>);

impl Schedule {
    /// The shipped table; a test reads it, so this cannot fail later.
    pub fn shipped() -> Self {
        Self::parse("schedule.csv", SHIPPED).unwrap_or_default()
    }

    /// Reads and judges a file.
    pub fn read(path: &Path) -> Result<Self, Faults> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|error| Faults(vec![format!("{name} cannot be read: {}", error.kind())]))?;
        Self::parse(&name, &text)
    }

    /// The class with this code.
    pub fn class(&self, code: &str) -> Option<&Class> {
        self.classes.iter().find(|class| class.code == code)
    }

    /// Reads and judges a text.
    pub fn parse(name: &str, text: &str) -> Result<Self, Faults> {
        let (mut classes, mut faults) = (Vec::<Class>::new(), Vec::new());
        let mut covered: BTreeMap<&'static str, BTreeSet<&'static str>> = BTreeMap::new();
        for (number, line) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            match class(line) {
                Ok(class) => {
                    let mut said: Vec<String> = judged(&class);
                    if classes.iter().any(|known| known.code == class.code) {
                        said.push(format!("the class {} stands here twice", class.code));
                    }
                    for target in &class.targets {
                        let known = covered.entry(target.table).or_default();
                        let parts: Vec<&'static str> = if target.columns.is_empty() {
                            vec![""]
                        } else {
                            target.columns.clone()
                        };
                        for part in parts {
                            if !known.insert(part) {
                                said.push(format!(
                                    "{} is covered twice",
                                    named(target.table, part)
                                ));
                            }
                        }
                    }
                    faults.extend(said.into_iter().map(|what| format!("{name}:{number}: {what}")));
                    classes.push(class);
                }
                Err(what) => faults.push(format!("{name}:{number}: {what}")),
            }
        }
        for (table, ..) in TABLES {
            if !covered.get(table).is_some_and(|parts| parts.contains("")) {
                faults.push(format!(
                    "{name}: the table {table} holds rows of students and has no class"
                ));
            }
        }
        if faults.is_empty() { Ok(Self { classes }) } else { Err(Faults(faults)) }
    }

    /// The tables that must have a class.
    pub fn tables() -> impl Iterator<Item = &'static str> {
        TABLES.iter().map(|(table, ..)| *table)
    }
}

fn named(table: &str, column: &str) -> String {
    if column.is_empty() { table.to_owned() } else { format!("{table}.{column}") }
}

fn class(line: &str) -> Result<Class, String> {
    let cells: Vec<&str> = line.splitn(8, ',').map(str::trim).collect();
    let ["k", code, term, covers, trigger, period, end, source] = cells.as_slice() else {
        return Err(
            "a line is: k, class, Chinese term, what it covers, trigger, years or permanent, end, source"
                .to_owned(),
        );
    };
    let plain = |c: char| c.is_ascii_lowercase() || c == '_';
    if code.is_empty() || !code.chars().all(plain) {
        return Err("a class is named in small letters and _".to_owned());
    }
    if term.is_empty() {
        return Err("the Chinese term is missing".to_owned());
    }
    let trigger = match *trigger {
        "left" => Trigger::Left,
        "graduated" => Trigger::Graduated,
        "school_year" => Trigger::SchoolYear,
        "made" => Trigger::Made,
        _ => return Err("a period begins with left, graduated, school_year or made".to_owned()),
    };
    let end = match *end {
        "archive" => End::Archive,
        "destroy" => End::Destroy,
        "logs" => End::Logs,
        "with" => End::With,
        "machine" => End::Machine,
        _ => return Err("a period ends with archive, destroy, logs, with or machine".to_owned()),
    };
    let years = match *period {
        "permanent" => None,
        years => match years.parse::<u32>() {
            Ok(years) if (1..=LONGEST).contains(&years) => Some(years),
            Ok(_) | Err(_) => return Err("a period is permanent or 1 to 100 years".to_owned()),
        },
    };
    Ok(Class {
        code: (*code).to_owned(),
        term: (*term).to_owned(),
        targets: targets(covers)?,
        trigger,
        years,
        end,
        source: (*source).to_owned(),
    })
}

fn targets(covers: &str) -> Result<Vec<Target>, String> {
    let mut targets: Vec<Target> = Vec::new();
    for one in covers.split_whitespace() {
        let (table, column) = one.split_once('.').unwrap_or((one, ""));
        let Some((table, day, columns)) = TABLES.iter().find(|(known, ..)| *known == table) else {
            return Err(format!("there is no table {table} with rows of students"));
        };
        let column = match column {
            "" => None,
            name => match columns.iter().find(|known| **known == name) {
                Some(known) => Some(*known),
                None => return Err(format!("{table}.{name} cannot be emptied by itself")),
            },
        };
        match (column, targets.iter_mut().find(|known| known.table == *table)) {
            (Some(column), Some(known)) if !known.columns.is_empty() => known.columns.push(column),
            (_, Some(_)) => return Err(format!("{table} stands here twice")),
            (column, None) => {
                targets.push(Target { table, columns: column.into_iter().collect(), day: *day });
            }
        }
    }
    if targets.is_empty() { Err("it covers nothing".to_owned()) } else { Ok(targets) }
}

/// What the law and the machinery have against a class.
fn judged(class: &Class) -> Vec<String> {
    let mut said = Vec::new();
    for target in &class.targets {
        let table = target.table;
        let whole = target.columns.is_empty();
        if whole
            && PERMANENT.contains(&table)
            && (class.years.is_some() || class.end != End::Archive)
        {
            said.push(format!(
                "{table} is archive content: it is permanent, and destroyed under state archive rules alone"
            ));
        }
        let floor = FLOORS.iter().find(|(known, _)| *known == table);
        if let (Some((_, floor)), Some(years)) = (floor, class.years)
            && years < *floor
        {
            said.push(format!("{table} is kept for {floor} years at least"));
        }
        match MACHINERY.iter().find(|(known, _)| *known == table) {
            Some((_, end)) if *end != class.end => {
                said.push(format!("{table} does not end so: see the shipped schedule"));
            }
            None if !matches!(class.end, End::Archive | End::Destroy) => {
                said.push(format!("{table} ends with archive or destroy"));
            }
            Some(_) | None => {}
        }
        let own = matches!(class.trigger, Trigger::SchoolYear | Trigger::Made);
        if own && class.end == End::Destroy && target.day.is_none() {
            said.push(format!(
                "{table} has no day of its own: its period begins with left or graduated"
            ));
        }
    }
    if class.end == End::Destroy && class.years.is_none() {
        said.push("what is destroyed has a period in years".to_owned());
    }
    if class.end == End::Archive && class.years.is_some() {
        said.push("what is archived is permanent".to_owned());
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_schedule_covers_every_table_and_has_no_fault() {
        let shipped = Schedule::parse("schedule.csv", SHIPPED).unwrap();
        assert_eq!(shipped, Schedule::shipped());
        let due: Vec<_> = shipped
            .classes
            .iter()
            .filter(|class| class.period().is_some())
            .map(|class| class.code.as_str())
            .collect();
        assert_eq!(
            due,
            ["sanctions", "aid", "aid_account", "attendance", "contact", "family", "opened"]
        );
    }

    #[test]
    fn a_schedule_with_a_fault_is_refused_by_line() {
        let with = |from: &str, to: &str| {
            assert!(SHIPPED.contains(from), "{from}");
            Schedule::parse("s.csv", &SHIPPED.replacen(from, to, 1)).unwrap_err().to_string()
        };
        for (from, to, said) in [
            (
                "k, attendance, 考勤, attendance,",
                "k, attendance, 考勤, attendence,",
                "no table attendence",
            ),
            (
                "k, attendance, 考勤, attendance, left, 1",
                "k, attendance, 考勤, attendance, left, 0",
                "1 to 100",
            ),
            (
                "k, attendance, 考勤, attendance, left",
                "k, attendance, 考勤, attendance, birthday",
                "begins with",
            ),
            ("score, left, permanent, archive", "score, left, 50, destroy", "archive content"),
            ("access_review, left, 3", "access_review, left, 2", "3 years at least"),
            ("k, sanctions,", "k, aid,", "stands here twice"),
            ("aid_grant.bank_account,", "aid_grant.amount,", "cannot be emptied"),
            (
                "sanction, left, 30, destroy",
                "sanction, left, permanent, destroy",
                "period in years",
            ),
            (
                "history lookup_key student_key, left, permanent, with",
                "history lookup_key student_key, left, permanent, archive",
                "does not end so",
            ),
            ("guardianship guardian, left", "guardianship guardian, made", "no day of its own"),
        ] {
            let faults = with(from, to);
            assert!(faults.contains(said), "{said} in: {faults}");
            assert!(faults.contains("s.csv:"), "{faults}");
        }
        let without = SHIPPED.lines().filter(|line| !line.starts_with("k, attendance,"));
        let without: Vec<_> = without.collect();
        let faults = Schedule::parse("s.csv", &without.join("\n")).unwrap_err().to_string();
        assert!(faults.contains("the table attendance holds rows of students"), "{faults}");
    }
}
