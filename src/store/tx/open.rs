//! Break-glass and the exact-match check: the two places where a pupil is looked up beyond the scope of
//! whoever asks. Both answer equality alone, and both count as tries.
//!
//! Nothing read here is shown: a target leaves as an id, a check as yes or no.

use chrono::{DateTime, Utc};
use sea_orm::ActiveEnum;
use sea_orm::sea_query::{Expr, ExprTrait, Query, SelectStatement, Value};
use uuid::Uuid;
use xueji_entity::access_review::ReviewState;
use xueji_entity::value::{Guarded, Narrative, PersonName};

use super::{Found, Touched, Tx, insert_into, names};
use crate::access::action::Action;
use crate::access::filter::Key;
use crate::access::place::{holds_today, nothing, student_lives};
use crate::access::scope::Scope;
use crate::access::shown::{Cell, Reveal, Shown};
use crate::access::table::{Pair, Reach, Uses};
use crate::access::view::Kind;
use crate::error::{Error, Result};
use crate::leak::{self, Leak};
use crate::store::failed;

/// Most reviewers that are told of one use.
const TOLD: u64 = 50;

/// How a pupil out of reach is named, normalised.
#[derive(Clone, Copy, Debug)]
pub enum Target<'t> {
    /// By id.
    Id(Uuid),
    /// By status number and name, both exact.
    Number {
        /// The national student number.
        number: &'t str,
        /// The name as registered.
        name: &'t PersonName,
    },
}

/// A use of break-glass, to be put into the queue of the reviewers.
#[derive(Debug)]
pub struct NewReview<'r> {
    /// The student.
    pub student: Uuid,
    /// The role that lets the caller open records.
    pub opened_as: &'r str,
    /// The reason.
    pub reason: &'r Narrative,
    /// The purpose.
    pub purpose: &'r str,
    /// When the record closes.
    pub expires_at: DateTime<Utc>,
    /// When the review is due.
    pub due_at: DateTime<Utc>,
}

fn col(alias: &'static str, name: &'static str) -> Expr {
    Expr::col((alias, name))
}

impl Tx {
    /// The look-up hash of a text of a sealed column; `INVALID_INPUT` when it cannot be one.
    pub fn lookup_hash(
        &self,
        noun: &'static str,
        column: &'static str,
        field: &'static str,
        text: &str,
    ) -> Result<Vec<u8>> {
        let noun = self.noun(noun)?;
        let kind = noun.field(column).map(|at| noun.shape.fields[at].kind);
        let Some(Kind::Sealed { mask, normal, .. }) = kind else {
            return Err(Error::internal(format!("{column} is not sealed")));
        };
        let normal =
            normal(text).map_err(|error| Error::invalid(field, error.why_en, error.why_zh))?;
        Ok(self.store.codec.hash(mask.name, &normal).to_vec())
    }

