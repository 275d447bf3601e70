//! Promise 9: a condition considers only the rows that show its column in full, and means on them what it says.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::app::App;
use crate::support::callers::Person;
use crate::support::truth::{Row, Truth};

async fn found(person: &Person<'_>, filter: &str) -> BTreeSet<String> {
    let answer = person
        .ask(&format!("{{ students(filter: {filter}) {{ totalCount nodes {{ id }} }} }}"))
        .await;
    let ids = answer.texts("/students/nodes", "id");
    assert_eq!(answer.at("/students/totalCount"), ids.len(), "{filter}");
    ids.into_iter().collect()
}

/// The pupils of the first school that meet a condition in truth.
fn truly(
    truth: &Truth,
    school: xueji_entity::value::OrganisationId,
    meets: impl Fn(&Row) -> bool,
) -> BTreeSet<String> {
    truth
        .of_noun("student")
        .filter(|(_, row)| truth.students[&row.id].school == Some(school.uuid()))
        .filter(|(_, row)| meets(row))
        .map(|(id, _)| id.clone())
        .collect()
}

#[tokio::test]
async fn every_operator_means_what_it_says() {
    let (app, seed) = App::school().await;
    let school = seed.schools[0].id;
    // One pupil without a middle: nothing on file in an optional column.
    let blank = seed.first().students[1];
    let mut update = sea_orm::sea_query::Query::update();
    update.table("student").value("name_pinyin", sea_orm::sea_query::Expr::cust("NULL")).and_where(
        sea_orm::sea_query::ExprTrait::eq(sea_orm::sea_query::Expr::col("id"), blank.uuid()),
    );
    sea_orm::ConnectionTrait::execute(app.db(), &update).await.unwrap();
    let truth = Truth::of(&app).await;
    let registrar = app.registrar(school);
    let pinyin = |row: &Row| row.value("name_pinyin").as_str().map(ToOwned::to_owned);
    let some = "Mkpinyinaaac";
    let date = |row: &Row| row.text("birth_date").to_owned();
    let boy = |row: &Row| row.value("gender")["value"] == "1";
    type Meets<'m> = Box<dyn Fn(&Row) -> bool + 'm>;
    let cases: Vec<(String, Meets<'_>)> = vec![
        (format!("{{ namePinyin: {{ eq: \"{some}\" }} }}"), Box::new(|row| pinyin(row).as_deref() == Some(some))),
        (format!("{{ not: {{ namePinyin: {{ eq: \"{some}\" }} }} }}"), Box::new(|row| pinyin(row).as_deref() != Some(some))),
        (format!("{{ namePinyin: {{ in: [\"{some}\", \"Mkpinyinaaad\", \"?\"] }} }}"), Box::new(|row| pinyin(row).is_some_and(|text| text == some || text == "Mkpinyinaaad"))),
        ("{ namePinyin: { in: [] } }".to_owned(), Box::new(|_| false)),
        ("{ not: { namePinyin: { in: [] } } }".to_owned(), Box::new(|_| true)),
        ("{ namePinyin: { isNull: true } }".to_owned(), Box::new(|row| pinyin(row).is_none())),
        ("{ namePinyin: { isNull: false } }".to_owned(), Box::new(|row| pinyin(row).is_some())),
        ("{ not: { namePinyin: { isNull: true } } }".to_owned(), Box::new(|row| pinyin(row).is_some())),
        ("{ namePinyin: { startsWith: \"Mkpinyinaa\" } }".to_owned(), Box::new(|row| pinyin(row).is_some())),
        ("{ namePinyin: { startsWith: \"mkpinyinaa\" } }".to_owned(), Box::new(|_| false)),
        ("{ namePinyin: { startsWith: \"%\" } }".to_owned(), Box::new(|_| false)),
        ("{ namePinyin: { startsWith: \"\" } }".to_owned(), Box::new(|row| pinyin(row).is_some())),
        ("{ birthDate: { lt: \"2015-01-05\" } }".to_owned(), Box::new(|row| date(row).as_str() < "2015-01-05")),
        ("{ birthDate: { lte: \"2015-01-05\" } }".to_owned(), Box::new(|row| date(row).as_str() <= "2015-01-05")),
        ("{ birthDate: { gt: \"2015-01-05\" } }".to_owned(), Box::new(|row| date(row).as_str() > "2015-01-05")),
        ("{ birthDate: { gte: \"2015-01-05\", lt: \"2015-01-08\" } }".to_owned(), Box::new(|row| ("2015-01-05".."2015-01-08").contains(&date(row).as_str()))),
        ("{ not: { birthDate: { gte: \"2015-01-05\", lt: \"2015-01-08\" } } }".to_owned(), Box::new(|row| !("2015-01-05".."2015-01-08").contains(&date(row).as_str()))),
        ("{ gender: { eq: \"RDXB:1\" } }".to_owned(), Box::new(boy)),
        ("{ not: { gender: { eq: \"RDXB:1\" } } }".to_owned(), Box::new(|row| !boy(row))),
        ("{ migrantChild: { eq: true } }".to_owned(), Box::new(|_| true)),
        ("{ leftBehind: { in: [ONE_PARENT, BOTH_PARENTS] } }".to_owned(), Box::new(|_| true)),
        ("{ leftBehind: { eq: NONE } }".to_owned(), Box::new(|_| false)),
        ("{ distanceM: { gte: 0 } }".to_owned(), Box::new(|_| true)),
        ("{ and: [] }".to_owned(), Box::new(|_| true)),
        ("{ or: [] }".to_owned(), Box::new(|_| false)),
        ("{ not: {} }".to_owned(), Box::new(|_| false)),
        ("{ or: [{ gender: { eq: \"RDXB:1\" } }, { birthDate: { lt: \"2015-01-05\" } }] }".to_owned(), Box::new(|row| boy(row) || date(row).as_str() < "2015-01-05")),
        ("{ not: { or: [{ gender: { eq: \"RDXB:1\" } }, { and: [{ birthDate: { lt: \"2015-01-05\" } }, { not: { namePinyin: { isNull: true } } }] }] } }".to_owned(), Box::new(|row| !(boy(row) || (date(row).as_str() < "2015-01-05" && pinyin(row).is_some())))),
        ("{ gender: { eq: \"RDXB:1\" }, birthDate: { gt: \"2015-01-05\" } }".to_owned(), Box::new(|row| boy(row) && date(row).as_str() > "2015-01-05")),
    ];
    let (mut some_match, mut some_do_not) = (false, false);
    for (filter, meets) in cases {
        let expected = truly(&truth, school, meets);
        some_match |= !expected.is_empty();
        some_do_not |= expected.is_empty();
        assert_eq!(found(&registrar, &filter).await, expected, "{filter}");
    }
    assert!(some_match && some_do_not);
}

