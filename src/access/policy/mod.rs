//! The policy files, checked and compiled into the table that requests ask.
//!
//! [`Source`] holds the texts, `lint` refuses what is wrong (all problems at once), `compile` asks
//! casbin about every cell through `oracle`, `masks` refuses masks that other columns undo, and `warn` says what is
//! allowed and probably not meant. `matrix` and `page` print the result, `explain` says how a cell came about,
//! `expect` holds it against what a school expects of it, and `diff` against another policy. Nothing here runs during a request, and nothing outside `oracle` names casbin.
//! A policy that does not pass is never half in force: loading gives a whole [`Policy`] or [`Problems`].

mod actions;
mod compile;
mod diff;
mod disclosure_control;
mod expect;
mod explain;
mod fault;
mod grants;
mod lint;
mod masks;
mod matrix;
mod oracle;
mod page;
mod purposes;
mod roles;
mod source;
#[cfg(test)]
mod tests;
mod uses;
mod warn;

pub use actions::{Act, ActionId, Actions};
pub use diff::{Change, Difference, diff};
pub use disclosure_control::{Declared, Dimension, DisclosureControl, Measure, Way};
pub use expect::{Expectations, Failure, Verdict, draft};
pub use explain::{Explanation, Spoken, explain};
pub use grants::{Eyes, Fact, Gifts};
pub use matrix::matrix;
pub use page::page;
pub use purposes::{Purpose, PurposeId, Purposes};
pub use roles::{Role, Roles};
pub use source::Source;
pub use warn::Thresholds;

use crate::access::catalogue::Catalogue;
use crate::access::table::Table;
use lint::{ActionLine, ColumnLine};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// A checked and compiled policy: one immutable snapshot.
#[derive(Debug)]
pub struct Policy {
    /// What each role at each reach may do with each field.
    pub table: Table,
    /// The same for each purpose that a line asks for; every other purpose has the table above.
    pub(in crate::access) purposed: Vec<(PurposeId, Table)>,
    /// The roles of `roles.csv`, and `anyone`.
    pub roles: Roles,
    /// The purposes of `purposes.csv`.
    pub purposes: Purposes,
    /// Who may run which action, and the columns it sets.
    pub actions: Actions,
    /// Who gives which role, and which follow from duties.
    pub gifts: Gifts,
    /// How figures are told to those who may not read the rows.
    pub disclosure_control: DisclosureControl,
    /// The number under which it is published, with the hash: `12:0a1b…`; the hash alone before that.
    pub version: String,
    /// Hash of the files.
    pub hash: String,
    /// Number of lines that grant or deny something.
    pub lines: usize,
    /// The lines themselves, for answers to *why*.
    said: Said,
}

/// What the lines of a policy say, in the order of file and line.
#[derive(Debug)]
struct Said {
    columns: Vec<ColumnLine>,
    actions: Vec<ActionLine>,
    /// `model.conf`, which says what the lines mean.
    model: String,
}

impl Policy {
    /// The table for a purpose that a request states, or for none.
    pub fn table_for(&self, purpose: Option<PurposeId>) -> &Table {
        let found = self.purposed.iter().find(|(id, _)| Some(*id) == purpose);
        found.map_or(&self.table, |(_, table)| table)
    }

    /// Whether a policy line asks for the purpose.
    pub fn asks_for(&self, purpose: PurposeId) -> bool {
        self.purposed.iter().any(|(id, _)| *id == purpose)
    }

    /// Loads the policy of a folder. Asks casbin for every cell, off the async threads.
    pub async fn load(dir: &Path, catalogue: &Catalogue) -> Result<Policy, Problems> {
        let dir = dir.to_owned();
        let source = blocking(move || Source::read(&dir)).await?.map_err(Problems::of)?;
        Policy::compile(source, catalogue).await
    }

    /// Loads the shipped policy.
    pub async fn embedded(catalogue: &Catalogue) -> Result<Policy, Problems> {
        Policy::compile(Source::shipped(), catalogue).await
    }

    /// The same under the number of a published version.
    #[must_use]
    pub fn numbered(mut self, number: i64) -> Policy {
        self.version = format!("{number}:{}", self.hash);
        self
    }

    /// Checks and compiles policy texts.
    pub async fn compile(source: Source, catalogue: &Catalogue) -> Result<Policy, Problems> {
        Policy::compile_except(source, catalogue, &[], None).await
    }

    /// The same, faster: columns whose lines are those of an earlier policy under the same model and the
    /// same roles keep the answers that casbin gave for it.
    pub async fn compile_after(
        source: Source,
        catalogue: &Catalogue,
        earlier: Arc<Policy>,
    ) -> Result<Policy, Problems> {
        Policy::compile_except(source, catalogue, &[], Some(earlier)).await
    }

    /// The policy of an earlier program, to be compared and never to be used: columns and actions that
    /// this program knows and the files do not are hidden and nobody's, and lines about what it does not
    /// know are left out.
    pub async fn earlier(source: Source, catalogue: &Catalogue) -> Result<Policy, Problems> {
        Policy::compile_except(source, catalogue, &["uncovered", "unknown"], None).await
    }

