//! Grants that come with an account: of the own record, or of the wards of a guardian.

use chrono::NaiveDate;
use sea_orm::ActiveEnum;
use sea_orm::sea_query::Value;
use uuid::Uuid;
use xueji_entity::access_grant::GrantOrigin;

use super::{Tx, insert_into, names};
use crate::access::filter::Key;
use crate::access::table::Reach;
use crate::error::Result;

/// The grant of an own record, or of a ward.
#[derive(Clone, Copy, Debug)]
pub struct OwnGrant {
    /// To whom.
    pub account: Uuid,
    /// `student` or `guardian`.
    pub role: &'static str,
    /// Own or ward.
    pub reach: Reach,
    /// The student.
    pub student: Uuid,
    /// First day.
    pub since: NaiveDate,
    /// Last day.
    pub until: Option<NaiveDate>,
    /// The guardianship that a ward's grant follows from, and without which it grants nothing.
    pub guardianship: Option<Uuid>,
}

/// The columns of a grant of an own record or of a ward.
pub(in crate::store) const OWN_GRANT: [&str; 10] = [
    "id",
    "account_id",
    "role",
    "reach",
    "student_id",
    "since",
    "until",
    "granted_by_id",
    "origin",
    "origin_id",
];

impl OwnGrant {
    pub(in crate::store) fn values(&self, id: Uuid, by: Option<Uuid>) -> Vec<Value> {
        vec![
            id.into(),
            self.account.into(),
            self.role.into(),
            self.reach.word().into(),
            self.student.into(),
            self.since.into(),
            self.until.into(),
            by.into(),
            self.guardianship.map(|_| GrantOrigin::Guardianship.to_value()).into(),
            self.guardianship.into(),
        ]
    }
}

impl Tx {
    /// Gives the grants of an own record, or of wards.
    pub async fn give_own(&mut self, grants: &[OwnGrant]) -> Result<()> {
        if grants.is_empty() {
            return Ok(());
        }
        let by = Some(self.caller.account().uuid());
        let ids: Vec<Uuid> = grants.iter().map(|_| Uuid::now_v7()).collect();
        let rows = grants.iter().zip(&ids).map(|(grant, id)| grant.values(*id, by));
        self.execute(&insert_into("access_grant", names(&OWN_GRANT), rows)?).await?;
        let keys = ids.into_iter().map(|id| Key { student: None, id });
        self.touch("access_grant")?.inserted.extend(keys);
        Ok(())
    }
}