#[tokio::test]
async fn conditions_reach_through_relations_in_the_targets_scope() {
    let (app, seed) = App::school().await;
    let truth = Truth::of(&app).await;
    let school = seed.schools[0].id;
    let registrar = app.registrar(school);
    let kin = truth
        .of_noun("guardian")
        .find(|(_, row)| row.student == Some(seed.first().students[0].uuid()))
        .map(|(_, row)| row)
        .unwrap();
    let (phone, name) = (kin.text("phone"), kin.text("name"));
    let position = kin.value("position");
    let own = BTreeSet::from([app.id("student", seed.first().students[0])]);
    let class = app.id("class_group", seed.first().id);
    let of_class: BTreeSet<String> =
        seed.first().students.iter().map(|id| app.id("student", *id)).collect();
    let all = truly(&truth, school, |_| true);
    let rest: BTreeSet<String> = all.difference(&own).cloned().collect();
    for (filter, expected) in [
        (format!("{{ guardians: {{ some: {{ phone: {{ eq: \"{phone}\" }} }} }} }}"), &own),
        (format!("{{ guardians: {{ none: {{ phone: {{ eq: \"{phone}\" }} }} }} }}"), &rest),
        (
            format!("{{ not: {{ guardians: {{ some: {{ phone: {{ eq: \"{phone}\" }} }} }} }} }}"),
            &rest,
        ),
        (
            format!(
                "{{ guardians: {{ some: {{ name: {{ eq: \"{name}\" }}, position: {{ eq: {position} }} }} }} }}"
            ),
            &own,
        ),
        (format!("{{ classGroup: {{ id: {{ eq: \"{class}\" }} }} }}"), &of_class),
        ("{ guardians: { some: {} } }".to_owned(), &all),
        ("{ enrollment: { state: { eq: ENROLLED } } }".to_owned(), &all),
        // A quashed sanction is nobody's, so no condition finds it.
        ("{ sanctions: { some: { state: { eq: QUASHED } } } }".to_owned(), &BTreeSet::new()),
    ] {
        assert_eq!(&found(&registrar, &filter).await, expected, "{filter}");
    }
    // A guardian of another pupil's cannot be found out by number, for it is out of the caller's scope.
    let parent = app.guardian(seed.first().students[1]);
    let filter = format!("{{ guardians: {{ some: {{ phone: {{ eq: \"{phone}\" }} }} }} }}");
    let answer = parent.ask(&format!("{{ students(filter: {filter}) {{ totalCount }} }}")).await;
    assert_eq!(answer.code(), "FORBIDDEN", "{}", answer.text);
}

