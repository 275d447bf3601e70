//! Looks at a few answers: are they whole, and do they show no more than they may?
//!
//! A reason names a field and never a value.

use serde_json::Value;

use super::operation::Operation;
use super::target::Kind;

/// Why an answer is wrong.
type Wrong = &'static str;

/// Looks at one answer.
pub(super) fn check(operation: Operation, kind: Kind, body: &[u8]) -> Result<(), String> {
    let answer: Value = serde_json::from_slice(body).or(Err("the answer is not JSON"))?;
    if let Some(errors) = answer.get("errors") {
        let code = errors.pointer("/0/extensions/code").and_then(Value::as_str);
        return Err(format!(
            "the answer has errors, the first {}",
            code.unwrap_or("without a code")
        ));
    }
    let looked = match operation {
        Operation::Parent => parent(&answer),
        Operation::Roster => roster(&answer, kind).map(|_| ()),
        Operation::RosterWithScores => roster_with_scores(&answer, kind),
        Operation::Page => page(&answer),
        Operation::Aggregate => aggregate(&answer),
    };
    looked.map_err(str::to_owned)
}

/// The cursor to the next page, if there is one.
pub(super) fn next_page(body: &[u8]) -> Option<String> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let info = answer.pointer("/data/students/pageInfo")?;
    let more = info.get("hasNextPage")?.as_bool()?;
    info.get("endCursor")?.as_str().filter(|_| more).map(str::to_owned)
}

fn list<'a>(answer: &'a Value, pointer: &str, why: Wrong) -> Result<&'a [Value], Wrong> {
    let rows = answer.pointer(pointer).and_then(Value::as_array).ok_or(why)?;
    if rows.is_empty() { Err(why) } else { Ok(rows) }
}

fn parent(answer: &Value) -> Result<(), Wrong> {
    let wards = list(answer, "/data/viewer/wards/nodes", "no ward in the answer")?;
    let [ward] = wards else { return Err("more than the one ward in the answer") };
    text(ward, "name").ok_or("the ward has no name")?;
    ward.pointer("/scores/nodes").and_then(Value::as_array).ok_or("the ward has no scores")?;
    ward.pointer("/attendanceSummary/days")
        .and_then(Value::as_i64)
        .ok_or("the ward has no attendance")?;
    Ok(())
}

fn roster(answer: &Value, kind: Kind) -> Result<&[Value], Wrong> {
    let students = list(answer, "/data/classGroup/students/nodes", "no student in the roster")?;
    let numbers = || students.iter().filter_map(|student| text(student, "idNumber"));
    for student in students {
        text(student, "name").ok_or("a student has no name")?;
        student
            .pointer("/guardians/nodes")
            .and_then(Value::as_array)
            .ok_or("a student has no list of guardians")?;
    }
    if kind == Kind::Full {
        return if numbers().any(masked) {
            Err("an identity number is masked under the full policy")
        } else {
            Ok(students)
        };
    }
    if !numbers().all(masked) {
        return Err("an identity number is not masked");
    }
    if numbers().next().is_none() {
        return Err("no student has an identity number");
    }
    if !students.iter().filter_map(|student| text(student, "currentAddress")).all(masked) {
        return Err("an address is not masked");
    }
    if holds_identity_number(answer) {
        return Err("a whole identity number is in the answer");
    }
    if kind == Kind::Policy && !says_redacted(answer, "Student.idNumber") {
        return Err("the masked identity numbers are not among the redactions");
    }
    Ok(students)
}

fn roster_with_scores(answer: &Value, kind: Kind) -> Result<(), Wrong> {
    for student in roster(answer, kind)? {
        student
            .pointer("/scores/nodes")
            .and_then(Value::as_array)
            .ok_or("a student has no list of scores")?;
        student.get("examTotal").ok_or("a student has no total")?;
    }
    Ok(())
}

fn page(answer: &Value) -> Result<(), Wrong> {
    let students = list(answer, "/data/students/nodes", "no student on the page")?;
    let total = answer.pointer("/data/students/totalCount").and_then(Value::as_u64);
    let total = total.ok_or("the page has no total")?;
    if students.len() as u64 > total.min(50) {
        return Err("the page is longer than asked for");
    }
    answer
        .pointer("/data/students/pageInfo/endCursor")
        .and_then(Value::as_str)
        .ok_or("the page has no cursor")?;
    Ok(())
}

fn aggregate(answer: &Value) -> Result<(), Wrong> {
    let data = answer.get("data").and_then(Value::as_object).ok_or("no figures in the answer")?;
    if data.is_empty() || data.values().any(Value::is_null) {
        return Err("a figure is missing from the answer");
    }
    Ok(())
}

fn text<'a>(row: &'a Value, field: &str) -> Option<&'a str> {
    row.get(field).and_then(Value::as_str)
}

fn masked(text: &str) -> bool {
    text.contains("**")
}

