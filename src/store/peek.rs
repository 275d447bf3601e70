//! Looks past every scope: what some of the deliberate leaks tell. Only with the feature `leaks`.

use sea_orm::ConnectionTrait;
use sea_orm::sea_query::{Expr, ExprTrait, Func, Query};

use super::{Store, failed};
use crate::access::filter::Key;
use crate::access::scope::Scope;
use crate::access::shown::{Cell, RowPlan, Shown};
use crate::access::view::{Kind, Noun};
use crate::error::Result;
use crate::store::read::{List, Rows};

impl Store {
    /// A text of the row with this key, if there is one at all.
    pub async fn peek(&self, noun: &'static Noun, key: Key) -> Result<Option<String>> {
        let text = noun.shape.fields.iter().find(|field| matches!(field.kind, Kind::Text(_)));
        let mut query = Query::select();
        query
            .expr(text.map_or_else(|| Expr::val("a row"), |field| Expr::col(field.name)))
            .from(noun.shape.name)
            .and_where(Expr::col("id").eq(key.id));
        let row = self.db.query_one(&query).await.map_err(failed)?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(row.try_get_by_index::<Option<String>>(0).map_err(failed)?.unwrap_or_default()))
    }

    /// Whether the number of all rows is odd, which tells of those out of scope.
    pub(super) async fn hides(&self, scope: &Scope) -> Result<bool> {
        let mut query = Query::select();
        query.expr(Func::count(Expr::col("id"))).from(scope.noun().shape.name);
        let row = self.db.query_one(&query).await.map_err(failed)?;
        let Some(row) = row else { return Ok(false) };
        Ok(row.try_get_by_index::<i64>(0).map_err(failed)? % 2 == 1)
    }
}

impl Store {
    /// Whether more rows than these meet the condition of a list, in scope or not.
    pub(super) async fn reaches_beyond(&self, list: &List<'_>, limit: u64) -> Result<bool> {
        let mut writer = self.writer();
        let alias = writer.aliases.next()?;
        let mut query = Query::select();
        query
            .expr(Func::count(Expr::col((alias, "id"))))
            .from_as(list.scope.noun().shape.name, alias);
        if let Some(filter) = list.filter {
            query.and_where(writer.filter(filter, list.scope, alias, false)?);
        }
        let row = self.db.query_one(&query).await.map_err(failed)?;
        let Some(row) = row else { return Ok(false) };
        let count = row.try_get_by_index::<i64>(0).map_err(failed)?;
        Ok(u64::try_from(count).is_ok_and(|count| count > limit))
    }
}

impl Rows {
    /// The bare value of a field, whoever asks.
    pub fn bare(&self, row: usize, field: usize, slot: Option<usize>) -> Option<Shown> {
        let cell = slot.and_then(|slot| self.rows[row].cells.get(slot))?;
        Some(RowPlan::bare(self.noun, field, cell))
    }

    /// Whether something is on file, seen or not.
    pub fn filled(&self, row: usize, field: usize) -> bool {
        let cell = self.slot(field).and_then(|slot| self.rows[row].cells.get(slot));
        !matches!(cell, None | Some(Cell::Null))
    }
}