#[tokio::test]
async fn on_rows_that_do_not_show_the_column_every_operator_and_its_negation_are_false() {
    let (app, seed) = App::school().await;
    let truth = Truth::of(&app).await;
    let (own, taught) = (seed.class(0, 0, 0), seed.class(0, 0, 1));
    // The telephone is in full in the own class and hidden in the other one.
    let teacher = app.homeroom_teacher(own.id).and_subject_teacher(taught.id, seed.courses[0]);
    let homeroom: BTreeSet<String> = own.students.iter().map(|id| app.id("student", *id)).collect();
    let phone_of = |id| truth.rows[&app.id("student", id)].text("phone").to_owned();
    let theirs = phone_of(taught.students[0]);
    let ours = phone_of(own.students[0]);
    let mut met = BTreeSet::new();
    for leaf in [
        format!("phone: {{ eq: \"{theirs}\" }}"),
        format!("phone: {{ eq: \"{ours}\" }}"),
        format!("phone: {{ in: [\"{theirs}\", \"{ours}\"] }}"),
        "phone: { in: [] }".to_owned(),
        "phone: { isNull: true }".to_owned(),
        "phone: { isNull: false }".to_owned(),
        "birthDate: { gt: \"1990-01-01\" }".to_owned(),
        "birthDate: { lt: \"1990-01-01\" }".to_owned(),
        "healthStatus: { eq: \"JKZKEWSZ:10\" }".to_owned(),
        "leftBehind: { eq: ONE_PARENT }".to_owned(),
        "onlyChild: { eq: true }".to_owned(),
        "namePinyin: { startsWith: \"M\" }".to_owned(),
    ] {
        let (yes, no) = (format!("{{ {leaf} }}"), format!("{{ not: {{ {leaf} }} }}"));
        let (yes, no) = (found(&teacher, &yes).await, found(&teacher, &no).await);
        assert!(yes.is_subset(&homeroom) && no.is_subset(&homeroom), "{leaf}");
        assert!(yes.is_disjoint(&no), "{leaf}");
        assert_eq!(
            yes.len() + no.len(),
            homeroom.len(),
            "{leaf} holds or not on every row that shows it"
        );
        let double = found(&teacher, &format!("{{ not: {{ not: {{ {leaf} }} }} }}")).await;
        assert_eq!(double, yes, "{leaf}");
        let or =
            found(&teacher, &format!("{{ or: [{{ {leaf} }}, {{ not: {{ {leaf} }} }}] }}")).await;
        assert_eq!(or, homeroom, "{leaf}");
        met.extend(yes);
    }
    assert_eq!(met, homeroom);
}

