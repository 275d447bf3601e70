//! What a verification found: counts for each log, and a sentence for each thing that does not fit.

use std::fmt;

use uuid::Uuid;

use super::line::Log;

/// Where a head stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Where {
    /// In the database.
    Database,
    /// In the file outside.
    Outside,
}

impl fmt::Display for Where {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Database => "in the database",
            Self::Outside => "in the file outside",
        })
    }
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A sealed line whose code does not fit what it says.
    Changed {
        /// The line.
        line: Uuid,
        /// Its position.
        position: i64,
    },
    /// A seal whose line is gone.
    Missing {
        /// The line.
        line: Uuid,
        /// Its position.
        position: i64,
    },
    /// A line that waited for its seal and is gone.
    Vanished {
        /// The line.
        line: Uuid,
    },
    /// A sealed line without a code, later than those of before logs were sealed.
    Uncoded {
        /// The line.
        line: Uuid,
        /// Its position.
        position: i64,
    },
    /// A line without a seal that was not written by a server, or was put in later.
    Inserted {
        /// The line.
        line: Uuid,
    },
    /// Positions without a seal.
    Gap {
        /// The first.
        from: i64,
        /// The last.
        to: i64,
    },
    /// A seal that does not follow from the one before and its line.
    Reordered {
        /// The line.
        line: Uuid,
        /// The position.
        position: i64,
    },
    /// A head beyond the last seal.
    CutOff {
        /// The position of the head.
        head: i64,
        /// The position of the last seal.
        end: i64,
        /// Where the head stands.
        stands: Where,
    },
    /// A head whose signature does not hold.
    Unsigned {
        /// The position.
        position: i64,
        /// Where it stands.
        stands: Where,
    },
    /// A head that is signed and says something else than the chain.
    Rewritten {
        /// The position.
        position: i64,
        /// Where the head stands.
        stands: Where,
    },
    /// A head of the file that the database does not have.
    HeadGone {
        /// The position.
        position: i64,
    },
    /// A record of a dropped part that no server signed.
    FalsePart {
        /// The position at which the part is said to end.
        position: i64,
    },
    /// A signed record of a part that was too young to go, or does not follow the one before.
    EarlyPart {
        /// The position at which the part ends.
        position: i64,
    },
    /// Seals or heads in what was dropped.
    Left {
        /// The position at which the dropped parts end.
        position: i64,
    },
    /// Seals without any head.
    Headless,
    /// A line of the file outside that is no head.
    NoHead {
        /// Its number.
        number: usize,
    },
}

/// One thing that does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// In which log; none for the file itself.
    pub log: Option<Log>,
    /// What.
    pub what: What,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(log) = self.log {
            write!(f, "{}: ", log.table())?;
        }
        match &self.what {
            What::Changed { line, position } => {
                write!(f, "changed: line {line} at position {position} is not as a server wrote it")
            }
            What::Missing { line, position } => {
                write!(f, "removed: line {line} at position {position} is gone")
            }
            What::Vanished { line } => {
                write!(f, "removed: line {line} was gone before it was sealed")
            }
            What::Uncoded { line, position } => write!(
                f,
                "inserted: line {line} at position {position} has no code, and none is from so late"
            ),
            What::Inserted { line } => write!(
                f,
                "inserted: line {line} has no seal, and was not written by a server or was put in later"
            ),
            What::Gap { from, to } => write!(f, "removed: no seal at positions {from} to {to}"),
            What::Reordered { line, position } => write!(
                f,
                "reordered: position {position} with line {line} does not follow from the one before"
            ),
            What::CutOff { head, end, stands } => write!(
                f,
                "cut off: a head {stands} is at position {head}, and the log ends at {end}"
            ),
            What::Unsigned { position, stands } => write!(
                f,
                "head: the signature of the one {stands} at position {position} does not hold"
            ),
            What::Rewritten { position, stands } => write!(
                f,
                "rewritten: the log up to position {position} is not that of the head {stands}"
            ),
            What::HeadGone { position } => write!(
                f,
                "head: the one in the file outside at position {position} is gone from the database"
            ),
            What::FalsePart { position } => write!(
                f,
                "removed: no server signed the record that lines up to position {position} were kept long enough"
            ),
            What::EarlyPart { position } => write!(
                f,
                "removed: the part that ends at position {position} was dropped too early or out of order"
            ),
            What::Left { position } => write!(
                f,
                "inserted: something stands before position {position}, where all was dropped"
            ),
            What::Headless => f.write_str("head: lines are sealed, and no head is there"),
            What::NoHead { number } => {
                write!(f, "head: line {number} of the file outside is no head")
            }
        }
    }
}

/// What was looked at in one log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// The log.
    pub log: Log,
    /// Lines that are there.
    pub lines: u64,
    /// Those that have a seal.
    pub sealed: u64,
    /// Those that have none yet.
    pub unsealed: u64,
    /// Those from before logs were sealed.
    pub before: u64,
    /// Those that were dropped because they were kept long enough.
    pub dropped: u64,
    /// Heads in the database.
    pub heads: u64,
    /// Heads in the file outside.
    pub outside: u64,
}

impl Count {
    pub(super) const fn of(log: Log) -> Self {
        Self { log, lines: 0, sealed: 0, unsealed: 0, before: 0, dropped: 0, heads: 0, outside: 0 }
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:<16} {} lines, {} sealed, {} not yet sealed, {} written before sealing, {} dropped, {} heads, {} in the file outside",
            self.log.table(),
            self.lines,
            self.sealed,
            self.unsealed,
            self.before,
            self.dropped,
            self.heads,
            self.outside
        )
    }
}

/// What a verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What was looked at.
    pub counts: Vec<Count>,
    /// Lines that have no seal yet, the oldest first; a thousand at most of each log.
    pub waiting: Vec<(Log, Uuid)>,
    /// What does not fit.
    pub findings: Vec<Finding>,
}
