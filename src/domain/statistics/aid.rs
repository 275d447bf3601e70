//! Coverage of aid (资助覆盖): students aided beside those whom aid could reach (domain reference §19, §22).

use std::collections::HashMap;

use xueji_entity::value::{Fen, Thousandths};

use super::figures::{Care, THRESHOLD};
use super::{Asked, Figures, Group, Key, KeyValue, Narrowing, column, distinct};
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
    fn new(
        (aided, amount): (i64, i64),
        (students, needy): (i64, Option<i64>),
        care: Care,
    ) -> Option<Self> {
        care.allows_share(aided, students).then(|| Self {
            aided,
            students,
            needy: needy.filter(|needy| care.allows_share(*needy, students)),
            amount: Fen(amount),
        })
    }

    /// Aided for each hundred students.
    pub fn of_students(&self) -> Option<Thousandths> {
        (self.students > 0).then(|| percent(self.aided, self.students))
    }

    /// Aided for each hundred students who need aid; above a hundred where aid goes further.
    pub fn of_needy(&self) -> Option<Thousandths> {
        self.needy.filter(|needy| *needy > 0).map(|needy| percent(self.aided, needy))
    }
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
    let (scope, mut care) = asked.scope()?;
    let (student, needs_aid) = column(cx, ("student", "needs_aid"))?;
    let needs_aid = student.id(needs_aid);
    let count_needy = scope.every_pair(needs_aid, Uses::FILTER);
    let reach = scope.counting_over(student);
    if count_needy && !reach.reads_what_it_counts(&[needs_aid]) {
        care = Care::Threshold(THRESHOLD);
    }
    let aided = cx.store.aid_counts(&Question { scope: &scope, keys: &asked.keys, only }).await?;
    // Programmes and terms part the grants, not the pupils: only the place says whom aid could reach.
    let of_place = |key: &Key| matches!(key, Key::School | Key::County);
    let places: Vec<Key> = asked.keys.iter().copied().filter(of_place).collect();
    let within: Vec<Narrowing> =
        only.iter().filter(|narrowing| of_place(&narrowing.key)).cloned().collect();
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
        .filter_map(|row| {
            total += row.amount;
            let place: Vec<_> = asked
                .keys
                .iter()
                .zip(&row.keys)
                .filter(|(key, _)| of_place(key))
                .map(|(_, value)| value.clone())
                .collect();
            let (students, needy) = reached.get(&place).copied().unwrap_or_default();
            let of = (students, count_needy.then_some(needy));
            let figures = AidFigures::new((row.students, row.amount), of, care)?;
            Some(Group { span: None, figures, keys: row.keys })
        })
        .collect();
    Figures::new(asked.keys, groups, care, Fen(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CARE: Care = Care::Threshold(THRESHOLD);

    #[test]
    fn aid_is_told_of_no_few_on_either_side() {
        let aid = |aided, students, needy, care| {
            AidFigures::new((aided, 125_000 * aided), (students, needy), care)
        };
        assert_eq!(aid(9, 100, Some(20), CARE), None);
        assert_eq!(aid(91, 100, Some(20), CARE), None);
        assert_eq!(aid(100, 100, None, CARE), None);
        let told = aid(30, 90, Some(40), CARE);
        assert_eq!(told.map(|aid| aid.of_students()), Some(Some(Thousandths(33_300))));
        assert_eq!(told.map(|aid| aid.of_needy()), Some(Some(Thousandths(75_000))));
        assert_eq!(told.map(|aid| aid.amount), Some(Fen(3_750_000)));
        // Few who need aid are not told, nor a share of them.
        assert_eq!(aid(30, 90, Some(9), CARE).map(|aid| aid.of_needy()), Some(None));
        assert_eq!(
            aid(1, 1, Some(1), Care::Reader).map(|aid| aid.of_needy()),
            Some(Some(Thousandths(100_000)))
        );
    }
}