#[tokio::test]
async fn a_column_that_is_seen_in_full_nowhere_is_refused_before_any_statement() {
    let (app, seed) = App::school().await;
    let class = seed.first();
    let cases: Vec<(&str, Person<'_>, &str, &str)> = vec![
        (
            "masked",
            app.homeroom_teacher(class.id),
            "{ idNumber: { eq: \"11010519491231002X\" } }",
            "Student.idNumber",
        ),
        (
            "masked",
            app.homeroom_teacher(class.id),
            "{ idNumber: { isNull: true } }",
            "Student.idNumber",
        ),
        (
            "negated",
            app.homeroom_teacher(class.id),
            "{ not: { idNumber: { isNull: true } } }",
            "Student.idNumber",
        ),
        (
            "hidden",
            app.subject_teacher(class.id, seed.courses[0]),
            "{ healthStatus: { eq: \"JKZKEWSZ:10\" } }",
            "Student.healthStatus",
        ),
        (
            "in or",
            app.subject_teacher(class.id, seed.courses[0]),
            "{ or: [{ name: { eq: \"A\" } }, { phone: { eq: \"13800000001\" } }] }",
            "Student.phone",
        ),
        (
            "through a relation",
            app.year_head(seed.schools[0].levels[0].id),
            "{ guardians: { some: { phone: { eq: \"13700000001\" } } } }",
            "Guardian.phone",
        ),
        (
            "through a hidden relation",
            app.aid_officer(seed.schools[0].id),
            "{ scores: { some: { value: { gt: \"60\" } } } }",
            "Student.scores",
        ),
        ("aid", app.homeroom_teacher(class.id), "{ needsAid: { eq: true } }", "Student.needsAid"),
    ];
    for (what, person, filter, coordinate) in cases {
        let (answer, statements) = person
            .counted(
                &format!("{{ students(filter: {filter}) {{ totalCount nodes {{ id }} }} }}"),
                json!({}),
            )
            .await;
        assert_eq!(answer.code(), "FORBIDDEN", "{what}: {}", answer.text);
        let named = &answer.error()["extensions"]["coordinates"];
        assert_eq!(named, &json!([coordinate]), "{what}");
        assert!(answer.message().contains(coordinate), "{what}: {}", answer.text);
        assert_eq!(statements, 0, "{what}");
    }
}

#[tokio::test]
async fn a_refusal_depends_on_no_row() {
    let (app, seed) = App::school().await;
    let class = seed.first();
    let nested = "{ students { nodes { guardians(filter: { idNumber: { isNull: false } }) { totalCount } } } }";
    let sorted = "{ students { nodes { guardians(orderBy: [{ field: NAME }]) { totalCount } } } }";
    let empty = "{ students(filter: { name: { eq: \"nobody\" } }) { nodes { guardians(filter: { idNumber: { isNull: false } }) { totalCount } } } }";
    let analyst = app.analyst(seed.counties[0]);
    for (what, person, document, coordinate) in [
        ("nested", app.homeroom_teacher(class.id), nested, "Guardian.idNumber"),
        ("below an empty list", app.homeroom_teacher(class.id), empty, "Guardian.idNumber"),
        ("a nested order", app.subject_teacher(class.id, seed.courses[0]), sorted, "Guardian.name"),
        (
            "without any row",
            analyst,
            "{ students(filter: { name: { startsWith: \"M\" } }) { totalCount } }",
            "Student.name",
        ),
    ] {
        let (answer, statements) = person.counted(document, json!({})).await;
        assert_eq!(answer.code(), "FORBIDDEN", "{what}: {}", answer.text);
        let named = &answer.error()["extensions"]["coordinates"];
        assert_eq!(named, &json!([coordinate]), "{what}");
        assert_eq!(statements, 0, "{what}");
    }
}

