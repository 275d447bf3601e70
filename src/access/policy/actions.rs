//! Who may run which action, and the columns it sets: the compiled `actions.csv`.
//!
//! It answers; what an act does stands in the domain, and that nothing more is set is the store's to check.

use crate::access::catalogue::FieldId;
use crate::access::table::{Pair, RuleId};
use std::collections::BTreeSet;

/// Id of an action: its place in [`Catalogue::actions`](crate::access::catalogue::Catalogue::actions).
pub type ActionId = u16;

/// What a caller may do with an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// The columns it may set, in the order of their ids; one more and the act is refused whole.
    pub columns: BTreeSet<FieldId>,
    /// The line that lets the caller run it.
    pub rule: Option<RuleId>,
}

/// Who may run which action.
#[derive(Debug)]
pub struct Actions {
    names: Vec<&'static str>,
    grants: Vec<(ActionId, Pair, Act)>,
}

impl Actions {
    /// The compiled grants of the named actions.
    pub(super) fn new(names: Vec<&'static str>, grants: Vec<(ActionId, Pair, Act)>) -> Actions {
        Actions { names, grants }
    }

    /// The id of an action name.
    pub fn id(&self, name: &str) -> Option<ActionId> {
        (0..).zip(&self.names).find_map(|(id, known)| (*known == name).then_some(id))
    }

    /// Whether some action of the pair sets the column.
    pub(super) fn sets(&self, pair: Pair, field: FieldId) -> bool {
        self.grants.iter().any(|(_, of, act)| *of == pair && act.columns.contains(&field))
    }

    /// The pairs that may run an action.
    pub fn pairs(&self, action: ActionId) -> impl Iterator<Item = Pair> + '_ {
        let of = move |(id, pair, _): &(ActionId, Pair, Act)| (*id == action).then_some(*pair);
        self.grants.iter().filter_map(of)
    }

    /// The number of actions.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there is no action at all.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// What the pairs of the grants that cover the row may do together; none when nobody lets them.
    pub fn may(&self, held: &[Pair], action: ActionId) -> Option<Act> {
        let mut found: Option<Act> = None;
        for (_, _, act) in
            self.grants.iter().filter(|(id, pair, _)| *id == action && held.contains(pair))
        {
            match &mut found {
                None => found = Some(act.clone()),
                Some(found) => found.columns.extend(&act.columns),
            }
        }
        found
    }
}
