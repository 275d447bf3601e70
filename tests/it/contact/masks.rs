//! What was shown masked is never taken back, and replacing it does not tell what it was.

use serde_json::json;
use xueji::access::policy::Source;
use xueji::access::version;
use xueji::access::view::{Kind, Noun};

use super::{
    ADDRESS, GUARDIAN, PHONE, belongs_to, events, family, field, input, nothing_done, read, row,
    send, update, update_kin, version_of,
};
use crate::support::app::App;
use crate::support::document::noun;
use crate::support::seed::Shape;

/// The name of a mask, the field that it masks, and the mask.
type Masked = (&'static str, String, fn(&str) -> String);

/// The contact columns of a noun with their masks.
fn columns(noun: &'static Noun) -> Vec<Masked> {
    version::contact(noun)
        .map(|at| match noun.shape.fields[at].kind {
            Kind::Sealed { mask, .. } | Kind::Text(Some(mask)) => {
                (mask.name, noun.camel[at].clone(), mask.apply)
            }
            kind => panic!("{} is {kind:?}", noun.coordinate(at)),
        })
        .collect()
}

/// Values of each kind, and what is no such value.
fn samples(mask: &str) -> &'static [&'static str] {
    match mask {
        "phone" => &["13800138000", "01012345678", "07111234567", "+85212345678", "12", ""],
        "email" => &["a@example.org", "Li.Wang@example.org", ""],
        "postal_code" => &["100020", ""],
        "address" => {
            &["北京市朝阳区建国路1号", "湖北省 武汉市 江岸区 某某街道", "5 Long Street", "路", ""]
        }
        other => panic!("there are no samples for the mask {other}"),
    }
}

/// A text as it may come back: as it was, in full width, with space around and inside, with something behind.
fn written_back(masked: &str) -> Vec<String> {
    vec![
        masked.to_owned(),
        masked.replace('*', "＊"),
        masked.replace('*', "*\u{200B}"),
        format!(" {masked}\u{3000}"),
        masked.replace('*', "* "),
    ]
}

#[tokio::test]
async fn no_mask_of_the_catalogue_is_taken_back() {
    let (app, seed) = App::school().await;
    let pupil = seed.first().students[0];
    let registrar = app.registrar(seed.schools[0].id);
    let kin = family(&app, pupil).await.remove(0);
    let before = (row(&app, pupil).await, family(&app, pupil).await);
    let student_version = version_of(&registrar, &app, pupil).await;
    let mut tried = 0;
    for name in ["student", "guardian"] {
        for (mask, column, apply) in columns(noun(name)) {
            for bare in samples(mask) {
                for text in written_back(&apply(bare)) {
                    let answer = if name == "student" {
                        let id = app.id("student", pupil);
                        let input =
                            json!({ "studentId": id, "version": student_version, &column: text });
                        send(&registrar, input).await
                    } else {
                        let id = app.id_of("guardian", pupil, kin.id);
                        let input = json!({ "guardianId": id, "version": "x", &column: text });
                        registrar.query(GUARDIAN, json!({ "input": input })).await
                    };
                    assert_eq!(answer.code(), "INVALID_INPUT", "{column} {text}: {}", answer.text);
                    assert_eq!(field(&answer), &json!(column));
                    assert!(text.len() < 4 || !answer.text.contains(&text), "{}", answer.text);
                    tried += 1;
                }
            }
        }
    }
    assert!(tried > 150, "{tried}");
    assert_eq!((row(&app, pupil).await, family(&app, pupil).await), before);
    nothing_done(&app).await;
}

#[tokio::test]
async fn what_a_role_was_shown_masked_is_not_taken_back_from_another() {
    let (app, seed) = App::school().await;
    let pupil = seed.first().students[0];
    let head = app.year_head(seed.schools[0].levels[0].id);
    let registrar = app.registrar(seed.schools[0].id);
    let seen = read(&head, &app, pupil).await;
    for (_, column, _) in columns(noun("student")) {
        let shown = seen.at(&format!("/student/{column}")).clone();
        if shown.is_null() {
            continue;
        }
        let refused = update(&registrar, &app, pupil, json!({ &column: shown })).await;
        assert_eq!((refused.code(), field(&refused)), ("INVALID_INPUT", &json!(column)));
    }
    nothing_done(&app).await;
}

#[tokio::test]
async fn replacing_what_is_masked_does_not_tell_what_it_was() {
    let (app, seed) = App::school().await;
    let pupil = seed.first().students[0];
    let [own, _] = family(&app, pupil).await.try_into().unwrap();
    let parent = app.guardian(pupil);
    belongs_to(&app, &own, parent.account().await).await;
    let mut told = Vec::new();
    // First another number, then the one that is there.
    for _ in 0..2 {
        let id = app.id_of("guardian", pupil, own.id);
        let document = "query($id: ID!) { node(id: $id) { ... on Guardian { contactVersion } } }";
        let seen = parent.query(document, json!({ "id": id })).await;
        let input = json!({
            "guardianId": id, "version": seen.at("/node/contactVersion"), "phone": PHONE,
        });
        let (answer, statements) = parent.counted(GUARDIAN, json!({ "input": input })).await;
        assert_eq!(*answer.at("/guardianContactUpdate/guardian/phone"), "139****2222");
        told.push((answer.without_request_id(), statements, events(&app).await.len()));
    }
    let events = (told[0].2, told[1].2);
    assert_eq!(events, (1, 2), "an event tells no more than the answer");
    assert_eq!((&told[0].0, told[0].1), (&told[1].0, told[1].1));
    // Who sees the number writes nothing when it is there already.
    let registrar = app.registrar(seed.schools[0].id);
    let before = family(&app, pupil).await;
    update_kin(&registrar, &app, &own, json!({ "phone": PHONE })).await.data();
    assert_eq!(family(&app, pupil).await, before);
}

#[tokio::test]
async fn a_policy_may_let_a_role_set_what_it_sees_masked_and_the_tag_does_not_cover_it() {
    let mut source = Source::shipped();
    let actions = source.files.get_mut("actions.csv").unwrap();
    *actions = actions.replace(
        "student.contact_update, homeroom_teacher, class, phone email",
        "student.contact_update, homeroom_teacher, class, phone email home_address",
    );
    let app = App::under(source).await;
    let seed = app.plant(Shape::default()).await;
    let pupil = seed.first().students[0];
    let teacher = app.homeroom_teacher(seed.first().id);
    let mine = input(&teacher, &app, pupil, json!({ "homeAddress": ADDRESS })).await;
    let family = json!({ "homeAddress": "北京市海淀区Mkmeanwhile" });
    update(&app.guardian(pupil), &app, pupil, family).await.data();
    let answer = send(&teacher, mine).await;
    assert_eq!(answer.at("/studentContactUpdate/student/homeAddress"), "北京市朝阳区***");
    let parent = read(&app.guardian(pupil), &app, pupil).await;
    assert_eq!(parent.at("/student/homeAddress"), ADDRESS);
}
