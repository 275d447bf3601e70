//! What a school expects of its policy, as tables that a registrar can read and write, and whether it holds.
//!
//! ```text
//! role, reach, column, sight, uses
//! principal, school, student.id_number, masked
//! subject_teacher, teaching, group health, hidden
//! homeroom_teacher + aid_officer, class + school, student.id_number, masked
//! others, -, aid_grant.bank_account, hidden
//! administrator, anywhere, action policy.reload, may
//! county_officer, region, student.phone, full, filter, dropout_return
//! ```
//!
//! Roles and reaches joined by `+` are held together and cover one row. `others` are the roles that no other
//! line of the file names for the column. A group is all of its columns, `group health of student` those of
//! one noun. The sight may be `at most masked` or `at least masked`; uses are checked where they are given,
//! `none` for none. A sixth cell names a purpose: the line is about requests that state it, and one without
//! about those that state none. It states nothing about rows: which rows a reach covers is not in the files.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use crate::access::catalogue::{Catalogue, Coordinate, FieldId, Group};
use crate::access::policy::explain::words;
use crate::access::policy::purposes::PurposeId;
use crate::access::policy::source::{Line, Source};
use crate::access::policy::{Policy, Problem};
use crate::access::table::{Pair, Reach, Sight};

/// The expectations that the shipped policy is held against.
const SHIPPED: &[(&str, &str)] = &[
    ("contract.csv", include_str!("../../../policies/tests/contract.csv")),
    ("exceptional.csv", include_str!("../../../policies/tests/exceptional.csv")),
    ("groups.csv", include_str!("../../../policies/tests/groups.csv")),
];

/// Tables of expectations by file.
#[derive(Clone, Debug, Default)]
pub struct Expectations(Source);

/// An expectation that does not hold, or that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The file.
    pub file: String,
    /// The line, counted from one.
    pub line: u32,
    /// The line itself.
    pub text: String,
    /// What holds instead, and by which policy line.
    pub why: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure { file, line, text, why } = self;
        write!(f, "tests/{file}:{line}: {text}\n    {why}")
    }
}

/// What came of holding a policy against expectations.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// Lines that were checked.
    pub lines: usize,
    /// Cells and actions that they speak of.
    pub cells: usize,
    /// What does not hold.
    pub failures: Vec<Failure>,
    /// Roles and personal groups that no line speaks of, and purposes for which the policy says something else.
    pub silent: Vec<String>,
}

/// Whose view a line is about.
enum Who {
    Together(Vec<Pair>),
    Others,
}

/// What a line is about.
enum What {
    Fields(Vec<FieldId>),
    Action(u16),
}

/// What a line wants.
enum Want {
    Exactly(Sight),
    AtMost(Sight),
    AtLeast(Sight),
    May(bool),
}

impl Want {
    fn holds(&self, sight: Sight) -> bool {
        match self {
            Want::Exactly(wanted) => sight == *wanted,
            Want::AtMost(most) => sight <= *most,
            Want::AtLeast(least) => sight >= *least,
            Want::May(_) => false,
        }
    }
}

impl Expectations {
    /// The shipped ones.
    pub fn shipped() -> Expectations {
        let files = SHIPPED.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        Expectations(Source { files: files.collect() })
    }

    /// Every `.csv` of a folder.
    pub fn read(dir: &Path) -> Result<Expectations, Problem> {
        Source::read(dir).map(Expectations)
    }

    /// Expectations that were written elsewhere.
    pub fn of(source: Source) -> Expectations {
        Expectations(source)
    }

