//! ClassGroup in the schema: what it shows and where it leads.

use xueji_entity::value::{Code, OrganisationId, SchoolYearId, YearLevelId};

use crate::access::catalogue::Class;
use crate::access::view::{Holds, Join};
use crate::view;

view! {
    /// One class in one school year (班级).
    pub struct ClassGroup from class_group, hangs ClassGroup;
    fields {
        /// Number within the year level, from 1.
        number: i64 = Organisation,
        /// Name for people.
        name: String = Organisation,
        /// Kind of class, list `ZXXBJLX`.
        kind: Code = Health,
    }
    keys {
        school_id: OrganisationId = Organisation,
        year_level_id: YearLevelId = Organisation,
        school_year_id: SchoolYearId = Organisation,
    }
    unseen { id }
    computed {
        /// The size band of the class (班额), for grouping figures only.
        size_band = Directory Class::Outlet,
    }
    relations {
        /// The school.
        school: one organisation by Join::To("school_id"), key school_id;
        /// The year level.
        year_level: one year_level by Join::To("year_level_id"), key year_level_id;
        /// The school year.
        school_year: one school_year by Join::To("school_year_id"), key school_year_id;
        /// The class roster (班级名单): its pupils of today, guests included.
        students: many student by Join::Through { table: "class_membership", from: "class_group_id", to: "student_id", holds: Holds::Today }, order [("name", false)];
        /// Who belongs to the class, with dates and numbers in class.
        memberships: many class_membership by Join::From("class_group_id"), order [("since", false)];
        /// Who teaches and leads the class.
        duties: many duty by Join::From("class_group_id"), bounded true, order [("since", false)];
        /// The attendance of the class, the newest day first.
        attendance: many attendance by Join::From("class_group_id"), order [("day", true)];
    }
}
