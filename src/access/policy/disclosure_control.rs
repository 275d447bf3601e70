//! How figures are told to those who may not read the rows (promise 12): `disclosure_control.csv`
//! says it for each role, `tables.csv` names the tables that are published.
//!
//! It reads and checks those two files; what may be counted at all stands in the noun files.

use crate::access::policy::Problem;
use crate::access::policy::roles::Roles;
use crate::access::policy::source::Source;
use crate::access::table::{Pair, Reach, RoleId, Table};

/// The file of the ways.
pub(super) const FILE: &str = "disclosure_control.csv";
/// The file of the declared tables.
pub(super) const TABLES: &str = "tables.csv";

/// No threshold is lower.
const LOWEST: i64 = 5;
/// The threshold of a policy without protected roles.
const USUAL: i64 = 10;
/// The most dimensions of a declared table: the cells of all tables are protected together.
const MOST_DIMENSIONS: usize = 3;

/// How a role gets figures over rows that it may not read. Over rows that it reads they are exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// Not at all: exact figures over what is read, or none.
    Exact,
    /// From declared tables, published with a snapshot.
    Suppress,
    /// By free questions to the newest snapshot, with small errors; declared tables as well.
    Perturb,
}

impl Way {
    const ALL: [(Way, &'static str); 3] =
        [(Way::Exact, "exact"), (Way::Suppress, "suppress"), (Way::Perturb, "perturb")];
}

/// What a declared table adds up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Distinct students.
    Students,
    /// Money granted, in fen.
    AidAmount,
}

/// What a declared table is broken down by, besides the place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dimension {
    /// The stage.
    Stage,
    /// The gender.
    Gender,
    /// The ethnic group.
    EthnicGroup,
    /// Left behind by parents who work elsewhere.
    LeftBehind,
    /// Day pupil or boarder.
    Boarding,
    /// The state of the enrolment.
    Status,
    /// The programme of aid.
    Programme,
}

impl Dimension {
    const ALL: [(Dimension, &'static str); 7] = [
        (Dimension::Stage, "stage"),
        (Dimension::Gender, "gender"),
        (Dimension::EthnicGroup, "ethnic_group"),
        (Dimension::LeftBehind, "left_behind"),
        (Dimension::Boarding, "boarding"),
        (Dimension::Status, "status"),
        (Dimension::Programme, "programme"),
    ];

    /// The word in the policy.
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(known, _)| *known == self).map_or("", |(_, word)| word)
    }
}

/// A table that is published with each snapshot, for the whole registry, each county and each school.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// The name in the policy and in questions.
    pub name: String,
    /// The Chinese name.
    pub chinese: String,
    /// What it adds up.
    pub measure: Measure,
    /// What it is broken down by.
    pub by: Vec<Dimension>,
}

/// The ways of all roles, the threshold, and the declared tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisclosureControl {
    ways: Vec<(Pair, Way)>,
    /// The fewest students that a protected figure may stand for. One for all roles: what one role
    /// is told and another is not would give away the counts between two thresholds.
    pub threshold: i64,
    /// The tables.
    pub tables: Vec<Declared>,
}

impl Default for DisclosureControl {
    fn default() -> Self {
        Self { ways: Vec::new(), threshold: USUAL, tables: Vec::new() }
    }
}

impl DisclosureControl {
    /// The way of a pair; what no line speaks of is exact or nothing.
    pub fn way(&self, pair: Pair) -> Way {
        self.line(pair).unwrap_or(Way::Exact)
    }

    fn line(&self, pair: Pair) -> Option<Way> {
        self.ways.iter().find(|(known, _)| *known == pair).map(|(_, way)| *way)
    }

    /// Reads both files; what is wrong is added to the problems.
    pub(super) fn read(source: &Source, roles: &Roles, problems: &mut Vec<Problem>) -> Self {
        let mut read = Self::default();
        let mut threshold = None;
        for line in source.lines(FILE) {
            let outcome = read.way_line(&line.cells, roles).and_then(|given| {
                let Some(given) = given else { return Ok(()) };
                match threshold.replace(given) {
                    Some(other) if other != given => Err(format!(
                        "the threshold is {other} above; one for all roles, or the counts between the two are told"
                    )),
                    _ => Ok(()),
                }
            });
            problems.extend(outcome.err().map(|why| Problem::line(FILE, line.number, why)));
        }
        read.threshold = threshold.unwrap_or(USUAL);
        for line in source.lines(TABLES) {
            let outcome = read.table_line(&line.cells);
            problems.extend(outcome.err().map(|why| Problem::line(TABLES, line.number, why)));
        }
        // What a role inherits, it gets in the same way.
        for pair in roles.pairs() {
            if read.line(pair).is_none()
                && let Some(way) = read.inherited(pair, roles)
            {
                read.ways.push((pair, way));
            }
        }
        read
    }

