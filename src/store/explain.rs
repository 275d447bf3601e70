//! Which grants cover a student, one by one: for explanations, which show no value.

use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait, Query};
use uuid::Uuid;

use super::{Store, failed};
use crate::access::caller::{Grant, Held};
use crate::access::place::{Writing, covered};
use crate::access::scope::Scope;
use crate::error::Result;

const STUDENT: &str = "t0";

impl Store {
    /// For each grant whether it covers the student today; none when the student does not exist in the
    /// scope. One statement, whatever it finds.
    pub async fn covering(
        &self,
        scope: &Scope,
        student: Uuid,
        grants: &[Grant],
    ) -> Result<Option<Vec<bool>>> {
        let caller = scope.caller();
        let noun = scope.noun();
        // The rows asked about are students, who are nobody's for what somebody did.
        let writing = Writing { backend: caller.backend, today: caller.today(), account: None };
        let mut query = Query::select();
        query.expr_as(Expr::col((STUDENT, "id")), "c0").from_as(noun.shape.name, STUDENT);
        for (at, grant) in grants.iter().enumerate() {
            let holds = covered(noun.shape.hangs, STUDENT, &Held::of(grant), writing);
            let bit = CaseStatement::new().case(holds, Expr::val(1_i64)).finally(Expr::val(0_i64));
            query.expr_as(Expr::Case(Box::new(bit)), format!("c{}", at + 1));
        }
        query
            .and_where(Expr::col((STUDENT, "id")).eq(Expr::val(student)))
            .and_where(scope.condition(STUDENT));
        let rows = self.by_keys(caller, &query).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let covers = (1..=grants.len())
            .map(|at| Ok(row.try_get_by_index::<i64>(at).map_err(failed)? == 1))
            .collect::<Result<_>>()?;
        Ok(Some(covers))
    }
}
