//! Why an account sees what it sees of a column of a student (promise 20): the grants that cover the
//! student, the policy lines that spoke, and the one that won, in words. No value of the student is read.

use std::sync::Arc;

use uuid::Uuid;
use xueji_entity::value::AccountId;

use super::Cx;
use crate::access::action::Action;
use crate::access::caller::{Grant, Session};
use crate::access::catalogue::Class;
use crate::access::disclosure::of_one_student;
use crate::access::scope::Scope;
use crate::access::table::{Pair, Plan, Reach, Rule, Sight, Uses};
use crate::access::view::{Hangs, Member, Noun};
use crate::error::{Error, Result, Why};

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Question {
    /// The student; none for an id that was never issued.
    pub student: Option<Uuid>,
    /// The column as the schema names it: `Student.idNumber`, `Score.value`, `Score.course`.
    pub coordinate: String,
    /// Another account; none for oneself, or inside for an id that was never issued.
    pub account: Option<Option<AccountId>>,
}

/// One grant that covers the student, and what it gives.
#[derive(Clone, Debug)]
pub struct Covering {
    /// The grant.
    pub grant: Grant,
    /// The role's name in the policy, and its Chinese name.
    pub role: (String, String),
    /// What the grant shows of the column.
    pub sight: Sight,
    /// The other uses that it gives.
    pub uses: Vec<&'static str>,
    /// The policy line that spoke.
    pub rule: Option<Rule>,
    /// Its line is the one that won.
    pub wins: bool,
    /// Which rows of the student it covers, where these are not all.
    pub rows: Option<Why>,
}

/// The answer.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The column.
    pub coordinate: String,
    /// It is about another account.
    pub of_another: bool,
    /// What is seen: the most open sight.
    pub sight: Sight,
    /// The other uses, all grants together.
    pub uses: Vec<&'static str>,
    /// The line that won.
    pub rule: Option<Rule>,
    /// The columns that a computed one follows.
    pub sources: &'static [&'static str],
    /// The grants that cover the student.
    pub covering: Vec<Covering>,
}

/// Explains; `NOT_FOUND` for a student outside the scope of the question.
pub async fn explain(cx: &Cx, question: Question) -> Result<Explanation> {
    let (noun, field) = column(cx, &question.coordinate)?;
    let student = cx
        .registry()
        .get("student")
        .ok_or_else(|| Error::internal("the student view is not registered"))?;
    let caller = &cx.caller;
    let another = question.account.filter(|account| *account != Some(caller.account()));
    let (scope, session) = match another {
        None => (Scope::reading(caller, student), Arc::clone(&caller.session)),
        Some(account) => {
            let scope = Scope::of_action(caller, student, Action::AccessExplain.name());
            if scope.is_empty() {
                let now = cx.clock.now();
                return Err(cx.store.refuse(caller, now, Action::AccessExplain).await);
            }
            (scope, of_account(cx, account).await?)
        }
    };
    let absent = || Error::not_found(student.shape.type_name);
    let key = question.student.ok_or_else(absent)?;
    let covers = cx.store.covering(&scope, key, &session.grants).await?.ok_or_else(absent)?;
    // A grant whose pair the session does not hold (there are at most 63) gives nothing.
    let held = |grant: &Grant| {
        session.held.iter().any(|held| held.pair == Pair { role: grant.role, reach: grant.reach })
    };
    let covering = session
        .grants
        .iter()
        .zip(covers)
        .filter(|(grant, covers)| *covers && held(grant))
        .map(|(grant, _)| grant.clone())
        .collect();
    Ok(decide(&session, noun, field, question.coordinate, another.is_some(), covering))
}

