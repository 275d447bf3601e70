//! Accounts in bulk: the rows of a file matched with the staff of a school, or with the guardians of a class.
//!
//! What is wrong with a row is told by row, column and code. A row that matches nobody learns nothing of who is there:
//! a wrong number and a wrong name, a guardian without custody and one who is not on file, are one answer.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use rand::Rng as _;
use uuid::Uuid;
use xueji_entity::account::AccountKind;
use xueji_entity::value::{Guarded, LookupHash, NationalStudentNumber, PersonName, Phone};

use super::{check_login, secret};
use crate::access::filter::Key;
use crate::access::table::Reach;
use crate::config::secret::SecretText;
use crate::error::{Error, Result, Why};
use crate::store::importing::{Entered, Importing, InFamily, OnStaff};
use crate::store::tx::{NewAccount, NewCode, OwnGrant};

/// Most rows of a file.
pub const ROWS: usize = 20_000;

/// Letters of a login that the import makes.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// Whose accounts a file makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Staff of a school.
    Staff,
    /// Guardians of a class.
    Guardian,
}

/// A table as it was read from a file.
#[derive(Clone, Debug, Default)]
pub struct Sheet {
    /// The heads of the columns.
    pub head: Vec<String>,
    /// The rows that hold anything.
    pub rows: Vec<Row>,
}

/// One row.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its number in the file, from 1.
    pub number: u64,
    /// Its cells.
    pub cells: Vec<String>,
}

/// What is wrong with a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The row, from 1.
    pub row: u64,
    /// The column, by its English name; none when it is about several.
    pub column: Option<&'static str>,
    /// A stable word for programs.
    pub code: &'static str,
    /// What is wrong and what to do.
    pub why: Why,
}

/// An account that the import would make.
#[derive(Clone, Debug)]
pub struct Planned {
    /// The rows of the file that name its owner.
    pub rows: Vec<u64>,
    /// Its login.
    pub login: String,
    /// The name of its owner, as it stands in the file.
    pub given: String,
    /// The code, which is told in the output alone.
    pub code: SecretText,
    account: Uuid,
    name: PersonName,
    hash: xueji_entity::value::TokenHash,
    staff: Option<Uuid>,
    members: Vec<InFamily>,
}

/// What an import would do.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The accounts to be made.
    pub made: Vec<Planned>,
    /// What is wrong, in the order of the rows.
    pub problems: Vec<Problem>,
    /// Columns that mean nothing here.
    pub ignored: Vec<String>,
}

/// A column that the import knows, by its names.
struct Column {
    names: &'static [&'static str],
    needed: bool,
}

const STAFF_NUMBER: usize = 0;
const NAME: usize = 1;
const STAFF_LOGIN: usize = 2;

const STAFF: [Column; 3] = [
    Column { names: &["staff_number", "工号", "教职工号"], needed: true },
    Column { names: &["name", "姓名"], needed: true },
    Column { names: &["login", "登录名", "账号"], needed: false },
];

const STUDENT_NUMBER: usize = 0;
const NUMBER_IN_CLASS: usize = 1;
const GUARDIAN_NAME: usize = 2;
const PHONE: usize = 3;
const GUARDIAN_LOGIN: usize = 4;

const GUARDIAN: [Column; 5] = [
    Column { names: &["student_number", "学籍号", "全国学籍号"], needed: false },
    Column { names: &["number_in_class", "班内学号", "学号"], needed: false },
    Column { names: &["guardian_name", "监护人姓名", "家长姓名"], needed: true },
    Column { names: &["phone", "手机号", "电话", "联系电话"], needed: false },
    Column { names: &["login", "登录名", "账号"], needed: false },
];

fn problem(
    row: u64,
    column: Option<&'static str>,
    code: &'static str,
    (en, zh): (impl Into<String>, impl Into<String>),
) -> Problem {
    Problem { row, column, code, why: Why::new(en.into(), zh.into()) }
}

/// Where the known columns stand in a file.
struct Layout {
    columns: &'static [Column],
    at: Vec<Option<usize>>,
}

