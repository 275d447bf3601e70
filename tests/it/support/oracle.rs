//! What a person may be told, worked out row by row and grant by grant in the plainest way: the other side of the
//! comparison with what the application tells.

use std::collections::BTreeSet;

use serde_json::Value;
use uuid::Uuid;
use xueji::access::caller::Place;
use xueji::access::catalogue::Class;
use xueji::access::policy::Policy;
use xueji::access::table::{Pair, Reach, Sight, Uses};
use xueji::access::view::{Hangs, Kind, Member, Noun};
use xueji::graphql::REGISTRY;

use super::app::{App, today};
use super::callers::{Held, Person};
use super::truth::{Row, Truth};

/// What one person may be told about one database.
pub(crate) struct Oracle<'a> {
    policy: &'a Policy,
    truth: &'a Truth,
    held: Vec<(Pair, &'a Held)>,
    /// The account, where it is known: who has not asked yet has given nothing.
    account: Option<Uuid>,
}

impl<'a> Oracle<'a> {
    /// For a person.
    pub(crate) fn of(app: &'a App, truth: &'a Truth, person: &'a Person<'_>) -> Self {
        Self::under(app.policy(), truth, person)
    }

    /// For a person, had this policy been in force.
    pub(crate) fn under(policy: &'a Policy, truth: &'a Truth, person: &'a Person<'_>) -> Self {
        let held = person
            .holding()
            .map(|held| {
                let role = policy.roles.id(&held.role).unwrap_or_else(|| panic!("{}", held.role));
                (Pair { role, reach: held.reach }, held)
            })
            .collect();
        Self { policy, truth, held, account: person.known() }
    }

    /// The pairs that cover a row.
    fn covering(&self, row: &Row) -> Vec<Pair> {
        let mut pairs: Vec<Pair> = self
            .held
            .iter()
            .filter(|(_, held)| covers(self.truth, held, self.account, row))
            .map(|(pair, _)| *pair)
            .collect();
        if matches!(row.noun.shape.hangs, Hangs::Open | Hangs::Exam) {
            pairs.push(Pair::ANYONE);
        }
        pairs
    }

    /// Whether the row exists for the person.
    pub(crate) fn visible(&self, row: &Row) -> bool {
        let noun = row.noun.noun_id();
        let gone = row.student.is_some_and(|student| self.truth.gone.contains(&student));
        row.live
            && !gone
            && self.covering(row).iter().any(|pair| self.policy.table.rows(*pair, noun))
    }

    /// Whether any row of the noun can exist for the person.
    pub(crate) fn sees_noun(&self, noun: &Noun) -> bool {
        let mut pairs = self.held.iter().map(|(pair, _)| *pair).chain([Pair::ANYONE]);
        pairs.any(|pair| self.policy.table.rows(pair, noun.noun_id()))
    }

    /// What the person sees of a field of the row.
    pub(crate) fn sight(&self, row: &Row, field: usize) -> Sight {
        let id = row.noun.id(field);
        self.covering(row)
            .iter()
            .map(|pair| self.policy.table.cell(*pair, id).uses.sight())
            .max()
            .unwrap_or(Sight::Hidden)
    }

    /// Whether one pair of role and reach that covers the row lets the person use a field of it in all of these ways.
    /// What one pair shows and another lets be searched is not put together.
    pub(crate) fn may(&self, row: &Row, field: usize, uses: Uses) -> bool {
        let noun = row.noun;
        self.visible(row)
            && self.covering(row).iter().any(|pair| {
                self.policy.table.rows(*pair, noun.noun_id())
                    && self.policy.table.cell(*pair, noun.id(field)).uses.contains(uses)
            })
    }

