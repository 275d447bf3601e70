//! `account.create`: an account for a member of staff, a student or a guardian who is on file.
//!
//! A student gets the grant of the own record, a guardian those of the wards for as long as each guardianship lasts.
//! What a member of staff may do comes with duties and grants, never with the account.

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use xueji_entity::account::AccountKind;
use xueji_entity::value::PersonName;

use super::{above, check_login, login_taken, refused, secret};
use crate::access::action::Action;
use crate::access::filter::Key;
use crate::access::table::Reach;
use crate::config::secret::SecretText;
use crate::domain::Cx;
use crate::domain::act::Act;
use crate::error::{Error, Result};
use crate::store::tx::{Member, NewAccount, NewCode, OwnGrant, Tx};
use chrono::{DateTime, Days, Utc};

/// Most rows of one guardian that an account is made for.
const CHILDREN: usize = 20;

/// For whom an account is made; none for an id that cannot be one.
#[derive(Clone, Debug)]
pub enum For {
    /// A member of staff.
    Staff(Option<Uuid>),
    /// A student.
    Student(Option<Uuid>),
    /// A guardian, by the rows of each child.
    Guardian(Vec<Option<Key>>),
}

/// An account to be made.
#[derive(Debug)]
pub struct Create {
    /// Name to sign in with.
    pub login: String,
    /// For whom.
    pub who: For,
}

/// An account that was made.
#[derive(Debug)]
pub struct Created {
    /// The account.
    pub account: Uuid,
    /// The code by which its owner sets the password, told this once.
    pub code: SecretText,
    /// Until when the code may be used.
    pub expires_at: DateTime<Utc>,
}

/// What is kept of an act that is not repeated: nothing.
#[derive(Debug, Serialize, Deserialize)]
struct Made {
    account: Uuid,
}

#[derive(Serialize)]
struct Creating<'c> {
    #[serde(skip)]
    create: &'c Create,
    #[serde(skip)]
    code: NewCode,
}

/// Makes an account.
pub async fn create(cx: &Cx, create: &Create) -> Result<Created> {
    check_login("login", &create.login)?;
    let expires_at = code_expires(cx);
    let (code, hash) = secret::code();
    let new = NewCode { account: Uuid::nil(), hash, first: true, expires_at };
    let Made { account } = cx.act(&Creating { create, code: new }, None).await?;
    Ok(Created { account, code, expires_at })
}

/// Until when a code that is made now may be used.
pub(super) fn code_expires(cx: &Cx) -> DateTime<Utc> {
    let now = cx.clock.now();
    now.checked_add_days(Days::new(u64::from(cx.budget.accounts.activation_days))).unwrap_or(now)
}

/// Whose account is made, as found.
struct Owner {
    kind: AccountKind,
    name: PersonName,
    staff: Option<Uuid>,
    student: Option<Uuid>,
    members: Vec<Member>,
}

fn has_account() -> Error {
    refused(
        "ACCOUNT_EXISTS",
        "this person has an account already; give a new code for it instead",
        "此人已有账户；请改为为该账户重新发放激活码",
    )
}

/// What rests on the register says no more than that to whoever does not read it.
fn unseen() -> Error {
    refused(
        "GUARDIAN_BY_THE_SCHOOL",
        "this account cannot be made from here; the school, which keeps the register, must look at it",
        "此账户不能在此建立；请由掌握登记信息的学校办理",
    )
}

/// The rows of one guardian, which must be those of one person.
fn one_person(members: &[Member]) -> Result<()> {
    let Some((first, rest)) = members.split_first() else { return Ok(()) };
    let same = |other: &Member| {
        let agree = |a: &Option<_>, b: &Option<_>| a.is_some() && a == b;
        let differ = first.id_number.is_some()
            && other.id_number.is_some()
            && first.id_number != other.id_number;
        first.name == other.name
            && !differ
            && (agree(&first.id_number, &other.id_number) || agree(&first.phone, &other.phone))
    };
    if rest.iter().all(same) {
        return Ok(());
    }
    Err(refused(
        "GUARDIAN_DIFFERS",
        "these rows are not known to be of one person; make an account for each, or correct the register first",
        "无法确认这些监护人记录属于同一人；请分别建立账户，或先更正登记信息",
    ))
}

