//! `exam.publish`: pupils and families may know the scores of an examination (发布成绩).
//!
//! Reads the examination and its live scores, decides, and writes: the state of the examination and
//! every score that is not published yet, those of pupils who have left since included. The number
//! of statements depends on groups of rows and not on rows. Nobody is told a score here: each pupil
//! concerned gets an event, and reads under the own sights.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use xueji_entity::exam::ExamState;

use crate::access::action::Action;
use crate::access::filter::Key;
use crate::domain::Cx;
use crate::domain::act::{Act, key_id};
use crate::error::{Error, Result, Why};
use crate::store::exam::{Exam, Score, Scored};
use crate::store::tx::{Event, Tx};

/// The examination to publish, as it came.
#[derive(Debug, Serialize)]
pub struct Publish {
    /// The examination; none for an id that cannot be one.
    #[serde(serialize_with = "key_id")]
    pub exam: Option<Key>,
}

/// What was published, counted over the pupils whom the act may concern.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Published {
    /// Pupils with a score that is new to them.
    pub students: u64,
    /// Scores that were not published before.
    pub scores: u64,
    /// Pupils who were in the year level on the day and lack a score in one of the courses or more.
    pub without_score: u64,
}

/// What is decided on.
#[derive(Debug)]
pub struct Facts {
    exam: Exam,
    scores: Vec<Score>,
    scored: Scored,
}

/// Publishes the scores of an examination.
pub async fn publish(cx: &Cx, exam: &Publish, key: Option<&str>) -> Result<Published> {
    cx.act(exam, key).await
}

impl Act for Publish {
    const ACTION: Action = Action::ExamPublish;
    type Facts = Facts;
    type Done = Published;

    async fn load(&self, tx: &Tx) -> Result<Facts> {
        let exam = tx.exam(self.exam).await?;
        // An examination that is out already has nothing to count.
        let (scores, scored) = match exam.state {
            ExamState::Draft => (tx.scores_of(&exam).await?, tx.scored(&exam).await?),
            ExamState::Published | ExamState::Locked => (Vec::new(), Scored::default()),
        };
        Ok(Facts { exam, scores, scored })
    }

    async fn write(&self, tx: &mut Tx, facts: Facts) -> Result<Published> {
        let Facts { exam, scores, scored: Scored { any, without_score } } = facts;
        // Scores of pupils who are elsewhere today go out with the others and decide nothing: whether there are
        // any is not the caller's to know.
        decide(exam.state, any)?;
        let fresh: Vec<&Score> = scores.iter().filter(|score| !score.published).collect();
        tx.exam_publish(&exam, &fresh).await?;
        let mut by_student: BTreeMap<Uuid, (Vec<Uuid>, bool)> = BTreeMap::new();
        let mut done = Published { without_score, ..Published::default() };
        for score in fresh {
            let student =
                score.student().ok_or_else(|| Error::internal("a score of no student"))?;
            let (rows, in_scope) = by_student.entry(student).or_default();
            rows.push(score.id());
            *in_scope |= score.in_scope;
            done.scores += u64::from(score.in_scope);
        }
        for (student, (rows, in_scope)) in by_student {
            done.students += u64::from(in_scope);
            tx.event(Event {
                kind: "score.published",
                student: Some(student),
                rows,
                ..Event::default()
            });
        }
        Ok(done)
    }
}

/// The rules: once, and not without a score, within the scope of the act, of somebody who sat it.
fn decide(state: ExamState, any: bool) -> Result<()> {
    match state {
        ExamState::Draft if !any => Err(Error::Refused {
            rule: "exam.scores",
            why: Why::new(
                "this examination has no score yet of any of your pupils who sat it; enter scores before publishing it",
                "本次考试还没有您范围内参考学生的成绩；请先录入成绩再发布",
            ),
        }),
        ExamState::Draft => Ok(()),
        ExamState::Published => Err(Error::Refused {
            rule: "exam.state",
            why: Why::new(
                "the scores of this examination are published already; there is nothing to do",
                "本次考试的成绩已经发布；无需再次发布",
            ),
        }),
        ExamState::Locked => Err(Error::Refused {
            rule: "exam.state",
            why: Why::new(
                "this examination is locked; a change of its scores needs a case with a reason",
                "本次考试已锁定；更改成绩须提交申请并说明原因",
            ),
        }),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::entered(ExamState::Draft, true, None)]
    #[case::nothing_entered(ExamState::Draft, false, Some("exam.scores"))]
    #[case::out(ExamState::Published, true, Some("exam.state"))]
    #[case::locked(ExamState::Locked, true, Some("exam.state"))]
    #[case::locked_and_empty(ExamState::Locked, false, Some("exam.state"))]
    fn published_once(
        #[case] state: ExamState,
        #[case] any: bool,
        #[case] refused_by: Option<&str>,
    ) {
        match (decide(state, any), refused_by) {
            (Ok(()), None) => {}
            (Err(Error::Refused { rule, .. }), Some(expected)) => assert_eq!(rule, expected),
            (other, _) => panic!("{state:?}: {other:?}"),
        }
    }
}
