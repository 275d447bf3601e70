//! The viewer: who is asking, and what is theirs.

use async_graphql::{Context, Object, Result as GraphResult, SimpleObject};

use super::account::Account;
use super::class_group::ClassGroup;
use super::concern::{self, Concern};
use super::engine::output::{Connection, FilterOf, One, OrderOf, list_args};
use super::login_session::{LoginSession, SignIn};
use super::query::{fail, graph};
use super::scalar::{Date, Instant};
use super::student::Student;
use crate::access::action::ACTIONS;
use crate::access::caller::Place;
use crate::access::scope::Scope;
use crate::access::table::{Pair, Reach, Sight, Uses};
use crate::access::view::Noun;
use crate::domain::Cx;
use crate::domain::sign_in::sessions;
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
    /// The global id of the grant, to give the duty to a substitute; null for a record that is open.
    id: Option<async_graphql::ID>,
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
    /// The instant at which it ends within its days; null where days are enough.
    expires_at: Option<Instant>,
    /// Held as a substitute, given by somebody who holds the same.
    delegated: bool,
    /// The global id of the place: a student, class group, year level or organisation.
    place_id: Option<async_graphql::ID>,
}

/// A purpose that a request may state in the header `Xueji-Purpose` (用途).
#[derive(Clone, Debug, SimpleObject)]
pub struct Purpose {
    /// The code.
    code: String,
    /// The name in the language of the request.
    label: String,
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
    /// Other uses that are allowed: filter, search, sort, group, aggregate, export, match, reveal.
    uses: Vec<String>,
}

/// What the viewer reads of one type, before any row is looked at.
#[derive(Clone, Debug, SimpleObject)]
pub struct TypeAccess {
    /// The type in the schema: `Student`.
    name: String,
    /// Rows of it can exist for you; where not, lists of it are empty.
    rows: bool,
    /// You may ask for figures over it.
    figures: bool,
    /// Its relations.
    relations: Vec<RelationAccess>,
}

/// Whether a relation can lead the viewer anywhere.
#[derive(Clone, Debug, SimpleObject)]
pub struct RelationAccess {
    /// The relation, as the schema names it: `Student.guardians`.
    coordinate: String,
    /// Rows behind it can exist for you.
    readable: bool,
}

/// An act, and where the viewer may run it.
#[derive(Clone, Debug, SimpleObject)]
pub struct ActionAccess {
    /// The act, as the policy names it: `attendance.record`.
    action: String,
    /// Whether you may run it anywhere.
    allowed: bool,
    /// The roles that let you; empty when none does.
    grants: Vec<ActionGrant>,
}

/// A role that lets the viewer run an act.
#[derive(Clone, Debug, SimpleObject)]
pub struct ActionGrant {
    /// The role, as the policy names it.
    role: String,
    /// The kind of place at which it is held: the act concerns rows of such places.
    reach: String,
    /// The columns that it may set, as the schema names them; references by the name of their relation.
    columns: Vec<String>,
}

/// A column as the schema names it; a reference is named by its relation.
fn schema_name(noun: &Noun, field: usize) -> String {
    let name = noun.shape.fields[field].name;
    match noun.shape.relations.iter().position(|relation| relation.key == Some(name)) {
        Some(relation) => format!("{}.{}", noun.shape.type_name, noun.relation_camel[relation]),
        None => noun.coordinate(field),
    }
}

impl Viewer {
    fn role(&self, pair: Pair) -> String {
        let roles = &self.cx.caller.session.policy.roles;
        roles.get(pair.role).map(|role| role.name.clone()).unwrap_or_default()
    }

    /// Rows behind a relation can exist: the target has rows, and the reference is shown.
    fn readable(&self, noun: &'static Noun, relation: usize) -> bool {
        let caller = &self.cx.caller;
        let target = self.cx.registry().at(noun.targets[relation]);
        let shown = noun.shape.relations[relation]
            .key
            .and_then(|key| noun.field(key))
            .is_none_or(|key| Scope::reading(caller, noun).best_sight(key) == Sight::Full);
        caller.session.seeing(noun) != 0 && shown && caller.session.seeing(target) != 0
    }
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
#[Object(serial)]
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

