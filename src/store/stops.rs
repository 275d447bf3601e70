//! Emergency stops (紧急停用): an account, a role, or all exports, until somebody lifts it.
//!
//! A stop of an account or a role is a condition of the statement that reads what accounts hold, so that it takes effect
//! wherever a revoked grant does, within a second and without a statement more. A stop of exports is asked about by the
//! [gate](super::exports). Whoever may stop or lift is decided in the domain.

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, ExprTrait, Order, Query, SelectStatement, Value};
use sea_orm::{ActiveEnum, ConnectionTrait, QueryResult};
use uuid::Uuid;
use xueji_entity::emergency_stop::StopKind;

use super::tx::{Tx, insert_into, names, unattended};
use super::{Store, failed};
use crate::access::caller::Caller;
use crate::access::filter::Key;
use crate::access::place::{Writing, account_within, nothing};
use crate::access::scope::Scope;
use crate::error::{Error, Result};
use crate::store::immediate;

/// What is to be stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// This account.
    Account(Uuid),
    /// This role, as the policy names it.
    Role(String),
    /// All exports.
    Exports,
}

impl Stopped {
    /// The kind.
    pub const fn kind(&self) -> StopKind {
        match self {
            Self::Account(_) => StopKind::Account,
            Self::Role(_) => StopKind::Role,
            Self::Exports => StopKind::Exports,
        }
    }

    fn account(&self) -> Option<Uuid> {
        match self {
            Self::Account(id) => Some(*id),
            Self::Role(_) | Self::Exports => None,
        }
    }

    fn role(&self) -> Option<&str> {
        match self {
            Self::Role(role) => Some(role),
            Self::Account(_) | Self::Exports => None,
        }
    }

    /// What an audit line says of it: never a login, and never the reason, which is free text.
    fn noted(&self) -> String {
        match self {
            Self::Account(id) => format!("account {id}"),
            Self::Role(role) => format!("role {role}"),
            Self::Exports => "exports".to_owned(),
        }
    }

    /// Holds for the open stop of the same.
    fn is(&self) -> Expr {
        let of = match self {
            Self::Account(id) => Expr::col(("x", "account_id")).eq(Expr::val(*id)),
            Self::Role(role) => Expr::col(("x", "role")).eq(role.as_str()),
            Self::Exports => Expr::col(("x", "kind")).eq(StopKind::Exports.to_value()),
        };
        of.and(Expr::col(("x", "lifted_at")).is_null())
    }
}

/// A stop on file.
#[derive(Clone, Debug)]
pub struct Stop {
    /// Its key.
    pub id: Uuid,
    /// What is stopped.
    pub stopped: Stopped,
    /// The login of the account, where one is stopped.
    pub login: Option<String>,
    /// From when.
    pub since: DateTime<Utc>,
    /// The account that stopped it; none for whoever sat at the machine.
    pub by: Option<Uuid>,
    /// Why.
    pub reason: String,
    /// When it was lifted.
    pub lifted_at: Option<DateTime<Utc>>,
}

/// The account is not stopped.
pub(super) fn account_runs(account: Expr) -> Expr {
    Expr::exists(open().and_where(Expr::col(("x", "account_id")).eq(account)).to_owned()).not()
}

/// The account of this alias may not sign in: it is disabled, or stopped.
pub(in crate::store) fn barred(account: &'static str) -> Expr {
    let runs = account_runs(Expr::col((account, "id")));
    Expr::col((account, "disabled")).eq(true).or(runs.not())
}

/// The role is not stopped.
pub(super) fn role_runs(role: Expr) -> Expr {
    Expr::exists(open().and_where(Expr::col(("x", "role")).eq(role)).to_owned()).not()
}

/// An account is one that the places of these held pairs answer for.
fn answers_for(caller: &Caller, bits: u64, account: &Expr) -> Expr {
    let writing = Writing {
        backend: caller.backend,
        today: caller.today(),
        account: Some(caller.account().uuid()),
    };
    let held = caller.session.held.iter().enumerate();
    held.filter(|(bit, _)| bits & (1 << bit) != 0)
        .map(|(_, held)| account_within(account.clone(), held.pair.reach, &held.places, writing))
        .reduce(|any, condition| any.or(condition))
        .unwrap_or_else(nothing)
}

/// Stops that hold.
fn open() -> SelectStatement {
    Query::select()
        .expr(Expr::col(("x", "id")))
        .from_as("emergency_stop", "x")
        .and_where(Expr::col(("x", "lifted_at")).is_null())
        .to_owned()
}

/// Whether a stop of the same holds.
fn standing(stopped: &Stopped) -> SelectStatement {
    Query::select()
        .expr_as(Expr::col(("x", "id")), "c0")
        .from_as("emergency_stop", "x")
        .and_where(stopped.is())
        .to_owned()
}

/// Whether all exports are stopped.
pub(super) async fn exports_stopped<C: ConnectionTrait>(db: &C) -> Result<bool> {
    let row = db.query_one(&standing(&Stopped::Exports)).await.map_err(failed)?;
    Ok(row.is_some())
}

