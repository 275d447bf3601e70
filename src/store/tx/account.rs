//! Accounts as the acts over them read and write them: whose account it is, what it holds, its codes and sessions.
//!
//! Every row is read within the places at which the caller holds the act, whether the caller reads such rows or not;
//! none is shown. What may be done with whose account is decided in the domain; codes and passwords come as hashes.

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::sea_query::{
    CaseStatement, Expr, ExprTrait, IntoColumnRef, LockType, Query, SelectStatement, Value,
};
use sea_orm::{ActiveEnum, QueryResult};
use uuid::Uuid;
use xueji_entity::account::AccountKind;
use xueji_entity::value::{LookupHash, PersonName, TokenHash};

use super::{Tx, insert_into, names};
use crate::access::action::Action;
use crate::access::caller::Held;
use crate::access::filter::Key;
use crate::access::place::{
    Writing, among, covered, everything, nothing, student_covered, student_lives,
};
use crate::access::table::Reach;
use crate::access::view::Hangs;
use crate::error::Result;
use crate::store::failed;
use crate::store::grants::CUSTODY;
use crate::store::sign_in::End;

/// Somebody on file to whom an account may be given.
#[derive(Clone, Debug)]
pub struct Person {
    /// Their name.
    pub name: PersonName,
    /// Whether there is an account of theirs already.
    pub has_account: bool,
    /// Whether they have a post in the organisation, or a role over the whole of it comes with that.
    pub senior: bool,
    /// Whether the caller may act on the account of such a person there.
    pub may_senior: bool,
}

/// A family member of a student, with what tells whether two rows are one person.
#[derive(Clone, Debug)]
pub struct Member {
    /// The row.
    pub key: Key,
    /// Name.
    pub name: PersonName,
    /// Hash of the telephone number.
    pub phone: Option<LookupHash>,
    /// Hash of the number of the identity document.
    pub id_number: Option<LookupHash>,
    /// The account, if the row has one.
    pub account: Option<Uuid>,
    /// The live guardianships with custody, with their first and last days.
    pub custody: Vec<(Uuid, NaiveDate, Option<NaiveDate>)>,
}

/// Whose account an act is about, as it is named.
#[derive(Clone, Debug)]
pub enum Whose {
    /// By its id.
    Account(Uuid),
    /// By its login.
    Login(String),
    /// That of a member of staff.
    Staff(Uuid),
    /// That of a student.
    Student(Uuid),
    /// That of a family member.
    Guardian(Key),
}

/// An account within the act's places.
#[derive(Clone, Copy, Debug)]
pub struct Subject {
    /// The account.
    pub account: Uuid,
    /// Whose it is.
    pub kind: AccountKind,
    /// Whether signing in is barred.
    pub disabled: bool,
    /// Something that it holds lies beyond the places at which the caller holds the act.
    pub beyond: bool,
    /// It holds a role over a whole school, or its owner has a post there, where the caller may not act on such.
    pub above: bool,
}

/// An account to be made.
#[derive(Clone, Debug)]
pub struct NewAccount<'a> {
    /// Key.
    pub id: Uuid,
    /// Name to sign in with.
    pub login: &'a str,
    /// Whose.
    pub kind: AccountKind,
    /// Name shown beside acts.
    pub name: PersonName,
    /// The member of staff.
    pub staff: Option<Uuid>,
    /// The student.
    pub student: Option<Uuid>,
}

/// A code by which a password is set.
#[derive(Clone, Debug)]
pub struct NewCode {
    /// For whom.
    pub account: Uuid,
    /// The hash.
    pub hash: TokenHash,
    /// Whether it is the first of the account, or one after a reset.
    pub first: bool,
    /// Until when it may be used.
    pub expires_at: DateTime<Utc>,
}

fn col(alias: &'static str, name: &'static str) -> Expr {
    Expr::col((alias, name))
}

/// The columns of an account as it is made.
pub(in crate::store) const ACCOUNT: [&str; 8] =
    ["id", "login", "kind", "display_name", "staff_id", "student_id", "disabled", "created_at"];

