//! The policy files, checked and compiled into the table that requests ask.
//!
//! [`Source`] holds the texts, `lint` refuses what is wrong (all problems at once), `compile` asks
//! casbin about every cell through `oracle`, `masks` refuses masks that another column undoes, `matrix` prints the
//! result. Nothing here runs during a request, and nothing outside `oracle` names casbin.
//! A policy that does not pass is never half in force: loading gives a whole [`Policy`] or [`Problems`].

mod actions;
mod compile;
mod lint;
mod masks;
mod matrix;
mod oracle;
mod roles;
mod source;
#[cfg(test)]
mod tests;
mod uses;

pub use actions::{Act, ActionId, Actions};
pub use matrix::matrix;
pub use roles::{Role, Roles};
pub use source::Source;

use crate::access::catalogue::Catalogue;
use crate::access::table::Table;
use std::fmt;
use std::path::Path;

/// A checked and compiled policy: one immutable snapshot.
#[derive(Debug)]
pub struct Policy {
    /// What each role at each reach may do with each field.
    pub table: Table,
    /// The roles of `roles.csv`, and `anyone`.
    pub roles: Roles,
    /// Who may run which action, and the columns it sets.
    pub actions: Actions,
    /// Hash of the files.
    pub version: String,
    /// Number of lines that grant or deny something.
    pub lines: usize,
}

impl Policy {
    /// Loads the policy of a folder. Asks casbin for every cell, off the async threads.
    pub async fn load(dir: &Path, catalogue: &Catalogue) -> Result<Policy, Problems> {
        let dir = dir.to_owned();
        let source = blocking(move || Source::read(&dir)).await?.map_err(Problems::one)?;
        Policy::compile(source, catalogue).await
    }

    /// Loads the shipped policy.
    pub async fn embedded(catalogue: &Catalogue) -> Result<Policy, Problems> {
        Policy::compile(Source::shipped(), catalogue).await
    }

    /// Checks and compiles policy texts.
    pub async fn compile(source: Source, catalogue: &Catalogue) -> Result<Policy, Problems> {
        let (checked, mut problems) = lint::check(&source, catalogue);
        let model = source.files.get(oracle::MODEL).map(String::as_str);
        match oracle::Oracle::new(model).await {
            Err(problem) => {
                problems.insert(0, problem);
                Err(Problems(problems))
            }
            Ok(_) if !problems.is_empty() => Err(Problems(problems)),
            Ok(oracle) => {
                let catalogue = catalogue.clone();
                blocking(move || compile::policy(oracle, checked, &catalogue, source.version()))
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
        Problems::one(Problem::file(
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
    match Policy::compile(source, catalogue).await {
        Err(Problems(problems)) => Report { problems, summary: None },
        Ok(policy) => Report { problems: Vec::new(), summary: Some(Summary::of(&policy)) },
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
            writeln!(f, "{problem}")?;
        }
        match &self.summary {
            Some(summary) => write!(f, "{summary}"),
            None => write!(f, "refused: {} problems", self.problems.len()),
        }
    }
}

/// One reason why a policy is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
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
        Problem { file: file.to_owned(), line: None, why }
    }

    /// A problem of a line.
    pub(crate) fn line(file: &str, line: u32, why: String) -> Problem {
        Problem { file: file.to_owned(), line: Some(line), why }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.file.as_str(), self.line) {
            ("", _) => f.write_str("policies: ")?,
            (file, None) => write!(f, "policies/{file}: ")?,
            (file, Some(line)) => write!(f, "policies/{file}:{line}: ")?,
        }
        f.write_str(&self.why)
    }
}

/// Every problem of a refused policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    fn one(problem: Problem) -> Problems {
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