    /// The roles that you may give, by `grantGive`, at places within your own.
    async fn givable(&self) -> Vec<super::grants::GivableRole> {
        super::grants::givable(&self.cx)
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
                    id: grant_id(&self.cx, grant),
                    expires_at: grant.expires_at.map(Instant),
                    delegated: grant.delegated,
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

    /// The purposes that your requests may state; some fields are shown for a purpose alone.
    async fn purposes(&self) -> Vec<Purpose> {
        let caller = &self.cx.caller;
        let purposes = caller.session.policy.purposes.iter();
        purposes
            .filter(|(id, _)| caller.session.may_state(*id))
            .map(|(_, purpose)| Purpose {
                code: purpose.code.clone(),
                label: match caller.language {
                    Language::Chinese => purpose.chinese.clone(),
                    Language::English => purpose.english.clone(),
                },
            })
            .collect()
    }

    /// What you may see and ask, field by field and grant by grant, for the purpose that you state.
    async fn access(&self) -> Vec<Access> {
        let caller = &self.cx.caller;
        let mut out = Vec::new();
        for noun in self.cx.registry().nouns() {
            for field in 0..noun.shape.fields.len() {
                for held in &caller.session.held {
                    let uses = caller.session.table().cell(held.pair, noun.id(field)).uses;
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
                        role: self.role(held.pair),
                        reach: held.pair.reach.word().to_owned(),
                        sight: shown.word().to_owned(),
                        uses: others,
                    });
                }
            }
        }
        out
    }

    /// What you may read, type by type: for an application that leaves out what would stay empty.
    async fn types(&self) -> Vec<TypeAccess> {
        let session = &self.cx.caller.session;
        let nouns = self.cx.registry().nouns().iter();
        nouns
            .map(|noun| TypeAccess {
                name: noun.shape.type_name.to_owned(),
                rows: session.seeing(noun) != 0,
                figures: session.counting(noun) != 0,
                relations: (0..noun.shape.relations.len())
                    .map(|at| RelationAccess {
                        coordinate: format!("{}.{}", noun.shape.type_name, noun.relation_camel[at]),
                        readable: self.readable(noun, at),
                    })
                    .collect(),
            })
            .collect()
    }

    /// What you may do, act by act: in which role, at which kind of place, setting which columns.
    async fn actions(&self) -> Vec<ActionAccess> {
        let session = &self.cx.caller.session;
        let actions = &session.policy.actions;
        let columns: Vec<String> = self
            .cx
            .registry()
            .nouns()
            .iter()
            .flat_map(|noun| (0..noun.shape.fields.len()).map(|at| schema_name(noun, at)))
            .collect();
        ACTIONS
            .iter()
            .map(|action| {
                let id = actions.id(action);
                let grants: Vec<_> = session
                    .held
                    .iter()
                    .filter_map(|held| {
                        let act = actions.may(&[held.pair], id?)?;
                        let names = act.columns.iter();
                        let columns = names.filter_map(|id| columns.get(usize::from(*id)).cloned());
                        Some(ActionGrant {
                            role: self.role(held.pair),
                            reach: held.pair.reach.word().to_owned(),
                            columns: columns.collect(),
                        })
                    })
                    .collect();
                let action = (*action).to_owned();
                ActionAccess { action, allowed: !grants.is_empty(), grants }
            })
            .collect()
    }

    /// Your sign-ins by password that last, the newest first (登录会话).
    async fn sessions(&self, ctx: &Context<'_>) -> GraphResult<Vec<LoginSession>> {
        let own = sessions::own(&self.cx).await.map_err(|error| graph(fail(ctx, error)))?;
        Ok(own.into_iter().map(|listed| LoginSession::of(&self.cx, listed)).collect())
    }

    /// What you raised about a school, with the answers, from the newest (我的意见与举报).
    async fn concerns(&self, ctx: &Context<'_>) -> GraphResult<Vec<Concern>> {
        concern::own(&self.cx).await.map_err(|error| graph(fail(ctx, error)))
    }

    /// The sign-in before the last one, to notice one that was not yours; null when there was none (上次登录).
    async fn previous_sign_in(&self, ctx: &Context<'_>) -> GraphResult<Option<SignIn>> {
        let known = sessions::last_sign_ins(&self.cx).await;
        let (_, previous) = known.map_err(|error| graph(fail(ctx, error)))?;
        Ok(previous.map(SignIn::from))
    }

    /// The last sign-in by password; null when there was none (最近登录).
    async fn last_sign_in(&self, ctx: &Context<'_>) -> GraphResult<Option<SignIn>> {
        let known = sessions::last_sign_ins(&self.cx).await;
        let (last, _) = known.map_err(|error| graph(fail(ctx, error)))?;
        Ok(last.map(SignIn::from))
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

pub(super) fn place_id(cx: &Cx, place: Place) -> Option<async_graphql::ID> {
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

/// The global id of a grant; a record that is open is no grant of its own.
fn grant_id(cx: &Cx, grant: &crate::access::caller::Grant) -> Option<async_graphql::ID> {
    let noun = cx.registry().get("access_grant").filter(|_| grant.reach != Reach::Opened)?;
    let key = crate::access::filter::Key { student: None, id: grant.id };
    Some(async_graphql::ID(cx.opaque.id(noun, key)))
}
