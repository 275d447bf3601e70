//! Who gives which role, and which role follows from a duty: the lines of `grants.csv`.
//!
//! It reads and checks that one file; whether a place lies within a giver's reach is asked in the domain.

use std::collections::{BTreeMap, BTreeSet};

use crate::access::action::Action;
use crate::access::policy::Problem;
use crate::access::policy::fault::{Fault, fault, near};
use crate::access::policy::roles::{Roles, reach_words};
use crate::access::policy::source::{Line, Source};
use crate::access::table::{Pair, Reach, RoleId};

/// The name of the file.
pub(super) const FILE: &str = "grants.csv";

/// How many people a role takes to be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Eyes {
    /// Whoever gives it.
    Alone,
    /// Another one who may give the same as well.
    Four,
}

impl Eyes {
    /// The word in the file.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Alone => "alone",
            Self::Four => "four_eyes",
        }
    }
}

/// What a role may follow from by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fact {
    /// Homeroom teacher of a class (班主任).
    HomeroomTeacher,
    /// Teacher of a course in a class (任课教师).
    CourseTeacher,
    /// Head of a year level (年级主任).
    YearHead,
    /// Custody over a pupil (监护关系).
    Guardianship,
}

impl Fact {
    /// Every one.
    pub const ALL: [Self; 4] =
        [Self::HomeroomTeacher, Self::CourseTeacher, Self::YearHead, Self::Guardianship];

    /// The word in the file, and for duties in the database.
    pub const fn word(self) -> &'static str {
        match self {
            Self::HomeroomTeacher => "homeroom_teacher",
            Self::CourseTeacher => "course_teacher",
            Self::YearHead => "year_head",
            Self::Guardianship => "guardianship",
        }
    }

    /// The reach of a role at the place that such a fact names.
    pub const fn reach(self) -> Reach {
        match self {
            Self::HomeroomTeacher => Reach::Class,
            Self::CourseTeacher => Reach::Teaching,
            Self::YearHead => Reach::YearLevel,
            Self::Guardianship => Reach::Ward,
        }
    }
}

/// A role that somebody gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Gift {
    giver: Pair,
    given: Pair,
    eyes: Eyes,
}

/// Who gives which role, and which follow from facts.
#[derive(Clone, Debug, Default)]
pub struct Gifts {
    gifts: Vec<Gift>,
    facts: Vec<(Fact, Pair)>,
}

impl Gifts {
    /// How a pair may give another; none when it may not. A role has the lines of those it inherits from, and of
    /// two lines that speak the stricter one counts.
    pub fn may(&self, roles: &Roles, giver: Pair, given: Pair) -> Option<Eyes> {
        let speaks = |gift: &&Gift| {
            gift.given == given
                && gift.giver.reach == giver.reach
                && roles.has(giver.role, gift.giver.role)
        };
        self.gifts.iter().filter(speaks).map(|gift| gift.eyes).max()
    }

    /// What a pair may give, each once, by role and reach.
    pub fn given_by(&self, roles: &Roles, giver: Pair) -> Vec<(Pair, Eyes)> {
        let given: BTreeSet<Pair> = self.gifts.iter().map(|gift| gift.given).collect();
        let may = |given: Pair| self.may(roles, giver, given).map(|eyes| (given, eyes));
        given.into_iter().filter_map(may).collect()
    }

    /// Whether two people must give the pair, whoever gives it.
    pub fn powerful(&self, given: Pair) -> bool {
        self.gifts.iter().any(|gift| gift.given == given && gift.eyes == Eyes::Four)
    }

    /// The role that follows from a fact, if one does.
    pub fn follows(&self, fact: Fact) -> Option<Pair> {
        self.facts.iter().find(|(of, _)| *of == fact).map(|(_, pair)| *pair)
    }
}

/// How wide a place is.
const fn width(reach: Reach) -> u8 {
    match reach {
        Reach::Own | Reach::Ward | Reach::Opened => 0,
        Reach::Teaching => 1,
        Reach::Class => 2,
        Reach::YearLevel => 3,
        Reach::School => 4,
        Reach::Region => 5,
        Reach::Anywhere => 6,
    }
}

/// What a line says.
enum Said {
    Gives(Gift),
    Nobody(Pair),
    Follows(Fact, Pair),
}

/// Reads the file, given who may run which action. A line that counts is handed on, so that it is one of the policy.
pub(super) struct Reading<'a> {
    pub(super) roles: &'a Roles,
    /// The actions that the program knows.
    pub(super) actions: &'a [&'static str],
    /// Who may run them, as the lines say it.
    pub(super) runs: &'a [(&'static str, Pair)],
}