#[tokio::test]
async fn a_condition_in_variables_default_values_or_fragments_is_refused_alike() {
    let (app, seed) = App::school().await;
    let teacher = app.homeroom_teacher(seed.first().id);
    let filter = json!({ "idNumber": { "isNull": false } });
    let cases: [(&str, Value); 5] = [
        (
            "query($f: StudentFilter) { students(filter: $f) { totalCount } }",
            json!({ "f": filter }),
        ),
        (
            "query($f: StudentFilter = { idNumber: { isNull: false } }) { students(filter: $f) { totalCount } }",
            json!({}),
        ),
        (
            "query($t: ExactTest) { students(filter: { idNumber: $t }) { totalCount } }",
            json!({ "t": { "isNull": false } }),
        ),
        (
            "fragment F on Query { x: students(filter: { idNumber: { isNull: false } }) { totalCount } } query { ...F }",
            json!({}),
        ),
        (
            "query($yes: Boolean! = true) { ... on Query @include(if: $yes) { students(filter: { idNumber: { isNull: false } }) { totalCount } } }",
            json!({}),
        ),
    ];
    for (document, variables) in cases {
        let answer = teacher.query(document, variables).await;
        assert_eq!(answer.code(), "FORBIDDEN", "{document}: {}", answer.text);
    }
}

#[tokio::test]
async fn sealed_columns_are_found_by_their_normal_form() {
    let (app, seed) = App::school().await;
    let truth = Truth::of(&app).await;
    let pupil = app.id("student", seed.first().students[0]);
    let row = &truth.rows[&pupil];
    let registrar = app.registrar(seed.schools[0].id);
    let wide = |text: &str| -> String {
        let widen = |c: char| {
            if c.is_ascii_digit() {
                char::from_u32(u32::from(c) - u32::from('0') + 0xFF10).unwrap()
            } else {
                c
            }
        };
        text.chars().map(widen).collect()
    };
    let (number, phone, status) =
        (row.text("id_number"), row.text("phone"), row.text("national_student_number"));
    let spaced = format!(" {} {} ", &phone[..3], &phone[3..]);
    let international = format!("+86 {phone}");
    for (column, spelling) in [
        ("idNumber", number.to_owned()),
        ("idNumber", number.to_lowercase()),
        ("idNumber", wide(number)),
        ("idNumber", format!(" {number} ")),
        ("phone", wide(phone)),
        ("phone", spaced),
        ("phone", international),
        ("nationalStudentNumber", status.to_lowercase()),
        ("nationalStudentNumber", wide(status)),
        ("email", row.text("email").to_owned()),
    ] {
        let document = format!(
            "query($v: String!) {{ students(filter: {{ {column}: {{ eq: $v }} }}) {{ nodes {{ id }} }} }}"
        );
        let answer = registrar.query(&document, json!({ "v": spelling })).await;
        assert_eq!(answer.texts("/students/nodes", "id"), [pupil.as_str()], "{column}");
    }
    // Equality is all there is: the schema has no range and no prefix for it.
    for test in ["startsWith: \"1101\"", "lt: \"2\"", "gte: \"1\""] {
        let answer = registrar
            .ask(&format!("{{ students(filter: {{ idNumber: {{ {test} }} }}) {{ totalCount }} }}"))
            .await;
        assert!(!answer.code().is_empty() && answer.body["data"].is_null(), "{}", answer.text);
    }
}

#[tokio::test]
async fn code_points_decide_on_both_databases() {
    let (app, seed) = App::school().await;
    let class = seed.first();
    let names = ["Zhang", "zhang", "张三", "𠮷田"];
    for (student, name) in class.students.iter().zip(names) {
        let mut update = sea_orm::sea_query::Query::update();
        update.table("student").value("name", name).and_where(sea_orm::sea_query::ExprTrait::eq(
            sea_orm::sea_query::Expr::col("id"),
            student.uuid(),
        ));
        sea_orm::ConnectionTrait::execute(app.db(), &update).await.unwrap();
    }
    let teacher = app.homeroom_teacher(class.id);
    let answer = teacher.ask("{ students(orderBy: [{ field: NAME }]) { nodes { name } } }").await;
    assert_eq!(answer.texts("/students/nodes", "name"), ["Zhang", "zhang", "张三"]);
    let answer = teacher
        .ask("{ students(filter: { name: { startsWith: \"Z\" } }) { nodes { name } } }")
        .await;
    assert_eq!(answer.texts("/students/nodes", "name"), ["Zhang"]);
    let answer = teacher
        .ask("{ students(filter: { name: { startsWith: \"张\" } }) { nodes { name } } }")
        .await;
    assert_eq!(answer.texts("/students/nodes", "name"), ["张三"]);
}