    async fn compile_except(
        source: Source,
        catalogue: &Catalogue,
        forgiven: &'static [&'static str],
        earlier: Option<Arc<Policy>>,
    ) -> Result<Policy, Problems> {
        let (checked, mut problems) = lint::check(&source, catalogue);
        problems.retain(|problem| !forgiven.contains(&problem.code));
        let model = source.files.get(oracle::MODEL).map(String::as_str);
        match oracle::Oracle::new(model).await {
            Err(problem) => {
                problems.insert(0, problem);
                Err(Problems(problems))
            }
            Ok(_) if !problems.is_empty() => Err(Problems(problems)),
            Ok(oracle) => {
                let catalogue = catalogue.clone();
                let version = source.version();
                let model = model.unwrap_or_default().to_owned();
                blocking(move || {
                    compile::policy(
                        oracle,
                        checked,
                        &catalogue,
                        (version, model),
                        earlier.as_deref(),
                    )
                })
                .await?
            }
        }
    }
}

/// Runs work that keeps a processor busy away from the async threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problems> {
    let stopped = |error: tokio::task::JoinError| {
        let why = if error.is_panic() { "failed inside" } else { "was cancelled" };
        Problems::of(Problem::file(
            "",
            format!("compiling the policy {why}; the policy is not in force"),
        ))
    };
    tokio::task::spawn_blocking(work).await.map_err(stopped)
}

/// What `policy check` reports: the problems, and a summary when there are none.
#[derive(Debug)]
pub struct Report {
    /// Why the policy is refused; empty when it may be used.
    pub problems: Vec<Problem>,
    /// What is allowed and probably not meant.
    pub warnings: Vec<Problem>,
    /// Counts of the compiled policy.
    pub summary: Option<Summary>,
}

/// Counts of a compiled policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Hash of the files.
    pub version: String,
    /// Roles, `anyone` included.
    pub roles: usize,
    /// Permitted pairs of role and reach.
    pub pairs: usize,
    /// Coordinates of the catalogue.
    pub coordinates: usize,
    /// Actions of the catalogue.
    pub actions: usize,
    /// Policy lines.
    pub lines: usize,
    /// Cells of the table.
    pub cells: usize,
    /// Cells that grant something.
    pub granting: usize,
}

/// Checks policy texts against the catalogue.
pub async fn check(source: Source, catalogue: &Catalogue) -> Report {
    check_within(source, catalogue, &Thresholds::default()).await
}

/// The same with thresholds of one's own for roles that collect much.
pub async fn check_within(
    source: Source,
    catalogue: &Catalogue,
    thresholds: &Thresholds,
) -> Report {
    match Policy::compile(source.clone(), catalogue).await {
        Err(Problems(problems)) => Report { problems, warnings: Vec::new(), summary: None },
        Ok(policy) => Report {
            problems: Vec::new(),
            warnings: warn::warnings(&policy, &source, catalogue, thresholds),
            summary: Some(Summary::of(&policy)),
        },
    }
}

impl Summary {
    /// Counts a policy.
    pub fn of(policy: &Policy) -> Summary {
        let table = &policy.table;
        let fields = (0..).take(table.fields());
        let granting = table
            .pairs()
            .iter()
            .map(|&pair| {
                fields.clone().filter(|&field| !table.cell(pair, field).uses.is_empty()).count()
            })
            .sum();
        Summary {
            version: policy.version.clone(),
            roles: policy.roles.iter().count(),
            pairs: table.pairs().len(),
            coordinates: table.fields(),
            actions: policy.actions.len(),
            lines: policy.lines,
            cells: table.pairs().len() * table.fields(),
            granting,
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary { version, roles, pairs, coordinates, actions, lines, cells, granting } = self;
        write!(
            f,
            "policy {version}: {roles} roles at {pairs} pairs, {coordinates} coordinates, {actions} actions, \
             {lines} lines, {cells} cells of which {granting} grant something"
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.problems {
            writeln!(f, "error[{}] {problem}", problem.code)?;
        }
        for warning in &self.warnings {
            writeln!(f, "warning[{}] {warning}", warning.code)?;
        }
        match &self.summary {
            Some(summary) => write!(f, "{summary}; {} warnings", self.warnings.len()),
            None => write!(f, "refused: {} problems", self.problems.len()),
        }
    }
}

/// One reason why a policy is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The kind, which stays the same from release to release: `unknown`, `uncovered`, `mask` ….
    pub code: &'static str,
    /// The file; empty when the problem is no file's.
    pub file: String,
    /// The line, counted from one; none when it concerns the whole file.
    pub line: Option<u32>,
    /// What is wrong, and what to do.
    pub why: String,
}

impl Problem {
    /// A problem of a whole file.
    pub(crate) fn file(file: &str, why: String) -> Problem {
        Problem { code: "file", file: file.to_owned(), line: None, why }
    }

    /// A problem of a line.
    pub(crate) fn line(file: &str, line: u32, why: String) -> Problem {
        Problem { code: "line", file: file.to_owned(), line: Some(line), why }
    }

    /// The same under another kind.
    pub(crate) fn of(self, code: &'static str) -> Problem {
        Problem { code, ..self }
    }

    /// Where it stands: `policies/student.csv:12`.
    pub fn place(&self) -> String {
        match (self.file.as_str(), self.line) {
            ("", _) => "policies".to_owned(),
            (file, None) => format!("policies/{file}"),
            (file, Some(line)) => format!("policies/{file}:{line}"),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place(), self.why)
    }
}

/// Every problem of a refused policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// One problem alone.
    pub(crate) fn of(problem: Problem) -> Problems {
        Problems(vec![problem])
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, problem) in self.0.iter().enumerate() {
            if place > 0 {
                writeln!(f)?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