    /// Holds a policy against every line.
    pub fn hold(&self, policy: &Policy, catalogue: &Catalogue) -> Verdict {
        let mut held = Hold {
            policy,
            catalogue,
            named: BTreeMap::new(),
            purposes: BTreeSet::new(),
            verdict: Verdict::default(),
        };
        let mut spoken: BTreeSet<(Pair, Group)> = BTreeSet::new();
        for file in self.0.files.keys() {
            held.named.clear();
            // `others` are known once the file is read.
            for others in [false, true] {
                for line in self.0.lines(file) {
                    if line.cells.first() == Some(&"role")
                        || (line.cells.first() == Some(&"others")) != others
                    {
                        continue;
                    }
                    let outcome = held.line(&line, &mut spoken);
                    held.verdict.lines += 1;
                    held.verdict.failures.extend(outcome.err().map(|why| Failure {
                        file: file.clone(),
                        line: line.number,
                        text: line.text.to_owned(),
                        why,
                    }));
                }
            }
        }
        let Hold { mut verdict, purposes, .. } = held;
        for &pair in policy.table.pairs().iter().filter(|pair| **pair != Pair::ANYONE) {
            for group in Group::ALL.into_iter().filter(|group| group.personal()) {
                let any = catalogue.coordinates.iter().any(|known| known.group == group);
                if any && !spoken.contains(&(pair, group)) {
                    verdict.silent.push(format!(
                        "{} {}",
                        policy.roles.words(pair),
                        group.words().0
                    ));
                }
            }
        }
        for (id, purpose) in policy.purposes.iter().filter(|(id, _)| policy.asks_for(*id)) {
            if !purposes.contains(&id) {
                verdict.silent.push(format!("purpose {}", purpose.code));
            }
        }
        verdict.failures.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
        verdict
    }
}

/// What a draft says of a sight.
fn bound(sight: Sight) -> &'static str {
    match sight {
        Sight::Hidden => "hidden",
        Sight::Masked => "at most masked",
        Sight::Full => "full",
    }
}

/// A table that holds for the policy as it is: each role in each group, and column by column where a
/// group is not of one sight. It is a beginning, to be read against what should be.
pub fn draft(policy: &Policy, catalogue: &Catalogue) -> String {
    let mut text = "role, reach, column, sight, uses\n".to_owned();
    for &pair in policy.table.pairs().iter().filter(|pair| **pair != Pair::ANYONE) {
        let role = policy.roles.get(pair.role);
        let (name, chinese) =
            role.map(|role| (role.name.as_str(), role.chinese.as_str())).unwrap_or_default();
        text.push_str(&format!("\n# {chinese}, {}\n", pair.reach.chinese()));
        let reach = pair.reach.word();
        for group in Group::ALL.into_iter().filter(|group| group.personal()) {
            let mut nouns: BTreeMap<&str, Vec<(String, Sight)>> = BTreeMap::new();
            for (field, known) in (0..).zip(&catalogue.coordinates) {
                if known.group == group {
                    let sight = policy.table.cell(pair, field).uses.sight();
                    nouns.entry(known.noun).or_default().push((known.name(), sight));
                }
            }
            let all: BTreeSet<Sight> = nouns.values().flatten().map(|(_, sight)| *sight).collect();
            if all.last().is_some_and(|most| *most < Sight::Full) {
                let sight = bound(all.last().copied().unwrap_or(Sight::Hidden));
                text.push_str(&format!("{name}, {reach}, group {}, {sight}\n", group.words().0));
                continue;
            }
            for (noun, columns) in nouns {
                let group = group.words().0;
                match columns.as_slice() {
                    [(_, first), rest @ ..] if rest.iter().all(|(_, sight)| sight == first) => {
                        let sight = bound(*first);
                        let line = format!("{name}, {reach}, group {group} of {noun}, {sight}\n");
                        text.push_str(&line);
                    }
                    columns => {
                        for (column, sight) in columns {
                            let sight = bound(*sight);
                            text.push_str(&format!("{name}, {reach}, {column}, {sight}\n"));
                        }
                    }
                }
            }
        }
    }
    text
}

struct Hold<'a> {
    policy: &'a Policy,
    catalogue: &'a Catalogue,
    /// The pairs that lines of the file name, by column and purpose.
    named: BTreeMap<(FieldId, Option<PurposeId>), BTreeSet<Pair>>,
    /// The purposes that lines of any file name.
    purposes: BTreeSet<PurposeId>,
    verdict: Verdict,
}