fn inserted(
    id: Uuid,
    stopped: &Stopped,
    reason: &str,
    by: Option<Uuid>,
    now: DateTime<Utc>,
) -> Result<sea_orm::sea_query::InsertStatement> {
    let columns = names(&["id", "kind", "account_id", "role", "since", "by_id", "reason"]);
    let row: Vec<Value> = vec![
        id.into(),
        stopped.kind().to_value().into(),
        stopped.account().into(),
        stopped.role().map(str::to_owned).into(),
        now.into(),
        by.into(),
        reason.into(),
    ];
    insert_into("emergency_stop", columns, [row])
}

fn lifted(id: Uuid, by: Option<Uuid>, now: DateTime<Utc>) -> sea_orm::sea_query::UpdateStatement {
    Query::update()
        .table("emergency_stop")
        .value("lifted_at", Expr::val(now))
        .value("lifted_by_id", Expr::val(by))
        .and_where(Expr::col("id").eq(Expr::val(id)))
        .and_where(Expr::col("lifted_at").is_null())
        .to_owned()
}

fn listed() -> SelectStatement {
    let x = |name: &'static str| Expr::col(("x", name));
    Query::select()
        .expr_as(x("id"), "c0")
        .expr_as(x("kind"), "c1")
        .expr_as(x("account_id"), "c2")
        .expr_as(x("role"), "c3")
        .expr_as(x("since"), "c4")
        .expr_as(x("by_id"), "c5")
        .expr_as(x("reason"), "c6")
        .expr_as(x("lifted_at"), "c7")
        .expr_as(Expr::col(("a", "login")), "c8")
        .from_as("emergency_stop", "x")
        .join_as(
            sea_orm::JoinType::LeftJoin,
            "account",
            "a",
            Expr::col(("a", "id")).equals(("x", "account_id")),
        )
        .order_by(("x", "since"), Order::Desc)
        .order_by(("x", "id"), Order::Desc)
        .to_owned()
}

fn stop(row: &QueryResult) -> Result<Stop> {
    let kind: String = row.try_get_by_index(1).map_err(failed)?;
    let account: Option<Uuid> = row.try_get_by_index(2).map_err(failed)?;
    let role: Option<String> = row.try_get_by_index(3).map_err(failed)?;
    let odd = || Error::internal("a stop says not what is stopped");
    let stopped = match StopKind::try_from_value(&kind).map_err(failed)? {
        StopKind::Account => Stopped::Account(account.ok_or_else(odd)?),
        StopKind::Role => Stopped::Role(role.ok_or_else(odd)?),
        StopKind::Exports => Stopped::Exports,
    };
    Ok(Stop {
        id: row.try_get_by_index(0).map_err(failed)?,
        stopped,
        since: row.try_get_by_index(4).map_err(failed)?,
        by: row.try_get_by_index(5).map_err(failed)?,
        reason: row.try_get_by_index(6).map_err(failed)?,
        lifted_at: row.try_get_by_index(7).map_err(failed)?,
        login: row.try_get_by_index(8).map_err(failed)?,
    })
}

impl Store {
    /// The stops, from the newest; those that were lifted as well where asked.
    pub async fn stops(&self, lifted_too: bool) -> Result<Vec<Stop>> {
        let mut query = listed();
        if !lifted_too {
            query.and_where(Expr::col(("x", "lifted_at")).is_null());
        }
        self.select(&query).await?.iter().map(stop).collect()
    }

    /// The stops that hold, of accounts those that the scope's pairs answer for.
    pub async fn stops_within(&self, scope: &Scope) -> Result<Vec<Stop>> {
        let account = Expr::col(("x", "account_id"));
        let mut query = listed();
        query.and_where(Expr::col(("x", "lifted_at")).is_null()).and_where(
            account.clone().is_null().or(answers_for(scope.caller(), scope.seeing(), &account)),
        );
        self.all(scope.caller(), &query).await?.iter().map(stop).collect()
    }

    /// Stops something at the machine, without an account, and on record; `CONFLICT` while it is stopped already.
    pub async fn stop_at_machine(
        &self,
        stopped: &Stopped,
        reason: &str,
        policy_version: &str,
        now: DateTime<Utc>,
    ) -> Result<Uuid> {
        let id = Uuid::now_v7();
        let insert = inserted(id, stopped, reason, None, now)?;
        let said = format!("{} as {id}", stopped.noted());
        let keys = self.log_keys()?;
        let line = unattended(&keys, "emergency.stop", policy_version, &said, now)?;
        let tx = immediate(&self.db).await?;
        if tx.query_one(&standing(stopped)).await.map_err(failed)?.is_some() {
            tx.rollback().await.map_err(failed)?;
            return Err(Error::Conflict { what: "EmergencyStop".into() });
        }
        tx.execute(&insert).await.map_err(failed)?;
        tx.execute(&line).await.map_err(failed)?;
        tx.commit().await.map_err(failed)?;
        Ok(id)
    }