impl Reading<'_> {
    /// The lines that hold, by number and text, and what they say; what is wrong is added to the problems.
    pub(super) fn read(
        &self,
        source: &Source,
        problems: &mut Vec<Problem>,
    ) -> (Gifts, Vec<(u32, String)>) {
        let mut gifts = Gifts::default();
        let mut lines = Vec::new();
        let mut nobody: BTreeMap<Pair, u32> = BTreeMap::new();
        let mut gives: Vec<(Gift, u32)> = Vec::new();
        // A role with a wrong line is not also reported as forgotten.
        let mut named: BTreeSet<Pair> = BTreeSet::new();
        for line in source.lines(FILE) {
            let said = self.line(&line, &mut named).and_then(|said| match said {
                Said::Gives(gift) => {
                    let same =
                        |other: &Gift| (other.giver, other.given) == (gift.giver, gift.given);
                    if let Some((_, at)) = gives.iter().find(|(other, _)| same(other)) {
                        return Err(duplicate(*at));
                    }
                    gives.push((gift, line.number));
                    gifts.gifts.push(gift);
                    Ok(())
                }
                Said::Nobody(pair) => match nobody.insert(pair, line.number) {
                    Some(at) => Err(duplicate(at)),
                    None => Ok(()),
                },
                Said::Follows(fact, pair) => {
                    if gifts.follows(fact).is_some() {
                        return Err(fault(
                            "duplicate",
                            format!("a line above already says what follows from {}", fact.word()),
                        ));
                    }
                    gifts.facts.push((fact, pair));
                    Ok(())
                }
            });
            match said {
                Ok(()) => lines.push((line.number, line.text.to_owned())),
                Err(fault) => problems.push(fault.at(FILE, line.number)),
            }
        }
        for (gift, line) in &gives {
            let faults = [self.escalates(gift, &gives), self.idle(gift, &gifts)];
            problems.extend(faults.into_iter().flatten().map(|fault| fault.at(FILE, *line)));
            if nobody.contains_key(&gift.given) {
                let words = self.roles.words(gift.given);
                let why = format!("another line says that nobody gives {words}; delete one");
                problems.push(Problem::line(FILE, *line, why).of("contradiction"));
            }
        }
        for (fact, pair) in &gifts.facts {
            if self.hands_on(*pair, &gives) {
                let why = format!(
                    "{} gives roles itself: it follows from no {} but is given by two people",
                    self.roles.words(*pair),
                    fact.word()
                );
                problems.push(Problem::file(FILE, why).of("powerful"));
            }
        }
        self.uncovered(&named, problems);
        (gifts, lines)
    }

    fn line(&self, line: &Line<'_>, named: &mut BTreeSet<Pair>) -> Result<Said, Fault> {
        match line.cells.as_slice() {
            ["give", giver, giver_reach, role, reach, eyes] => {
                let given = self.pair(role, reach)?;
                named.insert(given);
                let giver = self.pair(giver, giver_reach)?;
                let eyes = [Eyes::Alone, Eyes::Four].into_iter().find(|known| known.word() == *eyes);
                let eyes = eyes.ok_or_else(|| {
                    fault("format", "say `alone` or `four_eyes` at the end".to_owned())
                })?;
                self.by_hand(given)?;
                Ok(Said::Gives(Gift { giver, given, eyes }))
            }
            ["nobody", role, reach] => {
                let pair = self.pair(role, reach)?;
                named.insert(pair);
                self.by_hand(pair)?;
                Ok(Said::Nobody(pair))
            }
            ["duty", kind, role, reach] => {
                let fact = Fact::ALL.into_iter().find(|fact| fact.word() == *kind);
                let fact = fact.ok_or_else(|| {
                    let known = Fact::ALL.map(Fact::word);
                    let near = near(kind, known.into_iter());
                    fault("unknown", format!("there is no duty {kind}{near}"))
                })?;
                let pair = self.pair(role, reach)?;
                named.insert(pair);
                if pair.reach != fact.reach() {
                    return Err(fault(
                        "unreachable",
                        format!(
                            "what follows from {} is held at {}, the place that it names",
                            fact.word(),
                            fact.reach().word()
                        ),
                    ));
                }
                Ok(Said::Follows(fact, pair))
            }
            _ => Err(fault(
                "format",
                "is none of `give, role, reach, role, reach, alone or four_eyes`, `nobody, role, reach` and \
                 `duty, kind, role, reach`"
                    .to_owned(),
            )),
        }
    }

    fn pair(&self, role: &str, reach: &str) -> Result<Pair, Fault> {
        let id = self.roles.id(role).ok_or_else(|| {
            let known = self.roles.iter().map(|(_, role)| role.name.as_str());
            let near = near(role, known);
            fault("unknown", format!("there is no role {role}{near}; roles.csv names them"))
        })?;
        if id == RoleId::ANYONE {
            return Err(fault(
                "unreachable",
                "every caller is anyone; nobody gives that".to_owned(),
            ));
        }
        let reach = Reach::from_word(reach).ok_or_else(|| {
            fault("unknown", format!("`{reach}` is no reach; the reaches are {}", reach_words()))
        })?;
        let held = self.roles.get(id).is_some_and(|role| role.reaches.contains(&reach));
        if !held {
            let why = format!("{role} may not be held at {}; roles.csv says where", reach.word());
            return Err(fault("unreachable", why));
        }
        Ok(Pair { role: id, reach })
    }

    /// A role over one pupil comes from the account, from custody, or from a record that was opened.
    fn by_hand(&self, pair: Pair) -> Result<(), Fault> {
        if width(pair.reach) > 0 {
            return Ok(());
        }
        let words = self.roles.words(pair);
        Err(fault("pupil", format!("{words} is a role over one pupil, which nobody gives by hand")))
    }

    fn runs(&self, action: Action, pair: Pair) -> bool {
        self.runs.iter().any(|(name, by)| {
            *name == action.name() && by.reach == pair.reach && self.roles.has(pair.role, by.role)
        })
    }

    /// Whether whoever holds the pair could give roles, or agree to them.
    fn hands_on(&self, pair: Pair, gives: &[(Gift, u32)]) -> bool {
        let gives = gives.iter().any(|(gift, _)| {
            gift.giver.reach == pair.reach && self.roles.has(pair.role, gift.giver.role)
        });
        gives || self.runs(Action::GrantGive, pair) || self.runs(Action::GrantApprove, pair)
    }

    /// A line by which somebody could come to more than they hold.
    fn escalates(&self, gift: &Gift, gives: &[(Gift, u32)]) -> Option<Fault> {
        let Gift { giver, given, eyes } = *gift;
        let (giver_words, given_words) = (self.roles.words(giver), self.roles.words(given));
        if width(giver.reach) < width(given.reach) {
            return Some(fault(
                "wider",
                format!("{giver_words} gives nothing at a place wider than its own: {given_words}"),
            ));
        }
        if eyes == Eyes::Four {
            return None;
        }
        if giver.reach == given.reach {
            return Some(fault(
                "wider",
                format!(
                    "{giver_words} would alone give {given_words}, at the width of its own place; write four_eyes"
                ),
            ));
        }
        self.hands_on(given, gives).then(|| {
            fault(
                "powerful",
                format!("{given_words} gives roles itself; two people give it: write four_eyes"),
            )
        })
    }

    /// A line that could never be used.
    fn idle(&self, gift: &Gift, gifts: &Gifts) -> Option<Fault> {
        let Gift { giver, given, eyes } = *gift;
        if !self.runs(Action::GrantGive, giver) {
            let words = self.roles.words(giver);
            let why =
                format!("{words} may not run grant.give; say so in actions.csv, or delete this");
            return Some(fault("idle", why));
        }
        let agrees = |pair: Pair| {
            self.runs(Action::GrantApprove, pair) && gifts.may(self.roles, pair, given).is_some()
        };
        if eyes == Eyes::Four && !self.roles.pairs().into_iter().any(agrees) {
            let words = self.roles.words(given);
            let why = format!(
                "nobody who may give {words} may run grant.approve; it would wait for ever"
            );
            return Some(fault("idle", why));
        }
        None
    }

    /// Roles of which no line speaks. A program that gives no roles needs no lines.
    fn uncovered(&self, named: &BTreeSet<Pair>, problems: &mut Vec<Problem>) {
        if !self.actions.contains(&Action::GrantGive.name()) {
            return;
        }
        let silent: Vec<String> = self
            .roles
            .pairs()
            .into_iter()
            .filter(|pair| pair.role != RoleId::ANYONE && width(pair.reach) > 0)
            .filter(|pair| !named.contains(pair))
            .map(|pair| self.roles.words(pair))
            .collect();
        if silent.is_empty() {
            return;
        }
        let why = format!(
            "no line speaks of {}; a role that nobody gives says so: `nobody, role, reach`",
            silent.join(", ")
        );
        problems.push(Problem::file(FILE, why).of("uncovered"));
    }
}

fn duplicate(at: u32) -> Fault {
    fault("duplicate", format!("line {at} already says so; keep one of them"))
}
