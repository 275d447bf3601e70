//! The policy files as text: from a folder, or the shipped ones inside the program.
//!
//! It reads and hashes; it never judges what the files say.

use crate::access::policy::{Problem, Problems};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

macro_rules! shipped {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!("../../../policies/", $name)))),+]
    };
}

/// The shipped policy, so that the program runs without the folder.
const SHIPPED: &[(&str, &str)] = shipped![
    "model.conf",
    "roles.csv",
    "actions.csv",
    "grants.csv",
    "purposes.csv",
    "disclosure_control.csv",
    "tables.csv",
    "organisation.csv",
    "school_year.csv",
    "term.csv",
    "year_level.csv",
    "class_group.csv",
    "course.csv",
    "exam.csv",
    "exam_course.csv",
    "staff.csv",
    "duty.csv",
    "aid_programme.csv",
    "account.csv",
    "access_grant.csv",
    "student.csv",
    "identity_document.csv",
    "student_number.csv",
    "guardian.csv",
    "guardianship.csv",
    "enrollment.csv",
    "class_membership.csv",
    "archive.csv",
    "archive_item.csv",
    "score.csv",
    "attendance.csv",
    "reward.csv",
    "sanction.csv",
    "aid_grant.csv",
    "disclosure.csv",
    "access_review.csv",
];

/// Policy files by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// The text of each file; the order of the map makes everything after it stable.
    pub files: BTreeMap<String, String>,
}

impl Source {
    /// The shipped files.
    pub fn shipped() -> Source {
        Source {
            files: SHIPPED
                .iter()
                .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
                .collect(),
        }
    }

    /// `model.conf` and every `.csv` of a folder; other files are left alone.
    pub fn read(dir: &Path) -> Result<Source, Problem> {
        let unreadable = |name: &str, error: std::io::Error| {
            Problem::file(name, format!("cannot be read: {}", error.kind()))
        };
        let mut files = BTreeMap::new();
        for entry in std::fs::read_dir(dir).map_err(|error| unreadable("", error))? {
            let path = entry.map_err(|error| unreadable("", error))?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
                continue;
            };
            if name == "model.conf" || (name.ends_with(".csv") && !name.starts_with('.')) {
                let text =
                    std::fs::read_to_string(&path).map_err(|error| unreadable(name, error))?;
                files.insert(name.to_owned(), text);
            }
        }
        Ok(Source { files })
    }

    /// The same off the async threads.
    pub async fn read_aside(dir: std::path::PathBuf) -> Result<Source, Problems> {
        super::blocking(move || Source::read(&dir)).await?.map_err(Problems::of)
    }

    /// A hash of names and texts: the same files give the same version everywhere.
    pub fn version(&self) -> String {
        let mut hash = Sha256::new();
        for (name, text) in &self.files {
            for part in [name, text] {
                hash.update((part.len() as u64).to_be_bytes());
                hash.update(part.as_bytes());
            }
        }
        hash.finalize().iter().take(8).fold(String::new(), |mut hex, byte| {
            // Writing into a String cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }

    /// The reason that a comment right above a line states for what `code` warns of:
    /// `# because collects-much: keeps the register`.
    pub(super) fn because(&self, file: &str, line: u32, code: &str) -> Option<&str> {
        let above = usize::try_from(line).ok()?.checked_sub(1)?;
        let text = self.files.get(file)?;
        let lines: Vec<&str> = text.lines().take(above).collect();
        lines
            .iter()
            .rev()
            .map(|line| line.trim())
            .take_while(|line| line.starts_with('#'))
            .find_map(|line| {
                let said = line.trim_start_matches('#').trim().strip_prefix("because ")?;
                let reason = said.strip_prefix(code)?.strip_prefix(':')?.trim();
                (!reason.is_empty()).then_some(reason)
            })
    }

    /// The lines of a file that say something: number from one, text, cells.
    pub(super) fn lines<'a>(&'a self, file: &str) -> impl Iterator<Item = Line<'a>> + use<'a> {
        let text = self.files.get(file).map_or("", String::as_str);
        (1..).zip(text.trim_start_matches('\u{feff}').lines()).filter_map(|(number, line)| {
            let text = line.trim();
            let spoken = !text.is_empty() && !text.starts_with('#');
            spoken.then(|| Line { number, text, cells: text.split(',').map(str::trim).collect() })
        })
    }
}

/// A line of a policy file that is neither empty nor a comment.
#[derive(Clone, Debug)]
pub(super) struct Line<'a> {
    /// Counted from one.
    pub(super) number: u32,
    /// The line without surrounding blanks.
    pub(super) text: &'a str,
    /// The text between the commas, without surrounding blanks.
    pub(super) cells: Vec<&'a str>,
}
