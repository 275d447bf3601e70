//! What a password must not be made of: what is on file about the person behind an account.
//!
//! Read for that alone, and told to nobody; a refusal says which kind of thing it was.

use chrono::NaiveDate;
use sea_orm::QueryResult;
use sea_orm::sea_query::{Expr, ExprTrait, Query, SelectStatement};
use uuid::Uuid;

use crate::error::Result;
use crate::store::{Store, failed};

/// What is known of the person behind an account.
#[derive(Clone, Default)]
pub struct Personal {
    /// The login.
    pub login: String,
    /// Names, in characters and in letters.
    pub names: Vec<String>,
    /// Birth dates: one's own, or those of the children whose guardian one is.
    pub birth_dates: Vec<NaiveDate>,
    /// Telephone numbers.
    pub phones: Vec<String>,
}

impl std::fmt::Debug for Personal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Personal(…)")
    }
}

impl Store {
    /// What is known of the person behind an account: of a member of staff, a pupil, a guardian with the children.
    pub async fn personal(&self, account: Uuid) -> Result<Personal> {
        let mut known = Personal::default();
        let mut query = Query::select();
        for (at, column) in
            ["login", "display_name", "staff_id", "student_id"].into_iter().enumerate()
        {
            query.expr_as(Expr::col(column), format!("c{at}"));
        }
        query.from("account").and_where(Expr::col("id").eq(Expr::val(account)));
        let rows = self.select(&query).await?;
        let Some(row) = rows.first() else { return Ok(known) };
        known.login = row.try_get_by_index(0).map_err(failed)?;
        known.names.push(row.try_get_by_index(1).map_err(failed)?);
        let staff: Option<Uuid> = row.try_get_by_index(2).map_err(failed)?;
        let student: Option<Uuid> = row.try_get_by_index(3).map_err(failed)?;
        if let Some(staff) = staff {
            let query = of("staff", Expr::col("id").eq(Expr::val(staff)), false);
            self.learn("staff", &query, &mut known).await?;
        }
        let own = of("guardian", Expr::col("account_id").eq(Expr::val(account)), false);
        self.learn("guardian", &own, &mut known).await?;
        let wards = Query::select()
            .column("student_id")
            .from("guardian")
            .and_where(Expr::col("account_id").eq(Expr::val(account)))
            .to_owned();
        let mut whose = Expr::col("id").in_subquery(wards);
        if let Some(student) = student {
            whose = whose.or(Expr::col("id").eq(Expr::val(student)));
        }
        self.learn("student", &of("student", whose, true), &mut known).await?;
        Ok(known)
    }

    async fn learn(
        &self,
        table: &str,
        query: &SelectStatement,
        known: &mut Personal,
    ) -> Result<()> {
        for row in &self.select(query).await? {
            let id: Uuid = row.try_get_by_index(0).map_err(failed)?;
            known.names.push(row.try_get_by_index(1).map_err(failed)?);
            let sealed: Option<Vec<u8>> = row.try_get_by_index(2).map_err(failed)?;
            if let Some(sealed) = sealed {
                known.phones.push(self.codec.open(table, "phone", id, &sealed)?);
            }
            if table == "student" {
                let pinyin: Option<String> = column(row, 3)?;
                known.names.extend(pinyin);
                let birth: Option<NaiveDate> = column(row, 4)?;
                known.birth_dates.extend(birth);
            }
        }
        Ok(())
    }
}

fn column<T: sea_orm::TryGetable>(row: &QueryResult, at: usize) -> Result<Option<T>> {
    row.try_get_by_index(at).map_err(failed)
}

fn of(table: &'static str, which: Expr, student: bool) -> SelectStatement {
    let mut query = Query::select();
    query
        .expr_as(Expr::col("id"), "c0")
        .expr_as(Expr::col("name"), "c1")
        .expr_as(Expr::col("phone"), "c2");
    if student {
        query.expr_as(Expr::col("name_pinyin"), "c3").expr_as(Expr::col("birth_date"), "c4");
    }
    query.from(table).and_where(which).limit(20);
    query
}
