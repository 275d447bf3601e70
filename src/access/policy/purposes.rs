//! The purposes of `purposes.csv`: what an answer may be wanted for, by code and in both languages, and who
//! may say so.
//!
//! It reads and checks that one file; which lines ask for a purpose stands in the noun files.

use crate::access::policy::Problem;
use crate::access::policy::fault::near;
use crate::access::policy::roles::Roles;
use crate::access::policy::source::Source;
use crate::access::table::RoleId;

/// The name of the file.
pub(super) const FILE: &str = "purposes.csv";

/// Most purposes: each that a line asks for has a table of its own.
const MOST: usize = 64;

/// Longest code, which is also the longest that a request may state.
const CODE_BYTES: usize = 64;

/// Id of a purpose: its place in `purposes.csv`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PurposeId(pub u8);

/// What an answer may be wanted for (用途).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purpose {
    /// The code in requests and policy lines: `transfer_review`.
    pub code: String,
    /// The name in English.
    pub english: String,
    /// The name in Chinese: 转学核办.
    pub chinese: String,
    /// The roles that may state it, with those that inherit from them; everybody, when none is named.
    pub roles: Vec<RoleId>,
}

impl Purpose {
    /// Whether whoever holds the role may state it.
    pub fn may_state(&self, roles: &Roles, role: RoleId) -> bool {
        self.roles.is_empty() || self.roles.iter().any(|named| roles.has(role, *named))
    }
}

/// All purposes by id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Purposes {
    purposes: Vec<Purpose>,
}

impl Purposes {
    /// The id of a code.
    pub fn id(&self, code: &str) -> Option<PurposeId> {
        self.iter().find_map(|(id, purpose)| (purpose.code == code).then_some(id))
    }

    /// The purpose of an id.
    pub fn get(&self, id: PurposeId) -> Option<&Purpose> {
        self.purposes.get(usize::from(id.0))
    }

    /// The purposes by id.
    pub fn iter(&self) -> impl Iterator<Item = (PurposeId, &Purpose)> {
        (0..).map(PurposeId).zip(&self.purposes)
    }

    /// Reads `purposes.csv`, which may be left out; what is wrong is added to the problems.
    pub(super) fn read(source: &Source, roles: &Roles, problems: &mut Vec<Problem>) -> Purposes {
        let mut purposes = Purposes::default();
        for line in source.lines(FILE) {
            let outcome = match line.cells.as_slice() {
                ["u", code, english, chinese] => purposes.add(code, english, chinese, Vec::new()),
                ["u", code, english, chinese, named] => named_roles(roles, named)
                    .and_then(|named| purposes.add(code, english, chinese, named)),
                _ => Err("is not `u, code, English name, Chinese name, roles`".to_owned()),
            };
            problems.extend(outcome.err().map(|why| Problem::line(FILE, line.number, why)));
        }
        purposes
    }

    fn add(
        &mut self,
        code: &str,
        english: &str,
        chinese: &str,
        roles: Vec<RoleId>,
    ) -> Result<(), String> {
        let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if code.is_empty() || code.len() > CODE_BYTES || !code.chars().all(word) {
            return Err(format!(
                "`{code}` is no code; use up to {CODE_BYTES} small letters, digits and underscores"
            ));
        }
        if english.is_empty() || chinese.is_empty() {
            return Err(format!("the purpose {code} needs a name in English and in Chinese"));
        }
        if self.id(code).is_some() {
            return Err(format!("the purpose {code} is already named above"));
        }
        if self.purposes.len() >= MOST {
            return Err(format!("there are more than {MOST} purposes"));
        }
        self.purposes.push(Purpose {
            code: code.to_owned(),
            english: english.to_owned(),
            chinese: chinese.to_owned(),
            roles,
        });
        Ok(())
    }

    /// The ids of the codes of a line, separated by blanks.
    pub(super) fn of(&self, codes: &str) -> Result<Vec<PurposeId>, String> {
        let mut ids = Vec::new();
        for code in codes.split_whitespace() {
            let id = self.id(code).ok_or_else(|| {
                format!("there is no purpose {code}; name it in {FILE}, or correct the line")
            })?;
            if ids.contains(&id) {
                return Err(format!("the purpose {code} is named twice"));
            }
            ids.push(id);
        }
        Ok(ids)
    }
}

/// The roles that a line names, separated by blanks.
fn named_roles(roles: &Roles, words: &str) -> Result<Vec<RoleId>, String> {
    let mut named = Vec::new();
    for word in words.split_whitespace() {
        let role = roles.id(word).ok_or_else(|| {
            let near = near(word, roles.iter().map(|(_, role)| role.name.as_str()));
            format!("there is no role {word}{near}")
        })?;
        if named.contains(&role) {
            return Err(format!("the role {word} is named twice"));
        }
        named.push(role);
    }
    Ok(named)
}
