//! Accounts and the grants they hold.

use anyhow::Result;
use chrono::NaiveDate;
use uuid::Uuid;

use super::buffer::row;
use super::calendar::earlier;
use super::world::{World, at};

/// Where a grant is held.
#[derive(Debug, Clone, Copy)]
pub(super) enum Held {
    Own(Uuid),
    Ward(Uuid),
    Teaching(Uuid, Uuid),
    Class(Uuid),
    YearLevel(Uuid),
    School(Uuid),
    Region(Uuid),
    Anywhere,
}

impl World<'_> {
    /// A new account; `staff` and `student` say whose it is.
    pub(super) fn account(
        &mut self,
        login: &str,
        kind: &'static str,
        display_name: &str,
        staff: Option<Uuid>,
        student: Option<Uuid>,
    ) -> Result<Uuid> {
        let id = self.id();
        let created_at = at(earlier(self.today(), 400), 1);
        self.out.add(
            "account",
            row![id, login, kind, display_name, staff, student, false, created_at],
        )?;
        Ok(id)
    }

    /// A grant of a role at a place.
    pub(super) fn grant(
        &mut self,
        account: Uuid,
        role: &str,
        held: Held,
        since: NaiveDate,
        until: Option<NaiveDate>,
    ) -> Result<()> {
        let (mut student, mut class, mut course, mut level, mut organisation) =
            (None, None, None, None, None);
        let reach = match held {
            Held::Own(id) => {
                student = Some(id);
                "own"
            }
            Held::Ward(id) => {
                student = Some(id);
                "ward"
            }
            Held::Teaching(class_id, course_id) => {
                (class, course) = (Some(class_id), Some(course_id));
                "teaching"
            }
            Held::Class(id) => {
                class = Some(id);
                "class"
            }
            Held::YearLevel(id) => {
                level = Some(id);
                "year_level"
            }
            Held::School(id) => {
                organisation = Some(id);
                "school"
            }
            Held::Region(id) => {
                organisation = Some(id);
                "region"
            }
            Held::Anywhere => "anywhere",
        };
        let id = self.id();
        let ended_at = None::<chrono::DateTime<chrono::Utc>>;
        self.out.add(
            "access_grant",
            row![
                id,
                account,
                role,
                reach,
                student,
                class,
                course,
                level,
                organisation,
                since,
                until,
                ended_at
            ],
        )
    }
}
