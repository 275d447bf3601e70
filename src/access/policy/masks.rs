//! Refuses masks that the rest of a row undoes (promise 7).
//!
//! [`MASKS`] says of each mask what it hides, part by part, and how many values a part may take; [`TELLS`]
//! which columns tell a part, and how many values are left. A masked value is as safe as the number of
//! values that are left when everything else in sight is known. Several grants can meet on one row and
//! `roles.csv` keeps no two apart, so the question is put over every pair that does not see the value in
//! full: a telling column in full at any of them counts against a mask at any of them.

use crate::access::catalogue::{Catalogue, FieldId};
use crate::access::policy::Problem;
use crate::access::policy::roles::Roles;
use crate::access::table::{Pair, RuleId, Sight, Table};

/// A mask that leaves fewer values than this hides nothing worth the name.
const FEWEST: u64 = 1_000;

/// A mask: what it hides.
struct Mask {
    /// The name in the catalogue.
    name: &'static str,
    /// What stays hidden, with the number of values it may take.
    hides: &'static [(&'static str, u64)],
}

/// Too many to try.
const MANY: u64 = u64::MAX;

/// Every mask of the value types. What a mask keeps is shown by the tests below on the type itself.
const MASKS: &[Mask] = &[
    // The province stays. The sequence has three digits, and its last one is odd for boys and even for
    // girls; the check digit follows from the rest.
    Mask {
        name: "id_number",
        hides: &[("the county", 120), ("the birth date", 36_500), ("the sequence", 1_000)],
    },
    // The letter stays; a formal number holds the identity number.
    Mask {
        name: "national_student_number",
        hides: &[("the county", 3_000), ("the birth date", 36_500), ("the sequence", 1_000)],
    },
    // The first character stays, and of longer names the last.
    Mask { name: "name", hides: &[("the rest", MANY)] },
    // Three digits in front and four behind stay of a mobile number.
    Mask { name: "phone", hides: &[("the digits in the middle", 10_000)] },
    Mask { name: "email", hides: &[("the address", MANY)] },
    // The county stays.
    Mask { name: "address", hides: &[("street and door", MANY)] },
    Mask { name: "postal_code", hides: &[("the code", 10_000)] },
    // Four digits stay, as on a receipt.
    Mask { name: "bank_account", hides: &[("all but four digits", MANY)] },
    Mask { name: "narrative", hides: &[("the text", MANY)] },
];

/// A column that tells something of a masked one.
struct Tell {
    masked: &'static str,
    /// A part of the mask; none when it tells all of it.
    part: Option<&'static str>,
    by: &'static str,
    /// How many values are left once it is known.
    left: u64,
    how: &'static str,
}

const fn all(masked: &'static str, by: &'static str, how: &'static str) -> Tell {
    Tell { masked, part: None, by, left: 1, how }
}

const fn part(
    masked: &'static str,
    part: &'static str,
    by: &'static str,
    left: u64,
    how: &'static str,
) -> Tell {
    Tell { masked, part: Some(part), by, left, how }
}

const PINYIN: &str = "the pinyin spells the name";
const MAIL: &str = "an address for mail often is the name";
const CODE: &str = "the postal code is finer than the county that the mask keeps";
const CIRCLE: &str = "the distance draws a circle around the school";
const SAME_HOME: &str = "for most pupils it is the same place";
const SAME_NUMBER: &str = "the document carries the same number";
const FORMAL: &str = "a formal student-status number contains the identity number";
const HISTORY: &str = "the number history carries the same number";
const BORN: &str = "the number holds the birth date";
const SEX: &str = "the sequence is odd for boys and even for girls";
const HOUSEHOLD: &str = "the number begins with the household's county";