/// What another account holds today.
async fn of_account(cx: &Cx, account: Option<AccountId>) -> Result<Arc<Session>> {
    let absent = || Error::not_found("Account");
    let account = account.ok_or_else(absent)?;
    let policy = &cx.caller.session.policy;
    let today = cx.caller.today();
    let grants =
        cx.store.grants(account, policy, today, cx.clock.now()).await?.ok_or_else(absent)?;
    Ok(Arc::new(Session::new(account, grants, Arc::clone(policy), today)))
}

/// The column of a coordinate: one that tells of a student. A relation is its reference.
fn column(cx: &Cx, coordinate: &str) -> Result<(&'static Noun, usize)> {
    let found = coordinate.split_once('.').and_then(|(type_name, member)| {
        let noun = cx.registry().nouns().iter().find(|noun| noun.shape.type_name == type_name)?;
        let field = match noun.member(member)? {
            Member::Field(field) => field,
            Member::Relation(relation) => noun.field(noun.shape.relations[relation].key?)?,
        };
        of_one_student(noun).then_some((noun, field))
    });
    found.ok_or_else(|| {
        Error::invalid(
            "coordinate",
            "this names no column of a student's record; write it as the schema does, such as \
             Student.idNumber or Score.value",
            "没有此学生信息项；请按接口名称填写，例如 Student.idNumber 或 Score.value",
        )
    })
}

/// The sight from the grants that cover the student, by the table that every request asks.
fn decide(
    session: &Session,
    noun: &'static Noun,
    field: usize,
    coordinate: String,
    of_another: bool,
    covering: Vec<Grant>,
) -> Explanation {
    let policy = &session.policy;
    let id = noun.id(field);
    let pair = |grant: &Grant| Pair { role: grant.role, reach: grant.reach };
    // Rows of the noun exist through a pair that shows one of its columns; others join their sight.
    let pairs: Vec<Pair> = covering.iter().map(pair).collect();
    let exists = pairs.iter().any(|pair| session.table().rows(*pair, noun.noun_id()));
    let plan: Plan = session.table().plan(if exists { &pairs } else { &[] });
    let sight = plan.sight(id);
    let rule = plan.rule(id);
    let covering = covering
        .into_iter()
        .map(|grant| {
            let cell = session.table().cell(pair(&grant), id);
            let role = policy.roles.get(grant.role);
            let own = cell.uses.sight();
            Covering {
                role: role
                    .map(|role| (role.name.clone(), role.chinese.clone()))
                    .unwrap_or_default(),
                sight: own,
                uses: words(cell.uses),
                rule: cell.rule.and_then(|rule| session.table().rule(rule)).cloned(),
                wins: sight != Sight::Hidden && own == sight && cell.rule == rule,
                rows: narrowed(noun.shape.hangs, grant.reach),
                grant,
            }
        })
        .collect();
    Explanation {
        coordinate,
        of_another,
        sight,
        uses: words(plan.uses(id)),
        rule: rule.and_then(|rule| session.table().rule(rule)).cloned(),
        sources: match noun.shape.fields[field].class {
            Class::Derived(sources) => sources,
            Class::Column | Class::Reference | Class::Outlet | Class::Seen => &[],
        },
        covering,
    }
}

fn words(uses: Uses) -> Vec<&'static str> {
    let others = Uses::VERBS.iter().filter(|(verb, _, _)| {
        uses.contains(*verb) && *verb != Uses::FULL && *verb != Uses::MASKED
    });
    others.map(|(_, word, _)| *word).collect()
}

/// Which rows of a student a reach leaves out; see `access::place::row_rule`, which decides.
fn narrowed(hangs: Hangs, reach: Reach) -> Option<Why> {
    match (hangs, reach) {
        (Hangs::Score, Reach::Own | Reach::Ward | Reach::Region) => {
            Some(Why::new("published scores only", "仅限已公布的成绩"))
        }
        (Hangs::Score, Reach::Teaching) => {
            Some(Why::new("scores of the course taught only", "仅限所任课程的成绩"))
        }
        (Hangs::Sanction, _) => {
            Some(Why::new("sanctions that were not quashed only", "不含已撤销的处分"))
        }
        (
            Hangs::Score
            | Hangs::Student
            | Hangs::OfStudent
            | Hangs::ClassGroup
            | Hangs::Staff
            | Hangs::Duty
            | Hangs::Exam
            | Hangs::Grant
            | Hangs::Account
            | Hangs::Open,
            _,
        ) => None,
    }
}

