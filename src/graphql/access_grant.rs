//! AccessGrant in the schema: what it shows and where it leads.

use chrono::NaiveDate;
use sea_orm::prelude::DateTimeUtc;
use xueji_entity::value::{
    AccessGrantId, AccountId, ClassGroupId, CourseId, Narrative, OrganisationId, StudentId,
    YearLevelId,
};

use crate::access::view::Join;
use crate::view;

view! {
    /// A role that an account holds with a reach, for a time (授权). Whoever gave a duty to a substitute
    /// finds it here until it ends.
    pub struct AccessGrant from access_grant, hangs Grant;
    fields {
        /// Name of the role as in the policy files.
        role: String = Directory,
        /// Name of the reach: own, ward, teaching, class, year_level, school, region or anywhere.
        reach: String = Directory,
        /// First day.
        since: NaiveDate = Directory,
        /// Last day; null while open.
        until: Option<NaiveDate> = Directory,
        /// The instant of revocation; null unless revoked.
        ended_at: Option<DateTimeUtc> = Directory,
        /// The instant at which it ends within its days; null where days are enough.
        expires_at: Option<DateTimeUtc> = Directory,
        /// Why it was given to a substitute.
        reason: Option<Narrative> = Narrative,
    }
    keys {
        account_id: AccountId = Directory,
        student_id: Option<StudentId> = Directory,
        class_group_id: Option<ClassGroupId> = Directory,
        course_id: Option<CourseId> = Directory,
        year_level_id: Option<YearLevelId> = Directory,
        organisation_id: Option<OrganisationId> = Directory,
        granted_by_id: Option<AccountId> = Directory,
        delegated_from_id: Option<AccessGrantId> = Directory,
    }
    unseen { id, origin, origin_id }
    computed {
    }
    relations {
        /// The account.
        account: one account by Join::To("account_id"), key account_id;
        /// The class group at which the role is held, or in which the course is taught.
        class_group: one class_group by Join::To("class_group_id"), key class_group_id;
        /// The course, for a teacher of it.
        course: one course by Join::To("course_id"), key course_id;
        /// The year level at which the role is held.
        year_level: one year_level by Join::To("year_level_id"), key year_level_id;
        /// The account that gave it to a substitute.
        granted_by: one account by Join::To("granted_by_id"), key granted_by_id;
        /// The grant that it was given from.
        delegated_from: one access_grant by Join::To("delegated_from_id"), key delegated_from_id;
    }
}
