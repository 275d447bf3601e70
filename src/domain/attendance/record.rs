//! `attendance.record`: the roll of a class for a day (点名).
//!
//! Reads the class, its members of the day and what is on file, decides, and writes: rows that are
//! new are inserted, rows that differ are updated, rows that agree are left alone. The number of
//! statements does not depend on the number of marks.

use std::collections::{HashMap, HashSet};

use chrono::NaiveDate;
use serde::{Deserialize, Serialize, Serializer};
use uuid::Uuid;
use xueji_entity::attendance::AttendanceKind;
use xueji_entity::value::{Guarded, Narrative};

use crate::access::action::Action;
use crate::access::filter::Key;
use crate::domain::act::{Act, key_id};
use crate::domain::{Cx, refuse_masked};
use crate::error::{Error, Result, Why};
use crate::store::attendance::{ClassYear, Line, OnFile};
use crate::store::tx::{Event, Found, Tx};

/// How many days back a roll may be recorded or corrected.
pub const WINDOW_DAYS: i64 = 7;
/// Most marks of one roll.
pub const MARKS: usize = 100;
/// Longest note in characters.
pub const NOTE: usize = 200;

/// The roll of a class for a day, as it came.
#[derive(Serialize)]
pub struct Roll {
    /// The class; none for an id that cannot be one.
    #[serde(serialize_with = "key_id")]
    pub class_group: Option<Key>,
    /// The day.
    pub day: NaiveDate,
    /// A mark for each student.
    pub marks: Vec<Mark>,
}

/// The mark of one student, as it came.
#[derive(Serialize)]
pub struct Mark {
    /// The student; none for an id that cannot be one.
    #[serde(serialize_with = "key_id")]
    pub student: Option<Key>,
    /// Presence or kind of absence.
    #[serde(serialize_with = "kind_name")]
    pub kind: AttendanceKind,
    /// Note; none removes an earlier one.
    pub note: Option<String>,
}

impl std::fmt::Debug for Roll {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Roll({}, {} marks)", self.day, self.marks.len())
    }
}

impl std::fmt::Debug for Mark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mark(…)")
    }
}

fn kind_name<S: Serializer>(kind: &AttendanceKind, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&format_args!("{kind:?}"))
}

/// The rows that a roll has written.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Recorded {
    /// New rows.
    pub recorded: Vec<Uuid>,
    /// Rows that were on file and differed.
    pub changed: Vec<Uuid>,
}

/// What a roll is decided on.
#[derive(Debug)]
pub struct Facts {
    today: NaiveDate,
    class: ClassYear,
    members: HashMap<Uuid, Found>,
    on_file: HashMap<Uuid, OnFile>,
    staff: Option<Uuid>,
}

/// Records the roll of a class for a day.
pub async fn record(cx: &Cx, roll: &Roll, key: Option<&str>) -> Result<Recorded> {
    cx.act(roll, key).await
}

impl Act for Roll {
    const ACTION: Action = Action::AttendanceRecord;
    type Facts = Facts;
    type Done = Recorded;

    async fn load(&self, tx: &Tx) -> Result<Facts> {
        let class = tx.class_year(self.class_group).await?;
        let today = tx.caller().today();
        // A roll that is too long, or of a day that no database may know, is refused without
        // looking further.
        let looked_at = if in_window(self.day, today) { MARKS } else { 0 };
        let marks = self.marks.iter().take(looked_at);
        let mut students: Vec<Uuid> =
            marks.filter_map(|mark| mark.student).map(|key| key.id).collect();
        students.sort_unstable();
        students.dedup();
        Ok(Facts {
            today,
            members: tx.members_on(class.class_group, &students, self.day).await?,
            on_file: tx.attendance_on(&students, self.day).await?,
            staff: tx.acting_staff().await?,
            class,
        })
    }