    /// Whether some purpose of the policy would show more of a field of the row.
    pub(crate) fn needs_purpose(&self, row: &Row, field: usize) -> bool {
        let id = row.noun.id(field);
        let covering = self.covering(row);
        self.policy.purposes.iter().any(|(purpose, _)| {
            let table = self.policy.table_for(Some(purpose));
            let best = covering.iter().map(|pair| table.cell(*pair, id).uses.sight()).max();
            best > Some(self.sight(row, field))
        })
    }

    /// The global ids of the rows of a noun that exist for the person.
    pub(crate) fn visible_ids(&self, name: &str) -> BTreeSet<&'a str> {
        self.truth
            .of_noun(name)
            .filter(|(_, row)| self.visible(row))
            .map(|(id, _)| id.as_str())
            .collect()
    }

    /// The texts that must not reach the person: every personal text that no grant shows in full.
    pub(crate) fn forbidden_texts(&self) -> BTreeSet<&'a str> {
        let mut told = BTreeSet::new();
        let mut kept = BTreeSet::new();
        for row in self.truth.rows.values() {
            for (field, value) in &row.shown {
                let shape = &row.noun.shape.fields[*field];
                let text = matches!(shape.kind, Kind::Text(_) | Kind::Sealed { .. });
                if !text || !shape.group.personal() {
                    continue;
                }
                let Some(value) = value.as_str() else { continue };
                if self.visible(row) && self.sight(row, *field) == Sight::Full {
                    told.insert(value);
                } else {
                    kept.insert(value);
                }
            }
        }
        kept.difference(&told).copied().collect()
    }

    /// What an answer discloses: each student with each personal column shown in full through a grant that is not the
    /// family's, where the family's own grants do not show it in full anyway.
    pub(crate) fn disclosed(&self, data: &Value) -> BTreeSet<(Uuid, String)> {
        let mut found = BTreeSet::new();
        self.disclosed_in(data, &mut found);
        found
    }

    fn disclosed_in(&self, data: &Value, found: &mut BTreeSet<(Uuid, String)>) {
        match data {
            Value::Array(items) => items.iter().for_each(|item| self.disclosed_in(item, found)),
            Value::Object(fields) => {
                if let Some(row) =
                    fields.get("id").and_then(Value::as_str).and_then(|id| self.truth.rows.get(id))
                {
                    let names = fields.keys().filter_map(|name| self.discloses(row, name));
                    found.extend(names.map(|name| (row.student.unwrap_or(row.id), name)));
                }
                fields.values().for_each(|value| self.disclosed_in(value, found));
            }
            _ => {}
        }
    }

    /// The coordinate of a member of a row that is disclosed.
    fn discloses(&self, row: &Row, member: &str) -> Option<String> {
        let noun = row.noun;
        let of_student = noun.shape.hangs == Hangs::Student || noun.shape.hangs.of_student();
        let field = match noun.member(member)? {
            Member::Field(field) => field,
            Member::Relation(relation) => noun.field(noun.shape.relations[relation].key?)?,
        };
        let shape = &noun.shape.fields[field];
        let figure = matches!(shape.class, Class::Outlet);
        // The record itself tells of somebody to those who see pupils.
        let student = REGISTRY.get("student").unwrap();
        let nobodys = noun.shape.name == "disclosure" && !self.sees_noun(student);
        if !of_student || !shape.group.personal() || nobodys || figure {
            return None;
        }
        let id = noun.id(field);
        let full = |pair: &Pair| self.policy.table.cell(*pair, id).uses.sight() == Sight::Full;
        let covering = self.covering(row);
        let family = |pair: &Pair| matches!(pair.reach, Reach::Own | Reach::Ward);
        let disclosed =
            covering.iter().any(full) && !covering.iter().filter(|pair| family(pair)).any(full);
        disclosed.then(|| format!("{}.{member}", noun.shape.type_name))
    }

    /// Compares an answer with what may be told; returns how many values in full it found.
    pub(crate) fn check(&self, data: &Value) -> usize {
        match data {
            Value::Array(items) => items.iter().map(|item| self.check(item)).sum(),
            Value::Object(fields) => {
                let mut found = 0;
                if let Some(id) = fields.get("id").and_then(Value::as_str)
                    && let Some(type_name) = fields.get("__typename").and_then(Value::as_str)
                    && type_name != "Viewer"
                {
                    found += self.check_row(id, data);
                }
                found + fields.values().map(|value| self.check(value)).sum::<usize>()
            }
            _ => 0,
        }
    }

    fn check_row(&self, id: &str, answer: &Value) -> usize {
        let row = self.truth.rows.get(id).unwrap_or_else(|| panic!("{answer} is in the database"));
        assert!(self.visible(row), "{} {id} is not theirs to see", row.noun.shape.name);
        let mut found = 0;
        for (name, value) in answer.as_object().unwrap() {
            let Some(member) = row.noun.member(name) else { continue };
            match member {
                Member::Field(field) => {
                    let coordinate = row.noun.coordinate(field);
                    let sight = self.sight(row, field);
                    match (sight, row.shown.get(&field)) {
                        (Sight::Hidden, _) => {
                            assert!(value.is_null(), "{coordinate} is hidden, not {value}");
                        }
                        // A computed value.
                        (_, None) => {}
                        (Sight::Full, Some(truth)) => {
                            if !same(truth, value) {
                                panic!("{coordinate} of {id} is {truth}, not {value}");
                            }
                            found += usize::from(!value.is_null());
                        }
                        (Sight::Masked, Some(truth)) => {
                            assert_eq!(value, &masked(row, field, truth), "{coordinate} is masked");
                        }
                    }
                }
                Member::Relation(relation) => {
                    let shape = &row.noun.shape.relations[relation];
                    if let Some(key) = shape.key.and_then(|key| row.noun.field(key))
                        && self.sight(row, key) != Sight::Full
                    {
                        let empty =
                            value.is_null() || value["nodes"].as_array().is_some_and(Vec::is_empty);
                        let name = row.noun.coordinate(key);
                        assert!(empty, "{name} is not seen, so it leads nowhere: {value}");
                    }
                }
            }
        }
        found
    }
}