impl Act for Creating<'_> {
    const ACTION: Action = Action::AccountCreate;
    type Facts = Owner;
    type Done = Made;

    async fn load(&self, tx: &Tx) -> Result<Owner> {
        let owner = match &self.create.who {
            For::Staff(id) => {
                let not_found = || Error::not_found("Staff");
                let id = id.ok_or_else(not_found)?;
                let person = tx.staff_member(id).await?.ok_or_else(not_found)?;
                if person.has_account {
                    return Err(has_account());
                }
                if person.senior && !person.may_senior {
                    return Err(above());
                }
                Owner {
                    kind: AccountKind::Staff,
                    name: person.name,
                    staff: Some(id),
                    student: None,
                    members: Vec::new(),
                }
            }
            For::Student(id) => {
                let not_found = || Error::not_found("Student");
                let id = id.ok_or_else(not_found)?;
                let person = tx.student_person(id).await?.ok_or_else(not_found)?;
                if person.has_account {
                    return Err(has_account());
                }
                Owner {
                    kind: AccountKind::Student,
                    name: person.name,
                    staff: None,
                    student: Some(id),
                    members: Vec::new(),
                }
            }
            For::Guardian(rows) => guardian(tx, rows).await?,
        };
        if tx.login_taken(&self.create.login).await? {
            return Err(login_taken());
        }
        Ok(owner)
    }

    async fn write(&self, tx: &mut Tx, owner: Owner) -> Result<Made> {
        let Owner { kind, name, staff, student, members } = owner;
        let id = Uuid::now_v7();
        let login = self.create.login.as_str();
        tx.make_account(&NewAccount { id, login, kind, name, staff, student }).await?;
        let today = tx.caller().today();
        let mut grants: Vec<OwnGrant> = Vec::new();
        if let Some(student) = student {
            let (role, reach) = ("student", Reach::Own);
            grants.push(OwnGrant {
                account: id,
                role,
                reach,
                student,
                since: today,
                until: None,
                guardianship: None,
            });
        }
        grants.extend(wards(id, &members));
        tx.give_own(&grants).await?;
        let rows: Vec<Key> = members.iter().map(|member| member.key).collect();
        if !rows.is_empty() {
            tx.name_account(&rows, id).await?;
        }
        tx.make_code(&NewCode { account: id, ..self.code.clone() }).await?;
        Ok(Made { account: id })
    }
}

/// The grants of a guardian's account: one for each guardianship with custody.
pub(super) fn wards(account: Uuid, members: &[Member]) -> Vec<OwnGrant> {
    let (role, reach) = ("guardian", Reach::Ward);
    let of = |member: &Member| -> Vec<OwnGrant> {
        let Some(student) = member.key.student else { return Vec::new() };
        let grant = |(guardianship, since, until): &(_, _, _)| OwnGrant {
            account,
            role,
            reach,
            student,
            since: *since,
            until: *until,
            guardianship: Some(*guardianship),
        };
        member.custody.iter().map(grant).collect()
    };
    members.iter().flat_map(of).collect()
}

async fn guardian(tx: &Tx, rows: &[Option<Key>]) -> Result<Owner> {
    let not_found = || Error::not_found("Guardian");
    if !(1..=CHILDREN).contains(&rows.len()) {
        return Err(Error::invalid(
            "guardianIds",
            format!("name 1 to {CHILDREN} rows of the guardian, one for each child"),
            format!("请指明监护人的 1 至 {CHILDREN} 条记录，每个孩子一条"),
        ));
    }
    let mut keys: Vec<Key> = rows.iter().copied().collect::<Option<_>>().ok_or_else(not_found)?;
    keys.sort_unstable();
    keys.dedup();
    let members = tx.members(&keys).await?;
    if members.len() != keys.len() {
        return Err(not_found());
    }
    let refused_for = |error: Error| if tx.reads("guardian")? { Err(error) } else { Err(unseen()) };
    if members.iter().any(|member| member.account.is_some()) {
        return refused_for(has_account());
    }
    if members.iter().any(|member| member.custody.is_empty()) {
        return refused_for(refused(
            "GUARDIAN_WITHOUT_CUSTODY",
            "there is no guardianship with custody today for one of these rows; an account would see nothing",
            "其中有记录当前没有有效的监护关系；账户将无法查看任何内容",
        ));
    }
    if let Err(error) = one_person(&members) {
        return refused_for(error);
    }
    let name = members.first().map(|member| member.name.clone()).ok_or_else(not_found)?;
    Ok(Owner { kind: AccountKind::Guardian, name, staff: None, student: None, members })
}
