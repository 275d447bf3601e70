//! What exists: every coordinate (noun and field) and every action that a policy must speak about.
//!
//! Static data, filled from the views; it never says who may see anything. The place of a coordinate
//! in the list is its field id, which the table, the plans and the SQL layer share.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::access::table::Reach;

/// The id of a coordinate: its place in [`Catalogue::coordinates`].
pub type FieldId = u16;

/// One shown field of one noun, as the policy names it: `student.id_number`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coordinate {
    /// The noun, which is also the name of the policy file: `student`.
    pub noun: &'static str,
    /// The field of the noun: `id_number`.
    pub field: &'static str,
    /// What kind of knowledge the field is.
    pub group: Group,
    /// Where the value comes from.
    pub class: Class,
    /// Encrypted in the database: equality through a keyed hash at most, never order, range or group.
    pub sealed: bool,
    /// A text, which a policy may show masked.
    pub text: bool,
    /// The name of the mask, for text.
    pub mask: Option<&'static str>,
}

impl Coordinate {
    /// The name in the policy: `student.id_number`.
    pub fn name(&self) -> String {
        format!("{}.{}", self.noun, self.field)
    }

    /// Whether the value has no order and no group that a query may use (promise 19).
    pub fn equality_only(&self) -> bool {
        self.sealed || self.group.equality_only()
    }
}

/// Sensitivity group of a coordinate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Group {
    /// What a class list holds: name, number in class.
    Directory,
    /// Birth, origin, nationality and the like.
    Demographic,
    /// Identity numbers, the student-status number (学籍号) included.
    Identity,
    /// Telephone and e-mail.
    Contact,
    /// Where somebody lives.
    Address,
    /// Relations and custody.
    Family,
    /// Health and disability.
    Health,
    /// Circumstances that call for care: left behind, orphan and the like.
    Welfare,
    /// Bank accounts.
    AccountNumber,
    /// Enrolment, classes and scores.
    Academic,
    /// Presence and absence.
    Attendance,
    /// Rewards and sanctions.
    Conduct,
    /// Hardship and aid.
    Aid,
    /// Quality evaluation.
    Evaluation,
    /// Free text about a person.
    Narrative,
    /// Who looked at a record, when, as what and why: about the student as much as about who looked.
    Trace,
    /// Not personal: names of schools, courses, terms.
    Organisation,
}

impl Group {
    /// Every group, in the order of the contract.
    pub const ALL: [Group; 17] = [
        Group::Directory,
        Group::Demographic,
        Group::Identity,
        Group::Contact,
        Group::Address,
        Group::Family,
        Group::Health,
        Group::Welfare,
        Group::AccountNumber,
        Group::Academic,
        Group::Attendance,
        Group::Conduct,
        Group::Aid,
        Group::Evaluation,
        Group::Narrative,
        Group::Trace,
        Group::Organisation,
    ];

    /// The word, in English and Chinese.
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            Group::Directory => ("directory", "名册信息"),
            Group::Demographic => ("demographic", "人口信息"),
            Group::Identity => ("identity", "身份标识"),
            Group::Contact => ("contact", "联系方式"),
            Group::Address => ("address", "住址"),
            Group::Family => ("family", "家庭关系"),
            Group::Health => ("health", "健康"),
            Group::Welfare => ("welfare", "关爱情况"),
            Group::AccountNumber => ("account_number", "银行账号"),
            Group::Academic => ("academic", "学业"),
            Group::Attendance => ("attendance", "考勤"),
            Group::Conduct => ("conduct", "奖惩"),
            Group::Aid => ("aid", "资助"),
            Group::Evaluation => ("evaluation", "综合素质评价"),
            Group::Narrative => ("narrative", "文字说明"),
            Group::Trace => ("trace", "访问记录"),
            Group::Organisation => ("organisation", "非个人信息"),
        }
    }

    /// Whether values of the group are encrypted and known by equality alone (promise 19).
    pub fn equality_only(self) -> bool {
        matches!(self, Group::Identity | Group::Contact | Group::Address | Group::AccountNumber)
    }

    /// Whether the group is about a person.
    pub fn personal(self) -> bool {
        self != Group::Organisation
    }
}

/// Where the value of a coordinate comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// A stored column.
    Column,
    /// A foreign key: it governs the relation.
    Reference,
    /// Computed from the named coordinates; its cells are the strictest among theirs and it has no line.
    Derived(&'static [&'static str]),
    /// Computed, and one of the outlets that must speak of hidden values by nature; it has its own lines.
    Outlet,
    /// Computed from what the caller sees in full of the row and from nothing else; it has its own lines.
    Seen,
}

impl Class {
    /// Whether the value is stored, so that seeing it means seeing a row.
    pub fn stored(self) -> bool {
        matches!(self, Class::Column | Class::Reference)
    }
}

/// Everything a policy must cover.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalogue {
    /// The coordinates in the order of their field ids.
    pub coordinates: Vec<Coordinate>,
    /// The actions in the order of their action ids: `attendance.record`.
    pub actions: Vec<&'static str>,
    /// The reaches at which rows of a noun are covered; a noun that is not named is covered at all of them.
    pub reaches: BTreeMap<&'static str, Vec<Reach>>,
}

impl Catalogue {
    /// The nouns in the order of their first coordinate; the place is the noun id.
    pub fn nouns(&self) -> Vec<&'static str> {
        let mut nouns = Vec::new();
        for coordinate in &self.coordinates {
            if !nouns.contains(&coordinate.noun) {
                nouns.push(coordinate.noun);
            }
        }
        nouns
    }

    /// The coordinate names with their field ids.
    pub fn index(&self) -> HashMap<String, FieldId> {
        (0..).zip(&self.coordinates).map(|(id, coordinate)| (coordinate.name(), id)).collect()
    }

    /// What is wrong with the catalogue itself, in words; empty when it may be compiled.
    pub fn problems(&self) -> Vec<String> {
        let mut found = Vec::new();
        if self.coordinates.len() >= usize::from(FieldId::MAX) {
            found.push("the catalogue has more coordinates than there are field ids".to_owned());
        }
        let mut seen = BTreeSet::new();
        for coordinate in &self.coordinates {
            if !seen.insert(coordinate.name()) {
                found.push(format!("the catalogue lists {} twice", coordinate.name()));
            }
            if coordinate.text != coordinate.mask.is_some() {
                found.push(format!(
                    "the catalogue must give {} a mask exactly when it is text",
                    coordinate.name()
                ));
            }
        }
        for action in &self.actions {
            if !seen.insert((*action).to_owned()) {
                found.push(format!("the catalogue lists {action} twice"));
            }
        }
        let index = self.index();
        for coordinate in &self.coordinates {
            let Class::Derived(sources) = coordinate.class else {
                continue;
            };
            if sources.is_empty() {
                found.push(format!("the derived {} names no source", coordinate.name()));
            }
            for source in sources {
                let stored = index
                    .get(*source)
                    .and_then(|&id| self.coordinates.get(usize::from(id)))
                    .is_some_and(|source| source.class.stored());
                if !stored {
                    found.push(format!(
                        "the derived {} names {source}, which is no stored coordinate",
                        coordinate.name()
                    ));
                }
            }
        }
        found
    }
}