    /// Whether a live record has this identity number, as its own or on a document. One statement,
    /// whatever it finds.
    pub async fn identity_registered(&self, hash: Vec<u8>) -> Result<bool> {
        let has = |table: &'static str, column: &'static str, student: &'static str| {
            Expr::exists(
                Query::select()
                    .expr(col("n", "lifecycle"))
                    .from_as(table, "n")
                    .and_where(col("n", column).eq(hash.clone()))
                    .and_where(col("n", "lifecycle").eq("live"))
                    .and_where(student_lives(col("n", student)))
                    .to_owned(),
            )
        };
        let found = has("student", "id_number_hash", "id").or(has(
            "identity_document",
            "number_hash",
            "student_id",
        ));
        let mut query = Query::select();
        query.expr_as(Expr::case(found, "y").finally("n"), "c0");
        let rows = self.select(&query).await?;
        let row = rows.first().ok_or_else(|| Error::internal("a check is one row"))?;
        let found: String = row.try_get_by_index(0).map_err(failed)?;
        if found == "y" && leak::on(Leak::CheckInStatements) {
            self.select(&query).await?;
        }
        Ok(found == "y")
    }

    /// Whether one of the pairs that hold the act has this use of a column.
    pub fn may(&self, noun: &'static str, column: &'static str, uses: Uses) -> Result<bool> {
        let noun = self.noun(noun)?;
        let field = noun.field(column).ok_or_else(|| Error::internal("a column is missing"))?;
        let session = &self.caller.session;
        let acting = self.bits();
        Ok(session.held.iter().enumerate().any(|(bit, held)| {
            acting & (1 << bit) != 0
                && session.table().cell(held.pair, noun.id(field)).uses.contains(uses)
        }))
    }

    /// The live student that is named so, wherever; and whether the caller reaches the record already.
    pub async fn target(&self, target: Target<'_>) -> Result<Option<(Uuid, bool)>> {
        let this = match target {
            Target::Id(id) => col("t0", "id").eq(Expr::val(id)),
            Target::Number { number, name } => {
                let field = "nationalStudentNumber";
                let hash = self.lookup_hash("student", "national_student_number", field, number)?;
                col("t0", "national_student_number_hash")
                    .eq(hash)
                    .and(col("t0", "name").eq(Expr::val(name.clone())))
            }
        };
        let student = self.noun("student")?;
        let scope = Scope::reading(&self.caller, student);
        let reached = if scope.is_empty() { nothing() } else { scope.condition("t0") };
        let mut query = Query::select();
        query
            .expr_as(col("t0", "id"), "c0")
            .expr_as(Expr::case(reached, "y").finally("n"), "c1")
            .from_as("student", "t0")
            .and_where(this)
            .and_where(col("t0", "lifecycle").eq("live"))
            .limit(2);
        let rows = self.select(&query).await?;
        // Two of the same number are none: the number is unique, so this is never a guess.
        match rows.as_slice() {
            [row] => {
                let reached: String = row.try_get_by_index(1).map_err(failed)?;
                Ok(Some((row.try_get_by_index(0).map_err(failed)?, reached == "y")))
            }
            _ => Ok(None),
        }
    }

    /// Whether a review of a record that the caller opened is overdue.
    pub async fn review_overdue(&self) -> Result<bool> {
        let mut query = Query::select();
        query
            .expr_as(col("r", "id"), "c0")
            .from_as("access_review", "r")
            .and_where(col("r", "account_id").eq(Expr::val(self.caller.account().uuid())))
            .and_where(col("r", "state").eq(ReviewState::Waiting.to_value()))
            .and_where(col("r", "due_at").lte(self.now))
            .and_where(col("r", "lifecycle").eq("live"))
            .and_where(student_lives(col("r", "student_id")))
            .limit(1);
        Ok(!self.select(&query).await?.is_empty())
    }

    /// The first role under which the caller holds the act, as the policy names it.
    pub fn acting_role(&self) -> &str {
        let session = &self.caller.session;
        let acting = self.bits();
        session
            .held
            .iter()
            .enumerate()
            .find(|(bit, _)| acting & (1 << bit) != 0)
            .and_then(|(_, held)| session.policy.roles.get(held.pair.role))
            .map_or("", |role| role.name.as_str())
    }

    /// Opens the record: the row of the queue, from which the right itself follows.
    pub async fn open_record(&mut self, review: NewReview<'_>) -> Result<Uuid> {
        let account = self.caller.account().uuid();
        let mut name = Query::select();
        name.expr_as(Expr::col("display_name"), "c0")
            .from("account")
            .and_where(Expr::col("id").eq(Expr::val(account)));
        let rows = self.select(&name).await?;
        let row = rows.first().ok_or_else(|| Error::internal("the account is gone"))?;
        let opened_by: String = row.try_get_by_index(0).map_err(failed)?;
        let id = Uuid::now_v7();
        let columns = names(&[
            "student_id",
            "id",
            "account_id",
            "opened_by",
            "opened_as",
            "reason",
            "purpose",
            "opened_at",
            "expires_at",
            "due_at",
            "state",
            "lifecycle",
            "row_version",
            "updated_at",
        ]);
        let values: Vec<Value> = vec![
            review.student.into(),
            id.into(),
            account.into(),
            opened_by.into(),
            review.opened_as.into(),
            review.reason.clone().into(),
            review.purpose.into(),
            self.now.into(),
            review.expires_at.into(),
            review.due_at.into(),
            ReviewState::Waiting.to_value().into(),
            "live".into(),
            1_i64.into(),
            self.now.into(),
        ];
        self.execute(&insert_into("access_review", columns, [values])?).await?;
        self.touch("access_review")?.inserted.push(Key { student: Some(review.student), id });
        Ok(id)
    }

    /// The accounts of those who may decide over a record of the student today, the caller aside.
    pub async fn reviewers(&self, student: Uuid) -> Result<Vec<Uuid>> {
        let policy = &self.caller.session.policy;
        let Some(action) = policy.actions.id(Action::AccessReviewDecide.name()) else {
            return Ok(Vec::new());
        };
        let roles_at = |reach: Reach| -> Vec<&str> {
            let pairs = policy.actions.pairs(action).filter(|pair: &Pair| pair.reach == reach);
            pairs.filter_map(|pair| Some(policy.roles.get(pair.role)?.name.as_str())).collect()
        };
        let today = self.caller.today();
        let g = |name: &'static str| col("g", name);
        let at = |reach: Reach, place: SelectStatement| {
            g("reach")
                .eq(reach.word())
                .and(g("role").is_in(roles_at(reach)))
                .and(g("organisation_id").in_subquery(place))
        };
        let above = ["id", "county_id", "city_id", "province_id"]
            .into_iter()
            .map(|level| at(Reach::Region, authorities(student, level, today)));
        let place = above.fold(at(Reach::School, schools(student)), |any, place| any.or(place));
        let mut query = Query::select();
        query
            .distinct()
            .expr_as(g("account_id"), "c0")
            .from_as("access_grant", "g")
            .join_as(
                sea_orm::JoinType::InnerJoin,
                "account",
                "a",
                col("a", "id").equals(("g", "account_id")),
            )
            .and_where(col("a", "disabled").eq(false))
            .and_where(g("ended_at").is_null())
            .and_where(g("since").lte(today))
            .and_where(g("until").is_null().or(g("until").gte(today)))
            .and_where(g("expires_at").is_null().or(g("expires_at").gt(self.now)))
            .and_where(g("account_id").ne(Expr::val(self.caller.account().uuid())))
            .and_where(place)
            .order_by_expr(g("account_id"), sea_orm::Order::Asc)
            .limit(TOLD);
        let rows = self.select(&query).await?;
        rows.iter().map(|row| row.try_get_by_index(0).map_err(failed)).collect()
    }

    /// A column of a row in full, by the proof that it may be shown; the audit line names both.
    pub async fn reveal(&mut self, row: &Found, field: usize, proof: Reveal) -> Result<Shown> {
        let shape = &row.noun.shape;
        let column = shape.fields[field].name;
        let read = self.get(shape.name, row.key(), &[column]).await?;
        let touched: &mut Touched = self.touch(shape.name)?;
        touched.shown.push(row.key());
        touched.columns.insert(column);
        Ok(proof.show(read.fact(column)?))
    }

    /// A use of break-glass, within the scope of the act; `NOT_FOUND` otherwise.
    pub async fn review(&self, key: Key) -> Result<ReviewOnFile> {
        let odd = || Error::internal("a review holds another type");
        let columns = ["account_id", "state", "note", "decided_by_id", "decided_at"];
        let row = self.get("access_review", key, &columns).await?;
        let account = row.fact("account_id")?.key().ok_or_else(odd)?;
        let Cell::Text(state) = row.fact("state")? else { return Err(odd()) };
        let state = ReviewState::try_from_value(state).map_err(failed)?;
        Ok(ReviewOnFile { row, account, state })
    }

    /// Writes the decision over a use of break-glass.
    pub async fn decide_review(
        &mut self,
        on_file: &ReviewOnFile,
        state: ReviewState,
        note: Option<Narrative>,
    ) -> Result<()> {
        let columns = ["state", "note", "decided_by_id", "decided_at"];
        let note = note.map_or(Cell::Null, |note| Cell::Text(note.expose().to_owned()));
        let values = vec![
            Cell::Text(state.to_value()),
            note,
            Cell::Key(self.caller.account().uuid()),
            Cell::Instant(self.now),
        ];
        self.update("access_review", &columns, vec![(&on_file.row, values)]).await?;
        Ok(())
    }
}