fn says_redacted(answer: &Value, coordinate: &str) -> bool {
    answer
        .pointer("/extensions/redactions")
        .and_then(Value::as_array)
        .is_some_and(|all| all.iter().any(|one| text(one, "coordinate") == Some(coordinate)))
}

/// Whether any text holds seventeen digits and then a digit or an X.
fn holds_identity_number(value: &Value) -> bool {
    match value {
        Value::String(text) => {
            let mut digits = 0;
            text.bytes().any(|byte| {
                let closes = digits >= 17 && (byte.is_ascii_digit() || matches!(byte, b'X' | b'x'));
                digits = if byte.is_ascii_digit() { digits + 1 } else { 0 };
                closes
            })
        }
        Value::Array(values) => values.iter().any(holds_identity_number),
        Value::Object(fields) => fields.values().any(holds_identity_number),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn answer(id_number: &Value, redactions: Value) -> Vec<u8> {
        let student = json!({
            "name": "李小明", "idNumber": id_number, "currentAddress": "浙江省***",
            "guardians": {"nodes": []}, "scores": {"nodes": []}, "examTotal": null,
        });
        let data = json!({"classGroup": {"name": "三(2)班", "students": {"nodes": [student]}}});
        serde_json::to_vec(&json!({"data": data, "extensions": {"redactions": redactions}}))
            .unwrap()
    }

    fn noted() -> Value {
        json!([{"coordinate": "Student.idNumber", "sight": "masked"}])
    }

    #[test]
    fn a_roster_must_mask_and_say_so() {
        let masked = json!("33****************");
        let open = json!("33010620100101123X");
        let roster = |kind, body: Vec<u8>| check(Operation::Roster, kind, &body);
        assert_eq!(roster(Kind::Policy, answer(&masked, noted())), Ok(()));
        assert_eq!(roster(Kind::Bare, answer(&masked, json!([]))), Ok(()));
        assert!(roster(Kind::Policy, answer(&masked, json!([]))).is_err());
        assert!(roster(Kind::Policy, answer(&open, noted())).is_err());
        assert!(roster(Kind::Bare, answer(&open, noted())).is_err());
        assert!(roster(Kind::Policy, answer(&Value::Null, noted())).is_err());
        assert_eq!(roster(Kind::Full, answer(&open, json!([]))), Ok(()));
        assert!(roster(Kind::Full, answer(&masked, noted())).is_err());
        let with_scores = answer(&masked, noted());
        assert_eq!(check(Operation::RosterWithScores, Kind::Policy, &with_scores), Ok(()));
    }

    #[test]
    fn a_whole_identity_number_is_found_anywhere() {
        for (text, expected) in [
            ("33010620100101123X", true),
            ("号33010620100101123x。", true),
            ("330106201001011234", true),
            ("33010620100101123", false),
            ("3301062010010112*X", false),
            ("13800001234", false),
        ] {
            assert_eq!(holds_identity_number(&json!({"a": [{"b": text}]})), expected, "{text}");
        }
    }

    #[test]
    fn errors_and_gaps_are_wrong() {
        let parent = |value: &Value| {
            check(Operation::Parent, Kind::Policy, &serde_json::to_vec(value).unwrap())
        };
        let ward = json!({
            "name": "王小红", "scores": {"nodes": []}, "attendanceSummary": {"days": 3},
        });
        let whole = json!({"data": {"viewer": {"wards": {"nodes": [ward]}}}});
        assert_eq!(parent(&whole), Ok(()));
        let mut failed = whole.clone();
        failed["errors"] = json!([{"message": "no", "extensions": {"code": "FORBIDDEN"}}]);
        assert!(parent(&failed).unwrap_err().ends_with("FORBIDDEN"));
        let mut gap = whole;
        gap["data"]["viewer"]["wards"]["nodes"][0]["attendanceSummary"] = Value::Null;
        assert!(parent(&gap).is_err());
        assert!(check(Operation::Parent, Kind::Policy, b"<html>").is_err());
    }

    #[test]
    fn a_page_is_no_longer_than_asked_for_and_leads_on() {
        let page = |rows: usize, total: u64, more: bool| {
            serde_json::to_vec(&json!({"data": {"students": {
                "totalCount": total,
                "pageInfo": {"hasNextPage": more, "endCursor": "c"},
                "nodes": vec![json!({"name": "张三"}); rows],
            }}}))
            .unwrap()
        };
        let looked = |body: &[u8]| check(Operation::Page, Kind::Policy, body);
        assert_eq!(looked(&page(50, 600, true)), Ok(()));
        assert!(looked(&page(51, 600, true)).is_err());
        assert!(looked(&page(3, 2, false)).is_err());
        assert!(looked(&page(0, 0, false)).is_err());
        assert_eq!(next_page(&page(50, 600, true)).as_deref(), Some("c"));
        assert_eq!(next_page(&page(50, 50, false)), None);
    }
}