impl Layout {
    fn of(kind: Kind, sheet: &Sheet, plan: &mut Plan) -> Self {
        let columns: &'static [Column] = match kind {
            Kind::Staff => &STAFF,
            Kind::Guardian => &GUARDIAN,
        };
        let mut at = vec![None; columns.len()];
        for (place, head) in sheet.head.iter().enumerate() {
            let plain = head.trim().to_lowercase().replace([' ', '-'], "_");
            let known = columns.iter().position(|column| column.names.contains(&plain.as_str()));
            match known {
                Some(column) if at[column].is_some() => plan.problems.push(problem(
                    1,
                    Some(columns[column].names[0]),
                    "COLUMN_TWICE",
                    ("this column stands twice; remove one", "该列重复；请删除一列"),
                )),
                Some(column) => at[column] = Some(place),
                None if plain.is_empty() => {}
                None => plan.ignored.push(head.trim().to_owned()),
            }
        }
        for (column, place) in columns.iter().zip(&at) {
            if column.needed && place.is_none() {
                plan.problems.push(missing(column.names[0], column.names[1]));
            }
        }
        if kind == Kind::Guardian && at[STUDENT_NUMBER].is_none() && at[NUMBER_IN_CLASS].is_none() {
            plan.problems.push(missing("student_number", "学籍号"));
        }
        Self { columns, at }
    }

    fn name(&self, column: usize) -> &'static str {
        self.columns[column].names[0]
    }

    /// A cell without blanks around it; nothing where it is empty.
    fn cell<'r>(&self, row: &'r Row, column: usize) -> Option<&'r str> {
        let text = row.cells.get(self.at[column]?)?.trim();
        (!text.is_empty()).then_some(text)
    }
}

fn missing(name: &'static str, chinese: &'static str) -> Problem {
    problem(
        1,
        Some(name),
        "COLUMN_MISSING",
        (
            format!("the first row must name a column {name} ({chinese})"),
            format!("首行须有“{chinese}”（{name}）一列"),
        ),
    )
}

/// Reads a cell as a value, or says what is wrong with it without quoting it.
fn value<T: Guarded>(
    row: &Row,
    layout: &Layout,
    column: usize,
    problems: &mut Vec<Problem>,
) -> Option<T> {
    let text = layout.cell(row, column)?;
    match T::parse(text) {
        Ok(value) => Some(value),
        Err(error) => {
            let why = (error.why_en.to_string(), error.why_zh.to_string());
            problems.push(problem(row.number, Some(layout.name(column)), "VALUE_INVALID", why));
            None
        }
    }
}

fn empty(row: &Row, layout: &Layout, column: usize) -> Problem {
    let why = ("this cell must be filled in", "此单元格必须填写");
    problem(row.number, Some(layout.name(column)), "CELL_EMPTY", why)
}

/// The logins of a file: each once, and none that is in use.
#[derive(Default)]
struct Logins {
    /// By login, the row that named it.
    named: HashMap<String, u64>,
    in_use: HashSet<String>,
}

impl Logins {
    async fn of(
        importing: &Importing,
        sheet: &Sheet,
        layout: &Layout,
        column: usize,
    ) -> Result<Self> {
        let named: Vec<&str> =
            sheet.rows.iter().filter_map(|row| layout.cell(row, column)).collect();
        let in_use = importing.in_use(&named).await?;
        Ok(Self { named: HashMap::new(), in_use })
    }

    /// The login of a row, or one that is made for it.
    fn take(
        &mut self,
        row: &Row,
        layout: &Layout,
        column: usize,
        problems: &mut Vec<Problem>,
    ) -> Option<String> {
        let Some(login) = layout.cell(row, column) else {
            return Some(self.make(if layout.columns.len() == STAFF.len() { 's' } else { 'g' }));
        };
        let name = Some(layout.name(column));
        if let Err(Error::Invalid { why, .. }) = check_login("login", login) {
            problems.push(Problem { row: row.number, column: name, code: "LOGIN_INVALID", why });
            return None;
        }
        if let Some(earlier) = self.named.get(login) {
            problems.push(problem(
                row.number,
                name,
                "LOGIN_TWICE",
                (
                    format!("row {earlier} names the same login; choose another one"),
                    format!("第 {earlier} 行已使用该登录名；请换一个"),
                ),
            ));
            return None;
        }
        if self.in_use.contains(login) {
            let why = ("this login is in use; choose another one", "该登录名已被使用；请换一个");
            problems.push(problem(row.number, name, "LOGIN_TAKEN", why));
            return None;
        }
        self.named.insert(login.to_owned(), row.number);
        Some(login.to_owned())
    }

    /// A login of ten random letters: 50 bits, so that no two are alike in any registry.
    fn make(&mut self, first: char) -> String {
        loop {
            let random: [u8; 10] = rand::rng().random();
            let letters = random.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)]));
            let login: String = [first, '-'].into_iter().chain(letters).collect();
            if self.named.insert(login.clone(), 0).is_none() {
                return login;
            }
        }
    }
}

impl Planned {
    fn new(row: u64, login: String, (given, name): (&str, PersonName)) -> Self {
        let (code, hash) = secret::code();
        Self {
            rows: vec![row],
            login,
            given: given.to_owned(),
            code,
            account: Uuid::now_v7(),
            name,
            hash,
            staff: None,
            members: Vec::new(),
        }
    }

