//! Refuses masks that the rest of the row undoes (promise 7), for what can be said by names alone.
//!
//! The masks of identity and student-status numbers are safe by construction: they keep the province
//! or the letter and nothing that another column could complete. Left are columns that have no useful
//! mask at all, and pairs of columns of which one tells the other. Two grants can meet on one row, so
//! the question is put over all pairs: it is enough that one pair sees the telling column in full, not
//! the masked one, and that any pair sees the masked one as a mask.

use crate::access::catalogue::Catalogue;
use crate::access::policy::Problem;
use crate::access::policy::roles::Roles;
use crate::access::table::{Pair, RuleId, Sight, Table};

/// Columns that are shown in full or not at all, with the reason.
const UNMASKABLE: &[(&str, &str)] = &[(
    "student.postal_code",
    "part of a postal code is a district, and all of it hidden is `hidden`",
)];

/// A masked column, a column that tells it, and how.
const TELLING: &[(&str, &str, &str)] = &[
    ("student.name", "student.name_pinyin", "the pinyin spells the name"),
    ("student.name", "student.email", "an address for mail often is the name"),
    (
        "student.current_address",
        "student.postal_code",
        "the postal code is finer than the county that the mask keeps",
    ),
    (
        "student.current_address",
        "student.distance_m",
        "the distance draws a circle around the school",
    ),
    (
        "student.mailing_address",
        "student.postal_code",
        "the postal code is finer than the county that the mask keeps",
    ),
    (
        "student.home_address",
        "student.postal_code",
        "the postal code is finer than the county that the mask keeps",
    ),
    ("student.home_address", "student.distance_m", "the distance draws a circle around the school"),
    ("student.id_number", "identity_document.number", "the document carries the same number"),
    (
        "student.national_student_number",
        "student.id_number",
        "a formal student-status number contains the identity number",
    ),
    (
        "student.national_student_number",
        "student_number.number",
        "the number history carries the same number",
    ),
    (
        "student.id_number",
        "student.national_student_number",
        "a formal student-status number contains the identity number",
    ),
    (
        "student.id_number",
        "student_number.number",
        "a formal student-status number contains the identity number",
    ),
];

/// The problems of a compiled table.
pub(super) fn undone(table: &Table, catalogue: &Catalogue, roles: &Roles) -> Vec<Problem> {
    let index = catalogue.index();
    let sees = |name: &str, pair: Pair| {
        index.get(name).map_or(Sight::Hidden, |&field| table.cell(pair, field).uses.sight())
    };
    let line =
        |name: &str, pair: Pair| index.get(name).and_then(|&field| table.cell(pair, field).rule);
    let mut problems = Vec::new();
    for (name, why) in UNMASKABLE {
        for &pair in table.pairs().iter().filter(|&&pair| sees(name, pair) == Sight::Masked) {
            problems.push(at(table, line(name, pair), format!("{name} cannot be masked: {why}")));
        }
    }
    for (masked, telling, how) in TELLING {
        let mask = table.pairs().iter().copied().find(|&pair| sees(masked, pair) == Sight::Masked);
        let tells =
            |pair: &Pair| sees(telling, *pair) == Sight::Full && sees(masked, *pair) != Sight::Full;
        if let (Some(mask), Some(told)) = (mask, table.pairs().iter().copied().find(tells)) {
            let why = format!(
                "the mask of {masked} for {} is undone by {telling}, which {} sees in full: {how}",
                roles.words(mask),
                roles.words(told)
            );
            problems.push(at(table, line(masked, mask), why));
        }
    }
    problems
}

fn at(table: &Table, rule: Option<RuleId>, why: String) -> Problem {
    match rule.and_then(|rule| table.rule(rule)) {
        Some(rule) => Problem::line(&rule.file, rule.line, why),
        None => Problem::file("", why),
    }
}
