//! `student.reveal`: one masked column of one row, in full, for a purpose (单项明示).
//!
//! The right comes from the policy alone: it is decided before the value is read, and alike whether
//! or not one is there.

use crate::access::action::Action;
use crate::access::filter::Key;
use crate::access::ledger::Disclosed;
use crate::access::shown::{NotRevealed, Reveal, Shown, may_reveal};
use crate::access::view::Noun;
use crate::domain::Cx;
use crate::error::{Error, Result};
use crate::store::tx::{Found, Rate, Tx};

/// The name of its limit by the hour.
pub(super) const LIMIT: &str = "student.reveal";

/// What is to be revealed.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// The noun.
    pub noun: &'static Noun,
    /// The field, by index.
    pub field: usize,
    /// The row; none for an id that cannot be one.
    pub key: Option<Key>,
}

/// The value of one masked column.
pub async fn reveal(cx: &Cx, wanted: Wanted) -> Result<Shown> {
    let mut tx = cx.begin(Action::StudentReveal).await?;
    let shown = run(cx, &mut tx, wanted).await;
    let (shown, disclosed) = tx.end(shown).await?;
    if let Some(disclosed) = disclosed {
        cx.ledger.disclosed(disclosed);
    }
    Ok(shown)
}

/// What showing a column of a row discloses, by the first pair that may reveal it.
fn disclosed(cx: &Cx, tx: &Tx, row: &Found, wanted: Wanted) -> Option<Disclosed> {
    let session = &cx.caller.session;
    let id = wanted.noun.id(wanted.field);
    let pairs = row.cover() & tx.acting();
    let (_, held) = session
        .held
        .iter()
        .enumerate()
        .find(|(bit, _)| may_reveal(session, id, pairs & (1 << bit)))?;
    let rule = session.table().cell(held.pair, id).rule;
    Some(Disclosed {
        pair: held.pair,
        students: vec![row.student()?],
        columns: [(wanted.noun.coordinate(wanted.field), rule)].into(),
    })
}

async fn run(cx: &Cx, tx: &mut Tx, wanted: Wanted) -> Result<(Shown, Option<Disclosed>)> {
    super::purpose(&cx.caller)?;
    let Wanted { noun, field, key } = wanted;
    let session = &cx.caller.session;
    let coordinate = noun.coordinate(field);
    let refuse = || Error::forbidden_use("reveal", noun.coordinate(field));
    // A column that nobody here may reveal is refused before anything is read.
    if !may_reveal(session, noun.id(field), tx.acting()) {
        return Err(refuse());
    }
    let an_hour = cx.budget.exceptional.reveals_per_hour;
    tx.count_try(Rate { what: LIMIT, an_hour }).await?;
    let key = key.ok_or_else(|| Error::not_found(noun.shape.type_name))?;
    let row = tx.get(noun.shape.name, key, &[]).await?;
    let proof =
        Reveal::granted(session, noun, field, row.cover(), tx.acting()).map_err(
            |why| match why {
                NotRevealed::Forbidden => refuse(),
                NotRevealed::Shown => super::refused(
                    "REVEAL_NOT_NEEDED",
                    format!("you see {coordinate} of this row in full; read it"),
                    format!("您可直接查看该行的 {coordinate}，无需明示"),
                ),
            },
        )?;
    let shown = tx.reveal(&row, field, proof).await?;
    let disclosed = disclosed(cx, tx, &row, wanted);
    Ok((shown, disclosed))
}
