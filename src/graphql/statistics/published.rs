//! Declared tables, as the schema shows them.

use std::collections::HashMap;

use async_graphql::{Enum, SimpleObject};
use uuid::Uuid;
use xueji_entity::value::{Fen, Language};

use super::basis::StatisticsSnapshot;
use super::rows::{StatisticsPlace, Yuan, code_of, place_of};
use crate::access::policy::{Declared, Dimension, Measure};
use crate::domain::Cx;
use crate::domain::statistics::Names;
use crate::domain::statistics::tables::{ALL, Told};
use crate::error::Result;
use crate::graphql::scalar::Code;

/// What a declared table is broken down by besides the place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "Dimension")]
pub enum TableDimension {
    /// The stage (学段).
    Stage,
    /// The gender (性别).
    Gender,
    /// The ethnic group (民族).
    EthnicGroup,
    /// Left behind by parents who work elsewhere (留守儿童).
    LeftBehind,
    /// Day pupil or boarder (就读方式).
    Boarding,
    /// The state of the enrolment (学籍状态).
    Status,
    /// The programme of aid (资助项目).
    Programme,
}

/// A table that is published with snapshots (发布的统计表).
#[derive(Clone, Debug, SimpleObject)]
pub struct DeclaredTable {
    /// The name, for `declaredTable`.
    name: String,
    /// The name in Chinese.
    title: String,
    /// What it is broken down by, besides the place.
    dimensions: Vec<TableDimension>,
}

impl DeclaredTable {
    pub(super) fn of(table: &Declared) -> Self {
        Self {
            name: table.name.clone(),
            title: table.chinese.clone(),
            dimensions: table.by.iter().map(|by| (*by).into()).collect(),
        }
    }
}

/// The value of a dimension in a cell.
#[derive(Clone, Debug, SimpleObject)]
pub struct TableKey {
    /// The dimension.
    dimension: TableDimension,
    /// The value as a word or code; null for all values together.
    value: Option<String>,
    /// The code, where the value is one of a list.
    code: Option<Code>,
    /// The programme, where it is one.
    place: Option<StatisticsPlace>,
}

/// A cell of a published table.
#[derive(Clone, Debug, SimpleObject)]
pub struct TableCell {
    /// `region` for the whole registry, `county` or `school`.
    level: String,
    /// The county or school.
    place: Option<StatisticsPlace>,
    /// The values of the dimensions.
    keys: Vec<TableKey>,
    /// Distinct students, in a table of students; null where withheld.
    count: Option<i64>,
    /// Money granted in yuan, in a table of money; null where withheld.
    amount: Option<Yuan>,
    /// True where the figure is withheld: few stand behind it, or it would tell of a cell that is.
    withheld: bool,
}

/// A table of one snapshot, as far as you may read it.
#[derive(Clone, Debug, SimpleObject)]
pub struct PublishedTable {
    /// The table.
    table: DeclaredTable,
    /// The snapshot.
    snapshot: StatisticsSnapshot,
    /// The fewest students that a figure stands for.
    threshold: i64,
    /// The cells.
    cells: Vec<TableCell>,
}

impl PublishedTable {
    pub(super) async fn of(cx: &Cx, told: &Told) -> Result<Self> {
        let mut wanted: HashMap<&'static str, Vec<Uuid>> = HashMap::new();
        for cell in &told.cells {
            wanted.entry("organisation").or_default().extend(cell.place);
            for (by, value) in told.table.by.iter().zip(cell.keys.split(' ')) {
                if *by == Dimension::Programme {
                    wanted.entry("aid_programme").or_default().extend(value.parse::<Uuid>().ok());
                }
            }
        }
        let names = Names::of_rows(cx, wanted.into_iter().collect()).await?;
        let key = |(by, value): (&Dimension, &str)| TableKey {
            dimension: (*by).into(),
            value: (value != ALL && *by != Dimension::Programme).then(|| value.to_owned()),
            code: value.contains(':').then(|| code_of(value, language(cx))),
            place: value
                .parse()
                .ok()
                .and_then(|id: Uuid| place_of(cx, &names, "aid_programme", id)),
        };
        let cells = told.cells.iter().map(|cell| TableCell {
            level: cell.level.clone(),
            place: cell.place.and_then(|id| place_of(cx, &names, "organisation", id)),
            keys: told.table.by.iter().zip(cell.keys.split(' ')).map(key).collect(),
            count: cell.value.filter(|_| told.table.measure == Measure::Students),
            amount: cell
                .value
                .filter(|_| told.table.measure == Measure::AidAmount)
                .map(|value| Yuan(Fen(value))),
            withheld: cell.value.is_none(),
        });
        Ok(Self {
            table: DeclaredTable::of(&told.table),
            snapshot: StatisticsSnapshot::of(&told.snapshot),
            threshold: told.threshold,
            cells: cells.collect(),
        })
    }
}

fn language(cx: &Cx) -> Language {
    cx.caller.language
}