    fn entered(&self, expires_at: DateTime<Utc>) -> Entered<'_> {
        let account = self.account;
        let kind = if self.staff.is_some() { AccountKind::Staff } else { AccountKind::Guardian };
        let wards = self.members.iter().flat_map(|member| {
            let student = member.key.student.unwrap_or_default();
            member.custody.iter().map(move |(guardianship, since, until)| OwnGrant {
                account,
                role: "guardian",
                reach: Reach::Ward,
                student,
                since: *since,
                until: *until,
                guardianship: Some(*guardianship),
            })
        });
        Entered {
            account: NewAccount {
                id: account,
                login: &self.login,
                kind,
                name: self.name.clone(),
                staff: self.staff,
                student: None,
            },
            code: NewCode { account, hash: self.hash.clone(), first: true, expires_at },
            members: self.members.iter().map(|member| member.key).collect(),
            grants: wards.collect(),
        }
    }
}

impl Plan {
    /// Writes the accounts, in the transaction of the import; codes may be used until an instant.
    pub async fn write(
        &self,
        importing: &Importing,
        expires_at: DateTime<Utc>,
        told: impl FnMut(usize),
    ) -> Result<()> {
        let entered: Vec<Entered<'_>> =
            self.made.iter().map(|planned| planned.entered(expires_at)).collect();
        importing.write(&entered, told).await
    }
}

/// Matches the rows of a file with the staff of a school.
pub async fn staff(importing: &Importing, school: Uuid, sheet: &Sheet) -> Result<Plan> {
    let mut plan = Plan::default();
    let layout = Layout::of(Kind::Staff, sheet, &mut plan);
    if !plan.problems.is_empty() {
        return Ok(plan);
    }
    let on_staff = importing.staff_of(school).await?;
    let by_number: HashMap<&str, &OnStaff> =
        on_staff.iter().map(|one| (one.number.as_str(), one)).collect();
    let mut logins = Logins::of(importing, sheet, &layout, STAFF_LOGIN).await?;
    let mut seen: HashMap<Uuid, u64> = HashMap::new();
    for row in &sheet.rows {
        let before = plan.problems.len();
        let number = layout.cell(row, STAFF_NUMBER);
        for column in [STAFF_NUMBER, NAME] {
            if layout.cell(row, column).is_none() {
                plan.problems.push(empty(row, &layout, column));
            }
        }
        let name: Option<PersonName> = value(row, &layout, NAME, &mut plan.problems);
        let (Some(number), Some(name)) = (number, name) else { continue };
        let found = by_number.get(number).filter(|one| one.name == name);
        let Some(found) = found else {
            plan.problems.push(problem(
                row.number,
                None,
                "NO_MATCH",
                (
                    "no member of staff of the school has this number and name; correct the row or the register",
                    "该校没有工号与姓名均相符的教职工；请更正此行或登记信息",
                ),
            ));
            continue;
        };
        if let Some(earlier) = seen.insert(found.id, row.number) {
            plan.problems.push(twice(row.number, earlier));
            continue;
        }
        if found.has_account {
            plan.problems.push(exists(row.number));
        }
        let login = logins.take(row, &layout, STAFF_LOGIN, &mut plan.problems);
        if let Some(login) = login
            && plan.problems.len() == before
        {
            let given = layout.cell(row, NAME).unwrap_or_default();
            let planned = Planned::new(row.number, login, (given, name));
            plan.made.push(Planned { staff: Some(found.id), ..planned });
        }
    }
    Ok(plan)
}

fn twice(row: u64, earlier: u64) -> Problem {
    problem(
        row,
        None,
        "ROW_TWICE",
        (
            format!("row {earlier} is about the same person; remove one of them"),
            format!("与第 {earlier} 行为同一人；请删除其中一行"),
        ),
    )
}

fn exists(row: u64) -> Problem {
    let why = (
        "this person has an account already; remove the row, or give a new code for the account",
        "此人已有账户；请删除此行，或为该账户重新发放激活码",
    );
    problem(row, None, "ACCOUNT_EXISTS", why)
}

/// How a row names a student of the class.
enum Named {
    Number(LookupHash),
    InClass(i64),
}

