//! Refuses a policy that is wrong, by file, line and reason, and all of it at once.
//!
//! It turns lines into checked data for the compiler. It decides nothing about who may see what;
//! what it refuses could not mean what its author thinks, or would undo a promise of the contract.

use crate::access::catalogue::{Catalogue, Class, FieldId};
use crate::access::policy::Problem;
use crate::access::policy::disclosure_control::{self, DisclosureControl};
use crate::access::policy::fault::{Fault, fault, near};
use crate::access::policy::grants::{self, Gifts};
use crate::access::policy::purposes::{self, PurposeId, Purposes};
use crate::access::policy::roles::{self, ANYONE, Roles, reach_words};
use crate::access::policy::source::{Line, Source};
use crate::access::policy::uses::{fits, uses_of};
use crate::access::table::{Pair, Reach, RoleId, Rule, RuleId, Sight, Uses};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The file of the actions.
pub(super) const ACTIONS: &str = "actions.csv";

/// A policy whose lines all make sense.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) roles: Roles,
    pub(super) purposes: Purposes,
    /// Lines that grant something, in the order of file and line.
    pub(super) columns: Vec<ColumnLine>,
    pub(super) actions: Vec<ActionLine>,
    pub(super) gifts: Gifts,
    pub(super) rules: Vec<Rule>,
    pub(super) disclosure_control: DisclosureControl,
}

/// `p, student.id_number, homeroom_teacher, class, masked, …`
#[derive(Clone, Debug)]
pub(super) struct ColumnLine {
    pub(super) field: FieldId,
    pub(super) pair: Pair,
    /// Sight and uses.
    pub(super) uses: Uses,
    /// It speaks only where the request states one of these; always, when empty.
    pub(super) purposes: Vec<PurposeId>,
    pub(super) rule: RuleId,
}

/// `p, attendance.record, homeroom_teacher, class, kind note`
#[derive(Clone, Debug)]
pub(super) struct ActionLine {
    pub(super) action: usize,
    pub(super) pair: Pair,
    pub(super) columns: Vec<FieldId>,
    pub(super) rule: RuleId,
}

/// Checks all files. Without problems the result holds every line.
pub(super) fn check(source: &Source, catalogue: &Catalogue) -> (Checked, Vec<Problem>) {
    let mut problems: Vec<Problem> = catalogue
        .problems()
        .into_iter()
        .map(|why| Problem::file("", why).of("catalogue"))
        .collect();
    let roles = Roles::read(source, &mut problems);
    let purposes = Purposes::read(source, &roles, &mut problems);
    let disclosure_control = DisclosureControl::read(source, &roles, &mut problems);
    let mut lint = Lint {
        catalogue,
        index: catalogue.index(),
        checked: Checked {
            roles,
            purposes,
            disclosure_control,
            columns: Vec::new(),
            actions: Vec::new(),
            gifts: Gifts::default(),
            rules: Vec::new(),
        },
        problems,
    };
    lint.columns(source);
    lint.actions(source);
    lint.gifts(source);
    let Lint { checked, problems, .. } = lint;
    (checked, problems)
}

struct Lint<'a> {
    catalogue: &'a Catalogue,
    index: HashMap<String, FieldId>,
    checked: Checked,
    problems: Vec<Problem>,
}

/// What a column line says.
enum Said {
    /// Nobody reads it, and that is meant.
    Nobody,
    Grants(Pair, Uses, Vec<PurposeId>),
}

/// A line that was read already: its number, whom it speaks of, and for which purposes.
type Spoken = (u32, Option<Pair>, Vec<PurposeId>);

/// What an action line says: who runs it and sets which columns, or that nobody does.
type Runs = Option<(Pair, Vec<FieldId>)>;

