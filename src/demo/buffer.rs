//! Rows on their way out: gathered by table, handed on in an order that foreign keys allow.

use anyhow::{Context, Result, ensure};
use sea_orm::Value;

use crate::store::bulk::Batch;

/// Where generated rows go.
pub trait Sink {
    /// Takes a batch; rows it points at were in earlier batches.
    fn write(&mut self, batch: Batch) -> Result<()>;
}

/// Builds a row from values of different types.
macro_rules! row {
    ($($value:expr),* $(,)?) => { vec![$(sea_orm::Value::from($value)),*] };
}
pub(super) use row;

/// Each table that the demo fills with its columns: parents before children.
pub const TABLES: &[(&str, &[&str])] = &[
    (
        "organisation",
        &[
            "id",
            "level",
            "parent_id",
            "name",
            "division_code",
            "school_code",
            "school_kind",
            "province_id",
            "city_id",
            "county_id",
        ],
    ),
    ("school_authority", &["id", "school_id", "authority_id", "since", "until"]),
    ("school_year", &["id", "name", "starts_on", "ends_on"]),
    ("term", &["id", "school_year_id", "kind", "name", "starts_on", "ends_on"]),
    ("year_level", &["id", "school_id", "stage", "entry_year", "year_in_stage", "name"]),
    (
        "class_group",
        &["id", "school_id", "year_level_id", "school_year_id", "number", "name", "kind"],
    ),
    ("course", &["id", "subject", "name", "stage"]),
    (
        "exam",
        &["id", "school_id", "year_level_id", "term_id", "name", "kind", "starts_on", "state"],
    ),
    ("exam_course", &["id", "exam_id", "course_id", "full_mark", "pass_mark", "excellence_mark"]),
    (
        "staff",
        &[
            "id",
            "organisation_id",
            "name",
            "staff_number",
            "gender",
            "phone",
            "phone_hash",
            "lifecycle",
            "row_version",
            "updated_at",
        ],
    ),
    (
        "duty",
        &[
            "id",
            "staff_id",
            "kind",
            "organisation_id",
            "class_group_id",
            "course_id",
            "year_level_id",
            "post",
            "since",
            "until",
        ],
    ),
    (
        "aid_programme",
        &[
            "id",
            "organisation_id",
            "name",
            "kind",
            "stage",
            "amount",
            "source",
            "valid_from",
            "valid_until",
        ],
    ),
    (
        "student",
        &[
            "id",
            "name",
            "name_pinyin",
            "former_name",
            "gender",
            "birth_date",
            "birthplace",
            "native_place",
            "ethnic_group",
            "nationality",
            "overseas_status",
            "political_status",
            "health_status",
            "id_type",
            "id_number",
            "id_number_hash",
            "id_valid_until",
            "national_student_number",
            "national_student_number_hash",
            "auxiliary_number",
            "household_place",
            "household_kind",
            "talents",
            "current_address",
            "mailing_address",
            "home_address",
            "phone",
            "phone_hash",
            "postal_code",
            "email",
            "email_hash",
            "only_child",
            "attended_preschool",
            "left_behind",
            "migrant_child",
            "orphan",
            "martyr_family",
            "disability",
            "in_regular_class",
            "bought_place",
            "needs_aid",
            "living_subsidy",
            "distance_m",
            "transport",
            "needs_school_bus",
            "created_at",
            "lifecycle",
            "row_version",
            "updated_at",
        ],
    ),
    (
        "account",
        &[
            "id",
            "login",
            "kind",
            "display_name",
            "staff_id",
            "student_id",
            "disabled",
            "created_at",
        ],
    ),
    (
        "access_grant",
        &[
            "id",
            "account_id",
            "role",
            "reach",
            "student_id",
            "class_group_id",
            "course_id",
            "year_level_id",
            "organisation_id",
            "since",
            "until",
            "ended_at",
        ],
    ),
    (
        "identity_document",
        &[
            "student_id",
            "id",
            "kind",
            "number",
            "number_hash",
            "since",
            "until",
            "school_certificate",
            "lifecycle",
            "row_version",
            "updated_at",
        ],
    ),
    (
        "student_number",
        &[
            "student_id",
            "id",
            "kind",
            "number",
            "number_hash",
            "since",
            "until",
            "lifecycle",
            "row_version",
            "updated_at",
        ],
    ),
    (
        "guardian",
        &[
            "student_id",
            "id",
            "position",
            "name",
            "relation",
            "relation_note",
            "ethnic_group",
            "workplace",
            "job_title",
            "phone",
            "phone_hash",
            "current_address",
            "household_place",
            "id_type",
            "id_number",
            "id_number_hash",
            "account_id",
            "lifecycle",
            "row_version",
            "updated_at",
        ],
    ),
    (
        "guardianship",
        &[
            "student_id",
            "id",
            "guardian_id",
            "custody",
            "since",
            "until",
            "lifecycle",
            "row_version",
            "updated_at",
        ],
    ),
    (
        "enrollment",
        &[
            "student_id",
            "id",
            "school_id",
            "year_level_id",
            "stage",
            "state",
            "live",
            "entered_on",
            "ended_on",
            "entry_method",
            "boarding",
            "lifecycle",
            "row_version",
            "updated_at",
        ],
    ),
    (
        "class_membership",
        &[
            "student_id",
            "id",
            "enrollment_id",
            "class_group_id",
            "kind",
            "number_in_class",
            "since",
            "until",
            "lifecycle",
            "row_version",
            "updated_at",
        ],
    ),
    (
        "archive",
        &[
            "student_id",
            "id",
            "custodian_id",
            "number",
            "opened_on",
            "closed_on",
            "state",
            "lifecycle",
            "row_version",
            "updated_at",
        ],
    ),
    (
        "archive_item",
        &[
            "student_id",
            "id",
            "archive_id",
            "category",
            "title",
            "dated_on",
            "source",
            "content_hash",
            "supersedes_id",
            "lifecycle",
            "row_version",
            "updated_at",
        ],
    ),
    (
        "score",
        &[
            "student_id",
            "id",
            "exam_id",
            "course_id",
            "class_group_id",
            "value",
            "level",
            "nature",
            "absence",
            "published",
            "entered_by_id",
            "entered_at",
            "lifecycle",
            "row_version",
            "updated_at",
        ],
    ),
    (
        "attendance",
        &[
            "student_id",
            "id",
            "class_group_id",
            "day",
            "kind",
            "note",
            "recorded_by_id",
            "lifecycle",
            "row_version",
            "updated_at",
        ],
    ),
    (
        "reward",
        &[
            "student_id",
            "id",
            "name",
            "level",
            "rank",
            "kind",
            "reason",
            "awarded_on",
            "document_number",
            "awarding_body",
            "amount",
            "lifecycle",
            "row_version",
            "updated_at",
        ],
    ),
    (
        "sanction",
        &[
            "student_id",
            "id",
            "kind",
            "offence",
            "account",
            "imposed_on",
            "document_number",
            "state",
            "lifted_on",
            "lifting_document",
            "lifecycle",
            "row_version",
            "updated_at",
        ],
    ),
    (
        "aid_grant",
        &[
            "student_id",
            "id",
            "programme_id",
            "term_id",
            "degree",
            "cause",
            "amount",
            "state",
            "granted_on",
            "bank_account",
            "bank_account_hash",
            "lifecycle",
            "row_version",
            "updated_at",
        ],
    ),
    ("lookup_key", &["kind", "hash", "student_id", "row_id"]),
    (
        "history",
        &[
            "student_id",
            "id",
            "noun",
            "row_id",
            "action",
            "before",
            "after",
            "account_id",
            "request_id",
            "at",
            "lifecycle",
            "row_version",
            "updated_at",
        ],
    ),
];

