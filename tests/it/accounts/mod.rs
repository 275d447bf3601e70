//! Accounts as others manage them: who makes, stops and resets whose, what an import does with a file, and what a program
//! of another system may do. A code or a secret is told once; nobody finds it anywhere else.

mod activate;
mod clients;
mod create;
mod files;
mod import;
mod manage;

use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder};
use serde_json::{Value, json};
use uuid::Uuid;
use xueji_entity::value::{GuardianId, OrganisationId, StaffId, StudentId};
use xueji_entity::{account, audit, guardian, staff};

use crate::support::answer::Answer;
use crate::support::app::App;
use crate::support::callers::Person;

const CREATE: &str = "mutation($input: AccountCreateInput!) { accountCreate(input: $input) {
    accountId activationCode expiresAt } }";
const DISABLE: &str = "mutation($input: AccountNameInput!) { accountDisable(input: $input) {
    accountId disabled } }";
const ENABLE: &str = "mutation($input: AccountNameInput!) { accountEnable(input: $input) {
    accountId disabled } }";
const RESET: &str = "mutation($input: AccountResetInput!) { accountReset(input: $input) {
    accountId activationCode expiresAt } }";

async fn create(person: &Person<'_>, input: Value) -> Answer {
    person.query(CREATE, json!({ "input": input })).await
}

async fn disable(person: &Person<'_>, input: Value) -> Answer {
    person.query(DISABLE, json!({ "input": input })).await
}

async fn enable(person: &Person<'_>, input: Value) -> Answer {
    person.query(ENABLE, json!({ "input": input })).await
}

async fn reset(person: &Person<'_>, account: Value) -> Answer {
    person.query(RESET, json!({ "input": { "account": account } })).await
}

/// The staff of a school, in the order in which they were planted.
async fn staff_of(app: &App, school: OrganisationId) -> Vec<staff::Model> {
    staff::Entity::find()
        .filter(staff::Column::OrganisationId.eq(school))
        .order_by_asc(staff::Column::StaffNumber)
        .all(app.db())
        .await
        .unwrap()
}

/// The family of a student, in the order of the form.
async fn family_of(app: &App, student: StudentId) -> Vec<guardian::Model> {
    guardian::Entity::find()
        .filter(guardian::Column::StudentId.eq(student))
        .order_by_asc(guardian::Column::Position)
        .all(app.db())
        .await
        .unwrap()
}

fn staff_id(app: &App, id: StaffId) -> String {
    app.id("staff", id)
}

fn guardian_id(app: &App, student: StudentId, id: GuardianId) -> String {
    app.id_of("guardian", student, id)
}

/// How many accounts there are.
async fn accounts(app: &App) -> u64 {
    account::Entity::find().count(app.db()).await.unwrap()
}

/// The account behind a global id.
fn account_of(app: &App, id: &Value) -> Uuid {
    app.unsealed(id.as_str().unwrap()).unwrap().1.id
}

/// The lines on record of an action, the oldest first.
async fn lines(app: &App, action: &str) -> Vec<audit::Model> {
    audit::Entity::find()
        .filter(audit::Column::Action.eq(action))
        .order_by_asc(audit::Column::Id)
        .all(app.db())
        .await
        .unwrap()
}