    async fn write(&self, tx: &mut Tx, facts: Facts) -> Result<Recorded> {
        let members: HashSet<Uuid> = facts.members.keys().copied().collect();
        let marked = decide(self, facts.today, &facts.class, &members)?;
        let (mut fresh, mut changed) = (Vec::new(), Vec::new());
        for Marked { student, kind, note } in marked {
            let line = Line {
                class_group: facts.class.class_group,
                day: self.day,
                kind,
                note,
                recorded_by: facts.staff,
            };
            match (facts.on_file.get(&student), facts.members.get(&student)) {
                (Some(on_file), _) if agrees(on_file, &line) => {}
                (Some(on_file), _) => changed.push((on_file, line)),
                (None, Some(member)) => fresh.push((member, line)),
                (None, None) => return Err(Error::internal("a mark without a member")),
            }
        }
        let recorded = tx.attendance_insert(fresh).await?;
        let changed = tx.attendance_update(changed).await?;
        let rows = [recorded.as_slice(), &changed].concat();
        if !rows.is_empty() {
            let class_group = Some(facts.class.class_group);
            let event = Event { kind: "attendance.recorded", class_group, ..Event::default() };
            tx.event_of(event, rows);
        }
        let ids = |keys: Vec<Key>| keys.into_iter().map(|key| key.id).collect::<Vec<_>>();
        Ok(Recorded { recorded: ids(recorded), changed: ids(changed) })
    }
}

/// True when a row says the same already; who said it first stays on it.
fn agrees(on_file: &OnFile, line: &Line) -> bool {
    on_file.class_group == line.class_group
        && on_file.kind == line.kind
        && on_file.note.as_deref() == line.note.as_ref().map(Guarded::expose)
}

/// A mark that the rules accept.
#[derive(Debug, PartialEq, Eq)]
struct Marked {
    student: Uuid,
    kind: AttendanceKind,
    note: Option<Narrative>,
}

/// True from the day itself until the last day on which it may be recorded.
fn in_window(day: NaiveDate, today: NaiveDate) -> bool {
    (0..=WINDOW_DAYS).contains(&today.signed_duration_since(day).num_days())
}

/// The rules of a roll: the day, the school year, who may be marked, and the notes.
fn decide(
    roll: &Roll,
    today: NaiveDate,
    class: &ClassYear,
    members: &HashSet<Uuid>,
) -> Result<Vec<Marked>> {
    if !in_window(roll.day, today) {
        return Err(Error::Refused {
            rule: "attendance.window",
            why: Why::new(
                format!(
                    "attendance is recorded on the day or up to {WINDOW_DAYS} days later; \
                     choose a day from then until today"
                ),
                format!(
                    "考勤须在当天或之后 {WINDOW_DAYS} 天内登记；请选择此期间的日期，不能选择将来"
                ),
            ),
        });
    }
    if !(class.starts_on..=class.ends_on).contains(&roll.day) {
        return Err(Error::Refused {
            rule: "attendance.school_year",
            why: Why::new(
                "the day lies outside the school year of this class; choose the class of that year",
                "该日期不在本班级的学年内；请选择当时学年的班级",
            ),
        });
    }
    if !(1..=MARKS).contains(&roll.marks.len()) {
        return Err(Error::invalid(
            "marks",
            format!("give 1 to {MARKS} marks; send a longer roll in parts"),
            format!("请提供 1 至 {MARKS} 条考勤；更多请分次提交"),
        ));
    }
    let mut seen = HashSet::new();
    let mut marked = Vec::with_capacity(roll.marks.len());
    for (at, mark) in roll.marks.iter().enumerate() {
        let student_field = || format!("marks.{at}.studentId");
        // One answer for who is elsewhere, out of scope, or was never issued; and before the
        // question whether an id came twice, which would tell them apart.
        let student = mark.student.map(|key| key.id).filter(|id| members.contains(id));
        let student = student.ok_or_else(|| {
            Error::invalid(
                student_field(),
                "no pupil of this class on that day has this id; read the roster again",
                "该日期本班没有此学生；请重新读取花名册",
            )
        })?;
        if !seen.insert(student) {
            return Err(Error::invalid(
                student_field(),
                "this pupil is marked twice; give one mark for each pupil",
                "该学生重复；每名学生只能有一条考勤",
            ));
        }
        let note = match &mark.note {
            Some(text) => Some(note(text, &format!("marks.{at}.note"))?),
            None => None,
        };
        marked.push(Marked { student, kind: mark.kind, note });
    }
    Ok(marked)
}

