//! The viewer: who is asking, and what is theirs.

use async_graphql::{Context, Object, Result as GraphResult, SimpleObject};

use super::account::Account;
use super::class_group::ClassGroup;
use super::engine::output::{Connection, FilterOf, One, OrderOf, list_args};
use super::query::{fail, graph};
use super::scalar::Date;
use super::student::Student;
use crate::access::caller::Place;
use crate::access::scope::Scope;
use crate::access::table::{Pair, Reach, Sight, Uses};
use crate::domain::Cx;
use crate::error::Error;
use xueji_entity::value::Language;

/// Who is asking (当前用户).
#[derive(Debug)]
pub struct Viewer {
    cx: Cx,
}

/// A role that the viewer holds at a place (授权).
#[derive(Clone, Debug, SimpleObject)]
pub struct Grant {
    /// The role, as the policy names it.
    role: String,
    /// The role's name in the language of the request.
    label: String,
    /// The kind of place: own, ward, teaching, class, year_level, school, region, anywhere.
    reach: String,
    /// The first day.
    valid_from: Date,
    /// The last day; null while open.
    valid_until: Option<Date>,
    /// The global id of the place: a student, class group, year level or organisation.
    place_id: Option<async_graphql::ID>,
}

/// What the viewer sees of one field, at best, in the rows of one grant.
#[derive(Clone, Debug, SimpleObject)]
pub struct Access {
    /// The field, as the schema names it: `Student.idNumber`.
    coordinate: String,
    /// The role that gives it.
    role: String,
    /// The kind of place.
    reach: String,
    /// full or masked; fields that are hidden are not listed.
    sight: String,
    /// Other uses that are allowed: filter, search, sort, group, aggregate, export, match.
    uses: Vec<String>,
}

impl Viewer {
    /// The viewer of a request.
    pub fn new(cx: &Cx) -> Self {
        Self { cx: cx.clone() }
    }

    fn narrowed<V: crate::access::view::View>(&self, reaches: &[Reach]) -> Result<Scope, Error> {
        let noun = self
            .cx
            .registry()
            .of::<V>()
            .ok_or_else(|| Error::internal("a view is not registered"))?;
        Ok(Scope::reading(&self.cx.caller, noun)
            .narrowed(|pair: Pair| reaches.contains(&pair.reach)))
    }
}

/// Who is asking (当前用户).
#[Object]
impl Viewer {
    /// The opaque id of the account.
    async fn id(&self) -> GraphResult<async_graphql::ID> {
        let noun = self
            .cx
            .registry()
            .of::<Account>()
            .ok_or_else(|| async_graphql::Error::new("a view is not registered"))?;
        let key = crate::access::filter::Key { student: None, id: self.cx.caller.account().uuid() };
        Ok(async_graphql::ID(self.cx.opaque.id(noun, key)))
    }

    /// The grants that hold today.
    async fn grants(&self) -> Vec<Grant> {
        let caller = &self.cx.caller;
        let roles = &caller.session.policy.roles;
        caller
            .session
            .grants
            .iter()
            .map(|grant| {
                let name = roles.get(grant.role).map(|role| role.name.clone()).unwrap_or_default();
                Grant {
                    label: match caller.language {
                        Language::Chinese => roles
                            .get(grant.role)
                            .map(|role| role.chinese.clone())
                            .unwrap_or_default(),
                        Language::English => name.replace('_', " "),
                    },
                    role: name,
                    reach: grant.reach.word().to_owned(),
                    valid_from: Date(grant.since),
                    valid_until: grant.until.map(Date),
                    place_id: place_id(&self.cx, grant.place),
                }
            })
            .collect()
    }

