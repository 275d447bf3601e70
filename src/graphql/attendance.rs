//! Attendance in the schema: what it shows, where it leads, and how the roll of a class is recorded.

use async_graphql::{Context, ID, InputObject, Object, Result as GraphResult};
use chrono::NaiveDate;
use xueji_entity::attendance::AttendanceKind;
use xueji_entity::value::{ClassGroupId, Narrative, StaffId};

use super::engine::output::{Connection, FilterOf, Only, OrderOf, list_args};
use super::query::{context, fail, graph};
use super::scalar::Date;
use crate::access::catalogue::Class;
use crate::access::filter::{Filter, Key};
use crate::access::scope::Scope;
use crate::access::shown::Cell;
use crate::access::view::Join;
use crate::domain::Cx;
use crate::domain::attendance::record::{Mark, Recorded, Roll, record};
use crate::error::{Error, Result};
use crate::view;

view! {
    /// The attendance of a student on one day (考勤).
    pub struct Attendance from attendance, hangs OfStudent;
    fields {
        /// The day.
        day: NaiveDate = Attendance,
        /// Presence or kind of absence.
        kind: AttendanceKind = Attendance,
        /// Note.
        note: Option<Narrative> = Narrative,
    }
    keys {
        class_group_id: ClassGroupId = Attendance,
        recorded_by_id: Option<StaffId> = Attendance,
    }
    unseen { student_id, id, lifecycle, row_version, updated_at }
    computed {
        /// Rates of attendance, in aggregates only.
        rate = Attendance Class::Outlet,
    }
    relations {
        /// The pupil.
        student: one student by Join::ToStudent;
        /// The class on that day.
        class_group: one class_group by Join::To("class_group_id"), key class_group_id;
        /// Who recorded it.
        recorded_by: one staff by Join::To("recorded_by_id"), key recorded_by_id;
    }
}

/// The attendance of a class on one day, to be recorded.
#[derive(InputObject)]
pub struct AttendanceRecordInput {
    /// The class; one that is not yours to record is `NOT_FOUND`.
    class_group_id: ID,
    /// The day: today or one of the 7 days before, within the school year of the class.
    day: Date,
    /// A mark for each pupil, 1 to 100, each pupil at most once. Pupils who are not named keep
    /// what is on file.
    marks: Vec<AttendanceMarkInput>,
    /// 8 to 64 printable ASCII characters of your choice, such as a random UUID. The same request
    /// with the same key is done once and answered again; another request with it is a `CONFLICT`.
    idempotency_key: Option<String>,
}

/// The attendance of one pupil.
#[derive(InputObject)]
pub struct AttendanceMarkInput {
    /// The pupil: a member of the class on that day.
    student_id: ID,
    /// Presence or kind of absence.
    kind: AttendanceKind,
    /// A note of at most 200 characters; none removes an earlier one. A masked text is refused.
    note: Option<String>,
}

impl AttendanceRecordInput {
    fn roll(self, cx: &Cx) -> Result<(Roll, Option<String>)> {
        let Self { class_group_id, day: Date(day), marks, idempotency_key } = self;
        let noun = |name| {
            cx.registry().get(name).ok_or_else(|| Error::internal("a noun is not registered"))
        };
        let (class_group, student) = (noun("class_group")?, noun("student")?);
        let marks = marks
            .into_iter()
            .map(|AttendanceMarkInput { student_id, kind, note }| Mark {
                student: cx.opaque.open_id_of(student, &student_id),
                kind,
                note,
            })
            .collect();
        let class_group = cx.opaque.open_id_of(class_group, &class_group_id);
        Ok((Roll { class_group, day, marks }, idempotency_key))
    }
}

/// What recording the attendance of a class has done.
#[derive(Debug)]
pub struct AttendanceRecordPayload {
    cx: Cx,
    class_group: Option<Key>,
    day: NaiveDate,
    done: Recorded,
}

impl AttendanceRecordPayload {
    fn of_day(&self) -> Result<(Scope, Only)> {
        let noun = self
            .cx
            .registry()
            .of::<Attendance>()
            .ok_or_else(|| Error::internal("a view is not registered"))?;
        let shown = |name, value| {
            let field = noun.field(name).ok_or_else(|| Error::internal("a column is missing"))?;
            Ok::<_, Error>(Filter::Shown { field, value })
        };
        let class_group = self.class_group.map(|key| key.id).unwrap_or_default();
        let filter = Filter::And(vec![
            shown("class_group_id", Cell::Key(class_group))?,
            shown("day", Cell::Date(self.day))?,
        ]);
        let binding = format!("{class_group}/{}", self.day).into_bytes();
        Ok((Scope::reading(&self.cx.caller, noun), Only { filter, binding }))
    }
}

/// What recording the attendance of a class has done.
#[Object(serial)]
impl AttendanceRecordPayload {
    /// The attendance of the class on that day, as you may see it.
    #[expect(clippy::too_many_arguments, reason = "the arguments of a connection")]
    async fn attendance(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only rows that meet all of these.")] filter: Option<FilterOf<Attendance>>,
        #[graphql(desc = "The order; the key ends it.")] order_by: Option<Vec<OrderOf<Attendance>>>,
        #[graphql(desc = "So many rows from the start, 1 to 200.")] first: Option<i64>,
        #[graphql(desc = "Only rows after this cursor.")] after: Option<String>,
        #[graphql(desc = "So many rows from the end, 1 to 200.")] last: Option<i64>,
        #[graphql(desc = "Only rows before this cursor.")] before: Option<String>,
    ) -> GraphResult<Connection<Attendance>> {
        let args = list_args(filter, order_by, first, after, last, before);
        let (scope, only) = self.of_day().map_err(|error| graph(fail(ctx, error)))?;
        Ok(Connection::within(&self.cx, scope, args, &[]).only(only))
    }

    /// How many rows are new.
    async fn recorded(&self) -> usize {
        self.done.recorded.len()
    }

    /// How many rows were on file and are changed; rows that agreed are not counted.
    async fn changed(&self) -> usize {
        self.done.changed.len()
    }
}

/// What changes attendance.
#[derive(Debug, Default)]
pub struct AttendanceMutation;

#[Object]
impl AttendanceMutation {
    /// Records the attendance of a class on one day (考勤登记): all marks or none. What is on file
    /// of a pupil for that day is changed, and its history kept.
    async fn attendance_record(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The class, the day and the marks.")] input: AttendanceRecordInput,
    ) -> GraphResult<AttendanceRecordPayload> {
        let cx = context(ctx).map_err(graph)?;
        let refuse = |error| graph(fail(ctx, error));
        let (roll, key) = input.roll(cx).map_err(refuse)?;
        let done = record(cx, &roll, key.as_deref()).await.map_err(refuse)?;
        let Roll { class_group, day, .. } = roll;
        Ok(AttendanceRecordPayload { cx: cx.clone(), class_group, day, done })
    }
}