fn note(text: &str, field: &str) -> Result<Narrative> {
    refuse_masked(field, text)?;
    let note = Narrative::parse(text)
        .map_err(|error| Error::invalid(field.to_owned(), error.why_en, error.why_zh))?;
    if note.expose().chars().count() > NOTE {
        return Err(Error::invalid(
            field.to_owned(),
            format!("shorten the note to {NOTE} characters"),
            format!("请将备注缩短至 {NOTE} 个字符以内"),
        ));
    }
    Ok(note)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn id(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    fn mark(student: u128, note: Option<&str>) -> Mark {
        Mark {
            student: (student > 0).then(|| Key { student: None, id: id(student) }),
            kind: AttendanceKind::Late,
            note: note.map(str::to_owned),
        }
    }

    /// Decides for a class of 2026-2027 with the pupils 1, 2 and 3, on Friday 9 October 2026.
    fn decided(on: &str, marks: Vec<Mark>) -> Result<Vec<Marked>> {
        let class = ClassYear {
            class_group: id(9),
            starts_on: day("2026-10-04"),
            ends_on: day("2027-08-31"),
        };
        let roll =
            Roll { class_group: Some(Key { student: None, id: id(9) }), day: day(on), marks };
        decide(&roll, day("2026-10-09"), &class, &HashSet::from([id(1), id(2), id(3)]))
    }

    #[rstest]
    #[case::today("2026-10-09", None)]
    #[case::first_day_of_the_year("2026-10-04", None)]
    #[case::before_the_year("2026-10-03", Some("attendance.school_year"))]
    #[case::oldest_day_of_the_window("2026-10-02", Some("attendance.school_year"))]
    #[case::too_old("2026-10-01", Some("attendance.window"))]
    #[case::tomorrow("2026-10-10", Some("attendance.window"))]
    #[case::far("+262142-12-31", Some("attendance.window"))]
    fn days(#[case] on: &str, #[case] refused_by: Option<&str>) {
        match (decided(on, vec![mark(1, None)]), refused_by) {
            (Ok(marked), None) => assert_eq!(marked.len(), 1),
            (Err(Error::Refused { rule, .. }), Some(expected)) => assert_eq!(rule, expected),
            (other, _) => panic!("{on}: {other:?}"),
        }
    }

    #[rstest]
    #[case::nobody(vec![], "marks")]
    #[case::too_many((0..101).map(|_| mark(1, None)).collect(), "marks")]
    #[case::another_class(vec![mark(1, None), mark(7, None)], "marks.1.studentId")]
    #[case::never_issued(vec![mark(1, None), mark(0, None)], "marks.1.studentId")]
    #[case::twice(vec![mark(1, None), mark(2, None), mark(1, None)], "marks.2.studentId")]
    #[case::another_class_twice(vec![mark(7, None), mark(7, None)], "marks.0.studentId")]
    #[case::never_issued_twice(vec![mark(0, None), mark(0, None)], "marks.0.studentId")]
    #[case::mask(vec![mark(1, Some("***"))], "marks.0.note")]
    #[case::short_mask(vec![mark(1, Some("*"))], "marks.0.note")]
    #[case::mask_inside(vec![mark(1, Some("see ***1234"))], "marks.0.note")]
    #[case::empty(vec![mark(1, Some(" "))], "marks.0.note")]
    #[case::control(vec![mark(1, Some("a\u{0}"))], "marks.0.note")]
    #[case::long(vec![mark(1, Some(&"长".repeat(201)))], "marks.0.note")]
    fn refused(#[case] marks: Vec<Mark>, #[case] field: &str) {
        match decided("2026-10-09", marks) {
            Err(Error::Invalid { field: named, .. }) => assert_eq!(named, field),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn marks_are_taken_with_their_notes_in_normal_form() {
        let note = "长".repeat(200);
        let marks = vec![mark(3, Some(&format!(" {note} "))), mark(1, None), mark(2, Some("2*3"))];
        let marked = decided("2026-10-09", marks).unwrap();
        let taken: Vec<_> = marked
            .iter()
            .map(|mark| (mark.student, mark.note.as_ref().map(Guarded::expose)))
            .collect();
        assert_eq!(taken, [(id(3), Some(note.as_str())), (id(1), None), (id(2), Some("2*3"))]);
    }

    #[test]
    fn what_is_hashed_tells_rolls_apart_and_what_is_printed_does_not() {
        let roll =
            |note| Roll { class_group: None, day: day("2026-10-09"), marks: vec![mark(1, note)] };
        let text = |roll: &Roll| serde_json::to_string(roll).unwrap();
        assert_ne!(text(&roll(None)), text(&roll(Some("fever"))));
        assert!(
            !format!("{:?}{:?}", roll(Some("fever")), mark(1, Some("fever"))).contains("fever")
        );
    }
}
