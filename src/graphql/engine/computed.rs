//! Fields that are computed for a whole list of rows with one statement.
//!
//! The sight of a computed field is the policy's (its sources' strictest, or a line of its own).
//! What it may count is decided in the store, inside the scope of what it counts.

use async_graphql::registry::{MetaField, Registry as Meta};
use async_graphql::{InputType, Name, OutputType, Value as ConstValue};
use chrono::NaiveDate;
use indexmap::IndexMap;
use xueji_entity::value::Thousandths;

use super::types::{field, input, object};
use crate::access::filter::Key;
#[cfg(feature = "leaks")]
use crate::access::shown::Shown;
use crate::access::table::Sight;
use crate::access::version;
use crate::access::view::{Noun, camel};
use crate::clock::parse_day;
use crate::domain::{Cx, attendance, score};
use crate::error::{Error, Result};
use crate::graphql::REGISTRY;
use crate::graphql::exam::Exam;
use crate::graphql::scalar::{Date, Decimal};
#[cfg(feature = "leaks")]
use crate::leak::{self, Leak};
use crate::store::read::Rows;

/// A computed field with its arguments and the parts that are wanted.
#[derive(Debug)]
pub(crate) struct Computed {
    what: What,
    parts: Vec<(Name, String)>,
}

#[derive(Debug)]
enum What {
    AttendanceSummary { from: Option<NaiveDate>, until: Option<NaiveDate> },
    ExamTotal { exam: Option<Key> },
    CourseMean,
    ContactVersion,
}

fn refused(field: &str) -> Error {
    Error::invalid(
        field.to_owned(),
        "this value is not of the argument's type",
        "该值与参数类型不符",
    )
}

impl Computed {
    pub(crate) fn new(
        cx: &Cx,
        noun: &Noun,
        field: usize,
        arg: &dyn Fn(&str) -> Option<ConstValue>,
        parts: Vec<(Name, String)>,
    ) -> Result<Self> {
        let date = |name: &str| -> Result<Option<NaiveDate>> {
            match arg(name) {
                None => Ok(None),
                Some(ConstValue::String(text)) => {
                    parse_day(&text).map(Some).ok_or_else(|| refused(name))
                }
                Some(_) => Err(refused(name)),
            }
        };
        let what = match (noun.shape.name, noun.shape.fields[field].name) {
            ("student", "attendance_summary") => {
                What::AttendanceSummary { from: date("from")?, until: date("until")? }
            }
            ("student", "exam_total") => {
                let exam = REGISTRY
                    .of::<Exam>()
                    .ok_or_else(|| Error::internal("the exam view is not registered"))?;
                let key = match arg("examId") {
                    Some(ConstValue::String(id)) => cx.opaque.open_id_of(exam, &id),
                    _ => return Err(refused("examId")),
                };
                What::ExamTotal { exam: key }
            }
            ("score", "course_mean") => What::CourseMean,
            ("student" | "guardian", "contact_version") => What::ContactVersion,
            (noun, field) => {
                return Err(Error::internal(format!("{noun}.{field} has no computation")));
            }
        };
        Ok(Self { what, parts })
    }

    /// The stored fields of the row that the computation starts from.
    pub(crate) fn needs(&self, noun: &Noun) -> Vec<usize> {
        let names: &[&str] = match self.what {
            What::CourseMean => &["exam_id", "course_id", "class_group_id"],
            What::ContactVersion => return version::contact(noun).collect(),
            What::AttendanceSummary { .. } | What::ExamTotal { .. } => &[],
        };
        names.iter().filter_map(|name| noun.field(name)).collect()
    }

    /// The value for each row; none where the row does not show it.
    pub(crate) async fn read(
        &self,
        cx: &Cx,
        noun: &'static Noun,
        field: usize,
        rows: &Rows,
    ) -> Result<Vec<Option<ConstValue>>> {
        let shown: Vec<bool> = (0..rows.len())
            .map(|row| rows.plan(rows.cover(row)).sight(field) == Sight::Full)
            .collect();
        if !shown.contains(&true) {
            return Ok(vec![None; rows.len()]);
        }
        let values = match &self.what {
            What::AttendanceSummary { from, until } => {
                attendance::summaries(cx, rows, &shown, *from, *until)
                    .await?
                    .into_iter()
                    .map(|summary| {
                        summary.map(|summary| {
                            let rate = summary.rate().map(decimal);
                            let count = |number: i64| ConstValue::Number(number.into());
                            self.object("AttendanceSummary", |part| match part {
                                "days" => count(summary.days()),
                                "present" => count(summary.present),
                                "late" => count(summary.late),
                                "earlyLeave" => count(summary.early_leave),
                                "excused" => count(summary.excused()),
                                "truant" => count(summary.truant),
                                "rate" => rate.clone().unwrap_or_default(),
                                _ => ConstValue::Null,
                            })
                        })
                    })
                    .collect()
            }
            What::ExamTotal { exam } => score::totals(cx, rows, &shown, *exam)
                .await?
                .into_iter()
                .map(|total| {
                    total.map(|total| {
                        self.object("ExamTotal", |part| match part {
                            "value" => decimal(total.value),
                            "courses" => ConstValue::Number(total.courses.into()),
                            "absent" => ConstValue::Number(total.absent.into()),
                            "incomplete" => ConstValue::Boolean(total.incomplete > 0),
                            _ => ConstValue::Null,
                        })
                    })
                })
                .collect(),
            What::CourseMean => score::course_means(cx, rows, &shown)
                .await?
                .into_iter()
                .map(|mean| mean.map(decimal))
                .collect(),
            What::ContactVersion => (0..rows.len())
                .map(|row| shown[row].then(|| contact_version(cx, noun, rows, row)))
                .collect(),
        };
        Ok(values)
    }