    /// What you may see and ask, field by field and grant by grant.
    async fn access(&self) -> Vec<Access> {
        let caller = &self.cx.caller;
        let policy = &caller.session.policy;
        let mut out = Vec::new();
        for noun in self.cx.registry().nouns() {
            for field in 0..noun.shape.fields.len() {
                for held in &caller.session.held {
                    let uses = policy.table.cell(held.pair, noun.id(field)).uses;
                    let shown = uses.sight();
                    let others: Vec<_> = Uses::VERBS
                        .iter()
                        .filter(|(verb, _, _)| {
                            uses.contains(*verb) && *verb != Uses::FULL && *verb != Uses::MASKED
                        })
                        .map(|(_, word, _)| (*word).to_owned())
                        .collect();
                    if shown == Sight::Hidden && others.is_empty() {
                        continue;
                    }
                    out.push(Access {
                        coordinate: noun.coordinate(field),
                        role: policy
                            .roles
                            .get(held.pair.role)
                            .map(|role| role.name.clone())
                            .unwrap_or_default(),
                        reach: held.pair.reach.word().to_owned(),
                        sight: shown.word().to_owned(),
                        uses: others,
                    });
                }
            }
        }
        out
    }

    /// Your own record, if you are a pupil.
    async fn student(&self, ctx: &Context<'_>) -> GraphResult<One<Student>> {
        let own = self.cx.caller.session.grants.iter().find_map(|grant| {
            match (grant.reach, grant.place) {
                (Reach::Own, Place::Student(id)) => {
                    Some(crate::access::filter::Key { student: None, id })
                }
                _ => None,
            }
        });
        One::by_key(&self.cx, own).map_err(|error| graph(fail(ctx, error)))
    }

    /// The children whose guardian you are (被监护人).
    #[expect(clippy::too_many_arguments, reason = "the arguments of a connection")]
    async fn wards(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only rows that meet all of these.")] filter: Option<FilterOf<Student>>,
        #[graphql(desc = "The order; the key ends it.")] order_by: Option<Vec<OrderOf<Student>>>,
        #[graphql(desc = "So many rows from the start, 1 to 200.")] first: Option<i64>,
        #[graphql(desc = "Only rows after this cursor.")] after: Option<String>,
        #[graphql(desc = "So many rows from the end, 1 to 200.")] last: Option<i64>,
        #[graphql(desc = "Only rows before this cursor.")] before: Option<String>,
    ) -> GraphResult<Connection<Student>> {
        let args = list_args(filter, order_by, first, after, last, before);
        let scope =
            self.narrowed::<Student>(&[Reach::Ward]).map_err(|error| graph(fail(ctx, error)))?;
        Ok(Connection::within(&self.cx, scope, args, &[("name", false)]))
    }

    /// The classes that you lead or teach.
    #[expect(clippy::too_many_arguments, reason = "the arguments of a connection")]
    async fn classes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only rows that meet all of these.")] filter: Option<FilterOf<ClassGroup>>,
        #[graphql(desc = "The order; the key ends it.")] order_by: Option<Vec<OrderOf<ClassGroup>>>,
        #[graphql(desc = "So many rows from the start, 1 to 200.")] first: Option<i64>,
        #[graphql(desc = "Only rows after this cursor.")] after: Option<String>,
        #[graphql(desc = "So many rows from the end, 1 to 200.")] last: Option<i64>,
        #[graphql(desc = "Only rows before this cursor.")] before: Option<String>,
    ) -> GraphResult<Connection<ClassGroup>> {
        let args = list_args(filter, order_by, first, after, last, before);
        let scope = self
            .narrowed::<ClassGroup>(&[Reach::Class, Reach::Teaching])
            .map_err(|error| graph(fail(ctx, error)))?;
        Ok(Connection::within(&self.cx, scope, args, &[("name", false)]))
    }
}

fn place_id(cx: &Cx, place: Place) -> Option<async_graphql::ID> {
    let (noun, id) = match place {
        Place::Anywhere => return None,
        Place::Student(id) => ("student", id),
        Place::Teaching { class_group, .. } | Place::ClassGroup(class_group) => {
            ("class_group", class_group)
        }
        Place::YearLevel(id) => ("year_level", id),
        Place::Organisation(id) => ("organisation", id),
    };
    let key = crate::access::filter::Key { student: None, id };
    Some(async_graphql::ID(cx.opaque.id(cx.registry().get(noun)?, key)))
}