/// Rows gathered before they are handed on.
const FULL: usize = 40_000;

/// Gathers rows until there are enough for a round of batches.
pub(super) struct Buffer<'a> {
    sink: &'a mut dyn Sink,
    rows: Vec<Vec<Vec<Value>>>,
    held: usize,
}

impl<'a> Buffer<'a> {
    pub(super) fn new(sink: &'a mut dyn Sink) -> Self {
        Self { sink, rows: TABLES.iter().map(|_| Vec::new()).collect(), held: 0 }
    }

    /// Adds a row of a table.
    pub(super) fn add(&mut self, table: &'static str, row: Vec<Value>) -> Result<()> {
        let place = TABLES
            .iter()
            .position(|(name, _)| *name == table)
            .with_context(|| format!("the demo knows no table {table}"))?;
        ensure!(row.len() == TABLES[place].1.len(), "a row of {table} has {} values", row.len());
        self.rows[place].push(row);
        self.held += 1;
        Ok(())
    }

    /// Hands the rows on when there are many.
    pub(super) fn relieve(&mut self) -> Result<()> {
        if self.held >= FULL { self.flush() } else { Ok(()) }
    }

    /// Hands all rows on.
    pub(super) fn flush(&mut self) -> Result<()> {
        for (place, (table, columns)) in TABLES.iter().enumerate() {
            let rows = std::mem::take(&mut self.rows[place]);
            if !rows.is_empty() {
                self.sink.write(Batch { table, columns, rows })?;
            }
        }
        self.held = 0;
        Ok(())
    }
}
