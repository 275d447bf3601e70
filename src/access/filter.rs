//! Conditions and orderings that a caller asks for, as data.
//!
//! A [`Filter`] says what is wanted; whether the caller may ask it, and on which rows it holds, is
//! decided by the scope, here before anything is read and again where it becomes SQL.

use super::scope::Scope;
use super::view::Registry;
use crate::error::Result;
use uuid::Uuid;

use super::shown::Cell;
use super::table::Uses;

/// A condition on the rows of one noun.
#[derive(Clone, Debug)]
pub enum Filter {
    /// All of them hold. The empty list holds always.
    And(Vec<Filter>),
    /// One of them holds. The empty list holds never.
    Or(Vec<Filter>),
    /// It does not hold, on rows where its columns are seen in full.
    Not(Box<Filter>),
    /// A test of one column.
    Test {
        /// The field, by index.
        field: usize,
        /// The test.
        test: Test,
    },
    /// The column has this value, on rows that show it in full: a restriction by the server, which
    /// tells no more than reading the column does.
    Shown {
        /// The field, by index.
        field: usize,
        /// The value.
        value: Cell,
    },
    /// The row is one of these.
    Keys(Vec<Key>),
    /// Related rows, within the caller's scope of the target, meet a condition.
    Related {
        /// The relation, by index.
        relation: usize,
        /// All of them do (true) or at least one does (false).
        every: bool,
        /// The condition on the related row.
        filter: Box<Filter>,
    },
}

/// A test of one column.
#[derive(Clone, Debug)]
pub enum Test {
    /// Equal to one of the values; none for the empty list.
    In(Vec<Cell>),
    /// Less than (or equal).
    Less {
        /// The bound.
        than: Cell,
        /// The bound itself included.
        or_equal: bool,
    },
    /// Greater than (or equal).
    Greater {
        /// The bound.
        than: Cell,
        /// The bound itself included.
        or_equal: bool,
    },
    /// The text begins with this one, compared by code points on both databases.
    StartsWith(String),
    /// The text holds this word, Latin letters of either case alike; the word is in lower case.
    Contains(String),
    /// Nothing is on file (true), or something is (false).
    IsNull(bool),
}

impl Test {
    /// The uses of the column that the test needs.
    pub const fn uses(&self) -> Uses {
        match self {
            Self::StartsWith(_) => Uses::FILTER.union(Uses::SEARCH),
            Self::Contains(_) => Uses::SEARCH,
            Self::In(_) | Self::Less { .. } | Self::Greater { .. } | Self::IsNull(_) => {
                Uses::FILTER
            }
        }
    }
}

impl Filter {
    /// True when the condition names its rows by their keys, so that few can meet it.
    pub fn names_rows(&self) -> bool {
        match self {
            Self::Keys(_) => true,
            Self::And(parts) => parts.iter().any(Self::names_rows),
            Self::Or(_)
            | Self::Not(_)
            | Self::Test { .. }
            | Self::Shown { .. }
            | Self::Related { .. } => false,
        }
    }

    /// Refuses a condition on a column that the caller sees in full nowhere; asked before anything
    /// is read, so that the refusal depends on no row.
    pub fn allowed(&self, scope: &Scope, registry: &'static Registry) -> Result<()> {
        match self {
            Self::Keys(_) | Self::Shown { .. } => Ok(()),
            Self::Not(inner) => inner.allowed(scope, registry),
            Self::And(parts) | Self::Or(parts) => {
                parts.iter().try_for_each(|part| part.allowed(scope, registry))
            }
            Self::Test { field, test } => {
                scope.searchable(*field, test.uses(), "t0").map(|_guard| ())
            }
            Self::Related { relation, filter, .. } => {
                let noun = scope.noun();
                let key = noun.shape.relations[*relation].key;
                if let Some(key) = key.and_then(|key| noun.field(key)) {
                    scope.searchable(key, Uses::FILTER, "t0")?;
                }
                let target = scope.related(*relation, registry)?;
                let join = &noun.shape.relations[*relation].join;
                scope.leading(&target, join, Uses::FILTER, registry, "t0").refuse("filter")?;
                filter.allowed(&target, registry)
            }
        }
    }
}

/// The key of a row: its own id, and the student it hangs from where it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// The student, for rows that hang from one.
    pub student: Option<Uuid>,
    /// The row's own id.
    pub id: Uuid,
}

/// One column of an ordering; the key of the row always ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Order {
    /// The field, by index; never null.
    pub field: usize,
    /// From high to low.
    pub descending: bool,
}

/// Which part of an ordered list is wanted.
#[derive(Clone, Debug)]
pub struct Window {
    /// At most so many rows.
    pub limit: u64,
    /// Counted from the end of the list.
    pub from_end: bool,
    /// Only rows behind this one (before it, when counted from the end).
    pub beyond: Option<Position>,
}

/// A place in an ordered list: the ordering columns of a row and its key.
#[derive(Clone, Debug)]
pub struct Position {
    /// The values of the ordering columns, each seen in full by whoever holds the cursor.
    pub values: Vec<Cell>,
    /// The key.
    pub key: Key,
}
