//! `student.contact_update` and `guardian.contact_update`: what is left out stays, null clears, a
//! text replaces.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::access::action::Action;
use crate::access::filter::Key;
use crate::access::opaque::Opaque;
use crate::access::version;
use crate::access::view::{Kind, Noun};
use crate::domain::act::{Act, key_id};
use crate::domain::{Cx, refuse_masked};
use crate::error::{Error, Result};
use crate::store::tx::{Event, Found, Tx, VERSION};

/// New contact data as it came: a column that is not named stays as it is, none clears it.
#[derive(Default, Serialize)]
pub struct Changes(BTreeMap<&'static str, Option<String>>);

impl std::fmt::Debug for Changes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Changes({})", self.columns().join(" "))
    }
}

impl Changes {
    /// Sets a column, or clears it.
    #[must_use]
    pub fn and(mut self, column: &'static str, value: Option<Option<String>>) -> Self {
        if let Some(value) = value {
            self.0.insert(column, value);
        }
        self
    }

    fn columns(&self) -> Vec<&'static str> {
        self.0.keys().copied().collect()
    }

    /// The values in the order of the columns, in normal form; the field's name with what is wrong.
    fn values(&self, noun: &Noun) -> Result<Vec<Option<String>>> {
        self.0
            .iter()
            .map(|(column, value)| {
                let at = noun
                    .field(column)
                    .ok_or_else(|| Error::internal(format!("there is no column {column}")))?;
                match value {
                    Some(text) => entered(noun, at, text).map(Some),
                    None => Ok(None),
                }
            })
            .collect()
    }
}

/// A text as its column holds it. What a mask left is refused as it came and as it would be kept.
fn entered(noun: &Noun, at: usize, text: &str) -> Result<String> {
    let name = &noun.camel[at];
    let Kind::Sealed { normal, .. } = noun.shape.fields[at].kind else {
        return Err(Error::internal(format!("{name} is no contact column")));
    };
    refuse_masked(name, text)?;
    let kept =
        normal(text).map_err(|error| Error::invalid(name.clone(), error.why_en, error.why_zh))?;
    refuse_masked(name, &kept)?;
    Ok(kept)
}

/// A pupil's contact data to change, as it came.
#[derive(Debug, Serialize)]
pub struct OfStudent(pub Update);

/// A family member's contact data to change, as it came.
#[derive(Debug, Serialize)]
pub struct OfGuardian(pub Update);

/// What both have in common.
#[derive(Serialize)]
pub struct Update {
    /// The row; none for an id that cannot be one.
    #[serde(serialize_with = "key_id")]
    pub row: Option<Key>,
    /// The tag that came with what the caller saw.
    pub version: String,
    /// What to change.
    pub changes: Changes,
    /// Makes the tag of what the caller sees now.
    #[serde(serialize_with = "nothing")]
    pub opaque: Arc<Opaque>,
}

impl std::fmt::Debug for Update {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Update({:?})", self.changes)
    }
}

fn nothing<T, S: Serializer>(_: &T, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_unit()
}

/// Changes how a pupil is reached.
pub async fn student(cx: &Cx, update: &OfStudent, key: Option<&str>) -> Result<()> {
    cx.act(update, key).await
}

/// Changes how a family member is reached.
pub async fn guardian(cx: &Cx, update: &OfGuardian, key: Option<&str>) -> Result<()> {
    cx.act(update, key).await
}

impl Act for OfStudent {
    const ACTION: Action = Action::StudentContactUpdate;
    type Facts = Found;
    type Done = ();

    async fn load(&self, tx: &Tx) -> Result<Found> {
        tx.contact("student", self.0.row, &self.0.changes.columns()).await
    }

    async fn write(&self, tx: &mut Tx, row: Found) -> Result<()> {
        self.0.write(tx, &row, "student.contact_updated").await
    }
}

impl Act for OfGuardian {
    const ACTION: Action = Action::GuardianContactUpdate;
    type Facts = Found;
    type Done = ();

    async fn load(&self, tx: &Tx) -> Result<Found> {
        tx.contact("guardian", self.0.row, &self.0.changes.columns()).await
    }

    async fn write(&self, tx: &mut Tx, row: Found) -> Result<()> {
        self.0.write(tx, &row, "guardian.contact_updated").await
    }
}

impl Update {
    async fn write(&self, tx: &mut Tx, row: &Found, event: &'static str) -> Result<()> {
        let columns = self.changes.columns();
        if columns.is_empty() {
            return Err(Error::invalid(
                "input",
                "nothing is to be changed; give at least one field, or null to clear it",
                "没有需要修改的内容；请至少填写一项，填 null 表示清除",
            ));
        }
        // Before the values: who may not set a column is not told what would be wrong with it.
        tx.may_set(row, &columns)?;
        let values = self.changes.values(row.noun())?;
        if self.version != current(&self.opaque, tx, row) {
            return Err(Error::Conflict { what: VERSION.into() });
        }
        if tx.contact_update(row, &columns, values).await? {
            tx.event(Event {
                kind: event,
                student: row.student(),
                rows: vec![row.key().id],
                ..Event::default()
            });
        }
        Ok(())
    }
}

/// The tag of what the caller sees of the row now.
fn current(opaque: &Opaque, tx: &Tx, row: &Found) -> String {
    let sights = tx.sights(row);
    let account = tx.caller().account();
    version::of_contact(opaque, account, row.noun(), row.key(), |field| row.shown(&sights, field))
}
