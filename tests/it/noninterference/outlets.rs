//! The outlets: what must speak of values that its reader may not see, each with its reason and with what exactly may
//! differ for it. The list grows with acts over accounts and grants alone.
//!
//! Everything else of the answers is compared: status, headers, statements and the lines of the log, the other fields of
//! the request and what is withheld. On the figures of reporting tools the twins agree, since both have the same
//! snapshot, so nothing is set aside for them.

use serde_json::Value;

/// How long the list is. Lower it with each outlet that goes; it is raised with an act over accounts or grants alone.
#[cfg(not(feature = "leaks"))]
const MOST: usize = 12;

/// What may differ between the twins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Differs {
    /// The value of the field, and nothing beside it.
    Value,
    /// Which of these an act comes to; between different ones the answer and the number of statements, and nothing
    /// between like ones.
    Outcome(&'static [&'static str]),
}

/// Coordinates with what may differ and the reason of each.
const OUTLETS: &[(&str, Differs, &str)] = &[
    (
        "Score.courseMean",
        Differs::Value,
        "the mean of a class stands for every published score of the class, whoever may read them one by one: \
         nothing under ten pupils, nothing where all are alike (promise 12)",
    ),
    (
        "IdentityNumberCheckPayload.registered",
        Differs::Value,
        "says whether an identity number is registered, and nothing of whose it is or where: the exact-match check, \
         for a purpose, limited by the hour and on record (promise 11)",
    ),
    (
        "StudentRevealPayload.value",
        Differs::Value,
        "is one value behind a mask, in full, to whom the policy lets have it for a purpose, limited by the hour and \
         on record: whoever asks may see it, though not by reading",
    ),
    (
        "Mutation.recordOpen",
        Differs::Outcome(&[DONE, "NOT_FOUND"]),
        "opens the record of a pupil out of reach who is named by number and name: that they fit is told, the guesses \
         of an hour are few, and every one is on record (break-glass). What is opened is written and the reviewers \
         are told, which takes statements",
    ),
    (
        "Mutation.grantDelegate",
        Differs::Outcome(&[DONE, "NOT_FOUND", "GRANT_NOT_HELD", "GRANT_TO_HOLDER"]),
        "gives a duty to a colleague who is named by login: that the school has such an account, and that somebody \
         holds the duty, is told to those who hold it or stand above it, limited by the hour and on record. What is \
         given is written, which takes statements",
    ),
    (
        "Query.grantReview",
        Differs::Value,
        "lists who holds which role of an office within reach, by login, to those who look through grants once a term: \
         offices alone, no pupil and no name, to whom the policy gives grant.confirm",
    ),
    (
        "Query.grantRequests",
        Differs::Value,
        "lists the grants that wait within reach, by login, to those who may agree to them: two people decide over what \
         they both know",
    ),
    (
        "Query.auditLines",
        Differs::Value,
        "lists what was done within reach, the reading itself included, by ids and instants of lines that each registry \
         makes for itself, to auditors alone: no value of a row and no name; what it holds back is in `audit_read`",
    ),
    (
        "Mutation.grantGive",
        Differs::Outcome(&[DONE, "NOT_FOUND", "GRANT_HELD", "GRANT_TO_SELF", "GRANTS_TOO_MANY"]),
        "gives a role to an account within the own reach that is named by login or id: that there is one, and that it holds \
         the role already, is told to who may give it, and on record",
    ),
    (
        "Mutation.grantEnd",
        Differs::Outcome(&[DONE, "NOT_FOUND", "GRANT_NOT_YOURS_TO_END", "GRANT_OF_THE_LAST"]),
        "ends a role of an office within the own reach, as grantReview lists it to who may give it",
    ),
    (
        "Mutation.grantConfirm",
        Differs::Outcome(&[DONE, "NOT_FOUND", "GRANT_TO_SELF"]),
        "confirms a role of an office within the own reach, as grantReview lists it to who looks through grants",
    ),
    (
        "Mutation.grantApprove",
        Differs::Outcome(&[
            DONE,
            "NOT_FOUND",
            "GRANT_HELD",
            "GRANT_TO_SELF",
            "GRANT_REQUEST_STALE",
        ]),
        "gives a role within the own reach that another person asked for, as grantRequests lists it to who may agree",
    ),
];

