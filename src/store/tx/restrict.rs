//! Records that are kept and not seen (限制处理), and records that must stay (暂停销毁), as acts write them.
//!
//! A restriction turns the lifecycle of the student's row; every read leaves such a row out with all that hangs from
//! it, so nothing else has to be told. The student is named by id, at the school of the last enrolment.

use sea_orm::ActiveEnum;
use sea_orm::sea_query::Value;
use uuid::Uuid;
use xueji_entity::lifecycle::Lifecycle;
use xueji_entity::restriction::RestrictionState;
use xueji_entity::value::{Guarded, Narrative};

use super::destroy::random_id;
use super::{Tx, insert_into, names};
use crate::access::filter::Key;
use crate::error::{Error, Result};
use crate::store::failed;

/// A restriction on file.
#[derive(Clone, Copy, Debug)]
pub struct Restriction {
    /// Its id.
    pub id: Uuid,
    /// The student.
    pub student: Uuid,
    /// How far it is.
    pub state: RestrictionState,
    /// Who proposed it.
    pub proposed_by: Uuid,
}

impl Tx {
    /// The school of the last enrolment of a student whose record is in this state, where the caller holds the act there;
    /// `NOT_FOUND` otherwise.
    pub async fn school_of(&self, student: Uuid, lifecycle: Lifecycle) -> Result<Uuid> {
        let unknown = || Error::not_found("Student");
        let sql = "SELECT e.school_id FROM student s JOIN enrollment e ON e.student_id = s.id \
            WHERE s.id = $1 AND s.lifecycle = $2 AND e.lifecycle <> 'deleted' \
            ORDER BY e.live DESC, e.entered_on DESC, e.id DESC LIMIT 1";
        let rows = self.raw(sql, vec![student.into(), lifecycle.to_value().into()]).await?;
        self.school_named(&rows, 0, unknown).await
    }

    /// Puts a proposal on file; `CONFLICT` where one is open already.
    pub async fn propose_restriction(
        &mut self,
        student: Uuid,
        school: Uuid,
        reason: &Narrative,
    ) -> Result<Uuid> {
        let id = random_id();
        let columns = names(&[
            "id",
            "student_id",
            "school_id",
            "reason",
            "state",
            "proposed_by_id",
            "proposed_at",
        ]);
        let values: Vec<Value> = vec![
            id.into(),
            student.into(),
            school.into(),
            reason.expose().into(),
            RestrictionState::Proposed.to_value().into(),
            self.caller.account().uuid().into(),
            self.now.into(),
        ];
        self.execute(&insert_into("restriction", columns, [values])?).await?;
        self.note(format!("restriction {id} of {student} proposed"));
        Ok(id)
    }

    /// A restriction of a school at which the caller holds the act; `NOT_FOUND` otherwise.
    pub async fn restriction(&self, id: Uuid) -> Result<Restriction> {
        let unknown = || Error::not_found("Restriction");
        let sql = self.locked(
            "SELECT student_id, school_id, state, proposed_by_id FROM restriction WHERE id = $1",
        );
        let rows = self.raw(&sql, vec![id.into()]).await?;
        self.school_named(&rows, 1, unknown).await?;
        let row = rows.first().ok_or_else(unknown)?;
        let state: String = row.try_get_by_index(2).map_err(failed)?;
        Ok(Restriction {
            id,
            student: row.try_get_by_index(0).map_err(failed)?,
            state: RestrictionState::try_from_value(&state).map_err(failed)?,
            proposed_by: row.try_get_by_index(3).map_err(failed)?,
        })
    }

    /// Puts a proposal in force, or refuses it.
    pub async fn decide_restriction(&mut self, on_file: &Restriction, agreed: bool) -> Result<()> {
        let state = if agreed { RestrictionState::InForce } else { RestrictionState::Refused };
        let sql = "UPDATE restriction SET state = $1, decided_by_id = $2, decided_at = $3 \
            WHERE id = $4 AND state = 'proposed'";
        let me = self.caller.account().uuid();
        let bound = vec![state.to_value().into(), me.into(), self.now.into(), on_file.id.into()];
        self.once_only(sql, bound).await?;
        if agreed {
            self.turn_lifecycle(on_file.student, Lifecycle::Live, Lifecycle::Restricted).await?;
        }
        self.note(format!(
            "restriction {} of {}: {}",
            on_file.id,
            on_file.student,
            state.to_value()
        ));
        Ok(())
    }

    /// Lifts a restriction: the record is seen again as before.
    pub async fn lift_restriction(&mut self, on_file: &Restriction, why: &Narrative) -> Result<()> {
        let sql = "UPDATE restriction SET state = 'lifted', lifted_why = $1, lifted_by_id = $2, lifted_at = $3 \
            WHERE id = $4 AND state = 'in_force'";
        let me = self.caller.account().uuid();
        let bound = vec![why.expose().into(), me.into(), self.now.into(), on_file.id.into()];
        self.once_only(sql, bound).await?;
        self.turn_lifecycle(on_file.student, Lifecycle::Restricted, Lifecycle::Live).await?;
        self.note(format!("restriction {} of {}: lifted", on_file.id, on_file.student));
        Ok(())
    }

    async fn turn_lifecycle(
        &mut self,
        student: Uuid,
        from: Lifecycle,
        to: Lifecycle,
    ) -> Result<()> {
        let sql = "UPDATE student SET lifecycle = $1, row_version = row_version + 1, updated_at = $2 \
            WHERE id = $3 AND lifecycle = $4";
        let bound =
            vec![to.to_value().into(), self.now.into(), student.into(), from.to_value().into()];
        self.once_only(sql, bound).await?;
        let touched = self.touch("student")?;
        touched.updated.push(Key { student: None, id: student });
        touched.columns.insert("lifecycle");
        Ok(())
    }

    async fn once_only(&self, sql: &str, bound: Vec<Value>) -> Result<()> {
        match self.run(sql, bound).await? {
            1 => Ok(()),
            _ => Err(Error::Conflict { what: "state".into() }),
        }
    }

    /// Sets a hold on a student's records.
    pub async fn set_hold(&mut self, student: Uuid, reason: &Narrative) -> Result<()> {
        let columns = names(&["id", "student_id", "reason", "set_by_id", "set_at"]);
        let values: Vec<Value> = vec![
            random_id().into(),
            student.into(),
            reason.expose().into(),
            self.caller.account().uuid().into(),
            self.now.into(),
        ];
        self.execute(&insert_into("legal_hold", columns, [values])?).await?;
        self.note(format!("hold on {student} set"));
        Ok(())
    }

    /// Releases the holds on a student's records; how many there were.
    pub async fn release_holds(&mut self, student: Uuid) -> Result<u64> {
        let sql = "UPDATE legal_hold SET released_by_id = $1, released_at = $2 \
            WHERE student_id = $3 AND released_at IS NULL";
        let me = self.caller.account().uuid();
        let released = self.run(sql, vec![me.into(), self.now.into(), student.into()]).await?;
        self.note(format!("{released} holds on {student} released"));
        Ok(released)
    }
}
