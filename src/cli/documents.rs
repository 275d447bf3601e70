//! What each person of the demo would really send.

use anyhow::Context;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use uuid::Uuid;
use xueji_entity::value::AccountId;

use super::demo::Keys;
use crate::access::filter::Key;
use crate::access::opaque::Opaque;
use crate::demo::persona::{Persona as Person, Personas};
use crate::graphql::REGISTRY;
use crate::http::backend::Persona;

macro_rules! documents {
    ($($role:literal),* $(,)?) => {
        /// The document of a role.
        fn document(role: &str) -> Option<&'static str> {
            match role {
                $($role => Some(include_str!(concat!("../../examples/", $role, ".graphql"))),)*
                _ => None,
            }
        }
    };
}
documents!(
    "guardian",
    "student",
    "homeroom_teacher",
    "subject_teacher",
    "year_head",
    "registrar",
    "aid_officer",
    "county_officer",
    "analyst",
    "auditor",
    "administrator",
);

/// Hours that a token of the demo lasts.
const HOURS: u32 = 30 * 24;

/// The people of the demo with a token each, and a document with its variables.
pub(super) fn personas(
    personas: &Personas,
    keys: &Keys,
    opaque: &Opaque,
    now: DateTime<Utc>,
) -> anyhow::Result<Vec<Persona>> {
    // Who has no class of their own asks about the homeroom teacher's examination.
    let exam = personas.0.iter().find_map(|person| person.exam_id);
    personas
        .0
        .iter()
        .map(|person| {
            Ok(Persona {
                name: person.name.clone(),
                role: person.role.clone(),
                token: keys.token(AccountId::from_uuid(person.account_id), now, HOURS)?,
                query: document(&person.role)
                    .with_context(|| format!("{} has no document", person.role))?
                    .to_owned(),
                variables: variables(person, exam, opaque),
            })
        })
        .collect()
}

fn variables(person: &Person, exam: Option<Uuid>, opaque: &Opaque) -> Value {
    let id = |noun: &str, id: Option<Uuid>| -> Value {
        match (REGISTRY.get(noun), id) {
            (Some(noun), Some(id)) => json!(opaque.id(noun, Key { student: None, id })),
            _ => Value::Null,
        }
    };
    let exam = id("exam", person.exam_id.or(exam));
    let mut variables = Map::new();
    let mut put = |name: &str, value: Value| variables.insert(name.to_owned(), value);
    match person.role.as_str() {
        "guardian" | "subject_teacher" | "analyst" => {
            put("exam", exam);
        }
        "homeroom_teacher" => {
            put("class", id("class_group", person.class_group_id));
            put("exam", exam);
        }
        "registrar" => {
            put("school", id("organisation", person.school_id));
        }
        "county_officer" => {
            put("county", id("organisation", person.county_id));
        }
        _ => {}
    }
    Value::Object(variables)
}
