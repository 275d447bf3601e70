//! The roles of `roles.csv`: names, the reaches they may hold, whom they inherit from.
//!
//! It reads and checks that one file; what a role may see stands in the noun files.

use crate::access::policy::Problem;
use crate::access::policy::source::Source;
use crate::access::table::{Pair, Reach, RoleId};

/// The name of the file.
pub(super) const FILE: &str = "roles.csv";

/// The implicit role of every signed-in caller.
pub(super) const ANYONE: &str = "anyone";

/// Longest chain of inheritance: casbin silently stops matching beyond nine links.
const LONGEST_CHAIN: usize = 9;

/// A role that a grant may name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// The name in policy and grants: `homeroom_teacher`.
    pub name: String,
    /// The Chinese term: 班主任.
    pub chinese: String,
    /// The reaches at which it may be held.
    pub reaches: Vec<Reach>,
    /// The roles whose lines it has as well, directly.
    pub inherits: Vec<RoleId>,
}

/// All roles by id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roles {
    roles: Vec<Role>,
}

impl Roles {
    /// The id of a role name.
    pub fn id(&self, name: &str) -> Option<RoleId> {
        self.iter().find_map(|(id, role)| (role.name == name).then_some(id))
    }

    /// The role of an id.
    pub fn get(&self, id: RoleId) -> Option<&Role> {
        self.roles.get(usize::from(id.0))
    }

    /// The roles by id.
    pub fn iter(&self) -> impl Iterator<Item = (RoleId, &Role)> {
        (0..).map(RoleId).zip(&self.roles)
    }

    /// Every permitted pair, by role and reach.
    pub fn pairs(&self) -> Vec<Pair> {
        let mut pairs: Vec<Pair> = self
            .iter()
            .flat_map(|(id, role)| role.reaches.iter().map(move |&reach| Pair { role: id, reach }))
            .collect();
        pairs.sort_unstable();
        pairs
    }

    /// A pair in words: `homeroom_teacher/class`.
    pub fn words(&self, pair: Pair) -> String {
        let name = self.get(pair.role).map_or("?", |role| role.name.as_str());
        format!("{name}/{}", pair.reach.word())
    }

    /// Whether `heir` is `ancestor` or has its lines through inheritance.
    pub fn has(&self, heir: RoleId, ancestor: RoleId) -> bool {
        self.has_within(heir, ancestor, self.roles.len())
    }

    fn has_within(&self, heir: RoleId, ancestor: RoleId, links: usize) -> bool {
        heir == ancestor
            || links > 0
                && self.get(heir).is_some_and(|role| {
                    role.inherits.iter().any(|&parent| self.has_within(parent, ancestor, links - 1))
                })
    }

    /// The names from a role to one that it inherits from, along the shortest chain; empty when it does not.
    pub fn path(&self, heir: RoleId, ancestor: RoleId) -> Vec<String> {
        let mut chains = vec![vec![heir]];
        for _ in 0..=self.roles.len() {
            let mut longer = Vec::new();
            for chain in chains {
                let Some(&last) = chain.last() else { continue };
                if last == ancestor {
                    let name = |id: &RoleId| self.get(*id).map(|role| role.name.clone());
                    return chain.iter().filter_map(name).collect();
                }
                for &parent in
                    self.get(last).map(|role| role.inherits.as_slice()).unwrap_or_default()
                {
                    longer.push(chain.iter().copied().chain([parent]).collect());
                }
            }
            chains = longer;
        }
        Vec::new()
    }

    /// Longest chain of links above a role; above the number of roles it is a circle.
    fn chain(&self, id: RoleId, limit: usize) -> usize {
        match self.get(id) {
            Some(role) if limit > 0 => role
                .inherits
                .iter()
                .map(|&parent| 1 + self.chain(parent, limit - 1))
                .max()
                .unwrap_or(0),
            _ => 0,
        }
    }