/// The kind of place in words.
fn place(reach: Reach) -> Why {
    match reach {
        Reach::Anywhere => Why::new("the whole deployment", "全域"),
        Reach::Own => Why::new("oneself", "本人"),
        Reach::Ward => Why::new("a child in one's care", "被监护人"),
        Reach::Opened => Why::new("a record opened in an emergency", "应急开启的档案"),
        Reach::Teaching => Why::new("a course in the student's class", "任教班级课程"),
        Reach::Class => Why::new("the student's class", "所带班级"),
        Reach::YearLevel => Why::new("the student's year level", "所管年级"),
        Reach::School => Why::new("the student's school", "本校"),
        Reach::Region => Why::new("the student's region", "辖区"),
    }
}

fn seen(sight: Sight) -> Why {
    match sight {
        Sight::Full => Why::new("in full", "完整显示"),
        Sight::Masked => Why::new("masked", "脱敏显示"),
        Sight::Hidden => Why::new("not at all", "不显示"),
    }
}

impl Covering {
    /// What this grant gives, in a sentence.
    pub fn sentence(&self, coordinate: &str) -> Why {
        let (place, seen) = (place(self.grant.reach), seen(self.sight));
        let (en, zh) = match &self.rule {
            Some(rule) => (format!("by {rule}"), format!("依据 {rule}")),
            None => ("no policy line speaks".to_owned(), "策略未作规定".to_owned()),
        };
        let (only_en, only_zh) = match &self.rows {
            Some(rows) => (format!(" ({})", rows.en), format!("（{}）", rows.zh)),
            None => (String::new(), String::new()),
        };
        Why::new(
            format!(
                "{} at {} shows {coordinate} {}: {en}{only_en}.",
                self.role.0.replace('_', " "),
                place.en,
                seen.en
            ),
            format!("{}（{}）：{coordinate} {}，{zh}{only_zh}。", self.role.1, place.zh, seen.zh),
        )
    }
}

impl Explanation {
    /// The whole in a few sentences that school staff can read.
    pub fn sentence(&self) -> Why {
        let (who_en, who_zh) =
            if self.of_another { ("This account sees", "该账号") } else { ("You see", "您") };
        let seen = seen(self.sight);
        let coordinate = &self.coordinate;
        let mut en = format!("{who_en} {coordinate} of this student {}.", seen.en);
        let mut zh = format!("{who_zh}对该学生的 {coordinate}：{}。", seen.zh);
        let winner = self.covering.iter().find(|covering| covering.wins);
        if let (Some(covering), Some(rule)) = (winner, &self.rule) {
            en.push_str(&format!(" {} decided, for {}.", rule, covering.role.0.replace('_', " ")));
            zh.push_str(&format!("由 {} 决定（{}）。", rule, covering.role.1));
        } else if self.covering.is_empty() {
            en.push_str(" No grant covers the student.");
            zh.push_str("没有覆盖该学生的授权。");
        } else {
            en.push_str(" No grant that covers the student shows it.");
            zh.push_str("覆盖该学生的授权均未开放此项。");
        }
        if !self.sources.is_empty() {
            en.push_str(&format!(" It is computed from {}.", self.sources.join(", ")));
            zh.push_str(&format!("此项由 {} 计算得出。", self.sources.join("、")));
        }
        for covering in &self.covering {
            let one = covering.sentence(coordinate);
            en.push(' ');
            en.push_str(&one.en);
            zh.push_str(&one.zh);
        }
        Why::new(en, zh)
    }
}
