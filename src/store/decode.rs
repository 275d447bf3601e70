//! A column of a row as a cell, opened where it is sealed.

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::QueryResult;
use uuid::Uuid;

use super::{Store, failed};
use crate::access::shown::Cell;
use crate::access::view::{Kind, Noun};
use crate::error::Result;

impl Store {
    pub(super) fn cell(
        &self,
        noun: &Noun,
        field: usize,
        row: &QueryResult,
        at: usize,
        id: Uuid,
    ) -> Result<Cell> {
        let shape = &noun.shape.fields[field];
        let cell = match shape.kind {
            Kind::Text(_) | Kind::Code | Kind::Enum(_) => {
                row.try_get_by_index::<Option<String>>(at).map_err(failed)?.map(Cell::Text)
            }
            Kind::Int | Kind::Thousandths | Kind::Fen => {
                row.try_get_by_index::<Option<i64>>(at).map_err(failed)?.map(Cell::Int)
            }
            Kind::Bool => row.try_get_by_index::<Option<bool>>(at).map_err(failed)?.map(Cell::Bool),
            Kind::Date => {
                row.try_get_by_index::<Option<NaiveDate>>(at).map_err(failed)?.map(Cell::Date)
            }
            Kind::Instant => row
                .try_get_by_index::<Option<DateTime<Utc>>>(at)
                .map_err(failed)?
                .map(Cell::Instant),
            Kind::Key => row.try_get_by_index::<Option<Uuid>>(at).map_err(failed)?.map(Cell::Key),
            Kind::Sealed { .. } => {
                match row.try_get_by_index::<Option<Vec<u8>>>(at).map_err(failed)? {
                    Some(sealed) => Some(Cell::Text(self.codec.open(
                        noun.shape.name,
                        shape.name,
                        id,
                        &sealed,
                    )?)),
                    None => None,
                }
            }
            Kind::Computed => None,
        };
        Ok(cell.unwrap_or_default())
    }
}