    /// Reads `roles.csv`; what is wrong is added to the problems.
    pub(super) fn read(source: &Source, problems: &mut Vec<Problem>) -> Roles {
        let anyone = Role {
            name: ANYONE.to_owned(),
            chinese: "任何登录者".to_owned(),
            reaches: vec![Reach::Anywhere],
            inherits: Vec::new(),
        };
        let mut roles = Roles { roles: vec![anyone] };
        if !source.files.contains_key(FILE) {
            problems
                .push(Problem::file(FILE, "is missing; it names the roles".to_owned()).of("role"));
        }
        let mut links = Vec::new();
        for line in source.lines(FILE) {
            let outcome = match line.cells.as_slice() {
                ["r", name, chinese, reaches] => roles.add(name, chinese, reaches),
                ["g", heir, ancestor] => {
                    links.push((line.number, (*heir).to_owned(), (*ancestor).to_owned()));
                    Ok(())
                }
                _ => {
                    Err("is neither `r, role, Chinese name, reaches` nor `g, role, inherited role`"
                        .to_owned())
                }
            };
            problems
                .extend(outcome.err().map(|why| Problem::line(FILE, line.number, why).of("role")));
        }
        for (number, heir, ancestor) in links {
            problems.extend(
                roles
                    .link(&heir, &ancestor)
                    .err()
                    .map(|why| Problem::line(FILE, number, why).of("role")),
            );
        }
        roles
    }

    fn add(&mut self, name: &str, chinese: &str, reaches: &str) -> Result<(), String> {
        let plain = name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        if !plain {
            return Err(format!(
                "`{name}` is no role name; use small letters, digits and underscores"
            ));
        }
        if self.id(name).is_some() {
            return Err(if name == ANYONE {
                "`anyone` is held by every signed-in caller and needs no line".to_owned()
            } else {
                format!("the role {name} is already named above")
            });
        }
        // Ids are one byte, and the last is kept free so that counting never wraps.
        if self.roles.len() >= usize::from(u8::MAX) {
            return Err("there are more roles than a role id can tell apart (254)".to_owned());
        }
        let mut held = Vec::new();
        for word in reaches.split_whitespace() {
            let reach = Reach::from_word(word).ok_or_else(|| {
                format!("`{word}` is no reach; the reaches are {}", reach_words())
            })?;
            if held.contains(&reach) {
                return Err(format!("the reach {word} is named twice"));
            }
            held.push(reach);
        }
        if held.is_empty() {
            return Err(format!("the role {name} needs at least one reach: {}", reach_words()));
        }
        self.roles.push(Role {
            name: name.to_owned(),
            chinese: chinese.to_owned(),
            reaches: held,
            inherits: Vec::new(),
        });
        Ok(())
    }

    fn link(&mut self, heir: &str, ancestor: &str) -> Result<(), String> {
        let find = |name: &str| {
            self.id(name).ok_or_else(|| format!("the role {name} is unknown; give it an `r` line"))
        };
        let (heir_id, ancestor_id) = (find(heir)?, find(ancestor)?);
        if heir_id == RoleId::ANYONE || ancestor_id == RoleId::ANYONE {
            return Err("anyone neither inherits nor is inherited: every caller holds it already"
                .to_owned());
        }
        if self.has(ancestor_id, heir_id) {
            return Err(format!("{heir} would inherit from itself through {ancestor}"));
        }
        let shared = |roles: &Roles| {
            let (heir, ancestor) = (roles.get(heir_id)?, roles.get(ancestor_id)?);
            heir.reaches.iter().find(|reach| ancestor.reaches.contains(reach)).copied()
        };
        if shared(self).is_none() {
            return Err(format!("{heir} inherits nothing from {ancestor}: they share no reach"));
        }
        if let Some(role) = self.roles.get_mut(usize::from(heir_id.0)) {
            if role.inherits.contains(&ancestor_id) {
                return Err(format!("{heir} already inherits from {ancestor}"));
            }
            role.inherits.push(ancestor_id);
        }
        let longest =
            self.iter().map(|(id, _)| self.chain(id, self.roles.len())).max().unwrap_or(0);
        if longest > LONGEST_CHAIN {
            return Err(format!(
                "the chain of inherited roles has {longest} links; the most is {LONGEST_CHAIN}"
            ));
        }
        Ok(())
    }
}

/// The reaches, for messages.
pub(super) fn reach_words() -> String {
    Reach::ALL.map(Reach::word).join(", ")
}
