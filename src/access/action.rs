//! The acts that change the registry, one for each mutation.

/// An act (操作), named alike in policy, audit, domain and schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// `attendance.record`: records a class's attendance of a day.
    AttendanceRecord,
}

impl Action {
    /// The policy name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AttendanceRecord => "attendance.record",
        }
    }
}

/// Every act by its policy name. A policy that does not speak about one of them is refused.
pub const ACTIONS: &[&str] = &[Action::AttendanceRecord.name()];