impl NewAccount<'_> {
    pub(in crate::store) fn values(&self, now: DateTime<Utc>) -> Vec<Value> {
        vec![
            self.id.into(),
            self.login.into(),
            self.kind.to_value().into(),
            self.name.clone().into(),
            self.staff.into(),
            self.student.into(),
            false.into(),
            now.into(),
        ]
    }
}

/// The columns of a code as it is made.
pub(in crate::store) const CODE: [&str; 7] =
    ["id", "account_id", "hash", "purpose", "created_at", "expires_at", "created_by_id"];

impl NewCode {
    pub(in crate::store) fn values(&self, now: DateTime<Utc>, by: Option<Uuid>) -> Vec<Value> {
        vec![
            Uuid::now_v7().into(),
            self.account.into(),
            self.hash.as_bytes().to_vec().into(),
            if self.first { "activate" } else { "reset" }.into(),
            now.into(),
            self.expires_at.into(),
            by.into(),
        ]
    }
}

/// The guardianships that give a family member the record of the student: those with custody, that have not ended.
pub(in crate::store) fn with_custody(alias: &'static str, today: NaiveDate) -> Expr {
    col(alias, "lifecycle")
        .eq("live")
        .and(col(alias, "custody").is_in(CUSTODY.map(|custody| custody.to_value())))
        .and(col(alias, "until").is_null().or(col(alias, "until").gte(today)))
}

/// A post in an organisation, today or later, of the member of staff in `staff`.
pub(in crate::store) fn has_post(staff: impl IntoColumnRef, today: NaiveDate) -> Expr {
    Expr::exists(
        Query::select()
            .expr(col("dp", "id"))
            .from_as("duty", "dp")
            .and_where(col("dp", "staff_id").equals(staff))
            .and_where(col("dp", "kind").eq("post"))
            .and_where(col("dp", "until").is_null().or(col("dp", "until").gte(today)))
            .to_owned(),
    )
}

impl Tx {
    fn writing(&self) -> Writing {
        let account = Some(self.caller.account().uuid());
        Writing { backend: self.caller.backend, today: self.caller.today(), account }
    }

    /// The held pairs that hold the act.
    fn acting_pairs(&self) -> Vec<&Held> {
        let held = self.caller.session.held.iter().enumerate();
        held.filter(|(bit, _)| self.bits() & (1 << bit) != 0).map(|(_, held)| held).collect()
    }

    /// Those of them that may act on the account of somebody who stands over a whole school.
    fn senior_pairs(&self) -> Vec<&Held> {
        let actions = &self.caller.session.policy.actions;
        let Some(id) = actions.id(Action::AccountSenior.name()) else { return Vec::new() };
        let mut pairs = self.acting_pairs();
        pairs.retain(|held| actions.may(&[held.pair], id).is_some());
        pairs
    }

    /// `student` is one at the places of these pairs.
    fn student_within(&self, student: &Expr, pairs: &[&Held]) -> Expr {
        pairs.iter().fold(nothing(), |any, held| {
            let places = &held.places;
            any.or(student_covered(student.clone(), held.pair.reach, places, self.writing()))
        })
    }

    /// The member of staff under this alias is one at the places of these pairs.
    fn staff_within(&self, alias: &'static str, pairs: &[&Held]) -> Expr {
        pairs.iter().fold(nothing(), |any, held| {
            any.or(match held.pair.reach {
                Reach::Anywhere => everything(),
                Reach::Own
                | Reach::Ward
                | Reach::Opened
                | Reach::Teaching
                | Reach::Class
                | Reach::YearLevel
                | Reach::School
                | Reach::Region => covered(Hangs::Staff, alias, held, self.writing()),
            })
        })
    }