/// Matches the rows of a file with the guardians of a class. Rows with the same name and telephone, which the register
/// has for each of them, are one person with several children.
pub async fn guardians(importing: &Importing, class: Uuid, sheet: &Sheet) -> Result<Plan> {
    let mut plan = Plan::default();
    let layout = Layout::of(Kind::Guardian, sheet, &mut plan);
    if !plan.problems.is_empty() {
        return Ok(plan);
    }
    let families = importing.families_of(class).await?;
    let mut logins = Logins::of(importing, sheet, &layout, GUARDIAN_LOGIN).await?;
    let mut seen: HashMap<Key, u64> = HashMap::new();
    let mut persons: HashMap<(Vec<u8>, Vec<u8>), usize> = HashMap::new();
    for row in &sheet.rows {
        let before = plan.problems.len();
        let student = student(importing, row, &layout, &mut plan.problems);
        if layout.cell(row, GUARDIAN_NAME).is_none() {
            plan.problems.push(empty(row, &layout, GUARDIAN_NAME));
        }
        let name: Option<PersonName> = value(row, &layout, GUARDIAN_NAME, &mut plan.problems);
        let phone: Option<Phone> = value(row, &layout, PHONE, &mut plan.problems);
        let phone = phone.map(|phone| importing.hash(&phone));
        let (Some(student), Some(name)) = (student, name) else { continue };
        if plan.problems.len() > before {
            continue;
        }
        let found: Vec<&InFamily> = families
            .iter()
            .filter(|member| match &student {
                Named::Number(hash) => member.student_number.as_ref() == Some(hash),
                Named::InClass(number) => member.number_in_class == Some(*number),
            })
            .filter(|member| member.name == name)
            .filter(|member| phone.is_none() || member.phone == phone)
            .collect();
        let member = match found.as_slice() {
            [member] => *member,
            [] => {
                plan.problems.push(problem(
                    row.number,
                    None,
                    "NO_MATCH",
                    (
                        "no student of the class has this number and a guardian of this name (and telephone) with custody today; \
                         correct the row or the register",
                        "该班没有学号（学籍号）与监护人姓名（及电话）均相符且当前有监护权的记录；请更正此行或登记信息",
                    ),
                ));
                continue;
            }
            _ => {
                plan.problems.push(problem(
                    row.number,
                    Some(layout.name(PHONE)),
                    "AMBIGUOUS",
                    (
                        "several records fit this row; fill in the telephone or the student_number",
                        "有多条记录与此行相符；请补填电话或学籍号",
                    ),
                ));
                continue;
            }
        };
        if let Some(earlier) = seen.insert(member.key, row.number) {
            plan.problems.push(twice(row.number, earlier));
            continue;
        }
        if member.has_account {
            plan.problems.push(exists(row.number));
            continue;
        }
        let hashed = |hash: LookupHash| hash.as_bytes().to_vec();
        let person = phone.map(|phone| (hashed(importing.hash(&name)), hashed(phone)));
        if let Some(planned) = person.as_ref().and_then(|person| persons.get(person))
            && let Some(planned) = plan.made.get_mut(*planned)
        {
            let login = layout.cell(row, GUARDIAN_LOGIN);
            // Two relatives may share a name and a telephone; different documents tell them apart.
            let differs = |other: &InFamily| {
                other.id_number.zip(member.id_number).is_some_and(|(one, two)| one != two)
            };
            if login.is_none_or(|login| login == planned.login)
                && !planned.members.iter().any(differs)
            {
                planned.rows.push(row.number);
                planned.members.push(member.clone());
                continue;
            }
        }
        let login = logins.take(row, &layout, GUARDIAN_LOGIN, &mut plan.problems);
        let Some(login) = login else { continue };
        if let Some(person) = person {
            persons.insert(person, plan.made.len());
        }
        let given = layout.cell(row, GUARDIAN_NAME).unwrap_or_default();
        let planned = Planned::new(row.number, login, (given, name));
        plan.made.push(Planned { members: vec![member.clone()], ..planned });
    }
    Ok(plan)
}

fn student(
    importing: &Importing,
    row: &Row,
    layout: &Layout,
    problems: &mut Vec<Problem>,
) -> Option<Named> {
    if layout.cell(row, STUDENT_NUMBER).is_some() {
        let number: NationalStudentNumber = value(row, layout, STUDENT_NUMBER, problems)?;
        return Some(Named::Number(importing.hash(&number)));
    }
    let column =
        if layout.at[NUMBER_IN_CLASS].is_some() { NUMBER_IN_CLASS } else { STUDENT_NUMBER };
    let Some(text) = layout.cell(row, NUMBER_IN_CLASS) else {
        problems.push(empty(row, layout, column));
        return None;
    };
    match text.parse::<i64>() {
        Ok(number) if number > 0 => Some(Named::InClass(number)),
        Ok(_) | Err(_) => {
            let why = ("this must be a number in class, from 1", "须为班内学号，从 1 开始");
            problems.push(problem(row.number, Some(layout.name(column)), "VALUE_INVALID", why));
            None
        }
    }
}