    fn inherited(&self, pair: Pair, roles: &Roles) -> Option<Way> {
        let mut parents: Vec<RoleId> = roles.get(pair.role)?.inherits.clone();
        while let Some(role) = parents.pop() {
            if let Some(way) = self.line(Pair { role, reach: pair.reach }) {
                return Some(way);
            }
            parents.extend(roles.get(role).into_iter().flat_map(|role| role.inherits.clone()));
        }
        None
    }

    /// The threshold of a line, where it has one.
    fn way_line(&mut self, cells: &[&str], roles: &Roles) -> Result<Option<i64>, String> {
        let (role, reach, way, threshold) = match cells {
            ["d", role, reach, way] => (*role, *reach, *way, None),
            ["d", role, reach, way, threshold] => (*role, *reach, *way, Some(*threshold)),
            _ => return Err("is not `d, role, reach, way, threshold`".to_owned()),
        };
        let id = roles.id(role).ok_or_else(|| format!("there is no role {role}"))?;
        let held = Reach::from_word(reach)
            .filter(|reach| roles.get(id).is_some_and(|role| role.reaches.contains(reach)))
            .ok_or_else(|| format!("{role} may not be held at {reach}"))?;
        let pair = Pair { role: id, reach: held };
        if self.line(pair).is_some() {
            return Err(format!("a line above already speaks of {role} at {reach}"));
        }
        let way = Way::ALL
            .iter()
            .find_map(|(known, word)| (*word == way).then_some(*known))
            .ok_or_else(|| format!("`{way}` is no way; a way is exact, suppress or perturb"))?;
        let threshold = match (way, threshold) {
            (Way::Exact, None) => None,
            (Way::Exact, Some(_)) => {
                return Err("exact figures have no threshold; delete it".to_owned());
            }
            (Way::Suppress | Way::Perturb, None) => {
                return Err(format!("needs a threshold, {LOWEST} or more"));
            }
            (Way::Suppress | Way::Perturb, Some(text)) => {
                if !matches!(held, Reach::School | Reach::Region) {
                    return Err(format!(
                        "a snapshot knows schools and regions, not the reach {reach}"
                    ));
                }
                let number: i64 = text
                    .parse()
                    .map_err(|_detail| format!("`{text}` is no threshold; write a number"))?;
                if number < LOWEST {
                    return Err(format!("a threshold is never under {LOWEST}"));
                }
                Some(number)
            }
        };
        self.ways.push((pair, way));
        Ok(threshold)
    }

    fn table_line(&mut self, cells: &[&str]) -> Result<(), String> {
        let ["t", name, chinese, measure, by] = cells else {
            return Err("is not `t, name, Chinese name, measure, dimensions`".to_owned());
        };
        let plain = |of: char| of.is_ascii_lowercase() || of.is_ascii_digit() || of == '_';
        if name.is_empty() || !name.chars().all(plain) {
            return Err(format!(
                "`{name}` is no name of a table; write small letters, digits and _"
            ));
        }
        if chinese.is_empty() {
            return Err(format!("the table {name} has no Chinese name"));
        }
        if self.tables.iter().any(|table| table.name == *name) {
            return Err(format!("the table {name} is already declared above"));
        }
        let measure = match *measure {
            "students" => Measure::Students,
            "aid_amount" => Measure::AidAmount,
            other => {
                return Err(format!(
                    "`{other}` is no measure; a table adds up students or aid_amount"
                ));
            }
        };
        let mut dimensions = Vec::new();
        for word in by.split_whitespace() {
            let dimension = Dimension::ALL
                .iter()
                .find_map(|(known, name)| (*name == word).then_some(*known))
                .filter(|known| (measure == Measure::AidAmount) == (*known == Dimension::Programme))
                .ok_or_else(|| format!("`{word}` is no dimension of this measure"))?;
            if dimensions.contains(&dimension) {
                return Err(format!("{word} is named twice"));
            }
            dimensions.push(dimension);
        }
        if dimensions.len() > MOST_DIMENSIONS {
            return Err(format!("a table has at most {MOST_DIMENSIONS} dimensions"));
        }
        self.tables.push(Declared {
            name: (*name).to_owned(),
            chinese: (*chinese).to_owned(),
            measure,
            by: dimensions,
        });
        Ok(())
    }

    /// Every pair that may count and of which no line speaks.
    pub(super) fn uncovered(&self, table: &Table, roles: &Roles) -> Vec<Problem> {
        let counts =
            |pair: &Pair| (0..).take(table.nouns().len()).any(|noun| table.aggregates(*pair, noun));
        table
            .pairs()
            .iter()
            .filter(|pair| counts(pair) && self.line(**pair).is_none())
            .map(|pair| {
                let words = roles.words(*pair);
                let why = format!(
                    "no line speaks of {words}, which may count; say how: `d, {}, exact`, or suppress or perturb with a threshold",
                    words.replace('/', ", ")
                );
                Problem::file(FILE, why)
            })
            .collect()
    }
}
