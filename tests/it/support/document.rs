//! Documents that ask for everything: every field and relation of a noun, made from the same list that makes the schema.

use xueji::access::catalogue::Class;
use xueji::access::view::{Kind, Noun};
use xueji::graphql::REGISTRY;

/// The root lists: the field and its noun.
pub(crate) const LISTS: &[(&str, &str)] = &[
    ("students", "student"),
    ("classGroups", "class_group"),
    ("staffMembers", "staff"),
    ("organisations", "organisation"),
    ("yearLevels", "year_level"),
    ("exams", "exam"),
    ("courses", "course"),
    ("schoolYears", "school_year"),
    ("terms", "term"),
    ("aidProgrammes", "aid_programme"),
    ("accounts", "account"),
    ("accessGrants", "access_grant"),
    ("accessReviews", "access_review"),
];

/// The noun of a name.
pub(crate) fn noun(name: &str) -> &'static Noun {
    REGISTRY.get(name).unwrap_or_else(|| panic!("{name} is a noun"))
}

/// Whether a field stands in the schema of its object: outlets that only aggregates answer do not.
pub(crate) fn in_schema(noun: &Noun, field: usize) -> bool {
    let shape = &noun.shape.fields[field];
    match shape.kind {
        Kind::Key => false,
        Kind::Computed => !matches!(shape.class, Class::Outlet) || shape.name == "course_mean",
        _ => true,
    }
}

/// Every field of a noun. `$exam` is the examination of totals.
pub(crate) fn fields(noun: &Noun) -> String {
    let mut out = "id __typename".to_owned();
    for (at, shape) in noun.shape.fields.iter().enumerate() {
        if !in_schema(noun, at) {
            continue;
        }
        out.push(' ');
        out.push_str(&noun.camel[at]);
        out.push_str(match (shape.kind, shape.name) {
            (Kind::Code, _) => " { list value }",
            (Kind::Computed, "attendance_summary") => " { days present excused rate }",
            (Kind::Computed, "exam_total") => "(examId: $exam) { value courses }",
            _ => "",
        });
    }
    out
}

/// One relation of a noun, with every field and, below, every relation of its target to this depth.
pub(crate) fn relation(noun: &Noun, relation: usize, depth: usize) -> String {
    let target = REGISTRY.at(noun.targets[relation]);
    let name = &noun.relation_camel[relation];
    let below = everything(target, depth);
    if noun.shape.relations[relation].many {
        format!(" {name}(first: 30) {{ totalCount nodes {{ {below} }} }}")
    } else {
        format!(" {name} {{ {below} }}")
    }
}

/// Every field of a noun, and its relations to this depth.
pub(crate) fn everything(noun: &Noun, depth: usize) -> String {
    let mut out = fields(noun);
    if depth > 0 {
        for at in 0..noun.shape.relations.len() {
            out.push_str(&relation(noun, at, depth - 1));
        }
    }
    out
}

/// A query of one root list with this selection of its nodes.
pub(crate) fn list(root: &str, selection: &str) -> String {
    operation(&format!("{root}(first: 100) {{ totalCount nodes {{ {selection} }} }}"))
}

/// A query with this selection, which declares the examination where it is used.
pub(crate) fn operation(selection: &str) -> String {
    let variables = if selection.contains("$exam") { "($exam: ID!) " } else { "" };
    format!("query {variables}{{ {selection} }}")
}

/// The relations of a noun.
pub(crate) fn relations(name: &str) -> impl Iterator<Item = usize> {
    0..noun(name).shape.relations.len()
}

/// The names of all nouns.
pub(crate) fn nouns() -> impl Iterator<Item = &'static str> {
    REGISTRY.nouns().iter().map(|noun| noun.shape.name)
}
