//! What an act reads: rows within its scope, with the bare columns that its rule needs.
//!
//! Sights play no part here, since nothing read this way is shown; the scope does. A [`Found`] is
//! also the proof, which only this module gives, that a row may be written to.

use sea_orm::QueryResult;
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use uuid::Uuid;

use super::Tx;
use crate::access::filter::Key;
use crate::access::place::student_lives;
use crate::access::scope::Scope;
use crate::access::shown::{Cell, RowPlan, Shown};
use crate::access::view::{Hangs, Kind, Noun};
use crate::error::{Error, Result};
use crate::leak::{self, Leak};
use crate::store::failed;

const ALIAS: &str = "t0";

/// A row that an act has read within its scope.
#[derive(Clone, Debug)]
pub struct Found {
    pub(super) noun: &'static Noun,
    pub(super) key: Key,
    /// Which held pairs cover the row.
    pub(super) cover: u64,
    /// Through which of them the act may write to it: as a rule all that cover it.
    pub(super) right: u64,
    pub(super) version: Option<i64>,
    pub(super) facts: Vec<(usize, Fact)>,
}

/// One column as read.
#[derive(Clone)]
pub(super) struct Fact {
    pub(super) cell: Cell,
    /// The bytes of a sealed column as they are stored.
    pub(super) sealed: Option<Vec<u8>>,
}

impl std::fmt::Debug for Fact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.cell.fmt(f)
    }
}

impl Found {
    /// The key.
    pub fn key(&self) -> Key {
        self.key
    }

    /// The same row, written to through these pairs alone.
    pub(in crate::store) fn through(mut self, pairs: u64) -> Self {
        self.right &= pairs;
        self
    }

    /// The noun.
    pub fn noun(&self) -> &'static Noun {
        self.noun
    }

    /// The student that the row is, or hangs from; none for a row of no student.
    pub fn student(&self) -> Option<Uuid> {
        self.key.student.or((self.noun.shape.hangs == Hangs::Student).then_some(self.key.id))
    }

    /// What the caller sees of a column that the act has read, under the sights of the row.
    pub fn shown(&self, sights: &RowPlan, field: usize) -> Shown {
        match self.facts.iter().find(|(read, _)| *read == field) {
            Some((_, fact)) => sights.show(field, &fact.cell),
            None => Shown::Hidden,
        }
    }

    /// Which held pairs cover the row, as bits.
    pub fn cover(&self) -> u64 {
        self.cover
    }

    /// A column, for a rule; an error when the act did not read it.
    pub(in crate::store) fn fact(&self, column: &str) -> Result<&Cell> {
        let field = self.noun.field(column);
        let read = self.facts.iter().find(|(read, _)| Some(*read) == field);
        read.map(|(_, fact)| fact.cell.facts())
            .ok_or_else(|| Error::internal(format!("the act did not read {column}")))
    }
}

