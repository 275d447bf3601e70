//! One person for each role, with the ids that an example query of theirs needs.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A person of the demo who can be tried out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Persona {
    /// Name as printed (`homeroom teacher`).
    pub name: String,
    /// Role in the policies (`homeroom_teacher`).
    pub role: String,
    /// The account.
    pub account_id: Uuid,
    /// Its login.
    pub login: String,
    /// Students to ask for: the wards, oneself, or a few of the class.
    pub student_ids: Vec<Uuid>,
    /// A class within reach.
    pub class_group_id: Option<Uuid>,
    /// A year level within reach.
    pub year_level_id: Option<Uuid>,
    /// The course taught.
    pub course_id: Option<Uuid>,
    /// An exam of that class whose scores are published.
    pub exam_id: Option<Uuid>,
    /// The school.
    pub school_id: Option<Uuid>,
    /// The county whose schools are within reach.
    pub county_id: Option<Uuid>,
}

/// The people to try out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Personas(pub Vec<Persona>);

/// Names of the personas, in the order in which they are printed.
pub const NAMES: [&str; 11] = [
    "guardian",
    "student",
    "homeroom teacher",
    "subject teacher",
    "year head",
    "registrar",
    "aid officer",
    "county officer",
    "analyst",
    "auditor",
    "administrator",
];

impl Personas {
    /// The persona of this name.
    pub fn get(&self, name: &str) -> Option<&Persona> {
        self.0.iter().find(|persona| persona.name == name)
    }
}

/// Personas found so far while the demo is made.
#[derive(Debug, Default)]
pub(super) struct Gathered(Vec<Persona>);

impl Gathered {
    /// Takes the persona unless there is one of its name.
    pub(super) fn offer(&mut self, persona: Persona) {
        if !self.has(&persona.name) {
            self.0.push(persona);
        }
    }

    /// Takes the persona, even if there is one of its name.
    pub(super) fn prefer(&mut self, persona: Persona) {
        self.0.retain(|other| other.name != persona.name);
        self.0.push(persona);
    }

    /// Whether a persona of this name is there.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|persona| persona.name == name)
    }

    /// The persona of this name, to complete it.
    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut Persona> {
        self.0.iter_mut().find(|persona| persona.name == name)
    }

    /// All personas in their order. A very small demo may have no pupil old enough for an account; that persona is left out.
    pub(super) fn finish(&mut self) -> Result<Personas> {
        let mut list = std::mem::take(&mut self.0);
        list.first().context("the demo has nobody to try out")?;
        list.sort_by_key(|persona| NAMES.iter().position(|name| *name == persona.name));
        Ok(Personas(list))
    }
}