    fn object(&self, type_name: &str, value: impl Fn(&str) -> ConstValue) -> ConstValue {
        let mut fields = IndexMap::with_capacity(self.parts.len());
        for (key, part) in &self.parts {
            let value = if part == "__typename" {
                ConstValue::String(type_name.to_owned())
            } else {
                value(part)
            };
            fields.insert(key.clone(), value);
        }
        ConstValue::Object(fields)
    }
}

fn contact_version(cx: &Cx, noun: &Noun, rows: &Rows, row: usize) -> ConstValue {
    let plan = rows.plan(rows.cover(row));
    #[cfg(feature = "leaks")]
    if leak::on(Leak::VersionOfHidden) {
        let bare = |field| rows.bare(row, field, rows.slot(field)).unwrap_or(Shown::Hidden);
        let account = cx.caller.account();
        return ConstValue::String(version::of_contact(
            &cx.opaque,
            account,
            noun,
            rows.key(row),
            bare,
        ));
    }
    let shown = |field| rows.show(row, &plan, field, rows.slot(field));
    let account = cx.caller.account();
    ConstValue::String(version::of_contact(&cx.opaque, account, noun, rows.key(row), shown))
}

fn decimal(value: Thousandths) -> ConstValue {
    ConstValue::String(value.to_string())
}

/// Whether a computed field stands beside a row; the others answer aggregates alone.
pub(crate) fn of_a_row(name: &str) -> bool {
    matches!(name, "attendance_summary" | "exam_total" | "course_mean" | "contact_version")
}

/// Describes a computed field to the schema.
pub(crate) fn describe(meta: &mut Meta, noun: &Noun, at: usize) -> MetaField {
    let shape = &noun.shape.fields[at];
    <Decimal as OutputType>::create_type_info(meta);
    let put = |meta: &mut Meta, name: &str, about: &str, fields| {
        meta.types.entry(name.to_owned()).or_insert_with(|| object(name, about, fields));
    };
    match shape.name {
        "attendance_summary" => {
            <Date as InputType>::create_type_info(meta);
            put(
                meta,
                "AttendanceSummary",
                "Days of attendance counted by kind (考勤汇总).",
                vec![
                    field("days", "Int!", "Days on record."),
                    field("present", "Int!", "Present (出勤), duty elsewhere (公假) included."),
                    field("late", "Int!", "Late (迟到); counts as present in the rate."),
                    field(
                        "earlyLeave",
                        "Int!",
                        "Left early (早退); counts as present in the rate.",
                    ),
                    field("excused", "Int!", "Sick or personal leave (病假、事假), together."),
                    field("truant", "Int!", "Absent without leave (旷课)."),
                    field(
                        "rate",
                        "Decimal",
                        "Percentage: (days − excused − truant) ÷ days, one place; null without days.",
                    ),
                ],
            );
            let mut field = field(&camel(shape.name), "AttendanceSummary", shape.doc);
            for (name, about) in [
                ("from", "First day; the earliest on record when not said."),
                ("until", "Last day."),
            ] {
                field.args.insert(name.to_owned(), input(name, "Date", about));
            }
            field
        }
        "exam_total" => {
            put(
                meta,
                "ExamTotal",
                "The sum of an examination's scores (总分).",
                vec![
                    field("value", "Decimal!", "Sum of the scores on file; absent counts 0."),
                    field("courses", "Int!", "Courses that count."),
                    field("absent", "Int!", "Courses missed (缺考), counted as 0."),
                    field(
                        "incomplete",
                        "Boolean!",
                        "A deferred or exempt course is left out of the sum.",
                    ),
                ],
            );
            let mut field = field(&camel(shape.name), "ExamTotal", shape.doc);
            field.args.insert("examId".to_owned(), input("examId", "ID!", "The examination."));
            field
        }
        "contact_version" => field(&camel(shape.name), "String", shape.doc),
        _ => field(&camel(shape.name), "Decimal", shape.doc),
    }
}