fn same(truth: &Value, value: &Value) -> bool {
    // Two spellings of one instant are the same.
    let instant = |value: &Value| {
        value.as_str().and_then(|text| chrono::DateTime::parse_from_rfc3339(text).ok())
    };
    truth == value || instant(truth).is_some_and(|at| Some(at) == instant(value))
}

fn masked(row: &Row, field: usize, truth: &Value) -> Value {
    match (row.noun.shape.fields[field].kind, truth) {
        (_, Value::Null) => Value::Null,
        (Kind::Text(Some(mask)) | Kind::Sealed { mask, .. }, Value::String(bare)) => {
            let masked = (mask.apply)(bare);
            assert!(!masked.contains(bare.as_str()), "a mask hides its value");
            Value::String(masked)
        }
        (kind, _) => panic!("{kind:?} has no mask"),
    }
}

/// Whether a grant covers a row, from the facts.
fn covers(truth: &Truth, held: &Held, account: Option<Uuid>, row: &Row) -> bool {
    let student = row.student.unwrap_or(row.id);
    match row.noun.shape.hangs {
        Hangs::Open => held.reach == Reach::Anywhere,
        Hangs::Grant => held.reach == Reach::Anywhere || gave(truth, held, account, row),
        Hangs::Account => {
            held.reach == Reach::Anywhere
                || truth.of_noun("access_grant").any(|(_, grant)| {
                    grant.keys["account_id"] == row.id && gave(truth, held, account, grant)
                })
        }
        Hangs::Exam => match held.place {
            Place::Anywhere => true,
            Place::YearLevel(id) => row.keys["year_level_id"] == id,
            Place::Organisation(id) => under(truth, held.reach, id, row.keys["school_id"]),
            _ => false,
        },
        Hangs::Student | Hangs::OfStudent => covers_student(truth, held, student),
        Hangs::Sanction => row.text("state") != "QUASHED" && covers_student(truth, held, student),
        Hangs::Score => {
            let published = *row.value("published") == Value::Bool(true);
            let own_course = match held.place {
                Place::Teaching { course, .. } => row.keys["course_id"] == course,
                _ => true,
            };
            let outside =
                matches!(held.reach, Reach::Own | Reach::Ward | Reach::Opened | Reach::Region);
            (published || !outside) && own_course && covers_student(truth, held, student)
        }
        Hangs::ClassGroup => covers_class(truth, held, row.id),
        Hangs::Staff => match held.place {
            Place::Organisation(place) => {
                covers_organisation(truth, held, place, row.keys["organisation_id"])
            }
            _ => truth
                .duties
                .get(&row.id)
                .is_some_and(|classes| classes.iter().any(|id| covers_class(truth, held, *id))),
        },
        Hangs::Duty => match held.place {
            Place::Organisation(place) => {
                covers_organisation(truth, held, place, row.keys["organisation_id"])
            }
            _ => row.keys.get("class_group_id").is_some_and(|id| covers_class(truth, held, *id)),
        },
    }
}