/// Which columns tell a masked one.
const TELLS: &[Tell] = &[
    all("student.name", "student.name_pinyin", PINYIN),
    all("student.name", "student.email", MAIL),
    all("student.current_address", "student.postal_code", CODE),
    all("student.current_address", "student.distance_m", CIRCLE),
    all("student.current_address", "student.home_address", SAME_HOME),
    all("student.current_address", "student.mailing_address", SAME_HOME),
    all("student.mailing_address", "student.postal_code", CODE),
    all("student.mailing_address", "student.home_address", SAME_HOME),
    all("student.mailing_address", "student.current_address", SAME_HOME),
    all("student.home_address", "student.postal_code", CODE),
    all("student.home_address", "student.distance_m", CIRCLE),
    all("student.home_address", "student.current_address", SAME_HOME),
    all("student.home_address", "student.mailing_address", SAME_HOME),
    all("student.id_number", "identity_document.number", SAME_NUMBER),
    all("student.id_number", "student.national_student_number", FORMAL),
    all("student.id_number", "student_number.number", FORMAL),
    all("identity_document.number", "student.id_number", SAME_NUMBER),
    all("identity_document.number", "student.national_student_number", FORMAL),
    all("identity_document.number", "student_number.number", FORMAL),
    all("student.national_student_number", "student.id_number", FORMAL),
    all("student.national_student_number", "identity_document.number", FORMAL),
    all("student.national_student_number", "student_number.number", HISTORY),
    all("student_number.number", "student.id_number", FORMAL),
    all("student_number.number", "identity_document.number", FORMAL),
    all("student_number.number", "student.national_student_number", HISTORY),
    part("student.id_number", "the birth date", "student.birth_date", 1, BORN),
    part("student.id_number", "the sequence", "student.gender", 500, SEX),
    part("student.id_number", "the county", "student.household_place", 1, HOUSEHOLD),
    part("student.id_number", "the county", "student.birthplace", 1, HOUSEHOLD),
    part("identity_document.number", "the birth date", "student.birth_date", 1, BORN),
    part("identity_document.number", "the sequence", "student.gender", 500, SEX),
    part("identity_document.number", "the county", "student.household_place", 1, HOUSEHOLD),
    part("identity_document.number", "the county", "student.birthplace", 1, HOUSEHOLD),
    part("student.national_student_number", "the birth date", "student.birth_date", 1, BORN),
    part("student.national_student_number", "the sequence", "student.gender", 500, SEX),
    part("student.national_student_number", "the county", "student.household_place", 1, HOUSEHOLD),
    part("student.national_student_number", "the county", "student.birthplace", 1, HOUSEHOLD),
    part("student_number.number", "the birth date", "student.birth_date", 1, BORN),
    part("student_number.number", "the sequence", "student.gender", 500, SEX),
    part("student_number.number", "the county", "student.household_place", 1, HOUSEHOLD),
    part("student_number.number", "the county", "student.birthplace", 1, HOUSEHOLD),
    part("guardian.id_number", "the county", "guardian.household_place", 1, HOUSEHOLD),
];

/// Columns that a hidden column is told by: the hidden one, what tells it, and how.
const GIVEN_AWAY: &[(&str, &str, &str)] = &[(
    "student.disability",
    "student.in_regular_class",
    "learning in a regular class (随班就读) is for pupils with a disability",
)];

/// Columns that are shown in full or not at all, with the reason.
const UNMASKABLE: &[(&str, &str)] = &[(
    "student.postal_code",
    "part of a postal code is a district, and all of it hidden is `hidden`",
)];

/// The problems of a compiled table.
pub(super) fn undone(table: &Table, catalogue: &Catalogue, roles: &Roles) -> Vec<Problem> {
    let index = catalogue.index();
    let mut problems = Vec::new();
    for (field, coordinate) in (0..).zip(&catalogue.coordinates) {
        let name = coordinate.name();
        let masked: Vec<Pair> = table
            .pairs()
            .iter()
            .copied()
            .filter(|&pair| table.cell(pair, field).uses.sight() == Sight::Masked)
            .collect();
        let Some(&first) = masked.first() else { continue };
        if let Some((_, why)) = UNMASKABLE.iter().find(|(unmaskable, _)| *unmaskable == name) {
            problems.extend(masked.iter().map(|&pair| {
                at(table, table.cell(pair, field).rule, format!("{name} cannot be masked: {why}"))
            }));
        }
        let Some(mask) = coordinate.mask.and_then(|mask| MASKS.iter().find(|m| m.name == mask))
        else {
            continue;
        };
        let look = Look { table, roles, field, index: &|name| index.get(name).copied() };
        if let Some(told) = look.told(&name, mask) {
            let why = format!("the mask of {name} for {} is undone: {told}", roles.words(first));
            problems.push(at(table, table.cell(first, field).rule, why));
        }
    }
    problems.extend(given_away(table, catalogue, roles));
    problems
}

/// Hidden columns that another column of the same role tells.
fn given_away(table: &Table, catalogue: &Catalogue, roles: &Roles) -> Vec<Problem> {
    let index = catalogue.index();
    let mut problems = Vec::new();
    for (hidden, by, how) in GIVEN_AWAY {
        let (Some(&field), Some(&telling)) = (index.get(*hidden), index.get(*by)) else { continue };
        for &pair in table.pairs() {
            let told = table.cell(pair, telling);
            if told.uses.sight() == Sight::Full
                && table.cell(pair, field).uses.sight() == Sight::Hidden
            {
                let role = roles.words(pair);
                let why = format!("{hidden} is hidden from {role} and told by {by}: {how}");
                problems.push(at(table, told.rule, why));
            }
        }
    }
    problems
}

