//! `grant.end`: a role that somebody holds at a place, ended at once.

use serde::Serialize;
use uuid::Uuid;

use super::{Bar, area, changed, right, standing};
use crate::access::action::Action;
use crate::access::table::{Pair, Reach};
use crate::domain::Cx;
use crate::domain::act::Act;
use crate::domain::exceptional::refused;
use crate::error::{Error, Result};
use crate::store::tx::{RoleOnFile, Tx};

/// A grant to be ended, as it came.
#[derive(Debug, Serialize)]
pub struct End {
    /// The grant; none for an id that cannot be one.
    pub grant: Option<Uuid>,
}

/// Ends a grant; what follows from a duty or from custody ends with that, not here.
pub async fn end(cx: &Cx, end: &End, key: Option<&str>) -> Result<Uuid> {
    cx.act(end, key).await
}

fn not_found() -> Error {
    Error::not_found("AccessGrant")
}

/// A grant of an office within the reach of whoever asks, for an action.
pub(super) async fn within_reach(
    tx: &Tx,
    grant: Option<Uuid>,
    action: Action,
) -> Result<(RoleOnFile, std::result::Result<(), Bar>)> {
    let held = standing(tx.caller(), action);
    let grant = grant.ok_or_else(not_found)?;
    let on_file = tx.role_on_file(grant, &area(&held)).await?.ok_or_else(not_found)?;
    let site = tx.site(on_file.place).await?.ok_or_else(not_found)?;
    let policy = &tx.caller().session.policy;
    let role = policy.roles.id(&on_file.role);
    let given = role.map(|role| Pair { role, reach: on_file.reach });
    match right(policy, &held, given, &site.ground, None) {
        Ok(_) => Ok((on_file, Ok(()))),
        Err(Bar::Policy) => Ok((on_file, Err(Bar::Policy))),
        Err(Bar::Place | Bar::Account) => Err(not_found()),
    }
}

impl Act for End {
    const ACTION: Action = Action::GrantEnd;
    type Facts = RoleOnFile;
    type Done = Uuid;

    async fn load(&self, tx: &Tx) -> Result<RoleOnFile> {
        let (on_file, right) = within_reach(tx, self.grant, Action::GrantEnd).await?;
        // What one may give one may end.
        right.map_err(|_bar| {
            refused(
                "GRANT_NOT_YOURS_TO_END",
                "who may give this role at this kind of place may end it, and you may not give it",
                "有权在此类范围授予该角色者方可终止授权，而您无权授予",
            )
        })?;
        Ok(on_file)
    }

    async fn write(&self, tx: &mut Tx, on_file: RoleOnFile) -> Result<Uuid> {
        if on_file.ended {
            return Err(not_found());
        }
        if on_file.derived {
            return Err(refused(
                "GRANT_OF_A_DUTY",
                "this grant follows from a duty and ends with it; end the duty",
                "该授权随任职产生并随之终止；请终止该任职",
            ));
        }
        if on_file.reach == Reach::Anywhere && !tx.others_hold(&on_file).await? {
            return Err(refused(
                "GRANT_OF_THE_LAST",
                "nobody else holds this role, and nobody could give it again; give it to somebody else first",
                "没有其他人持有该角色，终止后将无人可以再授予；请先授予他人",
            ));
        }
        tx.end_grant(on_file.id).await?;
        tx.event(changed(on_file.account, on_file.id));
        Ok(on_file.id)
    }
}
