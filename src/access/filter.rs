//! Conditions and orderings that a caller asks for, as data.
//!
//! A [`Filter`] says what is wanted; whether the caller may ask it, and on which rows it holds, is
//! decided where it becomes SQL, with a scope at hand. Nothing here is a permission.

use uuid::Uuid;

use super::shown::Cell;

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
    /// A related row, within the caller's scope of the target, meets a condition.
    Related {
        /// The relation, by index.
        relation: usize,
        /// At least one does (true) or none does (false).
        some: bool,
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
    /// Nothing is on file (true), or something is (false).
    IsNull(bool),
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
