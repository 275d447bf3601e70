//! The history of a registry that an earlier version kept in the clear: it holds sealed values as
//! hexadecimal digits, so what was clear text there is clear text still. Each such value is sealed; everything
//! else of a line stays as it is.

use std::fmt::Write as _;

use sea_orm::sea_query::{Expr, ExprTrait, Query, SelectStatement};
use sea_orm::{ConnectionTrait, DatabaseTransaction, QueryResult};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::super::failed;
use super::Refusal;
use super::cipher::clear;
use super::rotate::Keys;
use crate::access::view::{Kind, Registry};
use crate::error::{Error, Result};

/// The table.
pub(super) const HISTORY: &str = "history";

/// Lines of the history, to be paged.
pub(super) fn select() -> SelectStatement {
    let mut query = Query::select();
    for (name, as_name) in [
        ("student_id", "c0"),
        ("id", "c1"),
        ("noun", "c2"),
        ("row_id", "c3"),
        ("before", "c4"),
        ("after", "c5"),
    ] {
        query.expr_as(Expr::col(name), as_name);
    }
    query.from(HISTORY);
    query
}

/// Seals what a line holds in the clear; how many lines changed.
pub(super) async fn rewrite(
    tx: &DatabaseTransaction,
    registry: &Registry,
    keys: &Keys,
    (student, id): (Option<Uuid>, Uuid),
    row: &QueryResult,
) -> Result<u64, Refusal> {
    let noun: String = row.try_get_by_index(2).map_err(failed)?;
    let of: Uuid = row.try_get_by_index(3).map_err(failed)?;
    let mut update = Query::update();
    let mut any = false;
    update
        .table(HISTORY)
        .and_where(Expr::col("id").eq(Expr::val(id)))
        .and_where(Expr::col("student_id").eq(Expr::val(student)));
    for (at, column) in [(4, "before"), (5, "after")] {
        let text: Option<String> = row.try_get_by_index(at).map_err(failed)?;
        let Some(text) = text else { continue };
        if let Some(anew) = sealed(registry, keys, &noun, of, &text)? {
            any = true;
            update.value(column, Expr::val(anew)).and_where(Expr::col(column).eq(text));
        }
    }
    if any { Ok(tx.execute(&update).await.map_err(failed)?.rows_affected()) } else { Ok(0) }
}

/// The values of a line with those in the clear sealed; none when there are none.
fn sealed(
    registry: &Registry,
    keys: &Keys,
    noun: &str,
    row: Uuid,
    text: &str,
) -> Result<Option<String>> {
    let Some(noun) = registry.get(noun) else { return Ok(None) };
    let odd = |_detail| Error::internal("a line of the history is no object");
    let mut values: Map<String, Json> = serde_json::from_str(text).map_err(odd)?;
    let mut any = false;
    for field in noun.shape.fields.iter() {
        let Kind::Sealed { .. } = field.kind else { continue };
        let Some(Json::String(hex)) = values.get(field.name) else { continue };
        let Some(value) = bytes(hex).filter(|value| clear(value).is_some()) else { continue };
        let bare = keys.text((noun.shape.name, field.name), row, &value);
        let bare = bare.ok_or_else(|| Error::internal("the history holds clear text"))?;
        let anew = keys.new.seal(noun.shape.name, field.name, row, &bare)?;
        values.insert(field.name.to_owned(), Json::String(digits(&anew)));
        any = true;
    }
    Ok(any.then(|| Json::Object(values).to_string()))
}

fn digits(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut hex, byte| {
        // Writing into a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let nibble = |digit: &u8| char::from(*digit).to_digit(16).map(|value| value.to_le_bytes()[0]);
    let pairs = hex.as_bytes().chunks(2);
    pairs.map(|pair| Some(nibble(pair.first()?)? << 4 | nibble(pair.get(1)?)?)).collect()
}