    /// The grant under this alias is one at the places of these pairs: of a student, a class, a year level or a school
    /// there.
    fn grant_within(&self, alias: &'static str, pairs: &[&Held]) -> Expr {
        let writing = self.writing();
        pairs.iter().fold(nothing(), |any, held| {
            let schools = &held.places.organisations;
            any.or(match held.pair.reach {
                Reach::Anywhere => everything(),
                Reach::School => {
                    let classes = Query::select()
                        .expr(col("cw", "id"))
                        .from_as("class_group", "cw")
                        .and_where(among(col("cw", "school_id"), schools, writing.backend))
                        .to_owned();
                    let levels = Query::select()
                        .expr(col("yw", "id"))
                        .from_as("year_level", "yw")
                        .and_where(among(col("yw", "school_id"), schools, writing.backend))
                        .to_owned();
                    let student = col(alias, "student_id");
                    let of_student = student_covered(student, Reach::School, &held.places, writing);
                    let school = among(col(alias, "organisation_id"), schools, writing.backend);
                    col(alias, "student_id")
                        .is_not_null()
                        .and(of_student)
                        .or(col(alias, "class_group_id").in_subquery(classes))
                        .or(col(alias, "year_level_id").in_subquery(levels))
                        .or(col(alias, "reach").eq(Reach::School.word()).and(school))
                }
                Reach::Own
                | Reach::Ward
                | Reach::Opened
                | Reach::Teaching
                | Reach::Class
                | Reach::YearLevel
                | Reach::Region => nothing(),
            })
        })
    }

    /// Whether whoever acts reads rows of a noun under the pairs that hold the act.
    pub fn reads(&self, noun: &'static str) -> Result<bool> {
        Ok(self.caller.session.seeing(self.noun(noun)?) & self.bits() != 0)
    }

    /// Locks rows until the act ends, so that of two acts on them the later one sees what the first has done.
    async fn lock(&self, table: &'static str, condition: Expr) -> Result<()> {
        let mut query = Query::select();
        query
            .expr_as(Expr::col("id"), "c0")
            .from(table)
            .and_where(condition)
            .lock(LockType::NoKeyUpdate);
        self.select(&query).await.map(|_rows| ())
    }

    /// The member of staff with this id, within the act's places.
    pub async fn staff_member(&self, id: Uuid) -> Result<Option<Person>> {
        self.lock("staff", Expr::col("id").eq(Expr::val(id))).await?;
        let senior = self.staff_within("s", &self.senior_pairs());
        let mut query = Query::select();
        query
            .expr_as(col("s", "name"), "c0")
            .expr_as(exists_account("staff_id", ("s", "id")), "c1")
            .expr_as(truth(has_post(("s", "id"), self.caller.today())), "c2")
            .expr_as(truth(senior), "c3")
            .from_as("staff", "s")
            .and_where(col("s", "id").eq(Expr::val(id)))
            .and_where(col("s", "lifecycle").eq("live"))
            .and_where(self.staff_within("s", &self.acting_pairs()));
        self.select(&query).await?.first().map(person).transpose()
    }

    /// The student with this id, within the act's places.
    pub async fn student_person(&self, id: Uuid) -> Result<Option<Person>> {
        self.lock("student", Expr::col("id").eq(Expr::val(id))).await?;
        let mut query = Query::select();
        query
            .expr_as(col("s", "name"), "c0")
            .expr_as(exists_account("student_id", ("s", "id")), "c1")
            .expr_as(truth(nothing()), "c2")
            .expr_as(truth(everything()), "c3")
            .from_as("student", "s")
            .and_where(col("s", "id").eq(Expr::val(id)))
            .and_where(col("s", "lifecycle").eq("live"))
            .and_where(self.student_within(&col("s", "id"), &self.acting_pairs()));
        self.select(&query).await?.first().map(person).transpose()
    }

