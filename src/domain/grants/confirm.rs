//! `grant.confirm`: that somebody looked at a grant this term and found it right (授权复核).

use serde::Serialize;
use uuid::Uuid;

use super::end::within_reach;
use super::{same_person, to_self};
use crate::access::action::Action;
use crate::domain::Cx;
use crate::domain::act::Act;
use crate::domain::exceptional::refused;
use crate::error::{Error, Result};
use crate::store::tx::{RoleOnFile, Tx};

/// A grant to be confirmed, as it came.
#[derive(Debug, Serialize)]
pub struct Confirm {
    /// The grant; none for an id that cannot be one.
    pub grant: Option<Uuid>,
}

/// Confirms a grant for the term; nobody confirms their own.
pub async fn confirm(cx: &Cx, confirm: &Confirm, key: Option<&str>) -> Result<Uuid> {
    cx.act(confirm, key).await
}

impl Act for Confirm {
    const ACTION: Action = Action::GrantConfirm;
    type Facts = RoleOnFile;
    type Done = Uuid;

    async fn load(&self, tx: &Tx) -> Result<RoleOnFile> {
        // Who looks through grants need not be able to give them.
        let (on_file, _may_give) = within_reach(tx, self.grant, Action::GrantConfirm).await?;
        Ok(on_file)
    }

    async fn write(&self, tx: &mut Tx, on_file: RoleOnFile) -> Result<Uuid> {
        if on_file.ended {
            return Err(Error::not_found("AccessGrant"));
        }
        if same_person(tx, tx.caller().account().uuid(), on_file.account).await? {
            return Err(to_self());
        }
        let term = tx.term_of(tx.caller().today()).await?.ok_or_else(|| {
            refused(
                "NO_TERM",
                "no term has begun; enter the terms of the school year first",
                "尚无已开始的学期；请先录入学年学期",
            )
        })?;
        tx.confirm_role(on_file.id, term).await?;
        Ok(on_file.id)
    }
}