/// One masked column and what is in sight beside it.
struct Look<'a> {
    table: &'a Table,
    roles: &'a Roles,
    field: FieldId,
    index: &'a dyn Fn(&str) -> Option<FieldId>,
}

impl Look<'_> {
    /// How the mask is undone, if it is.
    fn told(&self, name: &str, mask: &Mask) -> Option<String> {
        let tells: Vec<(&Tell, Pair)> = TELLS
            .iter()
            .filter(|tell| tell.masked == name)
            .filter_map(|tell| Some((tell, self.seen(tell.by)?)))
            .collect();
        let in_words = |(tell, pair): &(&Tell, Pair)| {
            format!("{}, which {} sees in full: {}", tell.by, self.roles.words(*pair), tell.how)
        };
        if let Some(whole) = tells.iter().find(|(tell, _)| tell.part.is_none()) {
            return Some(format!(
                "it is told by {}; show both in full, or mask both",
                in_words(whole)
            ));
        }
        let mut left = 1_u64;
        let mut words = Vec::new();
        for (part, values) in mask.hides {
            let best = tells
                .iter()
                .filter(|(tell, _)| tell.part == Some(*part))
                .min_by_key(|(tell, _)| tell.left);
            left = left.saturating_mul(best.map_or(*values, |(tell, _)| tell.left.min(*values)));
            words.extend(best.map(|best| format!("{part} by {}", in_words(best))));
        }
        (left < FEWEST && !words.is_empty()).then(|| {
            format!(
                "{left} values are left, since one learns {}; hide one of them",
                words.join("; ")
            )
        })
    }

    /// A pair that sees a column in full and not the masked one.
    fn seen(&self, by: &str) -> Option<Pair> {
        let by = (self.index)(by)?;
        let sight = |pair: Pair, field| self.table.cell(pair, field).uses.sight();
        self.table
            .pairs()
            .iter()
            .copied()
            .find(|&pair| sight(pair, by) == Sight::Full && sight(pair, self.field) != Sight::Full)
    }
}

fn at(table: &Table, rule: Option<RuleId>, why: String) -> Problem {
    match rule.and_then(|rule| table.rule(rule)) {
        Some(rule) => Problem::line(&rule.file, rule.line, why),
        None => Problem::file("", why),
    }
    .of("mask")
}

#[cfg(test)]
mod tests {
    use super::{GIVEN_AWAY, MASKS, TELLS};
    use crate::access::action::ACTIONS;
    use crate::access::policy::{Policy, Source};
    use crate::graphql::REGISTRY;
    use xueji_entity::value::{Guarded, IdNumber, NationalStudentNumber, Phone};

    #[tokio::test]
    async fn a_hidden_column_that_another_one_tells_is_refused() {
        let catalogue = REGISTRY.catalogue(ACTIONS);
        let mut source = Source::shipped();
        let file = source.files.get_mut("student.csv").unwrap();
        let line = file.lines().count() + 1;
        file.push_str("p, student.in_regular_class, county_officer, region, full,\n");
        let problems = Policy::compile(source, &catalogue).await.unwrap_err();
        // Who inherits from the county's officer is named as well.
        assert_eq!(problems.0.len(), 3, "{problems}");
        for problem in &problems.0 {
            assert_eq!(problem.file, "student.csv");
            assert_eq!(problem.line, u32::try_from(line).ok());
            assert!(problem.why.contains("student.disability is hidden from"), "{}", problem.why);
        }
    }

    #[test]
    fn every_mask_and_every_telling_column_is_declared() {
        let catalogue = REGISTRY.catalogue(ACTIONS);
        let index = catalogue.index();
        for coordinate in &catalogue.coordinates {
            if let Some(mask) = coordinate.mask {
                assert!(MASKS.iter().any(|known| known.name == mask), "the mask {mask}");
            }
        }
        for (hidden, by, _) in GIVEN_AWAY {
            assert!(index.contains_key(*hidden) && index.contains_key(*by), "{hidden} {by}");
        }
        for tell in TELLS {
            assert!(index.contains_key(tell.by), "{}", tell.by);
            let masked = &catalogue.coordinates[usize::from(index[tell.masked])];
            let mask = MASKS.iter().find(|mask| Some(mask.name) == masked.mask).unwrap();
            if let Some(part) = tell.part {
                assert!(mask.hides.iter().any(|(hidden, _)| *hidden == part), "{part}");
            }
        }
    }

    /// The parts that are declared hidden are hidden by the value types.
    #[test]
    fn masks_hide_what_is_declared() {
        assert_eq!(IdNumber::mask_text("11010519491231002X"), "11****************");
        assert_eq!(NationalStudentNumber::mask_text("G34052419800101001X"), "G******************");
        assert_eq!(Phone::mask_text("13800138000"), "138****8000");
    }
}