/// Whether the account gave this grant to a substitute, at a place that it holds as this, and it has not ended.
fn gave(truth: &Truth, held: &Held, account: Option<Uuid>, grant: &Row) -> bool {
    let ended = !grant.value("ended_at").is_null()
        || grant.value("until").as_str().is_some_and(|until| until < today().to_string().as_str());
    let small = [Reach::Teaching, Reach::Class, Reach::YearLevel, Reach::School];
    let place = match (grant.keys.get("class_group_id"), grant.keys.get("year_level_id")) {
        (Some(class), _) => covers_class(truth, held, *class),
        (None, Some(level)) => match held.place {
            Place::YearLevel(id) => id == *level,
            Place::Organisation(id) => truth.classes.values().any(|at| *at == (id, *level)),
            _ => false,
        },
        (None, None) => false,
    };
    small.contains(&held.reach)
        && account.is_some()
        && grant.keys.get("granted_by_id").copied() == account
        && !ended
        && place
}

pub(crate) fn covers_student(truth: &Truth, held: &Held, student: Uuid) -> bool {
    let at = truth.students.get(&student).cloned().unwrap_or_default();
    match held.place {
        Place::Anywhere => true,
        Place::Student(id) => id == student,
        Place::ClassGroup(class) | Place::Teaching { class_group: class, .. } => {
            at.classes.contains(&class)
        }
        Place::YearLevel(id) => at.year_level == Some(id),
        Place::Organisation(id) => {
            at.school.is_some_and(|school| under(truth, held.reach, id, school))
        }
    }
}

pub(crate) fn covers_class(truth: &Truth, held: &Held, class: Uuid) -> bool {
    let (school, level) = truth.classes[&class];
    match held.place {
        Place::Anywhere => false,
        Place::Student(id) if held.reach == Reach::Opened => {
            truth.students.get(&id).is_some_and(|at| at.classes.contains(&class))
        }
        Place::Student(id) => {
            truth.known_classes.get(&id).is_some_and(|known| known.contains(&class))
        }
        Place::ClassGroup(id) | Place::Teaching { class_group: id, .. } => id == class,
        Place::YearLevel(id) => id == level,
        Place::Organisation(id) => under(truth, held.reach, id, school),
    }
}

pub(crate) fn covers_organisation(
    truth: &Truth,
    held: &Held,
    place: Uuid,
    organisation: Uuid,
) -> bool {
    place == organisation || under(truth, held.reach, place, organisation)
}

fn under(truth: &Truth, reach: Reach, place: Uuid, school: Uuid) -> bool {
    match reach {
        Reach::School => place == school,
        Reach::Region => truth.authorities.get(&school).is_some_and(|ids| ids.contains(&place)),
        _ => false,
    }
}