impl Lint<'_> {
    fn columns(&mut self, source: &Source) {
        let nouns = self.catalogue.nouns();
        let mut spoken: BTreeMap<FieldId, Vec<Spoken>> = BTreeMap::new();
        // A column with a wrong line is not also reported as forgotten.
        let mut named: BTreeSet<FieldId> = BTreeSet::new();
        let mut any_line = false;
        for file in source.files.keys().filter(|file| file.ends_with(".csv")) {
            let others = [
                ACTIONS,
                grants::FILE,
                roles::FILE,
                purposes::FILE,
                disclosure_control::FILE,
                disclosure_control::TABLES,
            ];
            if others.contains(&file.as_str()) {
                continue;
            }
            let noun = file.trim_end_matches(".csv");
            if !nouns.contains(&noun) {
                self.problems.push(
                    Problem::file(
                        file,
                        format!(
                            "there is no noun {noun}{}; delete or rename the file",
                            near(noun, nouns.iter().copied())
                        ),
                    )
                    .of("unknown"),
                );
            }
            for line in source.lines(file) {
                any_line = true;
                named.extend(line.cells.get(1).and_then(|name| self.index.get(*name)));
                let outcome = self.column(noun, &line).and_then(|(field, said)| {
                    let (pair, purposes) = match &said {
                        Said::Nobody => (None, Vec::new()),
                        Said::Grants(pair, _, purposes) => (Some(*pair), purposes.clone()),
                    };
                    let earlier = spoken.entry(field).or_default();
                    // For another purpose a line may say more of the same column, role and reach.
                    let meets = |other: &[PurposeId]| {
                        purposes.is_empty() && other.is_empty()
                            || purposes.iter().any(|purpose| other.contains(purpose))
                    };
                    let clash = earlier
                        .iter()
                        .find(|(_, other, when)| {
                            pair.is_none() != other.is_none() || *other == pair && meets(when)
                        })
                        .map(|(at, other, _)| (*at, *other));
                    earlier.push((line.number, pair, purposes));
                    match clash {
                        None => self.keep_column(file, &line, field, said),
                        Some((at, other)) if other == pair => {
                            Err(fault("duplicate", format!("line {at} already speaks of this column, role and reach; keep one of them")))
                        }
                        Some((at, _)) => Err(fault("contradiction", format!(
                            "line {at} contradicts this: nobody reads the column, or somebody does; delete one"
                        ))),
                    }
                });
                self.problems.extend(outcome.err().map(|fault| fault.at(file, line.number)));
            }
        }
        if !any_line {
            self.problems.push(
                Problem::file("", "the policy is empty: no column has a line".to_owned())
                    .of("empty"),
            );
        }
        // One problem for each noun, so that a new table is read as one omission.
        let mut uncovered: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (field, coordinate) in (0..).zip(&self.catalogue.coordinates) {
            if !matches!(coordinate.class, Class::Derived(_)) && !named.contains(&field) {
                uncovered.entry(coordinate.noun).or_default().push(coordinate.field);
            }
        }
        for (noun, fields) in uncovered {
            let names: Vec<String> = fields.iter().map(|field| format!("{noun}.{field}")).collect();
            let why = format!(
                "no line speaks of {}; a column nobody reads says so: `p, {noun}.x, -, -, hidden,`",
                names.join(", ")
            );
            self.problems.push(Problem::file(&format!("{noun}.csv"), why).of("uncovered"));
        }
    }

    fn keep_column(
        &mut self,
        file: &str,
        line: &Line<'_>,
        field: FieldId,
        said: Said,
    ) -> Result<(), Fault> {
        if let Said::Grants(pair, uses, purposes) = said {
            let rule = self.rule(file, line)?;
            self.checked.columns.push(ColumnLine { field, pair, uses, purposes, rule });
        }
        Ok(())
    }

    fn rule(&mut self, file: &str, line: &Line<'_>) -> Result<RuleId, Fault> {
        let too_many = || {
            fault("size", "there are more policy lines than a cell can point at (65534)".to_owned())
        };
        let id = RuleId::try_from(self.checked.rules.len())
            .ok()
            .filter(|&id| id < RuleId::MAX)
            .ok_or_else(too_many)?;
        self.checked.rules.push(Rule {
            file: file.to_owned(),
            line: line.number,
            text: line.text.to_owned(),
        });
        Ok(id)
    }

    fn column(&self, noun: &str, line: &Line<'_>) -> Result<(FieldId, Said), Fault> {
        let (name, role, reach, sight, uses, purposes) = match line.cells.as_slice() {
            ["p", name, role, reach, sight] => (name, role, reach, sight, "", ""),
            ["p", name, role, reach, sight, uses] => (name, role, reach, sight, *uses, ""),
            ["p", name, role, reach, sight, uses, purposes] => {
                (name, role, reach, sight, *uses, *purposes)
            }
            _ => {
                return Err(fault(
                    "format",
                    "is not `p, column, role, reach, sight, uses, purposes`".to_owned(),
                ));
            }
        };
        no_wildcard(line)?;
        let field = *self.index.get(*name).ok_or_else(|| self.no_column(name))?;
        let coordinate = self
            .catalogue
            .coordinates
            .get(usize::from(field))
            .ok_or_else(|| self.no_column(name))?;
        if coordinate.noun != noun {
            return Err(fault("misplaced", format!("{name} belongs into {}.csv", coordinate.noun)));
        }
        if let Class::Derived(sources) = coordinate.class {
            return Err(fault(
                "computed",
                format!(
                    "{name} is computed from {} and follows their lines; it has none of its own",
                    sources.join(", ")
                ),
            ));
        }
        let sight = [Sight::Hidden, Sight::Masked, Sight::Full]
            .into_iter()
            .find(|known| known.word() == *sight)
            .ok_or_else(|| {
                fault(
                    "unknown",
                    format!("`{sight}` is no sight; a column is full, masked or hidden"),
                )
            })?;
        let uses = uses_of(uses).map_err(|why| fault("use", why))?;
        let purposes = self.checked.purposes.of(purposes).map_err(|why| fault("unknown", why))?;
        if (*role, *reach) == ("-", "-") {
            let nothing = sight == Sight::Hidden && uses.is_empty() && purposes.is_empty();
            return if nothing {
                Ok((field, Said::Nobody))
            } else {
                Err(fault(
                    "contradiction",
                    "`-, -` says that nobody reads the column: hidden, without uses".to_owned(),
                ))
            };
        }
        let pair = self.pair(role, reach)?;
        if pair.role == RoleId::ANYONE && coordinate.group.personal() {
            return Err(fault(
                "personal",
                format!(
                    "{name} is personal; a line for {ANYONE} would show it of every student and member of staff"
                ),
            ));
        }
        fits(coordinate, sight, uses).map_err(|why| fault("use", why))?;
        self.stated(pair.role, &purposes)?;
        let shown = match sight {
            Sight::Hidden => Uses::NONE,
            Sight::Masked => Uses::MASKED,
            Sight::Full => Uses::FULL,
        };
        Ok((field, Said::Grants(pair, uses.union(shown), purposes)))
    }

    /// A purpose that nobody who has the line may state would show nothing, whatever the line says.
    fn stated(&self, role: RoleId, asked: &[PurposeId]) -> Result<(), Fault> {
        let Checked { roles, purposes: known, .. } = &self.checked;
        let unheard = asked.iter().filter_map(|id| known.get(*id)).find(|purpose| {
            !roles.iter().any(|(heir, _)| roles.has(heir, role) && purpose.may_state(roles, heir))
        });
        let Some(purpose) = unheard else { return Ok(()) };
        let name = roles.get(role).map_or("?", |role| role.name.as_str());
        let code = &purpose.code;
        Err(fault(
            "unreachable",
            format!(
                "{name} may not state the purpose {code}; name the role in {}, or drop the purpose here",
                purposes::FILE
            ),
        ))
    }

    fn no_column(&self, name: &str) -> Fault {
        let near = near(name, self.index.keys().map(String::as_str));
        fault("unknown", format!("there is no column {name}{near}"))
    }

    fn pair(&self, role: &str, reach: &str) -> Result<Pair, Fault> {
        let id = self.checked.roles.id(role).ok_or_else(|| {
            let known = self.checked.roles.iter().map(|(_, role)| role.name.as_str());
            fault(
                "unknown",
                format!("there is no role {role}{}; roles.csv names them", near(role, known)),
            )
        })?;
        let reach = Reach::from_word(reach).ok_or_else(|| {
            fault("unknown", format!("`{reach}` is no reach; the reaches are {}", reach_words()))
        })?;
        let held =
            self.checked.roles.get(id).map(|role| role.reaches.as_slice()).unwrap_or_default();
        if !held.contains(&reach) {
            let may: Vec<&str> = held.iter().map(|reach| reach.word()).collect();
            return Err(fault(
                "unreachable",
                format!(
                    "{role} may not be held at {}, only at {}; change this line, or the role's line in roles.csv",
                    reach.word(),
                    may.join(", ")
                ),
            ));
        }
        Ok(Pair { role: id, reach })
    }

    fn actions(&mut self, source: &Source) {
        let mut named = BTreeSet::new();
        let mut seen: BTreeMap<(usize, Option<Pair>), u32> = BTreeMap::new();
        for line in source.lines(ACTIONS) {
            named.extend(line.cells.get(1).copied());
            let outcome = self.action(&line).and_then(|(action, grants)| {
                let pair = grants.as_ref().map(|(pair, _)| *pair);
                if let Some(at) = seen.insert((action, pair), line.number) {
                    return Err(fault("duplicate", format!("line {at} already speaks of this action, role and reach; keep one of them")));
                }
                let Some((pair, columns)) = grants else {
                    return Ok(());
                };
                let rule = self.rule(ACTIONS, &line)?;
                self.checked.actions.push(ActionLine { action, pair, columns, rule });
                Ok(())
            });
            self.problems.extend(outcome.err().map(|fault| fault.at(ACTIONS, line.number)));
        }
        for ((action, pair), line) in &seen {
            if pair.is_none() && seen.keys().any(|(other, pair)| other == action && pair.is_some())
            {
                self.problems.push(
                    Problem::line(
                        ACTIONS,
                        *line,
                        "nobody runs the action, yet another line lets somebody; delete one"
                            .to_owned(),
                    )
                    .of("contradiction"),
                );
            }
        }
        let uncovered: Vec<&str> =
            self.catalogue.actions.iter().copied().filter(|name| !named.contains(name)).collect();
        if !uncovered.is_empty() {
            let why = format!(
                "no line speaks of {}; an action nobody runs says so: `p, x.y, -, -,`",
                uncovered.join(", ")
            );
            self.problems.push(Problem::file(ACTIONS, why).of("uncovered"));
        }
    }

    fn gifts(&mut self, source: &Source) {
        let Checked { roles, actions, .. } = &self.checked;
        let runs: Vec<(&'static str, Pair)> = actions
            .iter()
            .filter_map(|line| Some((*self.catalogue.actions.get(line.action)?, line.pair)))
            .collect();
        let reading = grants::Reading { roles, actions: &self.catalogue.actions, runs: &runs };
        let (gifts, lines) = reading.read(source, &mut self.problems);
        self.checked.gifts = gifts;
        for (line, text) in lines {
            self.checked.rules.push(Rule { file: grants::FILE.to_owned(), line, text });
        }
    }

    fn action(&self, line: &Line<'_>) -> Result<(usize, Runs), Fault> {
        let (name, role, reach, columns) = match line.cells.as_slice() {
            ["p", name, role, reach] => (name, role, reach, ""),
            ["p", name, role, reach, columns] => (name, role, reach, *columns),
            _ => {
                return Err(fault("format", "is not `p, action, role, reach, columns`".to_owned()));
            }
        };
        no_wildcard(line)?;
        let action =
            self.catalogue.actions.iter().position(|known| known == name).ok_or_else(|| {
                fault(
                    "unknown",
                    format!(
                        "there is no action {name}{}",
                        near(name, self.catalogue.actions.iter().copied())
                    ),
                )
            })?;
        if (*role, *reach) == ("-", "-") {
            return if columns.is_empty() {
                Ok((action, None))
            } else {
                Err(fault(
                    "contradiction",
                    "`-, -` says that nobody runs the action: it sets no column".to_owned(),
                ))
            };
        }
        let pair = self.pair(role, reach)?;
        let noun = name.split('.').next().unwrap_or_default();
        let mut set = Vec::new();
        for word in columns.split_whitespace() {
            let full = if word.contains('.') { word.to_owned() } else { format!("{noun}.{word}") };
            let field = *self.index.get(&full).ok_or_else(|| self.no_column(&full))?;
            let stored = self
                .catalogue
                .coordinates
                .get(usize::from(field))
                .is_some_and(|coordinate| coordinate.class.stored());
            if !stored {
                return Err(fault(
                    "computed",
                    format!("{full} is computed; an action cannot set it"),
                ));
            }
            if set.contains(&field) {
                return Err(fault("duplicate", format!("{full} is named twice")));
            }
            set.push(field);
        }
        Ok((action, Some((pair, set))))
    }
}

fn no_wildcard(line: &Line<'_>) -> Result<(), Fault> {
    match line.cells.iter().find(|cell| cell.contains('*')) {
        Some(cell) => Err(fault(
            "wildcard",
            format!(
                "`{cell}`: there are no wildcards, so that no line speaks of a personal column unseen; name each column, role and reach"
            ),
        )),
        None => Ok(()),
    }
}
