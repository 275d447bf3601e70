//! The record of what one answer discloses: who saw which personal columns of which students in full.
//!
//! A disclosure is a personal column shown in full to anybody but the student and the guardians.
//! Every group but *organisation* is personal; counts, means and other figures are no disclosure, and
//! neither is the mere existence of a row. Reading this record itself is one for whoever can put a
//! pupil to it. Nothing here writes, and no value is held.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;
use xueji_entity::value::AccountId;

use super::caller::{Caller, Session};
use super::catalogue::Class;
use super::ledger::Disclosed;
use super::table::{Pair, Reach, Sight};
use super::view::{Noun, Registry};

/// What one answer disclosed (披露记录), before the database gives it a key and a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Who.
    pub account: AccountId,
    /// The request it answers.
    pub request_id: String,
    /// What it was asked for, a code of the policy.
    pub purpose: Option<String>,
    /// The version of the policy that decided.
    pub policy_version: String,
    /// What was seen of whom.
    pub parts: Vec<Part>,
}

/// The columns that one role showed of a set of students. It can be read without the policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The role, as the policy names it.
    pub role: String,
    /// The kind of place at which it is held.
    pub reach: String,
    /// The grants of that role and reach which held.
    pub grants: Vec<Uuid>,
    /// The policy lines that spoke: `student.csv:12,40 guardian.csv:7`.
    pub rules: String,
    /// The columns as the schema names them, separated by blanks.
    pub columns: String,
    /// The students, in order and each once.
    pub students: Vec<Uuid>,
}

impl Record {
    /// The record of a request; none when nothing was disclosed.
    pub fn of(caller: &Caller, disclosed: &[Disclosed]) -> Option<Self> {
        if disclosed.is_empty() {
            return None;
        }
        let session = &caller.session;
        Some(Self {
            account: caller.account(),
            request_id: caller.request_id.as_ref().to_owned(),
            purpose: caller.purpose.as_deref().map(ToOwned::to_owned),
            policy_version: session.policy.version.clone(),
            parts: disclosed.iter().map(|disclosed| Part::of(session, disclosed)).collect(),
        })
    }
}

impl Part {
    fn of(session: &Session, disclosed: &Disclosed) -> Self {
        let Pair { role, reach } = disclosed.pair;
        let mut lines: BTreeMap<&str, BTreeSet<u32>> = BTreeMap::new();
        let rules = disclosed.columns.values().flatten();
        for rule in rules.filter_map(|rule| session.table().rule(*rule)) {
            lines.entry(rule.file.as_str()).or_default().insert(rule.line);
        }
        let rules = lines.iter().map(|(file, lines)| {
            let lines: Vec<_> = lines.iter().map(u32::to_string).collect();
            format!("{file}:{}", lines.join(","))
        });
        let columns: Vec<_> = disclosed.columns.keys().map(String::as_str).collect();
        Self {
            role: session.policy.roles.get(role).map(|role| role.name.clone()).unwrap_or_default(),
            reach: reach.word().to_owned(),
            grants: session
                .grants
                .iter()
                .filter(|grant| grant.role == role && grant.reach == reach)
                .map(|grant| grant.id)
                .collect(),
            rules: rules.collect::<Vec<_>>().join(" "),
            columns: columns.join(" "),
            students: disclosed.students.clone(),
        }
    }
}

/// Whether a row of the noun tells of one student: it is the student, or hangs from one.
pub fn of_one_student(noun: &Noun) -> bool {
    noun.shape.hangs == super::view::Hangs::Student || noun.shape.hangs.of_student()
}

/// The record of disclosures, as a noun.
const LOG: &str = "disclosure";

/// Whether reading rows of the noun in full is put on record: they tell of one student. Of the record
/// itself that is so for whoever sees pupils. To an auditor, who sees none, it tells of nobody; a line
/// for each reading of the lines would make the record grow with being read, and never be read whole.
pub fn recorded(session: &Session, noun: &Noun, registry: &Registry) -> bool {
    let sees_pupils =
        || registry.get("student").is_some_and(|student| session.seeing(student) != 0);
    of_one_student(noun) && (noun.shape.name != LOG || sees_pupils())
}

/// Whether showing a field in full can be a disclosure: it is personal, or computed from what is.
pub fn personal(noun: &Noun, field: usize, registry: &Registry) -> bool {
    let shape = &noun.shape.fields[field];
    match shape.class {
        Class::Column | Class::Reference => shape.group.personal(),
        // An outlet speaks of many; what is computed of what was seen says no more than that.
        Class::Outlet | Class::Seen => false,
        Class::Derived(sources) => sources.iter().any(|source| {
            let found = source.split_once('.').and_then(|(noun, field)| {
                let noun = registry.get(noun)?;
                Some(&noun.shape.fields[noun.field(field)?])
            });
            // A source that is not found is taken for personal: the record says too much, never too little.
            found.is_none_or(|source| source.group.personal())
        }),
    }
}

/// The pair through which a field of rows with this cover is disclosed; none when it is not shown in
/// full, or when the family's own grants show it in full already.
pub fn through(session: &Session, cover: u64, field: u16) -> Option<Pair> {
    let plan = session.plan(cover);
    if plan.sight(field) != Sight::Full {
        return None;
    }
    let family = cover & family(session);
    if family != 0 && session.plan(family).sight(field) == Sight::Full {
        return None;
    }
    let showing = |wanted: bool| {
        session
            .held
            .iter()
            .enumerate()
            .filter(|(bit, _)| (cover & !family) & (1 << bit) != 0)
            .map(|(_, held)| held.pair)
            .find(|pair| {
                let cell = session.table().cell(*pair, field);
                cell.uses.sight() == Sight::Full && (!wanted || cell.rule == plan.rule(field))
            })
    };
    showing(true).or_else(|| showing(false))
}

/// The held pairs, as bits, that make their holder the student or a guardian.
fn family(session: &Session) -> u64 {
    session
        .held
        .iter()
        .enumerate()
        .filter(|(_, held)| matches!(held.pair.reach, Reach::Own | Reach::Ward))
        .fold(0, |bits, (bit, _)| bits | 1 << bit)
}
