//! Family members: a guardian changes the own row, and rights at two places are not put together.

use serde_json::json;
use xueji::store::codec::Codec;
use xueji_entity::guardian;
use xueji_entity::value::Sealed;

use super::{ADDRESS, PHONE, belongs_to, events, family, update_kin};
use crate::support::app::App;

#[tokio::test]
async fn a_guardian_changes_the_own_row_and_not_the_other_parents() {
    let (app, seed) = App::school().await;
    let pupil = seed.first().students[0];
    let [own, other] = family(&app, pupil).await.try_into().unwrap();
    let parent = app.guardian(pupil);
    belongs_to(&app, &own, parent.account().await).await;
    let answer =
        update_kin(&parent, &app, &own, json!({ "phone": PHONE, "currentAddress": null })).await;
    // Rows of the family are shown masked to a guardian, the own one too.
    assert_eq!(*answer.at("/guardianContactUpdate/guardian/phone"), "139****2222");
    let [changed, untouched] = family(&app, pupil).await.try_into().unwrap();
    assert_eq!((changed.row_version, changed.current_address), (2, None));
    let opened = |sealed: &Option<Sealed<_>>| {
        let sealed = sealed.as_ref().unwrap();
        app.codec().open("guardian", "phone", own.id.uuid(), sealed.as_bytes()).unwrap()
    };
    assert_eq!(opened(&changed.phone), PHONE);
    assert_eq!(untouched, other);
    let lines = events(&app).await;
    assert_eq!((lines.len(), lines[0].kind.as_str()), (1, "guardian.contact_updated"));
    assert_eq!(lines[0].student_id, Some(pupil));

    let refused = update_kin(&parent, &app, &other, json!({ "phone": PHONE })).await;
    assert_eq!(refused.code(), "NOT_FOUND", "{}", refused.text);
    let nobody = guardian::Model { id: xueji_entity::value::GuardianId::new(), ..own.clone() };
    let never = update_kin(&parent, &app, &nobody, json!({ "phone": PHONE })).await;
    assert_eq!(never.without_request_id(), refused.without_request_id());
    // The same key under another child.
    let moved = guardian::Model { student_id: seed.first().students[1], ..own.clone() };
    let never = update_kin(&parent, &app, &moved, json!({ "phone": PHONE })).await;
    assert_eq!(never.without_request_id(), refused.without_request_id());
    assert_eq!(family(&app, pupil).await[1], other);
}

#[tokio::test]
async fn who_leads_a_class_and_has_a_child_in_it_does_not_lend_one_right_to_the_other() {
    let (app, seed) = App::school().await;
    let pupil = seed.first().students[0];
    let [own, other] = family(&app, pupil).await.try_into().unwrap();
    let both = app.homeroom_teacher(seed.first().id).and(
        "guardian",
        xueji::access::table::Reach::Ward,
        xueji::access::caller::Place::Student(pupil.uuid()),
    );
    belongs_to(&app, &own, both.account().await).await;
    // As the class teacher: the telephone of the other parent, and no address.
    let answer = update_kin(&both, &app, &other, json!({ "currentAddress": ADDRESS })).await;
    assert_eq!(answer.code(), "FORBIDDEN", "{}", answer.text);
    assert_eq!(answer.error()["extensions"]["coordinates"], json!(["Guardian.currentAddress"]));
    assert_eq!(family(&app, pupil).await[1], other);
    let answer = update_kin(&both, &app, &other, json!({ "phone": PHONE })).await;
    assert_eq!(*answer.at("/guardianContactUpdate/guardian/phone"), PHONE);
    // As the parent: the own row whole.
    let answer = update_kin(&both, &app, &own, json!({ "currentAddress": ADDRESS })).await;
    assert_eq!(answer.at("/guardianContactUpdate/guardian/currentAddress"), "北京市朝阳区***");
}
