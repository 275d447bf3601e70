//! The people and places that `xueji load` asks as, with a token for each.
//!
//! Only the demo does this: it signs with its own key.

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use uuid::Uuid;
use xueji_entity::value::AccountId;

use super::demo::Keys;
use crate::access::filter::Key;
use crate::access::opaque::Opaque;
use crate::graphql::REGISTRY;
use crate::load::sample::{Analyst, Homeroom, Parent, Registrar, Sample};
use crate::store::draw::Draw;

/// Hours for which the tokens hold.
const HOURS: u32 = 24 * 30;

/// Writes what was drawn as callers send it.
pub(super) fn sample(
    draw: &Draw,
    keys: &Keys,
    opaque: &Opaque,
    now: DateTime<Utc>,
) -> Result<Sample> {
    let token = |account: &Uuid| keys.token(AccountId::from_uuid(*account), now, HOURS);
    let id = |noun: &str, id: Uuid| -> Result<String> {
        let noun = REGISTRY.get(noun).context("an unknown noun")?;
        Ok(opaque.id(noun, Key { student: None, id }))
    };
    let mut sample = Sample::default();
    for (account, student_key) in &draw.parents {
        sample.parents.push(Parent {
            token: token(account)?,
            student_id: id("student", *student_key)?,
            student_key: *student_key,
        });
    }
    for (account, class_group_key, exam) in &draw.homeroom {
        sample.homeroom.push(Homeroom {
            token: token(account)?,
            class_group_id: id("class_group", *class_group_key)?,
            class_group_key: *class_group_key,
            exam_id: exam.map(|exam| id("exam", exam)).transpose()?,
        });
    }
    for (account, school) in &draw.registrars {
        sample
            .registrars
            .push(Registrar { token: token(account)?, school_id: id("organisation", *school)? });
    }
    for (account, exam, school) in &draw.analysts {
        sample.analysts.push(Analyst {
            token: token(account)?,
            exam_id: Some(id("exam", *exam)?),
            school_id: Some(id("organisation", *school)?),
        });
    }
    Ok(sample)
}