/// A use of break-glass on file.
#[derive(Clone, Debug)]
pub struct ReviewOnFile {
    row: Found,
    /// Who opened the record.
    pub account: Uuid,
    /// What came of the review so far.
    pub state: ReviewState,
}

impl ReviewOnFile {
    /// The key.
    pub fn key(&self) -> Key {
        self.row.key()
    }
}

/// The school of the student's live enrolment.
fn schools(student: Uuid) -> SelectStatement {
    Query::select()
        .expr(col("en", "school_id"))
        .from_as("enrollment", "en")
        .and_where(col("en", "student_id").eq(Expr::val(student)))
        .and_where(col("en", "live").eq(true))
        .and_where(col("en", "lifecycle").eq("live"))
        .to_owned()
}

/// The authorities of that school today, at one level.
fn authorities(student: Uuid, level: &'static str, today: chrono::NaiveDate) -> SelectStatement {
    Query::select()
        .expr(col("o", level))
        .from_as("school_authority", "sa")
        .join_as(
            sea_orm::JoinType::InnerJoin,
            "organisation",
            "o",
            col("o", "id").equals(("sa", "authority_id")),
        )
        .and_where(col("sa", "school_id").in_subquery(schools(student)))
        .and_where(holds_today("sa", today))
        .and_where(col("o", level).is_not_null())
        .to_owned()
}