    /// Lifts a stop at the machine, and on record; `NOT_FOUND` unless it holds.
    pub async fn lift_at_machine(
        &self,
        id: Uuid,
        policy_version: &str,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let keys = self.log_keys()?;
        let line = unattended(&keys, "emergency.lift", policy_version, &format!("stop {id}"), now)?;
        let tx = immediate(&self.db).await?;
        if tx.execute(&lifted(id, None, now)).await.map_err(failed)?.rows_affected() != 1 {
            tx.rollback().await.map_err(failed)?;
            return Err(Error::not_found("EmergencyStop"));
        }
        tx.execute(&line).await.map_err(failed)?;
        tx.commit().await.map_err(failed)
    }
}

impl Tx {
    fn answers_for(&self, account: &Expr) -> Expr {
        answers_for(self.caller(), self.acting(), account)
    }

    /// The account with this login, if the caller's places answer for it; whether it is open plays no part.
    pub async fn account_within(&self, login: &str) -> Result<Option<Uuid>> {
        let mut query = Query::select();
        query
            .expr_as(Expr::col(("a", "id")), "c0")
            .from_as("account", "a")
            .and_where(Expr::col(("a", "login")).eq(login))
            .and_where(self.answers_for(&Expr::col(("a", "id"))));
        let rows = self.select(&query).await?;
        rows.first().map(|row| row.try_get_by_index(0).map_err(failed)).transpose()
    }

    /// A stop that holds; one of an account only where the caller's places answer for it.
    pub async fn standing_stop(&self, id: Uuid) -> Result<Option<Stop>> {
        let mut query = listed();
        let account = Expr::col(("x", "account_id"));
        query
            .and_where(Expr::col(("x", "id")).eq(Expr::val(id)))
            .and_where(Expr::col(("x", "lifted_at")).is_null())
            .and_where(account.clone().is_null().or(self.answers_for(&account)));
        self.select(&query).await?.first().map(stop).transpose()
    }

    /// Whether a stop concerns an account: it is stopped itself, belongs to the same person, or holds the role.
    pub async fn stop_concerns(&self, stop: &Stop, account: Uuid) -> Result<bool> {
        let a = |name: &'static str| Expr::col(("a", name));
        let mut query = Query::select();
        match &stop.stopped {
            Stopped::Exports => return Ok(false),
            Stopped::Account(id) if *id == account => return Ok(true),
            Stopped::Account(id) => {
                query
                    .expr_as(a("id"), "c0")
                    .from_as("account", "a")
                    .join_as(
                        sea_orm::JoinType::InnerJoin,
                        "account",
                        "b",
                        Expr::col(("b", "staff_id")).equals(("a", "staff_id")),
                    )
                    .and_where(a("id").eq(Expr::val(account)))
                    .and_where(Expr::col(("b", "id")).eq(Expr::val(*id)));
            }
            Stopped::Role(role) => {
                // Every account of the same member of staff is one's own.
                let own = Query::select()
                    .expr(Expr::col(("b", "id")))
                    .from_as("account", "b")
                    .join_as(
                        sea_orm::JoinType::InnerJoin,
                        "account",
                        "c",
                        Expr::col(("b", "staff_id")).equals(("c", "staff_id")),
                    )
                    .and_where(Expr::col(("c", "id")).eq(Expr::val(account)))
                    .to_owned();
                query
                    .expr_as(a("id"), "c0")
                    .from_as("access_grant", "a")
                    .and_where(
                        a("account_id").eq(Expr::val(account)).or(a("account_id").in_subquery(own)),
                    )
                    .and_where(a("role").eq(role.as_str()))
                    .and_where(a("ended_at").is_null())
                    .and_where(a("until").is_null().or(a("until").gte(self.caller().today())));
            }
        }
        Ok(!self.select(&query).await?.is_empty())
    }

    /// Stops something; `CONFLICT` while it is stopped already.
    pub async fn stop(
        &mut self,
        stopped: &Stopped,
        reason: &str,
        now: DateTime<Utc>,
    ) -> Result<Uuid> {
        if !self.select(&standing(stopped)).await?.is_empty() {
            return Err(Error::Conflict { what: "EmergencyStop".into() });
        }
        let id = Uuid::now_v7();
        let by = Some(self.caller().account().uuid());
        self.execute(&inserted(id, stopped, reason, by, now)?).await?;
        self.touched("emergency_stop", Key { student: None, id })?;
        self.note(format!("{} as {id}", stopped.noted()));
        Ok(id)
    }

    /// Lifts a stop that holds.
    pub async fn lift(&mut self, stop: &Stop, now: DateTime<Utc>) -> Result<()> {
        let by = Some(self.caller().account().uuid());
        if self.execute(&lifted(stop.id, by, now)).await? != 1 {
            return Err(Error::Conflict { what: "EmergencyStop".into() });
        }
        self.touched("emergency_stop", Key { student: None, id: stop.id })?;
        self.note(format!("stop {} of {}", stop.id, stop.stopped.noted()));
        Ok(())
    }
}