/// An act that was done.
const DONE: &str = "done";

/// How names in an answer begin whose value is not compared.
const TOLD: &str = "told";

/// The act that lets its caller see more from then on.
pub(super) const WIDENS: &str = "recordOpen";

/// The acts that manage accounts, and are not tried at random: what they tell when they are done is a code or a secret
/// made at random, and whom they bar asks nothing any more. What they are refused with is in `accounts`.
const MANAGES: [&str; 6] = [
    "accountCreate",
    "accountDisable",
    "accountEnable",
    "accountReset",
    "clientCreate",
    "clientRotate",
];

/// Whether an act is left out where requests are made at random.
pub(super) fn apart(field: &str) -> bool {
    field == WIDENS || MANAGES.contains(&field)
}

fn of(coordinate: &str) -> Option<Differs> {
    OUTLETS.iter().find(|(known, ..)| *known == coordinate).map(|(_, differs, _)| *differs)
}

/// The name under which a field is asked for whose value is not compared; none for every other field.
pub(super) fn name(parent: &str, field: &str, number: usize) -> Option<String> {
    let outlet = of(&format!("{parent}.{field}")) == Some(Differs::Value);
    outlet.then(|| format!("{TOLD}{number}"))
}

/// Whether a name in an answer is one of those.
pub(super) fn named(alias: &str) -> bool {
    alias.starts_with(TOLD)
}

/// An answer without the values that are not compared, and without the random ids that acts have just made; the places
/// where they stand stay.
pub(super) fn without_values(text: &str) -> String {
    if !text.contains(&format!("\"{TOLD}")) && !text.split('"').any(is_random_id) {
        return text.to_owned();
    }
    let Ok(mut body) = serde_json::from_str::<Value>(text) else { return text.to_owned() };
    forget(&mut body);
    body.to_string()
}

fn forget(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(forget),
        Value::Object(fields) => {
            for (name, value) in fields {
                if named(name) { *value = Value::Null } else { forget(value) }
            }
        }
        Value::String(text) => {
            if is_random_id(text) {
                "random id".clone_into(text);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Whether a text is an id of a row that is no noun: random, so that it tells nothing, and new in each registry. Ids of
/// nouns are written otherwise.
fn is_random_id(text: &str) -> bool {
    let random =
        text.len() == 36 && uuid::Uuid::parse_str(text).is_ok_and(|id| id.get_version_num() == 4);
    // An id of what was raised is new as well, and encrypted.
    random || text.len() == 30 && text.starts_with("Concern_")
}

/// What an act came to: done, the rule that refused it, or the code.
fn outcome(text: &str) -> String {
    let body: Value = serde_json::from_str(text).unwrap_or_default();
    let extensions = &body["errors"][0]["extensions"];
    let word = extensions["rule"].as_str().or(extensions["code"].as_str());
    word.unwrap_or(if body["errors"].is_null() { DONE } else { "?" }).to_owned()
}

/// Whether an act came to different things in the twins, which it may.
pub(super) fn parted(act: &str, texts: [&str; 2]) -> bool {
    let Some(Differs::Outcome(words)) = of(&format!("Mutation.{act}")) else { return false };
    let [one, two] = texts.map(outcome);
    one != two && words.contains(&one.as_str()) && words.contains(&two.as_str())
}

/// Whether an answer says that the act was done.
pub(super) fn done(text: &str) -> bool {
    outcome(text) == DONE
}

#[cfg(not(feature = "leaks"))]
mod tests {
    use super::super::schema::Schema;
    use super::{MOST, OUTLETS};

    #[test]
    fn the_list_of_outlets_only_shrinks_and_names_what_there_is() {
        assert_eq!(OUTLETS.len(), MOST, "as many as are written beside the list");
        let schema = Schema::read();
        for (coordinate, _, reason) in OUTLETS {
            assert!(schema.has(coordinate), "{coordinate} is in the schema");
            assert!(reason.len() > 40, "{coordinate} has its reason");
        }
    }
}
