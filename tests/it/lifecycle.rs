//! A record that is deleted or restricted takes everything with it that hangs from it.

use sea_orm::ActiveValue::Set;
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, QueryFilter};
use serde_json::json;
use uuid::Uuid;
use xueji_entity::lifecycle::Lifecycle;
use xueji_entity::{guardian, student};

use crate::support::app::App;

#[tokio::test]
async fn what_hangs_from_a_deleted_student_is_gone_with_it() {
    let (app, seed) = App::school().await;
    let class = seed.first();
    let gone = class.students[0];
    let member = guardian::Entity::find()
        .filter(guardian::Column::StudentId.eq(gone))
        .one(app.db())
        .await
        .unwrap()
        .unwrap();
    let registrar = app.registrar(seed.schools[0].id);
    let document = "query($class: ID!, $guardian: ID!) { \
        classGroup(id: $class) { memberships(first: 200) { totalCount nodes { numberInClass } } \
            attendance(first: 200) { totalCount } } \
        node(id: $guardian) { ... on Guardian { name phone } } }";
    let variables = json!({
        "class": app.id("class_group", class.id),
        "guardian": app.id_of("guardian", Uuid::from(gone), Uuid::from(member.id)),
    });
    let before = registrar.query(document, variables.clone()).await;
    assert!(before.at("/node/name").is_string(), "{}", before.text);
    for lifecycle in [Lifecycle::Deleted, Lifecycle::Restricted] {
        let row = student::Entity::find_by_id(gone).one(app.db()).await.unwrap().unwrap();
        let mut row: student::ActiveModel = row.into();
        row.lifecycle = Set(lifecycle);
        row.update(app.db()).await.unwrap();
        let after = registrar.query(document, variables.clone()).await;
        let members = |answer: &crate::support::answer::Answer| {
            answer.at("/classGroup/memberships/totalCount").as_u64().unwrap()
        };
        assert_eq!(members(&after) + 1, members(&before));
        assert!(after.at("/node").is_null(), "{}", after.text);
    }
}
