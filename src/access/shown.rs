//! A value leaves the server only as [`Shown`], and only this module makes one.
//!
//! [`Cell`] is a value as read; it prints nothing and offers nothing. [`Sights`] knows, for each
//! row, which grants cover it, and turns its cells into what the caller may see of them.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

use super::caller::Session;
use super::catalogue::FieldId;
use super::table::{Plan, Sight, Uses};
use super::view::{Kind, Noun};
use crate::leak::{self, Leak};

/// A value as read from the database. It has no content outside this module and the store.
#[derive(Clone, Default)]
pub enum Cell {
    /// Null.
    #[default]
    Null,
    /// Text, an enum's or a code's value, or an opened sealed value.
    Text(String),
    /// A whole number, thousandths or fen.
    Int(i64),
    /// True or false.
    Bool(bool),
    /// A local date.
    Date(NaiveDate),
    /// An instant.
    Instant(DateTime<Utc>),
    /// A key of another row.
    Key(Uuid),
}

impl fmt::Debug for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "null",
            Self::Text(_)
            | Self::Int(_)
            | Self::Bool(_)
            | Self::Date(_)
            | Self::Instant(_)
            | Self::Key(_) => "…",
        })
    }
}

impl Cell {
    /// The key of another row, for following a relation; no value of a column.
    pub fn key(&self) -> Option<Uuid> {
        match self {
            Self::Key(id) => Some(*id),
            Self::Null
            | Self::Text(_)
            | Self::Int(_)
            | Self::Bool(_)
            | Self::Date(_)
            | Self::Instant(_) => None,
        }
    }

    /// The bare value, for rules and cursors inside the server; never for an answer.
    pub fn facts(&self) -> &Self {
        self
    }
}

/// What of a value leaves the server.
#[derive(Clone, Debug, PartialEq)]
pub enum Shown {
    /// Not shown: `null`, and listed among the redactions.
    Hidden,
    /// A masked text, listed among the redactions.
    Masked(String),
    /// The value; [`Leaf::Null`] when nothing is on file.
    Full(Leaf),
}

/// A value in full, ready for an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Leaf {
    /// Nothing on file.
    Null,
    /// Text.
    Text(String),
    /// A whole number.
    Int(i64),
    /// True or false.
    Bool(bool),
    /// A local date.
    Date(NaiveDate),
    /// An instant.
    Instant(DateTime<Utc>),
    /// An exact decimal in thousandths.
    Thousandths(i64),
    /// Money in fen.
    Fen(i64),
    /// A code with its list, `LIST:code`.
    Code(String),
    /// An enum's value as stored.
    Enum(String),
}

/// The sights of rows of one noun for one caller.
#[derive(Clone, Debug)]
pub struct Sights {
    noun: &'static Noun,
    session: Arc<Session>,
}

impl Sights {
    pub(super) fn new(noun: &'static Noun, session: Arc<Session>) -> Self {
        Self { noun, session }
    }

    /// The plan of a row that these grants cover.
    pub fn plan(&self, cover: u64) -> RowPlan {
        RowPlan { noun: self.noun, plan: self.session.plan(cover) }
    }
}

/// What the caller sees of one row.
#[derive(Clone, Debug)]
pub struct RowPlan {
    noun: &'static Noun,
    plan: Arc<Plan>,
}

impl RowPlan {
    /// What the caller sees of a field.
    pub fn sight(&self, field: usize) -> Sight {
        self.plan.sight(self.noun.id(field))
    }

    /// Whether the policy shows more of a field for a purpose that was not stated.
    pub fn needs_purpose(&self, field: usize) -> bool {
        self.plan.needs_purpose(self.noun.id(field))
    }

    /// The policy line that decided, as `file:line`; none where no line speaks.
    pub fn rule(&self, field: usize) -> Option<u16> {
        self.plan.rule(self.noun.id(field))
    }

    /// The bare value of a cell: what two of the leaks let out.
    #[cfg(feature = "leaks")]
    pub fn bare(noun: &Noun, field: usize, cell: &Cell) -> Shown {
        Shown::Full(full(noun.shape.fields[field].kind, cell))
    }

    /// What leaves the server of a cell of this row.
    pub fn show(&self, field: usize, cell: &Cell) -> Shown {
        let kind = self.noun.shape.fields[field].kind;
        if leak::on(Leak::ValueLogged)
            && let Cell::Text(text) = cell
        {
            tracing::info!(text, "a value was read");
        }
        if leak::on(Leak::MaskForgotten) && self.sight(field) == Sight::Masked {
            return Shown::Full(full(kind, cell));
        }
        match self.sight(field) {
            Sight::Hidden => Shown::Hidden,
            Sight::Masked => match (cell, kind) {
                (Cell::Null, _) => Shown::Full(Leaf::Null),
                (Cell::Text(bare), Kind::Text(Some(mask)) | Kind::Sealed { mask, .. }) => {
                    Shown::Masked((mask.apply)(bare))
                }
                // Only text is masked; anything else that a policy calls masked stays hidden.
                _ => Shown::Hidden,
            },
            Sight::Full => Shown::Full(full(kind, cell)),
        }
    }
}

/// The proof that one masked column may be shown in full, by the act that records it (单项明示).
///
/// Only [`Reveal::granted`] makes one, from what the policy says of the pairs that hold the act.
#[derive(Clone, Copy, Debug)]
pub struct Reveal {
    kind: Kind,
}

/// Why a column is not revealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotRevealed {
    /// No pair that holds the act and covers the row may reveal the column.
    Forbidden,
    /// It is seen in full already.
    Shown,
}

impl Reveal {
    /// The proof for a column of a row that `cover` covers; `acting` are the held pairs, as bits,
    /// that hold the act. It says nothing of the value.
    pub fn granted(
        session: &Session,
        noun: &Noun,
        field: usize,
        cover: u64,
        acting: u64,
    ) -> Result<Self, NotRevealed> {
        let id = noun.id(field);
        match session.plan(cover).sight(id) {
            Sight::Full => Err(NotRevealed::Shown),
            Sight::Masked if may_reveal(session, id, cover & acting) => {
                Ok(Self { kind: noun.shape.fields[field].kind })
            }
            Sight::Masked | Sight::Hidden => Err(NotRevealed::Forbidden),
        }
    }

    /// The value, which the act puts on record.
    pub fn show(self, cell: &Cell) -> Shown {
        Shown::Full(full(self.kind, cell))
    }
}

/// Whether one of the pairs may reveal the column.
pub fn may_reveal(session: &Session, field: FieldId, pairs: u64) -> bool {
    session.held.iter().enumerate().any(|(bit, held)| {
        pairs & (1 << bit) != 0
            && session.table().cell(held.pair, field).uses.contains(Uses::REVEAL)
    })
}

fn full(kind: Kind, cell: &Cell) -> Leaf {
    match (cell, kind) {
        (Cell::Text(text), Kind::Code) => Leaf::Code(text.clone()),
        (Cell::Text(text), Kind::Enum(_)) => Leaf::Enum(text.clone()),
        (Cell::Text(text), _) => Leaf::Text(text.clone()),
        (Cell::Int(number), Kind::Thousandths) => Leaf::Thousandths(*number),
        (Cell::Int(number), Kind::Fen) => Leaf::Fen(*number),
        (Cell::Int(number), _) => Leaf::Int(*number),
        (Cell::Bool(truth), _) => Leaf::Bool(*truth),
        (Cell::Date(date), _) => Leaf::Date(*date),
        (Cell::Instant(instant), _) => Leaf::Instant(*instant),
        (Cell::Null | Cell::Key(_), _) => Leaf::Null,
    }
}
