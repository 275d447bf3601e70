//! What was raised about schools: the twins agree on what is said where a person's places are, and differ in who said it
//! without being named, and in all that was said elsewhere.

use std::collections::HashSet;

use sea_orm::ConnectionTrait;
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use uuid::Uuid;
use xueji::access::caller::Place;
use xueji::store::codec::Codec as _;
use xueji_entity::value::AccountId;

use crate::support::app::{App, clock};
use crate::support::callers::Person;
use crate::support::oracle::covers_organisation;
use crate::support::seed::Seed;
use crate::support::truth::Truth;

const TABLE: &str = "concern";

/// Opinions and reports about every school, each by somebody else.
pub(super) async fn plant(app: &App, seed: &Seed, people: &[(String, AccountId)]) {
    let mut by = people.iter().cycle();
    for school in &seed.schools {
        for (kind, named) in
            [("feedback", true), ("feedback", false), ("misuse", true), ("misuse", false)]
        {
            let (id, (_, account)) = (Uuid::now_v7(), by.next().unwrap());
            let text = app.codec().seal(TABLE, "text", id, "said by somebody").unwrap();
            let mut insert = Query::insert();
            insert
                .into_table(TABLE)
                .columns([
                    "id",
                    "kind",
                    "organisation_id",
                    "raised_by_id",
                    "named",
                    "text",
                    "state",
                    "raised_at",
                ])
                .values([
                    Expr::val(id),
                    Expr::val(kind),
                    Expr::val(school.id.uuid()),
                    Expr::val(account.uuid()),
                    Expr::val(named),
                    Expr::val(text),
                    Expr::val("open"),
                    Expr::val(clock().now()),
                ])
                .unwrap();
            app.db().execute(&insert).await.unwrap();
        }
    }
}

/// The accounts by whose login a person is told who said something: of what is named where the person's places are.
pub(super) async fn told(app: &App, truth: &Truth, person: &Person<'_>) -> HashSet<Uuid> {
    let mut query = Query::select();
    query.columns(["raised_by_id", "organisation_id"]).from(TABLE).and_where(Expr::col("named"));
    let rows = app.db().query_all(&query).await.unwrap();
    rows.iter()
        .filter(|row| within(truth, person, row.try_get_by_index(1).unwrap()))
        .map(|row| row.try_get_by_index(0).unwrap())
        .collect()
}

fn within(truth: &Truth, person: &Person<'_>, school: Uuid) -> bool {
    person.holding().any(|held| match held.place {
        Place::Organisation(place) => covers_organisation(truth, held, place, school),
        _ => false,
    })
}

/// Changes who said something without being named, and takes away what was said beyond the places of the person.
pub(super) async fn part(
    app: &App,
    truth: &Truth,
    person: &Person<'_>,
    account: AccountId,
    people: &[(String, AccountId)],
) {
    let mut query = Query::select();
    query
        .columns(["id", "organisation_id", "raised_by_id"])
        .expr_as(Expr::col("named"), "named")
        .from(TABLE)
        .and_where(Expr::col("raised_by_id").ne(account.uuid()));
    let mut others =
        people.iter().map(|(_, other)| *other).filter(|other| *other != account).cycle();
    for row in app.db().query_all(&query).await.unwrap() {
        let id: Uuid = row.try_get_by_index(0).unwrap();
        let school: Uuid = row.try_get_by_index(1).unwrap();
        let by: Uuid = row.try_get_by_index(2).unwrap();
        if !within(truth, person, school) {
            let mut delete = Query::delete();
            delete.from_table(TABLE).and_where(Expr::col("id").eq(id));
            app.db().execute(&delete).await.unwrap();
        } else if !row.try_get_by_index::<bool>(3).unwrap() {
            let other = others.find(|other| other.uuid() != by).unwrap();
            let mut update = Query::update();
            update
                .table(TABLE)
                .value("raised_by_id", Expr::val(other.uuid()))
                .and_where(Expr::col("id").eq(id));
            app.db().execute(&update).await.unwrap();
        }
    }
}