    /// The family members with these keys, within the act's places, with their custody.
    pub async fn members(&self, keys: &[Key]) -> Result<Vec<Member>> {
        let named = |alias: Option<&'static str>| {
            let at = |name: &'static str| match alias {
                Some(alias) => col(alias, name),
                None => Expr::col(name),
            };
            keys.iter().fold(nothing(), |any, key| {
                any.or(at("student_id")
                    .eq(Expr::val(key.student))
                    .and(at("id").eq(Expr::val(key.id))))
            })
        };
        self.lock("guardian", named(None)).await?;
        let today = self.caller.today();
        let mut query = Query::select();
        query
            .expr_as(col("g", "student_id"), "c0")
            .expr_as(col("g", "id"), "c1")
            .expr_as(col("g", "name"), "c2")
            .expr_as(col("g", "phone_hash"), "c3")
            .expr_as(col("g", "id_number_hash"), "c4")
            .expr_as(col("g", "account_id"), "c5")
            .expr_as(col("gs", "since"), "c6")
            .expr_as(col("gs", "until"), "c7")
            .expr_as(col("gs", "id"), "c8")
            .from_as("guardian", "g")
            .join_as(
                sea_orm::JoinType::LeftJoin,
                "guardianship",
                "gs",
                col("gs", "student_id")
                    .equals(("g", "student_id"))
                    .and(col("gs", "guardian_id").equals(("g", "id")))
                    .and(with_custody("gs", today)),
            )
            .and_where(named(Some("g")))
            .and_where(col("g", "lifecycle").eq("live"))
            .and_where(student_lives(col("g", "student_id")))
            .and_where(self.student_within(&col("g", "student_id"), &self.acting_pairs()))
            .order_by_expr(col("g", "id"), sea_orm::Order::Asc)
            .order_by_expr(col("gs", "since"), sea_orm::Order::Asc);
        let mut members: Vec<Member> = Vec::new();
        for row in &self.select(&query).await? {
            let key = Key {
                student: Some(row.try_get_by_index(0).map_err(failed)?),
                id: row.try_get_by_index(1).map_err(failed)?,
            };
            if members.last().is_none_or(|last| last.key != key) {
                members.push(Member {
                    key,
                    name: row.try_get_by_index(2).map_err(failed)?,
                    phone: row.try_get_by_index(3).map_err(failed)?,
                    id_number: row.try_get_by_index(4).map_err(failed)?,
                    account: row.try_get_by_index(5).map_err(failed)?,
                    custody: Vec::new(),
                });
            }
            let since: Option<NaiveDate> = row.try_get_by_index(6).map_err(failed)?;
            if let (Some(since), Some(last)) = (since, members.last_mut()) {
                let guardianship = row.try_get_by_index(8).map_err(failed)?;
                let until = row.try_get_by_index(7).map_err(failed)?;
                last.custody.push((guardianship, since, until));
            }
        }
        Ok(members)
    }

    /// The account that is named, within the act's places, locked.
    pub async fn subject(&self, whose: &Whose) -> Result<Option<Subject>> {
        let named = match whose {
            Whose::Account(id) => Expr::col("id").eq(Expr::val(*id)),
            Whose::Login(login) => Expr::col("login").eq(login.as_str()),
            Whose::Staff(id) => Expr::col("staff_id").eq(Expr::val(*id)),
            Whose::Student(id) => Expr::col("student_id").eq(Expr::val(*id)),
            Whose::Guardian(key) => Expr::col("id").in_subquery(
                Query::select()
                    .expr(col("gn", "account_id"))
                    .from_as("guardian", "gn")
                    .and_where(col("gn", "student_id").eq(Expr::val(key.student)))
                    .and_where(col("gn", "id").eq(Expr::val(key.id)))
                    .and_where(col("gn", "lifecycle").eq("live"))
                    .to_owned(),
            ),
        };
        let mut query = Query::select();
        query
            .expr_as(Expr::col("id"), "c0")
            .from("account")
            .and_where(named)
            .order_by_expr(Expr::col("id"), sea_orm::Order::Asc)
            .limit(1)
            .lock(LockType::NoKeyUpdate);
        let rows = self.select(&query).await?;
        let id: Option<Uuid> =
            rows.first().map(|row| row.try_get_by_index(0).map_err(failed)).transpose()?;
        // Asked for nobody as well: an account that is out of reach costs what one costs that was never made.
        let id = id.unwrap_or(Uuid::nil());
        let rows = self.select(&self.subject_query(id)).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let kind: String = row.try_get_by_index(0).map_err(failed)?;
        Ok(Some(Subject {
            account: id,
            kind: AccountKind::try_from_value(&kind).map_err(failed)?,
            disabled: row.try_get_by_index(1).map_err(failed)?,
            beyond: flag(row, 2)?,
            above: flag(row, 3)?,
        }))
    }

    fn subject_query(&self, id: Uuid) -> SelectStatement {
        let (pairs, seniors) = (self.acting_pairs(), self.senior_pairs());
        let today = self.caller.today();
        let anywhere = pairs.iter().any(|held| held.pair.reach == Reach::Anywhere);
        let held = |condition: Expr| {
            Expr::exists(
                Query::select()
                    .expr(col("ag", "id"))
                    .from_as("access_grant", "ag")
                    .and_where(col("ag", "account_id").equals(("a", "id")))
                    .and_where(col("ag", "ended_at").is_null())
                    .and_where(col("ag", "until").is_null().or(col("ag", "until").gte(today)))
                    .and_where(
                        col("ag", "expires_at").is_null().or(col("ag", "expires_at").gt(self.now)),
                    )
                    .and_where(condition)
                    .to_owned(),
            )
        };
        let of_family = |condition: Expr| {
            Expr::exists(
                Query::select()
                    .expr(col("gf", "id"))
                    .from_as("guardian", "gf")
                    .and_where(col("gf", "account_id").equals(("a", "id")))
                    .and_where(col("gf", "lifecycle").eq("live"))
                    .and_where(condition)
                    .to_owned(),
            )
        };
        let of_staff = |condition: Expr| {
            Expr::exists(
                Query::select()
                    .expr(col("sf", "id"))
                    .from_as("staff", "sf")
                    .and_where(col("sf", "id").equals(("a", "staff_id")))
                    .and_where(condition)
                    .to_owned(),
            )
        };
        let ward = col("gf", "student_id");
        // A condition that is unknown for a row is not met by it.
        let met = |condition: Expr| truth(condition).eq(1);
        let beyond = held(met(self.grant_within("ag", &pairs)).not())
            .or(of_family(met(self.student_within(&ward, &pairs)).not()));
        let senior_grant = col("ag", "reach").is_in(["school", "region", "anywhere"]);
        let senior_staff =
            has_post(("sf", "id"), today).and(met(self.staff_within("sf", &seniors)).not());
        let above = held(senior_grant.and(met(self.grant_within("ag", &seniors)).not()))
            .or(of_staff(senior_staff));
        let within = if anywhere {
            everything()
        } else {
            of_staff(self.staff_within("sf", &pairs))
                .or(col("a", "student_id")
                    .is_not_null()
                    .and(self.student_within(&col("a", "student_id"), &pairs)))
                .or(of_family(self.student_within(&ward, &pairs)))
        };
        Query::select()
            .expr_as(col("a", "kind"), "c0")
            .expr_as(col("a", "disabled"), "c1")
            .expr_as(truth(beyond), "c2")
            .expr_as(truth(above), "c3")
            .from_as("account", "a")
            .and_where(col("a", "id").eq(Expr::val(id)))
            .and_where(within)
            .to_owned()
    }

    /// Whether a login is in use.
    pub async fn login_taken(&self, login: &str) -> Result<bool> {
        let mut query = Query::select();
        query
            .expr_as(Expr::col("id"), "c0")
            .from("account")
            .and_where(Expr::col("login").eq(login));
        Ok(!self.select(&query).await?.is_empty())
    }

    /// Makes an account.
    pub async fn make_account(&mut self, new: &NewAccount<'_>) -> Result<()> {
        self.execute(&insert_into("account", names(&ACCOUNT), [new.values(self.now)])?).await?;
        let touched = self.touch("account")?;
        touched.inserted.push(Key { student: None, id: new.id });
        touched.columns.extend(["login", "kind", "staff_id", "student_id"]);
        Ok(())
    }

    /// Names the account on the rows of family members.
    pub async fn name_account(&mut self, members: &[Key], account: Uuid) -> Result<()> {
        for key in members {
            let mut update = Query::update();
            update
                .table("guardian")
                .value("account_id", Expr::val(account))
                .and_where(Expr::col("student_id").eq(Expr::val(key.student)))
                .and_where(Expr::col("id").eq(Expr::val(key.id)))
                .and_where(Expr::col("account_id").is_null());
            if self.execute(&update).await? != 1 {
                return Err(crate::error::Error::Conflict { what: "guardian".into() });
            }
        }
        let touched = self.touch("guardian")?;
        touched.updated.extend(members);
        touched.columns.insert("account_id");
        Ok(())
    }

    /// Makes a code; every earlier one of the account is good no more.
    pub async fn make_code(&mut self, new: &NewCode) -> Result<()> {
        self.withdraw_codes(new.account).await?;
        let by = Some(self.caller.account().uuid());
        self.execute(&insert_into("activation_code", names(&CODE), [new.values(self.now, by)])?)
            .await?;
        Ok(())
    }

    /// Withdraws the codes of an account that were not used.
    pub async fn withdraw_codes(&mut self, account: Uuid) -> Result<()> {
        let mut update = Query::update();
        update
            .table("activation_code")
            .value("used_at", Expr::val(self.now))
            .and_where(Expr::col("account_id").eq(Expr::val(account)))
            .and_where(Expr::col("used_at").is_null());
        self.execute(&update).await.map(|_count| ())
    }

    /// Bars an account, or lets it in again.
    pub async fn bar(&mut self, account: Uuid, disabled: bool) -> Result<()> {
        let mut update = Query::update();
        update
            .table("account")
            .value("disabled", Expr::val(disabled))
            .and_where(Expr::col("id").eq(Expr::val(account)));
        self.execute(&update).await?;
        let touched = self.touch("account")?;
        touched.updated.push(Key { student: None, id: account });
        touched.columns.insert("disabled");
        Ok(())
    }

    /// Ends the sessions of an account.
    pub async fn end_sessions_of(&mut self, account: Uuid, why: End) -> Result<()> {
        let mut update = Query::update();
        update
            .table("login_session")
            .value("ended_at", Expr::val(self.now))
            .value("end_reason", Expr::val(why.word()))
            .and_where(Expr::col("account_id").eq(Expr::val(account)))
            .and_where(Expr::col("ended_at").is_null());
        self.execute(&update).await.map(|_count| ())
    }

    /// Withdraws the password of an account, and its second factor where that is lost as well.
    pub async fn withdraw_password(&mut self, account: Uuid, factor: bool) -> Result<()> {
        let mut query = Query::select();
        query
            .expr_as(Expr::col("password_hash"), "c0")
            .from("credential")
            .and_where(Expr::col("id").eq(Expr::val(account)))
            .and_where(Expr::col("password_hash").is_not_null());
        if let Some(row) = self.select(&query).await?.first() {
            // What was withdrawn is not chosen again.
            let former: String = row.try_get_by_index(0).map_err(failed)?;
            let columns = names(&["id", "account_id", "hash", "at"]);
            let values: Vec<Value> =
                vec![Uuid::now_v7().into(), account.into(), former.into(), self.now.into()];
            self.execute(&insert_into("password_history", columns, [values])?).await?;
        }
        let mut update = Query::update();
        update
            .table("credential")
            .value("password_hash", Expr::val(None::<String>))
            .value("failures", Expr::val(0_i64))
            .value("locked_until", Expr::val(None::<DateTime<Utc>>))
            .and_where(Expr::col("id").eq(Expr::val(account)));
        if factor {
            update
                .value("totp_secret", Expr::val(None::<Vec<u8>>))
                .value("totp_since", Expr::val(None::<DateTime<Utc>>))
                .value("totp_last_step", Expr::val(None::<i64>));
        }
        self.execute(&update).await?;
        if factor {
            let mut delete = Query::delete();
            delete
                .from_table("recovery_code")
                .and_where(Expr::col("account_id").eq(Expr::val(account)));
            self.execute(&delete).await?;
        }
        let touched = self.touch("account")?;
        touched.updated.push(Key { student: None, id: account });
        touched.columns.insert("password");
        if factor {
            touched.columns.insert("second_factor");
        }
        Ok(())
    }
}

/// A condition as a number, which both databases read alike; unknown is nought.
fn truth(condition: Expr) -> Expr {
    CaseStatement::new().case(condition, 1_i64).finally(0_i64).into()
}

fn flag(row: &QueryResult, at: usize) -> Result<bool> {
    Ok(row.try_get_by_index::<i64>(at).map_err(failed)? == 1)
}

fn exists_account(column: &'static str, owner: (&'static str, &'static str)) -> Expr {
    truth(Expr::exists(
        Query::select()
            .expr(col("ax", "id"))
            .from_as("account", "ax")
            .and_where(col("ax", column).equals(owner))
            .to_owned(),
    ))
}

fn person(row: &QueryResult) -> Result<Person> {
    Ok(Person {
        name: row.try_get_by_index(0).map_err(failed)?,
        has_account: flag(row, 1)?,
        senior: flag(row, 2)?,
        may_senior: flag(row, 3)?,
    })
}
