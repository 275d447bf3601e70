//! Accounts and grants that a person answers for: whoever gives, ends or looks through roles at a place, or reads its
//! audit log, is told by login who holds what there. On these the twins agree, and on where the pupils are whose lines
//! an auditor reads; what lies beyond the place differs as everything does.

use std::collections::HashSet;

use uuid::Uuid;
use xueji::access::table::Pair;

use crate::support::app::App;
use crate::support::callers::{Held, Person};
use crate::support::oracle::{covers_class, covers_organisation, covers_student};
use crate::support::truth::{Row, Truth};
use xueji::access::caller::Place;
use xueji::access::table::Reach;

/// The acts whose callers are told of accounts, grants and lines within their places.
const ACTS: [&str; 5] = ["grant.give", "grant.end", "grant.approve", "grant.confirm", "audit.read"];

/// What a person answers for.
pub(super) struct Answered<'t> {
    truth: &'t Truth,
    held: Vec<Held>,
    staff: HashSet<Uuid>,
    accounts: HashSet<Uuid>,
}

impl<'t> Answered<'t> {
    pub(super) fn of(app: &App, truth: &'t Truth, person: &Person<'_>) -> Self {
        let policy = app.policy();
        let acts = ACTS.map(|act| policy.actions.id(act).unwrap());
        let told = |held: &&Held| {
            let pair = Pair { role: policy.roles.id(&held.role).unwrap(), reach: held.reach };
            acts.iter().any(|act| policy.actions.may(&[pair], *act).is_some())
        };
        let held = person.holding().filter(told).cloned().collect();
        let mut all = Self { truth, held, staff: HashSet::new(), accounts: HashSet::new() };
        let ids = |noun: &str, theirs: &dyn Fn(&Row) -> bool| -> Vec<Uuid> {
            truth
                .of_noun(noun)
                .map(|(_, row)| row)
                .filter(|row| theirs(row))
                .map(|row| row.id)
                .collect()
        };
        all.staff = ids("staff", &|row| all.at(row)).into_iter().collect();
        let mut accounts = ids("account", &|row| {
            row.keys.get("staff_id").is_some_and(|id| all.staff.contains(id)) || all.at(row)
        });
        accounts.extend(
            truth
                .of_noun("access_grant")
                .filter(|(_, row)| all.at(row))
                .map(|(_, row)| row.keys["account_id"]),
        );
        all.accounts = accounts.into_iter().collect();
        all
    }

    /// Whether an authority stands under another.
    fn below(&self, id: Uuid, place: Uuid) -> bool {
        let mut organisations = self.truth.of_noun("organisation").map(|(_, row)| row);
        organisations.find(|row| row.id == id).is_some_and(|row| {
            let parent = row.keys.get("parent_id");
            parent.is_some_and(|parent| *parent == place || self.below(*parent, place))
        })
    }

    /// Whether a key of the row leads to a place of theirs.
    fn at(&self, row: &Row) -> bool {
        let key = |name: &str| row.keys.get(name).copied();
        let student = row.student.or(key("student_id"));
        self.held.iter().any(|held| {
            let organisation = |id: Uuid| match held.place {
                Place::Organisation(place) => {
                    covers_organisation(self.truth, held, place, id)
                        || (held.reach == Reach::Region && self.below(id, place))
                }
                _ => false,
            };
            held.reach == Reach::Anywhere
                || student.is_some_and(|id| covers_student(self.truth, held, id))
                || key("organisation_id").or(key("school_id")).is_some_and(organisation)
                || key("class_group_id").is_some_and(|id| covers_class(self.truth, held, id))
                || key("year_level_id").is_some_and(|level| {
                    let schools = self.truth.classes.values().filter(|(_, of)| *of == level);
                    schools.map(|(school, _)| *school).any(organisation)
                })
        })
    }

    /// Whether the person is told of the row, which then is the same in both: an account, what it holds, or what places
    /// whom it stands for.
    pub(super) fn contains(&self, row: &Row) -> bool {
        let key = |name: &str| row.keys.get(name);
        match row.noun.shape.name {
            "account" => self.accounts.contains(&row.id),
            "access_grant" | "access_review" => {
                key("account_id").is_some_and(|id| self.accounts.contains(id)) || self.at(row)
            }
            "staff" => self.staff.contains(&row.id),
            "duty" => key("staff_id").is_some_and(|id| self.staff.contains(id)),
            "student" => self.held.iter().any(|held| covers_student(self.truth, held, row.id)),
            "class_group" => self.held.iter().any(|held| covers_class(self.truth, held, row.id)),
            "enrollment" | "class_membership" | "guardianship" | "guardian" => self.at(row),
            _ => false,
        }
    }

    /// Whether the values of the row are told, not only that it is there.
    pub(super) fn names(&self, row: &Row) -> bool {
        ["account", "access_grant"].contains(&row.noun.shape.name) && self.contains(row)
    }
}