impl Tx {
    /// The row with this key, with these columns; `NOT_FOUND` outside the scope of the act.
    pub async fn get(
        &self,
        noun: &'static str,
        key: Key,
        columns: &[&'static str],
    ) -> Result<Found> {
        let noun = self.noun(noun)?;
        let found = self
            .found(&self.scope(noun), columns, |t| {
                let this = Expr::col((t, "id")).eq(Expr::val(key.id));
                match key.student {
                    Some(student) => Expr::col((t, "student_id")).eq(Expr::val(student)).and(this),
                    None => this,
                }
            })
            .await?;
        found.into_iter().next().ok_or_else(|| Error::not_found(noun.shape.type_name))
    }

    /// What the caller sees of a row that the act has read: as in a read, all grants together.
    pub fn sights(&self, row: &Found) -> RowPlan {
        Scope::reading(&self.caller, row.noun).sights().plan(row.cover)
    }

    /// Reads rows of a scope that meet a condition, with these columns.
    pub(in crate::store) async fn found(
        &self,
        scope: &Scope,
        columns: &[&'static str],
        condition: impl FnOnce(&'static str) -> Expr,
    ) -> Result<Vec<Found>> {
        if scope.is_empty() {
            return Ok(Vec::new());
        }
        let mut condition = condition(ALIAS);
        if !leak::on(Leak::ActWithoutScope) {
            condition = scope.condition(ALIAS).and(condition);
        }
        self.rows(scope, columns, condition, scope.mixed(0)).await
    }

    /// Reads the live rows of students that belong to a row of the act, whose `column` names it,
    /// wherever their students are today: who may act on the row acts on all that is part of it.
    /// For each row, whether it lies in the scope of the act as well.
    pub(in crate::store) async fn parts_of(
        &self,
        whole: &Found,
        scope: &Scope,
        column: &'static str,
        columns: &[&'static str],
    ) -> Result<Vec<(Found, bool)>> {
        let condition = scope
            .known(ALIAS)
            .and(student_lives(Expr::col((ALIAS, "student_id"))))
            .and(Expr::col((ALIAS, column)).eq(Expr::val(whole.key.id)));
        let mut rows = self.rows(scope, columns, condition, true).await?;
        let right = whole.cover & self.bits();
        Ok(rows
            .drain(..)
            .map(|mut row| {
                let in_scope = row.cover & scope.seeing() != 0;
                row.right |= right;
                (row, in_scope)
            })
            .collect())
    }

    async fn rows(
        &self,
        scope: &Scope,
        columns: &[&'static str],
        condition: Expr,
        mixed: bool,
    ) -> Result<Vec<Found>> {
        let noun = scope.noun();
        let col = |name: &'static str| Expr::col((ALIAS, name));
        let mut query = Query::select();
        let mut width = 0;
        let mut select = |query: &mut sea_orm::sea_query::SelectStatement, expr: Expr| {
            query.expr_as(expr, format!("c{width}"));
            width += 1;
            width - 1
        };
        query.from_as(noun.shape.name, ALIAS);
        let id = select(&mut query, col("id"));
        let of_student = noun.shape.hangs.of_student();
        let student = of_student.then(|| select(&mut query, col("student_id")));
        let cover = mixed.then(|| select(&mut query, scope.cover(ALIAS, 0)));
        let version = noun.shape.lifecycle.then(|| select(&mut query, col("row_version")));
        let mut fields = Vec::with_capacity(columns.len());
        for column in columns {
            let field = field(noun, column)?;
            fields.push((field, select(&mut query, col(column))));
        }
        query.and_where(condition);
        let rows = self.select(&query).await?;
        let mut found = Vec::with_capacity(rows.len());
        for row in &rows {
            let id: Uuid = row.try_get_by_index(id).map_err(failed)?;
            let student = match student {
                Some(at) => Some(row.try_get_by_index::<Uuid>(at).map_err(failed)?),
                None => None,
            };
            let cover = match cover {
                Some(at) => u64::try_from(row.try_get_by_index::<i64>(at).map_err(failed)?)
                    .map_err(|error| Error::Internal(error.into()))?,
                None => scope.only_cover(),
            };
            let version = match version {
                Some(at) => Some(row.try_get_by_index(at).map_err(failed)?),
                None => None,
            };
            let mut facts = Vec::with_capacity(fields.len());
            for (field, at) in &fields {
                facts.push((*field, self.fact(noun, *field, row, *at, id)?));
            }
            found.push(Found {
                noun,
                key: Key { student, id },
                cover,
                right: cover,
                version,
                facts,
            });
        }
        Ok(found)
    }

    fn fact(
        &self,
        noun: &'static Noun,
        field: usize,
        row: &QueryResult,
        at: usize,
        id: Uuid,
    ) -> Result<Fact> {
        let sealed = match noun.shape.fields[field].kind {
            Kind::Sealed { .. } => row.try_get_by_index(at).map_err(failed)?,
            Kind::Text(_)
            | Kind::Int
            | Kind::Bool
            | Kind::Date
            | Kind::Instant
            | Kind::Thousandths
            | Kind::Fen
            | Kind::Code
            | Kind::Enum(_)
            | Kind::Key
            | Kind::Computed => None,
        };
        Ok(Fact { cell: self.store.cell(noun, field, row, at, id)?, sealed })
    }
}

/// The stored field of this name.
pub(super) fn field(noun: &Noun, column: &str) -> Result<usize> {
    noun.field(column)
        .filter(|field| !matches!(noun.shape.fields[*field].kind, Kind::Computed))
        .ok_or_else(|| Error::internal(format!("{} has no column {column}", noun.shape.name)))
}
