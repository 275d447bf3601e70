//! How a pupil or a family member is reached, as an act reads and changes it.
//! What may be entered is decided in the domain.

use sea_orm::sea_query::{Expr, ExprTrait};

use super::tx::{Found, Tx};
use crate::access::filter::Key;
use crate::access::shown::Cell;
use crate::access::table::{Reach, Sight};
use crate::access::version;
use crate::error::{Error, Result};

impl Tx {
    /// The row with the columns that the act sets and those that the caller sees in full of how
    /// somebody is reached; `NOT_FOUND` outside the scope of the act.
    pub async fn contact(
        &self,
        noun: &'static str,
        key: Option<Key>,
        set: &[&'static str],
    ) -> Result<Found> {
        let noun = self.noun(noun)?;
        let missing = || Error::not_found(noun.shape.type_name);
        let key = key.ok_or_else(missing)?;
        let scope = self.scope(noun);
        let read: Vec<&'static str> = version::contact(noun)
            .filter(|field| scope.best_sight(*field) == Sight::Full)
            .map(|field| noun.shape.fields[field].name)
            .chain(set.iter().copied())
            .fold(Vec::new(), |mut names, name| {
                if !names.contains(&name) {
                    names.push(name);
                }
                names
            });
        let this = |t: &'static str| {
            let col = |name: &'static str| Expr::col((t, name));
            let this = col("id").eq(Expr::val(key.id));
            match key.student {
                Some(student) => col("student_id").eq(Expr::val(student)).and(this),
                None => this,
            }
        };
        if noun.shape.name != "guardian" {
            return self.found(&scope, &read, this).await?.pop().ok_or_else(missing);
        }
        // Of the family members of a child, a member of the family acts on the own row alone: one
        // parent does not write for the other.
        let family = |reach| matches!(reach, Reach::Own | Reach::Ward);
        if !scope.clone().narrowed(|pair| family(pair.reach)).is_empty() {
            let account = self.caller().account().uuid();
            let own = |t| this(t).and(Expr::col((t, "account_id")).eq(Expr::val(account)));
            if let Some(row) = self.found(&scope, &read, own).await?.pop() {
                return Ok(row);
            }
        }
        let others = scope.narrowed(|pair| !family(pair.reach));
        let row = self.found(&others, &read, this).await?.pop().ok_or_else(missing)?;
        Ok(row.through(others.seeing()))
    }

    /// Changes how somebody is reached; whether there was anything to change.
    pub async fn contact_update(
        &mut self,
        row: &Found,
        columns: &[&'static str],
        values: Vec<Option<String>>,
    ) -> Result<bool> {
        let cells = values.into_iter().map(|value| value.map_or(Cell::Null, Cell::Text)).collect();
        let noun = row.noun().shape.name;
        Ok(!self.update(noun, columns, vec![(row, cells)]).await?.is_empty())
    }
}
