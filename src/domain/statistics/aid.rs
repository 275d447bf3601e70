//! Coverage of aid (资助覆盖): students aided beside those whom aid could reach (domain reference §19, §22).

use std::collections::HashMap;

use xueji_entity::value::{Fen, Thousandths};

use super::{
    Asked, Basis, Figures, Group, Key, KeyValue, Narrowing, column, distinct, protect, protection,
};
use crate::access::table::Uses;
use crate::domain::Cx;
use crate::domain::attendance::percent;
use crate::error::Result;
use crate::store::statistics::Question;

/// Aid in one group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AidFigures {
    /// Distinct students aided.
    pub aided: i64,
    /// All students of the group's school or county.
    pub students: i64,
    /// Of these, who need aid, where it may be said.
    pub needy: Option<i64>,
    /// The money granted.
    pub amount: Fen,
}

impl AidFigures {
    /// Aided for each hundred students.
    pub fn of_students(&self) -> Option<Thousandths> {
        (self.students > 0).then(|| percent(self.aided, self.students))
    }

    /// Aided for each hundred students who need aid; above a hundred where aid goes further.
    pub fn of_needy(&self) -> Option<Thousandths> {
        self.needy.filter(|needy| *needy > 0).map(|needy| percent(self.aided, needy))
    }
}

fn is_place(key: Key) -> bool {
    matches!(key, Key::School | Key::County)
}

/// The keys and conditions that say whom aid could reach: programmes and terms part the grants, not
/// the pupils.
pub(super) fn of_place(keys: &[Key], only: &[Narrowing]) -> (Vec<Key>, Vec<Narrowing>) {
    (
        keys.iter().copied().filter(|key| is_place(*key)).collect(),
        only.iter().filter(|narrowing| is_place(narrowing.key)).cloned().collect(),
    )
}

/// The values of those keys.
pub(super) fn place_of(keys: &[Key], values: &[KeyValue]) -> Vec<KeyValue> {
    let pairs = keys.iter().zip(values);
    pairs.filter(|(key, _)| is_place(**key)).map(|(_, value)| value.clone()).collect()
}

/// Aid by any of the keys; the total is the money granted.
pub async fn aid_coverage(
    cx: &Cx,
    keys: &[Key],
    only: &[Narrowing],
) -> Result<Figures<AidFigures, Fen>> {
    let asked = Asked {
        cx,
        counted: "aid_grant",
        keys: distinct(keys)?,
        only,
        measures: &[("aid_grant", "coverage"), ("aid_grant", "amount"), ("student", "count")],
        others: &[],
        behind: &[("aid_grant", "amount")],
    };
    let (mut scope, mut exact) = asked.scope()?;
    let (student, needs_aid) = column(cx, ("student", "needs_aid"))?;
    let needs_aid = student.id(needs_aid);
    let count_needy = scope.every_pair(needs_aid, Uses::FILTER);
    let reach = scope.counting_over(student);
    exact &= !count_needy || reach.reads_what_it_counts(&[needs_aid]);
    if !exact {
        scope = asked.protected(scope)?;
        let reach = scope.counting_over(student);
        let protection = protection(cx).await?;
        let shape = (asked.keys, count_needy);
        return protect::aid_coverage(cx, (&scope, &reach), shape, only, protection).await;
    }
    let aided = cx.store.aid_counts(&Question { scope: &scope, keys: &asked.keys, only }).await?;
    let (places, within) = of_place(&asked.keys, only);
    let question = Question { scope: &reach, keys: &places, only: &within };
    let reached: HashMap<Vec<KeyValue>, (i64, i64)> = cx
        .store
        .aid_reach(&question, count_needy)
        .await?
        .into_iter()
        .map(|row| (row.keys, (row.students, row.needy)))
        .collect();
    let mut total = 0;
    let groups = aided
        .into_iter()
        .filter(|row| row.students > 0)
        .map(|row| {
            total += row.amount;
            let place = place_of(&asked.keys, &row.keys);
            let (students, needy) = reached.get(&place).copied().unwrap_or_default();
            let figures = AidFigures {
                aided: row.students,
                students,
                needy: count_needy.then_some(needy),
                amount: Fen(row.amount),
            };
            Group { span: None, figures, keys: row.keys }
        })
        .collect();
    Figures::new(asked.keys, groups, Basis::Exact, Some(Fen(total)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_all_and_of_those_in_need() {
        let aid = |needy| AidFigures { aided: 30, students: 90, needy, amount: Fen(3_750_000) };
        assert_eq!(aid(Some(40)).of_students(), Some(Thousandths(33_300)));
        assert_eq!(aid(Some(40)).of_needy(), Some(Thousandths(75_000)));
        assert_eq!(aid(Some(0)).of_needy(), None);
        assert_eq!(aid(None).of_needy(), None);
    }
}
