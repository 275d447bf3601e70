//! Draws accounts and places at random, for the load driver of the demo.
//!
//! It reads keys alone, never a value of a person, and no route leads here.

use chrono::NaiveDate;
use sea_orm::{ConnectionTrait, Statement};
use uuid::Uuid;

use super::{Store, failed};
use crate::error::Result;

/// Most callers of each kind.
const MOST: u32 = 2000;

/// Guardians with a child in a class today.
const PARENTS: &str = "SELECT g.account_id, g.student_id FROM access_grant g \
    JOIN class_membership m ON m.student_id = g.student_id AND m.lifecycle = 'live' \
    AND m.kind = 'ordinary' AND m.since <= $1 AND (m.until IS NULL OR m.until >= $1) \
    WHERE g.role = 'guardian' AND g.reach = 'ward' AND g.ended_at IS NULL \
    AND g.since <= $1 AND (g.until IS NULL OR g.until >= $1)";

/// Homeroom teachers of classes with pupils, and the newest examination of the class's year level.
const HOMEROOM: &str = "SELECT g.account_id, g.class_group_id, (SELECT e.id FROM exam e \
    JOIN class_group c ON c.year_level_id = e.year_level_id \
    WHERE c.id = g.class_group_id AND e.state <> 'draft' ORDER BY e.starts_on DESC LIMIT 1) \
    FROM access_grant g WHERE g.role = 'homeroom_teacher' AND g.reach = 'class' \
    AND g.ended_at IS NULL AND g.since <= $1 AND (g.until IS NULL OR g.until >= $1) \
    AND EXISTS (SELECT 1 FROM class_membership m WHERE m.class_group_id = g.class_group_id \
    AND m.lifecycle = 'live' AND m.since <= $1 AND (m.until IS NULL OR m.until >= $1))";

/// Registrars.
const REGISTRARS: &str = "SELECT g.account_id, g.organisation_id FROM access_grant g \
    WHERE g.role = 'registrar' AND g.reach = 'school' AND g.ended_at IS NULL \
    AND g.since <= $1 AND (g.until IS NULL OR g.until >= $1)";

/// Reporting tools, each with the examinations and schools within reach.
const ANALYSTS: &str = "SELECT g.account_id, e.id, s.id FROM access_grant g \
    JOIN organisation s ON s.level = 'school' AND g.organisation_id IN (s.id, s.county_id, s.city_id, s.province_id) \
    JOIN exam e ON e.school_id = s.id AND e.state <> 'draft' \
    WHERE g.role = 'analyst' AND g.ended_at IS NULL \
    AND g.since <= $1 AND (g.until IS NULL OR g.until >= $1)";

/// Accounts with the places they may ask about.
#[derive(Clone, Debug, Default)]
pub struct Draw {
    /// Guardians: account and ward.
    pub parents: Vec<(Uuid, Uuid)>,
    /// Homeroom teachers: account, class group, and an examination of it.
    pub homeroom: Vec<(Uuid, Uuid, Option<Uuid>)>,
    /// Registrars: account and school.
    pub registrars: Vec<(Uuid, Uuid)>,
    /// Reporting tools: account, examination and school.
    pub analysts: Vec<(Uuid, Uuid, Uuid)>,
}

impl Store {
    /// Draws at most two thousand of each kind.
    pub async fn draw(&self, today: NaiveDate) -> Result<Draw> {
        let rows = async |sql: &str| {
            let sql = format!("{sql} ORDER BY RANDOM() LIMIT {MOST}");
            let statement = Statement::from_sql_and_values(self.backend(), sql, [today.into()]);
            self.db.query_all_raw(statement).await.map_err(failed)
        };
        let pairs = |rows: Vec<sea_orm::QueryResult>| -> Result<Vec<(Uuid, Uuid)>> {
            rows.iter()
                .map(|row| {
                    Ok((
                        row.try_get_by_index(0).map_err(failed)?,
                        row.try_get_by_index(1).map_err(failed)?,
                    ))
                })
                .collect()
        };
        let mut draw = Draw {
            parents: pairs(rows(PARENTS).await?)?,
            registrars: pairs(rows(REGISTRARS).await?)?,
            ..Draw::default()
        };
        for row in rows(HOMEROOM).await? {
            draw.homeroom.push((
                row.try_get_by_index(0).map_err(failed)?,
                row.try_get_by_index(1).map_err(failed)?,
                row.try_get_by_index(2).map_err(failed)?,
            ));
        }
        for row in rows(ANALYSTS).await? {
            draw.analysts.push((
                row.try_get_by_index(0).map_err(failed)?,
                row.try_get_by_index(1).map_err(failed)?,
                row.try_get_by_index(2).map_err(failed)?,
            ));
        }
        Ok(draw)
    }
}