impl Hold<'_> {
    fn line(
        &mut self,
        line: &Line<'_>,
        spoken: &mut BTreeSet<(Pair, Group)>,
    ) -> Result<(), String> {
        let (role, reach, column, sight, uses, purpose) = match line.cells.as_slice() {
            [role, reach, column, sight] => (role, reach, column, sight, "", ""),
            [role, reach, column, sight, uses] => (role, reach, column, sight, *uses, ""),
            [role, reach, column, sight, uses, purpose] => {
                (role, reach, column, sight, *uses, *purpose)
            }
            _ => return Err("is not `role, reach, column, sight, uses, purpose`".to_owned()),
        };
        let who = self.who(role, reach)?;
        let what = self.what(column)?;
        let want = want(sight)?;
        let purpose = self.purpose(purpose, &who, &what)?;
        self.purposes.extend(purpose);
        let sets: Vec<Vec<Pair>> = match (&who, &what) {
            (Who::Together(pairs), _) => vec![pairs.clone()],
            (Who::Others, What::Fields(fields)) => {
                let named = |pair: &Pair| {
                    fields.iter().any(|field| {
                        let named = self.named.get(&(*field, purpose));
                        named.is_some_and(|pairs| pairs.contains(pair))
                    })
                };
                let pairs = self.policy.table.pairs().iter();
                pairs
                    .filter(|pair| !named(pair) && self.may_state(purpose, pair))
                    .map(|pair| vec![*pair])
                    .collect()
            }
            (Who::Others, What::Action(_)) => {
                return Err("`others` speaks of columns; name the roles of an action".to_owned());
            }
        };
        let mut wrong = Vec::new();
        for held in &sets {
            match &what {
                What::Action(action) => {
                    self.verdict.cells += 1;
                    let may = self.policy.actions.may(held, *action).is_some();
                    match want {
                        Want::May(wanted) if wanted == may => {}
                        Want::May(_) => wrong.push(format!(
                            "{} {} run it",
                            self.words(held),
                            if may { "may" } else { "may not" }
                        )),
                        Want::Exactly(_) | Want::AtMost(_) | Want::AtLeast(_) => {
                            return Err("an action is `may` or `may not`".to_owned());
                        }
                    }
                }
                What::Fields(fields) => {
                    if let Want::May(_) = want {
                        return Err(format!("`{sight}` is for actions; a column has a sight"));
                    }
                    for &field in fields {
                        self.verdict.cells += 1;
                        wrong.extend(self.cell(held, field, &want, (uses, purpose))?);
                        if let [pair] = held.as_slice() {
                            self.named.entry((field, purpose)).or_default().insert(*pair);
                            let group = self.catalogue.coordinates.get(usize::from(field));
                            spoken.extend(group.map(|known| (*pair, known.group)));
                        }
                    }
                }
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n    ")) }
    }

    /// What a cell says otherwise than the line.
    fn cell(
        &self,
        held: &[Pair],
        field: FieldId,
        want: &Want,
        (uses, purpose): (&str, Option<PurposeId>),
    ) -> Result<Option<String>, String> {
        let mut all = vec![Pair::ANYONE];
        all.extend(held);
        let table = self.policy.table_for(purpose);
        let plan = table.plan(&all);
        let sight = plan.sight(field);
        let found: BTreeSet<&str> =
            words(plan.uses(field)).into_iter().filter(|word| *word != "write").collect();
        let name = self
            .catalogue
            .coordinates
            .get(usize::from(field))
            .map(Coordinate::name)
            .unwrap_or_default();
        let by = plan.rule(field).and_then(|rule| table.rule(rule));
        let by = by.map(|rule| format!(" (policies/{rule})")).unwrap_or_default();
        let stated = purpose.and_then(|id| self.policy.purposes.get(id));
        let by = stated.map(|purpose| format!(" for {}{by}", purpose.code)).unwrap_or(by);
        if !want.holds(sight) {
            let who = self.words(held);
            return Ok(Some(format!("{who} sees {name}: {}{by}", sight.word())));
        }
        let wanted: BTreeSet<&str> = match uses {
            "" => return Ok(None),
            "none" => BTreeSet::new(),
            uses => uses.split_whitespace().collect(),
        };
        let known = ["filter", "search", "sort", "group", "aggregate", "export", "match", "reveal"];
        if let Some(word) = wanted.iter().find(|word| !known.contains(*word)) {
            return Err(format!("`{word}` is no use; the uses are {}, or none", known.join(", ")));
        }
        let found_words: Vec<_> = found.iter().copied().collect();
        Ok((found != wanted).then(|| {
            let said =
                if found_words.is_empty() { "none".to_owned() } else { found_words.join(" ") };
            format!("{} uses {name}: {said}{by}", self.words(held))
        }))
    }

    fn who(&self, role: &str, reach: &str) -> Result<Who, String> {
        if role == "others" {
            return match reach {
                "-" => Ok(Who::Others),
                _ => Err("`others` has no reach; write `-`".to_owned()),
            };
        }
        let roles: Vec<&str> = role.split('+').map(str::trim).collect();
        let reaches: Vec<&str> = reach.split('+').map(str::trim).collect();
        if roles.len() != reaches.len() {
            return Err("there is a reach for each role, joined by `+` alike".to_owned());
        }
        let pairs = roles.iter().zip(&reaches).map(|(role, reach)| self.pair(role, reach));
        pairs.collect::<Result<_, _>>().map(Who::Together)
    }

    /// The purpose that a line names, if any: one that somebody of the line may state.
    fn purpose(&self, code: &str, who: &Who, what: &What) -> Result<Option<PurposeId>, String> {
        if code.is_empty() {
            return Ok(None);
        }
        if let What::Action(_) = what {
            return Err(
                "an action is the same for every purpose; leave the last cell out".to_owned()
            );
        }
        let purpose = self.policy.purposes.id(code);
        let purpose = Some(purpose.ok_or_else(|| format!("there is no purpose {code}"))?);
        match who {
            Who::Together(pairs) if !pairs.iter().any(|pair| self.may_state(purpose, pair)) => {
                Err(format!("{} may not state {code}", self.words(pairs)))
            }
            Who::Together(_) | Who::Others => Ok(purpose),
        }
    }

    fn may_state(&self, purpose: Option<PurposeId>, pair: &Pair) -> bool {
        let purpose = purpose.and_then(|id| self.policy.purposes.get(id));
        purpose.is_none_or(|purpose| purpose.may_state(&self.policy.roles, pair.role))
    }

    fn pair(&self, role: &str, reach: &str) -> Result<Pair, String> {
        let id = self.policy.roles.id(role).ok_or_else(|| format!("there is no role {role}"))?;
        let word = reach;
        let reach = Reach::from_word(reach).ok_or_else(|| format!("`{reach}` is no reach"))?;
        let pair = Pair { role: id, reach };
        if self.policy.table.pairs().contains(&pair) {
            Ok(pair)
        } else {
            Err(format!("{role} may not be held at {word}"))
        }
    }

    fn what(&self, column: &str) -> Result<What, String> {
        if let Some(action) = column.strip_prefix("action ") {
            let action = action.trim();
            let id = self.policy.actions.id(action);
            return id.map(What::Action).ok_or_else(|| format!("there is no action {action}"));
        }
        if let Some(group) = column.strip_prefix("group ") {
            let (group, noun) = match group.split_once(" of ") {
                Some((group, noun)) => (group.trim(), Some(noun.trim())),
                None => (group.trim(), None),
            };
            let found: Vec<FieldId> = (0..)
                .zip(&self.catalogue.coordinates)
                .filter(|(_, known)| known.group.words().0 == group)
                .filter(|(_, known)| noun.is_none_or(|noun| noun == known.noun))
                .map(|(field, _)| field)
                .collect();
            return if found.is_empty() {
                Err(format!("there is no column of the {column}"))
            } else {
                Ok(What::Fields(found))
            };
        }
        let index = self.catalogue.index();
        let field = index.get(column).ok_or_else(|| format!("there is no column {column}"))?;
        Ok(What::Fields(vec![*field]))
    }

    fn words(&self, held: &[Pair]) -> String {
        held.iter().map(|pair| self.policy.roles.words(*pair)).collect::<Vec<_>>().join(" + ")
    }
}

fn want(text: &str) -> Result<Want, String> {
    let sight = |word: &str| {
        [Sight::Hidden, Sight::Masked, Sight::Full]
            .into_iter()
            .find(|sight| sight.word() == word)
            .ok_or_else(|| {
                format!("`{text}` is no sight: full, masked, hidden, at most …, at least …, may, may not")
            })
    };
    match text {
        "may" => Ok(Want::May(true)),
        "may not" => Ok(Want::May(false)),
        text => match (text.strip_prefix("at most "), text.strip_prefix("at least ")) {
            (Some(word), _) => match sight(word.trim())? {
                Sight::Full => Err(format!("`{text}` holds whatever the policy says; write full")),
                most @ (Sight::Hidden | Sight::Masked) => Ok(Want::AtMost(most)),
            },
            (_, Some(word)) => match sight(word.trim())? {
                Sight::Hidden => {
                    Err(format!("`{text}` holds whatever the policy says; write hidden"))
                }
                least @ (Sight::Masked | Sight::Full) => Ok(Want::AtLeast(least)),
            },
            (None, None) => sight(text).map(Want::Exactly),
        },
    }
}
