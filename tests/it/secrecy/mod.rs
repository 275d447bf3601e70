//! Secrecy at rest: what a thief of the files finds of identity, contact, address and account numbers, what becomes of
//! ciphertext that is moved or changed, and how keys are made, changed and refused.

mod clear;
mod columns;
mod commands;
pub(crate) mod marks;
mod moved;
pub(crate) mod rotation;
mod scan;

use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{ConnectionTrait, DatabaseConnection};
use uuid::Uuid;
use xueji::access::view::{Kind, Noun};
use xueji::graphql::REGISTRY;

/// The sealed columns of a noun.
fn sealed(noun: &Noun) -> impl Iterator<Item = &'static str> + '_ {
    let fields = noun.shape.fields.iter();
    fields.filter(|field| matches!(field.kind, Kind::Sealed { .. })).map(|field| field.name)
}

/// Every value of every sealed column, as the database has it: table, column, row, bytes.
async fn stored(db: &DatabaseConnection) -> Vec<(&'static str, &'static str, Uuid, Vec<u8>)> {
    let mut all = Vec::new();
    for noun in REGISTRY.nouns() {
        for column in sealed(noun) {
            let mut query = Query::select();
            query
                .expr_as(Expr::col("id"), "c0")
                .expr_as(Expr::col(column), "c1")
                .from(noun.shape.name)
                .and_where(Expr::col(column).is_not_null());
            for row in db.query_all(&query).await.unwrap() {
                let id: Uuid = row.try_get_by_index(0).unwrap();
                all.push((noun.shape.name, column, id, row.try_get_by_index(1).unwrap()));
            }
        }
    }
    all
}

/// Puts bytes into a sealed column behind the server's back.
async fn put(
    db: &DatabaseConnection,
    table: &'static str,
    column: &'static str,
    row: Uuid,
    bytes: Vec<u8>,
) {
    let mut update = Query::update();
    update
        .table(table)
        .value(column, Expr::val(bytes))
        .and_where(Expr::col("id").eq(Expr::val(row)));
    assert_eq!(db.execute(&update).await.unwrap().rows_affected(), 1);
}

/// How many values stand under each key; a value of another format under 0.
async fn under(db: &DatabaseConnection) -> std::collections::BTreeMap<u32, usize> {
    let mut keys = std::collections::BTreeMap::new();
    for (.., bytes) in stored(db).await {
        let key = match bytes[..] {
            [2, a, b, c, d, ..] => u32::from_be_bytes([a, b, c, d]),
            _ => 0,
        };
        *keys.entry(key).or_default() += 1;
    }
    keys
}
